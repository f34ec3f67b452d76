"""The balanced calibration: raw values that mean what the features' names say, also on a head that turns.

They are measured on the points in the head's frame, before `pose.normalize`, in units of the distance of the outer
corners of the eyes. The depth of these points is that of a rigid shape; what a turn of the head therefore leaves in a
value is taken out again, as it was measured on drawn heads that turn with a still face.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .ranges import EyeRange, PersonalRange, Prior

#: For each side: inner and outer corner of the eye, upper with lower lids' points, the brow from its inner end on, the
#: corner of the mouth.
SIDES = {
    "l": (42, 45, ((43, 47), (44, 46)), (22, 23, 24, 25, 26), 62),
    "r": (39, 36, ((38, 40), (37, 41)), (21, 20, 19, 18, 17), 58),
}
#: Upper with lower points of the lips' inner edge.
INNER_LIPS = ((59, 65), (60, 64), (61, 63))
#: How much a turn of the head adds to each value: per yaw and its square, per pitch and its square, radians; yaw away
#: from the side that is measured. Fitted to drawn heads: `python -m training.tables.features --fit`.
TURN = {
    "eyebrow_updown": (-0.031, -0.009, -0.018, -0.119),
    "eyebrow_steepness": (0.001, -0.084, -0.007, -0.297),
    "eyebrow_quirk": (-0.012, -0.018, -0.029, -0.037),
    "mouth_corner_updown": (-0.044, -0.018, -0.148, -0.064),
    "mouth_corner_inout": (-0.023, -0.016, -0.056, 0.012),
    "mouth_wide": (0.0, -0.026, -0.111, 0.025),
}
#: Turns are corrected up to here, radians: 40 degrees.
LARGEST_TURN = 0.7
#: Where lids shut, the corners of the eye sink, and the brow seems to rise by so much ...
BROW_ON_SHUT_EYE = 0.02
#: ... when this gap of the lids, over the eye's width, has become the other one.
LIDS_OPEN, LIDS_SHUT = 0.20, 0.07
#: An opening mouth takes its corners down by this share of the lips' gap, which is no frown.
CORNERS_ON_OPEN_MOUTH = 0.4
#: The networks see a wink in part in the other eye too: this share of the difference between the eyes is given back.
WINK_LOST = 0.2
#: Share of its usual opening at which an eye counts as shut.
SHUT = 0.3
#: People in general. Usual values: medians of face images that look ahead. How far they go: between what drawn heads do
#: with one expression at full weight, and the hundredth that goes furthest in face images.
PRIORS = {
    "eye": Prior(0.27, 0.10, 0.09, weight=4, settling=60, settled=300, least=0.12, most=0.45, fall=0.5, ignored=0.1),
    "eyebrow_updown": Prior(0.24, 0.05, 0.065),
    "eyebrow_steepness": Prior(0.265, 0.11, 0.11),
    "eyebrow_quirk": Prior(0.07, 0.02, 0.025),
    "mouth_corner_updown": Prior(0.225, 0.09, 0.06),
    "mouth_corner_inout": Prior(0.32, 0.05, 0.07),
    "mouth_open": Prior(0.03, 0.22, 0.22, weight=10, settled=30, least=0.0, most=0.05, rise=0.02),
    "mouth_wide": Prior(0.63, 0.10, 0.14),
}


def make_range(name: str) -> PersonalRange:
    """The range of a feature of somebody new."""
    prior = PRIORS[_without_side(name)]
    return EyeRange(prior, SHUT) if name.startswith("eye_") else PersonalRange(prior)


def _without_side(name: str) -> str:
    return name.removesuffix("_l").removesuffix("_r")


def direction_to_camera(rotation: np.ndarray, width: float, height: float) -> np.ndarray:
    """The direction from a head towards the camera, against the camera's view.

    Args:
        rotation: (3, 3) matrix R of the pose; see `tracking.pose`.
        width, height: size of the frame, pixels.

    Returns:
        (3,) in the head's frame, of any length: (0, 0, 1) for a face that looks straight along it. The pose takes the
        optical axis for passing the frame at row width / 2 and column height / 2; here it passes its middle.
    """
    off_axis = (width - height) / (2 * width)
    return np.array([off_axis, -off_axis, -1.0]) @ rotation


def measure(points: np.ndarray, camera: Sequence[float] | np.ndarray, fine: bool = True) -> dict[str, float]:
    """Raw values of the features.

    Args:
        points: (70, 3) from `pose.back_project`: x to the person's right, y up.
        camera: (3,) from `direction_to_camera`.
        fine: also the FINE_FEATURES.

    Raises ZeroDivisionError for points that have no size.
    """
    # Plain numbers: for so few of them numpy takes several times as long.
    x, y = points[:, :2].T.tolist()
    unit = math.hypot(x[36] - x[45], y[36] - y[45])
    aside, up, ahead = (float(along) for along in camera)
    yaw, pitch = _limited(math.atan2(aside, ahead)), _limited(math.atan2(up, ahead))
    gap = sum(math.hypot(x[a] - x[b], y[a] - y[b]) for a, b in INNER_LIPS) / 3 / unit
    nose = sum(y[31:36]) / 5
    middle = sum(x[i] for i in (50, 60, 27, 30, 64, 55)) / 6
    raw = {
        "mouth_open": gap,
        "mouth_wide": math.hypot(x[58] - x[62], y[58] - y[62]) / unit - _turn("mouth_wide", yaw, pitch),
    }
    gaps = [
        sum(math.hypot(x[a] - x[b], y[a] - y[b]) for a, b in lids) / 2 / math.hypot(x[c] - x[d], y[c] - y[d])
        for c, d, lids, _, _ in SIDES.values()
    ]
    back = WINK_LOST * (gaps[0] - gaps[1])
    raw["eye_l"], raw["eye_r"] = max(gaps[0] + back, 0.0), max(gaps[1] - back, 0.0)
    for side, outwards in (("l", yaw), ("r", -yaw)):
        inner, outer, _, brow, corner = SIDES[side]
        shut = min(max((LIDS_OPEN - raw[f"eye_{side}"]) / (LIDS_OPEN - LIDS_SHUT), 0.0), 1.0)
        brow_height = (sum(y[i] for i in brow) / 5 - (y[inner] + y[outer]) / 2) / unit
        found = {
            "eyebrow_updown": brow_height - BROW_ON_SHUT_EYE * shut,
            # Positive for low corners.
            "mouth_corner_updown": (nose - y[corner]) / unit - CORNERS_ON_OPEN_MOUTH * gap,
        }
        if fine:
            first, *arch, last = brow
            brow_across, brow_rise = x[first] - x[last], y[first] - y[last]
            slope = brow_rise / brow_across
            found |= {
                # Positive where the inner end is high.
                "eyebrow_steepness": brow_rise / abs(brow_across) - (y[inner] - y[outer]) / abs(x[inner] - x[outer]),
                "eyebrow_quirk": sum(y[i] - y[last] - slope * (x[i] - x[last]) for i in arch) / 3 / unit,
                "mouth_corner_inout": abs(middle - x[corner]) / unit,
            }
        for name, value in found.items():
            raw[f"{name}_{side}"] = value - _turn(name, outwards, pitch)
    return raw


def _limited(angle: float) -> float:
    return min(max(angle, -LARGEST_TURN), LARGEST_TURN)


def _turn(name: str, yaw: float, pitch: float) -> float:
    """What the head's turn adds to a value."""
    by_yaw, by_yaw_squared, by_pitch, by_pitch_squared = TURN[name]
    return yaw * (by_yaw + yaw * by_yaw_squared) + pitch * (by_pitch + pitch * by_pitch_squared)
