"""A table about pictures with boxes: which faces are found in the first frame, how surely, and with what pose.

    python -m training.tables.pictures FOLDER                # FOLDER's pictures, boxes in FOLDER.json
    python -m training.tables.pictures FOLDER --boxes FILE --models 3 1 -3 --faces 10

The boxes are JSON, {"name.webp": [[x, y, width, height], ...], ...} in pixels; a picture without a face has none. Each
picture is the first frame of a tracker of its own. A box is found when a face's 66 points have a box that overlaps it
by an intersection over union of more than 0.3. A face that belongs to no box counts as false: look at `--each`, since
it may be one that nobody boxed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from tracker import Tracker
from tracking.faces import Box, Face, iou
from tracking.models import default_model_dir
from tracking.pose import DOUBTFUL_ERROR
from training.tables.answers import table

#: Classes of faces: their names, and the least height of the box as a share of the picture's.
SIZES = {"under 1/16": 0.0, "1/16 to 1/8": 1 / 16, "1/8 to 1/3": 1 / 8, "1/3 to 2/3": 1 / 3, "over 2/3": 2 / 3}
LARGE = 1 / 8
SAME_IOU = 0.3
#: Options, and whether they try hard.
SETTINGS = {"default": False, "--try-hard 1": True}


@dataclass
class Count:
    """What was found with one setting.

    Attributes:
        heights: of each box, as a share of the picture's height.
        found: whether a face belongs to each box.
        confidences, errors: of the faces that belong to boxes; the error of the fit as a share of the face's size.
        false: picture, box and confidence of each face that belongs to none.
        missed: picture and box of each box that no face belongs to.
        pictures: how many there were.
    """

    heights: list[float] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    false: list[tuple[str, Box, float]] = field(default_factory=list)
    missed: list[tuple[str, Box]] = field(default_factory=list)
    pictures: int = 0

    def add(self, name: str, height: int, boxes: Sequence[Box], faces: Sequence[Face]) -> None:
        """Count a picture of that height (pixels): its boxes and the faces that were found in it."""
        self.pictures += 1
        pairs = matches(boxes, [face.bbox for face in faces])
        for number, box in enumerate(boxes):
            self.heights.append(box[3] / height)
            self.found.append(number in pairs)
            if number in pairs:
                face = faces[pairs[number]]
                self.confidences.append(face.conf)
                self.errors.append(face.pnp_error / max(face.bbox[2:]))
            else:
                self.missed.append((name, box))
        others = set(range(len(faces))) - set(pairs.values())
        self.false += [(name, faces[other].bbox, faces[other].conf) for other in sorted(others)]

    def share(self, least: float = 0.0, below: float = np.inf) -> tuple[float, int]:
        """Share of the boxes of such heights that were found (NaN of none), and how many there are."""
        heights = np.array(self.heights)
        chosen = np.array(self.found)[(heights >= least) & (heights < below)]
        return (float(chosen.mean()) if len(chosen) else float("nan")), len(chosen)


def matches(boxes: Sequence[Box], faces: Sequence[Box]) -> dict[int, int]:
    """Number of a box to number of the face that belongs to it: each at most once, the most overlapping first."""
    overlaps = [(iou(box, face), i, j) for i, box in enumerate(boxes) for j, face in enumerate(faces)]
    pairs: dict[int, int] = {}
    for overlap, i, j in sorted(overlaps, reverse=True):
        if overlap > SAME_IOU and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def read(folder: Path, boxes: Path) -> Iterator[tuple[str, np.ndarray, list[Box]]]:
    """Name, BGR picture and boxes of each picture that the file of boxes names.

    Raises:
        OSError, ValueError: the boxes or a picture can't be read.
    """
    named: Mapping[str, list[list[float]]] = json.loads(boxes.read_text(encoding="utf-8"))
    for name in sorted(named):
        picture = cv2.imread(str(folder / name))
        if picture is None:
            raise ValueError(f"The picture {folder / name} can't be read.")
        yield name, picture, [(x, y, w, h) for x, y, w, h in named[name]]


def measure(folder: Path, boxes: Path, models: Path, model: int, faces: int, try_hard: bool) -> Count:
    """Track each picture as a first frame."""
    count = Count()
    for name, picture, wanted in read(folder, boxes):
        height, width = picture.shape[:2]
        with Tracker(
            width, height, model, max_faces=faces, max_threads=1, model_dir=models, try_hard=try_hard
        ) as tracker:
            count.add(name, height, wanted, tracker.predict(picture))
    return count


def row(label: str, count: Count) -> list[object]:
    """A line of the table."""
    edges = [*SIZES.values(), np.inf]
    shares = [count.share(), count.share(LARGE), *map(count.share, edges, edges[1:])]
    errors = np.array(count.errors or [np.nan])
    return [
        label,
        *(f"{share:.3f} of {number}" for share, number in shares),
        100 * len(count.false) / count.pictures,
        float(np.mean(count.confidences or [np.nan])),
        float(np.percentile(count.confidences or [np.nan], 5)),
        float(np.median(errors)),
        float(errors.max()),
        int((errors >= DOUBTFUL_ERROR).sum()),
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the pictures")
    parser.add_argument("--boxes", type=Path, help="file with their boxes (default: FOLDER.json)")
    parser.add_argument("--models", type=int, nargs="*", default=[3], help="landmark models (default: 3)")
    parser.add_argument("--model-dir", type=Path, default=default_model_dir(), help="folder with the model files")
    parser.add_argument("--faces", type=int, default=30, help="most faces in a picture (default: 30)")
    parser.add_argument("--each", action="store_true", help="also list what was missed, and what belongs to no box")
    arguments = parser.parse_args()
    boxes = arguments.boxes or arguments.folder.with_suffix(".json")
    cv2.setNumThreads(1)
    rows = []
    for model in arguments.models:
        for name, try_hard in SETTINGS.items():
            try:
                count = measure(arguments.folder, boxes, arguments.model_dir, model, arguments.faces, try_hard)
            except (OSError, ValueError) as error:
                parser.error(str(error))
            rows.append(row(f"{model}, {name}", count))
            if arguments.each:
                for picture, box in count.missed:
                    print(f"{model}, {name}: {picture}: missed {[round(value) for value in box]}")
                for picture, box, confidence in count.false:
                    print(f"{model}, {name}: {picture}: beside {[round(value) for value in box]}, {confidence:.2f}")
    header = [
        *("model, options", "found", "... over 1/8 of the height", *SIZES, "false in 100 pictures"),
        *("confidence", "5th percentile", "error / size, median", "largest", f"{DOUBTFUL_ERROR} or more"),
    ]
    table("First frames of pictures", header, rows)


if __name__ == "__main__":
    main()
