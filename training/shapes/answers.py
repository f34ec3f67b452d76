"""What the tracker's own landmark and pupil models say of drawn heads and of the training faces: the points that the
blend-shape model gets to see, with the errors that they really have.

    python -m training.shapes.answers --heads heads_*.npz    # -> answers_NAME.npz in the cache folder
    python -m training.shapes.answers                        # the crops that the teacher saw -> answers_crops.npz
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tracking.gaze import GazeModel
from tracking.landmarks import LandmarkModel
from training import crops, data

MODELS = (3, 3, 1, -2, -1)  # `--model` numbers; the default one looks twice, through two boxes
OFF = 0.03  # how far the edges of a box are off: what a face moves between two frames, as a share of its size


class Answers:
    """The landmark models of MODELS in a folder, and the pupil model."""

    def __init__(self, models: Iterable[int] = MODELS, folder: Path | None = None) -> None:
        folder = folder or data.repository() / "models"
        self._landmarks = [LandmarkModel(number, folder) for number in models]
        self._gaze = GazeModel(folder)

    def points(self, image: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """x, y [models, 68, 2] of the landmarks and pupils of a face whose true points [66, 2] (x, y) are about there;
        nan where a model sees nothing."""
        low, high = points.min(0), points.max(0)
        found = np.full((len(self._landmarks), 68, 2), np.nan, np.float32)
        for k, model in enumerate(self._landmarks):
            off = rng.normal(0, OFF, (2, 2)) * (high - low)
            (x0, y0), (x1, y1) = low + off[0], high + off[1]
            crop = model.prepare(image, (x0, y0, x1 - x0, y1 - y0))
            if crop is None:
                continue
            _, landmarks = model.decode(model.infer(crop), crop)
            found[k, :66] = landmarks[:, 1::-1]
            found[k, 66:] = self._gaze.locate(image, landmarks)[:, 1::-1]
        return found


def head_points(store: dict[str, np.ndarray]) -> np.ndarray:
    """True x, y [n, 68, 2] of the landmarks and pupils of a data set of heads."""
    return np.concatenate([store["points"], store["pupils"]], 1)[..., ::-1].astype(np.float32)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="What the tracker's models say of drawn heads and training faces.")
    parser.add_argument("--heads", type=Path, nargs="+", help="files of drawn heads, in place of the crops")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    answers, rng = Answers(), np.random.default_rng(0)
    if arguments.heads:
        for path in arguments.heads:
            with np.load(path) as stored:
                images, points = stored["images"], stored["points"][..., ::-1]
            rows = zip(tqdm(images, desc=path.stem, mininterval=5), points, strict=True)
            found = np.stack([answers.points(image, truth, rng) for image, truth in rows])
            np.savez(data.cache_folder() / f"answers_{path.stem}.npz", points=found)
        return
    known, folder = crops.load(), data.cache_folder()
    with np.load(folder / "shapes_images.npz") as stored:  # only those are learnt from
        taught = np.isin(known.keys, stored["keys"][np.isfinite(stored["shapes"][:, 0])])
    rows = tqdm(np.flatnonzero(taught & ~known.held_out), desc="crops", mininterval=5)
    found = np.stack([answers.points(known.image(i), known.points[i], rng) for i in rows])
    np.savez(folder / "answers_crops.npz", points=found, of=np.fromiter(rows.iterable, int))


if __name__ == "__main__":
    main()
