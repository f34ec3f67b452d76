"""Detector scenes: labelled faces pasted into made-up frames, with hard negatives, as a squeezed picture and
boxes.

A frame of any shape is squeezed to a square of `size` pixels, as the detectors see it. The scene is drawn in
that square at once; a face is placed, turned and scaled in frame units (the frame's height is 1) and squeezed
with the rest. Points and boxes are (x, y) pixels of the square.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training import data

ASPECTS = (16 / 9, 4 / 3, 1.0, 9 / 16, 3 / 4, 2.0)  # a frame's width / height
ASPECT_SHARE = (0.45, 0.25, 0.12, 0.08, 0.05, 0.05)
SMALLEST, LARGEST = (
    0.055,
    1.0,
)  # a face's landmarks' height / frame height: 20 of 360 pixels, and the whole frame
FOREHEAD = 0.38  # of the way from the chin to the nose's root: from the brows on to the hairline


@dataclass
class Cutout:
    """A face to paste: image [h, w, 3] BGR uint8, points [66, 2] (x, y) in it, alpha [h, w] float32 or
    None."""

    image: np.ndarray
    points: np.ndarray
    alpha: np.ndarray | None = None


@dataclass
class Scene:
    """image [size, size, 3] BGR uint8; points [n, 66, 2] (x, y), one set of landmarks for each face."""

    image: np.ndarray
    points: np.ndarray

    @property
    def boxes(self) -> np.ndarray:
        """The landmarks' bounding boxes [n, 4]: left, top, right, bottom; may reach over the picture's
        edge."""
        if not len(self.points):
            return np.zeros((0, 4), np.float32)
        return np.concatenate([self.points.min(1), self.points.max(1)], 1).astype(np.float32)


FaceSource = Callable[[np.random.Generator], Cutout]


class FaceImages:
    """Cutouts from image files, read when asked for. samples: (path, points [66, 2]) pairs."""

    def __init__(self, samples: Sequence[tuple[Path, np.ndarray]]):
        self.samples = samples

    def __call__(self, rng: np.random.Generator) -> Cutout:
        while True:
            path, points = self.samples[rng.integers(len(self.samples))]
            image = cv2.imread(os.fspath(path), cv2.IMREAD_COLOR)
            if image is not None:
                return Cutout(image, np.asarray(points, np.float32))


class Heads:
    """Cutouts from synthetic heads, as `load_heads` gives them."""

    def __init__(self, heads: dict[str, np.ndarray]):
        self.images, self.points = heads["images"], heads["points"][..., ::-1]  # row, column there

    def __call__(self, rng: np.random.Generator) -> Cutout:
        index = rng.integers(len(self.images))
        return Cutout(self.images[index], self.points[index].astype(np.float32))


def mixture(often: FaceSource, seldom: FaceSource, share: float) -> FaceSource:
    """Faces of two sources, that share of them from the second."""
    return lambda rng: (seldom if rng.random() < share else often)(rng)


def load_pictures(folder: Path | None) -> list[np.ndarray]:
    """The pictures of a folder, BGR uint8, at most 800 pixels wide; none without a folder. They must show no face."""
    pictures = []
    for file in sorted(folder.iterdir()) if folder else []:
        image = cv2.imread(os.fspath(file), cv2.IMREAD_COLOR)
        if image is not None:
            scale = min(1.0, 800 / image.shape[1])
            pictures.append(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return pictures


def load_heads(held_out: bool) -> dict[str, np.ndarray] | None:
    """Cached synthetic heads (heads*.npz in the cache folder): every tenth held out; None when there are
    none."""
    files = sorted(data.cache_folder().glob("heads*.npz"))
    if not files:
        return None
    parts = []
    for file in files:
        with np.load(file) as store:
            keys = ("images", "points", "pupils", "pupils_visible", "eye_open", "pose")
            pick = (np.arange(len(store["points"])) % 10 == 0) == held_out
            parts.append({key: store[key][pick] for key in keys})
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


# --- Backgrounds and things that are no faces -----------------------------------------------------


def _colour(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0, 255, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(0, 255)) + rng.normal(0, 12, 3)


def _skin(rng: np.random.Generator) -> np.ndarray:
    """A skin colour, BGR."""
    light = rng.uniform(50, 240)
    return np.array([rng.uniform(0.45, 0.85), rng.uniform(0.62, 0.9), 1.0]) * light


def soften(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of that deviation in pixels; a broad one is done on a smaller picture, which is far
    faster."""
    factor = int(sigma / 2.5)
    if factor < 2:
        return cv2.GaussianBlur(image, (0, 0), max(sigma, 0.1))
    h, w = image.shape[:2]
    small = cv2.resize(image, (max(1, w // factor), max(1, h // factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / factor), (w, h), interpolation=cv2.INTER_LINEAR)


def _noise(rng: np.random.Generator, size: int) -> np.ndarray:
    """Smooth coloured noise of several octaves, [size, size, 3] float32 about 0, deviation near 1."""
    total = np.zeros((size, size, 3), np.float32)
    for octave in rng.choice([2, 3, 5, 9, 17, 40, 80], 3, replace=False):
        grid = rng.standard_normal((octave, octave, 3 if rng.random() < 0.5 else 1)).astype(np.float32)
        layer = cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        total += (layer if layer.ndim == 3 else layer[..., None]) * (0.7 if octave < 10 else 0.35)
    return total


def procedural_background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Gradients, noise, shapes, stripes and lettering: [size, size, 3] BGR uint8."""
    ramp = np.linspace(0, 1, size, dtype=np.float32)
    ramp = ramp[:, None, None] if rng.random() < 0.5 else ramp[None, :, None]
    canvas = _colour(rng) * (1 - ramp) + _colour(rng) * ramp
    canvas = np.clip(canvas + _noise(rng, size) * rng.choice([3, 15, 45]), 0, 255).astype(np.uint8)
    canvas = np.array(np.broadcast_to(canvas, (size, size, 3)))
    for _ in range(rng.integers(0, 14)):
        draw_shape(rng, canvas)
    if rng.random() < 0.3:
        canvas = soften(canvas, rng.uniform(0.5, 0.03 * size))
    return canvas


def draw_shape(rng: np.random.Generator, canvas: np.ndarray, largest: float = 0.7) -> None:
    """Draw a shape, a row of lines or a word somewhere on the canvas; largest: share of its side."""
    size = canvas.shape[0]
    x, y = (int(v) for v in rng.integers(0, size, 2))
    w, h = (int(v) for v in np.exp(rng.uniform(np.log(4), np.log(size * largest), 2)))
    colour = tuple(float(v) for v in (_skin(rng) if rng.random() < 0.25 else _colour(rng)))
    thickness = -1 if rng.random() < 0.6 else int(rng.integers(1, max(2, size // 40)))
    kind = rng.integers(7)
    if kind == 0:
        cv2.rectangle(canvas, (x, y), (x + w, y + h), colour, thickness, cv2.LINE_AA)
    elif kind in (1, 2):
        cv2.ellipse(
            canvas,
            (x, y),
            (w // 2 + 1, h // 2 + 1),
            float(rng.uniform(0, 180)),
            0,
            360,
            colour,
            thickness,
            cv2.LINE_AA,
        )
    elif kind == 3:
        corners = (np.array([x, y]) + rng.normal(0, 0.5, (rng.integers(3, 8), 2)) * [w, h]).astype(np.int32)
        cv2.fillPoly(canvas, [corners], colour, cv2.LINE_AA)
    elif kind == 4:  # books, blinds, keyboards
        step = int(rng.integers(3, max(4, size // 12)))
        for i in range(int(rng.integers(3, 20))):
            shade = tuple(float(v) for v in np.array(colour) * rng.uniform(0.3, 1.2))
            cv2.rectangle(canvas, (x + i * step, y), (x + i * step + step // 2, y + h), shade, -1)
    elif kind == 5:
        text = "".join(chr(c) for c in rng.integers(33, 126, rng.integers(1, 9)))
        font = int(rng.integers(0, 8))
        cv2.putText(canvas, text, (x, y), font, h / 30 + 0.2, colour, max(1, thickness), cv2.LINE_AA)
    else:  # two blobs over one: eyes and a mouth of something that is no face
        for dx, dy, r in ((-0.25, -0.1, 0.1), (0.25, -0.1, 0.1), (0, 0.3, 0.15)):
            cv2.circle(canvas, (int(x + dx * w), int(y + dy * w)), max(1, int(r * w)), colour, thickness, cv2.LINE_AA)


def draw_hand(rng: np.random.Generator, canvas: np.ndarray, centre: np.ndarray, length: float) -> None:
    """A skin-coloured palm with fingers (and perhaps an arm), of about that length in pixels."""
    size = canvas.shape[0]
    reach = int(length) + 3
    left, top = max(0, int(centre[0]) - reach), max(0, int(centre[1]) - reach)
    right, bottom = min(size, int(centre[0]) + reach), min(size, int(centre[1]) + reach)
    if right - left < 3 or bottom - top < 3:
        return
    part = canvas[top:bottom, left:right]
    layer, mask = part.copy(), np.zeros(part.shape[:2], np.uint8)
    origin = centre - (left, top)
    turn, skin = rng.uniform(0, 2 * np.pi), _skin(rng)

    def capsule(a: np.ndarray, b: np.ndarray, width: float, shade: float) -> None:
        points = tuple(int(v) for v in origin + a), tuple(int(v) for v in origin + b)
        colour = tuple(float(v) for v in skin * shade)
        cv2.line(layer, *points, colour, max(1, int(width)), cv2.LINE_AA)
        cv2.line(mask, *points, 255, max(1, int(width)), cv2.LINE_AA)

    def direction(angle: float) -> np.ndarray:
        return np.array([np.cos(turn + angle), np.sin(turn + angle)])

    if rng.random() < 0.6:
        capsule(np.zeros(2), -direction(rng.normal(0, 0.3)) * length, length * 0.3, 0.9)
    capsule(-direction(0) * length * 0.1, direction(0) * length * 0.15, length * 0.42, 1.0)
    for i in range(int(rng.integers(2, 6))):
        angle = (i - 2) * rng.uniform(0.1, 0.3)
        start = direction(angle * 1.5) * length * 0.25
        capsule(start, start + direction(angle) * length * rng.uniform(0.15, 0.55), length * rng.uniform(0.09, 0.13),
                rng.uniform(0.75, 1.1))  # fmt: skip
    blur = max(0.4, length * 0.02)
    layer = soften(layer, blur)
    alpha = (soften(mask, blur) / 255.0)[..., None].astype(np.float32)
    part[:] = (part * (1 - alpha) + layer * alpha).astype(np.uint8)


def faceless_patch(rng: np.random.Generator, cutout: Cutout) -> np.ndarray | None:
    """A rectangle of the picture beside, above or below the face: clothes, hair, room. None when there is
    no room."""
    h, w = cutout.image.shape[:2]
    (x0, y0), (x1, y1) = cutout.points.min(0), cutout.points.max(0)
    above = 0.35 * (y1 - y0)
    options = [
        (0, 0, w, int(y0 - above)),
        (0, int(y1 + 0.05 * (y1 - y0)), w, h),
        (0, 0, int(x0 - 0.1 * (x1 - x0)), h),
        (int(x1 + 0.1 * (x1 - x0)), 0, w, h),
    ]
    options = [(a, b, c, d) for a, b, c, d in options if c - a >= 20 and d - b >= 20]
    if not options:
        return None
    a, b, c, d = options[rng.integers(len(options))]
    return cutout.image[b:d, a:c]


def spoil_face(rng: np.random.Generator, cutout: Cutout) -> np.ndarray:
    """The picture with its face made into none: tiles shuffled, features wiped out, or a part of it alone."""
    image = cutout.image.copy()
    h, w = image.shape[:2]
    (x0, y0), (x1, y1) = cutout.points.min(0), cutout.points.max(0)
    face_w, face_h = x1 - x0, y1 - y0
    a, b = max(0, int(x0 - 0.1 * face_w)), max(0, int(y0 - 0.35 * face_h))
    c, d = min(w, int(x1 + 0.1 * face_w)), min(h, int(y1 + 0.1 * face_h))
    face = image[b:d, a:c]
    kind = rng.integers(4)
    if kind == 0 and min(face.shape[:2]) >= 24:  # shuffled tiles
        n = int(rng.integers(3, 6))
        th, tw = face.shape[0] // n, face.shape[1] // n
        tiles = [face[i * th : i * th + th, j * tw : j * tw + tw].copy() for i in range(n) for j in range(n)]
        for k, source in enumerate(rng.permutation(n * n)):
            i, j = divmod(k, n)
            face[i * th : i * th + th, j * tw : j * tw + tw] = np.rot90(tiles[source], 2 * rng.integers(2))
    elif kind == 1:  # a head without features
        alpha = np.zeros((h, w), np.float32)
        hull = cv2.convexHull(cutout.points.astype(np.int32))
        cv2.fillConvexPoly(alpha, hull, 1.0)
        alpha = soften(alpha, max(1.0, 0.05 * face_w))[..., None]
        fill = face.reshape(-1, 3).mean(0) + _noise(rng, max(h, w))[:h, :w] * 6
        fill += soften(image, max(1.0, 0.3 * face_w)) - face.reshape(-1, 3).mean(0)
        image = np.clip(image * (1 - alpha) + fill * alpha, 0, 255).astype(np.uint8)
    elif kind == 2:  # another picture's worth of blur
        blurred = soften(face, max(2.0, 0.35 * face_w))
        image[b:d, a:c] = blurred
    else:  # one eye, the nose or the mouth alone
        part = [range(36, 42), range(42, 48), range(31, 36), range(48, 66)][rng.integers(4)]
        centre, half = cutout.points[list(part)].mean(0), 0.17 * face_w
        px0, py0 = np.maximum((centre - half).astype(int), 0)
        px1, py1 = (centre + half).astype(int) + 1
        image = image[py0 : max(py1, py0 + 4), px0 : max(px1, px0 + 4)]
        if not image.size:
            image = np.full((16, 16, 3), _skin(rng), np.uint8)
    return image


# --- Pasting --------------------------------------------------------------------------------------


def colourise(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A grey face in some skin colour; a coloured one as it is."""
    probe = image[::8, ::8].astype(np.int16)
    if np.abs(probe[..., 0] - probe[..., 2]).mean() > 4 or rng.random() < 0.3:
        return image
    v = np.arange(256) / 255
    gammas = 1 + np.array([0.45, 0.12, -0.12]) * rng.uniform(0.2, 1.4) + rng.normal(0, 0.05, 3)
    return cv2.LUT(image, np.clip(255 * v[:, None] ** gammas, 0, 255).astype(np.uint8)[None])


def head_alpha(rng: np.random.Generator, cutout: Cutout) -> np.ndarray:
    """Soft mask [h, w] float32 of what to paste: the head's ellipse, or as much of the picture as there is."""
    h, w = cutout.image.shape[:2]
    if cutout.alpha is not None:
        return cutout.alpha
    face_width = np.ptp(cutout.points[:, 0])
    alpha = np.ones((h, w), np.float32)
    feather = int(rng.uniform(0, 0.12) * min(h, w)) + 1
    ramp = np.minimum((np.arange(feather) + 0.5) / feather, 1).astype(np.float32)
    alpha[:feather] *= ramp[:, None]
    alpha[-feather:] *= ramp[::-1, None]
    alpha[:, :feather] *= ramp
    alpha[:, -feather:] *= ramp[::-1]
    if rng.random() < 0.5:
        # The bridge of the nose goes up to the brow and on to the top of the head: about 0.6 face heights.
        up = cutout.points[27] - cutout.points[8]
        top = cutout.points[8] + up * rng.uniform(1.55, 2.0)
        bottom = cutout.points[8] - up * rng.uniform(0.05, 0.4)
        centre = (top + bottom) / 2
        long = np.linalg.norm(top - bottom) / 2
        broad = min(long, max(0.62 * face_width, 0.55 * long) * rng.uniform(1.0, 1.35))
        angle = np.degrees(np.arctan2(up[1], up[0]))
        ellipse = np.zeros((h, w), np.float32)
        shape = (tuple(map(float, centre)), (2 * float(long), 2 * float(broad)), float(angle))
        cv2.ellipse(ellipse, shape, 1.0, -1, cv2.LINE_AA)
        alpha = np.minimum(alpha, soften(ellipse, rng.uniform(0.005, 0.06) * face_width + 0.5))
    return alpha


def paste(
    canvas: np.ndarray,
    image: np.ndarray,
    alpha: np.ndarray,
    matrix: np.ndarray,
    front: np.ndarray | None = None,
) -> None:
    """Blend an image under a 2×3 matrix (image to canvas, x and y) onto the canvas, with its soft mask, in
    place. front [size, size] float32: 1 where the canvas stays as it is."""
    h, w = image.shape[:2]
    size = canvas.shape[0]
    corners = np.array([[0, 0], [w, 0], [0, h], [w, h]]) @ matrix[:, :2].T + matrix[:, 2]
    left, top = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, size)
    if right <= left or bottom <= top:
        return
    # Shrunk first by whole areas, so that a small face is a small face and not scattered pixels.
    shrink = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    matrix = matrix.copy()
    if shrink < 0.7:
        factor = max(shrink * 1.4, 2 / min(h, w))
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(alpha, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_AREA)
        matrix[:, :2] /= (image.shape[1] / w + image.shape[0] / h) / 2
    matrix[:, 2] -= (left, top)
    where = (int(right - left), int(bottom - top))
    layer = cv2.warpAffine(image, matrix, where, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    a = cv2.warpAffine(alpha, matrix, where, flags=cv2.INTER_LINEAR)[..., None]
    if front is not None:
        a = a * (1 - front[top:bottom, left:right, None])
    part = canvas[top:bottom, left:right]
    part[:] = (part + (layer.astype(np.float32) - part) * a + 0.5).astype(np.uint8)


# --- The whole picture ----------------------------------------------------------------------------


def spoil_picture(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """What cameras do: colour cast, light, low light, blur, noise, coarse pixels, JPEG. BGR uint8 in and
    out."""
    size = image.shape[0]
    if rng.random() < 0.12:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    v = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(rng.normal(-0.05, 0.25)) * np.exp(rng.normal(0, 0.06, 3))
    gain, lift = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.06, 3)), rng.normal(0, 0.04)
    if rng.random() < 0.08:  # low light
        gain = gain * rng.uniform(0.2, 0.5)
    image = cv2.LUT(image, np.clip(255 * (v[:, None] ** gamma * gain + lift), 0, 255).astype(np.uint8)[None])
    chance = rng.random()
    if chance < 0.15:
        image = soften(image, rng.uniform(0.3, 0.008 * size))
    elif chance < 0.25:  # motion
        n = int(rng.integers(2, max(3, size // 28)))
        kernel = np.zeros((2 * n + 1, 2 * n + 1), np.float32)
        dx, dy = rng.normal(0, 1, 2)
        norm = max(abs(dx), abs(dy)) / n
        cv2.line(kernel, (int(n - dx / norm), int(n - dy / norm)), (int(n + dx / norm), int(n + dy / norm)), 1.0)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    elif chance < 0.35:  # coarse pixels
        low = int(size * rng.uniform(0.4, 0.9))
        image = cv2.resize(cv2.resize(image, (low, low), interpolation=cv2.INTER_LINEAR), (size, size))
    if rng.random() < 0.5:
        noise = cv2.randn(np.empty(image.shape, np.int16), 0, float(rng.gamma(2, 3)))
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.4:
        code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 95))])[1]
        image = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return image


class Composer:
    """Makes scenes. face: gives a cutout for a generator; size: side of the square; pictures: faceless
    images."""

    def __init__(self, face: FaceSource, size: int, pictures: Sequence[np.ndarray] = (), smallest: float = SMALLEST):
        self.face = face
        self.size = size
        self.smallest = smallest
        self.pictures = pictures

    def background(self, rng: np.random.Generator) -> np.ndarray:
        """A faceless picture [size, size, 3] BGR uint8."""
        size, chance = self.size, rng.random()
        if self.pictures and chance < 0.2:
            return self._piece(rng, self.pictures[rng.integers(len(self.pictures))])
        if chance < 0.4:
            return self._collage(rng)
        if chance < 0.75:  # one or a few pieces of real pictures beside faces
            canvas = None
            for _ in range(int(rng.integers(1, 5))):
                cutout = self.face(rng)
                patch = faceless_patch(rng, cutout) if cutout.alpha is None else None
                if patch is None:
                    continue
                piece = self._piece(rng, patch)
                if canvas is None:
                    canvas = piece
                    continue
                x, y = rng.integers(0, size, 2)
                canvas[y:, x:] = piece[y:, x:] if rng.random() < 0.5 else piece[: size - y, : size - x]
            if canvas is not None:
                if rng.random() < 0.3:
                    canvas = soften(canvas, rng.uniform(0.5, 0.02 * size))
                return canvas
        return procedural_background(rng, size)

    def _collage(self, rng: np.random.Generator) -> np.ndarray:
        """Many small sharp pieces: rooms are full of things, and small things look most like small faces."""
        size = self.size
        canvas = procedural_background(rng, size)
        cutouts = [self.face(rng) for _ in range(4)]
        patches = [patch for c in cutouts for patch in [faceless_patch(rng, c)] if patch is not None]
        patches += [spoil_face(rng, c) for c in cutouts[:2]]
        if self.pictures:
            patches.append(self.pictures[rng.integers(len(self.pictures))])
        for _ in range(int(rng.integers(8, 45))):
            h, w = np.exp(rng.uniform(np.log(0.03), np.log(0.35), 2)) * size
            y, x = rng.integers(-int(h) // 2, size - 2), rng.integers(-int(w) // 2, size - 2)
            y, x, y1, x1 = max(0, y), max(0, x), min(size, int(y + h) + 2), min(size, int(x + w) + 2)
            patch = patches[rng.integers(len(patches))]
            patch = patch[int(rng.uniform(0, 0.5) * len(patch)) :]
            patch = np.rot90(patch, int(rng.integers(4)))
            canvas[y:y1, x:x1] = cv2.resize(patch, (x1 - x, y1 - y), interpolation=cv2.INTER_AREA)
        for _ in range(int(rng.integers(0, 25))):
            draw_shape(rng, canvas, 0.15)
        return canvas

    def _piece(self, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
        h, w = image.shape[:2]
        share = rng.uniform(0.3, 1.0, 2)
        ch, cw = max(8, int(h * share[0])), max(8, int(w * share[1]))
        y, x = rng.integers(0, max(1, h - ch + 1)), rng.integers(0, max(1, w - cw + 1))
        piece = image[y : y + ch, x : x + cw]
        piece = piece[:, ::-1] if rng.random() < 0.5 else piece
        grown = piece.shape[0] < self.size
        return cv2.resize(piece, (self.size, self.size), interpolation=cv2.INTER_CUBIC if grown else cv2.INTER_AREA)

    def _matrix(
        self, cutout: Cutout, height: float, roll: float, centre: np.ndarray, aspect: float, flip: bool
    ) -> np.ndarray:
        """Image to square: the face's points `height` high in frame heights, turned, about `centre` of the
        frame."""
        lo, hi = cutout.points.min(0), cutout.points.max(0)
        scale = height / max(hi[1] - lo[1], hi[0] - lo[0], 1.0)
        c, s = np.cos(roll) * scale, np.sin(roll) * scale
        linear = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if flip else 1.0, 1.0])
        matrix = np.concatenate([linear, (centre - linear @ ((lo + hi) / 2))[:, None]], 1)
        return np.diag([self.size / aspect, self.size]) @ matrix

    def compose(self, rng: np.random.Generator, faces: int | None = None, height: float | None = None,
                roll: float | None = None, aspect: float | None = None, spoil: bool = True) -> Scene:  # fmt: skip
        """A scene. Any of these can be held: number of faces, their height / frame height, roll in degrees,
        aspect."""
        size = self.size
        aspect = aspect or ASPECTS[rng.choice(len(ASPECTS), p=ASPECT_SHARE)]
        count = int(rng.choice(5, p=[0.14, 0.36, 0.28, 0.14, 0.08])) if faces is None else faces
        canvas = self.background(rng)
        self._clutter(rng, canvas, aspect)
        in_a_row = count > 1 and rng.random() < 0.5
        row_height = np.exp(rng.uniform(np.log(self.smallest), np.log(min(LARGEST, 1.25 * aspect / max(count, 1)))))
        placed: list[np.ndarray] = []
        front = np.zeros((size, size), np.float32)  # where faces are that later ones' shoulders must not hide
        for index in range(count):
            cutout = self.face(rng)
            for _ in range(12):
                if height is not None:
                    h = height
                elif in_a_row:
                    h = row_height * rng.uniform(0.85, 1.15)
                else:
                    h = np.exp(rng.uniform(np.log(self.smallest), np.log(min(LARGEST, 1.3 * aspect / count**0.5))))
                turn = (
                    np.radians(rng.uniform(-60, 60) if rng.random() < 0.65 else rng.normal(0, 8))
                    if roll is None
                    else np.radians(roll)
                )
                margin = np.minimum(np.array([0.42, 0.45]) * h, np.array([aspect, 1.0]) / 2)
                span = np.array([aspect, 1.0]) - 2 * margin
                centre = margin + span * rng.random(2)
                if in_a_row:
                    centre[0] = margin[0] + span[0] * (index + rng.uniform(0.3, 0.7)) / count
                    if index:
                        centre[1] = np.clip(
                            placed[-1][:, 1].mean() / size + rng.normal(0, 0.3) * h, margin[1], 1 - margin[1]
                        )
                matrix = self._matrix(cutout, h, turn, centre, aspect, bool(rng.random() < 0.5))
                points = cutout.points @ matrix[:, :2].T + matrix[:, 2]
                if not any(_overlap(points, other) for other in placed):
                    break
            else:
                continue
            self._paste_face(rng, canvas, cutout, matrix, front if placed else None)
            placed.append(points)
            up = FOREHEAD * (points[27] - points[8])
            hull = cv2.convexHull(np.concatenate([points, points[17:27] + up]).astype(np.int32))
            cv2.fillConvexPoly(front, hull, 1.0, cv2.LINE_AA)
        if spoil:
            canvas = spoil_picture(rng, canvas)
        return Scene(canvas, np.array(placed, np.float32).reshape(-1, 66, 2))

    def _paste_face(
        self, rng: np.random.Generator, canvas: np.ndarray, cutout: Cutout, matrix: np.ndarray, front: np.ndarray | None
    ) -> None:
        size = self.size
        image = colourise(rng, cutout.image)
        points = cutout.points @ matrix[:, :2].T + matrix[:, 2]
        face = points.max(0) - points.min(0)
        alpha = head_alpha(rng, cutout)
        if (
            front is None and cutout.alpha is None and rng.random() < 0.35
        ):  # the picture goes on to the frame's edge, blurred
            wide = cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
            blurred = soften(wide, max(1.0, 0.06 * size))
            # Only away from the face: what is left of it there must not look like a second one.
            canvas[:] = cv2.addWeighted(blurred, 0.8, canvas, 0.2, 0)
        elif rng.random() < 0.4:  # shoulders
            down = points[8] - points[27]
            across = np.array([-down[1], down[0]])
            a, b = rng.uniform(0.3, 0.6), rng.uniform(1.0, 2.0)
            neck, hem = points[8] + down * rng.uniform(-0.2, 0.2), points[8] + down * 4
            drop = down * rng.uniform(0.4, 0.9)
            corners = np.array([neck - across * a, neck + across * a, neck + drop + across * b, hem + across * b,
                                hem - across * b, neck + drop - across * b])  # fmt: skip
            before = canvas.copy() if front is not None else None
            cv2.fillPoly(canvas, [corners.astype(np.int32)], tuple(map(float, _colour(rng))), cv2.LINE_AA)
            if before is not None:
                np.copyto(canvas, before, where=front[..., None] > 0.5)
        if cutout.alpha is None and rng.random() < 0.3:  # light that does not fit the room
            image = np.clip(image * np.exp(rng.normal(0, 0.25)), 0, 255).astype(np.uint8)
        paste(canvas, image, alpha, matrix, front)
        if rng.random() < 0.15:  # something before the face
            where = points[rng.integers(66)] + rng.normal(0, 0.1, 2) * face
            if rng.random() < 0.6:
                draw_hand(rng, canvas, where, float(face.mean() * rng.uniform(0.25, 0.7)))
            else:
                w, h = face * rng.uniform(0.1, 0.4, 2) / 2 + 1
                angle, colour = float(rng.uniform(0, 180)), tuple(map(float, _colour(rng)))
                cv2.ellipse(
                    canvas,
                    (tuple(map(float, where)), (2 * float(w), 2 * float(h)), angle),
                    colour,
                    -1,
                    cv2.LINE_AA,
                )

    def _clutter(self, rng: np.random.Generator, canvas: np.ndarray, aspect: float) -> None:
        """Hard negatives, pasted just as faces are, so that a seam says nothing."""
        for _ in range(int(rng.choice(5, p=[0.35, 0.25, 0.2, 0.12, 0.08]))):
            chance = rng.random()
            if chance < 0.2:
                draw_hand(
                    rng,
                    canvas,
                    rng.uniform(0, self.size, 2),
                    float(self.size * np.exp(rng.uniform(-3.5, -0.7))),
                )
                continue
            if chance < 0.35:
                draw_shape(rng, canvas)
                continue
            cutout = self.face(rng)
            if cutout.alpha is not None:
                continue
            image = spoil_face(rng, cutout) if chance < 0.75 else faceless_patch(rng, cutout)
            if image is None:
                continue
            image = colourise(rng, image)
            h, w = image.shape[:2]
            high = np.exp(rng.uniform(np.log(0.08), np.log(0.9)))
            frame = np.array([[0, 0], [w, h]], np.float32)
            stand_in = Cutout(image, np.repeat(frame, 33, 0))
            centre = rng.random(2) * [aspect, 1.0]
            matrix = self._matrix(
                stand_in, high, np.radians(rng.uniform(-45, 45)), centre, aspect, bool(rng.random() < 0.5)
            )
            alpha = np.zeros((h, w), np.float32)
            border = max(1, int(0.08 * min(h, w)))
            if rng.random() < 0.5:
                alpha[border : h - border, border : w - border] = 1
            else:
                cv2.ellipse(
                    alpha,
                    (w // 2, h // 2),
                    (max(1, w // 2 - border), max(1, h // 2 - border)),
                    0,
                    0,
                    360,
                    1.0,
                    -1,
                )
            paste(canvas, image, soften(alpha, rng.uniform(0.3, border)), matrix)


class Replay:
    """Scenes for batches: each composed once and then shown several times, mirrored and spoilt anew.

    Composing costs more than a step of training does. share: how many of a batch are new; keep: how many are kept.
    """

    def __init__(self, composer: Composer, share: float = 0.25, keep: int = 3000):
        self.composer = composer
        self.share = share
        self.keep = keep
        self.kept: list[Scene] = []

    def __call__(self, rng: np.random.Generator, count: int) -> list[Scene]:
        """That many scenes."""
        new = count if len(self.kept) < 8 * count else max(1, round(self.share * count))
        made = [self.composer.compose(rng, spoil=False) for _ in range(new)]
        shown = made + [self.kept[i] for i in rng.integers(0, max(1, len(self.kept)), count - new)]
        for scene in made:
            if len(self.kept) < self.keep:
                self.kept.append(scene)
            else:
                self.kept[rng.integers(self.keep)] = scene
        return [self._show(rng, scene) for scene in shown]

    def _show(self, rng: np.random.Generator, scene: Scene) -> Scene:
        image, points = scene.image, scene.points
        if rng.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
            points = data.mirror_points(points, image.shape[1])
        return Scene(spoil_picture(rng, image), points)


def _overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two sets of points' boxes come so close that one face would hide much of the other."""
    grow = 0.12
    a0, a1, b0, b1 = a.min(0), a.max(0), b.min(0), b.max(0)
    slack_a, slack_b = grow * (a1 - a0), grow * (b1 - b0)
    slack_a[1], slack_b[1] = 2.5 * slack_a[1], 2.5 * slack_b[1]  # the forehead and hair above the points
    return bool(((a0 - slack_a < b1 + slack_b) & (b0 - slack_b < a1 + slack_a)).all())
