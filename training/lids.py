"""Closes the eyes of a picture, one or both, wholly or in part: blinks and winks of people who did neither.

Of 20,000 pictures of people, some hundred have shut eyes and next to none a wink. The upper lid's skin, between brow
and lid, is drawn down over the eye, and the lower lid rises a little; lashes and lid edges come along. The corners
stay.
"""

from __future__ import annotations

import numpy as np

from training.warping import Columns

# For each eye: the corners at the image's left and right, upper and lower lid from left to right, the brow.
EYES = ((36, 39, (37, 38), (41, 40), range(17, 22)), (42, 45, (43, 44), (47, 46), range(22, 27)))
CLOSED_GAP = 0.065  # the gap of shut eyes' lids in the labels over the eye's width
LEAST_GAP = 0.16  # eyes with narrower gaps are left alone
LOWER_SHARE = 0.2  # of the way that the lids have to go, the lower one's
BROW_SHARE = 0.75  # of the way from the lid to the brow's points, skin that stretches
CHEEK = 0.5  # eye widths below the lower lid that give way


def _lid(t: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """The height of a lid's edge at t, from corner (0) to corner (1): a curve through both and the two points between,
    which lie near a third and two thirds. heights: [2]."""
    # As cubic through (0, 0), (1/3, h1), (2/3, h2), (1, 0).
    t = np.clip(t, 0, 1)
    return t * (1 - t) * (4.5 * heights[0] * (2 - 3 * t) + 4.5 * heights[1] * (3 * t - 1))


def close_eye(image: np.ndarray, points: np.ndarray, eye: int, closed: float) -> bool:
    """Closes the right (0) or left (1) eye of a picture in place.

    Args:
        image: BGR uint8 [h, w, 3], changed.
        points: [66, 2] x, y, changed: the lids' points go along.
        eye: 0 or 1.
        closed: how far, up to 1.

    Returns:
        Whether it could be: not in an eye that is narrow already, or seen from the side.
    """
    first, last, upper, lower, brow = EYES[eye]
    origin, along = points[first].copy(), points[last] - points[first]
    width = float(np.hypot(*along))
    if width < 6 or width < 0.11 * np.ptp(points, axis=0).min():
        return False
    along = along / width
    frame = np.stack((along, (-along[1], along[0])))  # rows: along the eye, down across it
    local = (points - origin) @ frame.T / width  # in eye widths
    high, low = local[list(upper), 1], local[list(lower), 1]
    gap = float((low - high).mean())
    if gap < LEAST_GAP or local[list(brow), 1].min() > high.min() - 0.1:
        return False
    # Where lids are when shut as far as the labels know shut lids; in the picture they then touch.
    share = closed * (gap - CLOSED_GAP) / gap
    rise = LOWER_SHARE * share * (low - high)
    new_high, new_low = high + share * (low - high) - rise, low - rise

    box = np.array([[-0.15, local[list(brow), 1].min()], [1.15, low.max() + CHEEK]])
    columns = Columns.around(image, box, frame, origin, width)
    if columns is None:
        return False
    t = columns.t

    # Down each column of the eye: brow, upper lid, lower lid, cheek; from where they are now to where they go.
    upper_now, lower_now = _lid(t, high), _lid(t, low)
    gone = closed * (lower_now - upper_now)
    upper_new, lower_new = upper_now + (1 - LOWER_SHARE) * gone, lower_now - LOWER_SHARE * gone
    brow_line = np.interp(t, local[list(brow), 0], local[list(brow), 1])
    top = np.minimum(upper_now + BROW_SHARE * (brow_line - upper_now), upper_now - 0.05)
    bottom = lower_now + CHEEK
    columns.slide(
        image,
        (
            (top, upper_new, top, upper_now),
            (upper_new, lower_new, upper_now, lower_now),
            (lower_new, bottom, lower_now, bottom),
        ),
    )
    local[list(upper), 1], local[list(lower), 1] = new_high, new_low
    lids = [*upper, *lower]
    points[lids] = local[lids] * width @ frame + origin
    return True


def random_lids(image: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its points [66, 2] with one or both eyes closed, mostly wholly; new arrays."""
    image, points = image.copy(), points.copy()
    closed = 1.0 if rng.random() < 0.6 else rng.uniform(0.2, 1.0)
    eyes = (0, 1) if rng.random() < 0.5 else (int(rng.integers(2)),)
    for eye in eyes:
        close_eye(image, points, eye, closed)
    return image, points
