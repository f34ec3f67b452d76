"""Where the networks run: on the CPU, unless the user asks for another provider and that one works.

The providers are stand-ins: sessions that claim to run elsewhere, run on the CPU, and fail as told.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tiny_models as tiny

from tracker import Tracker
from tracking.detection import RetinaFaceDetector
from tracking.faces import Face
from tracking.landmarks import LandmarkModel
from tracking.models import ModelError, default_model_dir
from tracking.providers import CPU, ExecutionProvider, FallbackSession

CUDA = "CUDAExecutionProvider"
REAL = onnxruntime.InferenceSession


@dataclass
class Card:
    """A made graphics card: how it fails, and what was asked of it.

    Attributes:
        fault: when it fails: "creation", "silence" (onnxruntime takes the CPU without a word), "run", or "" for never.
        good_runs: after so many runs of a session it fails, with the fault "run".
        made: the providers of each session.
        runs: how many runs it did.
    """

    fault: str = ""
    good_runs: int = 0
    made: list[list[str]] = field(default_factory=list)
    runs: int = 0
    at_once: int = 0
    most_at_once: int = 0


@pytest.fixture
def card(monkeypatch) -> Card:
    """An onnxruntime with CUDA in it."""
    card = Card()
    count = threading.Lock()

    class Session:
        def __init__(self, path, options, providers, enable_fallback):
            assert enable_fallback == 0, "it would print on standard output"
            card.made.append(providers)
            self._is_cpu = providers == [CPU] or card.fault == "silence"
            if not self._is_cpu and card.fault == "creation":
                raise RuntimeError("CUDA failure 100:\n  no device; GPU=-1 ;")
            self._session = REAL(path, options, providers=[CPU])
            self._left = card.good_runs if card.fault == "run" else 10**9
            self.get_inputs, self.get_outputs = self._session.get_inputs, self._session.get_outputs
            self.get_overridable_initializers = self._session.get_overridable_initializers

        def get_providers(self):
            return [CPU] if self._is_cpu else [CUDA, CPU]

        def run(self, outputs, inputs, options=None):
            if self._is_cpu:
                return self._session.run(outputs, inputs, options)
            with count:
                card.at_once += 1
                card.most_at_once = max(card.most_at_once, card.at_once)
            try:
                if self._left == 0:
                    raise RuntimeError("CUDNN_STATUS_EXECUTION_FAILED")
                self._left -= 1
                card.runs += 1
                return self._session.run(outputs, inputs, options)
            finally:
                with count:
                    card.at_once -= 1

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    offered = ["TensorrtExecutionProvider", CUDA, "AzureExecutionProvider", CPU]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(onnxruntime, "set_default_logger_severity", lambda level: None)
    return card


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Models that see a face in any frame."""
    rows, columns = np.divmod(np.arange(66), 9)
    points = np.column_stack([60 + 12.0 * rows, 60 + 12.0 * columns, np.full(66, 0.9)])
    files = {
        "mnv3_detection_opt.onnx": tiny.detector([(28, 28, 0.9, 0.5)]),
        "lm_model3_opt.onnx": tiny.landmark_model(tiny.landmark_maps(points, 224, 28), 224),
        "mnv3_gaze32_split_opt.onnx": tiny.gaze_model(),
        "retinaface_640x640_opt.onnx": tiny.retinaface({3000: 0.9}),
        "priorbox_640x640.json": tiny.priors(),
    }
    return tiny.write(tmp_path_factory.mktemp("models"), files)


FRAME = np.zeros((360, 640, 3), np.uint8)


def track(folder: Path, name: str, frames: int = 4, **settings) -> tuple[list[list[Face]], list[str]]:
    """Faces of each frame, and what was reported."""
    reports: list[str] = []
    settings = {"max_threads": 1, "static_model": True} | settings
    with Tracker(
        640, 360, model_dir=folder, execution_provider=name, report=reports.append, **settings
    ) as tracker:
        return [tracker.predict(FRAME) for _ in range(frames)], reports


def assert_same(found: list[list[Face]], expected: list[list[Face]]) -> None:
    assert [len(faces) for faces in found] == [len(faces) for faces in expected]
    for faces, others in zip(found, expected, strict=True):
        for face, other in zip(faces, others, strict=True):
            np.testing.assert_array_equal(face.lms, other.lms)
            np.testing.assert_array_equal(face.pts_3d, other.pts_3d)


# Which one


@pytest.mark.parametrize("name", ["cpu", "CPU", "CPUExecutionProvider"])
def test_the_cpu_is_the_default_and_makes_no_words(card, folder, name, capfd):
    expected, _ = track(folder, name)
    with Tracker(640, 360, model_dir=folder, max_threads=1, static_model=True) as tracker:
        assert_same([tracker.predict(FRAME) for _ in range(4)], expected)
    assert [len(faces) for faces in expected] == [1] * 4
    assert card.made == [[CPU]] * 6
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("cuda", CUDA),
        (" Cuda ", CUDA),
        ("CUDAExecutionProvider", CUDA),
        ("tensorrt", "TensorrtExecutionProvider"),
        ("directml", "DmlExecutionProvider"),
        ("dml", "DmlExecutionProvider"),
        ("DmlExecutionProvider", "DmlExecutionProvider"),
        ("openvino", "OpenVINOExecutionProvider"),
        ("coreml", "CoreMLExecutionProvider"),
        ("cpu", CPU),
    ],
)
def test_names(monkeypatch, asked, meant):
    monkeypatch.setattr(onnxruntime, "get_available_providers", onnxruntime.get_all_providers)
    monkeypatch.setattr(onnxruntime, "set_default_logger_severity", lambda level: None)
    assert ExecutionProvider(asked, pytest.fail).name == meant


@pytest.mark.parametrize("name", ["directml", "frobnicate", "", "azure", "executionprovider", "Execution\nProvider"])
def test_one_that_is_not_there_is_told_with_those_that_are(card, folder, name):
    _, reports = track(folder, name)
    assert reports == [
        f"This onnxruntime has no execution provider {name!r}, only: cpu, cuda, tensorrt. The networks run on the CPU."
    ]
    assert card.made == [[CPU]] * 3


def test_one_that_works_does_the_work(card, folder, capfd):
    expected, _ = track(folder, "cpu")
    card.made.clear()
    found, reports = track(folder, "cuda", max_threads=2)
    assert_same(found, expected)
    assert reports == [] and card.made == [[CUDA, CPU]] * 3
    assert card.runs == 1 + (4 + 3) + 4, "detector; landmarks, of a new face once more and upside down; pupils"
    assert capfd.readouterr() == ("", "")


# One that fails


@pytest.mark.parametrize(
    ("fault", "good_runs", "told"),
    [
        ("creation", 0, "(CUDA failure 100: no device; GPU=-1 ;)"),
        ("silence", 0, "(it finds no device, or not all of its libraries)"),
        ("run", 0, "(CUDNN_STATUS_EXECUTION_FAILED)"),
        ("run", 2, "(CUDNN_STATUS_EXECUTION_FAILED)"),
    ],
    ids=["when a session is made", "without a word", "at the first run", "in mid-stream"],
)
@pytest.mark.parametrize("faces", [1, 3])
def test_one_that_fails_is_told_in_one_line_and_no_frame_is_lost(card, folder, fault, good_runs, told, faces, capfd):
    settings = {"max_faces": faces, "max_threads": faces, "try_hard": True}
    expected, _ = track(folder, "cpu", 6, **settings)
    card.made.clear()
    card.fault, card.good_runs = fault, good_runs
    found, reports = track(folder, "cuda", 6, **settings)
    assert_same(found, expected)
    assert reports == [f"The execution provider {CUDA} can't be used {told}. The networks run on the CPU."]
    assert capfd.readouterr() == ("", "")


def test_after_a_failure_no_further_session_is_made_there(card, folder):
    card.fault = "creation"
    track(folder, "cuda")
    assert card.made == [[CUDA, CPU], [CPU], [CPU], [CPU]]


def test_trackers_can_share_a_provider_and_its_one_line(card, folder):
    card.fault = "creation"
    reports: list[str] = []
    provider = ExecutionProvider("cuda", reports.append)
    for _ in range(3):
        with Tracker(640, 360, model_dir=folder, max_threads=1, execution_provider=provider) as tracker:
            assert len(tracker.predict(FRAME)) == 1
    assert len(reports) == 1


def test_a_model_that_is_at_fault_is_not_the_providers_failure(card, tmp_path):
    card.fault = "creation"
    tiny.write(tmp_path, {"lm_model3_opt.onnx": b"no model"})
    with pytest.raises(ModelError, match="can't be loaded"):
        LandmarkModel(3, tmp_path, provider=ExecutionProvider("cuda", pytest.fail))
    contract = tiny.landmark_model(np.zeros((1, 198, 14, 14)), 224)
    card.fault = ""
    tiny.write(tmp_path, {"lm_model3_opt.onnx": contract})
    with pytest.raises(ModelError, match="another contract"):
        LandmarkModel(3, tmp_path, provider=ExecutionProvider("cuda", pytest.fail))


def test_inputs_that_are_at_fault_are_not_the_providers_failure(card, folder):
    model = LandmarkModel(3, folder, provider=ExecutionProvider("cuda", pytest.fail))
    crop = model.prepare(FRAME, (0.0, 0.0, 640.0, 360.0))
    good, crop.tensor = crop.tensor, np.zeros((1, 3, 5, 5), np.float32)
    with pytest.raises(Exception, match="Got invalid dimensions"):
        model.infer(crop)
    crop.tensor = good
    runs = card.runs
    assert model.infer(crop).shape == (198, 28, 28) and card.runs == runs + 1, "it still runs there"


def test_a_scan_that_is_broken_off_is_not_the_providers_failure(card):
    """With the program's own model: onnxruntime breaks nothing off in one of constants."""
    detector = RetinaFaceDetector(default_model_dir(), provider=ExecutionProvider("cuda", pytest.fail))
    detector.detect(FRAME)
    detector.cancel()
    with pytest.raises(Exception, match="terminate"):
        detector.detect(FRAME)
    assert card.made == [[CUDA, CPU]]


@pytest.mark.parametrize("fault", ["", "run"])
def test_a_session_there_runs_once_at_a_time(card, folder, fault):
    """DirectML takes no more; the others lose little by it."""
    card.fault, card.good_runs = fault, 20
    reports: list[str] = []
    model = LandmarkModel(3, folder, provider=ExecutionProvider("cuda", reports.append))
    assert isinstance(model._session, FallbackSession)
    crop = model.prepare(FRAME, (0.0, 0.0, 640.0, 360.0))
    expected = model.infer(crop)
    wrong: list[object] = []

    def work() -> None:
        for _ in range(20):
            if not np.array_equal(model.infer(crop), expected):
                wrong.append("another answer")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and card.most_at_once == 1
    assert len(reports) == (1 if fault else 0)


def test_libraries_in_python_packages_are_looked_for_in_silence(card, folder, monkeypatch, capfd):
    called = []

    def preload() -> None:
        called.append(True)
        print("Failed to load libcudart.so.13")
        raise OSError("no such library")

    monkeypatch.setattr(onnxruntime, "preload_dlls", preload, raising=False)
    track(folder, "cpu")
    assert called == []
    track(folder, "cuda")
    assert called == [True]
    assert capfd.readouterr() == ("", "")
