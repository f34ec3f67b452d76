"""Pasting a face into a picture, and what a camera does to the whole."""

from __future__ import annotations

import cv2
import numpy as np

from training.scenes.faceless import soften
from training.scenes.faces import Cutout


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
