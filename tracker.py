"""The tracker: from a frame to faces. Holds the slots and calls the steps; knows nothing of sockets or windows."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np

from tracking import features, pose
from tracking.blendshapes import BlendshapeModel
from tracking.detection import BackgroundScan, FaceDetector, RetinaFaceDetector
from tracking.faces import Box, Candidate, Detection, Face, assign, group
from tracking.forks import FaceInfo, TrackerNames, get_model_base_path  # noqa: F401 (see there)
from tracking.gaze import GazeModel
from tracking.landmarks import LandmarkModel, settle
from tracking.models import LANDMARK_MODELS, default_model_dir
from tracking.providers import ExecutionProvider
from tracking.search import Search
from tracking.slots import Slot
from tracking.takeover import Takeover
from tracking.timings import Timings
from tracking.turns import Turns

_log = logging.getLogger(__name__)
#: What is reported of a detector that fails while there are other faces, or another detector.
DETECTOR_FAILS = "A face detector fails, and tracking goes on without what it would find"
#: A face from a close look must be this share of the way from the threshold to 1 more confident than others: there is
#: much more in a frame that looks like a small face than that looks like a large one.
STRICTNESS = 0.375
_T = TypeVar("_T")
_R = TypeVar("_R")


class Tracker(TrackerNames):
    """Finds faces in frames and follows them.

    Args:
        width, height: size of the frames, pixels; a frame of another size is taken as a change of the camera's.
        model_type: landmark model, -3 to 4.
        detection_threshold: minimum score of the face detector, 0 to 1.
        threshold: minimum confidence of landmarks, 0 to 1; None: 0.6, or 0.87 for models below 0.
        max_faces: how many faces at the most.
        discard_after: for how many frames a lost face's box is still tried.
        scan_every: frames between scans for further faces.
        bbox_growth: share by which a lost face's box grows each frame.
        max_threads: thread limit.
        silent: has no effect (the tracker prints nothing); kept for programs that pass it.
        model_dir: folder with the .onnx files; None: `models` beside the program.
        no_gaze: leave the pupils out.
        use_retinaface: find faces with RetinaFace; further faces in a background thread.
        max_feature_updates: seconds after which a face's feature ranges stop adapting; 0: never.
        static_model: do not adapt the 3D face shape to the person.
        feature_level: 2 all features, 1 without steepness, quirk and in/out, 0 none.
        try_hard: detect with both detectors and also try the whole frame.
        execution_provider: where the networks run: cpu, cuda, directml, openvino, coreml … or what else this
            onnxruntime has. One that is not there or fails is reported, and the CPU used.
        report: gets a line for each kind of trouble that tracking goes on in spite of.
        feature_calibration: how features are measured and set against the person: balanced or original.
        blendshapes: also find ARKit's 52 blend shapes.

    Raises:
        ValueError: an argument is out of its range.
        tracking.models.ModelError: a model is missing or unusable.

    Attributes:
        timings: of the last frame.
    """

    def __init__(
        self,
        width: int,
        height: int,
        model_type: int = 3,
        detection_threshold: float = 0.6,
        threshold: float | None = None,
        max_faces: int = 1,
        discard_after: int = 5,
        scan_every: int = 3,
        bbox_growth: float = 0.0,
        max_threads: int = 4,
        silent: bool = False,
        model_dir: str | Path | None = None,
        no_gaze: bool = False,
        use_retinaface: bool = False,
        max_feature_updates: float = 0,
        static_model: bool = False,
        feature_level: int = 2,
        try_hard: bool = False,
        execution_provider: str | ExecutionProvider = "cpu",
        report: Callable[[str], None] = _log.warning,
        feature_calibration: str = features.CALIBRATIONS[0],
        blendshapes: bool = False,
    ) -> None:
        if model_type not in LANDMARK_MODELS:
            raise ValueError(f"There is no model {model_type}; models are {sorted(LANDMARK_MODELS)}.")
        sizes = {"width": width, "height": height, "max_faces": max_faces, "max_threads": max_threads}
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}.")
        folder = Path(model_dir) if model_dir is not None else default_model_dir()
        self.timings = Timings()
        self.threshold = threshold if threshold is not None else 0.6 if model_type >= 0 else 0.87
        self._size = (int(width), int(height))
        self._max_faces = max_faces
        self._discard_after = discard_after
        self._scan_every = scan_every
        self._bbox_growth = bbox_growth

        provider = execution_provider
        if not isinstance(provider, ExecutionProvider):
            provider = ExecutionProvider(provider, report)
        self._single_landmarks = LandmarkModel(model_type, folder, max_threads, provider)
        # Several faces are shared out between the caller's thread and those of a pool; each runs networks with one.
        self._threads = min(max_threads, max_faces)
        self._pool = ThreadPoolExecutor(self._threads - 1, "faces") if self._threads > 1 else None
        self._turns = Turns()
        self._pooled_landmarks = self._single_landmarks
        if self._pool is not None:
            self._pooled_landmarks = LandmarkModel(model_type, folder, 1, provider, self._turns.away)
        self._gaze = None
        if not no_gaze and model_type != -1:
            self._gaze = GazeModel(folder, provider=provider, away=self._turns.away)
        self._shapes = BlendshapeModel(folder, provider=provider, away=self._turns.away) if blendshapes else None
        detector = retinaface = None
        if not use_retinaface or try_hard:
            detector = FaceDetector(folder, detection_threshold, max_faces, max_threads, provider)
        if use_retinaface or try_hard:
            retinaface = RetinaFaceDetector(folder, max_faces, max_threads, provider)
        self._search = Search(detector, retinaface, bool(try_hard), partial(self._report_once, DETECTOR_FAILS))
        self._starts = True  # the next frame is the first of its size, and no face is held
        self._scan = None
        if use_retinaface and retinaface is not None and max_faces > 1:
            self._scan = BackgroundScan(retinaface.detect, retinaface.cancel, report)
            self._end_scan = weakref.finalize(self, self._scan.close)

        level = min(feature_level, 1) if model_type == -1 else feature_level
        contour = pose.CONTOUR_30_POINTS if model_type == -1 else pose.CONTOUR
        self._slots = [
            Slot(
                number,
                contour,
                not static_model,
                lambda: features.Features(max_feature_updates, level, calibration=feature_calibration),
                keep_features=max_feature_updates > 0,
            )
            for number in range(max_faces)
        ]
        self._boxes: list[Box] = []  # where the faces of the last frame that had any were
        self._held = 0  # how many faces the previous frame had
        self._frames_without_face = 0
        self._frames_since_scan = 0
        self._takeover = Takeover()
        self._report = report
        self._reported: set[tuple[str, type[Exception]]] = set()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the tracker's threads; a scan that still runs is broken off."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._scan is not None:
            self._end_scan()

    def predict(self, frame: np.ndarray, additional_faces: Sequence[Box] = ()) -> list[Face]:
        """Track the faces of a frame.

        Args:
            frame: (height, width, 3) BGR uint8.
            additional_faces: boxes (x, y, width, height) in pixels to be tried beside those that are found.

        Returns:
            The faces, by id. One that a step fails on, or gives numbers for that are not finite, is left out.

        Raises:
            ValueError: the frame is of another kind.
            Exception: whatever a step raised when it failed on every face of the frame, or the detector when it failed
                and no face was there without it. No face is forgotten for that.
        """
        frame = np.asarray(frame)
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
            raise ValueError(f"A frame must be (height, width, 3) uint8, not {frame.shape} {frame.dtype}.")
        height, width = frame.shape[:2]
        self._follow_size(width, height)
        self.timings = Timings()

        began = time.perf_counter()
        candidates, failure = self._candidates(frame, additional_faces)
        detected = time.perf_counter()
        found, cropping = self._landmarks(frame, candidates)
        detections = group(found)[: self._max_faces]
        if failure is not None:
            if not detections:
                raise failure
            self._report_once(DETECTOR_FAILS, failure)
        elif self._starts and len(detections) < self._max_faces:
            looked = time.perf_counter()
            candidates = self._search.look_everywhere(frame, [detection.bbox for detection in detections])
            detected += time.perf_counter() - looked
            further, further_cropping = self._landmarks(frame, candidates)
            cropping += further_cropping
            detections = group([*detections, *further])[: self._max_faces]
        self._starts = False
        if len(detections) == self._max_faces == self._held:
            detections = self._takeover.settle(frame, detections, self._slots, self._search.scan, self._landmarks)
        else:
            self._takeover.rest()
        self._add_pupils(frame, detections)
        tracked = time.perf_counter()
        faces = self._assign(detections, width, height)
        self._map(partial(self._add_shapes, frame), faces, shared=self._shapes is not None)
        done = time.perf_counter()

        self._remember(detections)
        if candidates:
            times = (detected - began, cropping, tracked - detected - cropping, done - tracked)
            self.timings = Timings(*(1e3 * seconds for seconds in times))
        else:
            self.timings = Timings(detect=(detected - began) * 1e3)
        return faces

    def _follow_size(self, width: int, height: int) -> None:
        """Carry boxes and slots over to another size of the frame."""
        if (width, height) == self._size:
            return
        x_scale, y_scale = width / self._size[0], height / self._size[1]
        self._boxes = [(x * x_scale, y * y_scale, w * x_scale, h * y_scale) for x, y, w, h in self._boxes]
        for slot in self._slots:
            slot.resize(x_scale, y_scale)
        self._size = (width, height)
        self._starts = self._starts or self._held == 0

    def _candidates(self, frame: np.ndarray, further: Sequence[Box]) -> tuple[list[Candidate], Exception | None]:
        """Boxes to be tried: held ones first, then the caller's, then the detectors', which run only when needed.

        Also what the detectors failed with, if all that ran did: the other boxes may still show faces.
        """
        candidates = [Candidate(box, held=True) for box in self._boxes]
        candidates += [Candidate(box) for box in further]
        arrived = self._scan.results() if self._scan is not None else []  # also when not needed: they grow stale
        self._frames_since_scan += 1
        try:
            if self._held == 0:
                self._frames_since_scan = 0
                candidates += self._search.look(frame)
            elif self._held < self._max_faces:
                candidates += [Candidate(box) for box in arrived]
                if self._frames_since_scan >= self._scan_every:
                    self._frames_since_scan = 0
                    if self._scan is not None:
                        self._scan.start(frame)
                    else:
                        candidates += self._search.scan(frame)
            else:
                self._frames_since_scan = 0
        except Exception as error:
            return candidates, error
        return candidates, None

    def _landmarks(self, frame: np.ndarray, candidates: Sequence[Candidate]) -> tuple[list[Detection], float]:
        """Landmarks of the boxes that show a face, and how much of the time went into their crops, seconds."""
        model = self._single_landmarks if len(candidates) == 1 else self._pooled_landmarks
        held = [candidate.box for candidate in candidates if candidate.held] if self._held else []
        cropping: list[float] = []

        def look(box: Box, is_held: bool = False) -> tuple[float, np.ndarray] | None:
            began = time.perf_counter()
            crop = model.prepare(frame, box, is_held)
            cropping.append(time.perf_counter() - began)
            return None if crop is None else model.decode(model.infer(crop), crop)

        def find(candidate: Candidate) -> Detection | None:
            seen = look(candidate.box, candidate.held)
            if seen is None:
                return None
            confidence, landmarks = seen if candidate.held else settle(look, *seen, held)
            least = self.threshold + (1 - self.threshold) * STRICTNESS * candidate.close
            if confidence <= least or not (candidate.held or model.is_upright(frame, confidence, landmarks)):
                return None
            lms = np.empty((68, 3))
            lms[:66] = landmarks
            lms[66:] = np.nan  # the pupils come later
            detection = Detection(confidence, lms, candidate.held)
            if detection.held:
                # In one go, so that threads meet less often. What fails here is tried again, and told, later.
                with suppress(Exception):
                    self._look_for_pupils(frame, detection)
            return detection

        found = self._map(find, candidates, shared=True)
        detections = [detection for detection in found if detection is not None]
        return detections, sum(cropping) / self._at_a_time(len(candidates))

    def _add_pupils(self, frame: np.ndarray, detections: Sequence[Detection]) -> None:
        """Find the pupils that are not known yet."""
        if not all(detection.has_pupils for detection in detections):
            self._map(lambda detection: self._look_for_pupils(frame, detection), detections, shared=True)

    def _look_for_pupils(self, frame: np.ndarray, detection: Detection) -> None:
        """Find the pupils of a face unless they are known. A slot leaves out a face whose pupils stay unknown."""
        if self._gaze is None:
            detection.lms[66:] = 0.0
        elif not detection.has_pupils:
            detection.lms[66:] = self._gaze.locate(frame, detection.lms[:66])

    def _add_shapes(self, frame: np.ndarray, face: Face) -> None:
        """Find the blend shapes of a face, if they are wanted. One on which that fails goes without."""
        try:
            face.blendshapes = self._shapes.estimate(frame, face.lms) if self._shapes is not None else None
        except Exception as error:  # those of onnxruntime and OpenCV share no base class
            self._report_once("A face goes without blend shapes", error)

    def _map(self, function: Callable[[_T], _R], items: Sequence[_T], shared: bool = False) -> list[_R]:
        """Apply a function to each item, in this thread or shared out between it and the pool's.

        An item that it fails on is left out, and the first failure of its type reported. When it fails on all of them,
        so does the frame: the error is raised.
        """
        if len(items) < 2:
            with self._turns:
                return [function(item) for item in items]
        results: dict[int, _R] = {}
        errors: list[Exception] = []
        waiting = list(enumerate(items))[::-1]

        def work() -> None:
            # Whoever is free takes the next item: a thread that the system wakes late holds up nobody.
            with suppress(IndexError):
                while True:
                    number, item = waiting.pop()
                    try:
                        with self._turns:
                            results[number] = function(item)
                    except Exception as error:  # those of onnxruntime and OpenCV share no base class
                        errors.append(error)

        helpers = self._at_a_time(len(items)) - 1 if shared else 0
        others = [self._pool.submit(work) for _ in range(helpers)] if self._pool is not None else []
        work()
        for other in others:
            if not other.cancel():
                other.result()
        if errors and len(errors) == len(items):
            raise errors[0]
        for error in errors:
            self._report_once("A face is left out of a frame", error)
        return [results[number] for number in sorted(results)]

    def _at_a_time(self, count: int) -> int:
        """How many threads share so many items."""
        return max(min(self._threads, count), 1)

    def _report_once(self, what: str, error: Exception) -> None:
        """Tell what happens because of an error, once for each type of it."""
        if (what, type(error)) not in self._reported:
            self._reported.add((what, type(error)))
            self._report(f"{what} ({type(error).__name__}: {' '.join(str(error).split())}).")

    def _assign(self, detections: Sequence[Detection], width: int, height: int) -> list[Face]:
        """Give the detections to the slots and update these; slots without one are lost."""
        assigned = assign([slot.centre for slot in self._slots], detections)
        for slot in self._slots:
            if slot.id not in assigned:
                slot.lose()

        def update(id: int) -> Face | None:
            return self._slots[id].update(assigned[id], width, height)

        # Not shared out: most of it runs in the interpreter, which has one thread at a time.
        return [face for face in self._map(update, sorted(assigned)) if face is not None]

    def _remember(self, detections: Sequence[Detection]) -> None:
        """Keep the boxes for the next frame; those of lost faces for a while."""
        self._held = len(detections)
        if detections:
            self._boxes = [detection.bbox for detection in detections]
            self._frames_without_face = 0
            return
        self._frames_without_face += 1
        if self._frames_without_face > self._discard_after:
            self._boxes = []
        grow = self._bbox_growth
        self._boxes = [
            (x - w * grow, y - h * grow, w * (1 + 2 * grow), h * (1 + 2 * grow)) for x, y, w, h in self._boxes
        ]
