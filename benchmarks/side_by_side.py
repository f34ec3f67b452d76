"""This tracker beside others: with other models, and MediaPipe FaceMesh.

    python -m benchmarks.side_by_side --other-models FOLDER --mediapipe-python PYTHON

Every contestant is a process with one thread on the same core. They take turns in blocks of frames, so that whatever
else the machine does slows all of them alike. What is given in neither option, or is missing, is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType

import numpy as np

from benchmarks.common import (
    ONE_THREAD,
    Spread,
    load_clip,
    machine,
    note,
    one_core,
    pinned,
    table,
    there_and_back,
    tiled,
)
from benchmarks.options import add_tracker_options
from tracking.models import LANDMARK_MODELS

#: Frames that a contestant tracks before it is the next one's turn, and how many of its blocks don't count.
BLOCK, WARM_UP = 20, 2
CLOCK_COLUMN = {"wall": 0, "cpu": 1}


class ContestantError(RuntimeError):
    """A contestant can't run; the message is one sentence."""


class Contestant:
    """A process of `contestant.py`.

    Args:
        label: its name in tables; "": its own.
        command: Python, kind and settings.
        frames: file of frames.

    Raises:
        ContestantError: it does not start.
    """

    def __init__(self, label: str, python: str, kind: str, settings: dict, frames: Path) -> None:
        script = Path(__file__).with_name("contestant.py")
        try:
            self._process = subprocess.Popen(
                [python, str(script), kind, str(frames), json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | ONE_THREAD,
            )
        except OSError as error:
            raise ContestantError(f"{python} can't be run: {error.strerror}.") from error
        with self._process_kept():
            name = json.loads(self._answer())
        self.label = label or name
        self.blocks: list[list[tuple[float, float, int]]] = []

    @contextlib.contextmanager
    def _process_kept(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    def track(self, numbers: Sequence[int]) -> None:
        """Track a block of frames; `blocks` has the result."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(list(numbers)) + "\n")
        self._process.stdin.flush()
        self.blocks.append([tuple(frame) for frame in json.loads(self._answer())])

    def _answer(self) -> str:
        assert self._process.stdout is not None and self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            last = self._process.stderr.read().strip().splitlines()[-1:]
            raise ContestantError(f"It ended: {last[0] if last else 'without a word'}")
        return line

    def close(self) -> None:
        """End the process."""
        with self._process:
            self._process.kill()

    def __enter__(self) -> Contestant:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@dataclass
class Result:
    """What came of one clip.

    Attributes:
        title: of the clip.
        contestants: label to times of its frames in ms, block by block; the first one is what others compare to.
        faces: label to the mean number of faces found in a frame.
        left_out: sentences about who is missing.
    """

    title: str
    contestants: dict[str, list[list[float]]] = field(default_factory=dict)
    faces: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def ratio(self, label: str) -> float:
        """Time of the first contestant over that of another: the median over the blocks of both."""
        first = next(iter(self.contestants.values()))
        pairs = zip(first, self.contestants[label], strict=True)
        return statistics.median(statistics.median(ours) / statistics.median(theirs) for ours, theirs in pairs)

    def report(self) -> str:
        """The table in Markdown, and who is missing."""
        rows = [
            [label, Spread.of([ms for block in blocks for ms in block]), f"{self.faces[label]:.2f}", self.ratio(label)]
            for label, blocks in self.contestants.items()
        ]
        header = [self.title, "median ms (quartiles)", "faces", "first ÷ this"]
        return table(header, rows) + "".join(f"\n{sentence}\n" for sentence in self.left_out)


def compare(
    title: str,
    frames: np.ndarray,
    models: Sequence[tuple[int, Path | None]],
    mediapipe_python: str | None,
    faces: int = 1,
    blocks: int = 20,
    clock: str = "wall",
) -> Result:
    """Let the contestants take turns.

    Args:
        title: of the clip.
        frames: (n, height, width, 3) BGR.
        models: number of the landmark model and folder (None: the tracker's own), each a contestant.
        mediapipe_python: a Python that has mediapipe; None: without.
        faces: how many to look for.
        blocks: how many blocks of frames each one gets.
        clock: key of CLOCK_COLUMN.

    Raises:
        ContestantError: the tracker itself does not run.
    """
    result = Result(title)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        np.save(folder / "frames.npy", frames)
        stack.enter_context(pinned(one_core()))
        contestants: list[Contestant] = []

        def start(label: str, python: str, kind: str, settings: dict) -> None:
            try:
                contestant = Contestant(label, python, kind, settings, folder / "frames.npy")
            except ContestantError as error:
                result.left_out.append(f"{label or kind} is left out. {error}")
            else:
                contestants.append(stack.enter_context(contestant))

        for model, model_dir in models:
            settings = {"model_type": model, "max_faces": faces}
            if model_dir is not None:
                settings["model_dir"] = str(model_dir.resolve())
            label = f"model {model}" + (f" of {model_dir}" if model_dir else "")
            start(label, sys.executable, "tracker", settings)
        if not contestants:
            raise ContestantError(" ".join(result.left_out))
        if mediapipe_python is None:
            result.left_out.append("MediaPipe FaceMesh is left out: no --mediapipe-python.")
        else:
            start("", mediapipe_python, "facemesh", {"max_num_faces": faces})
        places = there_and_back(len(frames))
        for _ in range(blocks + WARM_UP):
            numbers = list(islice(places, BLOCK))
            for contestant in contestants:
                contestant.track(numbers)
    for contestant in contestants:
        counted = contestant.blocks[WARM_UP:]
        column = CLOCK_COLUMN[clock]
        result.contestants[contestant.label] = [[frame[column] for frame in block] for block in counted]
        result.faces[contestant.label] = statistics.mean(frame[2] for block in counted for frame in block)
    return result


def clips(clip: Path, count: int) -> Iterator[tuple[str, np.ndarray, int]]:
    """Title, frames and number of faces of what is compared: two sizes, and two faces."""
    for size in ((480, 270), (1280, 720)):
        yield f"{clip.name}, {size[0]}×{size[1]}", load_clip(clip, count, size), 1
    two_faces, _ = tiled(load_clip(clip, count), 2, (1280, 720))
    yield f"{clip.name}, two faces in 1280×720", two_faces, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.side_by_side", description=__doc__.splitlines()[0])
    add_tracker_options(parser)
    add_contestant_options(parser)
    parser.add_argument("--blocks", type=int, default=20, help=f"of {BLOCK} frames, for each contestant (default: 20)")
    options = parser.parse_args(arguments)
    print(f"Track, encode and send; {options.clock} time, one thread on one core. {machine()}\n")
    for title, frames, faces in clips(options.clip, 100):
        note(f"{title} …")
        result = compare(
            title,
            frames,
            models(options),
            options.mediapipe_python,
            faces,
            options.blocks,
            options.clock,
        )
        print(result.report())
    return 0


def add_contestant_options(parser: argparse.ArgumentParser) -> None:
    """Who takes part."""
    parser.add_argument("--other-models", type=Path, help="a folder of models to compare with")
    parser.add_argument("--other-model", type=int, choices=sorted(LANDMARK_MODELS), help="default: as --model")
    parser.add_argument("--mediapipe-python", help="a Python that has mediapipe==0.10.21")


def models(options: argparse.Namespace) -> list[tuple[int, Path | None]]:
    """The tracker's model, and the other one that was asked for."""
    ours = [(options.model, options.model_dir)]
    if options.other_models is None and options.other_model is None:
        return ours
    other = options.model if options.other_model is None else options.other_model
    return [*ours, (other, options.other_models or options.model_dir)]


if __name__ == "__main__":
    raise SystemExit(main())
