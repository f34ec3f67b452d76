"""From pictures to the networks' input, and from their offset maps back: what all models share."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import cv2
import numpy as np

#: Mean and standard deviation of ImageNet's R, G, B, on a scale of 0 to 1.
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
# What each byte of R, G, B becomes, (value / 255 - mean) / std: looking it up takes half as long as working it out.
_NORMALIZED = np.arange(256, dtype=np.float32) * (1 / (255 * STD))[:, None] - (MEAN / STD)[:, None]


class CropMemory(threading.local):
    """Memory for crops on their way into a network: each thread has its own, and keeps it from frame to frame.

    Other memory would have to come into the processor's caches first, which takes half as long as the work in it.

    Args:
        side: width and height of the network's input, pixels.
        count: how many crops it takes at a time; 0: it takes the picture itself.

    Attributes:
        picture: (side, side, 3) BGR uint8, the crop that is worked on.
        tensor: (count, 3, side, side) the network's input; of one that takes pictures (1, side, side, 3) uint8.
    """

    def __init__(self, side: int, count: int = 1) -> None:
        self.picture = np.empty((side, side, 3), dtype=np.uint8)
        self.tensor = np.empty((count, 3, side, side), dtype=np.float32) if count else self.picture[None]
        # With bytes between the planes: when they are equally aligned, OpenCV writes past the processor's caches, and
        # reading them again takes as long as all the rest.
        block = np.empty((3, side * side + 16), dtype=np.uint8)
        self._planes = [plane[: side * side].reshape(side, side) for plane in block]

    def fill(self, image: np.ndarray) -> None:
        """Scale a BGR uint8 picture (h, w, 3) to the tensor's size and write it there, as first crop; normalised,
        unless the network takes pictures."""
        cv2.resize(image, self.picture.shape[:2], self.picture, interpolation=cv2.INTER_LINEAR)
        if self.tensor.dtype != np.uint8:
            self.normalize(0)

    def normalize(self, number: int) -> None:
        """Write the picture into the tensor, as crop of that number."""
        normalize_into(self.picture, self.tensor[number], self._planes)


def normalize_into(image: np.ndarray, tensor: np.ndarray, planes: Sequence[np.ndarray] | None = None) -> None:
    """Write a BGR uint8 picture as normalised R, G, B.

    Args:
        image: (h, w, 3).
        tensor: (3, h, w) float32, contiguous.
        planes: three (h, w) uint8, contiguous: memory to work in; None: fresh memory.
    """
    blue, green, red = cv2.split(image, planes)
    for plane, table, normalized in zip((red, green, blue), _NORMALIZED, tensor, strict=True):
        cv2.LUT(plane, table, normalized)


def logit(p: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p)), of p clipped to [1e-7, 1 - 1e-7]."""
    p = np.minimum(np.maximum(p, 1e-7), 1 - 1e-7)
    return np.log(p / (1 - p))


class MapDecoder:
    """Reads points off a network's heatmaps and offset maps.

    Args:
        pictures: how many pictures the network takes at a time (n).
        points: how many points it gives for each (k).
        cells: where the maps' cells lie along either axis (g), pixels of the network's input.
        offset_scale: pixels per unit of logit.
    """

    def __init__(self, pictures: int, points: int, cells: Sequence[float] | np.ndarray, offset_scale: float) -> None:
        side = len(cells)
        self._shape = (pictures, 3, points, side * side)
        # Where each map begins, [kind, point]; where each cell lies, [axis, cell].
        planes = np.arange(pictures * 3 * points).reshape(pictures, 3, points).swapaxes(0, 1).reshape(3, -1)
        self._starts = planes * side * side
        self._places = np.asarray(cells, np.float64)[np.array(np.divmod(np.arange(side * side), side))]
        self._offset_scale = offset_scale

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Read the points.

        Args:
            maps: (n, 3k, g, g), or without the first axis when n is 1: for each picture k heatmaps, k maps of offsets
                along the first axis, k along the second; float32.

        Returns:
            (3, n k) position along the first axis, along the second (pixels of the network's input), confidence. What
            is not finite in the maps is not finite here.
        """
        # Right after a network, the processor's caches hold nothing of this program, and each function takes several
        # times as long as in a loop: few different ones are used here.
        maps = maps.reshape(self._shape)
        best = maps[:, 0].argmax(axis=2).reshape(-1)
        values = maps.reshape(-1).take(self._starts + best)
        points = np.empty(values.shape)
        np.add(self._places.take(best, axis=1), self._offset_scale * logit(values[1:]), out=points[:2])
        points[2] = values[0]
        return points
