"""Recordings of expressions for the tests of the Unity package: made-up people, whose faces move smoothly."""

from __future__ import annotations

import numpy as np

from expressions.classifier import Classifier
from expressions.collection import Collection, Recording
from expressions.features import COLUMNS, ROTATION, SHAPES

RATE = 30.0  # frames a second


class MadeUpPerson:
    """Someone whose expressions lie so near to each other that some frames are mistaken.

    Args:
        seed: who it is.
        distance: how far the expressions lie apart, against how much a face moves.
        slowness: how much of a frame is that before, 0 to 1.
    """

    def __init__(self, seed: int, distance: float = 0.35, slowness: float = 0.9) -> None:
        self._rng = np.random.default_rng(seed)
        self._base = self._rng.normal(0, 0.3, COLUMNS)
        self._sizes = self._rng.uniform(0.005, 0.1, COLUMNS)
        self._sizes[[3, 90, 91, 92]] = 0.0  # what never moves: the tip of the nose is the origin
        self._distance = distance
        self._slowness = slowness
        self._faces: dict[str, np.ndarray] = {}
        self._mixing = self._rng.normal(0, 1, (12, COLUMNS)) / np.sqrt(12)

    def samples(self, name: str, count: int, shapes: bool = False) -> np.ndarray:
        """(count, COLUMNS) float32 of one of the expressions."""
        face = self._faces.setdefault(name, self._rng.normal(0, self._distance, COLUMNS))
        steps = self._rng.normal(0, 1, (count + 30, 12))
        for at in range(1, len(steps)):
            steps[at] = self._slowness * steps[at - 1] + np.sqrt(1 - self._slowness**2) * steps[at]
        moves = steps[30:] @ self._mixing + 0.3 * self._rng.normal(0, 1, (count, COLUMNS))
        values = self._base + self._sizes * (face + moves)
        values[:, SHAPES] = np.clip(np.abs(values[:, SHAPES]), 0, 1) if shapes else np.nan
        values[:, ROTATION] = np.clip(values[:, ROTATION], -1, 1)
        return values.astype(np.float32)

    def collection(self, counts: dict[str, int], shapes: bool = False) -> Collection:
        """Recordings of so many samples of each expression, in two goes each."""
        collection = Collection()
        for name, count in counts.items():
            for part in (count - count // 3, count // 3):
                collection.add(name, Recording(self.samples(name, part, shapes), part / RATE))
        return collection


def made_up_classifier(seed: int, names: tuple[str, ...], columns: np.ndarray, samples: np.ndarray) -> Classifier:
    """One that nobody trained: some of the samples as support vectors, with any weights."""
    rng = np.random.default_rng(seed)
    pairs = len(names) * (len(names) - 1) // 2
    values = samples[:, columns].astype(float)
    scale = np.maximum(values.std(0), 0.01)
    support = (values[rng.permutation(len(values))[:40]] - values.mean(0)) / scale
    weights = rng.normal(0, 1, (pairs, len(support))) * (rng.random((pairs, len(support))) < 0.5)
    return Classifier(
        names, columns, values.mean(0), scale, 1 / len(columns), support, weights, rng.normal(0, 0.3, pairs),
        rng.uniform(0.5, 9, pairs), rng.normal(0, 0.5, pairs), rng.uniform(0.8, 1, len(names)),
    )  # fmt: skip
