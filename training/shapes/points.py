"""Points of drawn heads without their pictures: as many as one likes, with the exact weights of the shapes.

    python -m training.shapes.points --count 150000     # -> shapes_points.npz in the cache folder

Only the mesh's vertices that landmarks, lids and pupils need are moved.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from tracking.faces import BLENDSHAPE_NAMES
from training import data
from training.heads import (
    NECK,
    Camera,
    HeadModel,
    head_rotation,
    random_camera,
    random_identity,
    random_shapes,
    random_turn,
)
from training.heads.dataset import EXPRESSION_NAMES
from training.heads.model import EYEBALLS
from training.heads.rendering import gaze_angles

HEIGHT = 256  # of the picture that the points lie in, pixels


def arkit_matrix(names: list[str] | tuple[str, ...]) -> np.ndarray:
    """(len(names), 52): from weights by the heads' names (with _L and _R) to ARKit's; one weight for both sides is the
    mean of the two."""
    matrix = np.zeros((len(names), len(BLENDSHAPE_NAMES)), np.float32)
    sides = {"_L": "Left", "_R": "Right"}
    for row, name in enumerate(names):
        whole = name[:-2] + sides[name[-2:]] if name[-2:] in sides else name
        if whole in BLENDSHAPE_NAMES:
            matrix[row, BLENDSHAPE_NAMES.index(whole)] = 1
        else:
            matrix[row, BLENDSHAPE_NAMES.index(name[:-2])] = 0.5
    return matrix


def seen(points: np.ndarray, rotation: Sequence[float], camera: Camera, height: int = HEIGHT) -> np.ndarray:
    """x, y (n, 2) in a square picture of points (n, 3) in the space of a head turned by yaw, pitch, roll (degrees)."""
    x, y, z = camera.position
    placed = (points - NECK) @ head_rotation(*rotation).T + np.array([x, y, -z]) + NECK
    return (height - 1) / 2 + camera.focal * height * placed[:, :2] * (1, -1) / -placed[:, 2:]


class PointHeads:
    """The points of a head model's heads; `more`: vertices to have beside the landmarks."""

    def __init__(self, model: HeadModel, more: np.ndarray | None = None) -> None:
        self._names = [name for name in EXPRESSION_NAMES if name in model.expression_names]
        rows = [model.expression_names.index(name) for name in self._names]
        vertices = np.concatenate([model.landmarks, model.anatomy, [] if more is None else more]).astype(int)
        self._neutral = model.neutral[vertices]
        self._identity = model.identity[:, vertices]
        self._expression = model.expression[rows][:, vertices]
        # An eyeball turns about its middle; how far the cornea's tip lies from it hardly differs from person to person.
        self._eyes = np.stack([(model.neutral[eye].min(0) + model.neutral[eye].max(0)) / 2 for eye in EYEBALLS])
        self._eyes[:, 2] -= 0.1  # the cornea
        self._eye_identity = np.stack([model.identity[:, eye].mean(1) for eye in EYEBALLS], 1)
        self._tip = [model.neutral[eye][:, 2].max() - at[2] for eye, at in zip(EYEBALLS, self._eyes, strict=True)]
        self._to_arkit = arkit_matrix(EXPRESSION_NAMES)

    def shape(self, identity: np.ndarray, expression: dict[str, float]) -> np.ndarray:
        """Landmarks, pupils and the further vertices (68 or more, 3) in head space, cm; as HeadModel.shape and the
        renderer have them."""
        weights = np.array([expression.get(name, 0.0) for name in self._names], np.float32)
        for row, name in enumerate(self._names):
            if name.startswith("eyeLook"):
                weights[row] *= 1 - expression.get("eyeBlink" + name[-2:], 0.0)
        blinks = {side: self._names.index(f"eyeBlink_{side}") for side in "RL"}
        closed = {side: weights[row] for side, row in blinks.items()}
        for row in blinks.values():
            weights[row] = 0
        points = self._neutral + np.tensordot(identity, self._identity, 1) + np.tensordot(weights, self._expression, 1)
        for (side, row), o in zip(blinks.items(), (66 + 36, 66 + 42), strict=True):
            upper, lower = [o + 1, o + 2], [o + 5, o + 4]
            gap = (points[upper, 1] - points[lower, 1]).mean()
            closes = -(self._expression[row, upper, 1] - self._expression[row, lower, 1]).mean()
            points = points + closed[side] * np.clip((gap + 0.02) / closes, 0.3, 1.6) * self._expression[row]
        pupils = self._eyes + np.tensordot(identity, self._eye_identity, 1)
        for eye, side in enumerate("RL"):
            pupils[eye] += self._tip[eye] * head_rotation(*gaze_angles(expression, side), 0)[:, 2]
        return np.concatenate([points[:66], pupils, points[132:]])

    def sample(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A random head: its points (68, 2), x and y in a picture of HEIGHT, and its shapes (52,)."""
        rotation, _ = random_turn(rng)
        identity, expression = random_identity(rng, len(self._identity)), random_shapes(rng)
        camera = random_camera(rng, rotation)
        points = seen(self.shape(identity, expression), rotation, camera)
        weights = np.array([expression.get(name, 0.0) for name in EXPRESSION_NAMES], np.float32)
        return points.astype(np.float32), weights @ self._to_arkit


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Points of random heads, with their shapes.")
    parser.add_argument("--count", type=int, default=150_000)
    parser.add_argument("--seed", type=int, default=500)
    arguments = parser.parse_args()
    heads, rng = PointHeads(HeadModel.load()), np.random.default_rng(arguments.seed)
    rows = [heads.sample(rng) for _ in tqdm(range(arguments.count), mininterval=5)]
    points, shapes = (np.stack(column) for column in zip(*rows, strict=True))
    np.savez(data.cache_folder() / "shapes_points.npz", points=points, shapes=shapes)


if __name__ == "__main__":
    main()
