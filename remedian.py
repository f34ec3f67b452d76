"""Running median in bounded memory: the remedian of Rousseeuw and Bassett.

P. J. Rousseeuw and G. W. Bassett, "The Remedian: A Robust Averaging Method for Large Data Sets",
Journal of the American Statistical Association 85 (1990), 97-104.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from itertools import accumulate
from math import ceil
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
        self._buffers: list[list[float]] = [[]]  # the first one sorted
        self._higher: list[float] = []  # the values of the other buffers, sorted, and ...
        self._weight_up_to: list[int] = []  # ... for each of them, how much it and those before it count
        self._place = 0  # of the last median among the higher values
        for value in inits:
            self + value

    def __add__(self, x: float) -> None:
        """Add a value (in place)."""
        buffer = self._buffers[0]
        insort(buffer, x)
        if len(buffer) == self.k:
            x = median(buffer)
            buffer.clear()
            self._add_higher(x)

    def _add_higher(self, x: float) -> None:
        """Add the median of the first buffer to the next one."""
        for buffer in self._buffers[1:]:
            buffer.append(x)
            if len(buffer) < self.k:
                break
            x = median(buffer)
            buffer.clear()
        else:
            self._buffers.append([x])
        weighted = sorted((v, self.k**level) for level, buffer in enumerate(self._buffers) if level for v in buffer)
        self._higher = [value for value, _ in weighted]
        self._weight_up_to = list(accumulate(weight for _, weight in weighted))

    def median(self) -> float:
        """Return the median of the values so far: that of all buffers, a value in buffer i counting k**i times.

        Raises ValueError when there is no value yet.
        """
        ones, higher, weight_up_to = self._buffers[0], self._higher, self._weight_up_to
        if not higher:
            if not ones:
                raise ValueError("There is no median of no values.")
            middle = len(ones) // 2
            return ones[middle] if len(ones) % 2 else (ones[middle - 1] + ones[middle]) / 2
        # The first value at which those up to it weigh half: it is the first such one of the higher buffers, or one of
        # the first buffer that makes up what is missing before that. It is looked for from where it was last time.
        half = (len(ones) + weight_up_to[-1]) / 2
        place = min(self._place, len(higher))
        while place > 0 and weight_up_to[place - 1] + bisect_right(ones, higher[place - 1]) >= half:
            place -= 1
        while place < len(higher) and weight_up_to[place] + bisect_right(ones, higher[place]) < half:
            place += 1
        self._place = place
        missing = ceil(half - (weight_up_to[place - 1] if place else 0))
        found = ones[missing - 1 : missing] + higher[place : place + 1]
        return min(found)
