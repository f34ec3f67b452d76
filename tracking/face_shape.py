"""The 70-point face shape that the pose is fitted with, and its adaptation to a person.

Coordinates are the head's own: x towards the person's right, y up, z out of the face; the origin is the tip of
the nose (point 30), and the eyeballs' centres are about half a unit apart.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: (70, 3) x, y, z: 66 landmarks, right and left pupil, right and left eyeball centre.
REFERENCE_SHAPE = np.array(
    [
        # 0-16: jaw line, the person's right ear to the left, 8 the chin
        [0.455176979, 0.30089578, -0.76442945],
        [0.448998839, 0.166995838, -0.765142977],
        [0.437431544, 0.0226554796, -0.73926717],
        [0.41503343, -0.0889414549, -0.747947454],
        [0.389123589, -0.232380033, -0.704788387],
        [0.334630102, -0.361265391, -0.615587592],
        [0.263725102, -0.460009724, -0.491479218],
        [0.16241622, -0.558037162, -0.339445174],
        [0.0, -0.621079028, -0.287294775],
        [-0.16241622, -0.558037162, -0.339445174],
        [-0.263725102, -0.460009724, -0.491479218],
        [-0.334630102, -0.361265391, -0.615587592],
        [-0.389123589, -0.232380033, -0.704788387],
        [-0.41503343, -0.0889414549, -0.747947454],
        [-0.437431544, 0.0226554796, -0.73926717],
        [-0.448998839, 0.166995838, -0.765142977],
        [-0.455176979, 0.30089578, -0.76442945],
        # 17-21: right brow
        [0.385529965, 0.40280056, -0.310031086],
        [0.322196662, 0.464439124, -0.250558048],
        [0.254097611, 0.464203805, -0.208177716],
        [0.186875433, 0.447060734, -0.145299822],
        [0.120880984, 0.423566312, -0.110757157],
        # 22-26: left brow
        [-0.120880984, 0.423566312, -0.110757157],
        [-0.186875433, 0.447060734, -0.145299822],
        [-0.254097611, 0.464203805, -0.208177716],
        [-0.322196662, 0.464439124, -0.250558048],
        [-0.385529965, 0.40280056, -0.310031086],
        # 27-30: nose bridge, 30 the tip
        [0.0, 0.293332607, -0.137582093],
        [0.0, 0.194828704, -0.069158107],
        [0.0, 0.103844017, -0.00915182009],
        [0.0, 0.0, 0.0],
        # 31-35: nostrils
        [0.0806263536, -0.0412760675, -0.13416104],
        [0.0464393459, -0.0576752238, -0.102990627],
        [0.0, -0.0687531233, -0.0905453488],
        [-0.0464393459, -0.0576752238, -0.102990627],
        [-0.0806263536, -0.0412760675, -0.13416104],
        # 36-41: right eye
        [0.315905184, 0.298337489, -0.285107404],
        [0.275252342, 0.312721908, -0.244558245],
        [0.176394507, 0.311907172, -0.219205365],
        [0.131229728, 0.284447372, -0.234239146],
        [0.184124947, 0.260179579, -0.226590782],
        [0.279433548, 0.267363071, -0.248441443],
        # 42-47: left eye
        [-0.131229728, 0.284447372, -0.234239146],
        [-0.176394507, 0.311907172, -0.219205365],
        [-0.275252342, 0.312721908, -0.244558245],
        [-0.315905184, 0.298337489, -0.285107404],
        [-0.279433548, 0.267363071, -0.248441443],
        [-0.184124947, 0.260179579, -0.226590782],
        # 48-52: outer upper lip
        [0.121155255, -0.208988667, -0.160606295],
        [0.0413563065, -0.194484204, -0.0961598828],
        [0.0, -0.205180168, -0.0832992196],
        [-0.0413563065, -0.194484204, -0.0961598828],
        [-0.121155255, -0.208988667, -0.160606295],
        # 53-57: outer lower lip
        [-0.132325396, -0.290857971, -0.187067866],
        [-0.0641377941, -0.325377852, -0.158924043],
        [0.0, -0.343742579, -0.113925986],
        [0.0641377941, -0.325377852, -0.158924043],
        [0.132325396, -0.290857971, -0.187067866],
        # 58-61: right mouth corner, inner upper lip
        [0.18148157, -0.243239313, -0.231284991],
        [0.0839995071, -0.239717752, -0.155256465],
        [0.0, -0.256058037, -0.0950619504],
        [-0.0839995071, -0.239717752, -0.155256465],
        # 62-65: left mouth corner, inner lower lip
        [-0.18148157, -0.243239313, -0.231284991],
        [-0.0740360692, -0.250689924, -0.177346468],
        [0.0, -0.264945865, -0.112349965],
        [0.0740360692, -0.250689924, -0.177346468],
        # 66-67: pupils: right, left
        [0.257990003, 0.276080012, -0.219999],
        [-0.257990003, 0.276080012, -0.219999],
        # 68-69: eyeball centres: right, left
        [0.257990003, 0.276080012, -0.324570984],
        [-0.257990003, 0.276080012, -0.324570984],
    ],
    dtype=np.float64,
)

REFERENCE_SHAPE.flags.writeable = False

#: Largest random step of a coordinate, as a share of it.
STEP = 0.01
#: How far a point's accepted steps in x and y and those in depth may run ahead of each other, and in all.
MAX_LEAD, MAX_STEPS = 75, 7500
#: Confidence above which a landmark's step counts whole.
SURE = 0.7
#: The tip of the nose is the origin and stays.
_MOVABLE = np.arange(66) != 30
#: Points nearer to the middle of the face than this (x) belong to both sides.
_MIDDLE = 0.03


class AdaptiveShape:
    """The face shape of one person: a random walk from the reference shape towards what is seen.

    Attributes:
        points: (70, 3) the shape.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.points = REFERENCE_SHAPE.copy()
        self._random = np.random.default_rng(seed)
        self._steps = np.zeros((66, 2), dtype=int)  # accepted steps of each point: in x and y, in depth

    def adapt(
        self, landmarks: np.ndarray, euler: np.ndarray, project: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        """Let every point try a random step, and keep those that bring its projection nearer to its landmark.

        Args:
            landmarks: (66 or more, 3) row, column, confidence.
            euler: (3,) angles of the pose, degrees: what may step depends on the turn of the head.
            project: from points (n, 3) of the head to (n, 2) row, column, with the pose of this frame.
        """
        axes = self._axes(euler)
        if axes is None:
            return
        kind, may_step = axes
        lead = self._steps[:, kind] - self._steps[:, 1 - kind]
        may_step = may_step & _MOVABLE & (self._steps[:, kind] < MAX_STEPS) & (lead < MAX_LEAD)
        stretch = 1 + self._random.uniform(-STEP, STEP, (66, 3))
        if kind == 0:
            stretch[:, 2] = 1
        else:
            stretch[:, :2] = 1
        here = self.points[:66]
        there = here * stretch
        image_points = landmarks[:66, :2]
        distance_here = np.linalg.norm(project(here) - image_points, axis=1)
        distance_there = np.linalg.norm(project(there) - image_points, axis=1)
        accepted = may_step & (distance_there < distance_here)
        weight = np.where(landmarks[:66, 2] > SURE, 1.0, np.clip(landmarks[:66, 2], 0, 1))[accepted, None]
        self._steps[accepted, kind] += 1
        here[accepted] += weight * (there - here)[accepted]

    @staticmethod
    def _axes(euler: np.ndarray) -> tuple[int, np.ndarray] | None:
        """Which coordinates may step (0: x and y, 1: depth) and which points (66,); None when nothing may."""
        if -165 < euler[0] < 145:
            return None
        if -10 < euler[1] < 20:
            return 0, np.ones(66, dtype=bool)
        if not 60 <= euler[2] <= 120:
            return None
        # The side that faces the camera: the person's right (x > 0) at large angles, the left at small ones.
        x = REFERENCE_SHAPE[:66, 0]
        return 1, (x > -_MIDDLE) if euler[1] >= 20 else (x < _MIDDLE)
