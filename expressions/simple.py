"""A few expressions that need not be taught, from the features of a face alone."""

from __future__ import annotations

from collections.abc import Mapping

NAMES = ("neutral", "fun", "angry", "surprise")
#: An expression begins when its strength is over the first, and ends when it is under the second.
BEGIN, END = 0.4, 0.25


def strengths(features: Mapping[str, float]) -> tuple[float, float, float]:
    """How strongly a face has fun, is angry, is surprised: about 0 to 1 each, of its features (-1 to 1)."""

    def both(name: str) -> float:
        return (features.get(f"{name}_l", 0.0) + features.get(f"{name}_r", 0.0)) / 2

    brows, steepness, smile = both("eyebrow_updown"), both("eyebrow_steepness"), -both("mouth_corner_updown")
    angry = -brows - 0.8 * steepness - 0.5 * max(0.0, smile)
    surprise = 0.7 * brows + 0.3 * steepness - 0.5 * max(0.0, smile)
    return smile, angry, surprise


class SimpleClassifier:
    """Tells `NAMES` apart. What was told last stays until it has clearly ended, or another is clearly stronger."""

    def __init__(self) -> None:
        self._last = 0

    def tell(self, features: Mapping[str, float]) -> tuple[int, float]:
        """Number of the expression in `NAMES`, and how sure that is, 0 to 1."""
        found = strengths(features)
        best = max(range(3), key=lambda number: found[number]) + 1
        if found[best - 1] >= BEGIN and (self._last == 0 or found[best - 1] - found[self._last - 1] > BEGIN - END):
            self._last = best
        elif self._last and found[self._last - 1] < END:
            self._last = best if found[best - 1] >= BEGIN else 0
        if self._last:
            return self._last, min(1.0, max(0.0, found[self._last - 1]))
        return 0, min(1.0, max(0.0, 1 - max(0.0, found[best - 1])))
