"""What leaves the tracker, and which result belongs to which face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

#: A box in the image: x (column of the left edge), y (row of the upper edge), width, height; pixels.
Box = tuple[float, float, float, float]

#: ARKit's 52 blend shapes in the order in which they are kept; left and right are the person's own.
BLENDSHAPE_NAMES = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
#: Two results whose boxes overlap more than this (intersection over union) are the same face.
SAME_FACE_IOU = 0.3
#: Advantage, in confidence, of a face that was held in the previous frame over a new one on the same spot.
HELD_FACE_BONUS = 0.1


class Expression(NamedTuple):
    """What a face expresses, of what was taught or of a few simple ones: its name, and how sure that is, 0 to 1."""

    name: str
    confidence: float


@dataclass
class Face:
    """One tracked face in one frame.

    Attributes:
        id: number of the face's slot, from 0.
        conf: confidence of the landmarks, 0 to 1.
        success: whether the 3D fit succeeded.
        pnp_error: error of the 3D fit, pixels.
        quaternion: (4,) x, y, z, w of the head's rotation.
        euler: (3,) angles as `cv2.RQDecomp3x3` returns them, degrees.
        rotation: (3,) Rodrigues vector of the pose; see `tracking.pose` for its coordinates.
        translation: (3,) translation of the pose.
        lms: (68, 3) row, column (pixels), confidence of 66 landmarks, right pupil, left pupil.
        pts_3d: (70, 3) 3D points: the landmarks, right and left pupil, right and left eyeball centre.
        face_3d: (70, 3) the shape that the pose was fitted with.
        contour: (n,) indices of the points that the pose was fitted to.
        eye_blink: how far the right and the left eye are open, 0 closed to 1 open; None when unknown.
        bbox: x, y, width, height of the 66 landmarks, pixels.
        current_features: features by name, -1 to 1; empty when none was computed yet.
        blendshapes: (52,) float32, 0 to 1, in the order of `BLENDSHAPE_NAMES`; None when they were not asked for.
        expression: what `expressions` finds in it; None when that is none of those it knows, or nobody asked.
    """

    id: int
    conf: float
    success: bool
    pnp_error: float
    quaternion: np.ndarray
    euler: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    lms: np.ndarray
    pts_3d: np.ndarray
    face_3d: np.ndarray
    contour: np.ndarray
    eye_blink: tuple[float, float] | None
    bbox: Box
    current_features: dict[str, float] = field(default_factory=dict)
    blendshapes: np.ndarray | None = None
    expression: Expression | None = None

    @property
    def coord(self) -> np.ndarray:
        """(2,) row, column of the middle of the landmarks, as the original calls it."""
        return self.lms[:66, :2].mean(axis=0)

    @property
    def eye_state(self) -> list[tuple[float, float, float, float]]:
        """Of the right and the left eye 1, then row, column and confidence of the pupil, as the original calls it."""
        return [(1.0, row, column, confidence) for row, column, confidence in self.lms[66:68].tolist()]


@dataclass(frozen=True)
class Candidate:
    """A box that may show a face.

    Attributes:
        box: in the frame.
        held: whether it was a face of the previous frame.
        close: whether it comes from a close look at a part of the frame.
    """

    box: Box
    held: bool = False
    close: bool = False


@dataclass
class Detection:
    """Landmarks found in one candidate box; the 66 stay as they are.

    Attributes:
        conf: confidence of the landmarks, 0 to 1.
        lms: (68, 3) row, column (pixels), confidence; nan for pupils that are not known (yet).
        held: whether the candidate was a face of the previous frame.
        bbox: x, y, width, height of the 66 landmarks.
        centre: row, column: the mean of the 66 landmarks.
    """

    conf: float
    lms: np.ndarray
    held: bool = False
    bbox: Box = field(init=False)
    centre: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        self.bbox = bounding_box(self.lms[:66])
        row, column = np.add.reduce(self.lms[:66, :2]).tolist()
        self.centre = row / 66, column / 66

    @property
    def has_pupils(self) -> bool:
        """Whether both pupils are known."""
        return not (math.isnan(self.lms[66, 0]) or math.isnan(self.lms[67, 0]))


def bounding_box(points: np.ndarray) -> Box:
    """Box around points of shape (n, 2 or more), row and column first."""
    top, left = np.minimum.reduce(points[:, :2]).tolist()
    bottom, right = np.maximum.reduce(points[:, :2]).tolist()
    return left, top, right - left, bottom - top


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    overlap = width * height
    union = a[2] * a[3] + b[2] * b[3] - overlap
    return min(overlap / union, 1.0) if union > 0 else 0.0  # rounding can make thin boxes overlap by more than all


def group(detections: Sequence[Detection]) -> list[Detection]:
    """Reduce overlapping detections to the best one each; the result is best first, by the rank of that contest.

    A face held from the previous frame gets a bonus in the contest, so that it is not taken over by a new box that
    happens to score a little higher.
    """

    if len(detections) < 2:
        return list(detections)

    def rank(detection: Detection) -> float:
        return detection.conf + (HELD_FACE_BONUS if detection.held else 0.0)

    kept: list[Detection] = []
    for detection in sorted(detections, key=rank, reverse=True):
        if all(iou(detection.bbox, other.bbox) < SAME_FACE_IOU for other in kept):
            kept.append(detection)
    return kept


def assign(centres: Sequence[tuple[float, float] | None], detections: Sequence[Detection]) -> dict[int, Detection]:
    """Give each detection to the slot whose last centre is nearest.

    Args:
        centres: for each slot, its last row and column, or None when it was never used (counts as far away).
        detections: at most as many as there are slots.

    Returns:
        Slot number to detection. Pairs are made nearest first; slots never used are filled in order.
    """
    if len(centres) == len(detections) == 1:
        return {0: detections[0]}
    pairs = []
    for order, detection in enumerate(detections):
        here = detection.centre
        for slot, centre in enumerate(centres):
            distance = math.inf if centre is None else math.dist(here, centre)
            pairs.append((distance, slot, order))
    assigned: dict[int, Detection] = {}
    taken: set[int] = set()
    for _, slot, order in sorted(pairs):
        if slot not in assigned and order not in taken:
            assigned[slot] = detections[order]
            taken.add(order)
    return assigned
