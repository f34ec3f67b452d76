"""Tables about the landmark models on pictures: error, trembling, recovery, confidence, turned and small faces, time.

Only people who are held out of training are used. Errors are the mean point distance in % of the distance of the
outer eye corners, after the mean offset of each point in the eye-aligned frame is taken off (two sets of annotations
differ by constant offsets; what remains is the error). lm_modelT is measured on its own 30 points wherever the title
does not say otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from training import augment, data, labels
from training.labels import grown_box
from training.tables.answers import (
    MissingError,
    Model,
    converged,
    held_out_faces,
    load_crops,
    load_drawn,
    style_free_error,
    table,
)

PARTS = {"jaw": data.JAW, "brows": data.BROWS, "nose": data.NOSE, "eyes": [*data.RIGHT_EYE, *data.LEFT_EYE],
         "mouth": data.MOUTH}  # fmt: skip

# --- held-out faces ---------------------------------------------------------------------------------------------


def annotated_points(keys: list[str]) -> np.ndarray:
    """The annotations that came with youtube_faces, [n, 66, 2]."""
    try:
        known = data.annotated_points()
    except FileNotFoundError as error:
        raise MissingError(f"{error.filename} is not there") from error
    return np.stack([known[key] for key in keys])


def accuracy(compared: list[Model], count: int) -> None:
    """Errors against the labels, and against the annotations that came with youtube_faces; the same on 30 points."""
    for title, source in (("all sources, labels of the teachers", None),
                          ("youtube_faces, its own annotations", "youtube_faces")):  # fmt: skip
        faces = held_out_faces(source, count)
        rng = np.random.default_rng(0)
        boxes = [grown_box(points) for _, points, _ in faces]
        boxes = [box + rng.normal(0, 0.03, 4) * np.tile(box[2:] - box[:2], 2) for box in boxes]
        truth = np.stack([p for _, p, _ in faces]) if source is None else annotated_points([k for _, _, k in faces])
        answers = {
            model.label: np.stack([converged(model, f[0], b)[0] for f, b in zip(faces, boxes, strict=True)])
            for model in compared
        }
        for grouped in (False, True):
            shown = [model for model in compared if grouped or model.points == data.POINTS]
            if grouped and len(shown) == sum(model.points == data.POINTS for model in compared):
                continue  # nobody has 30 points
            errors = {model.label: style_free_error(answers[model.label], truth, grouped) for model in shown}
            base = errors.get("reference 1")
            rows: list[list[object]] = []
            for label, error in errors.items():
                ratio = float(error.mean() / base.mean()) if base is not None else float("nan")
                parts = [] if grouped else [float(error[:, list(part)].mean()) for part in PARTS.values()]
                rows.append([label, float(error.mean()), ratio, *parts])
            where = " on lm_modelT's 30 points" if grouped else ""
            header = ["model", "all", "of reference 1", *([] if grouped else PARTS)]
            table(f"Error{where}, {len(faces)} held-out faces, {title}", header, rows)


def steadiness(compared: list[Model], count: int, repeats: int = 50) -> None:
    """Standard deviation of the points under camera noise (sigma 4) and a box jittered by 2 pixels."""
    faces = held_out_faces(None, count)
    rng = np.random.default_rng(0)
    both: dict[str, list[float]] = {model.label: [] for model in compared}
    noise: dict[str, list[float]] = {model.label: [] for model in compared}
    for image, points, _ in faces:
        box, unit = grown_box(points), data.eye_distance(points)
        frames = [
            np.clip(image + 4 * rng.standard_normal(image.shape, np.float32), 0, 255).astype(np.uint8)
            for _ in range(repeats)
        ]
        boxes = box + rng.normal(0, 2, (repeats, 4))
        for model in compared:
            for found, used in ((both, boxes), (noise, np.tile(box, (repeats // 2, 1)))):
                answers = [model.run(frame, b[None])[0][0] for frame, b in zip(frames, used, strict=False)]
                found[model.label].append(float(np.sqrt(np.var(answers, axis=0).sum(-1)).mean() / unit))
    base = float(np.mean(both.get("reference 1", np.nan)))
    rows: list[list[object]] = []
    for label, values in both.items():
        shaken = float(np.mean(values))
        rows.append([label, 100 * shaken, shaken / base, 100 * float(np.mean(noise[label]))])
    header = ["model", "noise and box", "of reference 1", "noise only"]
    table(f"Tremble in % of the eye distance, {len(faces)} held-out faces", header, rows)


def recovery(compared: list[Model], count: int) -> None:
    """From a box that is off by a quarter of the face: share of faces back within 8 % of the face's size."""
    faces = held_out_faces(None, count)
    rows: list[list[object]] = []
    for model in compared:
        near = np.zeros(3)
        rng = np.random.default_rng(0)
        for image, points, _ in faces:
            angle = rng.uniform(0, 2 * np.pi)
            shift = 0.25 * labels.face_size(points) * np.array([np.cos(angle), np.sin(angle)])
            box = grown_box(points) + np.tile(shift, 2)
            for frame in range(3):
                answer = model.run(image, box[None])[0][0]
                near[frame] += model.distance(answer, points) < 0.08 * labels.face_size(points)
                box = grown_box(answer)
        rows.append([model.label, *(100 * near / len(faces)).tolist()])
    header = ["model", "1 frame", "2 frames", "3 frames"]
    table(f"Recovered from a box off by a quarter, % of {len(faces)} held-out faces", header, rows)


def confidence(compared: list[Model], count: int) -> None:
    """Mean confidences on held-out faces and on what is no face."""
    faces = held_out_faces(None, count)
    cached, rng = load_crops(), np.random.default_rng(1)
    chosen = rng.choice(np.flatnonzero(cached.held_out), count)
    others = [
        augment.no_face_sample(cached.image(i), cached.points[i].astype(np.float64), 224, cached.backgrounds, rng)
        for i in chosen
    ]
    rows: list[list[object]] = []
    for model in compared:
        on_faces = np.array([converged(model, image, grown_box(points))[1] for image, points, _ in faces])
        whole = np.array([[0.0, 0.0, 224.0, 224.0]])
        off_faces = np.array([model.run(image, whole)[1][0] for image in others])
        rows.append([model.label, float(on_faces.mean()), float(np.percentile(on_faces, 5)), float(off_faces.mean()),
                     float(np.percentile(off_faces, 95)), float((off_faces > 0.4).mean())])  # fmt: skip
    header = ["model", "faces", "5th percentile", "no faces", "95th percentile", "share over 0.4"]
    table(f"Confidence, {len(faces)} held-out faces and {len(others)} non-faces", header, rows)


# --- turned, rolled and small faces -----------------------------------------------------------------------------


def rolled(compared: list[Model], count: int) -> None:
    """Error when the picture is rolled, and when the face is small, against the labels turned with it."""
    faces = held_out_faces("youtube_faces", count)
    changes: dict[str, Callable[[np.ndarray, float], tuple[float, float]]] = {
        "upright": lambda p, s: (0.0, 1.0),
        "roll 25": lambda p, s: (25 * s, 1.0),
        "roll 45": lambda p, s: (45 * s, 1.0),
        "40 px": lambda p, s: (0.0, 40 / labels.face_size(p)),
        "24 px": lambda p, s: (0.0, 24 / labels.face_size(p)),
    }
    rows: dict[str, list[object]] = {model.label: [model.label] for model in compared}
    for change in changes.values():
        errors: dict[str, list[float]] = {model.label: [] for model in compared}
        for k, (image, points, _) in enumerate(faces):
            angle, scale = change(points, 1.0 if k % 2 else -1.0)
            height, width = image.shape[:2]
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
            size = (max(16, int(width * min(scale, 1))), max(16, int(height * min(scale, 1))))
            matrix[:, 2] += np.array(size) / 2 - (width / 2, height / 2)
            source = cv2.GaussianBlur(image, (0, 0), 0.4 / scale) if scale < 0.7 else image
            turned = cv2.warpAffine(source, matrix, size, borderMode=cv2.BORDER_REPLICATE)
            truth = points @ matrix[:, :2].T + matrix[:, 2]
            for model in compared:
                answer = converged(model, turned, grown_box(truth), 3)[0]
                errors[model.label].append(float(model.distance(answer, truth) / data.eye_distance(truth)))
        for label, values in errors.items():
            rows[label].append(100 * float(np.mean(values)))
    table(f"Error on {len(faces)} changed faces (offsets not taken off)", ["model", *changes], list(rows.values()))


def heads(compared: list[Model]) -> None:
    """Error on held-out synthetic heads by how far they are turned."""
    cached = load_crops("synthetic")
    chosen = np.flatnonzero(cached.held_out)
    yaw, pitch, roll = np.abs(np.load(data.cache_folder() / "synthetic.npz")["poses"][chosen]).T
    groups = {"yaw < 25": yaw < 25, "yaw 25-50": (yaw >= 25) & (yaw < 50), "yaw > 50": yaw >= 50,
              "pitch > 20": pitch > 20, "roll > 30": roll > 30}  # fmt: skip
    truth = cached.points[chosen].astype(np.float64)
    rows: list[list[object]] = []
    for model in compared:
        found = [converged(model, cached.image(i), grown_box(t)) for i, t in zip(chosen, truth, strict=True)]
        error = 100 * model.distance(np.stack([points for points, _ in found]), truth) / labels.face_size(truth)
        means = [float(error[group].mean()) if group.any() else float("nan") for group in groups.values()]
        rows.append([model.label, *means, min(sure for _, sure in found)])
    header = ["model", *(f"{name} ({group.sum()})" for name, group in groups.items()), "least confidence"]
    table(f"Error on {len(chosen)} held-out synthetic heads, % of the face's size", header, rows)


def turns(compared: list[Model]) -> None:
    """Error on drawn heads at yaw ±60°, pitch ±30° and roll ±45°."""
    stills = load_drawn("stills")
    kinds = ("straight", "yaw 60", "pitch 30", "roll 45")
    chosen = np.flatnonzero(np.isin(stills["kinds"], kinds))
    truth = stills["points"][chosen].astype(np.float64)
    rows: list[list[object]] = []
    for model in compared:
        answers = [
            converged(model, stills["images"][i], grown_box(t))[0] for i, t in zip(chosen, truth, strict=True)
        ]
        # The eye distance of a profile is next to nothing: here the face's size is the unit.
        error = 100 * model.distance(np.stack(answers), truth) / labels.face_size(truth)
        rows.append([model.label, *(float(error[stills["kinds"][chosen] == kind].mean()) for kind in kinds)])
    header = ["model", "straight", *(f"{name} ±{angle}°" for name, angle in (k.split() for k in kinds[1:]))]
    table(f"Error on {len(chosen)} drawn heads at set turns, % of the face's size", header, rows)


# --- time -------------------------------------------------------------------------------------------------------


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
    rows: list[list[object]] = []
    for model in compared:
        times = np.array(spent[model.label]) * 1e3
        # Of a machine shared with others the least times are the fairest; of a quiet one the medians say the same.
        ratios = [float(f(times) / (f(base) * 1e3)) if base else float("nan") for f in (np.median, np.min)]
        rows.append([model.label, float(np.median(times)), float(times.min()), *ratios])
    header = ["model", "median ms", "least ms", "median of reference 0", "least of reference 0"]
    table("Time of one forward pass, one thread", header, rows)
