"""Eyes to learn pupils from: cut from pictures and rendered heads, and made into batches of samples.

A crop spans 0..32 both ways, the centre of its pixel (i, j) lying at (i + 0.5, j + 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from tqdm import tqdm

from training import data, runner

SIDE = 32
RADII = (1.4, 1.2)  # half width and height of a crop, in halves of the corners' distance
MARGIN = 1.5  # the stored patch over the crop, room for jittered corners
PATCH = 72  # pixels of the stored patch, a side: 1.5 for each of the crop's
CORNERS = ((36, 39), (42, 45))  # points at the image's left and right of the right and the left eye
FACEMESH_CORNERS = ((33, 133), (362, 263))
FACEMESH_LIDS = (
    ((160, 144), (159, 145), (158, 153)),
    ((385, 380), (386, 374), (387, 373)),
)  # upper and lower


def crop_matrix(first: np.ndarray, second: np.ndarray, mirrored: bool) -> np.ndarray:
    """[2, 3]: a crop's (x, y) in 0..32 to the picture's, from an eye's corners (x, y), the image's left one
    first."""
    along = (second - first) / SIDE
    step_x, step_y = along * RADII[0], np.array([-along[1], along[0]]) * RADII[1]
    origin = (first + second) / 2 - (step_x + step_y) * SIDE / 2
    if mirrored:
        origin, step_x = origin + step_x * SIDE, -step_x
    return np.stack([step_x, step_y, origin], 1)


def warp(image: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """The crop [side, side, 3] of a picture; matrix [2, 3] from (x, y) in 0..side to the picture.

    A pixel covers a unit square both in the crop and in the picture.
    """
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if scale > 1.5:  # a large eye: shrunk by areas, as a detailed picture would else be scattered pixels
        factor = 1.2 / scale
        x, y = matrix[:, :2] @ np.array([[0, side, 0, side], [0, 0, side, side]]) + matrix[:, 2:]
        left, top = max(0, int(x.min()) - 2), max(0, int(y.min()) - 2)
        part = image[top : max(0, int(y.max()) + 3), left : max(0, int(x.max()) + 3)]
        if min(part.shape[:2]) > 1:
            image = cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            factors = np.array([[image.shape[1] / part.shape[1]], [image.shape[0] / part.shape[0]]])
            matrix = np.concatenate([matrix[:, :2] * factors, (matrix[:, 2:] - [[left], [top]]) * factors], 1)
    centres = matrix.copy()
    centres[:, 2] += centres[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(
        image,
        centres,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@dataclass
class Eyes:
    """Stored eye patches, left ones mirrored: MARGIN times the crop. Positions in the crop's 0..32, x before
    y.

    patches [n, PATCH, PATCH, 3] BGR uint8; pupils [n, 2]; opened [n] 0..1; sure [n] weight of the pupil's position;
    width [n] the corners' distance in the source, pixels.
    """

    patches: np.ndarray
    pupils: np.ndarray
    opened: np.ndarray
    sure: np.ndarray
    width: np.ndarray

    def __len__(self) -> int:
        return len(self.patches)

    def joined(self, other: Eyes) -> Eyes:
        """Both."""
        return Eyes(*(np.concatenate([getattr(self, f), getattr(other, f)]) for f in self.__dataclass_fields__))


def cut_eye(image: np.ndarray, first: np.ndarray, second: np.ndarray, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """An eye's patch, and the matrix [2, 3] from the crop's 0..32 to the picture."""
    matrix = crop_matrix(first, second, mirrored)
    wide = matrix.copy()  # from the patch's 0..PATCH
    wide[:, :2] *= SIDE * MARGIN / PATCH
    wide[:, 2] = matrix @ [SIDE / 2, SIDE / 2, 1] - wide[:, :2] @ [PATCH / 2, PATCH / 2]
    return warp(image, wide, PATCH), matrix


def inverse(matrix: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The crop's position of a picture's point."""
    return np.linalg.solve(matrix[:, :2], point - matrix[:, 2])


def image_eyes(held_out: bool) -> Eyes:
    """The eyes of the labelled pictures of the training people, or of the held-out ones; kept in the cache
    folder."""
    from training import labels

    store = data.cache_folder() / f"eyes_{'held_out' if held_out else 'training'}.npz"
    if store.exists():
        return Eyes(**np.load(store))
    table = labels.load()
    samples = {sample.key: sample for sample in data.list_samples()}
    rows = []
    for key, points, mesh, good in tqdm(zip(table.keys, table.points, table.mesh, table.usable, strict=True),
                                        total=len(table.keys), desc="eyes", mininterval=10):  # fmt: skip
        sample = samples.get(str(key))
        if sample is None or not good or not np.isfinite(mesh).all() or data.is_held_out(sample.person) != held_out:
            continue
        image = data.read_image(sample.path)
        mesh = mesh[:, :2].astype(float)
        # Half a pixel: labels lie at pixels' centres, crops count from their edges.
        for eye in (0, 1):
            first, second = (points[list(CORNERS[eye])] + 0.5).astype(float)
            width = np.linalg.norm(second - first)
            a, b = mesh[list(FACEMESH_CORNERS[eye])]
            apart = max(np.linalg.norm(a + 0.5 - first), np.linalg.norm(b + 0.5 - second))
            if width < 7 or apart > 0.3 * width:
                continue
            gap = np.mean([np.linalg.norm(mesh[u] - mesh[v]) for u, v in FACEMESH_LIDS[eye]])
            opened = smoothstep(0.08, 0.18, gap / np.linalg.norm(a - b))
            patch, matrix = cut_eye(image, first, second, eye == 1)
            rows.append(
                (
                    patch,
                    inverse(matrix, mesh[468 if eye == 0 else 473] + 0.5),
                    opened,
                    0.15 + 0.85 * opened,
                    width,
                )
            )
    eyes = Eyes(*(np.array(column) for column in zip(*rows, strict=True)))
    np.savez(store, **vars(eyes))
    return eyes


def head_eyes(heads: dict[str, np.ndarray]) -> Eyes:
    """The eyes of synthetic heads, as training.heads.make_dataset gives them (row before column there)."""
    rows = []
    columns = (heads[name] for name in ("images", "points", "pupils", "pupils_visible", "eye_open"))
    for image, points, pupils, seen, opened in zip(*columns, strict=True):
        points, pupils = points[:, ::-1] + 0.5, pupils[:, ::-1] + 0.5
        for eye in (0, 1):
            first, second = points[list(CORNERS[eye])].astype(float)
            width = np.linalg.norm(second - first)
            face = np.linalg.norm(points[8] - points[27])
            if width < 0.12 * face or width < 5:
                continue  # turned away
            patch, matrix = cut_eye(image, first, second, eye == 1)
            share = float(smoothstep(0.12, 0.4, opened[eye]))
            pupil = inverse(matrix, pupils[eye])
            if (abs(pupil - SIDE / 2) > SIDE / 2).any():
                continue
            # Hidden while the lids are open: by hair, the nose, or glasses' rims.
            sure = share if seen[eye] else 0.1 * share
            rows.append((patch, pupil, share if seen[eye] else 0.5 * share, sure, width))
    return Eyes(*(np.array(column) for column in zip(*rows, strict=True)))


def jitter(rng: np.random.Generator, amount: float) -> np.ndarray:
    """[2, 3] from the jittered crop's 0..32 to the exact one's: both corners moved by `amount` of their
    distance."""
    half = SIDE / 2 / RADII[0]
    corners = np.array([[SIDE / 2 - half, SIDE / 2], [SIDE / 2 + half, SIDE / 2]])
    corners += np.clip(rng.normal(0, amount * 2 * half, (2, 2)), -0.2 * 2 * half, 0.2 * 2 * half)
    # A crop is as square as its radii: undo them to turn in a plane of equal scales.
    stretch = np.array([1.0, RADII[1] / RADII[0]])
    first, second = (corners - SIDE / 2) * stretch
    matrix = crop_matrix(first, second, False)
    back = np.diag(1 / stretch) @ matrix
    back[:, 2] += SIDE / 2
    return back


def spoil(rng: np.random.Generator, crop: np.ndarray) -> np.ndarray:
    """Light, colour, blur, coarse pixels, noise, JPEG, glints. BGR uint8 [32, 32, 3] in and out."""
    v = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(rng.normal(0, 0.3)) * np.exp(rng.normal(0, 0.08, 3))
    gain = (
        np.exp(rng.normal(0, 0.2))
        * np.exp(rng.normal(0, 0.08, 3))
        * (rng.uniform(0.2, 0.5) if rng.random() < 0.1 else 1)
    )
    crop = cv2.LUT(
        crop, np.clip(255 * (v[:, None] ** gamma * gain + rng.normal(0, 0.04)), 0, 255).astype(np.uint8)[None]
    )
    chance = rng.random()
    if chance < 0.35:  # a small eye
        low = int(rng.integers(9, 28))
        small = cv2.resize(crop, (low, low), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    elif chance < 0.5:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.8))
    if rng.random() < 0.12:  # light on glasses
        x, y = (int(n) for n in rng.integers(0, SIDE, 2))
        layer = crop.copy()
        cv2.ellipse(
            layer,
            (x, y),
            (int(rng.integers(1, 8)), int(rng.integers(1, 8))),
            float(rng.uniform(0, 180)),
            0,
            360,
            (255, 255, 255),
            -1,
        )
        share = float(rng.uniform(0.3, 0.9))
        crop = cv2.addWeighted(layer, share, crop, 1 - share, 0)
    if rng.random() < 0.1:
        crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if rng.random() < 0.6:
        crop = cv2.add(crop, cv2.randn(np.empty(crop.shape, np.int16), 0, float(rng.gamma(2, 3))), dtype=cv2.CV_8U)
    if rng.random() < 0.25:
        crop = cv2.imdecode(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))])[1], 1)
    return crop


def exact_to_patch() -> np.ndarray:
    """[2, 3] from the crop's 0..32 to its stored patch's 0..PATCH."""
    scale = PATCH / (SIDE * MARGIN)
    return np.array([[scale, 0, PATCH / 2 - scale * SIDE / 2], [0, scale, PATCH / 2 - scale * SIDE / 2]])


def to_network(crops: np.ndarray) -> np.ndarray:
    """BGR crops [n, 32 rows, 32 columns, 3] to the network's input, columns before rows."""
    return np.ascontiguousarray(runner.normalise(crops).transpose(0, 1, 3, 2))


def batches(eyes: Eyes, size: int, nothing: float = 0.06):
    """A function that makes a batch: crops, pupils, openness, weights, and matrices [n, 2, 3] from each crop's 0..32 to
    that of the stored eye. Crops come in pairs, two views of an eye. A share of `nothing` shows no eye at all."""
    base = np.vstack([exact_to_patch(), [0, 0, 1]])

    def batch(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        index = np.repeat(rng.integers(len(eyes), size=size // 2), 2)
        crops, backs, pupils = [], [], eyes.pupils[index].astype(np.float32)
        opened, sure = eyes.opened[index].astype(np.float32), eyes.sure[index].astype(np.float32)
        for k, i in enumerate(index):
            back = np.vstack([jitter(rng, rng.choice([0.02, 0.05])), [0, 0, 1]])
            patch = eyes.patches[i]
            if rng.random() < nothing:  # skin, brow, hair: a small part far from the pupil, or the eye upside down
                opened[k] = sure[k] = 0
                if rng.random() < 0.5:
                    corner, side = rng.integers(0, PATCH - 18, 2), int(rng.integers(10, 18))
                    corner[1] = rng.choice([0, PATCH - side])
                    part = patch[corner[1] : corner[1] + side, corner[0] : corner[0] + side]
                    patch = cv2.resize(part, (PATCH, PATCH), interpolation=cv2.INTER_LINEAR)
                else:
                    patch = np.broadcast_to(rng.uniform(0, 255, 3), patch.shape) + rng.normal(0, 20, (9, 9, 1)).repeat(
                        8, 0
                    ).repeat(8, 1)
                    patch = cv2.GaussianBlur(np.clip(patch, 0, 255).astype(np.uint8), (0, 0), 5)
            crops.append(spoil(rng, warp(patch, (base @ back)[:2], SIDE)))
            pupils[k] = inverse(back[:2], pupils[k])
            backs.append(back[:2])
        return to_network(np.stack(crops)), pupils, opened, sure, np.array(backs, np.float32)

    return batch
