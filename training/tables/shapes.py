"""Tables about the blend shapes: all 52 on held-out drawn heads and on real clips, beside MediaPipe's FaceLandmarker;
winks, neutral faces, trembling, time.

    python -m training.tables.shapes              # every table
    python -m training.tables.shapes drawn clips  # some

Everything goes the whole way: the tracker's own landmark and pupil models find the points. What the tables need is made
by training.heads, training.shapes.answers, training.shapes.surface, training.shapes.teacher and
training.tables.drawn_shapes; the real clips lie in measure/ beside the training data, and nothing is trained on them.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from tracker import Tracker
from tracking.blendshapes import POINT_FEATURES, SIDE, BlendshapeModel
from tracking.calibration import Profile
from tracking.faces import BLENDSHAPE_NAMES
from tracking.models import BLENDSHAPES_FILE
from training import data, runner
from training.shapes.samples import TAUGHT, Faces, correlations, drawn_faces, head_files
from training.tables.answers import MissingError, table
from training.tables.blinks import area_under_curve

SHAPES = len(BLENDSHAPE_NAMES)
CLOSED, OPEN = 0.5, 0.2  # of FaceLandmarker's eyeBlink: an eye that is closed for sure, and one that is open
RUNS = 200


def estimates(model: BlendshapeModel, faces: Faces) -> np.ndarray:
    """Shapes [n, 52] of drawn faces, by the default landmark model's answers."""
    rows = []
    for image, points in zip(faces.images, faces.points[:, 0], strict=True):
        found = model.estimate(image, np.column_stack([points[:, ::-1], np.ones(68)]))
        rows.append(np.full(SHAPES, np.nan) if found is None else found)
    return np.stack(rows)


def drawn(folder: Path) -> None:
    """Correlation with the exact weights of held-out heads, shape by shape, beside FaceLandmarker's."""
    try:
        faces = drawn_faces(held_out=True)
    except FileNotFoundError as error:
        raise MissingError(str(error)) from error
    ours = estimates(BlendshapeModel(folder), faces)
    said = [path.with_name(f"shapes_{path.name}") for path in head_files()]
    theirs = np.full_like(ours, np.nan)
    held = 0
    for path, answered in zip(head_files(), said, strict=True):
        with np.load(path) as stored:
            count = -(-len(stored["pose"]) // data.HELD_OUT_SHARE)
        if answered.exists():
            theirs[held : held + count] = np.load(answered)["shapes"][:: data.HELD_OUT_SHARE]
        held += count
    seen = np.isfinite(theirs[:, 0])
    own = correlations(ours, faces.shapes)
    both = correlations(ours[seen], faces.shapes[seen]), correlations(np.nan_to_num(theirs[seen]), faces.shapes[seen])
    rows: list[list[object]] = [
        [name, float(own[k]), float(both[0][k]), float(both[1][k]) if name != "tongueOut" else "-"]
        for k, name in enumerate(BLENDSHAPE_NAMES)
    ]
    rows.append(["mean", float(own.mean()), float(both[0].mean()), float(np.nanmean(both[1]))])
    better = int((both[0] > np.nan_to_num(both[1], nan=-1))[:-1].sum())
    title = f"Correlation with the truth on {len(faces)} held-out heads, {seen.sum()} of which FaceLandmarker sees"
    table(title, ["shape", "ours", "ours, where FaceLandmarker sees a face", "FaceLandmarker"], rows)
    print(f"\nOurs is better for {better} of 51.")


def clips(folder: Path) -> None:
    """Real people: correlation with FaceLandmarker where it is good, and closed eyes from open ones."""
    measure = data.reference_folder() / "measure"
    if not (measure / "clips.npz").exists():
        raise MissingError(f"there are no clips in {measure}")
    stored = np.load(measure / "clips.npz")
    names = [str(name) for name in stored["names"]]
    columns = [names.index(name) for name in TAUGHT]
    own = [BLENDSHAPE_NAMES.index(name) for name in TAUGHT]
    ours, theirs, each = [], [], []
    for path in sorted((measure / "clips").glob("*.mp4")):
        said = stored[f"shapes/{path.stem}"]
        found = track(path, folder, len(said))
        good = np.isfinite(found[:, 0]) & np.isfinite(said[:, columns]).all(1)
        ours.append(found[good])
        theirs.append(said[good][:, columns])
        each.append(correlations(found[good][:, own], theirs[-1]))
    a, b = np.concatenate(ours), np.concatenate(theirs)
    pooled = correlations(a[:, own], b)
    of_clips = np.nanmean(np.stack(each), 0)
    rows: list[list[object]] = [[n, float(pooled[k]), float(of_clips[k])] for k, n in enumerate(TAUGHT)]
    rows.append(["mean", float(np.nanmean(pooled)), float(np.nanmean(of_clips))])
    table(f"Correlation with FaceLandmarker on {len(a)} frames of {len(ours)} real clips",
          ["shape", "all frames together", "mean over the clips"], rows)  # fmt: skip
    blinks = [name for name in TAUGHT if name.startswith("eyeBlink")]
    mine = np.concatenate([a[:, BLENDSHAPE_NAMES.index(name)] for name in blinks])
    said = np.concatenate([b[:, TAUGHT.index(name)] for name in blinks])
    auc = area_under_curve(mine[said < OPEN], mine[said > CLOSED])
    print(f"\nClosed eyes ({(said > CLOSED).sum()}) from open ones ({(said < OPEN).sum()}): AUC {auc:.4f}")


def track(path: Path, folder: Path, count: int) -> np.ndarray:
    """The tracker's shapes [count, 52] of a clip's first frames; nan where it sees no face."""
    video, rows = cv2.VideoCapture(str(path)), []
    tracker = None
    while len(rows) < count:
        ok, frame = video.read()
        if not ok:
            break
        if tracker is None:
            tracker = Tracker(frame.shape[1], frame.shape[0], max_threads=1, blendshapes=True, model_dir=folder)
        faces = tracker.predict(frame)
        shapes = faces[0].blendshapes if faces else None
        rows.append(np.full(SHAPES, np.nan) if shapes is None else shapes)
    rows += [np.full(SHAPES, np.nan)] * (count - len(rows))
    return np.stack(rows)


def _drawn() -> dict[str, np.ndarray]:
    path = data.cache_folder() / "drawn_shapes.npz"
    if not path.exists():
        raise MissingError(f"{path.name} is not in {path.parent} (training.tables.drawn_shapes makes it)")
    return dict(np.load(path))


def shapes_of(folder: Path, image: np.ndarray) -> np.ndarray | None:
    """What the tracker says of a picture, when it has seen it three times."""
    with Tracker(image.shape[1], image.shape[0], max_threads=1, blendshapes=True, model_dir=folder) as tracker:
        faces = [tracker.predict(image) for _ in range(3)][-1]
    return faces[0].blendshapes if faces else None


def winks(folder: Path) -> None:
    """How wide a wink leaves the other eye."""
    store = _drawn()
    shut, open_ = [], []
    for image, side in zip(store["winks"], store["sides"], strict=True):
        shapes = shapes_of(folder, image)
        if shapes is not None:
            eyes = {"L": BLENDSHAPE_NAMES.index("eyeBlinkLeft"), "R": BLENDSHAPE_NAMES.index("eyeBlinkRight")}
            shut.append(shapes[eyes[str(side)]])
            open_.append(shapes[eyes["L" if side == "R" else "R"]])
    a, b = np.array(shut), np.array(open_)
    table(f"Winks of {len(a)} drawn heads", ["eyeBlink", "median", "% as wished"],
          [["the shut eye's, 0.85 or more", float(np.median(a)), 100 * float((a >= 0.85).mean())],
           ["the open eye's, 0.15 or less", float(np.median(b)), 100 * float((b <= 0.15).mean())],
           ["both", "", 100 * float(((a >= 0.85) & (b <= 0.15)).mean())]])  # fmt: skip


def neutral(folder: Path) -> None:
    """What a calibrated neutral face shows while it turns and nods."""
    frames = []
    for person in _drawn()["turning"]:
        first = shapes_of(folder, person[0])
        if first is None:
            continue
        profile = Profile(rest=first)
        frames += [profile.apply(s) for s in (shapes_of(folder, image) for image in person[1:]) if s is not None]
    values = np.stack(frames)
    within = (values <= 0.15).mean(0)
    rows: list[list[object]] = [["all shapes", 100 * float((values <= 0.15).all(1).mean())],
                                ["each shape, mean", 100 * float(within.mean())]]  # fmt: skip
    rows += [[BLENDSHAPE_NAMES[k], 100 * float(within[k])] for k in np.argsort(within)[:8]]
    table(f"{len(values)} frames of calibrated neutral faces that turn and nod", ["shape", "0.15 or less, %"], rows)


def trembling(folder: Path) -> None:
    """Standard deviation of the shapes of a face that holds still, with camera noise."""
    rng, spread = np.random.default_rng(0), []
    for person in _drawn()["turning"][:8]:
        with Tracker(person.shape[2], person.shape[1], max_threads=1, blendshapes=True, model_dir=folder) as tracker:
            answers = []
            for _ in range(40):
                noise = rng.normal(0, 4, person[0].shape)
                faces = tracker.predict(np.clip(person[0] + noise, 0, 255).astype(np.uint8))
                if faces and faces[0].blendshapes is not None:
                    answers.append(faces[0].blendshapes)
        spread.append(np.std(answers[5:], axis=0))
    values = np.stack(spread)
    worst = np.argsort(-values.mean(0))[:5]
    rows: list[list[object]] = [["all, mean", float(values.mean())]]
    rows += [[BLENDSHAPE_NAMES[k], float(values[:, k].mean())] for k in worst]
    table(f"Trembling of {len(values)} still faces with camera noise (σ 4)", ["shape", "standard deviation"], rows)


def timing(folder: Path, landmarker: list[str] | None) -> None:
    """What the shapes cost: the network, all of the step, the frame with and without, and FaceLandmarker, in turn.

    landmarker: the Python that has mediapipe, and face_landmarker.task; None: without it.
    """
    clip = data.repository() / "samples" / "talking_head.mp4"
    video, frames = cv2.VideoCapture(str(clip)), []
    while (frame := video.read())[0]:
        frames.append(frame[1])
    height, width = frames[0].shape[:2]
    session = runner.session(folder / BLENDSHAPES_FILE)
    feed = {"picture": np.zeros((1, 3, SIDE, SIDE), np.float32), "points": np.zeros((1, POINT_FEATURES), np.float32)}
    model = BlendshapeModel(folder)
    plain, shaped = (
        Tracker(width, height, max_threads=1, blendshapes=wanted, model_dir=folder) for wanted in (False, True)
    )
    lms = plain.predict(frames[0])[0].lms
    tasks: dict[str, Callable[[np.ndarray], object]] = {
        "the network": lambda frame: session.run(None, feed),
        "the step": lambda frame: model.estimate(frame, lms),
        "a frame without": plain.predict,
        "a frame with": shaped.predict,
    }
    times: dict[str, list[float]] = {name: [] for name in tasks}
    other = None
    if landmarker:
        command = [landmarker[0], "-m", "training.shapes.teacher", "--task", landmarker[1], "--clip", str(clip)]
        other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 text=True, bufsize=1, cwd=data.repository())  # fmt: skip
        assert other.stdin and other.stdout
        other.stdout.readline()
        times["FaceLandmarker"] = []
    for number in range(RUNS):
        frame = frames[number % len(frames)]
        for name, task in tasks.items():
            start = time.perf_counter()
            task(frame)
            times[name].append(1e3 * (time.perf_counter() - start))
        if other:
            print(file=other.stdin)
            times["FaceLandmarker"].append(float(other.stdout.readline()))
    if other:
        other.stdin.close()
        other.wait()
    table("Milliseconds on one thread, in turn", ["what", "median", "least"],
          [[name, float(np.median(t)), min(t)] for name, t in times.items()])  # fmt: skip
    if other:
        ratio = np.median(times["a frame with"]) / np.median(times["FaceLandmarker"])
        print(f"\nA frame with shapes takes {ratio:.2f} of FaceLandmarker's time.")


def main() -> None:
    """Command line."""
    tables: dict[str, Callable[[Path], None]] = {
        "drawn": drawn, "clips": clips, "winks": winks, "neutral": neutral, "trembling": trembling,
        "timing": lambda folder: timing(folder, arguments.landmarker),
    }  # fmt: skip
    parser = argparse.ArgumentParser(description="Measure the blend shapes.")
    parser.add_argument("tables", nargs="*", help=f"which: {', '.join(tables)} (default: all)")
    parser.add_argument("--folder", type=Path, default=data.repository() / "models", help="the models")
    parser.add_argument("--landmarker", nargs=2, metavar=("PYTHON", "TASK"), help="time FaceLandmarker too: the Python "
                        "that has mediapipe, and face_landmarker.task")  # fmt: skip
    arguments = parser.parse_args()
    unknown = set(arguments.tables) - set(tables)
    if unknown:
        parser.error(f"no such table: {', '.join(sorted(unknown))}; tables are {', '.join(tables)}")
    cv2.setNumThreads(1)
    for name in arguments.tables or tables:
        try:
            tables[name](arguments.folder)
        except MissingError as missing:
            print(f"\nThe table {name!r} is left out: {missing}.")


if __name__ == "__main__":
    main()
