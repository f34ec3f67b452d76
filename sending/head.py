"""The head as avatars have it: turned, placed and looking in an avatar's own axes, from a tracked face.

Avatar axes, which are Unity's: x to the person's own right, y up, z out of the face, left-handed. Turned by the Euler
angles rx, ry, rz (degrees; about z first, then x, then y) a head looks down with rx > 0, to its own right with ry > 0,
and leans its crown to its own left with rz > 0.

The pose in the tracked face can't be taken as it is. It is solved with row and column swapped, beside the optical axis
in a frame that is not square, and with the head behind the camera: receivers of the 1785-byte record are built on all
that, and undo no more of it than the signs. So the head is solved once more from the same landmarks, with a plain
camera, and only from points that move little when the face does and that the landmark models see well from everywhere
(those of the jaw slip down the neck when a head looks down).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from tracking.faces import Face
from tracking.pose import CONTOUR_30_POINTS

#: What the head is solved from, x, y, z in metres from the point between the ears, by landmark: the mean of the ICT
#: FaceKit's heads. Those in the second table are the left half, mirrored from the right.
RIGHT_HALF = {
    17: (0.0564, 0.0516, 0.0832),  # brow, outer end
    21: (0.0146, 0.0598, 0.1070),  # brow, inner end
    27: (0.0, 0.0354, 0.1084),  # bridge of the nose to its tip
    28: (0.0, 0.0237, 0.1172),
    29: (0.0, 0.0116, 0.1266),
    30: (0.0, 0.0009, 0.1309),
    31: (0.0113, -0.0094, 0.1100),  # nostrils
    32: (0.0061, -0.0097, 0.1142),
    33: (0.0, -0.0109, 0.1163),
    36: (0.0446, 0.0343, 0.0860),  # eye, outer corner
    39: (0.0184, 0.0325, 0.0920),  # eye, inner corner
    49: (0.0055, -0.0259, 0.1178),  # upper lip
    50: (0.0, -0.0263, 0.1186),
}
MIRRORED = {26: 17, 22: 21, 35: 31, 34: 32, 45: 36, 42: 39, 51: 49}
HEAD = {**RIGHT_HALF, **{left: (-RIGHT_HALF[right][0], *RIGHT_HALF[right][1:]) for left, right in MIRRORED.items()}}
#: Those that the model of 30 points has; its others are copies of these.
HEAD_30_POINTS = {number: HEAD[number] for number in (17, 21, 22, 26, 27, 30, 33, 36, 39, 42, 45, 50)}

#: Landmark models turn a head a little less than it is turned. A flatter head makes up for that: with this share of the
#: depth, drawn heads of many people come out as far turned as they are.
FLATNESS = 0.92
#: Coordinates beyond this many pixels are no face's.
FURTHEST = 1e5

EYES = np.array([36, 39, 42, 45, 66, 67])  # corners of the right and the left eye; pupils
#: Where a pupil seems to lie and how it moves, metres, fitted to drawn heads that look in known directions: its depth
#: in the head, its height over the middle between the eye's corners when it looks straight ahead, and the radius on
#: which it goes sideways and up or down (lids hide part of an iris that goes up or down).
PUPIL_DEPTH, PUPIL_HEIGHT, GAZE_RADIUS = 0.094, 0.0018, (0.0155, 0.0125)


@dataclass
class Head:
    """A head before the camera, in avatar axes as seen by a head that looks into the camera.

    Attributes:
        rotation: (3, 3) matrix, from the head's own axes.
        position: (3,) of the point between the ears from the camera, metres; z is minus the distance.
        gaze: rx, ry of both eyes in the head, degrees (rx > 0 down, ry > 0 to the own right); None without pupils.
    """

    rotation: np.ndarray
    position: np.ndarray
    gaze: tuple[float, float] | None


def head(face: Face, size: tuple[float, float]) -> Head | None:
    """The head of a face in a frame of that size (width, height in pixels); None when there is none for its landmarks.

    The focal length is taken to be the frame's width, as for the record.
    """
    width, height = size
    shape = _FEW if len(face.contour) == len(CONTOUR_30_POINTS) else _ALL
    seen = np.ascontiguousarray(face.lms[shape.numbers, 1::-1], np.float64)
    if not np.abs(seen).max() < FURTHEST:  # also when it is not a number
        return None
    camera = np.array([[width, 0.0, width / 2], [0.0, width, height / 2], [0.0, 0.0, 1.0]])
    try:
        # In closed form, from any side and without a first guess. Its angles are within 0.2 degrees of those with the
        # least error in the picture, and finding those takes thirty times as long.
        solved, turn, place = cv2.solvePnP(shape.points, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    except cv2.error:
        return None
    place = np.reshape(place, 3)
    if not solved or not 0 < place[2] < math.inf:
        return None
    rotation = cv2.Rodrigues(turn)[0] * (1.0, -1.0, -1.0)  # both sides' axes turned into the avatar's
    if not (np.isfinite(rotation).all() and np.isfinite(place).all()):
        return None
    return Head(rotation, -place, _gaze(face, size, rotation, -place))


def euler_angles(rotation: np.ndarray) -> tuple[float, float, float]:
    """rx, ry, rz in degrees of a rotation matrix in avatar axes: it is Ry Rx Rz."""
    (_, _, right), (lean_x, lean_y, up), (_, _, out) = rotation.tolist()
    return (
        math.degrees(-math.asin(min(max(up, -1.0), 1.0))),
        math.degrees(math.atan2(right, out)),
        math.degrees(math.atan2(lean_x, lean_y)),
    )


def unity_quaternion(rx: float, ry: float, rz: float) -> tuple[float, float, float, float]:
    """x, y, z, w of a turn by Euler angles in degrees, as Unity's `Quaternion.Euler`; w is not negative."""
    halves = (math.radians(angle / 2) for angle in (rx, ry, rz))
    (sx, cx), (sy, cy), (sz, cz) = ((math.sin(half), math.cos(half)) for half in halves)
    x, y = cy * sx * cz + sy * cx * sz, sy * cx * cz - cy * sx * sz
    z, w = cy * cx * sz - sy * sx * cz, cy * cx * cz + sy * sx * sz
    return (x, y, z, w) if w >= 0 else (-x, -y, -z, -w)


class _Shape:
    """Landmark numbers and their places on the head, right-handed as OpenCV wants them: x to the own left."""

    def __init__(self, points: dict[int, tuple[float, float, float]]) -> None:
        self.numbers = np.array(list(points))
        self.points = np.array(list(points.values())) * (-1.0, 1.0, 1.0)
        depth = self.points[:, 2]
        depth[:] = depth.mean() + FLATNESS * (depth - depth.mean())


_ALL, _FEW = _Shape(HEAD), _Shape(HEAD_30_POINTS)


def _gaze(
    face: Face, size: tuple[float, float], rotation: np.ndarray, position: np.ndarray
) -> tuple[float, float] | None:
    """rx, ry in degrees of the eyes in the head: pupils from the middle between their eye's corners.

    People's eyes go together, so that what both say is averaged; the more an eye is closed, the less it says.
    """
    rows, columns, confidence = face.lms[EYES].T
    if not (confidence[4:].min() > 0 and np.abs(rows).max() < FURTHEST and np.abs(columns).max() < FURTHEST):
        return None
    width, height = size
    rays = np.stack((width / 2 - columns, height / 2 - rows, np.full(6, -float(width)))).T @ rotation
    origin = position @ rotation  # minus the camera's place in the head
    depths = (0.086, 0.092, 0.092, 0.086, PUPIL_DEPTH, PUPIL_DEPTH)
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (depths + origin[2]) / rays[:, 2]
        (x, y) = (rays[:, :2] * along[:, None] - origin[:2]).T.tolist()
    right, left = face.eye_blink or (1.0, 1.0)
    right, left = max(0.05, right), max(0.05, left)  # in this order 0.05 if it is not a number
    sideways = (right * (x[4] - (x[0] + x[1]) / 2) + left * (x[5] - (x[2] + x[3]) / 2)) / (right + left)
    upwards = (right * (y[4] - (y[0] + y[1]) / 2) + left * (y[5] - (y[2] + y[3]) / 2)) / (right + left) - PUPIL_HEIGHT
    if not (math.isfinite(sideways) and math.isfinite(upwards)):
        return None
    ry, up = (math.degrees(math.asin(min(max(off / radius, -1.0), 1.0)))
              for off, radius in zip((sideways, upwards), GAZE_RADIUS, strict=True))  # fmt: skip
    return -up, ry
