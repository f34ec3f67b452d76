"""The features of one face through time, by either calibration."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from . import balanced, original
from .names import FEATURE_NAMES

#: By their names on the command line, the default first.
CALIBRATIONS = ("balanced", "original")
#: Who comes back after so many seconds may be somebody else: the balanced calibration begins anew.
FORGOTTEN = 10.0


class Range(Protocol):
    """What one feature's raw values are set against."""

    def update(self, x: float, learning: bool = True) -> float:
        """Return where the finite raw value x lies, -1 to 1; a range that is learning also adapts to it."""


class Features:
    """The features of one face through time.

    Args:
        max_updates: seconds after the first value at which the ranges stop adapting; 0: never.
        level: 2 all features, 1 without FINE_FEATURES (which stay 0), 0 none.
        clock: time in seconds.
        calibration: one of CALIBRATIONS. ValueError for another.
    """

    def __init__(
        self,
        max_updates: float = 0,
        level: int = 2,
        clock: Callable[[], float] = time.monotonic,
        calibration: str = CALIBRATIONS[0],
    ) -> None:
        if calibration not in CALIBRATIONS:
            raise ValueError(f"There is no feature calibration {calibration}; there are {', '.join(CALIBRATIONS)}.")
        self.max_updates = max_updates
        self.level = level
        self.calibration = calibration
        self._clock = clock
        self._start_over()

    def _start_over(self) -> None:
        self._first_seen: float | None = None
        self._last_seen = 0.0
        make_range: Callable[[str], Range] = (
            balanced.make_range if self.calibration == "balanced" else original.make_range
        )
        self._ranges = {name: make_range(name) for name in FEATURE_NAMES}

    def update(self, normalised: np.ndarray, turned: np.ndarray, camera: np.ndarray) -> dict[str, float]:
        """Return the features of a face, by name in the packet's order.

        Args:
            normalised: (70, 3) points from `pose.normalize`, which `original` is measured on.
            turned: (70, 3) points from `pose.back_project`, which `balanced` is measured on.
            camera: (3,) from `balanced.direction_to_camera`.

        Raises ValueError for points on which a feature has no finite value.
        """
        if self.level <= 0:
            return {}
        fine = self.level >= 2
        try:
            if self.calibration == "balanced":
                raw = balanced.measure(turned, camera, fine)
            else:
                raw = original.measure(normalised, fine)
        except ZeroDivisionError as error:
            raise ValueError("These points have no features.") from error
        if not all(map(math.isfinite, raw.values())):
            raise ValueError("These points give no finite features.")
        now = self._clock()
        if self.calibration == "balanced" and self._first_seen is not None and now - self._last_seen > FORGOTTEN:
            self._start_over()
        if self._first_seen is None:
            self._first_seen = now
        self._last_seen = now
        learning = not self.max_updates or now - self._first_seen < self.max_updates
        return {name: self._ranges[name].update(raw[name], learning) if name in raw else 0.0 for name in FEATURE_NAMES}
