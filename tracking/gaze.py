"""The pupils: from the landmarks of the eyes to where they look."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .crops import decode_maps, normalize_into
from .models import GAZE_FILE, load

#: Corners of the right and the left eye: the one at the image's left first, which the crop is turned about.
EYE_CORNERS = np.array([[36, 39], [42, 45]])
#: Half width and half height of an eye's crop, in units of half the distance of its corners.
CROP_RADIUS = (1.4, 1.2)


class GazeModel:
    """The pupil model: prepare two eye crops, infer their maps, decode the pupils.

    Args:
        model_dir: folder with the model.
        threads: how many threads a run may use.
    """

    SIDE = 32
    MAP_SIDE = 8
    LOGIT_FACTOR = 8.0

    def __init__(self, model_dir: Path, threads: int = 1) -> None:
        side, maps = self.SIDE, self.MAP_SIDE
        self._session = load(
            model_dir / GAZE_FILE, threads, [[2, 3, side, side]], [[2, 3, maps, maps], [2, 2, 1, 1]]
        )
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    def locate(self, frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Find the pupils of a face.

        Args:
            frame: BGR uint8.
            landmarks: (66, 2 or more) row, column.

        Returns:
            (2, 3) row, column, confidence of the right and the left pupil; 0 for both when an eye has no extent, nan
            for one that the model gives no finite value for.
        """
        corners = landmarks[EYE_CORNERS, 1::-1]  # [eye, corner, x and y]
        pupils = np.zeros((2, 3))
        if not np.isfinite(corners).all() or (np.abs(corners[:, 1] - corners[:, 0]).max(axis=1) < 1e-3).any():
            return pupils
        to_frame = [self.crop_to_frame(first, second, mirrored=eye == 1) for eye, (first, second) in enumerate(corners)]
        maps = self.infer(self.prepare(frame, to_frame))
        for eye, transform in enumerate(to_frame):
            x, y, confidence = decode_maps(maps[eye], self.SIDE / self.MAP_SIDE, self.SIDE / self.LOGIT_FACTOR)[0]
            pupils[eye, 1::-1] = transform @ (x, y, 1.0)
            pupils[eye, 2] = confidence
        return pupils

    def crop_to_frame(self, first: np.ndarray, second: np.ndarray, mirrored: bool) -> np.ndarray:
        """(2, 3) affine transform from x, y in an eye's crop to x, y in the frame.

        Args:
            first, second: (2,) x, y of the eye's corners, the one at the image's left first.
            mirrored: whether the crop shows the eye's mirror image.
        """
        along = second - first
        across = np.array([-along[1], along[0]])
        radius_x, radius_y = CROP_RADIUS
        step_x = along * (radius_x / self.SIDE)  # half the distance, times the radius, over half the side
        step_y = across * (radius_y / self.SIDE)
        origin = (first + second) / 2 - (step_x + step_y) * (self.SIDE / 2)
        if mirrored:
            origin, step_x = origin + step_x * self.SIDE, -step_x
        return np.column_stack([step_x, step_y, origin])

    def prepare(self, frame: np.ndarray, to_frame: list[np.ndarray]) -> np.ndarray:
        """Return the network's input (2, 3, 32, 32), in which columns come before rows."""
        tensor = np.empty((2, 3, self.SIDE, self.SIDE), dtype=np.float32)
        for eye, transform in enumerate(to_frame):
            # Pixel centres: the crop's pixel (i, j) covers i..i+1, j..j+1. Its axes are swapped by swapping the steps.
            swapped = transform[:, [1, 0, 2]]
            swapped[:, 2] += swapped[:, :2] @ (0.5, 0.5) - 0.5
            crop = cv2.warpAffine(
                frame,
                swapped,
                (self.SIDE, self.SIDE),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            normalize_into(crop, tensor[eye])
        return tensor

    def infer(self, tensor: np.ndarray) -> np.ndarray:
        """Return the maps (2, 3, 8, 8) of the right and the left eye."""
        return self._session.run([self._output], {self._input: tensor})[0]
