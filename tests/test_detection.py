"""Finding faces: what the detectors make of a frame and of their maps, and the scan in the background."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref

import cv2
import numpy as np
import pytest
import tiny_models as tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tracker import Tracker
from tracking.detection import BackgroundScan, FaceDetector, RetinaFaceDetector

wild = st.one_of(
    st.sampled_from([0.0, 1.0, float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 0.6]),
    st.floats(-2, 2, width=32),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Models that give constants."""
    files = {
        "mnv3_detection_opt.onnx": tiny.detector([(28, 14, 0.9, 0.25), (10, 40, 0.7, 0.5), (40, 40, 0.5, 0.5)]),
        "retinaface_640x640_opt.onnx": tiny.retinaface({5: 0.9, 6: 0.8, 60: 0.5, 120 * 70: 0.95, 90: 0.39}),
        "priorbox_640x640.json": tiny.priors(),
        "lm_modelU_opt.onnx": tiny.landmark_model(np.zeros((1, 198, 14, 14)), 112),
        "mnv3_gaze32_split_opt.onnx": tiny.gaze_model(),
    }
    return tiny.write(tmp_path_factory.mktemp("models"), files)


@pytest.fixture(scope="module")
def light(folder) -> FaceDetector:
    return FaceDetector(folder, 0.6, max_faces=10)


@pytest.fixture(scope="module")
def retinaface(folder) -> RetinaFaceDetector:
    return RetinaFaceDetector(folder, max_faces=10)


def picture(height: int = 90, width: int = 120, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# The light detector


def maps(*faces: tuple[int, int, float, float]) -> np.ndarray:
    output = np.zeros((2, 56, 56), np.float32)
    for row, column, score, radius in faces:
        output[:, row, column] = score, radius
    return output


def pooled(output: np.ndarray) -> np.ndarray:
    """A 3 x 3 max-pool of stride 1."""
    padded = np.pad(output, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    return np.max(
        [padded[:, i : i + output.shape[1], j : j + output.shape[2]] for i in range(3) for j in range(3)], axis=0
    )


def test_input_is_the_whole_frame_squeezed_and_normalised(light):
    frame = picture()
    tensor = light.prepare(frame)
    squeezed = cv2.resize(frame, (224, 224), interpolation=cv2.INTER_LINEAR)[:, :, ::-1]
    expected = (squeezed / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    assert tensor.shape == (1, 3, 224, 224) and tensor.dtype == np.float32
    np.testing.assert_allclose(tensor[0], expected.transpose(2, 0, 1), atol=1e-5)


def test_a_cell_becomes_a_box_in_the_squeezed_frame_scaled_back(light):
    output = maps((28, 14, 0.9, 0.25))  # centre (56, 112), half side 28, in 224 x 224
    assert light.decode(output, pooled(output), 224, 224) == [pytest.approx((28, 84, 56, 56))]
    assert light.decode(output, pooled(output), 448, 112) == [pytest.approx((56, 42, 112, 28))]


def test_through_the_session(light):
    assert light.detect(picture(224, 224)) == [
        pytest.approx((28, 84, 56, 56)),
        pytest.approx((160 - 56, 40 - 56, 112, 112)),
    ]


def test_only_local_maxima_are_faces(light):
    output = maps((20, 20, 0.8, 0.2), (20, 21, 0.9, 0.3), (21, 22, 0.7, 0.2), (20, 24, 0.65, 0.2))
    boxes = light.decode(output, pooled(output), 224, 224)
    assert [(x + w / 2, y + h / 2) for x, y, w, h in boxes] == [(84, 80), (96, 80)]


def test_best_first_until_the_threshold_and_no_more_than_asked_for(light, monkeypatch):
    faces = [(10 * i + 5, 7, score, 0.2) for i, score in enumerate([0.7, 0.95, 0.59, 0.6, 0.8])]
    output = maps(*faces)

    def rows() -> list[float]:
        return [(y + h / 2) / 4 for _, y, _, h in light.decode(output, pooled(output), 224, 224)]

    assert rows() == pytest.approx([15, 45, 5, 35])
    monkeypatch.setattr(light, "max_faces", 2)
    assert rows() == pytest.approx([15, 45])
    monkeypatch.setattr(light, "threshold", 0.9)
    assert rows() == pytest.approx([15])


def test_a_threshold_of_zero_still_asks_for_maxima(light, monkeypatch):
    monkeypatch.setattr(light, "threshold", 0.0)
    output = np.full((2, 56, 56), 0.5, np.float32)
    output[0] = np.arange(56 * 56).reshape(56, 56) / 4000
    assert len(light.decode(output, pooled(output), 224, 224)) == 1


@pytest.mark.filterwarnings("error")
@settings(max_examples=80, deadline=None)
@given(arrays.arrays(np.float32, (2, 56, 56), elements=wild, fill=wild), st.booleans())
def test_any_maps_give_finite_boxes(light, output, is_pooled):
    for x, y, width, height in light.decode(output, pooled(output) if is_pooled else output, 640, 360):
        assert np.isfinite([x, y, width, height]).all()
        assert width > 0 and height > 0


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 2000), (2000, 3), (7, 5)])
def test_frames_of_any_size(light, retinaface, size):
    light.detect(picture(*size))
    retinaface.detect(picture(*size))


# RetinaFace


def test_retinaface_input_is_bgr_minus_the_mean(retinaface):
    frame = picture()
    expected = cv2.resize(frame, (640, 640)).astype(np.float32) - (104, 117, 123)
    tensor = retinaface.prepare(frame)
    assert tensor.shape == (1, 3, 640, 640) and tensor.dtype == np.float32
    np.testing.assert_allclose(tensor[0], expected.transpose(2, 0, 1), atol=1)


def box_of(prior: tuple[float, ...], offsets: tuple[float, ...], width: int, height: int) -> tuple[float, ...]:
    """A decoded and grown box by the plain formulas."""
    (px, py, pw, ph), (dx, dy, dw, dh) = prior, offsets
    centre_x, centre_y = (px + dx * 0.1 * pw) * width, (py + dy * 0.1 * ph) * height
    w, h = pw * np.exp(0.2 * dw) * width, ph * np.exp(0.2 * dh) * height
    x, y = centre_x - w / 2, centre_y - h / 2
    return x - 0.15 * w, y - 0.2 * h, 1.3 * w, 1.4 * h


def prior(number: int) -> tuple[float, ...]:
    return round(number % 120 / 120, 4), round(number // 120 / 140, 4), 0.1, 0.1


def arrays_for(*faces: tuple[int, float, tuple[float, ...]]) -> tuple[np.ndarray, np.ndarray]:
    boxes, scores = np.zeros((16800, 4), np.float32), np.zeros((16800, 2), np.float32)
    for number, score, offsets in faces:
        boxes[number], scores[number, 1] = offsets, score
    return boxes, scores


def test_retinaface_decodes_offsets_on_priors(retinaface):
    offsets = (0.5, -1.0, 2.0, -0.7)
    boxes, scores = arrays_for((5000, 0.9, offsets))
    assert retinaface.decode(boxes, scores, 640, 360) == [
        pytest.approx(box_of(prior(5000), offsets, 640, 360), rel=1e-5)
    ]


def test_retinaface_keeps_the_best_of_overlapping_boxes(retinaface):
    none = (0.0, 0.0, 0.0, 0.0)
    # Neighbouring priors are a twelfth of their width apart (IoU 0.85); seven steps on they overlap by IoU 0.26.
    boxes, scores = arrays_for((5000, 0.8, none), (5001, 0.9, none), (5008, 0.7, none), (9000, 0.41, none))
    found = retinaface.decode(boxes, scores, 640, 640)
    assert found == [pytest.approx(box_of(prior(number), none, 640, 640)) for number in (5001, 5008, 9000)]


def test_retinaface_suppresses_from_an_overlap_of_four_tenths(retinaface):
    none = (0.0, 0.0, 0.0, 0.0)
    for steps in range(1, 12):
        boxes, scores = arrays_for((5000, 0.9, none), (5000 + steps, 0.8, none))
        a, b = prior(5000)[0], prior(5000 + steps)[0]
        overlap = max(0.1 - (b - a), 0)
        expected = 1 if overlap / (0.2 - overlap) > 0.4 else 2
        assert len(retinaface.decode(boxes, scores, 640, 640)) == expected


def test_retinaface_scores_and_number_of_faces(retinaface, monkeypatch):
    none = (0.0, 0.0, 0.0, 0.0)
    boxes, scores = arrays_for(*((1200 * i, 0.30 + 0.05 * i, none) for i in range(8)))
    assert len(retinaface.decode(boxes, scores, 640, 640)) == 5  # 0.45 ... 0.65
    scores[0] = (0.9, 0.1)  # background
    assert len(retinaface.decode(boxes, scores, 640, 640)) == 5
    monkeypatch.setattr(retinaface, "max_faces", 2)
    assert retinaface.decode(boxes, scores, 640, 640) == [
        pytest.approx(box_of(prior(1200 * i), none, 640, 640)) for i in (7, 6)
    ]


def test_retinaface_through_the_session(retinaface):
    none = (0.0, 0.0, 0.0, 0.0)
    assert retinaface.detect(picture(480, 640)) == [
        pytest.approx(box_of(prior(number), none, 640, 480)) for number in (120 * 70, 5, 60)
    ]


@pytest.mark.filterwarnings("error")
@settings(max_examples=100, deadline=None)
@given(
    arrays.arrays(np.float32, (40, 4), elements=wild, fill=wild),
    arrays.arrays(np.float32, (40, 2), elements=wild, fill=wild),
    st.integers(0, 16760),
)
def test_any_arrays_give_finite_retinaface_boxes(retinaface, offsets, face_scores, start):
    boxes, scores = np.zeros((16800, 4), np.float32), np.zeros((16800, 2), np.float32)
    boxes[start : start + 40], scores[start : start + 40] = offsets, face_scores
    for box in retinaface.decode(boxes, scores, 640, 360):
        assert np.isfinite(box).all() and box[2] >= 0 and box[3] >= 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0.5, 1e30, np.nan, np.inf, -np.inf])
def test_retinaface_arrays_full_of_one_value(retinaface, value):
    boxes = retinaface.decode(
        np.full((16800, 4), value, np.float32), np.full((16800, 2), value, np.float32), 640, 360
    )
    assert len(boxes) <= 10 and all(np.isfinite(box).all() for box in boxes)


# The scan in the background


class Detector:
    """Counts what it is asked, and answers when it is let."""

    def __init__(self, answer: list | None = None, error: Exception | None = None) -> None:
        self.let = threading.Semaphore(0)
        self.began = threading.Semaphore(0)
        self.frames: list[np.ndarray] = []
        self.answer = answer if answer is not None else [(1.0, 2.0, 3.0, 4.0)]
        self.error = error

    def cancel(self) -> None:
        """Ends what it is held at with an exception, as onnxruntime does."""
        self.error = RuntimeError("cancelled")
        self.let.release()

    def __call__(self, frame: np.ndarray) -> list:
        self.frames.append(frame)
        self.began.release()
        assert self.let.acquire(timeout=30)
        if self.error:
            raise self.error
        return self.answer


def collect(scan: BackgroundScan, seconds: float = 30) -> list:
    """What comes, as soon as something does."""
    deadline = time.monotonic() + seconds
    while not (found := scan.results()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return found


def until(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def scans() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "background scan"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    gc.collect()
    until(lambda: not scans())
    yield
    gc.collect()
    until(lambda: not scans())


def test_results_arrive_once_they_are_there():
    detector = Detector()
    scan = BackgroundScan(detector, detector.cancel, pytest.fail)
    frame = picture()
    scan.start(frame)
    assert detector.began.acquire(timeout=30)
    assert scan.results() == []
    frame[:] = 0
    assert detector.frames[0].any(), "it looks at a copy"
    detector.let.release()
    assert collect(scan) == [(1.0, 2.0, 3.0, 4.0)]
    assert scan.results() == []
    scan.close()


def test_one_frame_at_a_time():
    detector = Detector()
    scan = BackgroundScan(detector, detector.cancel, pytest.fail)
    for _ in range(10):
        scan.start(picture())
    detector.let.release()
    collect(scan)
    assert len(detector.frames) == 1
    until(lambda: not scan._busy.is_set())
    scan.start(picture())
    assert detector.began.acquire(timeout=30)
    detector.let.release()
    collect(scan)
    assert len(detector.frames) == 2
    scan.close()


def test_starting_and_asking_do_not_wait_for_a_scan():
    detector = Detector()
    scan = BackgroundScan(detector, detector.cancel, pytest.fail)
    scan.start(picture())
    assert detector.began.acquire(timeout=30)
    # The detector is held: were one of these to wait for it, the test would stand still.
    for _ in range(100):
        scan.start(picture())
        assert scan.results() == []
    scan.close()


def test_failures_are_reported_once_a_type_and_do_not_end_the_scan():
    reports: list[str] = []
    detector = Detector(error=cv2.error("resize: it will not"))
    scan = BackgroundScan(detector, detector.cancel, reports.append)

    def run(count: int) -> None:
        for _ in range(count):
            scan.start(picture())
            assert detector.began.acquire(timeout=30)
            detector.let.release()
            until(lambda: not scan._busy.is_set())

    run(3)
    detector.error = ValueError("another")
    run(2)
    detector.error = None
    run(1)
    assert collect(scan) == detector.answer
    assert len(reports) == 2
    assert "resize: it will not" in reports[0] and "ValueError: another" in reports[1]
    scan.close()


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in the middle of a scan"])
def test_closing_ends_the_thread(busy):
    detector = Detector()
    scan = BackgroundScan(detector, detector.cancel, pytest.fail)
    if busy:
        scan.start(picture())
        assert detector.began.acquire(timeout=30)
    scan.close()
    scan.close()
    assert not scans()
    scan.start(picture())  # has no effect any more, and does not block


def test_closing_does_not_wait_for_a_detector_that_hangs(monkeypatch):
    detector = Detector()
    monkeypatch.setattr(BackgroundScan, "PATIENCE", 0.05)
    scan = BackgroundScan(detector, lambda: None, pytest.fail)
    scan.start(picture())
    assert detector.began.acquire(timeout=30)
    scan.close()
    assert len(scans()) == 1
    detector.let.release()


def test_a_running_session_is_broken_off(reference):
    """And what was cancelled is not reported as a failure."""
    reports: list[str] = []
    detector = RetinaFaceDetector(reference / "reference" / "models")
    runs: list[int] = []

    def many(frame: np.ndarray) -> list:
        for number in range(1000):
            detector.detect(frame)
            runs.append(number)
        return []

    scan = BackgroundScan(many, detector.cancel, reports.append)
    scan.start(picture())
    until(lambda: runs)
    scan.close()
    assert not scans()
    assert len(runs) < 1000
    assert reports == []


def tracker_with_scan(folder) -> Tracker:
    return Tracker(120, 90, model_type=-3, model_dir=folder, max_faces=2, use_retinaface=True, max_threads=1)


def test_the_thread_ends_when_the_tracker_is_closed(folder):
    with tracker_with_scan(folder) as tracker:
        assert len(scans()) == 1
        tracker.predict(picture())
    until(lambda: not scans())
    tracker.close()


def test_the_thread_ends_when_the_tracker_is_garbage(folder):
    tracker = tracker_with_scan(folder)
    tracker.predict(picture())
    alive = weakref.ref(tracker)
    assert len(scans()) == 1
    del tracker
    gc.collect()
    assert alive() is None
    until(lambda: not scans())


def test_only_a_tracker_that_looks_for_further_faces_scans(folder):
    for settings_ in ({"max_faces": 1, "use_retinaface": True}, {"max_faces": 2, "try_hard": True}):
        with Tracker(120, 90, model_type=-3, model_dir=folder, max_threads=1, **settings_):
            assert not scans()


SLEEPER = """
import sys, time
from pathlib import Path
import numpy as np
from tracking.detection import BackgroundScan, RetinaFaceDetector
{scan}
scan.start(np.zeros((90, 120, 3), np.uint8))
{wait}
{close}
print("end", flush=True)
"""


@pytest.mark.parametrize("close", ["", "scan.close()"], ids=["left open", "closed"])
def test_a_scan_never_delays_the_programs_exit(root, close):
    """With a detector that sleeps for ten minutes and can't be cancelled."""
    scan = "scan = BackgroundScan(lambda frame: time.sleep(600), lambda: None, print)"
    script = SLEEPER.format(scan=scan, wait="time.sleep(0.2)", close=close)
    ended = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "end\n", "")


EXIT = """
import sys, time
import numpy as np
from tracker import Tracker
tracker = Tracker(120, 90, model_type=0, model_dir=sys.argv[1], max_faces=2, use_retinaface=True, max_threads=1)
tracker._scan.start(np.zeros((90, 120, 3), np.uint8))
time.sleep(float(sys.argv[2]))
if sys.argv[3] == "closed":
    tracker.close()
print("end", flush=True)
"""


@pytest.mark.parametrize("close", ["left open", "closed"])
@pytest.mark.parametrize("pause", [0.005, 0.05])
def test_exit_in_the_middle_of_a_real_scan(root, reference, pause, close):
    """A thread that is inside onnxruntime while the interpreter ends would take the program down with an abort."""
    command = [sys.executable, "-c", EXIT, str(reference / "reference" / "models"), str(pause), close]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "end\n", "")
