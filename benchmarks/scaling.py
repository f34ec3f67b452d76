"""How the time of a frame grows with faces, threads and pixels, and what a frame without a face costs.

    python -m benchmarks.scaling --plots FOLDER

Everything that one table compares takes turns, frame by frame, in one process; one thread on one core, but for the
table of threads.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.common import CLOCKS, Spread, load_clip, machine, note, one_core, pinned, table, there_and_back, tiled
from benchmarks.options import add_tracker_options
from tracker import Tracker
from tracking.faces import Box

FACES = (1, 2, 4, 8)
RESOLUTIONS = ((640, 360), (960, 540), (1280, 720), (1600, 900), (1920, 1080))
#: Frames of a stream that do not count: the first ones.
WARM_UP = 5


@dataclass
class Stream:
    """A tracker and the frames that it gets.

    Attributes:
        tracker: what is timed.
        frames: (n, height, width, 3) BGR, played there and back.
        boxes: where the faces are in the first frame; the tracker is told, and has to keep them.
    """

    tracker: Tracker
    frames: np.ndarray
    boxes: Sequence[Box] = ()

    def run(self, clock: Callable[[], float]) -> Iterator[tuple[float, int]]:
        """Milliseconds and number of faces, frame by frame without end."""
        boxes = list(self.boxes)
        for place in there_and_back(len(self.frames)):
            frame = self.frames[place].copy()  # just written, as by a camera or a decoder
            began = clock()
            faces = self.tracker.predict(frame, boxes)
            yield 1e3 * (clock() - began), len(faces)
            boxes = []


def take_turns(streams: Sequence[Stream], count: int, clock: Callable[[], float]) -> list[tuple[list[float], float]]:
    """For each stream its times in ms, and the mean number of faces."""
    runs = [stream.run(clock) for stream in streams]
    rounds = [[next(run) for run in runs] for _ in range(count + WARM_UP)][WARM_UP:]
    return [
        ([ms for ms, _ in results], statistics.mean(faces for _, faces in results))
        for results in zip(*rounds, strict=True)
    ]


class Scaling:
    """The measurements, with one model and clip.

    Args:
        clip: a video with one face.
        model, model_dir: as `Tracker` takes them.
        count: frames that are timed of each stream.
        clock: key of `common.CLOCKS`; threads are always timed by the wall clock.
    """

    def __init__(self, clip: Path, model: int, model_dir: Path | None, count: int, clock: str) -> None:
        self._frames = load_clip(clip, 60)
        self._clip = clip
        self._model, self._model_dir = model, model_dir
        self._count = count
        self._clock = CLOCKS[clock]

    def _tracker(self, stack: ExitStack, frames: np.ndarray, faces: int = 1, threads: int = 1) -> Tracker:
        height, width = frames.shape[1:3]
        return stack.enter_context(
            Tracker(
                width,
                height,
                model_type=self._model,
                model_dir=self._model_dir,
                max_faces=faces,
                max_threads=threads,
                max_feature_updates=900,
                discard_after=10,
                static_model=True,
            )
        )

    def faces(self, numbers: Sequence[int] = FACES) -> dict[int, tuple[Spread, float]]:
        """By number of faces in 1280x720: time of a frame, and how many were tracked."""
        with ExitStack() as stack, pinned(one_core()):
            streams = []
            for number in numbers:
                frames, boxes = tiled(self._frames, number, (1280, 720))
                streams.append(Stream(self._tracker(stack, frames, number), frames, boxes))
            results = take_turns(streams, self._count, self._clock)
        return {number: (Spread.of(ms), found) for number, (ms, found) in zip(numbers, results, strict=True)}

    def threads(self, faces: int = 4) -> tuple[Spread, Spread, float]:
        """Time of a frame with one thread and with two, wall clock; ratio of their throughputs, frame by frame."""
        frames, boxes = tiled(self._frames, faces, (1280, 720))
        with ExitStack() as stack:
            streams = [Stream(self._tracker(stack, frames, faces, threads), frames, boxes) for threads in (1, 2)]
            (one, _), (two, _) = take_turns(streams, self._count, time.perf_counter)
        return Spread.of(one), Spread.of(two), statistics.median(a / b for a, b in zip(one, two, strict=True))

    def resolutions(self) -> dict[tuple[int, int], Spread]:
        """Time of a frame by width and height."""
        with ExitStack() as stack, pinned(one_core()):
            streams = []
            for width, height in RESOLUTIONS:
                frames = np.stack([cv2.resize(frame, (width, height)) for frame in self._frames[:20]])
                streams.append(Stream(self._tracker(stack, frames), frames))
            results = take_turns(streams, self._count, self._clock)
        return {size: Spread.of(ms) for size, (ms, _) in zip(RESOLUTIONS, results, strict=True)}

    def without_face(self) -> tuple[Spread, Spread]:
        """Time of a frame with a face, and with none in view."""
        frames = load_clip(self._clip, 60, (1280, 720))
        blurred = np.random.default_rng(0).integers(60, 200, (4, 9, 16, 3), dtype=np.uint8)
        empty = np.stack([cv2.resize(frame, (1280, 720), interpolation=cv2.INTER_CUBIC) for frame in blurred])
        with ExitStack() as stack, pinned(one_core()):
            streams = [Stream(self._tracker(stack, shown), shown) for shown in (frames, empty)]
            (face, _), (none, found) = take_turns(streams, self._count, self._clock)
        if found:
            note("A face was found in frames that have none.")
        return Spread.of(face), Spread.of(none)

    def scans(self, scan_every: int = 3) -> float:
        """Detector's runs per frame while one face is held and a second one is looked for."""
        runs = 0
        with ExitStack() as stack:
            tracker = self._tracker(stack, self._frames, faces=2)
            tracker._scan_every = scan_every
            tracker.predict(self._frames[0])
            detector = tracker._search.detectors[0]
            detect = detector.detect

            def counted(frame: np.ndarray) -> list[Box]:
                nonlocal runs
                runs += 1
                return detect(frame)

            detector.detect = counted
            for _, place in zip(range(60), there_and_back(len(self._frames)), strict=False):
                tracker.predict(self._frames[place])
        return runs / 60


def report(scaling: Scaling, plots: Path | None = None) -> Iterator[str]:
    """The tables in Markdown, one after another; pictures of them go into `plots`."""
    faces = scaling.faces()
    first = faces[FACES[0]][0].median
    rows = []
    for number, (spread, found) in faces.items():
        further = (spread.median - first) / (number - 1) / first if number > 1 else 1.0
        rows.append([number, f"{found:.2f}", spread, further])
    yield table(["faces in 1280×720", "tracked", "ms (quartiles)", "a further face ÷ the first"], rows)
    resolutions = scaling.resolutions()
    base = resolutions[RESOLUTIONS[0]].median
    names = {size: f"{size[0]}×{size[1]}" for size in RESOLUTIONS}
    rows = [[names[size], spread, spread.median - base] for size, spread in resolutions.items()]
    yield table(["frame", "ms (quartiles)", f"more than {names[RESOLUTIONS[0]]}, ms"], rows)
    one, two, ratio = scaling.threads()
    rows = [["1", one, 1.0], ["2", two, ratio]]
    yield table(["`--max-threads`, 4 faces, all cores, wall time", "ms (quartiles)", "throughput"], rows)
    face, none = scaling.without_face()
    rows = [["one face", face, 1.0], ["none", none, none.median / face.median]]
    yield table(["in view", "ms (quartiles)", "ratio"], rows)
    yield f"Detector's runs per frame with `--faces 2 --scan-every 3` and one face held: {scaling.scans():.2f}\n"
    if plots is not None:
        yield draw(plots, {number: spread for number, (spread, _) in faces.items()}, resolutions)


def draw(folder: Path, faces: dict[int, Spread], resolutions: dict[tuple[int, int], Spread]) -> str:
    """Plot time against faces and against resolution as PNG files; returns a sentence about them."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "The plots are left out: matplotlib is not installed.\n"
    folder.mkdir(parents=True, exist_ok=True)
    megapixels = {width * height / 1e6: spread for (width, height), spread in resolutions.items()}
    for name, label, spreads in (("faces", "faces", faces), ("resolution", "megapixels", megapixels)):
        figure = Figure(figsize=(5, 3.2), layout="constrained")
        axes = figure.subplots()
        places = list(spreads)
        axes.plot(places, [spread.median for spread in spreads.values()], "o-", color="#1f6fb2", label="median")
        low, high = ([getattr(spread, end) for spread in spreads.values()] for end in ("low", "high"))
        axes.fill_between(places, low, high, alpha=0.2, color="#1f6fb2", linewidth=0, label="quartiles")
        axes.set(xlabel=label, ylabel="ms a frame", xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(folder / f"{name}.png", dpi=150)
    return f"Plots: {folder / 'faces.png'}, {folder / 'resolution.png'}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.splitlines()[0])
    add_tracker_options(parser)
    add_plot_option(parser)
    parser.add_argument("--frames", type=int, default=200, help="how many are timed of each (default: 200)")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    print(f"{options.clip.name}, model {options.model}, {options.clock} time. {machine()}\n")
    scaling = Scaling(options.clip, options.model, options.model_dir, options.frames, options.clock)
    for part in report(scaling, options.plots):
        print(part, flush=True)
    return 0


def add_plot_option(parser: argparse.ArgumentParser) -> None:
    """Where pictures go."""
    parser.add_argument("--plots", type=Path, help="folder for plots as PNG files (default: none; needs matplotlib)")


if __name__ == "__main__":
    raise SystemExit(main())
