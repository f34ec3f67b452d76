"""Where the skin of drawn heads lies in their pictures: more than the landmarks say, and exact. The blend-shape network
learns to find it in the picture, which teaches it cheeks, lips and jaw far faster than the weights alone would.

    python -m training.shapes.surface heads_*.npz    # -> surface_NAME.npz in the cache folder

A data set does not hold its meshes; its seed draws them again.
"""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training import data
from training.heads import HeadModel
from training.heads.dataset import moment_rng, person_rng, random_moment, random_person
from training.heads.model import FACE
from training.shapes.points import PointHeads, seen

COUNT = 96  # vertices, besides landmarks and pupils


def surface_vertices(model: HeadModel, count: int = COUNT) -> np.ndarray:
    """Vertices (count,) spread evenly over the front of the face: those of the left half, then those that mirror
    them."""
    points = model.neutral[FACE]
    front = np.flatnonzero((points[:, 2] > 3) & (points[:, 1] > -9.5) & (points[:, 1] < 7.5) & (points[:, 0] > 0.3))
    chosen = [front[np.argmax(points[front, 2])]]
    away = np.full(len(front), np.inf)
    while len(chosen) < count // 2:  # each time the one that is farthest from those chosen
        away = np.minimum(away, np.linalg.norm(points[front] - points[chosen[-1]], axis=1))
        chosen.append(front[np.argmax(away)])
    others = [int(np.argmin(np.linalg.norm(points - points[v] * (-1, 1, 1), axis=1))) for v in chosen]
    return np.array(chosen + others)


@cache
def mirror_of_surface() -> np.ndarray:
    """(68 + COUNT,): the point that takes each one's place in a mirror, of landmarks, pupils and the skin."""
    half = np.arange(COUNT // 2)
    return np.concatenate([data.MIRROR, [67, 66], 68 + COUNT // 2 + half, 68 + half])


def surface_points(model: HeadModel, store: dict[str, np.ndarray], height: int) -> np.ndarray:
    """x, y [n, 68 + COUNT, 2] of landmarks, pupils and the skin in the pictures, of that height, of a data set of
    heads."""
    heads = PointHeads(model, surface_vertices(model))
    seed, rows = int(store["seed"]), []
    for i in tqdm(range(len(store["points"])), mininterval=5):
        identity = random_person(model, person_rng(seed, i)).identity
        head, _, camera = random_moment(model, moment_rng(seed, i))
        rows.append(seen(heads.shape(identity, head.expression), head.rotation, camera, height))
    return np.stack(rows).astype(np.float32)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Where the skin of drawn heads lies in their pictures.")
    parser.add_argument("heads", type=Path, nargs="+")
    model = HeadModel.load()
    for path in parser.parse_args().heads:
        with np.load(path) as stored:
            store = {key: stored[key] for key in ("points", "seed")}
            height = stored["images"].shape[1]
        found = surface_points(model, store, height)
        if np.abs(found[:, :66] - store["points"][..., ::-1]).max() > 0.05:
            raise SystemExit(f"{path} was drawn by another version of the renderer.")
        np.savez(data.cache_folder() / f"surface_{path.stem}.npz", points=found)


if __name__ == "__main__":
    main()
