"""How many frames a second each landmark model makes on this machine: `--benchmark`."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from PIL import Image

from tracker import Tracker
from tracking.providers import ExecutionProvider

MODELS = (3, 2, 1, 0, -1, -2, -3)  # host programs take the printed lines in this order
RUNS = 100
PICTURE = Path(__file__).resolve().parent.parent / "models" / "benchmark_face.png"  # a frame of the sample clip


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
        ModelError: a model is missing or unusable.
    """
    with Image.open(PICTURE) as face:
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
