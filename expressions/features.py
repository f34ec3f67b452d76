"""A face as the numbers that tell expressions apart: the same wherever the head is.

All but the shapes are in the 1785-byte record as well, so that a receiver can work them out: see docs/expressions.md.
"""

from __future__ import annotations

import numpy as np

from tracking.faces import Face
from tracking.features import FEATURE_NAMES

#: The columns by what they hold.
POINTS = slice(0, 210)  # x, y, z of the 70 points as the record has them: to the own right, down, into the head
FEATURES = slice(210, 224)  # in the record's order
ROTATION = slice(224, 227)  # of the head against one that looks into the camera
SHAPES = slice(227, 279)  # nan where they were not found
COLUMNS = 279
#: The quaternion x, y, z, w that is sent of a head that looks into the camera: half a turn about x + y.
STRAIGHT = np.array([0.5, 0.5, 0.0, 0.0]) * np.sqrt(2)


def columns_of(face: Face) -> np.ndarray:
    """The numbers of a face, (COLUMNS,) float32."""
    values = np.empty(COLUMNS, np.float32)
    values[POINTS] = (face.pts_3d * (1.0, -1.0, -1.0)).ravel()
    values[FEATURES] = [face.current_features.get(name, 0.0) for name in FEATURE_NAMES]
    values[ROTATION] = turn_from_straight(face.quaternion)
    values[SHAPES] = np.nan if face.blendshapes is None else face.blendshapes
    return values


def turn_from_straight(quaternion: np.ndarray) -> np.ndarray:
    """How a head is turned against one that looks into the camera.

    Args:
        quaternion: (4,) x, y, z, w as it is sent.

    Returns:
        (3,) x, y, z of quaternion times the inverse of STRAIGHT, with the sign that makes its w not negative.
    """
    x, y, z, w = quaternion.tolist()
    half = float(STRAIGHT[0])
    turn = np.array([-w - z, z - w, x - y]) * half
    return -turn if x + y < 0 else turn
