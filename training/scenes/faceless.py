"""Backgrounds, and things that are no faces."""

from __future__ import annotations

import cv2
import numpy as np

from training.scenes.faces import Cutout


def any_colour(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0, 255, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(0, 255)) + rng.normal(0, 12, 3)


def skin_colour(rng: np.random.Generator) -> np.ndarray:
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


def noise(rng: np.random.Generator, size: int) -> np.ndarray:
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
    canvas = any_colour(rng) * (1 - ramp) + any_colour(rng) * ramp
    canvas = np.clip(canvas + noise(rng, size) * rng.choice([3, 15, 45]), 0, 255).astype(np.uint8)
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
    colour = tuple(float(v) for v in (skin_colour(rng) if rng.random() < 0.25 else any_colour(rng)))
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
    turn, skin = rng.uniform(0, 2 * np.pi), skin_colour(rng)

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
        fill = face.reshape(-1, 3).mean(0) + noise(rng, max(h, w))[:h, :w] * 6
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
            image = np.full((16, 16, 3), skin_colour(rng), np.uint8)
    return image
