"""What the benchmarks share: clips, clocks, the machine's name, tables."""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from input_reader import InputReader
from tracking.faces import Box

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_CLIP = ROOT / "samples" / "talking_head.mp4"

#: Wall clock, and the processor time of the thread, which other programs on the machine disturb less. Seconds.
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.thread_time}

#: One thread for every numeric library; set in the environment before a process is started.
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "VECLIB")}


def machine() -> str:
    """Processor, cores, system and versions of the libraries, in a line."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        name = names[0].partition(":")[2].strip() if names else name
    versions = (
        f"Python {platform.python_version()}, onnxruntime {onnxruntime.__version__}, "
        f"OpenCV {cv2.__version__}, numpy {np.__version__}"
    )
    load = f"; load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{name}, {os.cpu_count()} cores, {platform.system()} ({versions}){load}"


@contextlib.contextmanager
def pinned(cores: Iterable[int] | None) -> Iterator[None]:
    """Run on these cores only, where the system can; processes started meanwhile inherit that. None: no change."""
    if cores is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def one_core() -> set[int] | None:
    """The last core that this process may use: the first one serves most interrupts."""
    return {max(os.sched_getaffinity(0))} if hasattr(os, "sched_getaffinity") else None


def load_clip(path: Path, count: int, size: tuple[int, int] | None = None) -> np.ndarray:
    """The first frames of a clip.

    Args:
        path: video or picture.
        count: how many frames at the most.
        size: width and height to scale them to; None: as they are.

    Returns:
        (n, height, width, 3) BGR uint8.

    Raises:
        input_reader.InputError: the clip can't be read.
    """
    frames = []
    with InputReader(str(path), 0, 640, 360, 0) as reader:
        while len(frames) < count and reader.is_open():
            ok, frame = reader.read()
            if ok:
                frames.append(frame if size is None else cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
    return np.stack(frames)


def there_and_back(count: int) -> Iterator[int]:
    """0 … count - 1 … 0 … without end: a clip that has no jump where it starts over."""
    while True:
        yield from range(count)
        yield from range(count - 2, 0, -1)


#: Frames with several faces: a grid of pictures of one face each.
GRID = (4, 2)


def tiled(frames: np.ndarray, faces: int, size: tuple[int, int]) -> tuple[np.ndarray, list[Box]]:
    """Frames with a number of faces, each of the same size however many there are.

    Args:
        frames: (n, height, width, 3) with one face near the middle.
        faces: 0 to 8. Each shows another moment of the clip.
        size: width and height of the new frames.

    Returns:
        (n, size[1], size[0], 3) frames, and the faces' tiles.
    """
    width, height = size[0] // GRID[0], size[1] // GRID[1]
    source_height, source_width = frames.shape[1:3]
    # The middle of the picture with the proportions of a tile.
    crop_height = min(source_height, round(source_width * height / width))
    crop_width = min(source_width, round(crop_height * width / height))
    top, left = (source_height - crop_height) // 2, (source_width - crop_width) // 2
    middle = frames[:, top : top + crop_height, left : left + crop_width]
    tiles = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in middle]
    result = np.full((len(frames), size[1], size[0], 3), 96, dtype=np.uint8)
    boxes: list[Box] = []
    for face in range(faces):
        x, y = face % GRID[0] * width, face // GRID[0] * height
        boxes.append((float(x), float(y), float(width), float(height)))
        for number, frame in enumerate(result):
            frame[y : y + height, x : x + width] = tiles[(number + 5 * face) % len(tiles)]
    return result, boxes


@dataclass(frozen=True)
class Spread:
    """Median, quartiles and mean of many times, in the unit of the values."""

    median: float
    low: float
    high: float
    mean: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        low, high = np.percentile(values, (25, 75)).tolist()
        return cls(statistics.median(values), low, high, statistics.fmean(values), len(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} … {self.high:.2f})"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is aligned left, the others right."""
    lines = [" | ".join(header), " | ".join(["---", *["---:"] * (len(header) - 1)])]
    lines += [" | ".join(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def note(text: str) -> None:
    """A line about the course of things, apart from the results."""
    print(text, file=sys.stderr, flush=True)
