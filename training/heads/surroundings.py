"""Random cameras, light and backgrounds."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from training.heads.geometry import head_rotation
from training.heads.model import FACE_MIDDLE, NECK
from training.heads.parameters import Appearance, Camera, Scene
from training.heads.skin import noise


def face_middle(rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """Where the middle of the face of a head turned by `rotation` (degrees) lies from the head's origin, camera space
    (3,), cm."""
    return NECK + head_rotation(*rotation) @ (FACE_MIDDLE - NECK)


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
    face = face_middle(rotation)
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
    picture *= 1 + rng.uniform(0, 0.06) * noise(rng, (size, size), int(rng.integers(3, 40)), 3)[..., None]
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


def fitting_light(scene: Scene, look: Appearance) -> Scene:
    """The scene with an exposure for the person's skin: longer for darker skin, as cameras choose it, but not all the
    way."""
    return replace(scene, exposure=scene.exposure * (0.35 / float(np.mean(look.skin))) ** 0.45)
