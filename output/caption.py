"""A line of text at the lower edge of the picture."""

from __future__ import annotations

import cv2
import numpy as np

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_caption(picture: np.ndarray, text: str) -> None:
    """Write a line into a BGR picture (h, w, 3), as large as it fits; characters beyond ASCII become question marks."""
    text = text.encode("ascii", "replace").decode()
    height, width = picture.shape[:2]
    scale = max(height / 700, 0.4)
    (wide, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
    scale *= min(1.0, 0.95 * width / wide)
    thick = max(1, round(2 * scale))
    place = (round(0.025 * width), round(height * 0.965))
    cv2.putText(picture, text, place, _FONT, scale, (0, 0, 0), 3 * thick, cv2.LINE_AA)
    cv2.putText(picture, text, place, _FONT, scale, (255, 255, 255), thick, cv2.LINE_AA)
