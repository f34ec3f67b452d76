"""Track a short clip over and over: is memory flat, do threads and files pile up, does the time per frame drift?

    python -m benchmarks.soak                      200,000 frames
    python -m benchmarks.soak --frames 2000        a quick look

The clip is the sample, shrunk, with a gap in each round in which the face is lost, so that losing and finding it again
is part of what is repeated. Features learn all the time. Memory, open files and the threads of libraries are read from
/proc, on Linux only. Exits with 1 when memory in the last tenth is more than 3 MB above that of the second, or threads
or files have become more, or a feature's median keeps more numbers than it may. Times are told, not judged: other
programs run, too.
"""

from __future__ import annotations

import argparse
import gc
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from remedian import remedian
from sending.packet import encode
from tracker import Tracker
from tracking.models import LANDMARK_MODELS, available_landmark_models, default_model_dir

CLIP = Path(__file__).resolve().parent.parent / "samples" / "talking_head.mp4"
#: Width and height that the clip is shrunk to, how many of its frames are taken, and how many empty ones follow.
SIZE, TAKEN, GAP = (160, 120), 60, 12
#: Growth of memory from the second tenth to the last that counts as flat.
MAX_GROWTH_MB = 3.0
#: The most numbers in a median of fewer than 64**4 values (16 million): 63 in each of four buffers, and those of the
#: upper three again, in order, each with its weight.
MAX_MEDIAN = 63 * 4 + 2 * 63 * 3


@dataclass
class Tenth:
    """A tenth of the run, at its end.

    Attributes:
        frames: how many frames until then.
        faces: how many faces were tracked in this tenth.
        memory: resident, MB; None where it can't be told.
        threads: running; where only Python's own can be told, those.
        files: open; None where it can't be told.
        median_size: how many numbers the largest of the features' medians keeps.
        milliseconds: median wall time of a frame in this tenth.
        processor: the same in processor time of the thread, which other programs disturb less.
    """

    frames: int
    faces: int
    memory: float | None
    threads: int
    files: int | None
    median_size: int
    milliseconds: float
    processor: float


def resident_memory() -> float | None:
    """Resident memory of this process, MB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), None)


def open_files() -> int | None:
    """How many file descriptors this process has."""
    try:
        return len(list(Path("/proc/self/fd").iterdir()))
    except OSError:
        return None


def running_threads() -> int:
    """How many threads this process has."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return threading.active_count()


def median_size() -> int:
    """How many numbers the largest of the running medians in this process keeps."""
    return max(
        (
            sum(len(part) for part in (*each._buffers, each._higher, each._weight_up_to))
            for each in gc.get_objects()
            if isinstance(each, remedian)
        ),
        default=0,
    )


def read_clip(path: Path = CLIP) -> list[np.ndarray]:
    """The frames of a round: the clip's first ones, shrunk, BGR uint8, then empty ones."""
    video, frames = cv2.VideoCapture(str(path)), []
    while len(frames) < TAKEN and (frame := video.read())[0]:
        frames.append(cv2.resize(frame[1], SIZE, interpolation=cv2.INTER_AREA))
    video.release()
    if not frames:
        raise SystemExit(f"{path} can't be read as a video.")
    return frames + [np.zeros_like(frames[0])] * GAP


def smallest_model(folder: Path) -> int:
    """Number of the landmark model with the smallest file."""
    return min(
        available_landmark_models(folder), key=lambda number: (folder / LANDMARK_MODELS[number].file).stat().st_size
    )


def soak(frames: int, clip: Sequence[np.ndarray], model: int, model_dir: Path) -> list[Tenth]:
    """Track so many frames of a clip that starts anew when it ends; returns ten tenths, each printed as it ends."""
    height, width = clip[0].shape[:2]
    tenths: list[Tenth] = []
    stream = islice(cycle(clip), frames)
    with Tracker(
        width, height, model_type=model, model_dir=model_dir, max_faces=2, max_threads=1, max_feature_updates=1e9
    ) as tracker:
        for number in range(10):
            times, faces = np.zeros((frames * (number + 1) // 10 - frames * number // 10, 2)), 0
            for i, frame in enumerate(islice(stream, len(times))):
                began = time.perf_counter(), time.thread_time()
                found = tracker.predict(frame)
                encode(found, began[0], width, height)
                times[i] = time.perf_counter() - began[0], time.thread_time() - began[1]
                faces += len(found)
            milliseconds, processor = np.median(times, axis=0) * 1000
            tenths.append(
                Tenth(
                    frames * (number + 1) // 10,
                    faces,
                    resident_memory(),
                    running_threads(),
                    open_files(),
                    median_size(),
                    float(milliseconds),
                    float(processor),
                )
            )
            print(row(tenths[-1]), flush=True)
    return tenths


def row(tenth: Tenth) -> str:
    """A line of the table."""
    memory = "?" if tenth.memory is None else f"{tenth.memory:.1f}"
    files = "?" if tenth.files is None else str(tenth.files)
    return (
        f"{tenth.frames:>9} {tenth.faces:>8} {memory:>10} {tenth.threads:>8} {files:>6} {tenth.median_size:>8} "
        f"{tenth.milliseconds:>9.2f} {tenth.processor:>13.2f}"
    )


def verdict(tenths: Sequence[Tenth]) -> list[str]:
    """What is not flat from the second tenth to the last, a sentence each."""
    second, last = tenths[1], tenths[-1]
    faults = []
    if second.memory is not None and last.memory is not None and last.memory - second.memory > MAX_GROWTH_MB:
        faults.append(f"Memory grew by {last.memory - second.memory:.1f} MB.")
    if last.threads > second.threads:
        faults.append(f"Threads grew from {second.threads} to {last.threads}.")
    if second.files is not None and last.files is not None and last.files > second.files:
        faults.append(f"Open files grew from {second.files} to {last.files}.")
    if last.median_size > MAX_MEDIAN:
        faults.append(f"A feature's median keeps {last.median_size} numbers.")
    return faults


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Track a short clip over and over and watch memory and time.")
    parser.add_argument("--frames", type=int, default=200_000, help="how many frames (default: 200000)")
    parser.add_argument("--model", type=int, choices=sorted(LANDMARK_MODELS), help="default: the smallest there is")
    parser.add_argument("--model-dir", type=Path, default=default_model_dir(), help="folder with the models")
    parser.add_argument("--clip", type=Path, default=CLIP, help="video to track (default: the sample)")
    arguments = parser.parse_args()
    if arguments.frames < 10:
        parser.error("--frames must be at least 10")
    cv2.setNumThreads(1)
    model = smallest_model(arguments.model_dir) if arguments.model is None else arguments.model
    print(f"model {model}, {SIZE[0]} x {SIZE[1]} pixels")
    print(
        f"{'frames':>9} {'faces':>8} {'memory MB':>10} {'threads':>8} {'files':>6} {'medians':>8} "
        f"{'ms/frame':>9} {'processor ms':>13}"
    )
    began = time.perf_counter()
    tenths = soak(arguments.frames, read_clip(arguments.clip), model, arguments.model_dir)
    second, last = tenths[1], tenths[-1]
    print(f"frames a second: {arguments.frames / (time.perf_counter() - began):.0f}")
    print(
        f"time per frame, last tenth to second: {last.milliseconds / second.milliseconds:.3f}, "
        f"in processor time {last.processor / second.processor:.3f}"
    )
    if second.memory is not None and last.memory is not None:
        print(f"memory, last tenth less second: {last.memory - second.memory:+.2f} MB")
    faults = verdict(tenths)
    print("\n".join(faults) or "Flat.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
