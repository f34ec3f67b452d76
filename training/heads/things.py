"""What a head wears: the clothed shoulders below it, and glasses."""

from dataclasses import dataclass

import numpy as np

from training.heads.geometry import curve, unit
from training.heads.model import HeadModel
from training.heads.parameters import Appearance
from training.heads.rasterizer import FABRIC, FLAT, SHINY


@dataclass
class Mesh:
    """A plain coloured surface in head or torso space: points (n, 3), triangles (m, 3), color (3,), material."""

    points: np.ndarray
    triangles: np.ndarray
    color: tuple[float, float, float]
    material: int = FLAT


# (cm below the collar, half width, half depth) of the clothed upper body; its axis is at z = TORSO_AXIS.
TORSO = np.array(
    [(0, 7.3, 6.2), (0.5, 8.3, 7.2), (1.2, 11.5, 8.4), (2.1, 14.7, 9.4), (3.5, 17.8, 10.4), (5.8, 20.6, 11.2),
     (12, 22.4, 12), (22, 23, 12.6), (60, 22, 12.5)]
)  # fmt: skip
TORSO_AXIS, COLLAR = -2.0, -11.9


def torso_mesh(look: Appearance) -> Mesh:
    """Shoulders and chest in a jumper: rings from the collar down."""
    rings = TORSO.copy()
    if look.collar > 0:
        up = look.collar
        rings = np.concatenate([[(-up, 6.9, 6.0)], [(-up * 0.5, 7.1, 6.2)], rings])
    turn = np.linspace(0, 2 * np.pi, 49)[:-1]
    below, wide, deep = (column[:, None] for column in curve(rings, 6 * len(rings)).T)
    # The collar follows the root of the neck: low in front, highest on the shoulders.
    saddle = np.exp(-((below / 5) ** 2)) * (-1.2 * np.cos(turn) - 0.7 * np.cos(2 * turn))
    points = np.stack(
        [wide * np.sin(turn), COLLAR - below + saddle, TORSO_AXIS + deep * np.cos(turn)], -1
    )  # fmt: skip
    k = len(turn)
    start = np.arange(len(points) - 1)[:, None] * k
    a = (start + np.arange(k)).ravel()
    b = (start + (np.arange(k) + 1) % k).ravel()
    triangles = np.concatenate([np.c_[a, a + k, b], np.c_[b, a + k, b + k]])
    return Mesh(points.reshape(-1, 3).astype(np.float32), triangles.astype(np.int32), look.cloth, FABRIC)


def _tube(path, radius, closed):
    """Points (n * 6, 3) and triangles of a round tube along a path (n, 3)."""
    n = len(path)
    ahead = unit(np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0))
    side = unit(np.cross(ahead, [0.1, 0.2, 1.0]))
    up = np.cross(side, ahead)
    turn = np.linspace(0, 2 * np.pi, 7)[:-1, None]
    points = path[:, None] + radius * (np.cos(turn) * side[:, None] + np.sin(turn) * up[:, None])
    rings = np.arange(n if closed else n - 1)
    a = (rings[:, None] * 6 + np.arange(6)).ravel()
    b = (rings[:, None] * 6 + (np.arange(6) + 1) % 6).ravel()
    c, d = ((((rings + 1) % n)[:, None] * 6 + (np.arange(6) + o) % 6).ravel() for o in (0, 1))
    return points.reshape(-1, 3), np.concatenate([np.c_[a, b, c], np.c_[b, d, c]])


def glasses_meshes(model: HeadModel, look: Appearance, points: np.ndarray) -> tuple[list[Mesh], list[Mesh]]:
    """Frames and lenses that fit a head (vertices `points`) of its own."""
    if not look.glasses:
        return [], []
    marks = points[model.anatomy]
    radius = 0.10 if look.glasses == "thin" else 0.24
    half_width, half_height = look.lens
    bridge = marks[28]
    frames, lenses, inner_ends = [], [], []
    turn = np.linspace(0, 2 * np.pi, 41)[:-1]
    for corners, side in (((36, 39), -1), ((42, 45), 1)):
        centre = (marks[corners[0]] + marks[corners[1]]) / 2
        centre = np.array([side * max(abs(centre[0]), half_width + 0.75), centre[1] - 0.25, bridge[2] + 0.25])
        # A rounded rectangle (superellipse), bent back a little towards the temple.
        x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.65 * half_width
        y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.65 * half_height
        path = centre + np.stack([x, y, -0.13 * side * x - 0.02 * x**2], 1)
        frames.append(_tube(path, radius, True))
        fan = np.c_[np.full(40, 40), np.arange(40), np.roll(np.arange(40), -1)]
        lenses.append(Mesh(np.concatenate([path, [path.mean(0)]]).astype(np.float32), fan.astype(np.int32), (1, 1, 1)))
        inner_ends.append(path[np.argmin(np.abs(path[:, 0]) + 0.5 * np.abs(path[:, 1] - centre[1] - 0.4))])
        hinge = path[np.argmax(np.abs(path[:, 0]) + 0.3 * path[:, 1])]
        ear = np.array([side * (abs(marks[0 if side < 0 else 16][0]) + 1.0), hinge[1] + 0.3, -0.5])
        frames.append(_tube(np.linspace(hinge, ear, 12), radius, False))
    arch = np.linspace(inner_ends[0], inner_ends[1], 9)
    arch[:, 1:] += np.sin(np.linspace(0, np.pi, 9))[:, None] * [0.35, 0.25]
    frames.append(_tube(arch, radius, False))
    return (
        [Mesh(p.astype(np.float32), t.astype(np.int32), look.glasses_color, SHINY) for p, t in frames],
        lenses,
    )
