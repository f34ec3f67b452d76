"""Closes the mouth of a picture, wholly or in part: the small openings of quiet talk, which photographers rarely catch.

Of 20,000 pictures of people, most show shut lips or a smile with teeth. Each lip moves as it is towards the other, over
teeth and tongue, which stay where they are; the skin towards nose and chin stretches. The corners stay too.
"""

from __future__ import annotations

import cv2
import numpy as np

from training import data

# From the corner at the image's left to the other one: the lips' outer and inner edges.
UPPER_OUTER, LOWER_OUTER = (58, 48, 49, 50, 51, 52, 62), (58, 57, 56, 55, 54, 53, 62)
UPPER_INNER, LOWER_INNER = ((58, *edge, 62) for edge in zip(*data.LIPS_OF_66, strict=True))
NOSE_BASE, CHIN = 33, 8
LEAST_GAP = 0.08  # mouths that are less open, in their width, are left alone
HIDDEN = 0.1  # how much further shut lips go, one over the other: edges are never quite where the points say
SKIN_SHARE = 0.85  # of the way from the lips to nose and chin, skin that stretches


def close_mouth(image: np.ndarray, points: np.ndarray, closed: float, upper_share: float = 0.3) -> bool:
    """Closes the mouth of a picture in place.

    Args:
        image: BGR uint8 [h, w, 3], changed.
        points: [66, 2] x, y, changed: the lips' points go along.
        closed: how far, up to 1.
        upper_share: how much of the way the upper lip goes.

    Returns:
        Whether it could be: not a mouth that is nearly shut already, or seen from the side.
    """
    origin, along = points[UPPER_OUTER[0]].copy(), points[UPPER_OUTER[-1]] - points[UPPER_OUTER[0]]
    width = float(np.hypot(*along))
    if width < 8 or width < 0.2 * np.ptp(points, axis=0).min():
        return False
    along = along / width
    frame = np.stack((along, (-along[1], along[0])))  # rows: along the mouth, down across it
    local = (points - origin) @ frame.T / width  # in mouth widths
    edges = [local[list(edge)] for edge in (UPPER_OUTER, UPPER_INNER, LOWER_INNER, LOWER_OUTER)]
    gaps = edges[2][1:-1, 1] - edges[1][1:-1, 1]
    nose, chin = local[NOSE_BASE, 1], local[CHIN, 1]
    if (
        gaps.min() < 0.02 or gaps.mean() < LEAST_GAP or any((np.diff(edge[:, 0]) <= 0).any() for edge in edges)
        or nose > edges[0][:, 1].min() - 0.05 or chin < edges[3][:, 1].max() + 0.1
    ):  # fmt: skip
        return False

    def down(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far the upper lip comes down and the lower one up, at t along the mouth."""
        top, bottom = (np.interp(t, edge[:, 0], edge[:, 1], 0, 0) for edge in (edges[1], edges[2]))
        way = closed * np.maximum(bottom - top, 0)
        return upper_share * way, (1 - upper_share) * way

    x0, y0, x1, y1 = _box(np.array([[0, nose], [1, chin]]) * width, frame, origin, image)
    if x1 - x0 < 4 or y1 - y0 < 4:
        return False
    pixels = np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), -1).astype(np.float64)
    t, y = np.moveaxis((pixels - origin) @ frame.T / width, -1, 0)
    lines = [np.interp(t, edge[:, 0], edge[:, 1]) for edge in edges]
    sinks, rises = (way * (1 + HIDDEN * closed**8) for way in down(t))
    top, bottom = lines[0] - SKIN_SHARE * (lines[0] - nose), lines[3] + SKIN_SHARE * (chin - lines[3])
    source = y.copy()  # teeth and tongue stay
    for new_a, new_b, now_a, now_b in (
        (top, lines[0] + sinks, top, lines[0]), (lines[0] + sinks, lines[1] + sinks, lines[0], lines[1]),
        (lines[2] - rises, lines[3] - rises, lines[2], lines[3]), (lines[3] - rises, bottom, lines[3], bottom),
    ):  # fmt: skip
        inside = (y >= new_a) & (y < new_b)
        part = (y - new_a) / np.maximum(new_b - new_a, 1e-6)
        source[inside] = (now_a + part * (now_b - now_a))[inside]
    moved = np.stack((t, source), -1) * width @ frame + origin - (x0, y0)
    region = np.ascontiguousarray(image[y0:y1, x0:x1])
    cv2.remap(region, moved[..., 0].astype(np.float32), moved[..., 1].astype(np.float32), cv2.INTER_LINEAR,
              dst=image[y0:y1, x0:x1], borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    upper, lower = [*UPPER_OUTER[1:-1], *UPPER_INNER[1:-1]], [*LOWER_OUTER[1:-1], *LOWER_INNER[1:-1]]
    local[upper, 1] += down(local[upper, 0])[0]
    local[lower, 1] -= down(local[lower, 0])[1]
    points[upper + lower] = local[upper + lower] * width @ frame + origin
    return True


def _box(corners: np.ndarray, frame: np.ndarray, origin: np.ndarray, image: np.ndarray) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the pixels round a rectangle in the mouth's frame, corners [2, 2]."""
    around = corners[[0, 0, 1, 1]] * [1, 0] + corners[[0, 1, 0, 1]] * [0, 1]
    around = around @ frame + origin
    x0, y0 = np.maximum(np.floor(around.min(0)).astype(int), 0).tolist()
    x1, y1 = np.minimum(np.ceil(around.max(0)).astype(int) + 1, image.shape[1::-1]).tolist()
    return x0, y0, x1, y1


def random_lips(image: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its points [66, 2] with the mouth closed, mostly in part; new arrays."""
    image, points = image.copy(), points.copy()
    closed = 1.0 if rng.random() < 0.3 else rng.uniform(0.2, 1.0)
    close_mouth(image, points, closed, rng.uniform(0.15, 0.5))
    return image, points
