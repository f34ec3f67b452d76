"""How exactly avatar programs get a head: `sending.head` on drawn heads, whose turn, gaze and place are known.

    python -m training.tables.avatar_heads              # some minutes on one core

Poses: the sample clip's person and an average one, turned, placed or looking one way at a time. Strangers: random
people with random faces, light and cameras. Each picture is tracked by the default model; errors are against the truth,
in degrees and metres.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import cv2
import numpy as np

from benchmarks.common import table
from sending.head import euler_angles, head
from tracker import Tracker
from training import heads
from training.heads.geometry import head_rotation
from training.heads.rendering import GAZE_DOWN, GAZE_SIDE, GAZE_UP
from training.sample_clip import PERSON, scene

SIZE = (480, 640)  # height, width
FOCAL = SIZE[1] / SIZE[0]  # that which the tracker takes for granted
TURNS = [(0, 0, 0), *((yaw, 0, 0) for yaw in (-30, -20, -10, 10, 20, 30)), *((0, p, 0) for p in (-20, -10, 10, 20)),
         *((0, 0, roll) for roll in (-30, -15, 15, 30)), (20, 10, 0), (-20, 10, 10), (15, -10, -15)]  # fmt: skip
PLACES = [(15, 0, 80), (-15, 0, 80), (0, 9, 80), (0, -9, 80), (0, 0, 60), (0, 0, 110)]
GAZES = [(side, 0) for side in (-1, -0.5, 0.5, 1)] + [(0, up) for up in (-1, -0.5, 0.5, 1)]
NAMES = ("rx", "ry", "rz", "eyes rx", "eyes ry", "px", "py", "pz")
FLIP = np.diag([-1.0, 1.0, 1.0])  # the renderer's x is to the picture's right


Three = tuple[float, float, float]


def truth(turn: Three, gaze: tuple[float, float], place: Three) -> list[float]:
    """The numbers of `NAMES`; the place only where the head is not turned, as drawn heads turn about the neck."""
    side, up = gaze
    x, y, z = (value / 100 for value in place)
    where = (-x, y, z) if not any(turn) else (np.nan,) * 3
    eyes = -up * (GAZE_UP if up > 0 else GAZE_DOWN), -side * GAZE_SIDE
    return [*euler_angles(FLIP @ head_rotation(*turn) @ FLIP), *eyes, *where]


def poses(model: heads.HeadModel) -> Iterator[tuple[np.ndarray, list[float]]]:
    """Pictures and their truth."""
    identity = np.clip(np.random.default_rng(2024).normal(0, 0.45, 100), -1, 1).astype(np.float32)
    average = np.zeros(100, np.float32), heads.Appearance(seed=3, hair_style="short")
    jobs = [(turn, (0, -1, 80), (0, 0)) for turn in TURNS] + [((0, 0, 0), place, (0, 0)) for place in PLACES]
    jobs += [((0, 0, 0), (0, -1, 80), gaze) for gaze in GAZES]
    for who, look in (average, (identity, PERSON)):
        actor = heads.Actor.prepare(model, who, look, 640, 0.6)
        for turn, place, gaze in jobs:
            parameters = heads.HeadParameters(who, look, heads.gaze(*gaze), turn)
            camera = heads.Camera(FOCAL, tuple(map(float, place)))
            drawn = heads.render(model, parameters, camera, scene(np.random.default_rng(1)), SIZE, 1, actor)
            yield drawn.image, truth(turn, gaze, place)


def strangers(model: heads.HeadModel, count: int) -> Iterator[tuple[np.ndarray, list[float]]]:
    """Pictures and their truth; only the head's turn, as cameras differ and faces look anywhere."""
    for number in range(count):
        rng = np.random.default_rng(5000 + number)
        parameters = heads.random_head(model, rng, max_yaw=40.0, max_pitch=25.0, max_roll=25.0)
        light = heads.random_scene(rng)
        focal, away = float(rng.uniform(1.0, 1.8)), float(rng.uniform(55, 100))
        place = (float(rng.uniform(-0.2, 0.2) * away), float(rng.uniform(-0.15, 0.15) * away), away)
        drawn = heads.render(model, parameters, heads.Camera(focal, place), light, SIZE, 1)
        yield drawn.image, [*truth(parameters.rotation, (0, 0), place)[:3], *(np.nan,) * 5]


def errors(pictures: Iterator[tuple[np.ndarray, list[float]]]) -> tuple[np.ndarray, int]:
    """What the tracker's faces say less the truth (n, 8), nan where nothing is known, and how many had no face."""
    found, missed = [], 0
    with Tracker(SIZE[1], SIZE[0], max_threads=1, static_model=True) as tracker:
        for picture, wanted in pictures:
            tracker.predict(picture)
            faces = tracker.predict(picture)  # as in a stream: from the face's own box
            there = head(faces[0], (SIZE[1], SIZE[0])) if faces else None
            if there is None or there.gaze is None:
                missed += 1
                continue
            x, y, z = there.position.tolist()
            found.append(np.array([*euler_angles(there.rotation), *there.gaze, x, y, -z]) - wanted)
    return np.array(found), missed


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=70, help="strangers (default: 70)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    model = heads.HeadModel.load()
    for name, pictures in (("Poses", poses(model)), ("Strangers", strangers(model, arguments.count))):
        off, missed = errors(pictures)
        rows = []
        for number, value in enumerate(NAMES):
            known = off[:, number][np.isfinite(off[:, number])]
            if len(known):
                size = np.abs(known)
                figures = (np.median(known), np.percentile(size, 90), size.max())
                rows.append((value, *(f"{figure:.3f}" if value[0] == "p" else f"{figure:.1f}" for figure in figures)))
        print(f"{name}: {len(off)} pictures, {missed} without a face.\n")
        print(table(("", "median", "90 % under", "largest"), rows))


if __name__ == "__main__":
    main()
