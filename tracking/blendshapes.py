"""ARKit's 52 blend shapes: from a face's landmarks and the picture of it to how far each shape is there, 0 to 1.

The landmarks say most of it; the picture adds what they do not show: cheeks, nose, lips that are pressed or rolled, the
tongue. Both are seen from a frame of the face's own, which turns, grows and moves with it (`face_frame`), so that any
landmark model will do.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import cv2
import numpy as np

from .crops import CropMemory
from .faces import BLENDSHAPE_NAMES
from .models import BLENDSHAPES_FILE, load
from .providers import ExecutionProvider

#: Side of the picture that the network looks at, pixels; and of what it shows, in units of the face's frame.
SIDE, SPAN = 96, 2.0
#: Numbers that the network gets beside the picture: 66 landmarks and two pupils (x, y), and whether there are pupils.
POINT_FEATURES = 2 * 68 + 1


def face_frame(points: np.ndarray) -> np.ndarray:
    """The frame that a face is looked at in.

    Its origin lies between the nostrils, its axes lean as the face does, its unit is about the face's half height.
    Eyes, nose and nothing that moves with the mouth decide about it.

    Args:
        points: (..., 66 or more, 2) x, y of landmarks.

    Returns:
        (..., 3, 2): x, y of the origin, then of a unit step along the x axis (to the image's right of an upright face)
        and along the y axis (down). Nothing in it is finite when all of those points are in one place.
    """
    right = (points[..., 36, :] + points[..., 39, :]) / 2
    left = (points[..., 42, :] + points[..., 45, :]) / 2
    origin = points[..., 31:36, :].mean(-2)
    across, down = left - right, origin - (left + right) / 2
    # From eye to eye is forshortened when the head turns aside, from the eyes to the nose when it nods: each makes up
    # for the other, in direction and in size.
    direction = across + 1.2 * np.stack([down[..., 1], -down[..., 0]], -1)
    length = np.hypot(direction[..., 0], direction[..., 1])
    unit = np.sqrt(0.5 * (across**2).sum(-1) + 1.5 * (down**2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        x_axis = direction * (unit / length)[..., None]
    y_axis = np.stack([-x_axis[..., 1], x_axis[..., 0]], -1)
    return np.stack([origin, x_axis, y_axis], -2)


def point_features(points: np.ndarray, frame: np.ndarray, pupils: bool | np.ndarray) -> np.ndarray:
    """What the network gets to know of a face's points.

    Args:
        points: (..., 68, 2) x, y of landmarks and pupils, right before left.
        frame: (..., 3, 2) from `face_frame`.
        pupils: (...) whether there are pupils; where not, they are taken to be in the middle of their eye.

    Returns:
        (..., POINT_FEATURES) float32: the points in the face's frame, x and y in turn, and `pupils`.
    """
    x_axis = frame[..., 1, :]
    away = points - frame[..., None, 0, :]
    unit = (x_axis**2).sum(-1)[..., None]
    x = (away * x_axis[..., None, :]).sum(-1) / unit
    y = (away * frame[..., None, 2, :]).sum(-1) / unit
    result = np.empty((*x.shape[:-1], POINT_FEATURES), np.float32)
    result[..., 0:-1:2], result[..., 1::2] = x, y
    known = np.asarray(pupils)
    for pupil, corners in ((66, (36, 39)), (67, (42, 45))):
        for axis in (0, 1):
            middle = (result[..., 2 * corners[0] + axis] + result[..., 2 * corners[1] + axis]) / 2
            result[..., 2 * pupil + axis] = np.where(known, result[..., 2 * pupil + axis], middle)
    result[..., -1] = known
    return result


def crop_to_image(frame: np.ndarray) -> np.ndarray:
    """(2, 3) affine transform from the network's picture, pixel centres at whole numbers, to the image: of a face's
    frame (3, 2)."""
    step = SPAN / SIDE
    middle = (SIDE - 1) / 2
    origin, x_axis, y_axis = frame
    x_step, y_step = x_axis * step, y_axis * step
    return np.stack([x_step, y_step, origin - (x_step + y_step) * middle], 1)


class BlendshapeModel:
    """The blend-shape model: prepare points and picture, infer, decode.

    May be used by several threads at the same time; each has one face at a time.

    Args:
        model_dir: folder with the model.
        threads: how many threads a run may use.
        provider: where it runs; None: on the CPU.
        away: is entered while the network runs, see `tracking.turns`; None: nothing is.
    """

    def __init__(
        self,
        model_dir: Path,
        threads: int = 1,
        provider: ExecutionProvider | None = None,
        away: AbstractContextManager[None] | None = None,
    ) -> None:
        inputs = [[1, 3, SIDE, SIDE], [1, POINT_FEATURES]]
        self._session = load(model_dir / BLENDSHAPES_FILE, threads, inputs, [[1, len(BLENDSHAPE_NAMES)]], provider)
        self._inputs = [tensor.name for tensor in self._session.get_inputs()]
        self._output = self._session.get_outputs()[0].name
        self._memory = CropMemory(SIDE)
        self._away = away or nullcontext()

    def estimate(self, image: np.ndarray, lms: np.ndarray) -> np.ndarray | None:
        """The shapes of a face.

        Args:
            image: BGR uint8.
            lms: (68, 3) row, column, confidence of the landmarks and the pupils; pupils of confidence 0 are unknown.

        Returns:
            (52,) float32, 0 to 1, in the order of `BLENDSHAPE_NAMES`; None for a face without extent or with points
            that are not finite, or when the network gives something that is not finite.
        """
        prepared = self.prepare(image, lms)
        return None if prepared is None else self.decode(self.infer(*prepared))

    def prepare(self, image: np.ndarray, lms: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The network's inputs: picture (1, 3, SIDE, SIDE), in memory that the next face of the same thread overwrites,
        and points (1, POINT_FEATURES); None for a face without extent or with points that are not finite."""
        points = lms[:, 1::-1]
        if not np.isfinite(points).all():
            return None
        frame = face_frame(points)
        features = point_features(points, frame, bool((lms[66:, 2] > 0).all()))
        if not np.isfinite(features).all():
            return None
        cv2.warpAffine(
            image,
            crop_to_image(frame),
            (SIDE, SIDE),
            dst=self._memory.picture,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        self._memory.normalize(0)
        return self._memory.tensor, features[None]

    def infer(self, picture: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The network's answer (1, 52)."""
        with self._away:
            return self._session.run([self._output], dict(zip(self._inputs, (picture, points), strict=True)))[0]

    def decode(self, answer: np.ndarray) -> np.ndarray | None:
        """(52,) float32 within 0 and 1; None when not all of it is finite."""
        shapes = np.minimum(np.maximum(answer[0], 0), 1).astype(np.float32)
        return shapes if np.isfinite(shapes).all() else None
