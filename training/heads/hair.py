"""Hair and beards: strands that grow from the skin, comb, fall and curl."""

from dataclasses import dataclass

import cv2
import numpy as np

from training.heads import rasterizer
from training.heads.geometry import smoothstep, unit
from training.heads.model import FACE, HEAD, SKULL, HeadModel
from training.heads.parameters import Appearance
from training.heads.rasterizer import SKIN
from training.heads.skin import SKIN_AXIS, SKIN_BOTTOM, SKIN_TOP, beard_area, hair_height, texture_place
from training.heads.things import COLLAR, TORSO, TORSO_AXIS


@dataclass
class Strands:
    """Hairs in head space: points (s, k, 3) cm, color (s, 3) linear RGB, half_width (s, k) cm, roots (s,): the vertex
    each one moves with."""

    points: np.ndarray
    color: np.ndarray
    half_width: np.ndarray
    roots: np.ndarray


def _radius_map(points: np.ndarray) -> np.ndarray:
    """How far the head reaches from SKULL: (elevation 40, azimuth 80), cm; for hair to lie on."""
    relative = points[: HEAD.stop] - SKULL
    relative = relative[points[: HEAD.stop, 1] > -9]
    radius = np.linalg.norm(relative, axis=1)
    row = np.clip(((np.arcsin(relative[:, 1] / radius) / np.pi + 0.5) * 40), 0, 39).astype(int)
    column = ((np.arctan2(relative[:, 0], relative[:, 2]) / (2 * np.pi) + 0.5) * 80).astype(int) % 80
    grid = np.zeros((40, 80), np.float32)
    np.maximum.at(grid, (row, column), radius)
    wide = np.concatenate([grid, grid, grid], 1)
    grown = cv2.dilate(wide, np.ones((3, 3), np.uint8))
    for _ in range(6):
        grown = np.where(grown > 0, grown, cv2.dilate(grown, np.ones((3, 3), np.uint8)))
    return cv2.GaussianBlur(grown, (0, 0), 0.8)[:, 80:160].copy()


def _head_radius(grid, direction):
    row = np.clip((np.arcsin(np.clip(direction[:, 1], -1, 1)) / np.pi + 0.5) * 40 - 0.5, 0, 38.99)
    column = (np.arctan2(direction[:, 0], direction[:, 2]) / (2 * np.pi) + 0.5) * 80 - 0.5
    r0, c0 = row.astype(int), np.floor(column).astype(int)
    fr, fc = row - r0, column - c0
    c1, c0 = (c0 + 1) % 80, c0 % 80
    top = grid[r0, c0] * (1 - fc) + grid[r0, c1] * fc
    return top * (1 - fr) + (grid[r0 + 1, c0] * (1 - fc) + grid[r0 + 1, c1] * fc) * fr


@dataclass(frozen=True)
class _Style:
    """How one kind of hair grows: length (cm), gravity, stiffness and comb weights per step, layer thickness (cm),
    curl radius (cm) and its turns along the hair."""

    length: tuple[float, float]
    gravity: float
    comb: float
    layer: float
    curl: float = 0.0
    turns: float = 0.0
    waves: float = 0.15


_STYLES = {
    "buzz": _Style((0.5, 0.9), 0.05, 0.5, 0.25),
    "short": _Style((2.2, 4.5), 0.15, 0.7, 0.9),
    "side": _Style((5.0, 8.5), 0.15, 1.0, 1.4),
    "fringe": _Style((6.0, 9.0), 0.25, 0.8, 1.1),
    "back": _Style((6.0, 9.0), 0.08, 1.0, 1.3),
    "curly": _Style((4.0, 9.0), 0.08, 0.25, 2.4, 0.5, 4.0),
    "bob": _Style((15.0, 20.0), 1.0, 0.6, 1.3),
    "long": _Style((24.0, 36.0), 1.0, 0.6, 1.4, waves=0.3),
}


def _roots(model, points, keep, count, rng):
    """`count` places spread evenly over the skin triangles whose vertices are all in keep (n,): points and vertices."""
    triangles = model.triangles[model.material == SKIN]
    triangles = triangles[keep[triangles].all(1)]
    a, b, c = (points[triangles[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    chosen = rng.choice(len(triangles), count, p=area / area.sum())
    u, v = rng.random((2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    place = a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]
    return place.astype(np.float32), triangles[chosen, 0]


def _comb(style: str, look: Appearance, p: np.ndarray, roots: np.ndarray) -> np.ndarray:
    """The direction hair is combed at places p (s, 3) for hairs rooted at `roots`."""
    away = p - np.array([0, 13.5, -4.5])  # from the crown
    if style == "back":
        return np.array([0, 0.1, -1.0]) + 0.25 * unit(away)
    if style in ("side", "bob", "long"):
        side = np.where(roots[:, :1] > look.parting, 1.0, -1.0)
        across = np.concatenate([side, 0 * side, np.full_like(side, -0.25 if style == "side" else -0.45)], 1)
        front = smoothstep(-6, 1, p[:, 2:3])
        return across * front + unit(away) * (1 - 0.7 * front)
    if style == "fringe":
        front = smoothstep(2, 6, roots[:, 2:3])
        return unit(away) + front * np.array([0.12, -0.6, 0.6])
    return unit(away)


def grow_hair(model: HeadModel, look: Appearance, points: np.ndarray, density: float = 1.0) -> list[Strands]:
    """Hair and beard of a person with vertices `points` (relaxed face), as strands in head space."""
    rng = np.random.default_rng(look.seed + 2)
    result = []
    grid = _radius_map(points)
    rest = model.neutral
    angle = np.degrees(np.arctan2(rest[:, 0], rest[:, 2] - SKIN_AXIS))
    if look.hair_style != "bald":
        style = _STYLES[look.hair_style]
        ear = (np.abs(rest[:, 0]) > 7.6) & (rest[:, 1] < 5.5) & (rest[:, 1] > -2) & (np.abs(rest[:, 2] + 0.5) < 4)
        keep = (rest[:, 1] > hair_height(angle, look.hairline)) & ~ear
        keep &= np.arange(len(rest)) < HEAD.stop
        count = int({"buzz": 9000, "curly": 3500}.get(look.hair_style, 5000) * density)
        roots, vertices = _roots(model, points, keep, count, rng)
        strands = _grow(style, look, roots, grid, rng)
        thickness = 0.028 if look.hair_style == "buzz" else 0.05
        shade = np.exp(rng.normal(0, 0.22, (count, 1)) + rng.normal(0, 0.03, (count, 3)))
        color = np.array(look.hair) * shade
        result.append(Strands(strands, color.astype(np.float32), _taper(strands, thickness), vertices))
    if look.beard_length > 0:
        # Rooted where the painted beard is.
        size = 256
        per_cm = size / (SKIN_TOP - SKIN_BOTTOM)
        area = beard_area(texture_place(rest[model.anatomy], size, size), (size, size), per_cm)
        place = np.clip(texture_place(rest, size, size), 0, size - 1).astype(int)
        keep = (area[place[:, 1], place[:, 0]] > 0.45) & (np.arange(len(rest)) < FACE.stop) & (rest[:, 2] > -1)
        count = int(4500 * density)
        roots, vertices = _roots(model, points, keep, count, rng)
        normals = rasterizer.vertex_normals(points, model.triangles, model.weld)[vertices]
        steps = np.linspace(0, 1, 5)[None, :, None]
        length = look.beard_length * rng.uniform(0.5, 1.2, (count, 1, 1))
        way = unit(0.55 * normals + [0, -0.8, 0] + rng.normal(0, 0.25, (count, 3)))[:, None]
        strands = roots[:, None] + way * length * steps - np.array([0, 0.25, 0]) * length * steps**2
        strands = strands + 0.05 * normals[:, None]
        color = np.array(look.brow_color) * np.exp(rng.normal(0, 0.25, (count, 1)) + rng.normal(0, 0.03, (count, 3)))
        result.append(Strands(strands.astype(np.float32), color.astype(np.float32), _taper(strands, 0.035), vertices))
    return result


def _taper(strands, thickness):
    k = strands.shape[1]
    return np.broadcast_to(thickness * np.interp(np.linspace(0, 1, k), [0, 0.6, 1], [1, 0.9, 0.25]),
                           strands.shape[:2]).astype(np.float32)  # fmt: skip


def _grow(style: _Style, look: Appearance, roots, grid, rng, steps=14):
    """Hairs (s, steps, 3) from their roots: each step follows the comb and gravity and stays outside head and torso."""
    count = len(roots)
    length = rng.uniform(*style.length, (count, 1))
    if look.hair_style in ("short", "side", "back"):  # clipped at the sides and the nape
        length *= np.clip(0.30 + 0.70 * smoothstep(4.5, 9.5, roots[:, 1:2]), 0, 1)
    if look.hair_style == "fringe":
        length *= 0.55 + 0.45 * smoothstep(3, 7, roots[:, 2:3] + 0.6 * (roots[:, 1:2] - 6))
    step = length / (steps - 1)
    layer = style.layer * rng.random(count) ** 0.7 * (0.55 + 0.45 * smoothstep(2, 10, roots[:, 1]))
    # Locks: neighbouring hairs share a part of their wandering.
    lock = np.floor(roots[:, 0] / 1.3) * 7 + np.floor(roots[:, 1] / 1.3) * 131 + np.floor(roots[:, 2] / 1.3) * 17
    lock = (lock - lock.min()).astype(int)
    drift = rng.normal(0, 1, (lock.max() + 1, 3))[lock] * 0.22 + rng.normal(0, 0.12, (count, 3))
    low = np.full(count, -np.inf)
    if look.hair_style == "fringe":  # cut above the eyes in front
        low = np.where(roots[:, 2] > 5, 6.0 + rng.normal(0, 0.35, count), -np.inf)
    p = roots.astype(np.float64)
    way = unit(p - SKULL) * 0.5 + 0.7 * unit(_comb(look.hair_style, look, p, roots))
    cling = {"buzz": 0.0, "curly": 0.05, "short": 0.35}.get(look.hair_style, 0.6)
    path = [p]
    for k in range(1, steps):
        comb = unit(_comb(look.hair_style, look, p, roots)) * style.comb * (1 - 0.6 * k / steps)
        pull = np.array([0, -style.gravity, 0]) * (0.3 + k / steps)
        way = unit(0.75 * way + comb + pull + drift * style.waves)
        new = p + way * step
        relative = new - SKULL
        radius = np.linalg.norm(relative, axis=1)
        direction = relative / radius[:, None]
        reach = _head_radius(grid, direction) + 0.12 + layer * min(1, k / 3)
        inside = (radius < reach) & (new[:, 1] > -9)
        new[inside] = SKULL + direction[inside] * reach[inside, None]
        loose = (radius > reach) & (new[:, 1] > -3)
        new[loose] -= direction[loose] * cling * (radius - reach)[loose, None]
        if look.hair_style in ("bob", "long", "side"):  # hair hangs beside the face, not over it
            face = (new[:, 2] > 1) & (new[:, 1] < 9.0) & (new[:, 1] > -12)
            wide = np.interp(new[:, 1], [-10, -4, 3, 9], [6.6, 7.3, 7.6, 5.8]) + 0.35 * layer
            short = face & (np.abs(new[:, 0]) < wide)
            new[short, 0] = np.sign(new[short, 0] + 1e-6 * way[short, 0]) * wide[short]
        # Out of the shoulders.
        wide, deep = (np.interp(COLLAR - new[:, 1], TORSO[:, 0], TORSO[:, i]) + 0.3 + 0.5 * layer for i in (1, 2))
        depth = np.hypot(new[:, 0] / wide, (new[:, 2] - TORSO_AXIS) / deep)
        sunk = (depth < 1) & (new[:, 1] < -12.5)
        new[sunk, 0] /= np.maximum(depth[sunk], 0.3)
        new[sunk, 2] = TORSO_AXIS + (new[sunk, 2] - TORSO_AXIS) / np.maximum(depth[sunk], 0.3)
        new = np.where((new[:, 1] < low)[:, None], p, new)
        p = new
        path.append(p)
    strands = np.stack(path, 1)
    if style.curl:
        t = np.linspace(0, 1, steps)[None]
        phase = rng.uniform(0, 2 * np.pi, (count, 1)) + 2 * np.pi * style.turns * t * rng.uniform(0.7, 1.3, (count, 1))
        size = style.curl * np.minimum(1, 4 * t) * rng.uniform(0.5, 1.2, (count, 1))
        strands[..., 0] += size * np.cos(phase)
        strands[..., 1] += size * np.sin(phase)
        strands[..., 2] += size * np.cos(phase + 1)
    return strands.astype(np.float32)
