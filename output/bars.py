"""`--show-shapes`: bars of the 52 blend shapes at the sides of the picture."""

import cv2
import numpy as np

from tracking.faces import BLENDSHAPE_NAMES

_BAR, _EDGE, _TEXT = (80, 220, 40), (20, 20, 20), (255, 255, 255)
_ROWS = 26  # half of the shapes at each side


def draw_bars(picture: np.ndarray, shapes: np.ndarray) -> None:
    """Draw bars over the left and the right side of a picture, in place.

    Args:
        picture: (height, width, 3) BGR uint8.
        shapes: (52,) 0 to 1, in the order of `BLENDSHAPE_NAMES`.
    """
    height, width = picture.shape[:2]
    row = height / _ROWS
    column = min(0.3 * width, 12 * row)
    scale = row / 32
    for i, (name, value) in enumerate(zip(BLENDSHAPE_NAMES, shapes.tolist(), strict=True)):
        left = 0.0 if i < _ROWS else width - column
        top = (i % _ROWS) * row
        corner, far = (round(left), round(top + 0.12 * row)), (round(left + column), round(top + 0.88 * row))
        part = picture[corner[1] : far[1], corner[0] : far[0]]
        part[:] = part // 2  # darker, so that letters can be read
        end = round(left + column * min(max(value, 0.0), 1.0))
        picture[corner[1] : far[1], corner[0] : end] = _BAR
        at = (corner[0] + 2, round(top + 0.72 * row))
        cv2.putText(picture, name, at, cv2.FONT_HERSHEY_SIMPLEX, scale, _EDGE, 2, cv2.LINE_AA)
        cv2.putText(picture, name, at, cv2.FONT_HERSHEY_SIMPLEX, scale, _TEXT, 1, cv2.LINE_AA)
