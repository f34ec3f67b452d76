"""From pictures to the networks' input, and from their offset maps back: what all models share."""

from __future__ import annotations

import threading

import cv2
import numpy as np

#: Mean and standard deviation of ImageNet's R, G, B, on a scale of 0 to 1.
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
# What each byte of R, G, B becomes, (value / 255 - mean) / std: looking it up takes half as long as working it out.
_NORMALIZED = np.arange(256, dtype=np.float32) * (1 / (255 * STD))[:, None] - (MEAN / STD)[:, None]


class CropMemory(threading.local):
    """Memory for a crop on its way into a network: each thread has its own, and keeps it from frame to frame.

    Other memory would have to come into the processor's caches first, which takes half as long as the work in it.

    Args:
        side: width and height of the network's input, pixels.

    Attributes:
        tensor: (1, 3, side, side) the network's input.
    """

    def __init__(self, side: int) -> None:
        self.tensor = np.empty((1, 3, side, side), dtype=np.float32)
        self._picture = np.empty((side, side, 3), dtype=np.uint8)
        self._plane = np.empty((side, side), dtype=np.uint8)

    def fill(self, image: np.ndarray) -> None:
        """Scale a BGR uint8 picture (h, w, 3) to the tensor's size and write it there, normalised."""
        cv2.resize(image, self._plane.shape, self._picture, interpolation=cv2.INTER_LINEAR)
        normalize_into(self._picture, self.tensor[0], self._plane)


def normalize_into(image: np.ndarray, tensor: np.ndarray, plane: np.ndarray | None = None) -> None:
    """Write a BGR uint8 picture as normalised R, G, B.

    Args:
        image: (h, w, 3).
        tensor: (3, h, w) float32, contiguous.
        plane: (h, w) uint8, contiguous: memory to work in; None: fresh memory.
    """
    if plane is None:
        plane = np.empty(image.shape[:2], dtype=np.uint8)
    for channel, table, normalized in zip((2, 1, 0), _NORMALIZED, tensor, strict=True):
        cv2.extractChannel(image, channel, plane)
        cv2.LUT(plane, table, normalized)


def logit(p: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p)), of p clipped to [1e-7, 1 - 1e-7]."""
    p = np.minimum(np.maximum(p, 1e-7), 1 - 1e-7)
    return np.log(p / (1 - p))


def cell_places(side: int, cell: float) -> np.ndarray:
    """Where the cells of a map lie in the network's input.

    Args:
        side: width and height of the map, cells.
        cell: distance between cells, pixels of the network's input.

    Returns:
        (2, side * side) position along the first axis, along the second; pixels of the network's input.
    """
    return np.array(np.divmod(np.arange(side * side), side)) * cell


def decode_maps(maps: np.ndarray, places: np.ndarray, offset_scale: float) -> np.ndarray:
    """Read points off heatmaps and offset maps.

    Args:
        maps: (3k, g, g) k heatmaps, k maps of offsets along the first axis, k along the second.
        places: (2, g * g) of `cell_places`.
        offset_scale: pixels per unit of logit.

    Returns:
        (k, 3) position along the first axis, along the second (pixels of the network's input), confidence; all nan
        for a point whose values in the maps are not finite.
    """
    planes = maps.reshape(3, -1, places.shape[1])
    best = planes[0].argmax(axis=1)
    values = planes[:, np.arange(len(best)), best]
    points = np.empty((len(best), 3), dtype=np.float64)
    points[:, :2] = (places[:, best] + offset_scale * logit(values[1:])).T
    points[:, 2] = values[0]
    finite = np.isfinite(points)
    if not finite.all():
        points[~finite.all(axis=1)] = np.nan
    return points
