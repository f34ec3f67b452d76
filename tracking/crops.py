"""From pictures to the networks' input, and from their offset maps back: what all models share."""

from __future__ import annotations

import cv2
import numpy as np

#: Mean and standard deviation of ImageNet's R, G, B, on a scale of 0 to 1.
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
# (value / 255 - mean) / std as one multiplication and one addition
_SCALE = (1 / (255 * STD)).astype(np.float32)
_SHIFT = (-MEAN / STD).astype(np.float32)


def normalize_into(image: np.ndarray, tensor: np.ndarray) -> None:
    """Write a BGR uint8 picture (h, w, 3) into a float32 tensor (3, h, w) as normalised R, G, B."""
    for plane, normalized, scale, shift in zip(reversed(cv2.split(image)), tensor, _SCALE, _SHIFT, strict=True):
        np.multiply(plane, scale, out=normalized)
        np.add(normalized, shift, out=normalized)


def logit(p: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p)), of p clipped to [1e-7, 1 - 1e-7]."""
    p = np.minimum(np.maximum(p, 1e-7), 1 - 1e-7)
    return np.log(p / (1 - p))


def decode_maps(maps: np.ndarray, cell: float, offset_scale: float) -> np.ndarray:
    """Read points off heatmaps and offset maps.

    Args:
        maps: (3k, g, g) k heatmaps, k maps of offsets along the first axis, k along the second.
        cell: distance between cells, pixels of the network's input.
        offset_scale: pixels per unit of logit.

    Returns:
        (k, 3) position along the first axis, along the second (pixels of the network's input), confidence; all nan
        for a point whose values in the maps are not finite.
    """
    side = maps.shape[-1]
    planes = maps.reshape(3, -1, side * side)
    best = planes[0].argmax(axis=1)
    values = planes[:, np.arange(len(best)), best]
    points = np.empty((len(best), 3), dtype=np.float64)
    points[:, 0], points[:, 1] = np.array(np.divmod(best, side)) * cell + offset_scale * logit(values[1:])
    points[:, 2] = values[0]
    finite = np.isfinite(points)
    if not finite.all():
        points[~finite.all(axis=1)] = np.nan
    return points
