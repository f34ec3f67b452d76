"""Tables about tracking: clips from the detector's box, then from the model's own last points, as in the tracker.

A frame is held when the points lie within 8 % of the face's size of the truth, on average, or of where reference
model 1 comes to rest on that frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tracking.landmarks import MIN_CROP
from training import data, labels
from training.labels import face_size, grown_box
from training.tables.answers import MissingError, Model, converged, held_out_faces, load_drawn, table

HELD = 0.08  # of the face's size
FRAME = (240, 320)  # height, width of the moving camera's picture
PAN_SPEED, LEAVING_SPEED = 0.12, 0.15  # of the face's size in a frame
DROPPED_WITHIN = 3  # frames
PICTURES = "youtube_faces"  # the source whose faces have surroundings, as a camera sees them


@dataclass
class Clip:
    """A face in motion."""

    group: str
    frames: np.ndarray  # [n, h, w, 3] BGR uint8
    truth: np.ndarray | None = None  # [n, 66, 2]

    def first_box(self) -> np.ndarray:
        """The reference detector's box in the first frame, grown as the tracker grows it; where that misses the face,
        the true one."""
        box = None
        if (data.reference_folder() / "reference" / "models" / "mnv3_detection_opt.onnx").exists():
            box = labels.detect_reference(self.frames[0])
        if self.truth is not None:
            low, high = self.truth[0].min(0), self.truth[0].max(0)
            if box is None or overlap(box, np.concatenate((low, high))) < 0.4:
                return grown_box(self.truth[0])
        if box is None:
            raise MissingError("the reference detector is not there, and the clip has no truth to begin with")
        return grown_box(box.reshape(2, 2))


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = sides.prod() if (sides > 0).all() else 0.0
    return float(shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared))


def track(model: Model, frames: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points [n, 66, 2] and confidences [n] through the frames, each cropped by the last one's points.

    The confidence is 0 where next to nothing of the crop lies in the frame: the tracker gives such a face up unseen.
    """
    height, width = frames.shape[1:3]
    points, confidence = [], []
    for frame in frames:
        inside = np.clip(box, 0, (width, height, width, height))
        answer, sure = model.run(frame, box[None])
        points.append(answer[0])
        confidence.append(sure[0] if (inside[2:] - inside[:2] >= MIN_CROP).all() else 0.0)
        box = grown_box(answer[0])
    return np.stack(points), np.array(confidence)


class Judge:
    """Tells how far points are from the face in a clip's frames."""

    def __init__(self, clip: Clip, reference: Model | None, first_box: np.ndarray) -> None:
        self._clip, self._reference = clip, reference
        self._known: dict[int, np.ndarray] = {}
        self._around = clip.truth
        if clip.truth is None:
            if reference is None:
                raise MissingError("reference model 1 is not there, and the clip has no truth")
            self._around, _ = track(reference, clip.frames, first_box)

    def answer(self, i: int) -> np.ndarray:
        """Where reference model 1 comes to rest on a frame [66, 2]."""
        assert self._reference is not None and self._around is not None
        if i not in self._known:
            box = grown_box(self._around[i].astype(np.float64))
            self._known[i], _ = converged(self._reference, self._clip.frames[i], box, 4)
        return self._known[i]

    def away(self, model: Model, points: np.ndarray) -> np.ndarray:
        """Distances [n] of a model's points [n, 66, 2] in shares of the face's size.

        From the truth; where that is too far, or not known, from the reference model's answer if that is nearer.
        """
        away = np.full(len(points), np.inf)
        if self._clip.truth is not None:
            away = model.distance(points, self._clip.truth) / face_size(self._clip.truth)
        if self._reference is not None:
            for i in np.flatnonzero(away > HELD):
                answer = self.answer(i)
                away[i] = min(away[i], model.distance(points[i], answer) / face_size(answer))
        return away


def trembling(points: np.ndarray, truth: np.ndarray | None) -> float:
    """Mean second difference of tracked points [n, 66, 2], less that of the truth, in shares of the face's size."""
    path = points if truth is None else points - truth
    size = face_size(points if truth is None else truth)[1:-1]
    steps = np.linalg.norm(path[2:] - 2 * path[1:-1] + path[:-2], axis=-1).mean(-1)
    return float((steps / size).mean())


def report(title: str, compared: list[Model], clips: list[Clip]) -> None:
    """The table of how models hold faces in clips."""
    groups = list(dict.fromkeys(clip.group for clip in clips))
    reference = next((model for model in compared if model.label == "reference 1"), None)
    boxes = [clip.first_box() for clip in clips]
    judges = [Judge(clip, reference, box) for clip, box in zip(clips, boxes, strict=True)]
    frame_groups = np.concatenate([np.full(len(clip.frames), groups.index(clip.group)) for clip in clips])
    away, unsure, tremble = {}, {}, {}
    for model in compared:
        paths = [track(model, clip.frames, box) for clip, box in zip(clips, boxes, strict=True)]
        away[model.label] = np.concatenate([j.away(model, p) for j, (p, _) in zip(judges, paths, strict=True)])
        unsure[model.label] = np.concatenate([sure for _, sure in paths]) < model.threshold
        shaken = [trembling(p, clip.truth) for clip, (p, _) in zip(clips, paths, strict=True)]
        tremble[model.label] = float(np.mean(shaken))
    base = away.get("reference 1")
    rows: list[list[object]] = []
    for label, distance in away.items():
        held = distance <= HELD
        lost = int((~held & (base <= HELD)).sum()) if base is not None else "?"
        shares = [100 * float(held[frame_groups == g].mean()) for g in range(len(groups))]
        rows.append([label, *shares, 100 * float(distance.max()), lost, int(unsure[label].sum()),
                     100 * tremble[label]])  # fmt: skip
    header = ["model", *(f"{group}, held %" for group in groups), "worst frame, % of the face's size",
              "lost, but held by reference 1", "under the threshold", "trembling, %"]  # fmt: skip
    table(f"{title}: {len(clips)} clips, {len(frame_groups)} frames", header, rows)


# --- what is tracked --------------------------------------------------------------------------------------------


def tracking(compared: list[Model], path: Path | None) -> None:
    """A video of one face, of which no truth is known."""
    if path is None or not path.exists():
        raise MissingError("there is no clip (--clip)")
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        frames.append(frame)
    if not frames:
        raise MissingError(f"{path} is no video that OpenCV reads")
    report(f"As it tracks {path.name}", compared, [Clip(path.stem, np.stack(frames))])


def drawn(compared: list[Model]) -> None:
    """Drawn heads that turn to ±75°, nod ±35°, lean ±50°, come near and go away."""
    stored = load_drawn("clips")
    clips = []
    for number, name in enumerate(stored["names"].tolist()):
        of_clip = stored["clip"] == number
        clips.append(Clip(name, stored["images"][of_clip], stored["points"][of_clip].astype(np.float64)))
    report("As it tracks drawn heads", compared, clips)


def moving(compared: list[Model], count: int) -> None:
    """Held-out faces before a camera that pans, rolls and zooms."""
    rng = np.random.default_rng(5)
    clips = []
    for image, points, _ in held_out_faces(PICTURES, count):
        clips.append(seen_by_camera("moving camera", image, points, camera_path(rng, points), rng))
    report("As it tracks held-out faces", compared, clips)


def leaving(compared: list[Model], count: int) -> None:
    """Faces that leave the picture: how soon they are dropped, and whether not too soon."""
    rng = np.random.default_rng(6)
    clips = []
    for k, (image, points, _) in enumerate(held_out_faces(PICTURES, count)):
        path = leaving_path(rng, points, ("left", "right", "up", "down")[k % 4])
        clips.append(seen_by_camera("leaving", image, points, path, rng))
    boxes = [clip.first_box() for clip in clips]
    rows: list[list[object]] = []
    for model in compared:
        late, early = [], 0
        for clip, box in zip(clips, boxes, strict=True):
            assert clip.truth is not None
            whole, gone = in_picture(clip.truth)
            _, confidence = track(model, clip.frames, box)
            dropped = np.append(np.flatnonzero(confidence < model.threshold), len(clip.frames))[0]
            early += bool(dropped <= np.flatnonzero(whole)[-1])
            late.append(max(0, int(dropped - np.flatnonzero(gone)[0])))
        soon = 100 * float(np.mean(np.array(late) < DROPPED_WITHIN))
        longest = f"{max(late)}{'' if max(late) < LINGER else ' or more'}"
        rows.append([model.label, soon, longest, 100 * early / len(clips)])
    header = ["model", f"dropped within {DROPPED_WITHIN} frames, %", "kept at most, frames",
              "dropped while whole in the picture, %"]  # fmt: skip
    table(f"{len(clips)} held-out faces that leave the picture", header, rows)


# --- the moving camera ------------------------------------------------------------------------------------------

LINGER = 8  # frames after a face has left


def placed(points: np.ndarray, size: float, angle: float, centre: np.ndarray) -> np.ndarray:
    """The affine map [2, 3] that shows a face of points [66, 2] with that size, turned by an angle in radians, with
    the middle of its points at the centre (x, y)."""
    scale = size / face_size(points)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    return np.concatenate((turn, (centre - turn @ points.mean(0))[:, None]), 1)


def camera_path(rng: np.random.Generator, points: np.ndarray, frames: int = 40) -> np.ndarray:
    """Maps [frames, 2, 3] of a camera that swings once through rolls of ±45° and face sizes from 50 to 150 pixels, and
    pans as far as the face stays in the picture, but not faster than faces move: PAN_SPEED."""
    middle = np.array(FRAME[::-1]) / 2
    phase = rng.uniform(0, 2 * np.pi, 4)
    path, centre = [], None
    for time in 2 * np.pi * np.arange(frames) / frames:
        size = np.exp(np.log(50) + np.log(150 / 50) * (1 + np.sin(time + phase[0])) / 2)
        angle = np.radians(45) * np.sin(time + phase[1])
        target = middle + np.maximum(middle - 0.7 * size, 0) * np.sin(time + phase[2:])
        step = target - (target if centre is None else centre)
        step *= min(1.0, PAN_SPEED * size / max(np.linalg.norm(step), 1e-9))
        centre = target if centre is None else centre + step
        path.append(placed(points, size, angle, centre))
    return np.stack(path)


def leaving_path(rng: np.random.Generator, points: np.ndarray, direction: str) -> np.ndarray:
    """Maps [n, 2, 3] of a face that stays in the middle for six frames, then leaves, and of some frames after that."""
    height, width = FRAME
    size, angle = rng.uniform(70, 120), np.radians(rng.uniform(-15, 15))
    step = LEAVING_SPEED * size * np.array({"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}[direction])
    centre, path = np.array([width, height]) / 2, []
    left = 0
    while left < LINGER:
        path.append(placed(points, size, angle, centre))
        seen = points @ path[-1][:, :2].T + path[-1][:, 2]
        left += bool(in_picture(seen[None])[1][0])
        if len(path) >= 6:
            centre = centre + step
    return np.stack(path)


def in_picture(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether all of the points [n, 66, 2] are in the moving camera's picture [n], and whether all have left it on one
    side [n]."""
    height, width = FRAME
    low, high = points.min(1), points.max(1)
    whole = (low >= 0).all(1) & (high <= (width - 1, height - 1)).all(1)
    gone = (high < 0).any(1) | (low > (width - 1, height - 1)).any(1)
    return whole, gone


def seen_by_camera(
    group: str, image: np.ndarray, points: np.ndarray, path: np.ndarray, rng: np.random.Generator
) -> Clip:
    """The clip of an image before a made-up background under maps [n, 2, 3]; points [66, 2] move along."""
    from training.heads import random_background

    height, width = FRAME
    surroundings = cv2.resize(random_background(rng), (width, height))
    frames, truth = [], []
    for matrix in path:
        scale = np.linalg.norm(matrix[:, 0])
        source = cv2.GaussianBlur(image, (0, 0), 0.4 / scale) if scale < 0.7 else image
        frame = surroundings.copy()
        cv2.warpAffine(source, matrix, (width, height), dst=frame, borderMode=cv2.BORDER_TRANSPARENT)
        noise = 2 * rng.standard_normal(frame.shape, np.float32)
        frames.append(np.clip(frame + noise + 0.5, 0, 255).astype(np.uint8))
        truth.append(points @ matrix[:, :2].T + matrix[:, 2])
    return Clip(group, np.stack(frames), np.stack(truth))
