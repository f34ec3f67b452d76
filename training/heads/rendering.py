"""Draws a head: from its parameters, a camera and a scene to a picture and its truth."""

from dataclasses import dataclass

import cv2
import numpy as np

from training.heads import rasterizer
from training.heads.geometry import head_rotation, smoothstep, sphere, turn_vectors, unit
from training.heads.hair import Strands, grow_hair
from training.heads.model import EYEBALLS, LOWER_LIP, NECK, SKULL, HeadModel, lid_gaps
from training.heads.parameters import Appearance, Camera, HeadParameters, Rendering, Scene
from training.heads.skin import SKIN_AXIS, SKIN_BOTTOM, SKIN_TOP, eye_texture, skin_texture
from training.heads.things import Mesh, glasses_meshes, torso_mesh

# Largest eye rotations in degrees at weight 1 of the eyeLook* expressions.
GAZE_SIDE, GAZE_UP, GAZE_DOWN = 32.0, 25.0, 28.0
TONGUE = (0.52, 0.19, 0.18)  # linear RGB


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
        return smoothstep(-15.5, -8.0, points[:, 1] + 0.3 * np.minimum(points[:, 2], 8)).astype(np.float32)

    def __call__(self, points, rigid=False):
        if rigid:
            return (points - NECK) @ self.head.T + self.origin
        turned = turn_vectors(self.twist, self.follow(points), points - NECK)
        return turned @ self.torso.T + self.origin

    def shoulders(self, points):
        """As __call__, for what is worn on the torso."""
        return (points - NECK) @ self.torso.T + self.origin


def gaze_angles(expression: dict[str, float], side: str) -> tuple[float, float]:
    """Yaw and pitch in degrees of the eye `side` ("R" or "L"): positive to the person's left, and up."""
    get = {k: expression.get(f"eyeLook{k}_{side}", 0.0) for k in ("In", "Out", "Up", "Down")}
    yaw = GAZE_SIDE * (get["In"] - get["Out"]) * (1 if side == "R" else -1)
    return yaw, GAZE_UP * get["Up"] - GAZE_DOWN * get["Down"]


def texture_size(height: int) -> int:
    """Rows of the skin's picture that suit a picture of that many."""
    return 640 if height <= 320 else 1024


def _turn_eyes(model, points, expression):
    """Turns the eyeballs of vertices `points` in place; returns each eye's pupil (2, 3) and the eyes' own
    coordinates (two of (770, 3), radii; z along the eye's axis)."""
    pupils, own = [], []
    for eye, side in zip(EYEBALLS, "RL", strict=True):
        ball = points[eye]
        back = ball[:, 2] < np.percentile(ball[:, 2], 60)  # without the cornea
        centre, radius = sphere(ball[back])
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
    side = unit(np.cross([0.1, 1, 0.05], light))
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
        actor = Actor.prepare(model, head.identity, look, texture_size(size[0]))
    height, width = size[0] * supersample, size[1] * supersample
    bend = _Bend(head, camera)
    local = model.shape(head.identity, head.expression)
    pupils_local, eye_own = _turn_eyes(model, local, head.expression)
    marks_local = local[model.landmarks]

    # All surfaces in one list: the head, the jumper, the frames of the glasses.
    normals_local = rasterizer.vertex_normals(local, model.triangles, model.weld)
    n = len(local)
    follow = bend.follow(local)
    camera_points = [(turn_vectors(bend.twist, follow, local - NECK) @ bend.torso.T + bend.origin)]
    camera_normals = [turn_vectors(bend.twist, follow, normals_local) @ bend.torso.T]
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
    if head.expression.get("tongueOut", 0.0) > 0:  # out of the mouth it is lit like the lips
        tongue, lip = model.tongue.vertices, local[model.anatomy[LOWER_LIP[0]], 2]
        occlusion[tongue] = np.maximum(occlusion[tongue], 0.9 * smoothstep(lip - 1.2, lip + 0.2, local[tongue, 2]))
        color[tongue] = TONGUE
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
    normal = unit(forward + 0.05 * (place - middle))  # lenses bulge
    ray = unit(place)
    mirrored = ray - 2 * (ray * normal).sum(1, keepdims=True) * normal
    glare = np.zeros((len(rows), 3), np.float32)
    for light, tint in zip(lights, tints, strict=True):
        glare += smoothstep(0.93, 0.97, mirrored @ light)[:, None] * tint * 0.12
    glare += 0.015 * tints.mean() * smoothstep(-0.2, 0.8, mirrored[:, 1:2])
    image[rows, columns] = image[rows, columns] * (1 - density) + glare
    if density > 0.5:  # what is behind dark glasses does not count as seen
        depth[rows, columns] = own[rows, columns]


def _visible(screen, depth, tolerance):
    height, width = depth.shape
    columns, rows = np.round(screen[:, 0]).astype(int), np.round(screen[:, 1]).astype(int)
    inside = (columns >= 0) & (rows >= 0) & (columns < width) & (rows < height) & (screen[:, 2] > 0)
    shown = depth[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    return inside & (screen[:, 2] <= shown + tolerance)
