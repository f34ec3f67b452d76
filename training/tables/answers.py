"""The landmark models that are compared, what they answer, and how far that is from the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from training import blending, crops, data, labels
from training.labels import grown_box

# Input side, logit factor and points of the files that differ from lm_model0 to lm_model4.
CONTRACTS = {"T": (56, 8.0, 30), "U": (112, 16.0, 66), "V": (112, 16.0, 66)}
WEAK_POINTS = 0.65  # the tracker believes the 30-point model's worst points where they are worse than this


class MissingError(Exception):
    """Something that a table needs is not there; the message says what, and what makes it."""


@dataclass(frozen=True)
class Model:
    """An ONNX landmark model by its file."""

    label: str
    path: Path
    side: int
    factor: float
    points: int  # 66, or 30

    @property
    def session(self):
        """Its one-thread session."""
        return _session(str(self.path))

    @property
    def threshold(self) -> float:
        """The tracker's default for the least confidence of a tracked face."""
        return 0.6 if self.side == 224 else 0.87

    def run(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (x, y) [n, 66, 2] and the faces' confidences [n] on boxes (x0, y0, x1, y1) of a BGR image."""
        points, confidence = labels.run_landmarks(self.session, self.side, image, boxes, factor=self.factor)
        sure = confidence.mean(1)
        if self.points == 30:
            points, confidence = points[:, data.POINTS30_OF_66], confidence[:, data.POINTS30_OF_66]
            weakest = np.partition(confidence, 3, axis=1)[:, :3].mean(1)
            sure = np.where(weakest < WEAK_POINTS, weakest, sure)
        return points, sure

    def distance(self, answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Mean distance [...] of answers from the truth, both [..., 66, 2], on the points that the model has."""
        difference = answers - truth
        if self.points == 30:
            difference = thirty(difference)
        return np.linalg.norm(difference, axis=-1).mean(-1)


@cache
def _session(path: str):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def find_models(folder: Path, label: str) -> list[Model]:
    """The landmark models of a folder, labelled by where they come from and their names; int8 files as such."""
    found = []
    for path in sorted(folder.glob("lm_model*_*.onnx")):
        name, kind = path.stem.removeprefix("lm_model").split("_")
        shown = f"{label} {name}" + ("" if kind == "opt" else f" {kind}")
        found.append(Model(shown, path, *CONTRACTS.get(name, (224, 16.0, 66))))
    return found


def table(title: str, header: list[str], rows: list[list[object]]) -> None:
    """Prints a table in Markdown."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("| --- |" + " ---: |" * (len(header) - 1))
    for row in rows:
        print("| " + " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row) + " |", flush=True)


def thirty(points: np.ndarray) -> np.ndarray:
    """66 points, or differences of them, [..., 66, 2] as those that lm_modelT has, [..., 30, 2]: each is the mean of
    the points it stands for."""
    return np.stack([points[..., members, :].mean(-2) for members in data.MEMBERS_OF_30], -2)


def converged(model: Model, image: np.ndarray, box: np.ndarray, frames: int = 2) -> tuple[np.ndarray, float]:
    """Points [66, 2] and confidence after a few frames of the same picture, each cropped by the last one's points."""
    for _ in range(frames):
        points, confidence = model.run(image, box[None])
        box = grown_box(points[0])
    return points[0], float(confidence[0])


def style_free_error(answers: np.ndarray, truth: np.ndarray, grouped: bool = False) -> np.ndarray:
    """Error of each point of each face [n, 66] in % of the eye distance, without the points' constant offsets.

    answers, truth: [n, 66, 2]. The mean offset of each point in the eye-aligned frame is taken off. `grouped` gives
    the error of the 30 points of lm_modelT, [n, 30].
    """
    _, matrix = blending.eye_frame(truth)
    residual = np.einsum("nki,nij->nkj", answers - truth, matrix)
    if grouped:
        residual = thirty(residual)
    residual = residual - residual.mean(axis=0)
    return 100 * np.linalg.norm(residual, axis=-1)


def load_labels() -> labels.Labels:
    """The labels. MissingError before they were made."""
    try:
        return _labels(data.cache_folder())
    except FileNotFoundError:
        raise MissingError(f"labels.npz is not in {data.cache_folder()} (training.labels makes it)") from None


# Every table asks for these anew; they take seconds to read.
@cache
def _labels(folder: Path) -> labels.Labels:
    return labels.load()


@cache
def _samples(folder: Path) -> dict[str, data.Sample]:
    return {sample.key: sample for sample in data.list_samples()}


def load_crops(name: str = "crops") -> crops.Crops:
    """The cached crops, as crops.load. MissingError before they were made."""
    try:
        return crops.load(name)
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        raise MissingError(f"{missing} is not in {data.cache_folder()} (training.crops makes it)") from None


def load_drawn(name: str) -> dict[str, np.ndarray]:
    """The arrays of `drawn_{name}.npz`: "clips" or "stills", see tables.drawn. MissingError before they were made."""
    path = data.cache_folder() / f"drawn_{name}.npz"
    if not path.exists():
        raise MissingError(f"{path.name} is not in {path.parent} (training.tables.drawn makes it)")
    with np.load(path) as stored:
        return dict(stored)


def held_out_faces(source: str | None, count: int) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """Up to `count` held-out (image, label [66, 2], key), spread evenly over the people."""
    known, samples = load_labels(), _samples(data.reference_folder())
    if not samples:
        raise MissingError(f"there are no images in {data.reference_folder() / 'data'} (see OSF_REFERENCE)")
    usable = known.usable
    keys = [
        (i, sample)
        for i, sample in enumerate(samples[str(key)] for key in known.keys)
        if usable[i] and data.is_held_out(sample.person) and source in (None, sample.source)
    ]
    chosen = [keys[j] for j in np.unique(np.linspace(0, len(keys) - 1, count).astype(int))]
    return [(data.read_image(s.path), known.points[i].astype(np.float64), s.key) for i, s in chosen]
