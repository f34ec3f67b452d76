"""The calibration of the original program, number for number: raw values of the normalised 3D points, and ranges that
grow out of nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from remedian import remedian

from .names import FEATURE_NAMES

#: How far, as a share of the median, a value must lie from it to become the first minimum or maximum.
THRESHOLDS = {
    name: 0.05 if "quirk" in name or "steepness" in name else 0.02 if "inout" in name or name == "mouth_wide" else 0.15
    for name in FEATURE_NAMES
}
#: Share of the way from an extreme to the median at which the extreme's hard limit is set ...
HARD_LIMIT = 0.15
#: ... and of the way to that limit that the extreme moves with each value.
DECAY = 0.001
#: Share of the previous value in the smoothed one.
SMOOTHING = 0.2


Point = Sequence[float]  # x, y


def folded_angle(a: Point, b: Point) -> float:
    """Folded angle of the line from a to b (x, y), degrees, -90 to 90.

    theta = atan2 in 0 to 360; from 90 on it becomes 180 - theta; then from -90 down -(theta + 180). Lines between these
    points run towards falling x, so that turning by the folded angle does not level a line but doubles its tilt; the
    features' ranges and thresholds belong to that.
    """
    theta = math.degrees(math.atan2(b[1] - a[1], b[0] - a[0])) % 360
    if theta >= 90:
        theta = 180 - theta
    if theta <= -90:
        theta = -(theta + 180)
    return theta


def align(points: Sequence[Point], a: Point, b: Point) -> list[tuple[float, float]]:
    """Turn points (x, y) about a by minus the folded angle of the line from a to b."""
    theta = math.radians(folded_angle(a, b))
    cos, sin = math.cos(theta), math.sin(theta)
    a_x, a_y = a
    return [((x - a_x) * cos + (y - a_y) * sin + a_x, (y - a_y) * cos - (x - a_x) * sin + a_y) for x, y in points]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def measure(points: np.ndarray, fine: bool = True) -> dict[str, float]:
    """Raw values of the features.

    Args:
        points: (70, 3) or (70, 2) normalised points, x and y first, y up.
        fine: also the FINE_FEATURES.

    Raises ZeroDivisionError for a face without height or width.
    """
    # Plain numbers: for so few of them numpy takes several times as long.
    x, y = points[:, :2].T.tolist()
    p = list(zip(x, y, strict=True))
    norm_x = (x[0] - x[16] + x[1] - x[15]) / 2
    norm_y = (y[27] - y[30]) / 3  # the mean of the bridge's three steps

    def lid_gap(first: int, second: int, *lids: int) -> float:
        (_, upper_1), (_, upper_2), (_, lower_1), (_, lower_2) = align([p[i] for i in lids], p[first], p[second])
        return abs(upper_1 + upper_2 - lower_1 - lower_2) / 2 / norm_y

    def quirk(first: int, second: int, *inner: int) -> float:
        aligned = align([p[i] for i in inner], p[first], p[second])
        return max(abs(coordinate - y[first]) for point in aligned for coordinate in point) / norm_y

    corners_y = _mean(y[49:52])
    raw = {
        "eye_l": lid_gap(42, 45, 43, 44, 47, 46),
        "eye_r": lid_gap(36, 39, 37, 38, 41, 40),
        "eyebrow_updown_l": ((y[22] + y[26]) / 2 - y[27]) / norm_y,
        "eyebrow_updown_r": ((y[17] + y[21]) / 2 - y[27]) / norm_y,
        "mouth_corner_updown_l": (corners_y - y[62]) / norm_y,
        "mouth_corner_updown_r": (corners_y - y[58]) / norm_y,
        "mouth_open": abs(_mean(y[59:62]) - _mean(y[63:66])) / norm_y,
        "mouth_wide": abs(x[58] - x[62]) / norm_x,
    }
    if fine:
        level = _mean([folded_angle(p[a], p[b]) for a, b in ((42, 45), (36, 39), (0, 16), (31, 35))])
        middle_x = _mean([x[i] for i in (50, 60, 27, 30, 64, 55)])
        raw |= {
            "eyebrow_steepness_l": -folded_angle(p[22], p[26]) - level,
            "eyebrow_steepness_r": folded_angle(p[17], p[21]) - level,
            "eyebrow_quirk_l": quirk(22, 26, 23, 24, 25),
            "eyebrow_quirk_r": quirk(17, 21, 18, 19, 20),
            "mouth_corner_inout_l": abs(middle_x - x[62]) / norm_x,
            "mouth_corner_inout_r": abs(middle_x - x[58]) / norm_x,
        }
    return raw


class RunningRange:
    """One feature of one person: its running median, minimum and maximum, which its raw values are set against."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.minimum: float | None = None
        self.maximum: float | None = None
        self._hard_minimum = self._hard_maximum = 0.0
        self._median = remedian()
        self._smoothed = 0.0

    def update(self, x: float, learning: bool = True) -> float:
        """Return the smoothed position of x in the range: -1 minimum, 0 median, 1 maximum.

        Args:
            x: a raw value, finite.
            learning: whether median and range still adapt.
        """
        if learning:
            self._median + x
        position = self._position(x, self._median.median(), learning)
        self._smoothed = SMOOTHING * self._smoothed + (1 - SMOOTHING) * position
        return self._smoothed

    def _position(self, x: float, median: float, learning: bool) -> float:
        # Divided by the median as it is, with its sign: while the median is negative, no first extreme is found.
        # A median of 0 has no relative distance, so nothing is found there either.
        distance = (x - median) / median if median else 0.0
        if self.minimum is None and not (x < median and -distance > self.threshold):
            return 0.0
        if self.minimum is None or x < self.minimum:
            if learning:
                self.minimum = x
                self._hard_minimum = x + HARD_LIMIT * (median - x)
            return -1.0
        if self.maximum is None and not (x > median and distance > self.threshold):
            return 0.0
        if self.maximum is None or x > self.maximum:
            if learning:
                self.maximum = x
                self._hard_maximum = x + HARD_LIMIT * (median - x)
            return 1.0
        if learning:
            if self.minimum < self._hard_minimum:
                self.minimum += DECAY * (self._hard_minimum - self.minimum)
            if self.maximum > self._hard_maximum:
                self.maximum += DECAY * (self._hard_maximum - self.maximum)
        if x < median:
            return -(1 - _ratio(x - self.minimum, median - self.minimum))
        if x > median:
            return _ratio(x - median, self.maximum - median)
        return 0.0


def _ratio(part: float, whole: float) -> float:
    """part / whole within -1 to 1, also where an extreme has moved past the value or onto the median."""
    return min(max(part / whole, -1.0), 1.0) if whole else 0.0


def make_range(name: str) -> RunningRange:
    """The range of a feature of somebody new."""
    return RunningRange(THRESHOLDS[name])
