"""Draws what the blend shapes are tested with besides the held-out heads: winks, and neutral faces that turn and nod.

    python -m training.tables.drawn_shapes      # -> drawn_shapes.npz in the cache folder

The people are those of training.tables.drawn, whom no model is trained on.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from tqdm import tqdm

from training import data
from training.heads import Actor, HeadModel, fitting_light, gaze, random_camera, random_head, random_scene, render
from training.tables.drawn import SEED, STILL, noisy, torso_of

WINKING, TURNING = 60, 16  # people
YAW, PITCH = 25.0, 15.0  # how far the neutral faces turn and nod, degrees
STEPS = 12  # pictures of each, besides the first, which looks into the camera


def draw_wink(model: HeadModel, rng: np.random.Generator, side: str) -> np.ndarray:
    """A person who winks with the eye `side`, "R" or "L", BGR uint8."""
    head = random_head(model, rng, max_yaw=30, max_pitch=15, max_roll=15)
    if head.appearance.glasses == "sun":
        head = replace(head, appearance=replace(head.appearance, glasses=""))
    weights = {f"eyeBlink_{side}": rng.uniform(0.9, 1.0), f"cheekSquint_{side}": rng.uniform(0, 0.6),
               f"mouthSmile_{side}": rng.uniform(0, 0.4), **gaze(*np.clip(rng.normal(0, 0.2, 2), -1, 1))}  # fmt: skip
    head = replace(head, expression={name: float(w) for name, w in weights.items()})
    scene = fitting_light(random_scene(rng), head.appearance)
    return render(model, head, random_camera(rng, head.rotation), scene, STILL).image


def draw_turning(model: HeadModel, rng: np.random.Generator) -> list[np.ndarray]:
    """A person with a neutral face: into the camera first, then turned and nodding all ways."""
    head = replace(random_head(model, rng), expression={})
    scene = fitting_light(random_scene(rng), head.appearance)
    actor = Actor.prepare(model, head.identity, head.appearance, 640)
    camera = random_camera(rng)
    drawn = []
    for step in range(STEPS + 1):
        way = 2 * np.pi * step / STEPS
        turn = np.array([YAW * np.cos(way), PITCH * np.sin(way), 0]) if step else np.zeros(3)
        moved = replace(head, rotation=tuple(turn), torso=tuple(torso_of(turn)))
        drawn.append(render(model, moved, camera, scene, STILL, 2, actor).image)
    return drawn


def main() -> None:
    """Command line."""
    cv2.setNumThreads(1)
    model = HeadModel.load()
    sides = ["RL"[i % 2] for i in range(WINKING)]
    winks = [draw_wink(model, np.random.default_rng([SEED, 3, i]), side) for i, side in enumerate(tqdm(sides))]
    turning = [draw_turning(model, np.random.default_rng([SEED, 4, i])) for i in tqdm(range(TURNING))]
    rng = np.random.default_rng([SEED, 5])
    np.savez(
        data.cache_folder() / "drawn_shapes.npz", winks=np.stack([noisy(image, rng) for image in winks]),
        sides=np.array(sides), turning=np.stack([[noisy(image, rng) for image in person] for person in turning]),
    )  # fmt: skip


if __name__ == "__main__":
    main()
