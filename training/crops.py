"""Face crops with generous margins and faceless backgrounds, cut once from the labelled images into memory maps.

    python -m training.crops                          # the labelled images
    python -m training.crops --heads heads_*.npz      # synthetic heads from training.heads

The training loop warps its samples straight from these, without reading an image file.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

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
    for _ in range(10):
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


def make_faces() -> None:
    """labels.npz and the images -> crops.npy and crops.npz."""
    cv2.setNumThreads(1)
    folder = data.cache_folder()
    known = labels.load()
    samples = {s.key: s for s in data.list_samples()}
    chosen = np.flatnonzero(known.usable)
    images = np.lib.format.open_memmap(folder / "crops.npy", "w+", np.uint8, (len(chosen), SIDE, SIDE, 3))
    sizes = np.zeros((len(chosen), 2), np.int32)
    points = np.zeros((len(chosen), data.POINTS, 2), np.float32)
    for i, index in enumerate(tqdm(chosen, desc="crops", mininterval=5)):
        sample = samples[str(known.keys[index])]
        image = data.read_image(sample.path)
        crop, points[i] = cut_face(image, known.points[index].astype(np.float64))
        sizes[i] = crop.shape[:2]
        images[i, : crop.shape[0], : crop.shape[1]] = crop
    images.flush()
    persons = [samples[str(k)].person for k in known.keys[chosen]]
    np.savez(
        folder / "crops.npz", sizes=sizes, points=points, spread=known.spread[chosen], keys=known.keys[chosen],
        persons=persons, held_out=[data.is_held_out(p) for p in persons],
    )  # fmt: skip
    print(f"{len(chosen)} faces")


def make_backgrounds() -> None:
    """The images that show more than a face -> backgrounds.npy."""
    cv2.setNumThreads(1)
    known = labels.load()
    samples = {s.key: s for s in data.list_samples()}
    backgrounds: list[np.ndarray] = []
    rng = np.random.default_rng(0)
    for index in tqdm(np.flatnonzero(known.usable), desc="backgrounds", mininterval=5):
        sample = samples[str(known.keys[index])]
        if sample.source != "expressions" and not data.is_held_out(sample.person):
            image = data.read_image(sample.path)
            backgrounds += cut_backgrounds(image, known.points[index].astype(np.float64), rng)
    np.save(data.cache_folder() / "backgrounds.npy", np.stack(backgrounds))
    print(f"{len(backgrounds)} backgrounds")


# --- synthetic heads --------------------------------------------------------------------------------------------

# Points whose distances mean something (a lid's to the other lid) move together when the style is changed.
RIGID_GROUPS = ((37, 38, 40, 41), (43, 44, 46, 47), (59, 60, 61, 63, 64, 65), (48, 49, 50, 51, 52, 53, 54, 55, 56, 57))


def style_offsets(truth: np.ndarray, teacher: np.ndarray, turned: np.ndarray, good: np.ndarray) -> np.ndarray:
    """How the teacher's definition of each point differs from the heads', in the head's space [66, 3].

    truth, teacher: [n, 66, 2]; turned: [n, 2, 3] takes offsets in the head's space to the image's; good: [n] bool.
    Robust least squares per point, the same on both sides of the face.
    """
    offsets = np.zeros((data.POINTS, 3))
    a = turned[good].reshape(-1, 3)
    for k in range(data.POINTS):
        b = (teacher - truth)[good, k].reshape(-1)
        weight = np.ones(len(a))
        for _ in range(10):
            weighted = a * weight[:, None]
            offsets[k] = np.linalg.solve(weighted.T @ a + 1e-6 * np.eye(3), weighted.T @ b)
            residual = np.abs(a @ offsets[k] - b)
            weight = 1 / (1 + (residual / np.median(residual)) ** 2)
    offsets = (offsets + offsets[data.MIRROR] * (-1, 1, 1)) / 2
    for group in RIGID_GROUPS:
        offsets[list(group)] = offsets[list(group)].mean(0)
    return offsets


def shut_lips(points: np.ndarray, turned: np.ndarray, neutral: np.ndarray) -> np.ndarray:
    """Points [n, 66, 2] of heads whose inner lips meet when they are shut.

    The heads' points for them lie a little inside each lip, so that a gap is left on the neutral face [66, 3], of which
    nothing is to be seen. It is taken off; `turned` [n, 2, 3] takes the head's space to the image's.
    """
    result = points.copy()
    for upper, lower in data.LIPS_OF_66:
        down = turned @ (neutral[lower] - neutral[upper])
        gap = points[:, lower] - points[:, upper] - down
        gap *= ((gap * down).sum(-1, keepdims=True) > 0) | (np.linalg.norm(down, axis=-1, keepdims=True) < 1e-6)
        middle = (points[:, upper] + points[:, lower]) / 2
        result[:, upper], result[:, lower] = middle - gap / 2, middle + gap / 2
    return result


def styled_points(images: np.ndarray, truth: np.ndarray, poses: np.ndarray, neutral: np.ndarray) -> np.ndarray:
    """True points x, y [n, 66, 2] of rendered heads, moved into the style of reference model 1; lips that touch without
    a gap.

    poses [n, 3]: yaw, pitch, roll in degrees; neutral [66, 3]: the points on the average head, cm.
    """
    from training.heads import head_rotation

    teacher, confidence = np.zeros_like(truth), np.zeros(len(truth))
    turned = np.zeros((len(truth), 2, 3))
    for i, image in enumerate(tqdm(images, desc="style", mininterval=5)):
        turned[i] = head_rotation(*poses[i].tolist())[:2] * np.array([[1], [-1]])  # the image's y runs down
        flat = (neutral - neutral.mean(0)) @ turned[i].T
        turned[i] *= (flat * (truth[i] - truth[i].mean(0))).sum() / (flat**2).sum()  # pixels in a cm
        if i % 2 == 0:
            points, sure = labels.run_reference("lm_model1", image, labels.grown_box(truth[i])[None], mirrored=True)
            teacher[i], confidence[i] = points.mean(0), sure.mean()
    truth = shut_lips(truth, turned, neutral)
    good = (confidence > 0.72) & (np.abs(poses[:, 0]) < 60)
    offsets = style_offsets(truth, teacher, turned, good)
    print(f"style from {good.sum()} heads; offsets in cm: mean {np.linalg.norm(offsets, axis=1).mean():.2f}, "
          f"largest {np.linalg.norm(offsets, axis=1).max():.2f}")  # fmt: skip
    return truth + np.einsum("nij,kj->nki", turned, offsets)


def make_synthetic(paths: list[Path]) -> None:
    """Rendered heads -> synthetic.npy and synthetic.npz (with their poses [n, 3] and eye_open [n, 2] besides)."""
    from training.heads import HeadModel

    cv2.setNumThreads(1)
    model = HeadModel.load()
    neutral = model.neutral[model.landmarks].astype(np.float64)
    stored = [np.load(path) for path in paths]
    images = np.concatenate([s["images"] for s in stored])
    poses = np.concatenate([s["pose"] for s in stored])
    styled = np.concatenate([
        styled_points(s["images"], s["points"][..., ::-1].astype(np.float64), s["pose"], neutral) for s in stored
    ])  # fmt: skip

    folder = data.cache_folder()
    # A training that runs keeps the old file open.
    unfinished = folder / "synthetic.tmp"
    crops = np.lib.format.open_memmap(unfinished, "w+", np.uint8, (len(images), SIDE, SIDE, 3))
    sizes, points = np.zeros((len(images), 2), np.int32), np.zeros((len(images), data.POINTS, 2), np.float32)
    for i, image in enumerate(images):
        crop, points[i] = cut_face(image, styled[i])
        sizes[i] = crop.shape[:2]
        crops[i, : crop.shape[0], : crop.shape[1]] = crop
    crops.flush()
    unfinished.replace(folder / "synthetic.npy")
    keys = [f"synthetic/{i}" for i in range(len(images))]
    np.savez(
        folder / "synthetic.npz", sizes=sizes, points=points, spread=np.full(points.shape[:2], 0.015, np.float32),
        keys=keys, persons=keys, held_out=np.arange(len(images)) % data.HELD_OUT_SHARE == 0, poses=poses,
        eye_open=np.concatenate([s["eye_open"] for s in stored]),
    )  # fmt: skip


def load(name: str = "crops") -> Crops:
    """The cached crops ('crops', or 'synthetic'). FileNotFoundError before they were made."""
    folder = data.cache_folder()
    stored = np.load(folder / f"{name}.npz")
    return Crops(
        images=np.load(folder / f"{name}.npy", mmap_mode="r"),
        backgrounds=np.load(folder / "backgrounds.npy"),
        **{field: stored[field] for field in stored.files if field not in ("poses", "eye_open")},
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Cut the training crops.")
    parser.add_argument("--heads", type=Path, nargs="+", help="files of synthetic heads, in place of the images")
    arguments = parser.parse_args()
    if arguments.heads:
        make_synthetic(arguments.heads)
    else:
        make_backgrounds()
        make_faces()


if __name__ == "__main__":
    main()
