"""Tables about the heat-map detector: faces found by size and roll, in company, turned aside; boxes on no faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from training import runner, scenes
from training.squares import SIZE, detect, squares, usable

HEIGHTS = (24 / 360, 32 / 360, 48 / 360, 80 / 360, 0.4, 0.65, 0.95)
ROLLS = (0, 15, 30, 45)


def recall_table(session, composer: scenes.Composer, count: int = 100, threshold: float = 0.6) -> np.ndarray:
    """Share of single faces found, [heights, rolls]; scenes of the composer, frames 16:9."""
    table = np.zeros((len(HEIGHTS), len(ROLLS)))
    for i, height in enumerate(HEIGHTS):
        for j, roll in enumerate(ROLLS):
            for k in range(count):
                rng = np.random.default_rng((1, i, j, k))
                scene = composer.compose(rng, faces=1, height=height, roll=roll * (1 - 2 * (k % 2)), aspect=16 / 9)
                if len(scene.points):
                    table[i, j] += usable(detect(session, scene.image, threshold), squares(scene.boxes)[0]).any()
    return table / count


def crowd_recall(session, composer: scenes.Composer, count: int = 200, threshold: float = 0.6) -> tuple[float, float]:
    """Scenes of two and three faces: (share of faces found, boxes on a face beyond its first, for each
    face)."""
    found = total = extra = 0
    for k in range(count):
        scene = composer.compose(np.random.default_rng((2, k)), faces=2 + k % 2)
        boxes = detect(session, scene.image, threshold)
        for face in squares(scene.boxes):
            hits = int(usable(boxes, face).sum())
            total += 1
            found += hits > 0
            extra += max(0, hits - 1)
    return found / total, extra / total


def beside_each_other(
    rng: np.random.Generator, face: scenes.FaceSource, number: int, roll: float, width: int = 640, height: int = 360
) -> scenes.Scene:
    """A clear picture of so many heads in a row on a plain wall, leaning by `roll` degrees to and fro."""
    wall = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    canvas = cv2.resize(wall, (width, height), interpolation=cv2.INTER_CUBIC)
    placed = []
    for k in range(number):
        cutout = face(rng)
        scale = height * rng.uniform(0.28, 0.42) / np.ptp(cutout.points, axis=0).max()
        angle = np.radians(roll if k % 2 else -roll)
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = (width * (k + 0.5) / number + rng.uniform(-15, 15), height / 2 + rng.uniform(-25, 25))
        matrix = np.concatenate([linear, (centre - linear @ cutout.points.mean(0))[:, None]], 1)
        head = cv2.warpAffine(cutout.image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        mask = cv2.warpAffine(np.full(cutout.image.shape[:2], 255, np.uint8), matrix, (width, height))
        mask[:, : width * k // number] = mask[:, width * (k + 1) // number :] = 0
        alpha = scenes.soften(cv2.erode(mask, np.ones((9, 9))), 3.0)[..., None] / 255
        canvas = (head * alpha + canvas * (1 - alpha)).astype(np.uint8)
        placed.append(cutout.points @ linear.T + matrix[:, 2])
    return scenes.Scene(canvas, np.array(placed, np.float32))


def row_recall(
    session, face: scenes.FaceSource, number: int, roll: float, count: int = 120, threshold: float = 0.6
) -> float:
    """Share of such pictures in which every head is found."""
    hits = 0
    for k in range(count):
        scene = beside_each_other(np.random.default_rng((6, number, int(roll), k)), face, number, roll)
        height, width = scene.image.shape[:2]
        wanted = squares(scene.boxes * np.array([SIZE / width, SIZE / height] * 2, np.float32))
        found = detect(session, scene.image, threshold)
        hits += all(usable(found, one).any() for one in wanted)
    return hits / count


def faceless_share(session, pictures: Sequence[np.ndarray], count: int = 40, threshold: float = 0.6) -> float:
    """Share of pieces of pictures without a face, so many of each, that get a box."""
    rng, false = np.random.default_rng(0), 0
    for picture in pictures:
        for _ in range(count):
            height = int(rng.uniform(0.4, 1) * picture.shape[0])
            width = min(picture.shape[1], height * 16 // 9)
            top, left = rng.integers(picture.shape[0] - height + 1), rng.integers(picture.shape[1] - width + 1)
            false += len(detect(session, picture[top : top + height, left : left + width], threshold)) > 0
    return false / (count * len(pictures))


def turn_recall(session, heads: dict[str, np.ndarray], threshold: float = 0.6) -> list[tuple[str, float, int]]:
    """Share of synthetic heads found, by how far they are turned aside: (range, share, number)."""
    composer = scenes.Composer(scenes.Heads(heads), SIZE)
    rows = []
    for low, high in ((0, 30), (30, 50), (50, 90)):
        chosen = np.flatnonzero((abs(heads["pose"][:, 0]) >= low) & (abs(heads["pose"][:, 0]) < high))
        hits = 0
        for index in chosen:
            composer.face = scenes.Heads({key: value[index : index + 1] for key, value in heads.items()})
            rng = np.random.default_rng((5, index))
            scene = composer.compose(rng, faces=1, height=rng.uniform(0.15, 0.5), roll=0, aspect=16 / 9)
            hits += usable(detect(session, scene.image, threshold), squares(scene.boxes)[0]).any()
        rows.append((f"{low}-{high}°", hits / max(1, len(chosen)), len(chosen)))
    return rows


def highest_scores(session, composer: scenes.Composer, count: int = 500) -> np.ndarray:
    """The highest score in each of that many faceless frames."""
    scores = np.zeros(count)
    for k in range(count):
        scene = composer.compose(np.random.default_rng((3, k)), faces=0)
        best = detect(session, scene.image, 0.0, 1)
        scores[k] = best[0, 3] if len(best) else 0.0
    return scores


def evaluate(
    path: Path,
    composer: scenes.Composer,
    rows: scenes.FaceSource,
    faceless: Sequence[np.ndarray] = (),
    threshold: float = 0.6,
) -> None:
    """Print recall by size and roll, of faces in company and in rows, and false boxes in scenes and on pictures."""
    session = runner.session(path)
    print(f"\n{path}")
    table = recall_table(session, composer, threshold=threshold)
    print("recall; rows: height of the face / frame, columns: roll " + " ".join(f"{r:5d}" for r in ROLLS))
    for height, row in zip(HEIGHTS, table, strict=True):
        print(f"  {height:.3f} ({height * 360:3.0f} of 360 px) " + " ".join(f"{v:5.2f}" for v in row))
    print(f"  mean {table.mean():.3f}")
    recall, extra = crowd_recall(session, composer, threshold=threshold)
    print(f"two and three faces: recall {recall:.3f}, second boxes {extra:.3f} a face")
    shares = ", ".join(
        f"{name} {row_recall(session, rows, number, roll, threshold=threshold):.2f}"
        for name, number, roll in (("three upright", 3, 0), ("two at 30°", 2, 30), ("at 40°", 2, 40), ("at 50°", 2, 50))
    )
    print(f"clear pictures of heads in a row, all found: {shares}")
    heads = scenes.load_heads(held_out=True)
    if heads is not None:
        print(
            "synthetic heads by yaw: "
            + ", ".join(f"{a} {b:.2f} of {n}" for a, b, n in turn_recall(session, heads, threshold))
        )
    scores = highest_scores(session, composer)
    print(f"faceless scenes with a box: {100 * (scores >= threshold).mean():.1f} %")
    if faceless:
        share = faceless_share(session, faceless, threshold=threshold)
        print(f"pieces of faceless pictures with a box: {100 * share:.1f} %")
