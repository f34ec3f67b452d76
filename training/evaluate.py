"""Prints how good the landmark models are: ours, and the reference ones where their folder is there.

    python -m training.evaluate                  # every table
    python -m training.evaluate accuracy timing  # some
    python -m training.evaluate tracking --clip carphone_pristine.mp4

Only people who are held out of training are used. Errors are the mean point distance in % of the distance of the
outer eye corners, after the mean offset of each point in the eye-aligned frame is taken off (two sets of annotations
differ by constant offsets; what remains is the error).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from training import augment, crops, data, labels
from training.labels import grown_box

FIRST_LETTERS = {"jaw": data.JAW, "brows": data.BROWS, "nose": data.NOSE,
                 "eyes": [*data.RIGHT_EYE, *data.LEFT_EYE], "mouth": data.MOUTH}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """An ONNX landmark model by its file."""

    label: str
    path: Path
    side: int
    factor: float

    @property
    def session(self):
        """Its one-thread session."""
        return _session(str(self.path))

    def run(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (x, y) [n, 66, 2] and confidences [n, k] on boxes (x0, y0, x1, y1) of a BGR image."""
        points, confidence = labels.run_landmarks(self.session, self.side, image, boxes, factor=self.factor)
        if points.shape[1] != data.POINTS:
            points = points[:, data.POINTS30_OF_66]
        return points, confidence


@cache
def _session(path: str):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def models(folder: Path, label: str) -> list[Model]:
    """The landmark models of a folder."""
    contract = {"T": (56, 8.0), "U": (112, 16.0), "V": (112, 16.0)}
    found = []
    for path in sorted(folder.glob("lm_model*_opt.onnx")):
        name = path.name.removeprefix("lm_model").removesuffix("_opt.onnx")
        found.append(Model(f"{label} {name}", path, *contract.get(name, (224, 16.0))))
    return found


def table(title: str, header: list[str], rows: list[list[object]]) -> None:
    """Prints a table in Markdown."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("| --- |" + " ---: |" * (len(header) - 1))
    for row in rows:
        print("| " + " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row) + " |", flush=True)


# --- held-out faces ---------------------------------------------------------------------------------------------


def held_out_faces(source: str | None, count: int) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """Up to `count` held-out (image, label [66, 2], key), spread evenly over the people."""
    known = labels.load()
    samples = {s.key: s for s in data.list_samples()}
    keys = [
        (i, samples[str(k)])
        for i, k in enumerate(known.keys)
        if known.usable[i] and data.is_held_out(samples[str(k)].person) and source in (None, samples[str(k)].source)
    ]
    chosen = [keys[j] for j in np.unique(np.linspace(0, len(keys) - 1, count).astype(int))]
    return [(data.read_image(s.path), known.points[i].astype(np.float64), s.key) for i, s in chosen]


def converged(model: Model, image: np.ndarray, box: np.ndarray, frames: int = 2) -> tuple[np.ndarray, float]:
    """Points and confidence after a few frames of the same picture, each cropped by the last one's points."""
    for _ in range(frames):
        points, confidence = model.run(image, box[None])
        box = grown_box(points[0])
    return points[0], float(confidence.mean())


def style_free_error(answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Error of each point of each face [n, 66] in % of the eye distance, without the points' constant offsets."""
    origin, matrix = labels.eye_frame(truth)
    residual = np.einsum("nki,nij->nkj", answers - truth, matrix)
    residual -= np.median(residual, axis=0)
    return 100 * np.linalg.norm(residual, axis=-1)


def accuracy(compared: list[Model], count: int) -> None:
    """Errors against the blended labels, and against the annotations that came with youtube_faces."""
    stored = np.load(data.reference_folder() / "data" / "youtube_faces" / "landmarks68.npz")
    annotated = {f"youtube_faces/{f}": p for f, p in zip(stored["files"], stored["points"], strict=True)}
    for title, source in (("all sources, labels of the teachers", None),
                          ("youtube_faces, its own annotations", "youtube_faces")):  # fmt: skip
        faces = held_out_faces(source, count)
        rng = np.random.default_rng(0)
        boxes = []
        for _, points, _ in faces:
            box = grown_box(points)
            boxes.append(box + rng.normal(0, 0.03, 4) * np.tile(box[2:] - box[:2], 2))
        truth = np.stack([p for _, p, _ in faces])
        if source:
            truth = np.stack([annotated[k][data.IBUG68_OF_66] for _, _, k in faces]).astype(np.float64)
        errors = {}
        for model in compared:
            answers = np.stack([converged(model, f[0], b)[0] for f, b in zip(faces, boxes, strict=True)])
            errors[model.label] = style_free_error(answers, truth)
        base = errors.get("reference 1")
        rows = []
        for label, error in errors.items():
            parts = [float(error[:, list(part)].mean()) for part in FIRST_LETTERS.values()]
            ratio = float(error.mean() / base.mean()) if base is not None else float("nan")
            rows.append([label, float(error.mean()), ratio, *parts])
        table(f"Error, {len(faces)} held-out faces, {title}", ["model", "all", "of reference 1", *FIRST_LETTERS], rows)


def steadiness(compared: list[Model], count: int, repeats: int = 50) -> None:
    """Standard deviation of the points under camera noise (sigma 4) and a box jittered by 2 pixels."""
    faces = held_out_faces(None, count)
    rows = []
    for model in compared:
        rng = np.random.default_rng(0)
        noisy, boxed = [], []
        for image, points, _ in faces:
            box, unit = grown_box(points), data.eye_distance(points)
            answers = []
            for _ in range(repeats):
                shaken = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
                answers.append(model.run(shaken, (box + rng.normal(0, 2, 4))[None])[0][0])
            boxed.append(np.sqrt(np.var(answers, axis=0).sum(-1)).mean() / unit)
            answers = []
            for _ in range(repeats // 2):
                shaken = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
                answers.append(model.run(shaken, box[None])[0][0])
            noisy.append(np.sqrt(np.var(answers, axis=0).sum(-1)).mean() / unit)
        rows.append([model.label, 100 * float(np.mean(boxed)), 100 * float(np.mean(noisy))])
    header = ["model", "noise and box", "noise only"]
    table(f"Tremble in % of the eye distance, {len(faces)} held-out faces", header, rows)


def recovery(compared: list[Model], count: int) -> None:
    """From a box that is off by a quarter of the face: share of faces back within 8 % of the face's size."""
    faces = held_out_faces(None, count)
    rows = []
    for model in compared:
        near = np.zeros(3)
        rng = np.random.default_rng(0)
        for image, points, _ in faces:
            angle = rng.uniform(0, 2 * np.pi)
            shift = 0.25 * labels.face_size(points) * np.array([np.cos(angle), np.sin(angle)])
            box = grown_box(points) + np.tile(shift, 2)
            for frame in range(3):
                answer = model.run(image, box[None])[0][0]
                distance = np.linalg.norm(answer - points, axis=-1).mean() / labels.face_size(points)
                near[frame] += distance < 0.08
                box = grown_box(answer)
        rows.append([model.label, *(100 * near / len(faces)).tolist()])
    header = ["model", "1 frame", "2 frames", "3 frames"]
    table(f"Recovered from a box off by a quarter, % of {len(faces)} held-out faces", header, rows)


def confidence(compared: list[Model], count: int) -> None:
    """Mean confidences on held-out faces and on what is no face."""
    faces = held_out_faces(None, count)
    cached, rng = crops.load(), np.random.default_rng(1)
    chosen = rng.choice(np.flatnonzero(cached.held_out), count)
    others = [
        augment.no_face_sample(cached.image(i), cached.points[i].astype(np.float64), 224, cached.backgrounds, rng)
        for i in chosen
    ]
    rows = []
    for model in compared:
        on_faces = np.array([converged(model, image, grown_box(points))[1] for image, points, _ in faces])
        whole = np.array([[0.0, 0.0, 224.0, 224.0]])
        off_faces = np.array([model.run(image, whole)[1].mean() for image in others])
        rows.append([model.label, float(on_faces.mean()), float(np.percentile(on_faces, 5)), float(off_faces.mean()),
                     float(np.percentile(off_faces, 95)), float((off_faces > 0.4).mean())])  # fmt: skip
    header = ["model", "faces", "5th percentile", "no faces", "95th percentile", "share over 0.4"]
    table(f"Confidence, {len(faces)} held-out faces and {len(others)} non-faces", header, rows)


# --- turned, rolled and small faces -----------------------------------------------------------------------------


def rolled(compared: list[Model], count: int) -> None:
    """Error when the picture is rolled, and when the face is small, against the labels turned with it."""
    faces = held_out_faces("youtube_faces", count)
    changes: dict[str, Callable[[np.ndarray, float], tuple[np.ndarray, float, float]]] = {
        "upright": lambda p, s: (p, 0.0, 1.0),
        "roll 25": lambda p, s: (p, 25 * s, 1.0),
        "roll 45": lambda p, s: (p, 45 * s, 1.0),
        "40 px": lambda p, s: (p, 0.0, 40 / labels.face_size(p)),
        "24 px": lambda p, s: (p, 0.0, 24 / labels.face_size(p)),
    }
    rows = {model.label: [model.label] for model in compared}
    for change in changes.values():
        errors: dict[str, list[float]] = {model.label: [] for model in compared}
        for k, (image, points, _) in enumerate(faces):
            _, angle, scale = change(points, 1.0 if k % 2 else -1.0)
            height, width = image.shape[:2]
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
            size = (max(16, int(width * min(scale, 1))), max(16, int(height * min(scale, 1))))
            matrix[:, 2] += np.array(size) / 2 - (width / 2, height / 2)
            source = cv2.GaussianBlur(image, (0, 0), 0.4 / scale) if scale < 0.7 else image
            turned = cv2.warpAffine(source, matrix, size, borderMode=cv2.BORDER_REPLICATE)
            truth = points @ matrix[:, :2].T + matrix[:, 2]
            for model in compared:
                answer = converged(model, turned, grown_box(truth), 3)[0]
                distance = np.linalg.norm(answer - truth, axis=-1).mean()
                errors[model.label].append(float(distance / data.eye_distance(truth)))
        for label, values in errors.items():
            rows[label].append(100 * float(np.mean(values)))
    table(f"Error on {len(faces)} changed faces (offsets not taken off)", ["model", *changes], list(rows.values()))


def turns(compared: list[Model]) -> None:
    """Error on held-out synthetic heads by how far they are turned, and how well lid gaps tell closed from open."""
    if not (data.cache_folder() / "synthetic.npz").exists():
        print("\nNo synthetic heads (training.crops --heads), no table of turned heads.")
        return
    heads, extra = crops.load("synthetic"), np.load(data.cache_folder() / "synthetic.npz")
    chosen = np.flatnonzero(heads.held_out)
    yaw, pitch = np.abs(extra["poses"][chosen, :2]).T
    half = (yaw >= 25) & (yaw < 50)
    groups = {"yaw < 25": yaw < 25, "25-50": half, "over 50": yaw >= 50, "pitch over 20": pitch > 20}
    eyes = extra["eye_open"][chosen]
    rows = []
    for model in compared:
        answers, sure = [], []
        for i in chosen:
            points, confidence_ = converged(model, heads.image(i), grown_box(heads.points[i].astype(np.float64)))
            answers.append(points)
            sure.append(confidence_)
        answers, truth = np.stack(answers), heads.points[chosen].astype(np.float64)
        # The eye distance of a profile is next to nothing: here the face's size is the unit.
        error = 100 * np.linalg.norm(answers - truth, axis=-1).mean(1) / labels.face_size(truth)
        frontal = yaw < 40
        gaps, open_ = [], []
        for side, (corners, lids) in enumerate((((36, 39), ((37, 41), (38, 40))), ((42, 45), ((43, 47), (44, 46))))):
            width = np.linalg.norm(answers[:, corners[0]] - answers[:, corners[1]], axis=-1)
            gap = sum(np.linalg.norm(answers[:, a] - answers[:, b], axis=-1) for a, b in lids) / 2
            gaps.append((gap / width)[frontal])
            open_.append(eyes[frontal, side])
        gap, opening = np.concatenate(gaps), np.concatenate(open_)
        closed, opened = gap[opening < 0.15], gap[opening > 0.6]
        auc = float((opened[:, None] > closed).mean()) if len(closed) and len(opened) else float("nan")
        rows.append([model.label, *(float(error[g].mean()) for g in groups.values()), float(np.min(sure)), auc])
    header = ["model", *groups, "least confidence", "closed or open, AUC"]
    table(f"Error on {len(chosen)} held-out synthetic heads, % of the face's size", header, rows)


# --- clips and time ---------------------------------------------------------------------------------------------


def tracking(compared: list[Model], clip: Path | None) -> None:
    """A clip from the detector's box, then from the last points: distance to reference model 1, tremble, frames
    under the default threshold."""
    if clip is None or not clip.exists():
        print("\nNo clip (--clip), no tracking table.")
        return
    capture, frames = cv2.VideoCapture(str(clip)), []
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        frames.append(frame)
    paths = {}
    for model in compared:
        box, path, sure = labels.detect_reference(frames[0]), [], []
        for frame in frames:
            points, confidence_ = model.run(frame, box[None])
            box = grown_box(points[0])
            path.append(points[0])
            sure.append(confidence_.mean())
        paths[model.label] = (np.stack(path), np.array(sure))
    base = paths.get("reference 1")
    rows = []
    for model in compared:
        path, sure = paths[model.label]
        threshold = 0.87 if model.side < 224 else 0.6
        away = np.full(len(path), np.nan)
        if base is not None:
            difference = path - base[0]
            away = np.linalg.norm(difference - np.median(difference, 0), axis=-1).mean(1) / labels.face_size(base[0])
        steps = path[2:] - 2 * path[1:-1] + path[:-2]
        tremble = np.linalg.norm(steps, axis=-1).mean() / labels.face_size(path).mean()
        rows.append([model.label, float(sure.mean()), float(sure.min()), int((sure < threshold).sum()),
                     100 * float(away.mean()), 100 * float(away.max()), 100 * float(tremble)])  # fmt: skip
    header = ["model", "confidence", "lowest", "frames lost", "from reference 1", "at most", "second difference"]
    table(f"Tracking {clip.name}, {len(frames)} frames (% of the face's size)", header, rows)


def timing(compared: list[Model], repeats: int = 150) -> None:
    """One-thread forward passes, all models in turn, as ratios to reference lm_model0."""
    spent: dict[str, list[float]] = {model.label: [] for model in compared}
    rng = np.random.default_rng(0)
    inputs = {side: rng.normal(size=(1, 3, side, side)).astype(np.float32) for side in (56, 112, 224)}
    for k in range(repeats + 5):
        for model in compared:
            start = time.perf_counter()
            model.session.run(None, {"input": inputs[model.side]})
            if k >= 5:
                spent[model.label].append(time.perf_counter() - start)
    base = spent.get("reference 0")
    rows = []
    for model in compared:
        times = np.array(spent[model.label]) * 1e3
        # Of a machine shared with others the least times are the fairest; of a quiet one the medians say the same.
        ratios = [float(f(times) / (f(base) * 1e3)) if base else float("nan") for f in (np.median, np.min)]
        rows.append([model.label, float(np.median(times)), float(times.min()), *ratios])
    header = ["model", "median ms", "least ms", "median of reference 0", "least of reference 0"]
    table("Time of one forward pass, one thread", header, rows)


def main() -> None:
    """Command line."""
    tables = ("accuracy", "steadiness", "recovery", "rolled", "turns", "confidence", "tracking", "timing")
    parser = argparse.ArgumentParser(description="Measure the landmark models.")
    parser.add_argument("tables", nargs="*", help=f"which of {', '.join(tables)} (default: all)")
    parser.add_argument("--folder", type=Path, default=data.repository() / "models", help="our models")
    parser.add_argument("--clip", type=Path, help="a video of one face")
    parser.add_argument("--count", type=int, default=300, help="held-out faces (default 300)")
    arguments = parser.parse_args()
    unknown = set(arguments.tables) - set(tables)
    if unknown:
        parser.error(f"no such table: {', '.join(sorted(unknown))}")
    cv2.setNumThreads(1)
    compared = models(arguments.folder, "ours") + models(data.reference_folder() / "reference" / "models", "reference")
    chosen = arguments.tables or tables
    if "accuracy" in chosen:
        accuracy(compared, arguments.count)
    if "steadiness" in chosen:
        steadiness(compared, max(10, arguments.count // 10))
    if "recovery" in chosen:
        recovery(compared, arguments.count // 2)
    if "rolled" in chosen:
        rolled(compared, arguments.count // 3)
    if "turns" in chosen:
        turns(compared)
    if "confidence" in chosen:
        confidence(compared, arguments.count // 2)
    if "tracking" in chosen:
        tracking(compared, arguments.clip)
    if "timing" in chosen:
        timing(compared)


if __name__ == "__main__":
    main()
