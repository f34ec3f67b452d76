"""Faces to paste: from image files and rendered heads; and pictures that show none."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training import data


@dataclass
class Cutout:
    """A face to paste: image [h, w, 3] BGR uint8, points [66, 2] (x, y) in it, alpha [h, w] float32 or
    None."""

    image: np.ndarray
    points: np.ndarray
    alpha: np.ndarray | None = None


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
