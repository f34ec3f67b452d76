"""The heat-map detector's answers: squares round faces in a picture squeezed to 224×224, and how they are read off
its maps."""

from __future__ import annotations

import cv2
import numpy as np

from training import runner

SIZE, CELL, GRID = 224, 4, 56
SLACK = 1.0  # pixels added to the half side: a centre is only known to a cell


def squares(boxes: np.ndarray) -> np.ndarray:
    """Boxes (left, top, right, bottom) [n, 4] in the squeezed picture to (centre x, centre y, half side)
    [n, 3]."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(1) / 2 + SLACK
    return np.concatenate([centre, half[:, None]], 1).astype(np.float32)


def detect(session, image: np.ndarray, threshold: float = 0.6, most: int = 10) -> np.ndarray:
    """Faces in a BGR picture as the tracker finds them: [n, 4] centre x, centre y, half side (squeezed
    pixels), score."""
    output, pooled = session.run(None, {"input": runner.normalise(cv2.resize(image, (SIZE, SIZE))[None])})
    return decode(output[0], pooled[0], threshold, most)


def decode(output: np.ndarray, pooled: np.ndarray, threshold: float = 0.6, most: int = 10) -> np.ndarray:
    """Peaks of one picture's maps [2, 56, 56]: [n, 4] centre x, centre y, half side, score; the best first."""
    score = np.where(output[0] == pooled[0], output[0], 0).ravel()
    order = np.argsort(-score)[:most]
    order = order[score[order] >= threshold]
    row, column = np.divmod(order, GRID)
    return np.stack([CELL * column, CELL * row, 112 * output[1].ravel()[order], score[order]], 1)


def usable(found: np.ndarray, face: np.ndarray) -> np.ndarray:
    """[n] bool: which found squares a landmark model can start from for a face (cx, cy, half side)."""
    near = np.linalg.norm(found[:, :2] - face[:2], axis=1) < 0.6 * face[2] + 2
    ratio = found[:, 2] / face[2]
    return near & (ratio > 0.5) & (ratio < 2.2)
