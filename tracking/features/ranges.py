"""A feature's range: it begins as that of people in general and becomes that of the person.

Times are in frames, as a webcam gives 30 of them in a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: The usual value follows the mean of the frames so far, and of this many at the most: a minute.
MEMORY = 1800
#: Share of the way to a value beyond its end that an end of the range moves with a frame, ...
GROWTH = 0.1
#: ... with each frame by this share of itself at most: what one bad frame can do.
LARGEST_GROWTH = 0.05
#: An end that is not reached comes back, by this share of the way in a frame, ...
SHRINKAGE = 1 / 5400
#: ... to this share of what it began as; and it grows to this multiple of it at the most.
LEAST, MOST = 0.6, 2.5
#: Share of the previous position in the smoothed one.
SMOOTHING = 0.2


@dataclass(frozen=True)
class Prior:
    """A feature of people in general, in units of its raw values.

    Attributes:
        usual: where it lies when the face is at rest.
        down, up: how far it moves from there to either side.
        weight: how many frames of the person the usual value of people in general counts as much as.
        settling, settled: the first frames, so many, make the person's usual value: people begin with a face at rest.
            After them it counts as much as this many frames, so that a long smile does not become the usual mouth.
        least, most: the usual value stays between them.
        rise, fall: shares of a step up or down that the usual value goes; where they differ, it comes to rest below or
            above the person's middle value.
        ignored: values below this tell nothing about the usual one.
    """

    usual: float
    down: float
    up: float
    weight: float = 2
    settling: int = 10
    settled: float = 600
    least: float = -math.inf
    most: float = math.inf
    rise: float = 1
    fall: float = 1
    ignored: float = -math.inf


class PersonalRange:
    """One feature of one person: its usual value and how far it goes to either side of it.

    Every step is bounded, so that a few bad frames change next to nothing, and so is the state, so that hours of values
    can't lead it astray.
    """

    def __init__(self, prior: Prior) -> None:
        self.prior = prior
        self.usual = prior.usual
        self.down, self.up = prior.down, prior.up
        self._frames = 0
        self._weight = prior.weight
        self._smoothed = 0.0

    def update(self, x: float, learning: bool = True) -> float:
        """Return the smoothed position of x in the range: -1 lower end, 0 usual, 1 upper end.

        Args:
            x: a raw value, finite.
            learning: whether the range still adapts.
        """
        if learning:
            self._learn(x)
        distance = x - self.usual
        position = min(distance / self.up, 1.0) if distance > 0 else max(distance / self.down, -1.0)
        self._smoothed = SMOOTHING * self._smoothed + (1 - SMOOTHING) * position
        return self._smoothed

    def _learn(self, x: float) -> None:
        prior = self.prior
        if x > prior.ignored:
            self._frames += 1
            self._weight = min(max(self._weight + 1, prior.settled * (self._frames > prior.settling)), MEMORY)
            distance = x - self.usual
            step = prior.rise * min(distance, prior.up) if distance > 0 else prior.fall * max(distance, -prior.down)
            self.usual = min(max(self.usual + step / self._weight, prior.least), prior.most)
        distance = x - self.usual
        self.up = _adapted(self.up, distance, prior.up)
        self.down = _adapted(self.down, -distance, prior.down)


def _adapted(end: float, distance: float, prior: float) -> float:
    """An end of the range after a value at that distance towards it."""
    if distance > end:
        return min(end + min(GROWTH * (distance - end), LARGEST_GROWTH * end), MOST * prior)
    return end + SHRINKAGE * (LEAST * prior - end)


class EyeRange(PersonalRange):
    """The range of an eye's opening, which goes down to where this person's lids meet: at a share of the usual opening,
    so that narrow eyes are no half-shut ones."""

    def __init__(self, prior: Prior, shut: float) -> None:
        super().__init__(prior)
        self._shut = shut
        self.down = (1 - shut) * self.usual

    def _learn(self, x: float) -> None:
        super()._learn(x)
        self.down = (1 - self._shut) * self.usual
