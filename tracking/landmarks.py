"""The 66 facial landmarks: from a box in the frame to points and their confidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .crops import CropMemory, MapDecoder
from .faces import SAME_FACE_IOU, Box, bounding_box, iou
from .int8 import load_int8
from .models import LANDMARK_MODELS, load
from .providers import ExecutionProvider, Session

#: How much a box grows before it is cropped: at both sides, as a share of its width; above and below, of its height.
BOX_GROWTH = (0.1, 0.125)
#: Smaller crops (pixels) are not looked at.
MIN_CROP = 4
#: Which of the 30 points of the smallest model stands for each of the 66.
SPREAD_30_POINTS = np.array(
    [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7, 7, 8, 8, 9, 10, 10, 11, 11, 12, 21, 21, 21, 22, 23, 23]
    + [23, 23, 23, 13, 14, 14, 15, 16, 16, 17, 18, 18, 19, 20, 20, 24, 25, 25, 25, 26, 26, 27, 27, 27, 24, 24, 28, 28]
    + [28, 26, 29, 29, 29]
)
#: An input that a model may have beside the picture: which rows and columns of its maps it draws, from 0.
CELLS = "cells"
#: The smallest model's confidence is that of its worst points when they are worse than this.
WEAK_POINTS_30 = 0.65
#: A new face of less confidence is looked at again, so often at the most, as long as that makes it so much surer.
SURE, FURTHER_LOOKS, GAIN = 0.9, 2, 0.05
#: By the side of the input: with this confidence a new face surely does not stand on its head. Small models are surer
#: of all that they see.
SURE_UPRIGHT = {224: 0.9, 112: 0.97, 56: 0.97}


@dataclass
class Crop:
    """A part of the frame, ready for the landmark model.

    Attributes:
        tensor: the network's input, in memory that the next crop of the same thread overwrites: (1, 3, R, R) float32
            normalised R, G, B, or (1, R, R, 3) uint8 B, G, R for one that computes in bytes.
        x, y: column and row of the upper left pixel in the frame.
        width, height: size in the frame, pixels.
        held: whether this was a face of the previous frame.
    """

    tensor: np.ndarray
    x: int
    y: int
    width: int
    height: int
    held: bool


class LandmarkModel:
    """A landmark model: prepare a crop, infer its maps, decode the points.

    May be used by several threads at the same time; each has one crop at a time.

    Args:
        model_type: `--model` number.
        model_dir: folder with the model.
        threads: how many threads a run may use.
        provider: where it runs; None: on the CPU.
        away: is entered while the network runs, see `tracking.turns`; None: nothing is.
    """

    def __init__(
        self,
        model_type: int,
        model_dir: Path,
        threads: int = 1,
        provider: ExecutionProvider | None = None,
        away: AbstractContextManager[None] | None = None,
    ) -> None:
        self.spec = spec = LANDMARK_MODELS[model_type]
        path, side = model_dir / spec.file, spec.side
        outputs = [[1, 3 * spec.points, spec.map_side, spec.map_side]]
        in_bytes = load_int8(path, threads, [[1, side, side, 3]], outputs, provider)
        self._session = in_bytes or load(path, threads, [[1, 3, side, side]], outputs, provider)
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name
        cells = np.arange(float(spec.map_side))
        self._constants: dict[str, np.ndarray] = {}
        if draws_any_cells(self._session):
            # From the nearest corner each point is decoded as well as from the nearest of all cells, which nobody then
            # has to draw, copy and search. (Not from a single cell: further away, offsets are rounded too coarsely.)
            cells = cells[[0, -1]]
            self._constants = {CELLS: cells.astype(np.float32)}
        places = cells * ((spec.side - 1) / (spec.map_side - 1))
        self._decoder = MapDecoder(1, spec.points, places, (spec.side - 1) / spec.logit_factor)
        self._memory = CropMemory(side, 0 if in_bytes else 1)
        self._away = away or nullcontext()

    def prepare(self, frame: np.ndarray, box: Box, held: bool = False) -> Crop | None:
        """Cut a box, grown a little, out of a BGR uint8 frame; None when too little of it lies inside."""
        if not all(map(math.isfinite, box)):
            return None
        x, y, width, height = box
        # Whole pixels of growth, and rows rounded up, columns down: every tracker of this family cuts so, and other
        # roundings move the landmarks by a third of a pixel.
        grow_x, grow_y = int(width * BOX_GROWTH[0]), int(height * BOX_GROWTH[1])
        left, right = (int(min(max(edge, 0), frame.shape[1])) for edge in (x - grow_x, x + width + grow_x))
        top, bottom = (int(min(max(edge, 0), frame.shape[0])) for edge in (y - grow_y + 1, y + height + grow_y + 1))
        if right - left < MIN_CROP or bottom - top < MIN_CROP:
            return None
        self._memory.fill(frame[top:bottom, left:right])
        return Crop(self._memory.tensor, left, top, right - left, bottom - top, held)

    def infer(self, crop: Crop) -> np.ndarray:
        """Return the maps of a crop: (3 K, G, G), or (3 K, 2, 2) of a model that draws any cells."""
        with self._away:
            return self._session.run([self._output], {self._input: crop.tensor, **self._constants})[0][0]

    def decode(self, maps: np.ndarray, crop: Crop) -> tuple[float, np.ndarray]:
        """Return the confidence of the face and its landmarks (66, 3): row, column in the frame, confidence.

        All of it is 0 when the maps give a point that is not finite.
        """
        spec = self.spec
        rows, columns, confidences = found = self._decoder.decode(maps)
        if not np.isfinite(found).all():
            return 0.0, np.zeros((66, 3))
        confidence = float(np.add.reduce(confidences)) / spec.points
        if spec.points == 30:
            found = found[:, SPREAD_30_POINTS]
            rows, columns, confidences = found
            weakest = float(np.partition(confidences, 3)[:3].mean())
            if weakest < WEAK_POINTS_30:
                confidence = weakest
        rows *= crop.height / spec.side
        rows += crop.y
        columns *= crop.width / spec.side
        columns += crop.x
        return confidence, found.T

    def is_upright(self, frame: np.ndarray, confidence: float, landmarks: np.ndarray) -> bool:
        """Whether landmarks are those of a face that does not stand on its head, if they are doubtful.

        The network knows no such faces and may take one for a poor one that stands upright; turned round it is a better
        one. Only asked of new faces that are doubtful, so that others cost nothing.

        Args:
            frame: BGR uint8 (h, w, 3).
            confidence, landmarks: what was found in it.
        """
        if confidence >= SURE_UPRIGHT[self.spec.side]:
            return True
        turned = np.ascontiguousarray(frame[::-1, ::-1])
        x, y, width, height = bounding_box(landmarks)

        def look(box: Box) -> tuple[float, np.ndarray] | None:
            crop = self.prepare(turned, box)
            return None if crop is None else self.decode(self.infer(crop), crop)

        seen = look((frame.shape[1] - x - width, frame.shape[0] - y - height, width, height))
        return seen is None or settle(look, *seen)[0] <= confidence


def settle(
    look: Callable[[Box], tuple[float, np.ndarray] | None],
    confidence: float,
    landmarks: np.ndarray,
    held: Sequence[Box] = (),
) -> tuple[float, np.ndarray]:
    """Look at a new face that is doubtful again, as at one that is held: in the box of its own points.

    A detector's box is a square of the squeezed frame, and the wider the frame, the less it looks like the boxes that
    landmark models know. The points that they find in it are near enough to the face to start from.

    Args:
        look: from a box to confidence and landmarks; None when nothing can be seen there.
        confidence, landmarks: of the first look.
        held: boxes of faces that are held. What is one of them is not looked at again.

    Returns:
        Confidence and landmarks of the best look.
    """
    for _ in range(FURTHER_LOOKS):
        box = bounding_box(landmarks)
        if confidence >= SURE or any(iou(box, other) > SAME_FACE_IOU for other in held):
            break
        again = look(box)
        if again is None or again[0] <= confidence + GAIN:
            break
        confidence, landmarks = again
    return confidence, landmarks


def draws_any_cells(session: Session) -> bool:
    """Whether the model takes `CELLS`, and draws all when it gets none. Our own do."""
    return any(
        (tensor.name, tensor.type, tensor.shape) == (CELLS, "tensor(float)", [CELLS])
        for tensor in session.get_overridable_initializers()
    )
