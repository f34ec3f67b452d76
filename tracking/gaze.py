"""The pupils: from the landmarks of the eyes to where they look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from .crops import CropMemory, MapDecoder
from .models import GAZE_FILE, load
from .providers import ExecutionProvider

#: Corners of the right and the left eye: the one at the image's left first, which the crop is turned about.
EYE_CORNERS = ((36, 39), (42, 45))
#: Half width and half height of an eye's crop, in units of half the distance of its corners.
CROP_RADIUS = (1.4, 1.2)
#: An eye whose corners are no further apart than this (pixels, in both directions) shows no pupil.
MIN_EYE = 1e-3
#: The two rows of a (2, 3) matrix.
Affine = tuple[tuple[float, float, float], tuple[float, float, float]]


class GazeModel:
    """The pupil model: prepare two eye crops, infer their maps, decode the pupils.

    Args:
        model_dir: folder with the model.
        threads: how many threads a run may use.
        provider: where it runs; None: on the CPU.
        away: is entered while the network runs, see `tracking.turns`; None: nothing is.
    """

    SIDE = 32
    MAP_SIDE = 8
    LOGIT_FACTOR = 8.0

    def __init__(
        self,
        model_dir: Path,
        threads: int = 1,
        provider: ExecutionProvider | None = None,
        away: AbstractContextManager[None] | None = None,
    ) -> None:
        side, maps = self.SIDE, self.MAP_SIDE
        self._session = load(
            model_dir / GAZE_FILE, threads, [[2, 3, side, side]], [[2, 3, maps, maps], [2, 2, 1, 1]], provider
        )
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name
        self._decoder = MapDecoder(2, 1, np.arange(maps) * (side / maps), side / self.LOGIT_FACTOR)
        self._memory = CropMemory(side, 2)
        self._away = away or nullcontext()

    def locate(self, frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Find the pupils of a face.

        Args:
            frame: BGR uint8.
            landmarks: (66, 2 or more) row, column.

        Returns:
            (2, 3) row, column, confidence of the right and the left pupil. In an eye without extent it lies between the
            corners, with confidence 0. All is 0 when a corner is not finite; nan stands for a pupil that the model
            gives no finite value for.
        """
        # Plain numbers: for so few of them numpy takes several times as long.
        places = landmarks[36:46, 1::-1].tolist()
        eyes = [(places[first - 36], places[second - 36]) for first, second in EYE_CORNERS]
        if not all(map(math.isfinite, chain(*eyes[0], *eyes[1]))):
            return np.zeros((2, 3))
        to_frame = [self.crop_to_frame(first, second, mirrored=eye == 1) for eye, (first, second) in enumerate(eyes)]
        in_crop = self._decoder.decode(self.infer(self.prepare(frame, to_frame))).T.tolist()
        pupils = []
        for (across, down, confidence), transform, (first, second) in zip(in_crop, to_frame, eyes, strict=True):
            if max(abs(first[0] - second[0]), abs(first[1] - second[1])) < MIN_EYE:
                pupils.append(((first[1] + second[1]) / 2, (first[0] + second[0]) / 2, 0.0))
            elif math.isfinite(across + down + confidence):
                x, y = (a * across + b * down + c for a, b, c in transform)
                pupils.append((y, x, confidence))
            else:
                pupils.append((math.nan, math.nan, math.nan))
        return np.array(pupils)

    def crop_to_frame(self, first: Sequence[float], second: Sequence[float], mirrored: bool) -> Affine:
        """Affine transform from x, y in an eye's crop to x, y in the frame.

        Args:
            first, second: x, y of the eye's corners, the one at the image's left first.
            mirrored: whether the crop shows the eye's mirror image.
        """
        (first_x, first_y), (second_x, second_y) = first, second
        # A step in the crop, in the frame: along the line of the corners and across it. It is half their distance,
        # times the radius, over half the side.
        radius_x, radius_y = CROP_RADIUS[0] / self.SIDE, CROP_RADIUS[1] / self.SIDE
        along_x, along_y = (second_x - first_x) * radius_x, (second_y - first_y) * radius_x
        across_x, across_y = (first_y - second_y) * radius_y, (second_x - first_x) * radius_y
        if mirrored:
            along_x, along_y = -along_x, -along_y
        half = self.SIDE / 2
        return (
            (along_x, across_x, (first_x + second_x) / 2 - (along_x + across_x) * half),
            (along_y, across_y, (first_y + second_y) / 2 - (along_y + across_y) * half),
        )

    def prepare(self, frame: np.ndarray, to_frame: Sequence[Affine]) -> np.ndarray:
        """Return the network's input (2, 3, 32, 32), in which columns come before rows.

        It lies in memory that the next face of the same thread overwrites.
        """
        memory = self._memory
        for eye, transform in enumerate(to_frame):
            # Pixel centres: the crop's pixel (i, j) covers i..i+1, j..j+1. Its axes are swapped by swapping the steps.
            swapped = np.array([(down, across, origin + (across + down - 1) / 2) for across, down, origin in transform])
            cv2.warpAffine(
                frame,
                swapped,
                (self.SIDE, self.SIDE),
                dst=memory.picture,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            memory.normalize(eye)
        return memory.tensor

    def infer(self, tensor: np.ndarray) -> np.ndarray:
        """Return the maps (2, 3, 8, 8) of the right and the left eye."""
        with self._away:
            return self._session.run([self._output], {self._input: tensor})[0]
