"""Face detection: from a frame to boxes. Two detectors with the same verbs: prepare, infer, decode; detect does all."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from .crops import normalize_into
from .faces import Box, iou
from .models import DETECTOR_FILE, PRIORS_FILE, RETINAFACE_FILE, ModelError, load, require
from .providers import ExecutionProvider

#: A larger file of priors is not read; 16800 of them take a megabyte or two.
MAX_PRIORS_SIZE = 16 * 1024 * 1024


class FaceDetector:
    """The light detector: a map of face centres and radii over the whole frame, squeezed to a square.

    Args:
        model_dir: folder with the model.
        threshold: minimum score of a face, 0 to 1.
        max_faces: how many boxes at the most.
        threads: how many threads a run may use.
        provider: where it runs; None: on the CPU.
    """

    SIDE = 224
    MAP_SIDE = 56

    def __init__(
        self,
        model_dir: Path,
        threshold: float = 0.6,
        max_faces: int = 1,
        threads: int = 1,
        provider: ExecutionProvider | None = None,
    ) -> None:
        maps = [1, 2, self.MAP_SIDE, self.MAP_SIDE]
        self._session = load(
            model_dir / DETECTOR_FILE, threads, [[1, 3, self.SIDE, self.SIDE]], [maps, maps], provider
        )
        self._input = self._session.get_inputs()[0].name
        self.threshold = threshold
        self.max_faces = max_faces

    def detect(self, frame: np.ndarray) -> list[Box]:
        """Return boxes of faces in a BGR uint8 frame, best first."""
        return self.decode(*self.infer(self.prepare(frame)), frame.shape[1], frame.shape[0])

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        """Return the network's input (1, 3, 224, 224)."""
        tensor = np.empty((1, 3, self.SIDE, self.SIDE), dtype=np.float32)
        normalize_into(cv2.resize(frame, (self.SIDE, self.SIDE), interpolation=cv2.INTER_LINEAR), tensor[0])
        return tensor

    def infer(self, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and radii (2, 56, 56), and the same after a 3 x 3 max-pool."""
        output, pooled = self._session.run(None, {self._input: tensor})
        return output[0], pooled[0]

    def decode(self, output: np.ndarray, pooled: np.ndarray, width: int, height: int) -> list[Box]:
        """Read boxes off the maps, for a frame of width x height pixels: local maxima, best first."""
        found = self.scored(output, pooled, width, height, self.threshold)
        return [box for _, box in found[: self.max_faces]]

    def scored(
        self, output: np.ndarray, pooled: np.ndarray, width: int, height: int, threshold: float
    ) -> list[tuple[float, Box]]:
        """The same with their scores, however many reach that threshold."""
        scores = output[0]
        rows, columns = np.nonzero((scores == pooled[0]) & (scores >= threshold))
        order = np.argsort(-scores[rows, columns], kind="stable")
        rows, columns = rows[order], columns[order]
        cell = self.SIDE / self.MAP_SIDE
        radius = output[1, rows, columns].astype(np.float64) * (self.SIDE / 2)
        x_scale, y_scale = width / self.SIDE, height / self.SIDE
        return [
            (
                float(scores[row, column]),
                (
                    float((column * cell - r) * x_scale),
                    float((row * cell - r) * y_scale),
                    float(2 * r * x_scale),
                    float(2 * r * y_scale),
                ),
            )
            for row, column, r in zip(rows, columns, radius, strict=True)
            if np.isfinite(r) and r > 0
        ]


class RetinaFaceDetector:
    """The slower detector, for small faces: boxes on priors of three scales.

    J. Deng et al., "RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild", CVPR 2020.

    Args:
        model_dir: folder with the model and its priors.
        max_faces: how many boxes at the most.
        threads: how many threads a run may use.
        provider: where it runs; None: on the CPU.
    """

    SIDE = 640
    PRIORS = 16800
    #: Subtracted from B, G, R.
    MEAN = (104.0, 117.0, 123.0)
    MIN_SCORE = 0.4
    MAX_IOU = 0.4
    #: Variances by which box offsets and logarithms of sizes are scaled.
    VARIANCES = (0.1, 0.2)
    #: How much a box grows at both sides, as a share of its width, and above and below, of its height.
    GROWTH = (0.15, 0.2)
    #: Candidates above MIN_SCORE that non-maximum suppression looks at, best first.
    MAX_CANDIDATES = 1000

    def __init__(
        self, model_dir: Path, max_faces: int = 1, threads: int = 1, provider: ExecutionProvider | None = None
    ) -> None:
        priors_path = require(model_dir / PRIORS_FILE)
        self._session = load(
            model_dir / RETINAFACE_FILE,
            threads,
            [[1, 3, self.SIDE, self.SIDE]],
            [[1, self.PRIORS, 4], [1, self.PRIORS, 2], [1, self.PRIORS, 10]],
            provider,
        )
        self._input = self._session.get_inputs()[0].name
        self._outputs = [tensor.name for tensor in self._session.get_outputs()[:2]]
        self._run_options = onnxruntime.RunOptions()
        self._priors = _read_priors(priors_path, self.PRIORS)
        self.max_faces = max_faces

    def detect(self, frame: np.ndarray) -> list[Box]:
        """Return boxes of faces in a BGR uint8 frame, best first."""
        return self.decode(*self.infer(self.prepare(frame)), frame.shape[1], frame.shape[0])

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        """Return the network's input (1, 3, 640, 640)."""
        return cv2.dnn.blobFromImage(frame, 1.0, (self.SIDE, self.SIDE), self.MEAN, swapRB=False, crop=False)

    def infer(self, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return box offsets (16800, 4) and scores of background and face (16800, 2)."""
        boxes, scores = self._session.run(self._outputs, {self._input: tensor}, self._run_options)
        return boxes[0], scores[0]

    def cancel(self) -> None:
        """Break off what runs in other threads, with an exception there; nothing can be run afterwards."""
        self._run_options.terminate = True

    def decode(self, boxes: np.ndarray, scores: np.ndarray, width: int, height: int) -> list[Box]:
        """Read boxes off the priors, for a frame of width x height pixels, best first."""
        candidates = np.nonzero(scores[:, 1] > self.MIN_SCORE)[0]
        candidates = candidates[np.argsort(-scores[candidates, 1], kind="stable")][: self.MAX_CANDIDATES]
        priors, offsets = self._priors[candidates], boxes[candidates].astype(np.float64)
        centres = priors[:, :2] + offsets[:, :2] * self.VARIANCES[0] * priors[:, 2:]
        # Capped, so that a wild value can't overflow; no face is e^4 times its prior.
        sizes = priors[:, 2:] * np.exp(np.minimum(offsets[:, 2:] * self.VARIANCES[1], 4.0))
        decoded = np.hstack([centres - sizes / 2, sizes]) * (width, height, width, height)
        kept: list[Box] = []
        for x, y, w, h in decoded[np.isfinite(decoded).all(axis=1)].tolist():
            box = (x, y, w, h)
            if all(iou(box, other) <= self.MAX_IOU for other in kept):
                kept.append(box)
            if len(kept) == self.max_faces:
                break
        grow_x, grow_y = self.GROWTH
        return [(x - w * grow_x, y - h * grow_y, w * (1 + 2 * grow_x), h * (1 + 2 * grow_y)) for x, y, w, h in kept]


def _read_priors(path: Path, count: int) -> np.ndarray:
    """Read (count, 4) priors: centre x, y, width, height in units of the image."""
    if path.stat().st_size > MAX_PRIORS_SIZE:
        raise ModelError(f"The priors {path} are too large to be some ({path.stat().st_size} bytes).")
    try:
        priors = np.array(json.loads(path.read_text(encoding="utf-8")), dtype=np.float64).reshape(-1, 4)
    except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ModelError(f"The priors {path} can't be read: {error}") from error
    if priors.shape[0] != count or not np.isfinite(priors).all():
        raise ModelError(f"The priors {path} have another contract: {priors.shape[0]} priors, not {count}.")
    return priors


class BackgroundScan:
    """Runs a detector in a thread of its own, so that it never holds up a frame.

    Args:
        detect: from a frame to boxes.
        cancel: breaks off a `detect` that runs.
        report: called with a sentence when `detect` fails, once for each type of exception.
    """

    #: How long closing waits for the thread, seconds.
    PATIENCE = 1.0

    def __init__(
        self,
        detect: Callable[[np.ndarray], list[Box]],
        cancel: Callable[[], None],
        report: Callable[[str], None],
    ) -> None:
        self._detect = detect
        self._cancel = cancel
        self._report = report
        self._reported: set[type[Exception]] = set()
        self._frames: queue.Queue[np.ndarray | None] = queue.Queue(maxsize=1)
        self._boxes: queue.Queue[list[Box]] = queue.Queue()
        self._busy = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="background scan", daemon=True)
        self._thread.start()

    def start(self, frame: np.ndarray) -> None:
        """Look for faces in a copy of a frame, unless a scan is still running or all is closed."""
        if not self._busy.is_set() and not self._closing.is_set():
            self._busy.set()
            self._frames.put(frame.copy())

    def results(self) -> list[Box]:
        """Return the boxes found since the last call, at once."""
        found: list[Box] = []
        while True:
            try:
                found += self._boxes.get_nowait()
            except queue.Empty:
                return found

    def close(self) -> None:
        """End the thread; a scan that runs is broken off.

        Waits for that, since a thread that is inside of onnxruntime or OpenCV while the interpreter ends takes the
        whole program down. But not for long: the thread is a daemon, and one that hangs must not delay an exit.
        """
        self._closing.set()
        self._cancel()
        with contextlib.suppress(queue.Full):  # a frame that still waits wakes the thread just as well
            self._frames.put_nowait(None)
        if threading.current_thread() is not self._thread:  # a garbage collector may call from anywhere
            self._thread.join(self.PATIENCE)

    def _run(self) -> None:
        while (frame := self._frames.get()) is not None and not self._closing.is_set():
            try:
                self._boxes.put(self._detect(frame))
            except Exception as error:  # whatever it is, it must not end the scan in silence
                if type(error) not in self._reported and not self._closing.is_set():
                    self._reported.add(type(error))
                    self._report(f"The background scan failed ({type(error).__name__}: {error}).")
            finally:
                self._busy.clear()
