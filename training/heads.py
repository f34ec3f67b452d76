"""Synthetic heads: random people drawn with exact truth, for training and testing face trackers.

The shape is the ICT FaceKit head (USC Institute for Creative Technologies, MIT licence); it has no colours, so skin,
hair, eyes, clothing, glasses, light and background are made here.

    model = HeadModel.load()
    rng = np.random.default_rng(1)
    head, camera, scene = random_head(model, rng), random_camera(rng), random_scene(rng)
    rendering = render(model, head, camera, scene, (256, 256))

Head space is the model's: centimetres, x to the person's left, y up, z out of the face. Camera space has x to the
image's right, y up and z towards the viewer, so an unturned head's axes are the camera's.

    python -m training.heads --count 1000 --out cache/heads.npz --size 256 --seed 0
"""

import argparse
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from training import rasterizer
from training.rasterizer import EYE, FABRIC, FLAT, SHINY, SKIN, WET

REPOSITORY = Path(__file__).resolve().parent.parent

# iBUG 68 -> the tracker's 66 points: no inner mouth corners, the outer ones after the outer lips.
IBUG_TO_66 = [*range(48), *range(49, 54), *range(55, 60), 48, 61, 62, 63, 54, 65, 66, 67]

# The point that takes each point's place when the picture is mirrored.
MIRROR_66 = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37,
     36, 41, 40, *range(52, 47, -1), *range(57, 52, -1), 62, 61, 60, 59, 58, 65, 64, 63]
)  # fmt: skip

# The tracker's 66 points as vertices of the mesh. ict_landmarks.json gives a first choice, which puts the jaw 2 to 3 cm
# further forward than trackers do. These are the vertices, alike on both sides, that lie nearest to where the original
# tracker's landmark model 1 marks each point on 320 drawn heads (yaw up to 75 degrees); points on the lids and the lips
# stay on their edges.
LANDMARKS = np.array(
    [8160, 7876, 7437, 8841, 8859, 783, 789, 813, 2191, 3054, 3030, 3024, 9182, 9164, 6710, 7149, 8436,  # jaw
     994, 436, 439, 2044, 1402, 3616, 4240, 2680, 2677, 3214,  # brows
     971, 1348, 4839, 4841, 69, 2076, 5, 4270, 2310,  # nose
     1507, 1542, 619, 1528, 1518, 1511, 3742, 2860, 3756, 3721, 3725, 3732,  # eyes
     5631, 6029, 5525, 6533, 6136, 6331, 6461, 5945, 5957, 5826,  # outer lips
     5708, 5656, 5526, 6161, 6213, 6365, 5517, 5860]  # corners and inner lips
)  # fmt: skip

# Vertex ranges of the ICT mesh.
FACE, HEAD = slice(0, 9409), slice(9409, 11248)
SOCKETS, GUMS, TEETH = slice(11248, 14062), slice(14062, 17039), slice(17039, 21451)  # SOCKETS: the mouth's inside too
EYEBALLS = (slice(23021, 23791), slice(21451, 22221))  # right, left: the outer surface, cornea included
LASHES = slice(25351, 26719)
LASH_SHEETS = tuple(range(25351, 26719, 114))  # 12 sheets: 3 upper and 3 lower, left then right

# The skin texture wraps the head like a cylinder about the vertical line through z = SKIN_AXIS.
SKIN_AXIS, SKIN_TOP, SKIN_BOTTOM = 1.0, 15.0, -20.0
SKULL = np.array([0.0, 4.0, 0.5], np.float32)  # the point that hair grows away from
NECK = np.array([0.0, -9.0, -2.0], np.float32)  # the point that the head turns about
FACE_MIDDLE = np.array([0.0, 0.5, 8.0], np.float32)

# Largest eye rotations in degrees at weight 1 of the eyeLook* expressions.
GAZE_SIDE, GAZE_UP, GAZE_DOWN = 32.0, 25.0, 28.0


def data_folder() -> Path:
    """The folder with ict_face_model.npz: `data` in the environment variable OSF_REFERENCE, or ../shared."""
    return Path(os.environ.get("OSF_REFERENCE", REPOSITORY.parent / "shared")) / "data"


def head_rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation (3, 3) from head to camera space; degrees.

    First pitch (positive: the face looks up), then yaw (positive: towards the person's left, the image's right),
    then roll (positive: the crown leans to the image's right).
    """
    y, p, r = np.radians([yaw, pitch, roll])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]])
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_z = np.array([[math.cos(r), math.sin(r), 0], [-math.sin(r), math.cos(r), 0], [0, 0, 1]])
    return (about_z @ about_y @ about_x).astype(np.float32)


def lid_gaps(marks: np.ndarray) -> np.ndarray:
    """Height of the eyes' openings (right, left), cm, from the 66 points in head space; below 0 where lids overlap."""
    return np.array([(marks[o + 1 : o + 3, 1] - marks[[o + 5, o + 4], 1]).mean() for o in (36, 42)])


def _smoothstep(low, high, x):
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _unit(v):
    return v / (np.linalg.norm(v, axis=-1, keepdims=True) + 1e-9)


# ---------------------------------------------------------------------------------------------------- the head model


@dataclass
class HeadModel:
    """The 3D head: neutral shape, its variations and what the renderer needs of the mesh.

    neutral (n, 3) float32, cm; identity (100, n, 3) and expression (k, n, 3): offsets; expression_names: ARKit names,
    with _L and _R; triangles (m, 3) int32 with material (m,); color (n, 3) linear RGB of mouth and lashes;
    landmarks (66,): the tracker's points as vertex numbers; anatomy (66,): the same points as ict_landmarks.json has
    them, on which faces are painted.
    """

    neutral: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    expression_names: list[str]
    triangles: np.ndarray
    material: np.ndarray
    color: np.ndarray
    landmarks: np.ndarray
    anatomy: np.ndarray
    lash_columns: np.ndarray  # (s, 6): vertices of one row of eyelashes from root to tip
    lash_upper: np.ndarray  # (s,): on the upper lid

    @classmethod
    def load(cls, folder: Path | str | None = None) -> "HeadModel":
        """Reads ict_face_model.npz and ict_landmarks.json; FileNotFoundError when they are not in `folder`."""
        folder = Path(folder) if folder else data_folder()
        with np.load(folder / "ict_face_model.npz") as data:
            neutral = data["neutral"]
            identity = data["identity"].astype(np.float32)
            expression = data["expression"].astype(np.float32)
            names = [str(name) for name in data["expression_names"]]
            quads, uv, uv_quads = data["quads"], data["uv"], data["uv_quads"]
        marks = json.loads((folder / "ict_landmarks.json").read_text())
        ibug = np.array(marks["landmarks68"])

        quads_all = quads
        corners = quads[:, 0]
        hidden = ((corners >= 22221) & (corners < 23021)) | (
            corners >= 23791
        )  # inner eyes, films over the eyes, lashes
        quads = quads[~hidden]
        triangles = np.concatenate([quads[:, :3], quads[quads[:, 3] >= 0][:, [0, 2, 3]]]).astype(np.int32)
        first = triangles[:, 0]
        material = np.full(len(triangles), SKIN, np.uint8)
        material[(first >= SOCKETS.start) & (first < TEETH.stop)] = WET
        material[(first >= TEETH.stop) & (first < LASHES.start)] = EYE

        color = np.full((len(neutral), 3), 0.3, np.float32)
        color[SOCKETS] = (0.30, 0.07, 0.06)
        color[GUMS] = (0.45, 0.13, 0.12)
        color[TEETH] = (0.88, 0.82, 0.72)
        columns, upper = _lash_columns(neutral, quads_all, uv, uv_quads)
        return cls(neutral, identity, expression, names, triangles, material, color, LANDMARKS, ibug[IBUG_TO_66],
                   columns, upper)  # fmt: skip

    def shape(self, identity: np.ndarray, expression: dict[str, float] | None = None) -> np.ndarray:
        """Vertices (n, 3) of a person with identity weights (k,), k <= 100, and ARKit expression weights."""
        weights = np.asarray(identity, np.float32)
        expression = expression or {}
        points = self.neutral + np.tensordot(weights, self.identity[: len(weights)], 1)

        def add(name, weight):
            if weight:
                points[:] += np.float32(weight) * self.expression[self.expression_names.index(name)]

        for name, weight in expression.items():
            if name.startswith("eyeLook"):  # lids follow the eye less the more they are closed
                add(name, weight * (1 - expression.get("eyeBlink" + name[-2:], 0.0)))
            elif not name.startswith("eyeBlink"):
                add(name, weight)
        # The model's blink closes the average relaxed eye; here it closes this one, so that lids meet at weight 1.
        gaps = lid_gaps(points[self.anatomy])
        for side, gap in zip("RL", gaps, strict=True):
            name = f"eyeBlink_{side}"
            closes = -lid_gaps(self.expression[self.expression_names.index(name)][self.anatomy])["RL".index(side)]
            add(name, expression.get(name, 0.0) * np.clip((gap + 0.02) / closes, 0.3, 1.6))
        return points

    @cached_property
    def weld(self) -> np.ndarray:
        """(n,) int32: vertices in the same place have the same number, so that no seam shows."""
        keys = np.round(self.neutral, 3)
        keys = np.c_[keys, np.searchsorted([14062, 17039, 21451], np.arange(len(keys)), side="right")]
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        return first[inverse.ravel()].astype(np.int32)

    @cached_property
    def occlusion(self) -> np.ndarray:
        """(n,) float32: how much of the sky each vertex of the neutral head sees, 0 to 1 (ambient occlusion).

        Measured with depth maps from 64 directions spread evenly over the sphere.
        """
        points = self.neutral[: TEETH.start]
        triangles = self.triangles[(self.triangles < TEETH.start).all(1)]
        normals = rasterizer.vertex_normals(self.neutral, self.triangles, self.weld)[: TEETH.start]
        index = np.arange(64) + 0.5
        height = 1 - 2 * index / 64
        turn = np.pi * (1 + 5**0.5) * index
        seen, total = np.zeros(len(points)), np.zeros(len(points))
        for x, y, z in zip(
            np.cos(turn) * np.sqrt(1 - height**2), height, np.sin(turn) * np.sqrt(1 - height**2), strict=True
        ):
            direction = np.array([x, y, z], np.float32)
            side = _unit(np.cross([0.3, 1, 0.2], direction)).astype(np.float32)
            axes = np.stack([side, np.cross(direction, side), direction]).astype(np.float32)
            local = points @ axes.T
            screen = np.c_[local[:, :2] * 7 + 128, 100 - local[:, 2]].astype(np.float32)
            depth = rasterizer.new_depth(256, 256)
            rasterizer.rasterize(screen, triangles, depth, np.empty((256, 256), np.int32),
                                 np.empty((256, 256, 2), np.float32), False)  # fmt: skip
            columns, rows = np.clip(np.round(screen[:, :2] + normals[:, :] @ axes.T[:, :2]), 0, 255).astype(int).T
            weight = np.clip(normals @ direction, 0, None)
            seen += weight * (screen[:, 2] < depth[rows, columns] + 0.5)
            total += weight
        result = np.full(len(self.neutral), 1.0, np.float32)
        result[: TEETH.start] = np.clip(seen / (total + 1e-6), 0, 1)
        result[: TEETH.start] = 0.12 + 0.88 * result[: TEETH.start]
        # Inside the mouth and the teeth: dark by depth behind the lips, since the neutral mouth is shut.
        inside = slice(SOCKETS.start, TEETH.stop)
        result[inside] = 0.03 + 0.75 * _smoothstep(5.5, 11.0, self.neutral[inside, 2]) ** 1.5
        nose_or_eyes = np.arange(inside.start, inside.stop)[self.neutral[inside, 1] > -0.5]
        result[nose_or_eyes] = np.where(self.neutral[nose_or_eyes, 1] > 2, 0.4, 0.08)
        return result


def _lash_columns(neutral, quads, uv, uv_quads):
    """Rows of lash vertices from root to tip (s, 6), in the order of the texture's columns, and which are upper."""
    mask = quads[:, 0] >= LASHES.start
    place = {v: uv[t] for q, t in zip(quads[mask], uv_quads[mask], strict=True)
             for v, t in zip(q, t, strict=True) if v >= 0}  # fmt: skip
    columns, upper = [], []
    for sheet, start in enumerate(LASH_SHEETS):
        grid: dict[float, dict[float, int]] = {}
        for vertex in range(start, min(start + 114, LASHES.stop)):
            if vertex in place:
                u, v = np.round(place[vertex], 3)
                grid.setdefault(float(u), {})[float(v)] = vertex
        for u in sorted(grid):
            column = [grid[u][v] for v in sorted(grid[u])]
            if len(column) == 6:
                eye = neutral[EYEBALLS[1] if neutral[column[0], 0] > 0 else EYEBALLS[0]].mean(0)
                distance = np.linalg.norm(neutral[column] - eye, axis=1)
                columns.append(column if distance[0] < distance[-1] else column[::-1])
                upper.append(sheet % 6 < 3)
    return np.array(columns), np.array(upper)


# ---------------------------------------------------------------------------------------------------- what a head is


@dataclass(frozen=True)
class Appearance:
    """What one person looks like beside their shape. Colours are linear RGB; `seed` settles the fine detail."""

    seed: int = 0
    skin: tuple[float, float, float] = (0.62, 0.38, 0.27)
    redness: float = 0.5  # of cheeks, nose and lips, 0..1
    freckles: float = 0.0
    lip_color: tuple[float, float, float] = (0.50, 0.20, 0.18)
    lip_strength: float = 0.6
    iris: tuple[float, float, float] = (0.16, 0.09, 0.04)
    iris_size: float = 0.41  # radius over the eyeball's
    pupil_size: float = 0.38  # radius over the iris'
    hair: tuple[float, float, float] = (0.035, 0.02, 0.012)
    hair_style: str = "short"  # one of HAIR_STYLES
    parting: float = 3.0  # x of the parting, cm
    hairline: float = 0.0  # cm higher than usual
    brow_color: tuple[float, float, float] = (0.03, 0.018, 0.012)
    brow_thickness: float = 1.0
    brow_strength: float = 0.85
    lash_strength: float = 0.7
    eyeliner: float = 0.0
    stubble: float = 0.0
    beard_length: float = 0.0  # cm; 0: none
    glasses: str = ""  # "", "thin", "thick", "sun"
    glasses_color: tuple[float, float, float] = (0.02, 0.02, 0.02)
    lens: tuple[float, float] = (2.5, 1.9)  # half width and height, cm
    cloth: tuple[float, float, float] = (0.08, 0.12, 0.25)
    collar: float = 0.0  # height of the collar above a round neck, cm


@dataclass
class HeadParameters:
    """One head in one moment: who, with what face, turned how.

    identity (k,): weights of the shape modes (normal deviates); expression: ARKit name -> weight 0..1, eyes' looking
    directions included; rotation and torso: yaw, pitch, roll in degrees (see head_rotation).
    """

    identity: np.ndarray
    appearance: Appearance = field(default_factory=Appearance)
    expression: dict[str, float] = field(default_factory=dict)
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    torso: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. focal: in units of the picture's height; position (3,): of the head's origin (between the
    ears) from the camera, cm: to the image's right, up, and away."""

    focal: float = 1.8
    position: tuple[float, float, float] = (0.0, 0.0, 80.0)


@dataclass(frozen=True)
class Scene:
    """Light and background. lights (m, 3): directions towards the lights in camera space, the first throws shadows;
    light_colors (m, 3), sky and ground (3,): linear RGB; exposure: factor on everything;
    background (h, w, 3): BGR uint8 picture, stretched to the frame."""

    lights: np.ndarray
    light_colors: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    background: np.ndarray
    exposure: float = 1.0
    shadows: bool = True


@dataclass
class Rendering:
    """A picture and its truth.

    image (h, w, 3): BGR uint8; points (66, 2) and pupils (2, 2; right, left): row, column in pixels, pixel centres
    at whole numbers; points_3d (66, 3): camera space, cm; visible (66,) and pupils_visible (2,): not hidden by
    anything and inside the picture; eye_open (2,; right, left): lid gap over that of the same person's relaxed open
    eye, 0 closed; expression: weights by ARKit name; rotation: yaw, pitch, roll in degrees; box: x, y, w, h around
    the points.
    """

    image: np.ndarray
    points: np.ndarray
    points_3d: np.ndarray
    pupils: np.ndarray
    visible: np.ndarray
    pupils_visible: np.ndarray
    eye_open: np.ndarray
    expression: dict[str, float]
    rotation: tuple[float, float, float]
    box: tuple[float, float, float, float]


# ------------------------------------------------------------------------------------------------------ skin and eyes

HAIR_STYLES = ("bald", "buzz", "short", "side", "fringe", "back", "curly", "bob", "long")

# Height of the hairline (cm) by the angle from the face's front (degrees); at 95-105 it runs above the ear.
HAIRLINE = np.array(
    [(0, 10.7), (15, 10.6), (28, 10.4), (40, 10.1), (50, 9.0), (58, 7.4), (64, 5.0), (72, 3.2), (80, 3.0), (86, 5.6),
     (95, 6.3), (105, 6.0), (112, 4.0), (125, 0.5), (150, -3.5), (180, -5.0)]
)  # fmt: skip


def _texture_place(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Column, row (n, 2) in the skin texture of points (n, 3) of the undeformed head.

    The angle is stretched by sin(angle / 2), which gives the face half of the columns.
    """
    x, z = points[..., 0], points[..., 2] - SKIN_AXIS
    column = (np.sin(np.arctan2(x, z) / 2) + 1) * width / 2
    return np.stack([column, (SKIN_TOP - points[..., 1]) * height / (SKIN_TOP - SKIN_BOTTOM)], -1)


def _noise(rng, shape, cells, octaves=3):
    """Smooth noise of about unit spread, float32: random grids of growing fineness, enlarged and summed."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        rows = max(2, int(cells * 2**octave * shape[0] / shape[1]))
        grid = rng.standard_normal((rows, int(cells * 2**octave))).astype(np.float32)
        total += cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC) * 0.6**octave
    return total


def _curve(points, count):
    """A smooth curve (count, 2) through points (k, 2): Catmull-Rom splines."""
    padded = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    t = np.linspace(0, len(points) - 1 - 1e-6, count)
    i, f = t.astype(int), (t % 1)[:, None]
    p0, p1, p2, p3 = (padded[i + k] for k in range(4))
    return p1 + 0.5 * f * (p2 - p0 + f * (2 * p0 - 5 * p1 + 4 * p2 - p3 + f * (3 * (p1 - p2) + p3 - p0)))


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


def _hair_height(angle_degrees, lift):
    """Hairline height over the angle; `lift` raises the front and the temples."""
    front = _smoothstep(75, 40, np.abs(angle_degrees)) if np.ndim(angle_degrees) else 1.0
    temple = 1 + 0.7 * np.exp(-(((np.abs(angle_degrees) - 35) / 12) ** 2)) * (lift > 0)
    return np.interp(np.abs(angle_degrees), *HAIRLINE.T) + lift * front * temple


def skin_texture(model: HeadModel, look: Appearance, size: int = 1024) -> np.ndarray:
    """The skin, painted: float32 (size, size, 4), linear RGB and gloss, on the cylinder of _texture_place."""
    rng = np.random.default_rng(look.seed)
    shape = (size, size)
    per_cm = size / (SKIN_TOP - SKIN_BOTTOM)
    marks = _texture_place(model.neutral[model.anatomy], size, size)
    columns = (np.arange(size) + 0.5) / size * 2 - 1
    angle = np.degrees(2 * np.arcsin(columns)).astype(np.float32)
    level = (SKIN_TOP - (np.arange(size) + 0.5) / per_cm).astype(np.float32)[:, None]

    texture = np.empty((*shape, 4), np.float32)
    skin = np.array(look.skin, np.float32)
    tone = 1 + 0.05 * _noise(rng, shape, 6, 3) + 0.035 * _noise(rng, shape, size / 12, 2)
    for c in range(3):
        texture[..., c] = tone * skin[c]
    # Blood under the skin: green and blue fall where it shows.
    red = 0.25 * _noise(rng, shape, 9, 3)
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
        outline = np.round(_curve(np.concatenate([marks[eye], marks[eye][:1]]), 60) * 16).astype(np.int32)
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
    texture[..., 3] *= 1 + 0.25 * _noise(rng, shape, size / 16, 1)

    lips = _curve(np.concatenate([marks[[58]], marks[48:53], marks[[62]], marks[53:58], marks[[58]]]), 80)
    lip = _mask(shape, lips, 0.09 * per_cm) * (1 + 0.1 * _noise(rng, shape, size / 10, 1))
    _blend(texture, look.lip_strength * lip, look.lip_color)
    texture[..., 3] += 0.12 * lip
    between = np.zeros(shape, np.uint8)
    seam = np.concatenate([marks[[58]], (marks[59:62] + marks[[65, 64, 63]]) / 2, marks[[62]]])
    cv2.polylines(between, [np.round(_curve(seam, 40) * 16).astype(np.int32)], False, 255,
                  max(1, round(0.1 * per_cm)), cv2.LINE_AA, 4)  # fmt: skip
    _blend(texture, 0.6 * cv2.GaussianBlur(between, (0, 0), 0.06 * per_cm).astype(np.float32) / 255,
           np.array(look.lip_color) * 0.25)  # fmt: skip

    # Beard shadow: jaw, chin and upper lip, with dots for the single hairs.
    if look.stubble > 0 or look.beard_length > 0:
        area = beard_area(marks, shape, per_cm)
        grain = np.clip(0.7 + 0.12 * _noise(rng, shape, size / 8, 1) + 0.2 * _noise(rng, shape, size / 1.7, 1), 0, 1)
        strength = max(look.stubble, min(0.9, look.beard_length * 1.5))
        _blend(texture, strength * 0.8 * area * grain, np.array(look.brow_color) * 1.3)

    _paint_brows(texture, marks, look, rng, per_cm)

    # Scalp under the hair, clothes below the neck.
    if look.hair_style != "bald":
        edge = _hair_height(angle, look.hairline)[None] + 0.25 * _noise(rng, shape, 60, 2)
        scalp = _smoothstep(-0.35, 0.5, level - edge)
        grain = np.clip(0.85 + 0.15 * _noise(rng, shape, size / 4, 1), 0, 1)
        _blend(texture, (0.72 if look.hair_style == "buzz" else 0.9) * scalp * grain, np.array(look.hair) * 0.8)
        texture[..., 3] *= 1 - 0.9 * scalp
    edge = -12.9 - 1.2 * np.cos(np.radians(angle)) + 0.3 * look.collar  # under the jumper
    cloth = _smoothstep(-0.6, -0.8, level - edge[None])
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
        line = _curve(brow + [0, 0.22 * per_cm], 60)
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
    white = np.array([0.64, 0.605, 0.58], np.float32) * (1 + 0.02 * _noise(rng, (size, size), 12, 3))[..., None]
    corners = _smoothstep(0.45, 1.0, radius)[..., None]
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
    iris *= (1 - 0.75 * _smoothstep(0.78, 1.0, r))[..., None]  # the limbal ring
    texture += _smoothstep(1.04, 0.96, r)[..., None] * (iris - texture)
    texture += _smoothstep(look.pupil_size + 0.05, look.pupil_size - 0.04, r)[..., None] * (0.004 - texture)
    return np.clip(texture, 0.002, 1).astype(np.float32)


# -------------------------------------------------------------------------------------- hair, glasses, shoulders


@dataclass
class Strands:
    """Hairs in head space: points (s, k, 3) cm, color (s, 3) linear RGB, half_width (s, k) cm, roots (s,): the vertex
    each one moves with."""

    points: np.ndarray
    color: np.ndarray
    half_width: np.ndarray
    roots: np.ndarray


@dataclass
class Mesh:
    """A plain coloured surface in head or torso space: points (n, 3), triangles (m, 3), color (3,), material."""

    points: np.ndarray
    triangles: np.ndarray
    color: tuple[float, float, float]
    material: int = FLAT


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
    below, wide, deep = (column[:, None] for column in _curve(rings, 6 * len(rings)).T)
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
    ahead = _unit(np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0))
    side = _unit(np.cross(ahead, [0.1, 0.2, 1.0]))
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
        return np.array([0, 0.1, -1.0]) + 0.25 * _unit(away)
    if style in ("side", "bob", "long"):
        side = np.where(roots[:, :1] > look.parting, 1.0, -1.0)
        across = np.concatenate([side, 0 * side, np.full_like(side, -0.25 if style == "side" else -0.45)], 1)
        front = _smoothstep(-6, 1, p[:, 2:3])
        return across * front + _unit(away) * (1 - 0.7 * front)
    if style == "fringe":
        front = _smoothstep(2, 6, roots[:, 2:3])
        return _unit(away) + front * np.array([0.12, -0.6, 0.6])
    return _unit(away)


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
        keep = (rest[:, 1] > _hair_height(angle, look.hairline)) & ~ear
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
        area = beard_area(_texture_place(rest[model.anatomy], size, size), (size, size), per_cm)
        place = np.clip(_texture_place(rest, size, size), 0, size - 1).astype(int)
        keep = (area[place[:, 1], place[:, 0]] > 0.45) & (np.arange(len(rest)) < FACE.stop) & (rest[:, 2] > -1)
        count = int(4500 * density)
        roots, vertices = _roots(model, points, keep, count, rng)
        normals = rasterizer.vertex_normals(points, model.triangles, model.weld)[vertices]
        steps = np.linspace(0, 1, 5)[None, :, None]
        length = look.beard_length * rng.uniform(0.5, 1.2, (count, 1, 1))
        way = _unit(0.55 * normals + [0, -0.8, 0] + rng.normal(0, 0.25, (count, 3)))[:, None]
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
        length *= np.clip(0.30 + 0.70 * _smoothstep(4.5, 9.5, roots[:, 1:2]), 0, 1)
    if look.hair_style == "fringe":
        length *= 0.55 + 0.45 * _smoothstep(3, 7, roots[:, 2:3] + 0.6 * (roots[:, 1:2] - 6))
    step = length / (steps - 1)
    layer = style.layer * rng.random(count) ** 0.7 * (0.55 + 0.45 * _smoothstep(2, 10, roots[:, 1]))
    # Locks: neighbouring hairs share a part of their wandering.
    lock = np.floor(roots[:, 0] / 1.3) * 7 + np.floor(roots[:, 1] / 1.3) * 131 + np.floor(roots[:, 2] / 1.3) * 17
    lock = (lock - lock.min()).astype(int)
    drift = rng.normal(0, 1, (lock.max() + 1, 3))[lock] * 0.22 + rng.normal(0, 0.12, (count, 3))
    low = np.full(count, -np.inf)
    if look.hair_style == "fringe":  # cut above the eyes in front
        low = np.where(roots[:, 2] > 5, 6.0 + rng.normal(0, 0.35, count), -np.inf)
    p = roots.astype(np.float64)
    way = _unit(p - SKULL) * 0.5 + 0.7 * _unit(_comb(look.hair_style, look, p, roots))
    cling = {"buzz": 0.0, "curly": 0.05, "short": 0.35}.get(look.hair_style, 0.6)
    path = [p]
    for k in range(1, steps):
        comb = _unit(_comb(look.hair_style, look, p, roots)) * style.comb * (1 - 0.6 * k / steps)
        pull = np.array([0, -style.gravity, 0]) * (0.3 + k / steps)
        way = _unit(0.75 * way + comb + pull + drift * style.waves)
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


# ------------------------------------------------------------------------------------------------------------ render


@dataclass
class Actor:
    """A person ready to be drawn: everything that stays the same from frame to frame."""

    model: HeadModel
    identity: np.ndarray
    look: Appearance
    relaxed: np.ndarray  # (n, 3) vertices of the expressionless head
    skin: np.ndarray
    eye: np.ndarray
    strands: list[Strands]
    torso: Mesh
    frames: list[Mesh]
    lenses: list[Mesh]

    @classmethod
    def prepare(cls, model: HeadModel, identity: np.ndarray, look: Appearance, texture_size: int = 1024,
                hair_density: float = 1.0) -> "Actor":  # fmt: skip
        """Paints the skin and grows the hair; texture_size: rows and columns of the skin's picture."""
        relaxed = model.shape(identity)
        frames, lenses = glasses_meshes(model, look, relaxed)
        return cls(model, np.asarray(identity, np.float32), look, relaxed, skin_texture(model, look, texture_size),
                   eye_texture(look), grow_hair(model, look, relaxed, hair_density), torso_mesh(look), frames,
                   lenses)  # fmt: skip


def _turn_vectors(axis_angle, weight, vectors):
    """Rotates vectors (n, 3) about one axis by weight (n,) times its angle (Rodrigues' formula)."""
    angle = np.linalg.norm(axis_angle)
    if angle < 1e-8:
        return vectors
    k = (axis_angle / angle).astype(np.float32)
    c, s = np.cos(angle * weight)[:, None], np.sin(angle * weight)[:, None]
    return (vectors * c + np.cross(k, vectors) * s + np.outer(vectors @ k, k) * (1 - c)).astype(np.float32)


class _Bend:
    """From head space to camera space: the head turns as a whole, the neck twists, the shoulders follow the torso."""

    def __init__(self, head: HeadParameters, camera: Camera):
        self.head = head_rotation(*head.rotation)
        self.torso = head_rotation(*head.torso)
        self.twist = cv2.Rodrigues((self.torso.T @ self.head).astype(np.float64))[0].ravel()
        x, y, z = camera.position
        self.origin = np.array([x, y, -z], np.float32) + NECK

    def follow(self, points):
        """How much of the head's turn each of points (n, 3) in head space takes part in: 1 head, 0 shoulders."""
        return _smoothstep(-15.5, -8.0, points[:, 1] + 0.3 * np.minimum(points[:, 2], 8)).astype(np.float32)

    def __call__(self, points, rigid=False):
        if rigid:
            return (points - NECK) @ self.head.T + self.origin
        turned = _turn_vectors(self.twist, self.follow(points), points - NECK)
        return turned @ self.torso.T + self.origin

    def shoulders(self, points):
        """As __call__, for what is worn on the torso."""
        return (points - NECK) @ self.torso.T + self.origin


def gaze_angles(expression: dict[str, float], side: str) -> tuple[float, float]:
    """Yaw and pitch in degrees of the eye `side` ("R" or "L"): positive to the person's left, and up."""
    get = {k: expression.get(f"eyeLook{k}_{side}", 0.0) for k in ("In", "Out", "Up", "Down")}
    yaw = GAZE_SIDE * (get["In"] - get["Out"]) * (1 if side == "R" else -1)
    return yaw, GAZE_UP * get["Up"] - GAZE_DOWN * get["Down"]


def _sphere(points):
    """Centre (3,) and radius of the sphere nearest to points (n, 3), by linear least squares."""
    system = np.c_[2 * points, np.ones(len(points))].astype(np.float64)
    x = np.linalg.lstsq(system, (points.astype(np.float64) ** 2).sum(1), rcond=None)[0]
    return x[:3].astype(np.float32), float(np.sqrt(x[3] + (x[:3] ** 2).sum()))


def _turn_eyes(model, points, expression):
    """Turns the eyeballs of vertices `points` in place; returns each eye's pupil (2, 3) and the eyes' own
    coordinates (two of (770, 3), radii; z along the eye's axis)."""
    pupils, own = [], []
    for eye, side in zip(EYEBALLS, "RL", strict=True):
        ball = points[eye]
        back = ball[:, 2] < np.percentile(ball[:, 2], 60)  # without the cornea
        centre, radius = _sphere(ball[back])
        yaw, pitch = gaze_angles(expression, side)
        rotation = head_rotation(yaw, pitch, 0)
        own.append((ball - centre) / radius)
        apex = np.percentile(ball[:, 2] - centre[2], 99.9)
        points[eye] = (ball - centre) @ rotation.T + centre
        pupils.append(centre + rotation @ np.array([0, 0, apex], np.float32))
    return np.array(pupils), own


def _project(points, camera, size):
    """Column, row, depth (n, 3) float32 of points (n, 3) in camera space; size (height, width)."""
    height, width = size
    depth = -points[:, 2]
    safe = np.where(depth > 0.1, depth, 0.1)
    focal = camera.focal * height
    return np.stack([(width - 1) / 2 + focal * points[:, 0] / safe, (height - 1) / 2 - focal * points[:, 1] / safe,
                     depth], 1).astype(np.float32)  # fmt: skip


def _shadow_map(light, points, triangles, strands, resolution):
    """Depth map from a light direction; see rasterizer.shade for the frame."""
    side = _unit(np.cross([0.1, 1, 0.05], light))
    axes = np.stack([side, np.cross(light, side), light]).astype(np.float32)
    local = points @ axes.T
    low, high = local[:, :2].min(0), local[:, :2].max(0)
    scale = resolution / max(high - low)
    frame = np.array([-low[0] * scale, high[1] * scale, scale], np.float32)

    def screen(p):
        q = p @ axes.T
        return np.stack([q[..., 0] * scale + frame[0], frame[1] - q[..., 1] * scale, 1000 - q[..., 2]], -1).astype(
            np.float32
        )

    depth = rasterizer.new_depth(resolution, resolution)
    rasterizer.rasterize(screen(points), triangles, depth, np.empty((resolution, resolution), np.int32),
                         np.empty((resolution, resolution, 2), np.float32), False)  # fmt: skip
    for s in strands:
        rasterizer.strand_depth(screen(s), depth)
    return depth, axes, frame


def encode_color(linear: np.ndarray) -> np.ndarray:
    """Linear RGB float to BGR uint8 by the sRGB curve, with a soft shoulder for highlights."""
    x = np.clip(linear, 0, None)
    x = np.where(x > 0.7, 0.7 + 0.3 * (1 - np.exp(-(x - 0.7) / 0.3)), x)
    coded = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(np.maximum(x, 1e-6), 1 / 2.4) - 0.055)
    return np.clip(coded[..., ::-1] * 255 + 0.5, 0, 255).astype(np.uint8)


def _decoding_table():
    """The linear value of every code (256,), so that encode_color gives the code again."""
    x = np.arange(256) / 255
    x = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return np.where(x > 0.7, 0.7 - 0.3 * np.log(np.maximum(1 - (x - 0.7) / 0.3, 1e-3)), x).astype(np.float32)


_LINEAR = _decoding_table()


def render(model: HeadModel, head: HeadParameters, camera: Camera, scene: Scene, size: tuple[int, int],
           supersample: int = 2, actor: Actor | None = None) -> Rendering:  # fmt: skip
    """Draws one head; size (height, width) in pixels.

    supersample: pixels are averaged from so many squared. actor: the prepared person, to draw many frames of one;
    made from the head when absent.
    """
    look = head.appearance
    if actor is None:
        actor = Actor.prepare(model, head.identity, look, 640 if size[0] <= 320 else 1024)
    height, width = size[0] * supersample, size[1] * supersample
    bend = _Bend(head, camera)
    local = model.shape(head.identity, head.expression)
    pupils_local, eye_own = _turn_eyes(model, local, head.expression)
    marks_local = local[model.landmarks]

    # All surfaces in one list: the head, the jumper, the frames of the glasses.
    normals_local = rasterizer.vertex_normals(local, model.triangles, model.weld)
    n = len(local)
    follow = bend.follow(local)
    camera_points = [(_turn_vectors(bend.twist, follow, local - NECK) @ bend.torso.T + bend.origin)]
    camera_normals = [_turn_vectors(bend.twist, follow, normals_local) @ bend.torso.T]
    triangles, material, color = [model.triangles], [model.material], [model.color]
    extra = [(actor.torso, bend.shoulders)] + [(frame, lambda p: bend(p, rigid=True)) for frame in actor.frames]
    rest = [model.neutral]
    offset = n
    for mesh, place in extra:
        placed = place(mesh.points).astype(np.float32)
        camera_points.append(placed)
        camera_normals.append(rasterizer.vertex_normals(placed, mesh.triangles, np.arange(len(placed), dtype=np.int32)))
        triangles.append(mesh.triangles + offset)
        material.append(np.full(len(mesh.triangles), mesh.material, np.uint8))
        rest.append(mesh.points)
        color.append(np.broadcast_to(np.array(mesh.color, np.float32), placed.shape))
        offset += len(placed)
    points = np.concatenate(camera_points).astype(np.float32)
    normals = np.concatenate(camera_normals).astype(np.float32)
    triangles = np.concatenate(triangles).astype(np.int32)
    material = np.concatenate(material)
    color = np.ascontiguousarray(np.concatenate(color), np.float32)
    rest = np.concatenate(rest).astype(np.float32)
    lid = np.zeros(len(points), np.float32)
    occlusion = np.ones(len(points), np.float32)
    occlusion[:n] = model.occlusion
    for eye, own, o in zip(EYEBALLS, eye_own, (36, 42), strict=True):
        rest[eye] = own
        upper = local[model.anatomy[[o, o + 1, o + 2, o + 3]]]
        lid[eye] = np.polyval(np.polyfit(upper[:, 0], upper[:, 1], 2), local[eye, 0]) - local[eye, 1]

    hairs = []
    for s in actor.strands:
        moved = s.points + (local[s.roots] - actor.relaxed[s.roots])[:, None]
        flat = moved.reshape(-1, 3)
        hairs.append(bend(flat).reshape(moved.shape).astype(np.float32))

    screen = _project(points, camera, (height, width))
    # Closing lids must win over the cornea just behind them.
    for eye, side in zip(EYEBALLS, "RL", strict=True):
        screen[eye, 2] += 0.02 + 0.10 * head.expression.get(f"eyeBlink_{side}", 0.0)
    depth = rasterizer.new_depth(height, width)
    triangle_map = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    rasterizer.rasterize(screen, triangles, depth, triangle_map, weights, True)

    background = cv2.resize(scene.background, (width, height), interpolation=cv2.INTER_LINEAR)
    image = _LINEAR[background[..., ::-1]]
    lights = np.ascontiguousarray(scene.lights, np.float32)
    tints = np.ascontiguousarray(scene.light_colors * scene.exposure, np.float32)
    sky, ground = (np.asarray(c * scene.exposure, np.float32) for c in (scene.sky, scene.ground))
    if scene.shadows:
        near = points[:, 1] > bend.origin[1] - 16  # the chest would waste the map
        shadow, axes, frame = _shadow_map(lights[0], points[near], _kept(triangles, near), hairs, 320)
    else:
        shadow, axes, frame = np.zeros((1, 1), np.float32), np.eye(3, dtype=np.float32), np.zeros(3, np.float32)
    skin_frame = np.array([SKIN_AXIS, actor.skin.shape[0] / (SKIN_TOP - SKIN_BOTTOM), SKIN_TOP], np.float32)
    rasterizer.shade(image, depth, triangle_map, weights, triangles, material, points, normals, rest, color, occlusion,
                     actor.skin, skin_frame, actor.eye, lid, lights, tints, sky, ground, shadow, axes,
                     frame)  # fmt: skip

    focal = camera.focal * height
    centre = bend(SKULL[None], rigid=True)[0].astype(np.float32)
    _draw_lashes(model, look, local, bend, camera, image, depth, sky)
    for s, moved in zip(actor.strands, hairs, strict=True):
        placed = _project(moved.reshape(-1, 3), camera, (height, width)).reshape(moved.shape)
        thickness = s.half_width * focal / np.maximum(placed[..., 2], 1)
        lit = rasterizer.shade_strands(moved, s.color, centre, lights, tints, sky, ground)
        rasterizer.draw_strands(placed, lit, thickness.astype(np.float32), image, depth, True)
    for mesh in actor.lenses:
        _draw_lens(mesh, bend, camera, image, depth, 0.93 if look.glasses == "sun" else 0.06, lights, tints)

    picture = encode_color(image)
    if supersample > 1:
        picture = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA)

    marks = bend(marks_local, rigid=True)
    pupils = bend(pupils_local, rigid=True)
    # Points lie on edges, where depth varies; lids are thin, so pupils get less room.
    seen = [_visible(_project(p, camera, (height, width)), depth, room) for p, room in ((marks, 0.5), (pupils, 0.04))]
    columns_rows = _project(marks, camera, size)[:, :2]
    low, high = columns_rows.min(0), columns_rows.max(0)
    return Rendering(
        image=picture,
        points=columns_rows[:, ::-1].copy(),
        points_3d=marks.astype(np.float32),
        pupils=_project(pupils, camera, size)[:, 1::-1].copy(),
        visible=seen[0],
        pupils_visible=seen[1],
        eye_open=np.maximum(0, lid_gaps(local[model.anatomy]) / lid_gaps(actor.relaxed[model.anatomy])),
        expression={k: float(v) for k, v in head.expression.items() if v},
        rotation=tuple(float(a) for a in head.rotation),
        box=(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])),
    )


def _kept(triangles, near):
    """Triangles whose vertices are all in near (n,), numbered among those."""
    number = np.cumsum(near) - 1
    return number[triangles[near[triangles].all(1)]].astype(np.int32)


def _draw_lashes(model, look, local, bend, camera, image, depth, sky):
    columns, upper = model.lash_columns, model.lash_upper
    if look.lash_strength <= 0:
        return
    rng = np.random.default_rng(look.seed + 3)
    paths = local[columns]  # (s, 6, 3)
    # In between the model's rows, and only a part of its length.
    near = np.linalg.norm(paths[1:, 0] - paths[:-1, 0], axis=1) < 0.5
    between = (paths[1:] + paths[:-1])[near] / 2
    paths, upper = np.concatenate([paths, between]), np.concatenate([upper, upper[1:][near]])
    part = np.where(upper, 0.52, 0.28) * rng.uniform(0.7, 1.15, len(paths))
    t = np.linspace(0, 5, 6)[None] * part[:, None]
    i = np.minimum(t.astype(int), 4)
    f = (t - i)[..., None]
    s = np.arange(len(paths))[:, None]
    paths = paths[s, i] * (1 - f) + paths[s, i + 1] * f
    placed = bend(paths.reshape(-1, 3), rigid=True)
    size = depth.shape
    screen = _project(placed, camera, size).reshape(paths.shape)
    screen[..., 2] -= 0.12
    half = np.where(upper, 0.020, 0.011)[:, None] * look.lash_strength * [[1, 1, 0.9, 0.7, 0.5, 0.2]]
    half = half * camera.focal * size[0] / np.maximum(screen[..., 2], 1)
    color = np.full(paths.shape, 0.012, np.float32) * sky.mean()
    rasterizer.draw_strands(screen, color, half.astype(np.float32), image, depth, False)


def _draw_lens(mesh, bend, camera, image, depth, density, lights, tints):
    """A lens: a tint and, near the mirror direction of a light, its reflection."""
    placed = bend(mesh.points, rigid=True).astype(np.float32)
    own = rasterizer.new_depth(*depth.shape)
    ids, weights = np.full(depth.shape, -1, np.int32), np.zeros((*depth.shape, 2), np.float32)
    rasterizer.rasterize(_project(placed, camera, depth.shape), mesh.triangles, own, ids, weights, True)
    rows, columns = np.nonzero((ids >= 0) & (own < depth))
    if len(rows) == 0:
        return
    corners = placed[mesh.triangles[ids[rows, columns]]]
    w = weights[rows, columns]
    place = corners[:, 0] * w[:, :1] + corners[:, 1] * w[:, 1:] + corners[:, 2] * (1 - w.sum(1, keepdims=True))
    middle = placed.mean(0)
    forward = bend.head @ np.array([0, 0, 1], np.float32)
    normal = _unit(forward + 0.05 * (place - middle))  # lenses bulge
    ray = _unit(place)
    mirrored = ray - 2 * (ray * normal).sum(1, keepdims=True) * normal
    glare = np.zeros((len(rows), 3), np.float32)
    for light, tint in zip(lights, tints, strict=True):
        glare += _smoothstep(0.93, 0.97, mirrored @ light)[:, None] * tint * 0.12
    glare += 0.015 * tints.mean() * _smoothstep(-0.2, 0.8, mirrored[:, 1:2])
    image[rows, columns] = image[rows, columns] * (1 - density) + glare
    if density > 0.5:  # what is behind dark glasses does not count as seen
        depth[rows, columns] = own[rows, columns]


def _visible(screen, depth, tolerance):
    height, width = depth.shape
    columns, rows = np.round(screen[:, 0]).astype(int), np.round(screen[:, 1]).astype(int)
    inside = (columns >= 0) & (rows >= 0) & (columns < width) & (rows < height) & (screen[:, 2] > 0)
    shown = depth[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    return inside & (screen[:, 2] <= shown + tolerance)


# ------------------------------------------------------------------------------------------------------------ random


def _both(name, weight, rng, spread=0.15):
    """The weight for left and right, slightly uneven."""
    return {f"{name}_{side}": float(np.clip(weight * (1 + rng.normal(0, spread)), 0, 1)) for side in "LR"}


VISEMES: dict[str, dict[str, float]] = {
    "a": {"jawOpen": 0.55, "mouthLowerDown_L": 0.3, "mouthLowerDown_R": 0.3, "mouthUpperUp_L": 0.15,
          "mouthUpperUp_R": 0.15},
    "e": {"jawOpen": 0.2, "mouthStretch_L": 0.4, "mouthStretch_R": 0.4, "mouthLowerDown_L": 0.3,
          "mouthLowerDown_R": 0.3, "mouthUpperUp_L": 0.2, "mouthUpperUp_R": 0.2},
    "i": {"jawOpen": 0.1, "mouthSmile_L": 0.3, "mouthSmile_R": 0.3, "mouthStretch_L": 0.3, "mouthStretch_R": 0.3,
          "mouthLowerDown_L": 0.25, "mouthLowerDown_R": 0.25, "mouthUpperUp_L": 0.2, "mouthUpperUp_R": 0.2},
    "o": {"jawOpen": 0.4, "mouthFunnel": 0.65, "mouthPucker": 0.2},
    "u": {"jawOpen": 0.12, "mouthPucker": 0.75, "mouthFunnel": 0.3},
    "m": {"mouthPress_L": 0.4, "mouthPress_R": 0.4, "mouthRollLower": 0.2, "mouthRollUpper": 0.15},
    "f": {"jawOpen": 0.07, "mouthRollLower": 0.5, "mouthUpperUp_L": 0.25, "mouthUpperUp_R": 0.25},
    "l": {"jawOpen": 0.25, "mouthLowerDown_L": 0.2, "mouthLowerDown_R": 0.2},
}  # fmt: skip


def random_expression(rng: np.random.Generator) -> dict[str, float]:
    """A plausible face as ARKit weights: rest, speech or an emotion; open, half-closed, shut or winking eyes; brows;
    and a gaze direction both eyes share."""
    weights: dict[str, float] = {}

    def add(more, amount=1.0):
        for name, weight in more.items():
            weights[name] = float(np.clip(weights.get(name, 0.0) + amount * weight, 0, 1))

    kind = rng.choice(["rest", "speech", "smile", "wide", "odd"], p=[0.22, 0.36, 0.2, 0.1, 0.12])
    if kind == "speech":
        names = list(VISEMES)
        add(VISEMES[names[rng.integers(len(names))]], rng.uniform(0.3, 1.3))
        add(VISEMES[names[rng.integers(len(names))]], rng.uniform(0, 0.4))
    elif kind == "smile":
        smile = rng.uniform(0.2, 1.0)
        add(_both("mouthSmile", smile, rng))
        add(_both("cheekSquint", 0.7 * smile, rng))
        add(_both("eyeSquint", 0.5 * smile, rng))
        add(_both("mouthUpperUp", rng.uniform(0, 0.4), rng))
        add({"jawOpen": max(0.0, rng.uniform(-0.15, 0.5))})
    elif kind == "wide":
        add({"jawOpen": rng.uniform(0.5, 1.0)})
        add(_both("mouthLowerDown", rng.uniform(0, 0.4), rng))
        add(_both("mouthSmile", max(0.0, rng.uniform(-0.3, 0.5)), rng))
    elif kind == "odd":
        names = [n for n in ("jawForward", "jawLeft", "jawRight", "mouthLeft", "mouthRight", "mouthRollLower",
                             "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPucker",
                             "mouthFunnel")]  # fmt: skip
        pairs = ["mouthFrown", "mouthDimple", "mouthPress", "mouthStretch", "noseSneer", "cheekPuff", "mouthLowerDown"]
        for name in rng.choice(names, 2, replace=False):
            add({str(name): rng.uniform(0.1, 0.8)})
        for name in rng.choice(pairs, 2, replace=False):
            add(_both(str(name), rng.uniform(0.1, 0.9), rng, 0.4))
        add({"jawOpen": max(0.0, rng.uniform(-0.4, 0.5))})

    brows = rng.choice(["none", "up", "down", "inner"], p=[0.5, 0.22, 0.16, 0.12])
    if brows in ("up", "inner"):
        amount = rng.uniform(0.2, 1)
        add(_both("browInnerUp", amount, rng))
        if brows == "up":
            add(_both("browOuterUp", amount, rng, 0.3))
            add(_both("eyeWide", max(0.0, rng.uniform(-0.4, 0.8)), rng))
    elif brows == "down":
        add(_both("browDown", rng.uniform(0.2, 1), rng))
        add(_both("eyeSquint", rng.uniform(0, 0.5), rng))

    lids = rng.choice(["open", "part", "shut", "wink"], p=[0.5, 0.22, 0.16, 0.12])
    if lids == "part":
        add(_both("eyeBlink", rng.uniform(0.05, 0.95), rng, 0.05))
    elif lids == "shut":
        add({"eyeBlink_L": 1.0, "eyeBlink_R": 1.0})
    elif lids == "wink":
        side = "LR"[rng.integers(2)]
        add({f"eyeBlink_{side}": rng.uniform(0.7, 1.0), f"cheekSquint_{side}": rng.uniform(0, 0.7),
             f"mouthSmile_{side}": rng.uniform(0, 0.5)})  # fmt: skip

    sideways, upward = rng.normal(0, 0.4, 2) if rng.random() < 0.7 else rng.uniform(-1, 1, 2)
    add(gaze(float(np.clip(sideways, -1, 1)), float(np.clip(upward, -1, 1))))
    # Shut lips do not pass through each other, and lids at most close.
    for side in "LR":
        if weights.get(f"eyeBlink_{side}", 0) > 0.5:
            weights[f"eyeWide_{side}"] = 0.0
            weights[f"eyeSquint_{side}"] = weights.get(f"eyeSquint_{side}", 0) * 0.3
    return {k: v for k, v in weights.items() if v > 0}


def gaze(sideways: float, upward: float) -> dict[str, float]:
    """eyeLook* weights of both eyes; sideways -1..1 (positive: to the person's left), upward -1..1."""
    left, right = max(sideways, 0.0), max(-sideways, 0.0)
    up, down = max(upward, 0.0), max(-upward, 0.0)
    return {"eyeLookOut_L": left, "eyeLookIn_R": left, "eyeLookIn_L": right, "eyeLookOut_R": right,
            "eyeLookUp_L": up, "eyeLookUp_R": up, "eyeLookDown_L": down, "eyeLookDown_R": down}  # fmt: skip


# Linear RGB from the palest to the darkest skin; reflectances near those of the Monk skin tone scale.
SKIN_TONES = np.array(
    [(0.80, 0.60, 0.50), (0.72, 0.50, 0.39), (0.60, 0.38, 0.27), (0.47, 0.27, 0.17), (0.33, 0.17, 0.10),
     (0.20, 0.095, 0.055), (0.11, 0.052, 0.033)]
)  # fmt: skip
HAIR_COLORS = np.array(
    [(0.012, 0.010, 0.009), (0.03, 0.018, 0.012), (0.075, 0.042, 0.024), (0.17, 0.10, 0.05), (0.42, 0.29, 0.15),
     (0.22, 0.075, 0.025), (0.35, 0.34, 0.33), (0.65, 0.63, 0.60)]
)  # fmt: skip
IRIS_COLORS = np.array(
    [(0.08, 0.04, 0.02), (0.16, 0.085, 0.035), (0.22, 0.15, 0.06), (0.16, 0.19, 0.10), (0.14, 0.22, 0.30),
     (0.22, 0.27, 0.30)]
)  # fmt: skip


def random_appearance(rng: np.random.Generator) -> Appearance:
    """A random person's skin, eyes, hair, brows, beard, glasses and clothes."""
    tone = rng.uniform(0, len(SKIN_TONES) - 1)
    i = min(int(tone), len(SKIN_TONES) - 2)
    skin = SKIN_TONES[i] * (1 - tone + i) + SKIN_TONES[i + 1] * (tone - i)
    skin = skin * np.exp(rng.normal(0, 0.08) + rng.normal(0, 0.03, 3))
    pale = tone < 2.5
    hair_p = [0.2, 0.2, 0.18, 0.1, 0.12, 0.07, 0.08, 0.05] if pale else [0.5, 0.28, 0.08, 0.01, 0.01, 0.01, 0.07, 0.04]
    hair = HAIR_COLORS[rng.choice(len(HAIR_COLORS), p=hair_p)] * np.exp(rng.normal(0, 0.2, 3) * [1, 0.4, 0.4])
    iris_p = [0.15, 0.2, 0.15, 0.15, 0.2, 0.15] if pale else [0.55, 0.32, 0.09, 0.02, 0.01, 0.01]
    brow = hair * rng.uniform(0.35, 0.9) if hair.mean() < 0.3 else hair * rng.uniform(0.2, 0.7)
    bearded, made_up = rng.random() < 0.3, rng.random() < 0.3
    lips = skin * np.array([0.85, 0.52, 0.55]) * rng.uniform(0.8, 1.05)
    if made_up and rng.random() < 0.6:
        lips = np.array([0.45, 0.05, 0.07]) * rng.uniform(0.5, 1.3, 3)
    glasses = str(rng.choice(["", "thin", "thick", "sun"], p=[0.74, 0.12, 0.11, 0.03]))
    style_p = [0.08, 0.09, 0.2, 0.14, 0.12, 0.08, 0.09, 0.09, 0.11]
    return Appearance(
        seed=int(rng.integers(2**31)),
        skin=tuple(skin),
        redness=float(rng.uniform(0.1, 0.9)),
        freckles=float(rng.uniform(0.2, 1)) if pale and rng.random() < 0.2 else 0.0,
        lip_color=tuple(np.clip(lips, 0, 1)),
        lip_strength=float(rng.uniform(0.4, 0.95)),
        iris=tuple(IRIS_COLORS[rng.choice(len(IRIS_COLORS), p=iris_p)] * np.exp(rng.normal(0, 0.15, 3))),
        iris_size=float(rng.uniform(0.375, 0.43)),
        pupil_size=float(rng.uniform(0.25, 0.55)),
        hair=tuple(hair),
        hair_style=str(rng.choice(HAIR_STYLES, p=style_p)),
        parting=float(rng.choice([-1, 1]) * rng.uniform(0, 4)),
        hairline=float(rng.choice([0, rng.uniform(0.3, 2.5)], p=[0.7, 0.3]) + rng.normal(0, 0.3)),
        brow_color=tuple(brow),
        brow_thickness=float(rng.uniform(0.6, 1.5)),
        brow_strength=float(rng.uniform(0.4, 1.0)),
        lash_strength=float(rng.uniform(0.3, 1.3)) * (1.3 if made_up else 1),
        eyeliner=float(rng.uniform(0.3, 1)) if made_up else 0.0,
        stubble=float(rng.uniform(0.1, 0.8)) if bearded else 0.0,
        beard_length=float(rng.uniform(0.3, 1.8)) if bearded and rng.random() < 0.45 else 0.0,
        glasses=glasses,
        glasses_color=tuple(rng.choice([0.01, 0.05, 0.3]) * rng.uniform(0.3, 1.5, 3)),
        lens=(float(rng.uniform(2.2, 2.8)), float(rng.uniform(1.5, 2.3))),
        cloth=tuple(np.clip(rng.uniform(0.02, 0.6) * rng.uniform(0.3, 1.6, 3), 0.01, 0.8)),
        collar=float(rng.choice([0, 0.8, 3.0], p=[0.7, 0.2, 0.1])),
    )


def random_head(model: HeadModel, rng: np.random.Generator, max_yaw=75.0, max_pitch=35.0, max_roll=50.0,
                identity_spread=0.9) -> HeadParameters:  # fmt: skip
    """A random person with a random face and turn, degrees; half of the turns are small, as in real use."""
    if rng.random() < 0.5:
        limits = np.array([max_yaw, max_pitch, max_roll])
        rotation = rng.uniform(-1, 1, 3) * limits
        rotation[1] *= 1 - 0.4 * abs(rotation[0]) / max(max_yaw, 1e-6)
        rotation[2] *= rng.choice([0.3, 1.0])
    else:
        rotation = np.clip(rng.normal(0, 1, 3) * [20, 10, 8], [-max_yaw, -max_pitch, -max_roll],
                           [max_yaw, max_pitch, max_roll])  # fmt: skip
    torso = rotation * [0.35, 0.15, 0.15] + rng.normal(0, [8, 3, 3])
    # Nobody turns the head further than this against the shoulders.
    torso[0] = np.clip(torso[0], rotation[0] - 60, rotation[0] + 60)
    torso[2] = np.clip(torso[2], rotation[2] - 30, rotation[2] + 30)
    count = len(model.identity)
    identity = rng.normal(0, identity_spread, count) * np.where(np.arange(count) < 12, 0.9, 1.0)
    return HeadParameters(np.clip(identity, -2.2, 2.2).astype(np.float32), random_appearance(rng),
                          random_expression(rng), tuple(float(a) for a in rotation),
                          tuple(float(a) for a in torso))  # fmt: skip


def random_camera(rng: np.random.Generator, rotation: tuple[float, float, float] = (0.0, 0.0, 0.0),
                  face_share: tuple[float, float] = (0.4, 0.7), offset: float = 0.06) -> Camera:  # fmt: skip
    """A camera that shows the face (about 20 cm from hairline to chin) of a head turned by `rotation` with a share of
    the picture's height in `face_share`, up to `offset` of the height away from the middle; from near (40 cm) to far
    (2 m)."""
    distance = float(np.exp(rng.uniform(np.log(42), np.log(200))))
    share = rng.uniform(*face_share)
    focal = share * distance / 20.0
    view = distance / focal  # cm that the picture's height spans there
    x, y = rng.uniform(-offset, offset, 2) * view
    face = NECK + head_rotation(*rotation) @ (FACE_MIDDLE - NECK)
    return Camera(float(focal), (float(x - face[0]), float(y - face[1]), float(distance + face[2])))


def random_background(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """A made-up blurred surrounding (size, size, 3), BGR uint8: gradients, rectangles, blobs, noise."""
    picture = np.empty((size, size, 3), np.float32)
    a, b = (
        rng.uniform(0, 255, (2, 3)) if rng.random() < 0.5 else rng.uniform(0, 255, (2, 1)) + rng.normal(0, 15, (2, 3))
    )
    t = np.linspace(0, 1, size, dtype=np.float32)
    slope = rng.uniform(0, 1)
    ramp = (slope * t[:, None] + (1 - slope) * t[None])[..., None]
    picture[:] = a * (1 - ramp) + b * ramp
    for _ in range(rng.integers(0, 14)):
        color = (picture.mean((0, 1)) + rng.normal(0, 60, 3)).tolist()
        x, y = rng.integers(-size // 4, size, 2)
        w, h = rng.integers(size // 16, size, 2)
        kind = rng.integers(3)
        if kind == 0:
            cv2.rectangle(picture, (int(x), int(y)), (int(x + w), int(y + h)), color, -1)
        elif kind == 1:
            cv2.ellipse(
                picture, (int(x), int(y)), (int(w // 2), int(h // 2)), float(rng.uniform(0, 180)), 0, 360, color, -1
            )
        else:
            cv2.line(picture, (int(x), int(y)), (int(x + w), int(y + rng.integers(-size, size))), color,
                     int(rng.integers(1, size // 10)))  # fmt: skip
    grey = picture.mean(-1, keepdims=True)
    picture = grey + (picture - grey) * rng.uniform(0, 0.8)
    picture *= 1 + rng.uniform(0, 0.06) * _noise(rng, (size, size), int(rng.integers(3, 40)), 3)[..., None]
    if rng.random() < 0.8:
        picture = cv2.GaussianBlur(picture, (0, 0), float(np.exp(rng.uniform(0, np.log(12)))))
    return np.clip(picture, 0, 255).astype(np.uint8)


def random_scene(rng: np.random.Generator,
                 background: Callable[[np.random.Generator], np.ndarray] | None = None) -> Scene:  # fmt: skip
    """Random light; `background` may give pictures (h, w, 3) BGR uint8 instead of made-up ones."""
    count = int(rng.integers(1, 4))
    azimuth = np.radians(np.r_[rng.uniform(-75, 75), rng.uniform(-150, 150, count - 1)])
    elevation = np.radians(np.r_[rng.uniform(-10, 65), rng.uniform(-20, 70, count - 1)])
    lights = np.stack([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)], 1)
    warm = rng.normal(0, 0.12, (count + 2, 1)) * np.array([1, 0.1, -1]) + rng.normal(0, 0.02, (count + 2, 3))
    tint = np.exp(warm)
    power = np.r_[rng.uniform(0.3, 1.0), rng.uniform(0.05, 0.5, count - 1)]
    sky = tint[-1] * rng.uniform(0.25, 0.8)
    ground = tint[-2] * sky.mean() * rng.uniform(0.25, 0.9)
    # The camera's own exposure aims at the same brightness, within a stop or so.
    exposure = np.exp(rng.normal(0, 0.3)) * 0.95 / (0.5 * (sky.mean() + ground.mean()) + 0.6 * power.sum())
    picture = background(rng) if background else random_background(rng)
    return Scene(lights.astype(np.float32), (power[:, None] * tint[:count]).astype(np.float32),
                 sky.astype(np.float32), ground.astype(np.float32), picture, float(exposure),
                 bool(rng.random() < 0.75))  # fmt: skip


def random_rendering(model: HeadModel, rng: np.random.Generator, size: int = 256,
                     background: Callable[[np.random.Generator], np.ndarray] | None = None,
                     supersample: int = 2) -> Rendering:  # fmt: skip
    """One random head, the whole face in the picture: what the command line caches. size: height and width."""
    head = random_head(model, rng)
    scene = random_scene(rng, background)
    camera = random_camera(rng, head.rotation)
    # Skin that is darker gets a longer exposure, as a camera would, but not all the way.
    brightness = float(np.mean(head.appearance.skin))
    scene = Scene(scene.lights, scene.light_colors, scene.sky, scene.ground, scene.background,
                  scene.exposure * (0.35 / brightness) ** 0.45, scene.shadows)  # fmt: skip
    return render(model, head, camera, scene, (size, size), supersample)


EXPRESSION_NAMES = sorted({*(f"{n}_{s}" for n in (
    "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn",
    "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress",
    "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer") for s in "LR"),
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"})  # fmt: skip


def make_dataset(model: HeadModel, count: int, size: int, seed: int,
                 background: Callable[[np.random.Generator], np.ndarray] | None = None) -> dict:  # fmt: skip
    """`count` random heads as arrays: images (n, size, size, 3) BGR uint8, points (n, 66, 2) and pupils (n, 2, 2)
    row, column, visible (n, 66), pupils_visible (n, 2), eye_open (n, 2), expression (n, k) with expression_names,
    pose (n, 3) yaw, pitch, roll in degrees. Head i depends on (seed, i) alone."""
    from tqdm import tqdm  # of the training requirements; the renderer itself does without

    rows = []
    for i in tqdm(range(count), unit="head"):
        rows.append(random_rendering(model, np.random.default_rng([seed, i]), size, background))
    return {
        "images": np.stack([r.image for r in rows]),
        "points": np.stack([r.points for r in rows]).astype(np.float32),
        "pupils": np.stack([r.pupils for r in rows]).astype(np.float32),
        "visible": np.stack([r.visible for r in rows]),
        "pupils_visible": np.stack([r.pupils_visible for r in rows]),
        "eye_open": np.stack([r.eye_open for r in rows]).astype(np.float32),
        "expression": np.array([[r.expression.get(n, 0.0) for n in EXPRESSION_NAMES] for r in rows], np.float32),
        "expression_names": np.array(EXPRESSION_NAMES),
        "pose": np.array([r.rotation for r in rows], np.float32),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="how many heads (default 1000)")
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    parser.add_argument("--size", type=int, default=256, help="height and width in pixels (default 256)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    data = make_dataset(HeadModel.load(), arguments.count, arguments.size, arguments.seed)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(arguments.out, **data)
    print(f"{arguments.out}: {arguments.count} heads, {data['images'].nbytes / 1e6:.0f} MB of pixels")


if __name__ == "__main__":
    main()
