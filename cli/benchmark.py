"""How many frames a second each landmark model makes on this machine: `--benchmark`."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from PIL import Image

from tracker import Tracker
from tracking.models import MissingModelError, default_model_dir
from tracking.providers import ExecutionProvider

MODELS = (3, 2, 1, 0, -1, -2, -3)  # host programs take the printed lines in this order
RUNS = 100
PICTURE = "benchmark_face.png"  # a frame of the sample clip


def frames_per_second(
    model: int,
    model_dir: str | None,
    max_threads: int,
    runs: int = RUNS,
    execution_provider: str | ExecutionProvider = "cpu",
) -> float:
    """Frames a second of `Tracker.predict` on one picture whose face is held already, as in a stream.

    Args:
        model: number of the landmark model.
        model_dir: folder with the .onnx files; None: the program's own.
        max_threads: thread limit.
        runs: how many frames are timed.
        execution_provider: where the networks run.

    Raises:
        ModelError: a model or the picture is missing or unusable.
    """
    with Image.open(_picture(model_dir)) as face:
        picture = np.ascontiguousarray(np.asarray(face.convert("RGB"))[:, :, ::-1])
    height, width = picture.shape[:2]
    # No threshold: the time is wanted of any model, also of one that is not sure about this face.
    with Tracker(
        width,
        height,
        model_type=model,
        threshold=0.0,
        max_threads=max_threads,
        model_dir=model_dir,
        static_model=True,
        execution_provider=execution_provider,
    ) as tracker:
        tracker.predict(picture, [(0.0, 0.0, float(width), float(height))])
        began = time.perf_counter()
        for _ in range(runs):
            tracker.predict(picture)
        return runs / (time.perf_counter() - began)


def _picture(model_dir: str | None) -> Path:
    """Where the picture lies: beside the program's own models, also where somebody built an executable without it."""
    folders = [Path(__file__).resolve().parent.parent / "models", default_model_dir(), Path(model_dir or "models")]
    for folder in folders:
        if (folder / PICTURE).is_file():
            return folder / PICTURE
    raise MissingModelError(f"The picture for --benchmark, {PICTURE}, is not in {folders[1]}.")
