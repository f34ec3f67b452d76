"""A table about real people: what the landmarks tell of a face, and what of it arrives in the packet.

    python -m training.tables.real FOLDER                  # FOLDER/clips/*.mp4 with FOLDER/clips.npz
    python -m training.tables.real FOLDER --models 3 1 -3 --each

Beside each clip stands a second opinion: FaceMesh's points and the blend shapes of MediaPipe's FaceLandmarker, which
clips.npz holds as mesh/NAME [n, 478, 2] (x, y in pixels), shapes/NAME [n, 52] and the shapes' `names`; NaN where no
face was found. A figure is the correlation with it over the frames of a clip, and the mean of that over clips and
sides. It is no truth, but where it is good (lids, jaw, smile, brows) who disagrees with it is most likely wrong.

The landmarks' column measures the 66 points in the picture, as simply as can be; the packet's columns are the eyes and
features that a receiver gets, by either calibration. Where the former is high and the latter low, features lose it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tracker import Tracker
from tracking.faces import Face
from tracking.features import CALIBRATIONS, FEATURE_NAMES
from training.data import EYES_OF_66, EYES_OF_MESH
from training.tables.answers import table
from training.tables.blinks import area_under_curve, lid_gaps

# Points in the 66 and in FaceMesh's 478: outer corners of the eyes; upper with lower points of the lips' inner edge;
# and what trembling is measured on: tip of the nose, corners of the eyes and of the mouth.
OUTER_CORNERS, MESH_OUTER_CORNERS = (36, 45), (33, 263)
LIPS, MESH_LIPS = ((59, 65), (60, 64), (61, 63)), ((82, 87), (13, 14), (312, 317))
STEADY, MESH_STEADY = (30, 36, 39, 42, 45, 58, 62), (1, 33, 133, 362, 263, 61, 291)
BROWS = (range(17, 22), range(22, 27))  # right, left
SIDES = ("Right", "Left")
FEWEST = 10  # frames that a correlation is taken over


@dataclass
class Clip:
    """What is known of a clip: the second opinion, and what the tracker found; NaN where there was no face.

    mesh [n, 478, 2], shapes: name -> [n]; points [n, 66, 2] x, y; for each calibration eyes [n, 2] (right, left) and
    features [n, 14].
    """

    name: str
    mesh: np.ndarray
    shapes: dict[str, np.ndarray]
    points: np.ndarray
    eyes: dict[str, np.ndarray]
    features: dict[str, np.ndarray]

    def feature(self, calibration: str, name: str) -> np.ndarray:
        """One feature [n]; a name that ends in _ for both sides [n, 2]."""
        columns = [FEATURE_NAMES.index(name + side) for side in "rl"] if name.endswith("_") else [
            FEATURE_NAMES.index(name)
        ]  # fmt: skip
        return self.features[calibration][:, columns]

    def sided(self, name: str) -> np.ndarray:
        """A blend shape of both sides [n, 2]."""
        return np.stack([self.shapes[name + side] for side in SIDES], -1)


@dataclass(frozen=True)
class Row:
    """A line of the table: three ways [n] or [n, sides] of telling the same of a clip."""

    title: str
    second: Callable[[Clip], np.ndarray]
    landmarks: Callable[[Clip], np.ndarray]
    packet: Callable[[Clip, str], np.ndarray]
    compare: Callable[[np.ndarray, np.ndarray], float]


def correlation(values: np.ndarray, second: np.ndarray) -> float:
    """Pearson's, over the frames in which both are known: 0 for values that never move; NaN of too few frames, or where
    the second opinion never moves."""
    known = np.isfinite(values) & np.isfinite(second)
    values, second = values[known], second[known]
    if len(values) < FEWEST or np.ptp(second) < 1e-9:
        return float("nan")
    if np.ptp(values) < 1e-9:
        return 0.0
    return float(np.corrcoef(values, second)[0, 1])


def shut_from_open(values: np.ndarray, second: np.ndarray) -> float:
    """AUC of open over shut eyes: those whose gap is under half of its median, by the second opinion."""
    known = np.isfinite(values) & np.isfinite(second)
    shut = second < np.nanmedian(second) / 2
    return area_under_curve(values[known & shut], values[known & ~shut])


def width(points: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """Distance [n] of two points of [n, k, 2]."""
    return np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=-1)


def lip_gap(points: np.ndarray, lips: tuple[tuple[int, int], ...], corners: tuple[int, int]) -> np.ndarray:
    """Mean gap [n] of the lips' inner edge, over the distance of the outer corners of the eyes."""
    return np.mean([width(points, pair) for pair in lips], axis=0) / width(points, corners)


def brow_heights(points: np.ndarray) -> np.ndarray:
    """Height [n, 2] of each brow's five points over the line of the outer corners of the eyes, over its length."""
    first, last = points[:, OUTER_CORNERS[0]], points[:, OUTER_CORNERS[1]]
    along = (last - first) / np.linalg.norm(last - first, axis=-1, keepdims=True) ** 2
    up = np.stack((along[:, 1], -along[:, 0]), -1)
    return np.stack([((points[:, brow].mean(1) - first) * up).sum(-1) for brow in map(list, BROWS)], -1)


def brow_shapes(clip: Clip) -> np.ndarray:
    """browInnerUp + browOuterUp - browDown, right and left [n, 2]."""
    return clip.shapes["browInnerUp"][:, None] + clip.sided("browOuterUp") - clip.sided("browDown")


def mouth_width(clip: Clip) -> np.ndarray:
    """Width of the mouth over the distance of the outer corners of the eyes, for both sides [n, 2]."""
    return np.repeat((width(clip.points, (58, 62)) / width(clip.points, OUTER_CORNERS))[:, None], 2, 1)


def mesh_lids(clip: Clip) -> np.ndarray:
    """FaceMesh's lid gaps [n, 2]."""
    return lid_gaps(clip.mesh, EYES_OF_MESH)


def mesh_lips(clip: Clip) -> np.ndarray:
    """FaceMesh's gap of the inner lips [n]."""
    return lip_gap(clip.mesh, MESH_LIPS, MESH_OUTER_CORNERS)


def _lids(clip: Clip) -> np.ndarray:
    return lid_gaps(clip.points, EYES_OF_66)


def _lips(clip: Clip) -> np.ndarray:
    return lip_gap(clip.points, LIPS, OUTER_CORNERS)


ROWS = (
    Row("lids: eye open / FaceMesh's lid gap over the eye's width", mesh_lids, _lids,
        lambda clip, by: clip.eyes[by], correlation),
    Row("shut eyes told from open ones, AUC / FaceMesh's gap under half the usual", mesh_lids, _lids,
        lambda clip, by: clip.eyes[by], shut_from_open),
    Row("mouth_open / FaceMesh's gap of the inner lips", mesh_lips, _lips,
        lambda clip, by: clip.feature(by, "mouth_open"), correlation),
    Row("mouth_open / jawOpen", lambda clip: clip.shapes["jawOpen"], _lips,
        lambda clip, by: clip.feature(by, "mouth_open"), correlation),
    Row("eyebrow_updown / browInnerUp + browOuterUp - browDown", brow_shapes, lambda clip: brow_heights(clip.points),
        lambda clip, by: clip.feature(by, "eyebrow_updown_"), correlation),
    # Its sign is that of low corners.
    Row("mouth_corner_updown, negative / mouthSmile (landmarks: the mouth's width)", lambda c: c.sided("mouthSmile"),
        mouth_width, lambda clip, by: -clip.feature(by, "mouth_corner_updown_"), correlation),
    Row("mouth_corner_inout / mouthSmile", lambda clip: clip.sided("mouthSmile"), mouth_width,
        lambda clip, by: clip.feature(by, "mouth_corner_inout_"), correlation),
    Row("mouth_wide / mouthSmile, mean of both", lambda clip: clip.sided("mouthSmile").mean(-1),
        lambda clip: mouth_width(clip)[:, 0], lambda clip, by: clip.feature(by, "mouth_wide"), correlation),
)  # fmt: skip


def trembling(points: np.ndarray, chosen: tuple[int, ...]) -> float:
    """Mean second difference of points, pixels."""
    path = points[:, list(chosen)]
    return float(np.nanmean(np.linalg.norm(path[2:] - 2 * path[1:-1] + path[:-2], axis=-1)))


def compared(row: Row, clip: Clip, values: np.ndarray) -> float:
    """The mean over the sides of a comparison with the second opinion; NaN when there is none."""
    second = row.second(clip).reshape(len(clip.mesh), -1)
    figures = [row.compare(*both) for both in zip(values.reshape(len(values), -1).T, second.T, strict=True)]
    return mean(figures)


def mean(figures: list[float]) -> float:
    """Their mean without those that are NaN."""
    known = [figure for figure in figures if np.isfinite(figure)]
    return float(np.mean(known)) if known else float("nan")


def frames_of(path: Path, most: int) -> Iterator[np.ndarray]:
    """The first frames of a video."""
    video = cv2.VideoCapture(str(path))
    for _ in range(most):
        ok, frame = video.read()
        if not ok:
            return
        yield frame


def tracked(path: Path, frames: int, model: int, folder: Path | None, calibration: str) -> list[Face | None]:
    """The face in each of a clip's first frames, with the program's defaults."""
    faces: list[Face | None] = []
    tracker = None
    for frame in frames_of(path, frames):
        if tracker is None:
            tracker = Tracker(frame.shape[1], frame.shape[0], model, model_dir=folder, max_threads=1, no_gaze=True,
                              static_model=True, discard_after=10, max_feature_updates=900,
                              feature_calibration=calibration)  # fmt: skip
        faces += tracker.predict(frame)[:1] or [None]
    return faces


def stacked(values: list[np.ndarray | None], shape: tuple[int, ...]) -> np.ndarray:
    """Values of each frame as one array, NaN for None."""
    return np.stack([np.full(shape, np.nan) if value is None else value for value in values]).astype(np.float64)


def load(folder: Path, model: int, models: Path | None) -> list[Clip]:
    """The clips of a folder, tracked. FileNotFoundError when there are none, or no second opinion."""
    clips = []
    with np.load(folder / "clips.npz") as stored:
        names = [str(name) for name in stored["names"]]
        for path in sorted((folder / "clips").glob("*.mp4")):
            if f"mesh/{path.stem}" not in stored:
                continue
            mesh, shapes = stored[f"mesh/{path.stem}"].astype(float), stored[f"shapes/{path.stem}"].astype(float)
            faces = {by: tracked(path, len(mesh), model, models, by) for by in CALIBRATIONS}
            found = faces[CALIBRATIONS[0]]
            mesh, shapes = mesh[: len(found)], shapes[: len(found)]
            clips.append(
                Clip(
                    path.stem,
                    mesh,
                    dict(zip(names, shapes.T, strict=True)),
                    stacked([f and f.lms[:66, 1::-1] for f in found], (66, 2)),
                    {by: stacked([f and f.eye_blink for f in faces[by]], (2,)) for by in faces},
                    {by: stacked([f and [*f.current_features.values()] for f in faces[by]], (14,)) for by in faces},
                )
            )
    if not clips:
        raise FileNotFoundError(2, "no clip with a second opinion", str(folder / "clips"))
    return clips


def report(clips: list[Clip], model: int, each: bool) -> None:
    """Prints the table, with `each` also the packet's figures clip by clip."""
    rows: list[list[object]] = []
    for row in ROWS:
        by_clip = [compared(row, clip, row.packet(clip, CALIBRATIONS[0])) for clip in clips]
        rows.append([row.title, mean([compared(row, clip, row.landmarks(clip)) for clip in clips]), mean(by_clip)])
        rows[-1].append(mean([compared(row, clip, row.packet(clip, CALIBRATIONS[1])) for clip in clips]))
        rows[-1] += by_clip if each else []
    header = ["packet / second opinion", "in the landmarks", *(f"in the packet, {by}" for by in CALIBRATIONS)]
    table(f"Model {model} on {len(clips)} clips of real people", header + [c.name for c in clips] * each, rows)
    still = float("nan")
    ratios = [trembling(clip.points, STEADY) / (trembling(clip.mesh, MESH_STEADY) or still) for clip in clips]
    print(f"\nTrembling of nose, eye and mouth corners over FaceMesh's: {mean(ratios):.2f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="What arrives in the packet of real people's faces.")
    parser.add_argument("folder", type=Path, help="with clips/*.mp4 and clips.npz")
    parser.add_argument("--models", type=int, nargs="+", default=[3], metavar="N", help="landmark models (default 3)")
    parser.add_argument("--model-dir", type=Path, help="folder with the models")
    parser.add_argument("--each", action="store_true", help="also each clip for itself")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        for model in arguments.models:
            report(load(arguments.folder, model, arguments.model_dir), model, arguments.each)
    except FileNotFoundError as error:
        parser.error(f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
