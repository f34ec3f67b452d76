"""Running median in bounded memory: the remedian of Rousseeuw and Bassett.

P. J. Rousseeuw and G. W. Bassett, "The Remedian: A Robust Averaging Method for Large Data Sets",
Journal of the American Statistical Association 85 (1990), 97-104.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median


class remedian:  # noqa: N801 - the name is part of the interface that other programs import
    """Approximate median of a stream of numbers, from buffers of `k` values each.

    Buffer 0 takes the values; whenever a buffer is full, its median moves on to the next one and it is emptied.
    n values need k * log_k(n) numbers of memory. Exact while fewer than `k` values have come.

    >>> r = remedian([5, 1])
    >>> r + 3
    >>> r.median()
    3
    """

    def __init__(self, inits: Iterable[float] = (), k: int = 64) -> None:
        if k < 2:
            raise ValueError(f"A remedian needs buffers of at least 2 values, not {k}.")
        self.k = k
        self._buffers: list[list[float]] = [[]]
        self._median: float | None = None
        for value in inits:
            self + value

    def __add__(self, x: float) -> None:
        """Add a value (in place)."""
        self._median = None
        for level in range(len(self._buffers)):
            buffer = self._buffers[level]
            buffer.append(x)
            if len(buffer) < self.k:
                return
            x = median(buffer)
            buffer.clear()
        self._buffers.append([x])

    def median(self) -> float:
        """Return the median of the values so far: that of all buffers, a value in buffer i counting k**i times.

        Raises ValueError when there is no value yet.
        """
        if self._median is None:
            self._median = self._weighted_median()
        return self._median

    def _weighted_median(self) -> float:
        if len(self._buffers) == 1:
            if not self._buffers[0]:
                raise ValueError("There is no median of no values.")
            return median(self._buffers[0])
        weighted = sorted(
            (value, self.k**level) for level, buffer in enumerate(self._buffers) for value in buffer
        )
        half = sum(weight for _, weight in weighted) / 2
        seen = 0
        for value, weight in weighted:
            seen += weight
            if seen >= half:
                return value
        raise AssertionError("unreachable: the weights add up to more than half of themselves")
