"""The blend shapes that landmarks tell: blinks, jaw, smile, brows, gaze. For faces that come without shapes.

Lids, jaw and smile are measured against the average of drawn heads with known shapes (correlation with the truth: 0.8,
0.9 and 0.75); brows lie too differently for that, so they are set against the person's own range, as the features are.
The other shapes stay 0.
"""

from __future__ import annotations

import numpy as np

from tracking.faces import BLENDSHAPE_NAMES, Face

#: By how many degrees an eye turns at weight 1: to the side, up, down.
SIDE, UP, DOWN = 32.0, 25.0, 28.0
#: An opening of the lids, over the eye's width, from which on an eye counts as closing, and that of a closed one.
CLOSING, CLOSED = 0.22, 0.06

_PLACES = {name: place for place, name in enumerate(BLENDSHAPE_NAMES)}


def landmark_shapes(face: Face, gaze: tuple[float, float] | None) -> np.ndarray:
    """(52,) shapes, 0 to 1, in the order of `BLENDSHAPE_NAMES`.

    Args:
        face: with its points in the common frame (`pts_3d`).
        gaze: rx, ry of the eyes, degrees, as in `sending.head`; None: not known.
    """
    x, y = face.pts_3d[:66, :2].T.tolist()
    weights: dict[str, float] = {}
    for side, outer, inner, upper, lower in (
        ("Right", 36, 39, (37, 38), (41, 40)),
        ("Left", 45, 42, (44, 43), (46, 47)),
    ):
        opening = (y[upper[0]] + y[upper[1]] - y[lower[0]] - y[lower[1]]) / 2 / (abs(x[outer] - x[inner]) or 1.0)
        weights[f"eyeBlink{side}"] = (CLOSING - opening) / (CLOSING - CLOSED)
    gap = (y[59] + y[60] + y[61] - y[63] - y[64] - y[65]) / 3
    weights["jawOpen"] = (gap - 0.015) / 0.21
    for side, corner in (("Right", 58), ("Left", 62)):
        weights[f"mouthSmile{side}"] = 2.3 * y[corner] + 6.3 * abs(x[58] - x[62]) + 2.05 * gap - 1.7
    raised = {side: face.current_features.get(f"eyebrow_updown_{side[0].lower()}", 0.0) for side in ("Right", "Left")}
    for side, height in raised.items():
        weights[f"browOuterUp{side}"] = height
        weights[f"browDown{side}"] = -height
    weights["browInnerUp"] = (raised["Right"] + raised["Left"]) / 2
    if gaze is not None:
        weights |= look_shapes(*gaze)
    shapes = np.zeros(len(BLENDSHAPE_NAMES))
    for name, weight in weights.items():
        shapes[_PLACES[name]] = weight
    return shapes.clip(0.0, 1.0)


def look_shapes(rx: float, ry: float) -> dict[str, float]:
    """Weights of the eyeLook shapes, of any sign and size, for eyes turned by rx (down) and ry (to the own right)."""
    weights = {}
    for side, outwards in (("Right", ry), ("Left", -ry)):
        weights[f"eyeLookOut{side}"] = outwards / SIDE
        weights[f"eyeLookIn{side}"] = -outwards / SIDE
        weights[f"eyeLookUp{side}"] = -rx / UP
        weights[f"eyeLookDown{side}"] = rx / DOWN
    return weights


def gaze_of(shapes: np.ndarray) -> tuple[float, float]:
    """rx, ry in degrees of the eyes that these shapes (52,) make, both eyes' mean."""

    def weight(direction: str, side: str) -> float:
        return float(shapes[_PLACES[f"eyeLook{direction}{side}"]])

    rx = sum(DOWN * weight("Down", side) - UP * weight("Up", side) for side in ("Right", "Left")) / 2
    right = weight("Out", "Right") - weight("In", "Right") + weight("In", "Left") - weight("Out", "Left")
    return rx, SIDE * right / 2
