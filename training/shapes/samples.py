"""Samples for the blend-shape model: drawn heads with exact weights, training faces with the teacher's, points alone.

A sample is a picture in the face's frame, point features and 52 weights with how much each of them counts. The points
are those that landmark models really give, so frames are as wrong as they will be.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tracking.blendshapes import POINT_FEATURES, SIDE, crop_to_image, face_frame, point_features
from tracking.faces import BLENDSHAPE_NAMES
from training import crops, data
from training.shapes.answers import head_points
from training.shapes.points import arkit_matrix
from training.shapes.surface import COUNT, mirror_of_surface

SHAPES = len(BLENDSHAPE_NAMES)
_SIDES = {"Left": "Right", "Right": "Left"}
# The shape that takes each one's place in a mirror.
MIRROR_SHAPES = np.array([
    BLENDSHAPE_NAMES.index(next((n[: -len(a)] + b for a, b in _SIDES.items() if n.endswith(a)), n))
    for n in BLENDSHAPE_NAMES
])  # fmt: skip
MIRROR_68 = np.concatenate([data.MIRROR, [67, 66]])
# What FaceLandmarker sees well.
TAUGHT = tuple(
    name for name in BLENDSHAPE_NAMES
    if name.startswith(("eyeBlink", "eyeLook", "browInnerUp", "browOuterUp", "browDown", "mouthSmile"))
    or name in ("jawOpen", "mouthPucker", "mouthFunnel")
)  # fmt: skip


@dataclass
class Faces:
    """Pictures with points and shapes; arrays run over the faces.

    images: BGR uint8, by their numbers; points [n, k, 68, 2]: x, y by several models, nan where one saw nothing, the
    truth last; shapes [n, 52]; counts [n, 52]: how much each weight counts in the loss; surface [n, 68 + COUNT, 2]:
    where landmarks, pupils and skin truly lie, nan where nobody knows.
    """

    images: list[np.ndarray]
    points: np.ndarray
    shapes: np.ndarray
    counts: np.ndarray
    surface: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def every(self, step: int) -> Faces:
        """Every so many'th, without those that the default landmark model does not see."""
        chosen = [i for i in range(0, len(self), step) if np.isfinite(self.points[i, 0]).all()]
        arrays = (getattr(self, f)[chosen] for f in ("points", "shapes", "counts", "surface"))
        return Faces([self.images[i] for i in chosen], *arrays)

    def joined(self, other: Faces) -> Faces:
        """Both."""
        return Faces(self.images + other.images, *(
            np.concatenate([getattr(self, f), getattr(other, f)]) for f in ("points", "shapes", "counts", "surface")
        ))  # fmt: skip


def head_shapes(store: dict[str, np.ndarray]) -> np.ndarray:
    """The 52 weights [n, 52] of a data set of heads."""
    return store["expression"] @ arkit_matrix([str(name) for name in store["expression_names"]])


def head_files() -> list[Path]:
    """The cached drawn heads whose answers and surfaces are there too."""
    found = sorted(data.cache_folder().glob("heads*.npz"))
    besides = ("answers", "surface")
    return [path for path in found if all(path.with_name(f"{what}_{path.name}").exists() for what in besides)]


def drawn_faces(held_out: bool) -> Faces:
    """The drawn heads: every tenth is held out. The truth is among the points. FileNotFoundError without any."""
    parts = []
    for path in head_files():
        with np.load(path) as stored:
            store = dict(stored)
        chosen = np.flatnonzero((np.arange(len(store["points"])) % data.HELD_OUT_SHARE == 0) == held_out)
        answers = np.load(path.with_name(f"answers_{path.name}"))["points"]
        points = np.concatenate([answers, head_points(store)[:, None]], 1)[chosen]
        shapes = head_shapes(store)[chosen]
        surface = np.load(path.with_name(f"surface_{path.name}"))["points"][chosen]
        parts.append(Faces(list(store["images"][chosen]), points, shapes, np.ones_like(shapes), surface))
    if not parts:
        raise FileNotFoundError(f"no heads*.npz with answers in {data.cache_folder()}")
    faces = parts[0]
    for part in parts[1:]:
        faces = faces.joined(part)
    return faces


def teacher_scale() -> tuple[np.ndarray, np.ndarray]:
    """What FaceLandmarker says [52] of drawn heads on which a shape is not there, and where it is wholly there: the
    ends of its scale."""
    seen, true = [], []
    for path in head_files():
        said = path.with_name(f"shapes_{path.name}")
        if said.exists():
            with np.load(path) as stored:
                keys = ("expression", "expression_names", "pose")
                store = {key: stored[key] for key in keys}
            frontal = np.abs(store["pose"][:, 0]) < 40
            seen.append(np.load(said)["shapes"][frontal])
            true.append(head_shapes(store)[frontal])
    said, truth = np.concatenate(seen), np.concatenate(true)
    low, high = np.zeros(SHAPES, np.float32), np.ones(SHAPES, np.float32)
    for k, name in enumerate(BLENDSHAPE_NAMES):
        if name in TAUGHT:
            low[k] = np.nanmedian(said[truth[:, k] < 0.03, k])
            high[k] = max(np.nanmedian(said[truth[:, k] > 0.85, k]), low[k] + 0.15)
    return low, high


def real_faces() -> Faces:
    """The training people's pictures: the teacher's weights for what it sees well; for the rest nothing, but zeros on
    faces that do nothing."""
    folder = data.cache_folder()
    known = crops.load()
    with np.load(folder / "answers_crops.npz") as stored:
        answers, of = stored["points"], stored["of"]
    with np.load(folder / "shapes_images.npz") as stored:
        taught = dict(zip(stored["keys"].tolist(), stored["shapes"], strict=True))
    low, high = teacher_scale()
    is_taught = np.isin(BLENDSHAPE_NAMES, TAUGHT)
    images, points, shapes, counts = [], [], [], []
    mouth = [BLENDSHAPE_NAMES.index(n) for n in ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthFunnel")]
    for i, answer in zip(of, answers, strict=True):
        said = taught[str(known.keys[i])]
        weights = np.where(is_taught, np.clip((np.nan_to_num(said) - low) / (high - low), 0, 1), 0)
        resting = bool((weights[mouth] < 0.1).all())
        images.append(np.array(known.image(i)))
        labels = np.concatenate([known.points[i], answer[0, 66:]])
        points.append(np.concatenate([answer, labels[None]]))
        shapes.append(weights)
        counts.append(np.where(is_taught, 0.6, 0.15 if resting else 0.0))
    unknown = np.full((len(images), 68 + COUNT, 2), np.nan, np.float32)
    return Faces(images, *(np.stack(rows).astype(np.float32) for rows in (points, shapes, counts)), unknown)


def correlations(answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each column of two arrays (n, k); nan where one of them does not vary."""
    a, b = answers - answers.mean(0), truth - truth.mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))


# --- views ------------------------------------------------------------------------------------------------------


def spoil(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What cameras do to a picture: light, colour, blur, coarse pixels, noise, JPEG. BGR uint8 in and out."""
    v = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(rng.normal(0, 0.3)) * np.exp(rng.normal(0, 0.06, 3))
    gain = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.07, 3))
    table = np.clip(255 * (v[:, None] ** gamma * gain + rng.normal(0, 0.03)), 0, 255).astype(np.uint8)
    picture = cv2.LUT(picture, table[None])
    if rng.random() < 0.12:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    chance = rng.random()
    if chance < 0.2:
        low = int(rng.integers(SIDE // 3, SIDE))
        small = cv2.resize(picture, (low, low), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    elif chance < 0.35:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.5))
    if rng.random() < 0.6:
        picture = cv2.add(picture, cv2.randn(np.empty(picture.shape, np.int16), 0, rng.gamma(2, 3)), dtype=cv2.CV_8U)
    if rng.random() < 0.15:
        code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])[1]
        picture = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return picture


def jittered(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A face's frame (3, 2), a little turned, grown and moved."""
    turn, grow = rng.normal(0, 0.03), np.exp(rng.normal(0, 0.025))
    c, s = np.cos(turn) * grow, np.sin(turn) * grow
    x_axis = c * frame[1] + s * frame[2]
    y_axis = c * frame[2] - s * frame[1]
    moved = rng.normal(0, 0.015, 2)
    return np.stack([frame[0] + moved[0] * frame[1] + moved[1] * frame[2], x_axis, y_axis])


def mirrored_features(features: np.ndarray) -> np.ndarray:
    """Point features (..., POINT_FEATURES) of the face in a mirror."""
    points = features[..., :-1].reshape(*features.shape[:-1], 68, 2)[..., MIRROR_68, :] * np.array([-1, 1], np.float32)
    return np.concatenate([points.reshape(*features.shape[:-1], 136), features[..., -1:]], -1)


def in_frame(points: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Points (..., k, 2) of a picture in the frame (..., 3, 2) of a face."""
    unit = (frame[..., 1, :] ** 2).sum(-1)[..., None, None]
    away = points - frame[..., None, 0, :]
    return np.einsum("...ki,...ji->...kj", away, frame[..., 1:, :]) / unit


def view(faces: Faces, i: int, rng: np.random.Generator, mirror: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture [SIDE, SIDE, 3] BGR uint8 of a face, as a landmark model had it and a camera, point features, and where
    its surface lies in the face's frame [68 + COUNT, 2]."""
    seen = np.flatnonzero(np.isfinite(faces.points[i]).all((1, 2)))
    points = faces.points[i, rng.choice(seen)].astype(np.float64)
    frame = jittered(face_frame(points), rng)
    points = points + rng.normal(0, 0.006 * np.hypot(*frame[1]), points.shape)
    features = point_features(points, frame, rng.random() > 0.05)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    image, to_image = faces.images[i], crop_to_image(frame)
    picture = cv2.warpAffine(image, to_image, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    picture = spoil(picture, rng)
    surface = in_frame(faces.surface[i], frame)
    if mirror:
        return picture[:, ::-1], mirrored_features(features), (surface * (-1, 1))[mirror_of_surface()]
    return picture, features, surface


def batches(faces: Faces, chances: np.ndarray, size: int):
    """A function that makes a batch of pictures, features, shapes, counts and surfaces; they come in pairs, two views
    of a face. chances [n]: how often each face is drawn."""
    share = chances / chances.sum()

    def batch(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        pictures = np.empty((size, SIDE, SIDE, 3), np.uint8)
        features = np.empty((size, POINT_FEATURES), np.float32)
        shapes, counts = np.empty((2, size, SHAPES), np.float32)
        surfaces = np.empty((size, 68 + COUNT, 2), np.float32)
        for k, i in enumerate(rng.choice(len(faces), size // 2, p=share)):
            mirror = bool(rng.random() < 0.5)
            order = MIRROR_SHAPES if mirror else slice(None)
            for place in (2 * k, 2 * k + 1):
                pictures[place], features[place], surfaces[place] = view(faces, i, rng, mirror)
                shapes[place], counts[place] = faces.shapes[i, order], faces.counts[i, order]
        return pictures, features, shapes, counts, surfaces

    return batch


# --- points alone -----------------------------------------------------------------------------------------------


class PointSamples:
    """Batches of point features of PointHeads' heads, with the errors that landmark models have on drawn heads which
    look the same way."""

    BINS = 7  # of the direction, along either axis

    def __init__(self, drawn: Faces, errors: int = 20_000, seed: int = 0) -> None:
        with np.load(data.cache_folder() / "shapes_points.npz") as stored:
            self._points, self._shapes = stored["points"], stored["shapes"]
        frame = face_frame(self._points)
        self._frames = frame
        # Errors in the frames of the true points.
        rng = np.random.default_rng(seed)
        truth = drawn.points[:, -1]
        of, by = rng.integers(0, len(truth), errors), rng.integers(0, drawn.points.shape[1] - 1, errors)
        off = drawn.points[of, by] - truth[of]
        good = np.isfinite(off).all((1, 2))
        frames = face_frame(truth[of])
        self._errors = in_frame(off + frames[:, None, 0], frames)[good]
        bins = self._turned(truth[of][good], frames[good])
        order = np.argsort(bins, kind="stable")
        self._errors = self._errors[order]
        self._starts = np.searchsorted(bins[order], np.arange(self.BINS**2 + 1))
        self._bins = self._turned(self._points, frame)

    def _turned(self, points: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """A number [n] for which way heads look: by where the nose's tip lies from the middle of the eyes."""
        away = points[:, 30] - (points[:, 36] + points[:, 45]) / 2
        unit = (frame[:, 1] ** 2).sum(-1)
        place = np.stack([(away * frame[:, axis]).sum(-1) / unit for axis in (1, 2)], 1) - (0, 0.55)
        cell = np.clip(np.floor((place / (0.8, 0.5) + 0.5) * self.BINS), 0, self.BINS - 1).astype(int)
        return cell[:, 0] * self.BINS + cell[:, 1]

    def batch(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Features [size, POINT_FEATURES] and shapes [size, 52]."""
        i = rng.integers(0, len(self._points), size)
        first, after = self._starts[self._bins[i]], self._starts[self._bins[i] + 1]
        error = self._errors[np.minimum(first + (rng.random(size) * np.maximum(after - first, 1)).astype(int),
                                        len(self._errors) - 1)]  # fmt: skip
        frame = self._frames[i]
        off = error[..., :1] * frame[:, None, 1] + error[..., 1:] * frame[:, None, 2]
        points = self._points[i] + off
        features = point_features(points, face_frame(points), rng.random(size) > 0.05)
        shapes = self._shapes[i]
        mirror = rng.random(size) < 0.5
        features[mirror] = mirrored_features(features[mirror])
        return features, np.where(mirror[:, None], shapes[:, MIRROR_SHAPES], shapes)
