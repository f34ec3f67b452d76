"""Closes the mouth of a picture, wholly or in part: the small openings of quiet talk, which photographers rarely catch.

Of 20,000 pictures of people, most show shut lips or a smile with teeth. Each lip moves as it is towards the other, over
teeth and tongue, which stay where they are; the skin towards nose and chin stretches. The corners stay too.
"""

from __future__ import annotations

import numpy as np

from training import data
from training.warping import Columns

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

    columns = Columns.around(image, np.array([[0, nose], [1, chin]]), frame, origin, width)
    if columns is None:
        return False
    t = columns.t
    lines = [np.interp(t, edge[:, 0], edge[:, 1]) for edge in edges]
    sinks, rises = (way * (1 + HIDDEN * closed**8) for way in down(t))
    top, bottom = lines[0] - SKIN_SHARE * (lines[0] - nose), lines[3] + SKIN_SHARE * (chin - lines[3])
    columns.slide(  # teeth and tongue stay
        image,
        (
            (top, lines[0] + sinks, top, lines[0]),
            (lines[0] + sinks, lines[1] + sinks, lines[0], lines[1]),
            (lines[2] - rises, lines[3] - rises, lines[2], lines[3]),
            (lines[3] - rises, bottom, lines[3], bottom),
        ),
    )
    upper, lower = [*UPPER_OUTER[1:-1], *UPPER_INNER[1:-1]], [*LOWER_OUTER[1:-1], *LOWER_INNER[1:-1]]
    local[upper, 1] += down(local[upper, 0])[0]
    local[lower, 1] -= down(local[lower, 0])[1]
    points[upper + lower] = local[upper + lower] * width @ frame + origin
    return True


def random_lips(image: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its points [66, 2] with the mouth closed, mostly in part; new arrays."""
    image, points = image.copy(), points.copy()
    closed = 1.0 if rng.random() < 0.3 else rng.uniform(0.2, 1.0)
    close_mouth(image, points, closed, rng.uniform(0.15, 0.5))
    return image, points
