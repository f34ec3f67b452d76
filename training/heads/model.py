"""The 3D head: its shape, how it varies, and what the renderer needs of its mesh.

Head space is the model's: centimetres, x to the person's left, y up, z out of the face.
"""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from training.heads import rasterizer
from training.heads.geometry import smoothstep, unit
from training.heads.rasterizer import EYE, SKIN, WET
from training.heads.tongue import Tongue

REPOSITORY = Path(__file__).resolve().parents[2]

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

SKULL = np.array([0.0, 4.0, 0.5], np.float32)  # the point that hair grows away from
NECK = np.array([0.0, -9.0, -2.0], np.float32)  # the point that the head turns about
LOWER_LIP = [64, 55]  # of the 66 points: its middle, inside and outside
FACE_MIDDLE = np.array([0.0, 0.5, 8.0], np.float32)


def data_folder() -> Path:
    """The folder with ict_face_model.npz: `data` in the environment variable OSF_REFERENCE, or ../shared."""
    return Path(os.environ.get("OSF_REFERENCE", REPOSITORY.parent / "shared")) / "data"


def lid_gaps(marks: np.ndarray) -> np.ndarray:
    """Height of the eyes' openings (right, left), cm, from the 66 points in head space; below 0 where lids overlap."""
    return np.array([(marks[o + 1 : o + 3, 1] - marks[[o + 5, o + 4], 1]).mean() for o in (36, 42)])


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
            if name == "tongueOut":  # the mesh has no such expression
                continue
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
        lip = points[self.anatomy[LOWER_LIP]]
        self.tongue.stick_out(points, lip[0], lip[1], expression.get("tongueOut", 0.0))
        return points

    @cached_property
    def tongue(self) -> Tongue:
        """What moves when the tongue comes out."""
        return Tongue(self.neutral, self.triangles, self.weld)

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
            side = unit(np.cross([0.3, 1, 0.2], direction)).astype(np.float32)
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
        result[inside] = 0.03 + 0.75 * smoothstep(5.5, 11.0, self.neutral[inside, 2]) ** 1.5
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
