"""How long each step of a frame takes, from reading it to sending its faces.

    python -m benchmarks.stages
    python -m benchmarks.stages -c CLIP --model 0 --model-dir FOLDER --size 1280x720

The program itself runs, by its own loop's calls; while it does, the methods and functions of its steps are wrapped in
stopwatches. A step's time is without that of the steps that it calls. A stopwatch itself takes about a microsecond.
Beside that, the networks' sessions run alone, time and again with the same input: what a frame takes beyond that is
what this program adds, with what it costs the networks that others use the processor's caches in between.
"""

from __future__ import annotations

import argparse
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np

import tracking.pose
from benchmarks.common import CLOCKS, Spread, load_clip, machine, one_core, pinned, table, there_and_back
from benchmarks.options import add_tracker_options, parse_size
from input_reader import InputReader
from sending import packet
from sending.udp import PacketSender
from tracker import Tracker

#: Rows of the table, in the order of a frame; True: a network runs, False: everything else.
STAGES = {
    "detect (when no face is held)": True,
    "crop, normalise": False,
    "landmark model": True,
    "landmark decoding": False,
    "pupil crops, decoding": False,
    "pupil model": True,
    "pose": False,
    "3D points": False,
    "features": False,
    "boxes, slots and the rest": False,
    "encode": False,
    "send": False,
}


class Stopwatches:
    """Wraps functions so that the time in each is added up frame by frame, without that of wrapped ones inside.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.frames: list[dict[str, float]] = []  # of each frame: milliseconds by stage
        self.alone: list[float] = []  # milliseconds of the networks of one face, run by themselves
        self._clock = clock
        self._now: dict[str, float] = defaultdict(float)
        self._inner = [0.0]  # of each wrapped call that runs: time in wrapped calls inside

    def wrap(self, stage: str, function: Callable) -> Callable:
        """The function with a stopwatch for this stage."""

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            began = self._clock()
            try:
                return function(*args, **kwargs)
            finally:
                took = self._clock() - began
                self._now[stage] += 1e3 * (took - self._inner.pop())
                self._inner[-1] += took

        return timed

    def next_frame(self) -> None:
        """End the present frame."""
        self.frames.append(dict(self._now))
        self._now.clear()

    def spreads(self) -> dict[str, Spread]:
        """By stage; of the frames in which it ran."""
        names = {name for frame in self.frames for name in frame}
        return {name: Spread.of([frame[name] for frame in self.frames if name in frame]) for name in names}


def measure(
    clip: Path,
    model: int = 3,
    model_dir: Path | None = None,
    size: tuple[int, int] | None = None,
    count: int = 500,
    clock: Callable[[], float] = time.perf_counter,
) -> Stopwatches:
    """Time the steps of `count` frames of a clip, which is played there and back. The first frames do not count.

    Raises:
        input_reader.InputError: the clip can't be read.
        tracking.models.ModelError: a model is missing or unusable.
    """
    frames = load_clip(clip, 200, size)
    height, width = frames.shape[1:3]
    watches = Stopwatches(clock)
    with ExitStack() as stack:
        receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        sender = stack.enter_context(PacketSender("127.0.0.1", receiver.getsockname()[1]))
        tracker = stack.enter_context(
            Tracker(
                width,
                height,
                model_type=model,
                model_dir=model_dir,
                max_threads=1,
                max_feature_updates=900,
                discard_after=10,
                static_model=True,
            )
        )
        wrapped = [
            *[(detector, "detect", "detect (when no face is held)") for detector in tracker._search.detectors],
            (tracker._single_landmarks, "prepare", "crop, normalise"),
            (tracker._single_landmarks, "infer", "landmark model"),
            (tracker._single_landmarks, "decode", "landmark decoding"),
            (tracking.pose, "solve", "pose"),
            (tracking.pose, "quaternion", "pose"),
            (tracking.pose, "euler", "pose"),
            (tracking.pose, "back_project", "3D points"),
            (tracking.pose, "normalize", "3D points"),
            (tracker._slots[0]._features, "update", "features"),
            (tracker, "predict", "boxes, slots and the rest"),
            (packet, "encode", "encode"),
            (sender, "send", "send"),
        ]
        if tracker._gaze is not None:
            wrapped += [(tracker._gaze, "locate", "pupil crops, decoding"), (tracker._gaze, "infer", "pupil model")]
        for owner, name, stage in wrapped:
            stack.enter_context(patch.object(owner, name, watches.wrap(stage, getattr(owner, name))))
        alone = sessions_alone(tracker, frames[0])
        for number, place in zip(range(count + 30), there_and_back(len(frames)), strict=False):
            if number % 50 == 0:
                watches.alone += alone(clock)
            faces = tracker.predict(frames[place].copy())  # just written, as by a camera or a decoder
            sender.send(packet.encode(faces, time.time(), width, height))
            if faces:
                watches.next_frame()
            with suppress(BlockingIOError):
                receiver.recv(65536)
        # How long the detector takes, which after the first frame had no reason to run.
        for _ in range(20):
            for detector in tracker._search.detectors:
                detector.detect(frames[0])
            watches.next_frame()
    del watches.frames[:30]
    return watches


def sessions_alone(tracker: Tracker, frame: np.ndarray) -> Callable[[Callable[[], float]], list[float]]:
    """A function that runs the networks of one face by themselves, and returns the ms of some rounds by a clock."""
    height, width = frame.shape[:2]
    crop = tracker._single_landmarks.prepare(frame, (0.0, 0.0, float(width), float(height)))
    assert crop is not None
    # Sessions by themselves, with inputs of their own: also the stopwatches stay out of it.
    landmarks, gaze = tracker._single_landmarks, tracker._gaze
    networks = [(landmarks._session, {landmarks._input: crop.tensor.copy(), **landmarks._constants})]
    if gaze is not None:
        networks.append((gaze._session, {gaze._input: np.zeros((2, 3, gaze.SIDE, gaze.SIDE), np.float32)}))

    def run(clock: Callable[[], float], rounds: int = 20, warm_up: int = 3) -> list[float]:
        times = []
        for session, inputs in networks:
            output = session.get_outputs()[0].name
            laps = [clock()]
            for _ in range(warm_up + rounds):
                session.run([output], inputs)
                laps.append(clock())
            times.append(1e3 * np.diff(laps)[warm_up:])
        return np.sum(times, axis=0).tolist()

    return run


def reading_time(clip: Path, count: int, clock: Callable[[], float]) -> Spread:
    """Time of `InputReader.read`, ms."""
    times = []
    with InputReader(str(clip), 0, 640, 360, 0) as reader:
        while len(times) < count and reader.is_open():
            began = clock()
            ok, _ = reader.read()
            if ok:
                times.append(1e3 * (clock() - began))
    return Spread.of(times)


def report(watches: Stopwatches, reading: Spread | None = None) -> str:
    """The table in Markdown."""
    spreads = watches.spreads()
    rows: list[list[object]] = [["read (decoding the file)", *_cells(reading)]] if reading else []
    rows += [[stage, *_cells(spreads[stage])] for stage in STAGES if stage in spreads]
    tracked = [frame for frame in watches.frames if "landmark model" in frame]

    def sums(*networks: bool) -> Spread:
        return Spread.of(
            [sum(took for stage, took in frame.items() if STAGES[stage] in networks) for frame in tracked]
        )

    whole, alone = sums(True, False), Spread.of(watches.alone)
    rows += [
        ["**networks**", *_cells(sums(True))],
        ["**all else**", *_cells(sums(False))],
        ["**frame**", *_cells(whole)],
        ["the networks' sessions alone", *_cells(alone)],
        [
            "**frame above the sessions alone**",
            f"{whole.median - alone.median:.3f}",
            "",
            f"{whole.mean - alone.mean:.3f}",
        ],
    ]
    return table(["step", "median ms", "quartiles", "mean ms"], rows)


def _cells(spread: Spread) -> tuple[str, str, str]:
    return f"{spread.median:.3f}", f"{spread.low:.3f} … {spread.high:.3f}", f"{spread.mean:.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__.splitlines()[0])
    add_tracker_options(parser)
    parser.add_argument("--size", type=parse_size, help="WIDTHxHEIGHT to scale the clip to (default: as it is)")
    parser.add_argument("--frames", type=int, default=500, help="how many frames are timed (default: 500)")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    with pinned(one_core()):
        reading = reading_time(options.clip, 100, CLOCKS[options.clock])
        watches = measure(
            options.clip, options.model, options.model_dir, options.size, options.frames, CLOCKS[options.clock]
        )
    print(f"{options.clip.name}, model {options.model}, {options.clock} time, one thread on one core. {machine()}\n")
    print(report(watches, reading))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
