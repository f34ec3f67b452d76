"""Records an expression while the tracker runs: for a set time after a countdown, or for as long as a key is held."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from expressions.collection import Recording
from expressions.features import columns_of
from tracking.faces import Face

#: Seconds of the countdown before a camera, and after which a face that is not there is waited for no longer.
COUNTDOWN, PATIENCE = 3.0, 10.0
#: Two frames that are further apart than this, seconds, are no movement: time stood still meanwhile.
LONGEST_STEP = 2.0
#: What to do while it records, for an equal share of the time each.
ADVICE = ("hold it", "hold it and turn your head", "hold it and talk")
#: A key that sends nothing for so long is no longer held, seconds: keyboards wait up to a second before they repeat.
HELD = 1.2


class Clock:
    """Adds up the time between frames, without gaps and steps back (a video that begins again)."""

    def __init__(self) -> None:
        self._last: float | None = None

    def step(self, now: float) -> float:
        """Seconds since the frame before."""
        step = 0.0 if self._last is None else now - self._last
        self._last = now
        return step if 0 < step <= LONGEST_STEP else 0.0


@dataclass
class TimedRecording:
    """A recording of one expression for a set time, in which only frames with a face count.

    Attributes:
        name: of the expression.
        seconds: how long it is to be.
        countdown: seconds before it begins, from the first frame with a face on.
        taken: seconds that were recorded.
        missing: seconds without a face, running.
    """

    name: str
    seconds: float
    countdown: float = 0.0
    taken: float = 0.0
    missing: float = 0.0
    _samples: list[np.ndarray] = field(default_factory=list)
    _clock: Clock = field(default_factory=Clock)

    @property
    def done(self) -> bool:
        """Whether all of it was recorded."""
        return self.taken >= self.seconds

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(self._samples)

    def update(self, face: Face | None, now: float) -> None:
        """Take a frame.

        Args:
            face: who is recorded; None when nobody is there.
            now: when the frame was taken, seconds.
        """
        step = self._clock.step(now)
        if face is None:
            self.missing += step
            return
        self.missing = 0.0
        if self.countdown > 0:
            self.countdown -= step
        elif not self.done:
            self._samples.append(columns_of(face))
            self.taken += step

    def line(self) -> str:
        """What the person is to know now, one line."""
        if self.missing:
            return f"{self.name}: no face, waiting for it"
        if self.countdown > 0:
            return f"{self.name}: make that face in {math.ceil(self.countdown)}"
        taken = min(int(self.taken), round(self.seconds))  # a line a second
        bar = "#" * round(20 * taken / self.seconds)
        return f"{self.name} [{bar:.<20}] {taken} of {self.seconds:.0f} s: {self.advice}"

    @property
    def advice(self) -> str:
        """What to do now."""
        return ADVICE[min(int(len(ADVICE) * self.taken / self.seconds), len(ADVICE) - 1)]

    def recording(self) -> Recording:
        """What there is."""
        return Recording(np.stack(self._samples), self.taken)


class HeldKey:
    """Records while a key is held. Only what lies between two events of the key counts: a key's release is no event.

    Attributes:
        key: the key that is held; "" for none.
    """

    def __init__(self) -> None:
        self.key = ""
        self._seconds = self._pending_seconds = self._quiet = 0.0
        self._samples: list[np.ndarray] = []
        self._pending: list[np.ndarray] = []
        self._clock = Clock()

    def update(self, key: str, face: Face | None, now: float) -> tuple[str, Recording] | None:
        """Take a frame.

        Args:
            key: the event of this frame, one of the keys that record; "" for none.
            face: who is recorded; None when nobody is there.
            now: when the frame was taken, seconds.

        Returns:
            When a key is no longer held: which it was, and what was recorded; None: it goes on, or there is nothing.
        """
        step = self._clock.step(now)
        self._quiet += step
        finished = None
        if self.key and (self._quiet > HELD or key not in ("", self.key)):
            finished = self.finish()
        if key and not self.key:
            self.key = key
        elif self.key and face is not None:
            self._pending.append(columns_of(face))
            self._pending_seconds += step
        if key:
            self._quiet = 0.0
            self._samples += self._pending
            self._seconds += self._pending_seconds
            self._pending, self._pending_seconds = [], 0.0
        return finished

    def finish(self) -> tuple[str, Recording] | None:
        """End what is being recorded, as `update` does."""
        key, samples, seconds = self.key, self._samples, self._seconds
        self.key = ""
        self._samples, self._pending, self._seconds, self._pending_seconds = [], [], 0.0, 0.0
        return (key, Recording(np.stack(samples), seconds)) if samples else None
