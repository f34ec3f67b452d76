"""Tables about the features on drawn heads: faces that keep still while the head turns, and blinks in the first second.

    python -m training.tables.features --models 3 1 -3
    python -m training.tables.features --images 3000     # raw values of face images: PRIORS there
    python -m training.tables.features --fit             # what a turn adds to each: TURN in tracking.features.balanced

The heads are drawn once, in four minutes, into drawn_features.npz in the cache folder; their people are none that
models are trained on. Every picture goes through the tracker, as a camera's does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tracker import Tracker
from tracking import pose
from tracking.faces import Face
from tracking.features import CALIBRATIONS, FEATURE_NAMES, balanced
from training import data
from training.heads import (
    Actor,
    Camera,
    HeadModel,
    face_middle,
    fitting_light,
    random_head,
    random_scene,
    render,
)
from training.tables.answers import table
from training.tables.drawn import FRAME, noisy, torso_of

SEED = 4711
PEOPLE = 24
YAWS, PITCHES, STEP = 30, 20, 5  # degrees
#: A still face: the eyes stay above this, the mouth below.
OPEN, SHUT_MOUTH = 0.7, 0.2
#: An eye that blinks falls below this.
CLOSED = 0.3
#: An image looks ahead when it is turned by less than this, radians.
LOOKS_AHEAD = 0.3
BEGINNINGS = (3, 12, 20)  # frames before the blink, all within the first second
#: Faces that look ahead: who shuts which eye, by half and wholly.
LIDS = {"open": (), "blink": ("R", "L"), "right wink": ("R",), "left wink": ("L",)}


def swing(most: int) -> list[int]:
    """From the middle to both ends and back, degrees."""
    there = [*range(0, most + 1, STEP), *range(most - STEP, -most - 1, -STEP)]
    return [*there, *range(STEP - most, 1, STEP)]


TURNS = [(yaw, 0, 0) for yaw in swing(YAWS)] + [(0, pitch, 0) for pitch in swing(PITCHES)]
EYES = [(kind, share) for kind, sides in LIDS.items() for share in ((0.5, 1.0) if sides else (0.0,))]


def draw_person(
    model: HeadModel, number: int, turns: Sequence[tuple[int, int, int]] = TURNS
) -> tuple[np.ndarray, np.ndarray]:
    """A person with a still face at turns, and looking ahead with all EYES: BGR uint8 [n, h, w, 3] each."""
    rng = np.random.default_rng([SEED, number])
    head = random_head(model, rng)
    if head.appearance.glasses == "sun":
        head = replace(head, appearance=replace(head.appearance, glasses=""))
    scene = fitting_light(random_scene(rng), head.appearance)
    actor = Actor.prepare(model, head.identity, head.appearance, 640)
    focal = float(rng.uniform(1.3, 2.3))
    middle = face_middle((0, 0, 0))
    camera = Camera(focal, (float(-middle[0]), float(-middle[1]), 20 * focal / 0.45 + float(middle[2])))

    def draw(turn: Sequence[float], expression: dict[str, float]) -> np.ndarray:
        turned = np.array(turn, float)
        moved = replace(head, expression=expression, rotation=tuple(turned), torso=tuple(torso_of(turned)))
        return noisy(render(model, moved, camera, scene, FRAME, 2, actor).image, rng)

    still = [draw(turn, {}) for turn in turns]
    eyes = [draw((0, 0, 0), {f"eyeBlink_{side}": share for side in LIDS[kind]}) for kind, share in EYES]
    return np.stack(still), np.stack(eyes)


def load() -> tuple[np.ndarray, np.ndarray]:
    """The pictures of all people, [PEOPLE, n, h, w, 3] each; drawn when they are not there yet."""
    path = data.cache_folder() / "drawn_features.npz"
    if not path.exists():
        model = HeadModel.load()
        people = [draw_person(model, number) for number in tqdm(range(PEOPLE), desc="people")]
        still, eyes = map(np.stack, zip(*people, strict=True))
        np.savez(path, still=still, eyes=eyes)
    with np.load(path) as stored:
        return stored["still"], stored["eyes"]


def tracked(frames: Sequence[np.ndarray], model: int, calibration: str, folder: Path | None) -> list[Face]:
    """The face in each frame; a frame without one is left out."""
    height, width = frames[0].shape[:2]
    faces: list[Face] = []
    with Tracker(width, height, model, model_dir=folder, max_threads=1, no_gaze=True, static_model=True,
                 feature_calibration=calibration) as tracker:  # fmt: skip
        for frame in frames:
            faces += tracker.predict(frame)[:1]
    return faces


def turning(still: np.ndarray, model: int, calibration: str, folder: Path | None = None) -> tuple[np.ndarray, ...]:
    """The lesser eye's opening [n] and the features [n, 14] of a still face at its turns, which is looked at for half a
    second before."""
    faces = tracked([still[0]] * 15 + list(still), model, calibration, folder)[15:]
    openness = np.array([min(face.eye_blink or (0, 0)) for face in faces])
    return openness, np.array([[*face.current_features.values()] for face in faces])


def blinking(eyes: np.ndarray, kind: str, model: int, calibration: str, folder: Path | None = None) -> list[bool]:
    """Whether the eyes that shut fall below CLOSED and the others stay above OPEN, for each of BEGINNINGS."""
    opened, half, whole = eyes[0], eyes[EYES.index((kind, 0.5))], eyes[EYES.index((kind, 1.0))]
    shuts = np.array([side in LIDS[kind] for side in "RL"])
    right = []
    for before in BEGINNINGS:
        frames = [opened] * before + [half, whole, whole, whole, half] + [opened] * (25 - before)
        seen = np.array([face.eye_blink for face in tracked(frames, model, calibration, folder)])
        least = seen[before + 1 : before + 4].min(0)
        right.append(bool((least[shuts] < CLOSED).all() and (least[~shuts] > OPEN).all()))
    return right


def report(models: list[int], folder: Path | None) -> None:
    """Prints the tables."""
    still, eyes = load()
    rows: list[list[object]] = []
    blinks: list[list[object]] = []
    kinds = [kind for kind, sides in LIDS.items() if sides]
    for model in models:
        for calibration in CALIBRATIONS:
            people = [turning(person, model, calibration, folder) for person in still]
            openness = np.concatenate([one for one, _ in people])
            values = np.concatenate([values for _, values in people])
            moved = np.concatenate([np.abs(values - values[0]) for _, values in people])
            rows.append(
                [
                    f"{model}, {calibration}",
                    100 * float((openness > OPEN).mean()),
                    100 * float((values[:, FEATURE_NAMES.index("mouth_open")] < SHUT_MOUTH).mean()),
                    *(f"{np.median(column):.2f}, {np.percentile(column, 95):.2f}" for column in moved.T),
                ]
            )
            right = [[blinking(person, kind, model, calibration, folder) for person in eyes] for kind in kinds]
            blinks.append([f"{model}, {calibration}", *(100 * float(np.mean(one)) for one in right)])
    header = ["model", f"eyes above {OPEN}, %", f"mouth_open below {SHUT_MOUTH}, %", *FEATURE_NAMES]
    table(f"Still faces of {len(still)} drawn heads that turn to ±{YAWS}° and nod to ±{PITCHES}°; how far features go, "
          "median and 95 % of frames", header, rows)  # fmt: skip
    table(f"In the first second the eyes that shut fall below {CLOSED}, the others stay above {OPEN}, %",
          ["model", *kinds], blinks)  # fmt: skip


def fit(model: int, folder: Path | None) -> None:
    """Prints what the turn adds to each raw value: least squares, with a constant for each person and side."""
    still, _ = load()
    height, width = FRAME
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in balanced.TURN}
    known = dict(balanced.TURN)
    balanced.TURN.update(dict.fromkeys(known, (0.0, 0.0, 0.0, 0.0)))
    for person in tqdm(still, desc="people"):
        raw, angles = [], []
        for face in tracked(list(person), model, CALIBRATIONS[0], folder):
            values, turned = raw_values(face, width, height)
            raw.append(values)
            angles.append(turned)
        yaw, pitch = np.array(angles).T
        for name in found:
            for side, outwards in (("_l", yaw), ("_r", -yaw)) if name + "_l" in raw[0] else (("", 0 * yaw),):
                terms = np.stack((outwards, yaw**2, pitch, pitch**2), 1)
                sided = np.array([one[name + side] for one in raw])
                found[name].append((terms - terms.mean(0), sided - sided.mean()))
    balanced.TURN.update(known)
    for name, pairs in found.items():
        terms, deviations = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
        numbers = np.linalg.lstsq(terms, deviations, rcond=None)[0]
        left = deviations - terms @ numbers
        rounded = tuple(float(round(number, 3)) for number in numbers)
        print(f"{name}: {rounded}; deviation {deviations.std():.4f}, then {left.std():.4f}")


def raw_values(face: Face, width: int, height: int) -> tuple[dict[str, float], np.ndarray]:
    """The raw values of a face, and from where the camera sees it: yaw and pitch, radians [2]."""
    solved = pose.Pose(face.rotation, cv2.Rodrigues(face.rotation)[0], face.translation, face.pnp_error)
    camera = balanced.direction_to_camera(solved.matrix, width, height)
    points = pose.back_project(face.face_3d, face.lms, solved, width, height)
    return balanced.measure(points, camera), np.arctan2(camera[:2], camera[2])


def people(count: int, model: int, folder: Path | None) -> None:
    """Prints percentiles of the raw values of random face images whose pose is known and that look ahead."""
    samples = data.list_samples()
    if not samples:
        raise FileNotFoundError(2, "", str(data.reference_folder() / "data"))
    found: list[dict[str, float]] = []
    with Tracker(64, 64, model, model_dir=folder, max_threads=1, no_gaze=True, static_model=True, discard_after=0,
                 feature_level=0) as tracker:  # fmt: skip
        for i in tqdm(np.random.default_rng(0).permutation(len(samples))[:count], desc="images"):
            image = data.read_image(samples[i].path)
            tracker.predict(np.zeros_like(image))  # the face before is lost
            tracker.predict(image)
            for face in tracker.predict(image):
                values, turned = raw_values(face, image.shape[1], image.shape[0])
                known = face.conf > 0.8 and face.pnp_error < 0.1 * max(face.bbox[2:])
                if known and np.abs(turned).max() < LOOKS_AHEAD:
                    found.append(values)
    shares = (1, 5, 25, 50, 75, 95, 99)
    rows: list[list[object]] = [
        [name, *np.percentile([values[name] for values in found], shares).tolist()] for name in FEATURE_NAMES
    ]
    table(f"Raw values of {len(found)} face images that look ahead", ["", *(f"{one} %" for one in shares)], rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure the features on drawn heads.")
    parser.add_argument("--models", type=int, nargs="+", default=[3], metavar="N", help="landmark models (default 3)")
    parser.add_argument("--model-dir", type=Path, help="folder with the models")
    parser.add_argument("--fit", action="store_true", help="fit what turns add, with the first model")
    parser.add_argument("--images", type=int, metavar="N", help="raw values of so many face images, with the first")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        if arguments.fit:
            fit(arguments.models[0], arguments.model_dir)
        elif arguments.images:
            people(arguments.images, arguments.models[0], arguments.model_dir)
        else:
            report(arguments.models, arguments.model_dir)
    except FileNotFoundError as error:
        parser.error(f"{error.filename} is not there (OSF_REFERENCE names the folder with the 3D head)")


if __name__ == "__main__":
    main()
