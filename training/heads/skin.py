"""Skin and eyes: painted textures, and where on the skin hair and beard begin."""

import cv2
import numpy as np

from training.heads import rasterizer
from training.heads.geometry import curve, smoothstep
from training.heads.model import HeadModel
from training.heads.parameters import Appearance

# The skin texture wraps the head like a cylinder about the vertical line through z = SKIN_AXIS.
SKIN_AXIS, SKIN_TOP, SKIN_BOTTOM = 1.0, 15.0, -20.0

# Height of the hairline (cm) by the angle from the face's front (degrees); at 95-105 it runs above the ear.
HAIRLINE = np.array(
    [(0, 10.7), (15, 10.6), (28, 10.4), (40, 10.1), (50, 9.0), (58, 7.4), (64, 5.0), (72, 3.2), (80, 3.0), (86, 5.6),
     (95, 6.3), (105, 6.0), (112, 4.0), (125, 0.5), (150, -3.5), (180, -5.0)]
)  # fmt: skip


def texture_place(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Column, row (n, 2) in the skin texture of points (n, 3) of the undeformed head.

    The angle is stretched by sin(angle / 2), which gives the face half of the columns.
    """
    x, z = points[..., 0], points[..., 2] - SKIN_AXIS
    column = (np.sin(np.arctan2(x, z) / 2) + 1) * width / 2
    return np.stack([column, (SKIN_TOP - points[..., 1]) * height / (SKIN_TOP - SKIN_BOTTOM)], -1)


def noise(rng, shape, cells, octaves=3):
    """Smooth noise of about unit spread, float32: random grids of growing fineness, enlarged and summed."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        rows = max(2, int(cells * 2**octave * shape[0] / shape[1]))
        grid = rng.standard_normal((rows, int(cells * 2**octave))).astype(np.float32)
        total += cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC) * 0.6**octave
    return total


def _mask(shape, polygon, blur):
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32) / 255


def _blend(texture, mask, color):
    rasterizer.blend(texture, np.asarray(mask, np.float32), np.asarray(color, np.float32))


def _spot(shape, centre, reach_x, reach_y):
    """A round blob, 1 at its centre (column, row), float32: exp(-(distance / reach)^2)."""
    across = np.exp(-(((np.arange(shape[1]) - centre[0]) / reach_x) ** 2)).astype(np.float32)
    down = np.exp(-(((np.arange(shape[0]) - centre[1]) / reach_y) ** 2)).astype(np.float32)
    return np.outer(down, across)


def hair_height(angle_degrees, lift):
    """Hairline height over the angle; `lift` raises the front and the temples."""
    front = smoothstep(75, 40, np.abs(angle_degrees)) if np.ndim(angle_degrees) else 1.0
    temple = 1 + 0.7 * np.exp(-(((np.abs(angle_degrees) - 35) / 12) ** 2)) * (lift > 0)
    return np.interp(np.abs(angle_degrees), *HAIRLINE.T) + lift * front * temple


def skin_texture(model: HeadModel, look: Appearance, size: int = 1024) -> np.ndarray:
    """The skin, painted: float32 (size, size, 4), linear RGB and gloss, on the cylinder of texture_place."""
    rng = np.random.default_rng(look.seed)
    shape = (size, size)
    per_cm = size / (SKIN_TOP - SKIN_BOTTOM)
    marks = texture_place(model.neutral[model.anatomy], size, size)
    columns = (np.arange(size) + 0.5) / size * 2 - 1
    angle = np.degrees(2 * np.arcsin(columns)).astype(np.float32)
    level = (SKIN_TOP - (np.arange(size) + 0.5) / per_cm).astype(np.float32)[:, None]

    texture = np.empty((*shape, 4), np.float32)
    skin = np.array(look.skin, np.float32)
    tone = 1 + 0.05 * noise(rng, shape, 6, 3) + 0.035 * noise(rng, shape, size / 12, 2)
    for c in range(3):
        texture[..., c] = tone * skin[c]
    # Blood under the skin: green and blue fall where it shows.
    red = 0.25 * noise(rng, shape, 9, 3)
    spots = [(marks[30], 1.3, 0.8), (marks[8], 1.6, 0.35), (marks[31:36].mean(0), 1.6, 0.5)]
    spots += [(0.55 * marks[a] + 0.45 * marks[b] + [0, 1.5 * per_cm], 2.2, 0.8) for a, b in ((41, 3), (46, 13))]
    for centre, radius, amount in spots:
        red += np.float32(amount) * _spot(shape, centre, 1.13 * radius * per_cm, 1.13 * radius * per_cm)
    red *= look.redness
    texture[..., 1] *= 1 - 0.22 * red
    texture[..., 2] *= 1 - 0.20 * red
    # Darker, bluer skin under the eyes and on the lids.
    for eye in (slice(36, 42), slice(42, 48)):
        centre = marks[eye].mean(0) + [0, 0.35 * per_cm]
        _blend(texture, 0.9 * _spot(shape, centre, 1.7 * per_cm, per_cm), skin * np.array([0.82, 0.75, 0.78]))
        rim = np.zeros(shape, np.uint8)
        outline = np.round(curve(np.concatenate([marks[eye], marks[eye][:1]]), 60) * 16).astype(np.int32)
        cv2.polylines(rim, [outline], True, 255, max(1, round(0.16 * per_cm)), cv2.LINE_AA, 4)
        rim = cv2.GaussianBlur(rim, (0, 0), 0.07 * per_cm).astype(np.float32) / 255
        _blend(texture, 0.75 * rim, skin * np.array([0.62, 0.42, 0.40]) * (1 - 0.85 * look.eyeliner))
    if look.freckles > 0:
        dots = np.zeros(shape, np.uint8)
        for _ in range(int(260 * look.freckles)):
            x, y = marks[28] + rng.standard_normal(2) * [3.0 * per_cm, 1.6 * per_cm]
            cv2.circle(dots, (round(x * 16), round(y * 16)), round(rng.uniform(0.03, 0.08) * per_cm * 16),
                       int(rng.integers(80, 255)), -1, cv2.LINE_AA, 4)  # fmt: skip
        _blend(texture, 0.5 * dots.astype(np.float32) / 255, skin * [0.55, 0.4, 0.33])
    texture[..., 3] = 0.055 + 0.05 * _spot(shape, marks[30], 2 * per_cm, 20 * per_cm)
    texture[..., 3] *= 1 + 0.25 * noise(rng, shape, size / 16, 1)

    lips = curve(np.concatenate([marks[[58]], marks[48:53], marks[[62]], marks[53:58], marks[[58]]]), 80)
    lip = _mask(shape, lips, 0.09 * per_cm) * (1 + 0.1 * noise(rng, shape, size / 10, 1))
    _blend(texture, look.lip_strength * lip, look.lip_color)
    texture[..., 3] += 0.12 * lip
    between = np.zeros(shape, np.uint8)
    seam = np.concatenate([marks[[58]], (marks[59:62] + marks[[65, 64, 63]]) / 2, marks[[62]]])
    cv2.polylines(between, [np.round(curve(seam, 40) * 16).astype(np.int32)], False, 255,
                  max(1, round(0.1 * per_cm)), cv2.LINE_AA, 4)  # fmt: skip
    _blend(texture, 0.6 * cv2.GaussianBlur(between, (0, 0), 0.06 * per_cm).astype(np.float32) / 255,
           np.array(look.lip_color) * 0.25)  # fmt: skip

    # Beard shadow: jaw, chin and upper lip, with dots for the single hairs.
    if look.stubble > 0 or look.beard_length > 0:
        area = beard_area(marks, shape, per_cm)
        grain = np.clip(0.7 + 0.12 * noise(rng, shape, size / 8, 1) + 0.2 * noise(rng, shape, size / 1.7, 1), 0, 1)
        strength = max(look.stubble, min(0.9, look.beard_length * 1.5))
        _blend(texture, strength * 0.8 * area * grain, np.array(look.brow_color) * 1.3)

    _paint_brows(texture, marks, look, rng, per_cm)

    # Scalp under the hair, clothes below the neck.
    if look.hair_style != "bald":
        edge = hair_height(angle, look.hairline)[None] + 0.25 * noise(rng, shape, 60, 2)
        scalp = smoothstep(-0.35, 0.5, level - edge)
        grain = np.clip(0.85 + 0.15 * noise(rng, shape, size / 4, 1), 0, 1)
        _blend(texture, (0.72 if look.hair_style == "buzz" else 0.9) * scalp * grain, np.array(look.hair) * 0.8)
        texture[..., 3] *= 1 - 0.9 * scalp
    edge = -12.9 - 1.2 * np.cos(np.radians(angle)) + 0.3 * look.collar  # under the jumper
    cloth = smoothstep(-0.6, -0.8, level - edge[None])
    _blend(texture, cloth, look.cloth)
    texture[..., 3] *= 1 - cloth
    return np.clip(texture, 0.0015, 1)


def beard_area(marks, shape, per_cm):
    """Where a beard grows, 0..1, on the skin texture (marks: the 66 points there)."""
    sides = [marks[1] + [0, 0.5 * per_cm], marks[15] + [0, 0.5 * per_cm]]
    outline = np.concatenate(
        [[sides[0]], [marks[2] + [1.6 * per_cm, 0]], [marks[58] + [-1.3 * per_cm, 0.2 * per_cm]],
         [marks[31] + [-0.8 * per_cm, 0.9 * per_cm]], [marks[33] + [0, 0.35 * per_cm]],
         [marks[35] + [0.8 * per_cm, 0.9 * per_cm]], [marks[62] + [1.3 * per_cm, 0.2 * per_cm]],
         [marks[14] + [-1.6 * per_cm, 0]], [sides[1]], [marks[13] + [1.5 * per_cm, 2 * per_cm]],
         [marks[10] + [0, 2.5 * per_cm]], [marks[8] + [0, 2.2 * per_cm]], [marks[6] + [0, 2.5 * per_cm]],
         [marks[3] + [-1.5 * per_cm, 2 * per_cm]]]
    )  # fmt: skip
    area = _mask(shape, outline, 0.5 * per_cm)
    mouth = np.concatenate([marks[[58]], marks[48:53], marks[[62]], marks[53:58]])
    grown = mouth + (mouth - mouth.mean(0)) * [0.05, 0.12]
    return area * (1 - _mask(shape, grown, 0.1 * per_cm))


def _paint_brows(texture, marks, look, rng, per_cm):
    shape = texture.shape[:2]
    for brow, side in ((marks[17:22], 1), (marks[26:21:-1], -1)):  # from the temple to the nose
        line = curve(brow + [0, 0.22 * per_cm], 60)
        extent = np.interp(np.linspace(0, 1, 60), [0, 0.35, 0.8, 1], [0.10, 0.30, 0.40, 0.30])
        extent = extent * look.brow_thickness * per_cm
        outline = np.concatenate([line - np.c_[0 * extent, extent], (line + np.c_[0 * extent, extent])[::-1]])
        base = _mask(shape, outline, 0.13 * per_cm)
        _blend(texture, 0.55 * look.brow_strength * base, look.brow_color)
        hairs = np.zeros(shape, np.uint8)
        for _ in range(int(220 * look.brow_thickness)):
            t = rng.uniform(0, 1)
            k = int(t * 59)
            start = line[k] + [rng.normal(0, 0.05 * per_cm), rng.uniform(-0.9, 0.9) * extent[k]]
            # Hairs stand up near the nose and lie along the brow further out.
            lean = np.radians(np.interp(t, [0, 0.5, 0.85, 1], [10, 18, 38, 70]) + rng.normal(0, 10))
            step = np.array([-side * np.cos(lean), -np.sin(lean)]) * rng.uniform(0.35, 0.65) * per_cm
            ends = np.round(np.stack([start, start + step]) * 16).astype(int).tolist()
            cv2.line(hairs, ends[0], ends[1],
                     int(rng.integers(140, 255)), 1, cv2.LINE_AA, 4)  # fmt: skip
        _blend(texture, look.brow_strength * hairs.astype(np.float32) / 255, np.array(look.brow_color) * 0.8)


def eye_texture(look: Appearance, size: int = 256) -> np.ndarray:
    """An eyeball seen along its axis, float32 (size, size, 3), linear RGB; the picture spans -1 to 1 radii."""
    rng = np.random.default_rng(look.seed + 1)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(axis, axis)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    white = np.array([0.64, 0.605, 0.58], np.float32) * (1 + 0.02 * noise(rng, (size, size), 12, 3))[..., None]
    corners = smoothstep(0.45, 1.0, radius)[..., None]
    texture = white * (1 - corners * np.array([0.12, 0.42, 0.42], np.float32))
    veins = np.zeros((size, size), np.uint8)
    for _ in range(14):
        start = rng.choice([0, np.pi]) + rng.normal(0, 0.5)
        path = np.stack([np.cos(start + rng.normal(0, 0.06, 5).cumsum()) * np.linspace(0.95, 0.6, 5),
                         np.sin(start + rng.normal(0, 0.06, 5).cumsum()) * np.linspace(0.95, 0.6, 5)], 1)  # fmt: skip
        cv2.polylines(veins, [np.round((path + 1) * size * 8).astype(np.int32)], False, int(rng.integers(40, 120)), 1,
                      cv2.LINE_AA, 4)  # fmt: skip
    _blend(texture, veins.astype(np.float32) / 255 * 0.6, (0.5, 0.12, 0.1))

    r = radius / look.iris_size
    fibres = rng.standard_normal(180).astype(np.float32)
    fibres = np.interp((angle + np.pi) / (2 * np.pi) * 180, np.arange(180), fibres)
    iris = np.array(look.iris, np.float32) * np.clip(1 + 0.28 * fibres, 0.3, 2)[..., None]
    inner = np.exp(-(((r - look.pupil_size - 0.12) / 0.18) ** 2))[..., None]
    iris = iris * (1 + 0.6 * inner * np.array([1.25, 1.0, 0.7], np.float32))
    iris *= (1 - 0.75 * smoothstep(0.78, 1.0, r))[..., None]  # the limbal ring
    texture += smoothstep(1.04, 0.96, r)[..., None] * (iris - texture)
    texture += smoothstep(look.pupil_size + 0.05, look.pupil_size - 0.04, r)[..., None] * (0.004 - texture)
    return np.clip(texture, 0.002, 1).astype(np.float32)
