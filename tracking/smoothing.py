"""Smoothing through time: the One Euro filter on head rotation, position, gaze and shapes.

G. Casiez, N. Roussel, D. Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems", CHI 2012. A value at rest is smoothed strongly, which stills its trembling; the faster it moves, the less, so
that it does not lag. Two numbers rule that, in the paper's words: the minimum cut-off frequency (lower: stiller at
rest) and beta (higher: less lag in movement).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from .faces import BLENDSHAPE_NAMES, Face
from .features import FEATURE_NAMES
from .pose import euler, quaternion

#: Cut-off of the speed's own low-pass filter, Hz; the paper's value.
SPEED_CUTOFF = 1.0
#: A video is read faster than it was filmed: steps that are shorter count as this long, seconds.
SHORTEST_STEP = 1 / 60
#: Less confident landmarks tremble more: the minimum cut-off is multiplied with the confidence, to this power.
CONFIDENCE_POWER = 2.0
#: Metres to a unit of the face shape, whose outer corners of the eyes are 0.63 apart; and about how many degrees an eye
#: turns while its pupil moves by a unit.
METRES, DEGREES = 0.14, 640.0


@dataclass(frozen=True)
class Cutoff:
    """How one kind of value is smoothed: minimum cut-off, Hz, and beta, Hz for each unit a second of speed."""

    minimum: float
    beta: float


@dataclass(frozen=True)
class Preset:
    """How everything is smoothed.

    Attributes:
        rotation, gaze: in degrees.
        position: in metres.
        shapes: of 0 to 1. Beta is the same in all presets: a blink of 100 ms has to reach 0.85.
        turn_delay: by how many milliseconds a head that turns evenly, 60 degrees a second, comes later.
        step_delay: by how many milliseconds later than unsmoothed half of a sudden turn by 20 degrees is done.
    """

    rotation: Cutoff
    position: Cutoff
    gaze: Cutoff
    shapes: Cutoff
    turn_delay: float
    step_delay: float


#: `--smooth`; the delays are for 30 frames a second and full confidence, as tests/test_smoothing.py measures them.
PRESETS: dict[str, Preset | None] = {
    "off": None,
    "light": Preset(Cutoff(2.5, 0.25), Cutoff(2.5, 40.0), Cutoff(4.0, 0.2), Cutoff(4.0, 6.0), 8, 2),
    "normal": Preset(Cutoff(1.0, 0.10), Cutoff(1.0, 20.0), Cutoff(2.0, 0.1), Cutoff(2.0, 6.0), 16, 7),
    "strong": Preset(Cutoff(0.4, 0.04), Cutoff(0.4, 8.0), Cutoff(1.0, 0.05), Cutoff(1.0, 6.0), 31, 18),
}


def smoothing_factor(step: float, cutoff: float) -> float:
    """Share of the new value in a first-order low-pass filter: 1 / (1 + tau / step), tau = 1 / (2 pi cutoff)."""
    turn = 2 * math.pi * cutoff * step
    return turn / (turn + 1)


class OneEuro:
    """Smooths the components of a vector, each by its own speed.

    Args:
        cutoff: minimum cut-off and beta.
        jointly: by the length of the vector's speed instead, so that all components lag alike and a path stays in
            shape.
    """

    def __init__(self, cutoff: Cutoff, jointly: bool = False) -> None:
        self._cutoff = cutoff
        self._jointly = jointly
        self._value: np.ndarray | None = None
        self._speed = np.zeros(1)

    def __call__(self, values: np.ndarray, step: float, trust: float = 1.0) -> np.ndarray:
        """The smoothed values (n,).

        Args:
            values: (n,) the new ones.
            step: seconds since the last ones.
            trust: what the minimum cut-off is multiplied with, 0 to 1.
        """
        if self._value is None:
            self._value = np.array(values, np.float64)
            return self._value
        change = values - self._value
        self._speed = self._speed + smoothing_factor(step, SPEED_CUTOFF) * (change / step - self._speed)
        speed = math.sqrt(self._speed @ self._speed) if self._jointly else np.abs(self._speed)
        turn = (2 * math.pi * step) * (self._cutoff.minimum * trust + self._cutoff.beta * speed)
        self._value = self._value + turn / (turn + 1) * change
        return self._value


class OneEuroRotation:
    """Smooths a rotation: the change between frames is a rotation vector, and its length in degrees a second the speed.

    Args:
        cutoff: minimum cut-off and beta.
    """

    def __init__(self, cutoff: Cutoff) -> None:
        self._cutoff = cutoff
        self._value: np.ndarray | None = None
        self._speed = np.zeros(3)

    def __call__(self, matrix: np.ndarray, step: float, trust: float = 1.0) -> np.ndarray:
        """The smoothed rotation matrix (3, 3); see `OneEuro`."""
        if self._value is None:
            self._value = matrix
            return matrix
        change = cv2.Rodrigues(matrix @ self._value.T)[0].reshape(3)
        speed_factor = smoothing_factor(step, SPEED_CUTOFF)
        self._speed = self._speed + speed_factor * (change * (180 / math.pi / step) - self._speed)
        speed = math.sqrt(self._speed @ self._speed)
        factor = smoothing_factor(step, self._cutoff.minimum * trust + self._cutoff.beta * speed)
        self._value = cv2.Rodrigues(factor * change)[0] @ self._value
        return self._value


class Smoother:
    """One face's movement, smoothed.

    Args:
        preset: how.
    """

    def __init__(self, preset: Preset) -> None:
        self.rotation = OneEuroRotation(preset.rotation)
        self.position = OneEuro(preset.position, jointly=True)
        self.gaze = OneEuro(preset.gaze, jointly=True)
        self.shapes = OneEuro(preset.shapes)
        self._time: float | None = None

    def step(self, time: float) -> float:
        """Seconds since the last frame, for the filters; `time` is the new one's."""
        step = SHORTEST_STEP if self._time is None else max(time - self._time, SHORTEST_STEP)
        self._time = time
        return step


class Smoothers:
    """A smoother for each face, by its id; one that was lost begins anew.

    Args:
        preset: how.
    """

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._smoothers: dict[int, Smoother] = {}

    def of(self, ids: Sequence[int]) -> list[Smoother]:
        """Those of the faces in a frame; what was of all others is forgotten."""
        self._smoothers = {id: self._smoothers.get(id) or Smoother(self._preset) for id in ids}
        return [self._smoothers[id] for id in ids]

    def smooth(self, faces: Sequence[Face], time: float) -> list[Face]:
        """The faces of a frame with pose, gaze, eyes, features and shapes smoothed; landmarks and points stay.

        Args:
            faces: of one frame.
            time: when it was taken, seconds.
        """
        smoothers = self.of([face.id for face in faces])
        return [_smoothed(face, smoother, time) for face, smoother in zip(faces, smoothers, strict=True)]


def trust(confidence: float) -> float:
    """What the minimum cut-off is multiplied with for landmarks of that confidence (0 to 1)."""
    return min(1.0, max(0.1, confidence)) ** CONFIDENCE_POWER  # in this order 0.1 if it is not a number


def _smoothed(face: Face, smoother: Smoother, time: float) -> Face:
    step, trusted = smoother.step(time), trust(face.conf)
    matrix = smoother.rotation(cv2.Rodrigues(np.asarray(face.rotation, np.float64))[0], step, trusted)
    translation = smoother.position(np.reshape(face.translation, 3) * METRES, step, trusted) / METRES
    gaze = smoother.gaze((face.pts_3d[66:68] - face.pts_3d[68:70]).reshape(6) * DEGREES, step, trusted) / DEGREES
    points = face.pts_3d.copy()
    points[66:68] = points[68:70] + gaze.reshape(2, 3)
    eyes = face.eye_blink or (1.0, 1.0)
    features = [face.current_features.get(name, 0.0) for name in FEATURE_NAMES]
    shapes = np.zeros(len(BLENDSHAPE_NAMES)) if face.blendshapes is None else face.blendshapes
    smoothed = smoother.shapes(np.concatenate((eyes, features, shapes)), step, trusted)
    numbers = smoothed[:16].tolist()
    named = dict(zip(FEATURE_NAMES, numbers[2:], strict=True))
    return replace(
        face,
        rotation=cv2.Rodrigues(matrix)[0].reshape(3),
        quaternion=quaternion(matrix),
        euler=euler(matrix),
        translation=translation,
        pts_3d=points,
        eye_blink=face.eye_blink and (numbers[0], numbers[1]),
        current_features={name: named[name] for name in face.current_features},
        blendshapes=None if face.blendshapes is None else smoothed[16:].astype(np.float32),
    )
