"""From a cached face crop to one training sample: the tracker's crop, as wrong and as ugly as real ones are.

Every function takes a numpy Generator, so that samples follow from the seed. Images are BGR uint8 [h, w, 3].
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from training import data

GROW = np.array([0.1, 0.125])  # the tracker grows a box by these shares of its size at each side, x and y
NOISE_SIGMA = 512
NOISE = np.random.default_rng(0).normal(0, NOISE_SIGMA, (512, 512, 3)).astype(np.int16)  # windows of it are added
BORDERS = (cv2.BORDER_REFLECT_101, cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT)


# --- geometry ---------------------------------------------------------------------------------------------------


def random_pose(rng: np.random.Generator) -> np.ndarray:
    """A random turn and slight stretch of the picture [2, 2]: mostly near upright, often to ±45°, at times further."""
    kind = rng.random()
    if kind < 0.45:
        angle = rng.normal(0, 8)
    elif kind < 0.93:
        angle = rng.uniform(-48, 48)
    else:
        angle = rng.uniform(-75, 75)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    stretch = np.exp(rng.normal(0, 0.06))
    shear = rng.normal(0, 0.03)
    return np.array([[c, -s], [s, c]]) @ np.array([[stretch, shear], [0, 1 / stretch]])


def random_box(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A box (x0, y0, x1, y1) as the tracker could have it for points [66, 2].

    Mostly the grown box of the previous frame's points, as far off as faces move, so that little is to be learnt from
    where it lies; else a detector's box: shifted by up to a quarter of the face, too large or too small.
    """
    low, high = points.min(0), points.max(0)
    size = high - low
    low, high = low - GROW * size, high + GROW * size
    if rng.random() < 0.6:
        low, high = low + rng.normal(0, 0.06, 2) * size, high + rng.normal(0, 0.06, 2) * size
    else:
        centre, half = (low + high) / 2, (high - low) / 2
        centre = centre + rng.uniform(-0.27, 0.27, 2) * size
        half = half * rng.uniform(0.75, 1.5) * np.exp(rng.normal(0, 0.08, 2))
        low, high = centre - half, centre + half
    return np.concatenate((low, high))


def warp(
    image: np.ndarray, matrix: np.ndarray, box: np.ndarray, side: int, border: int, colour: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The crop [side, side, 3] of a box in the picture turned by `matrix` [2, 2], and the affine map [2, 3] that takes
    points of the image to shares of the crop's side."""
    scale = 1 / (box[2:] - box[:2])
    # A pixel's centre lies half a pixel from the edge at which the box's coordinates start.
    to_share = np.concatenate((matrix * scale[:, None], ((0.5 - box[:2]) * scale)[:, None]), 1)
    to_pixel = to_share * side - np.array([[0, 0, 0.5]] * 2)
    crop = cv2.warpAffine(image, to_pixel, (side, side), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=colour)
    return crop, to_share


@dataclass(frozen=True)
class View:
    """One crop of a face."""

    image: np.ndarray  # [side, side, 3]
    shares: np.ndarray  # [66, 2] x, y of the points in shares of the crop's side
    box: np.ndarray  # [4] x, y, width, height of the crop, the same scale for all views of a sample; unit: face size


def random_views(image: np.ndarray, points: np.ndarray, side: int, count: int, rng: np.random.Generator) -> list[View]:
    """Random crops of a face. Further views than the first show the same picture in slightly other boxes."""
    border = BORDERS[rng.choice(3, p=(0.45, 0.25, 0.3))]
    colour = tuple(int(v) for v in rng.integers(0, 256, 3))
    at_frame = rng.random() < 0.2  # the tracker cuts boxes to the frame: there nothing is filled in
    matrix = np.eye(2) if at_frame else random_pose(rng)
    mirrored = rng.random() < 0.5
    turned = points @ matrix.T
    size = np.ptp(turned, axis=0)
    box = random_box(turned, rng)
    frame = np.array([-np.inf, -np.inf, np.inf, np.inf])
    if at_frame:
        height, width = image.shape[:2]
        frame = np.array([0.0, 0.0, width, height])
        if rng.random() < 0.3:  # a frame's edge through the face
            edge = rng.integers(0, 4)
            frame[edge] = box[edge] + (1 if edge < 2 else -1) * rng.uniform(0.1, 0.35) * size[edge % 2]
    views = []
    for _ in range(count):
        cut = np.concatenate((np.maximum(box[:2], frame[:2]), np.minimum(box[2:], frame[2:])))
        if (cut[2:] - cut[:2] < 8).any():
            cut = box
        crop, to_share = warp(image, matrix, cut, side, border, colour)
        shares = points @ to_share[:, :2].T + to_share[:, 2]
        place = np.concatenate((cut[:2], cut[2:] - cut[:2]))
        if mirrored:
            crop, shares = cv2.flip(crop, 1), data.mirror_points(shares, 1.0) + np.array([1.0, 0.0])
            place[0] = -cut[2]
        views.append(View(crop, shares, place / np.sqrt(size.prod())))
        box = box + rng.normal(0, 0.02, 4) * np.tile(size, 2)
    return views


# --- occlusion --------------------------------------------------------------------------------------------------


def random_texture(side: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of a random grain round a random colour [side, side, 3]."""
    grain = int(rng.integers(2, 33))
    noise = rng.normal(0, rng.uniform(2, 60), (grain, grain, 1 if rng.random() < 0.5 else 3))
    small = np.clip(rng.uniform(0, 255, 3) + noise, 0, 255).astype(np.uint8)
    interpolation = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_NEAREST
    return cv2.resize(small, (side, side), interpolation=interpolation)


def occlude(image: np.ndarray, shares: np.ndarray, texture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Covers part of a crop: a hand, a mask over mouth and nose, dark glasses, a bar, all filled with a texture."""
    side = image.shape[0]
    mask = np.zeros((side, side), np.uint8)
    pixels = shares * side
    kind = rng.random()
    if kind < 0.2:  # a mask
        outline = np.concatenate((pixels[2:15], pixels[[29]]))
        cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 255)
    elif kind < 0.3:  # glasses
        for eye in (data.RIGHT_EYE, data.LEFT_EYE):
            centre = pixels[list(eye)].mean(0)
            radius = np.ptp(pixels[list(eye)], axis=0).max() * rng.uniform(0.6, 1)
            axes = (int(radius), int(radius * rng.uniform(0.5, 0.9)))
            cv2.ellipse(mask, (int(centre[0]), int(centre[1])), axes, 0, 0, 360, 255, -1)
    elif kind < 0.75:  # a hand, a microphone, hair
        centre = rng.uniform(0, side, 2)
        axes = rng.uniform(0.06, 0.28, 2) * side
        cv2.ellipse(mask, (int(centre[0]), int(centre[1])), (int(axes[0]), int(axes[1])), rng.uniform(0, 180), 0, 360,
                    255, -1)  # fmt: skip
    else:  # a bar
        a, b = rng.uniform(0, side, 2), rng.uniform(0, side, 2)
        cv2.line(mask, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), 255, int(rng.uniform(0.04, 0.16) * side))
    return cv2.copyTo(texture, mask, image.copy())


# --- light and camera -------------------------------------------------------------------------------------------


def relight(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random colour cast, contrast, gamma, low light, shadow across the face, grey."""
    if rng.random() < 0.15:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    ramp = np.linspace(0, 1, 256)[:, None]
    gamma = np.exp(rng.normal(0, 0.25) + rng.normal(0, 0.09, 3))  # per channel: also tints grey pictures
    gain = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.06, 3))
    if rng.random() < 0.12:
        gain = gain * rng.uniform(0.18, 0.5)
    curve = ramp**gamma * gain + rng.normal(0, 0.04)
    table = np.clip(curve * 255, 0, 255).astype(np.uint8)[:, None]
    image = cv2.LUT(image, table)
    if rng.random() < 0.2:
        x, y = np.meshgrid(*[np.linspace(-1, 1, 32)] * 2)
        angle = rng.uniform(0, 2 * np.pi)
        slope = (x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.5, 0.5)) * np.exp(rng.uniform(-0.5, 3))
        light = 255 * (1 - rng.uniform(0.3, 0.8) / (1 + np.exp(-slope)))
        light = cv2.resize(light.astype(np.uint8), image.shape[1::-1])
        image = cv2.multiply(image, cv2.merge((light, light, light)), scale=1 / 255)
    return image


def add_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """The image with Gaussian noise of that standard deviation."""
    y, x = rng.integers(0, NOISE.shape[0] - image.shape[0], 2)
    noise = NOISE[y : y + image.shape[0], x : x + image.shape[1]]
    return cv2.addWeighted(image, 1, noise, sigma / NOISE_SIGMA, 0, dtype=cv2.CV_8U)


def degrade(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random blur, low resolution, noise and JPEG artefacts."""
    side = image.shape[0]
    kind = rng.random()
    if kind < 0.12:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 2.0) * side / 112)
    elif kind < 0.24:
        length = int(rng.uniform(2, 10) * side / 112) | 1
        kernel = np.zeros((length, length), np.float32)
        angle, middle = rng.uniform(0, np.pi), length // 2
        reach = np.array([np.cos(angle), np.sin(angle)]) * middle
        cv2.line(kernel, tuple(np.round(middle - reach).astype(int).tolist()),
                 tuple(np.round(middle + reach).astype(int).tolist()), 1.0)  # fmt: skip
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    small = rng.random() < 0.3
    if small:
        low = int(np.exp(rng.uniform(np.log(26), np.log(120))))
        image = cv2.resize(image, (low, low), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.4:
        image = add_noise(image, rng.uniform(1, 12), rng)
    if rng.random() < 0.2:
        quality = int(rng.uniform(12, 75))
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    if small:
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    return image


# --- whole samples ----------------------------------------------------------------------------------------------


def face_sample(
    image: np.ndarray, points: np.ndarray, side: int, backgrounds: np.ndarray, rng: np.random.Generator, views: int = 1
) -> list[View]:
    """A face in one or more views that share all but the exact box and the camera's noise."""
    texture = None
    if rng.random() < 0.25:
        if rng.random() < 0.5:
            texture = random_texture(side, rng)
        else:
            texture = cv2.resize(backgrounds[rng.integers(len(backgrounds))], (side, side))
    made = random_views(image, points, side, views, rng)
    state = rng.bit_generator.state
    result = []
    for k, view in enumerate(made):
        rng.bit_generator.state = state
        crop = view.image if texture is None else occlude(view.image, view.shares, texture, rng)
        crop = degrade(relight(crop, rng), rng)
        if k > 0:
            crop = add_noise(crop, rng.uniform(0, 5), rng)
        result.append(replace(view, image=crop))
    return result


def no_face_sample(
    image: np.ndarray, points: np.ndarray, side: int, backgrounds: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """No face [side, side, 3]: background, texture, a face beside the crop, a face painted over, a face's detail."""
    kind = rng.random()
    low, high = points.min(0), points.max(0)
    size = high - low
    if kind < 0.5:
        square = backgrounds[rng.integers(len(backgrounds))]
        corner = rng.integers(0, square.shape[0] // 2, 2)
        reach = rng.integers(square.shape[0] // 3, square.shape[0] // 2 + 1, 2)
        part = square[corner[1] : corner[1] + reach[1], corner[0] : corner[0] + reach[0]]
        crop = cv2.resize(square if rng.random() < 0.4 else part, (side, side))
    elif kind < 0.6:
        crop = random_texture(side, rng)
    else:
        centre, half = (low + high) / 2, size / 2 * (1 + 2 * GROW)
        matrix = random_pose(rng)
        if kind < 0.8:  # beside the face
            angle = rng.uniform(0, 2 * np.pi)
            centre = centre + np.array([np.cos(angle), np.sin(angle)]) * size * rng.uniform(0.95, 1.5)
        elif kind < 0.9:  # a detail of it
            centre = rng.uniform(low, high)
            half = half * rng.uniform(0.12, 0.3)
        else:  # painted over
            image = image.copy()
            middle = tuple(int(v) for v in (low + high) / 2)
            axes = tuple(int(v) for v in size * 0.62)
            texture = cv2.resize(backgrounds[rng.integers(len(backgrounds))], image.shape[1::-1])
            mask = np.zeros(image.shape[:2], np.uint8)
            cv2.ellipse(mask, middle, axes, 0, 0, 360, 255, -1)
            image[mask > 0] = texture[mask > 0]
        centre = matrix @ centre
        box = np.concatenate((centre - half, centre + half))
        border = BORDERS[rng.integers(1, 3)]  # not reflected: that would be a face again
        crop, _ = warp(image, matrix, box, side, border, tuple(int(v) for v in rng.integers(0, 256, 3)))
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    return degrade(relight(np.ascontiguousarray(crop), rng), rng)
