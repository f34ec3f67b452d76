"""Face crops with generous margins and faceless backgrounds, cut once from the labelled images into memory maps.

    python -m training.crops

The training loop warps its samples straight from these, without reading an image file.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from tqdm import tqdm

from training import data, labels

SIDE = 320  # a face's crop fills at most this square
MARGIN = 1.9  # side of the crop over the larger side of the points' bounding box
BACKGROUND_SIDE = 160


@dataclass(frozen=True)
class Crops:
    """The cached crops; arrays run over the faces."""

    images: np.ndarray  # [n, 320, 320, 3] BGR uint8, memory map; only the upper left `sizes` of each is the picture
    sizes: np.ndarray  # [n, 2] height, width
    points: np.ndarray  # [n, 66, 2] x, y in the crop
    spread: np.ndarray  # [n, 66] label uncertainty in shares of the face size
    keys: np.ndarray  # [n] 'source/file'
    persons: np.ndarray  # [n]
    held_out: np.ndarray  # [n] bool
    backgrounds: np.ndarray  # [m, 160, 160, 3] BGR uint8 without faces, from people in training only

    def image(self, i: int) -> np.ndarray:
        """Picture i without the unused part of its square, BGR uint8 [h, w, 3] (a view)."""
        height, width = self.sizes[i]
        return self.images[i, :height, :width]


def cut_face(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The crop round points [66, 2] of an image, made smaller to fit SIDE, and the points in it."""
    low, high = points.min(0), points.max(0)
    centre, half = (low + high) / 2, (high - low).max() * MARGIN / 2
    x0, y0 = np.maximum(np.floor(centre - half), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(centre + half).astype(int), (image.shape[1], image.shape[0]))
    crop = image[y0:y1, x0:x1]
    points = points - (x0, y0)
    scale = SIDE / max(crop.shape[:2])
    if scale >= 1:
        return crop, points
    size = np.maximum(np.round(np.array(crop.shape[1::-1]) * scale), 1)
    scale = size / crop.shape[1::-1]
    return cv2.resize(crop, size.astype(int), interpolation=cv2.INTER_AREA), (points + 0.5) * scale - 0.5


def cut_backgrounds(image: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Up to two squares of an image outside the face, in which the reference models see no face either."""
    low, high = points.min(0), points.max(0)
    low[1] -= 0.4 * (high - low)[1]  # the forehead is face too
    height, width = image.shape[:2]
    found = []
    for _ in range(6):
        side = int(min(height, width) * rng.uniform(0.2, 0.6))
        x, y = rng.integers(0, width - side + 1), rng.integers(0, height - side + 1)
        overlap = np.minimum(high, (x + side, y + side)) - np.maximum(low, (x, y))
        if side < 24 or (overlap > 0).all() and overlap.prod() > 0.06 * side**2:
            continue
        square = image[y : y + side, x : x + side]
        _, confidence = labels.run_reference("lm_modelU", square, np.array([[0.0, 0.0, side, side]]))
        if confidence.mean() < 0.45:
            found.append(cv2.resize(square, (BACKGROUND_SIDE, BACKGROUND_SIDE), interpolation=cv2.INTER_AREA))
        if len(found) == 2:
            break
    return found


def make() -> None:
    """labels.npz and the images -> crops.npy, backgrounds.npy and crops.npz."""
    cv2.setNumThreads(1)
    folder = data.cache_folder()
    known = labels.load()
    samples = {s.key: s for s in data.list_samples()}
    chosen = np.flatnonzero(known.usable)
    images = np.lib.format.open_memmap(folder / "crops.npy", "w+", np.uint8, (len(chosen), SIDE, SIDE, 3))
    sizes = np.zeros((len(chosen), 2), np.int32)
    points = np.zeros((len(chosen), data.POINTS, 2), np.float32)
    backgrounds: list[np.ndarray] = []
    rng = np.random.default_rng(0)
    for i, index in enumerate(tqdm(chosen, desc="crops", mininterval=5)):
        sample = samples[str(known.keys[index])]
        image = data.read_image(sample.path)
        crop, points[i] = cut_face(image, known.points[index].astype(np.float64))
        sizes[i] = crop.shape[:2]
        images[i, : crop.shape[0], : crop.shape[1]] = crop
        if sample.source != "expressions" and not data.is_held_out(sample.person) and i % 3 == 0:
            backgrounds += cut_backgrounds(image, known.points[index].astype(np.float64), rng)
    images.flush()
    persons = [samples[str(k)].person for k in known.keys[chosen]]
    np.save(folder / "backgrounds.npy", np.stack(backgrounds))
    np.savez(
        folder / "crops.npz", sizes=sizes, points=points, spread=known.spread[chosen], keys=known.keys[chosen],
        persons=persons, held_out=[data.is_held_out(p) for p in persons],
    )  # fmt: skip
    print(f"{len(chosen)} faces, {len(backgrounds)} backgrounds")


def load() -> Crops:
    """The cached crops. FileNotFoundError before `python -m training.crops` has run."""
    folder = data.cache_folder()
    stored = np.load(folder / "crops.npz")
    return Crops(
        images=np.load(folder / "crops.npy", mmap_mode="r"),
        backgrounds=np.load(folder / "backgrounds.npy"),
        **{name: stored[name] for name in stored.files},
    )


if __name__ == "__main__":
    make()
