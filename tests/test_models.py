"""Model files: which are missing, which lie, and what the messages say."""

from __future__ import annotations

import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tiny_models as tiny

from tracking import models
from tracking.detection import FaceDetector, RetinaFaceDetector
from tracking.gaze import GazeModel
from tracking.landmarks import LandmarkModel
from tracking.models import LANDMARK_MODELS, MissingModelError, ModelError

GOOD_LANDMARKS = tiny.landmark_model(np.zeros((1, 198, 28, 28)), 224)


def one_sentence(error: BaseException) -> str:
    message = str(error)
    assert "\n" not in message and "Traceback" not in message
    assert len(message) < 600
    return message


def open_all(folder: Path) -> None:
    LandmarkModel(3, folder)
    FaceDetector(folder)
    GazeModel(folder)
    RetinaFaceDetector(folder)


def test_files_that_keep_the_contract_are_taken(tmp_path):
    files = {
        "lm_model3_opt.onnx": GOOD_LANDMARKS,
        "mnv3_detection_opt.onnx": tiny.detector(),
        "mnv3_gaze32_split_opt.onnx": tiny.gaze_model(),
        "retinaface_640x640_opt.onnx": tiny.retinaface(),
        "priorbox_640x640.json": tiny.priors(),
    }
    open_all(tiny.write(tmp_path, files))


def test_the_programs_own_models_keep_the_contract():
    folder = models.default_model_dir()
    numbers = models.available_landmark_models(folder)
    assert 3 in numbers and {-2, -3} & set(numbers)
    for number in numbers:
        LandmarkModel(number, folder)
    FaceDetector(folder)
    GazeModel(folder)
    if (folder / models.RETINAFACE_FILE).exists():
        RetinaFaceDetector(folder)


def test_the_originals_models_keep_the_contract(reference):
    folder = reference / "reference" / "models"
    assert models.available_landmark_models(folder) == [-3, 0, 1]
    for number in (-3, 0, 1):
        LandmarkModel(number, folder)
    FaceDetector(folder)
    GazeModel(folder)
    RetinaFaceDetector(folder)


def test_table_of_landmark_models():
    """File, input side, map side, points, logit factor."""
    assert {
        number: (spec.file, spec.side, spec.map_side, spec.points, spec.logit_factor)
        for number, spec in LANDMARK_MODELS.items()
    } == {
        **{number: (f"lm_model{number}_opt.onnx", 224, 28, 66, 16) for number in (0, 1, 2, 3, 4)},
        -1: ("lm_modelT_opt.onnx", 56, 7, 30, 8),
        -2: ("lm_modelV_opt.onnx", 112, 14, 66, 16),
        -3: ("lm_modelU_opt.onnx", 112, 14, 66, 16),
    }


# Missing


@pytest.mark.parametrize(
    ("make", "file"),
    [
        (lambda folder: LandmarkModel(3, folder), "lm_model3_opt.onnx"),
        (lambda folder: LandmarkModel(-1, folder), "lm_modelT_opt.onnx"),
        (FaceDetector, "mnv3_detection_opt.onnx"),
        (GazeModel, "mnv3_gaze32_split_opt.onnx"),
        (RetinaFaceDetector, "priorbox_640x640.json"),
    ],
)
def test_a_missing_file_is_named_with_its_folder_and_the_models_that_are_there(tmp_path, make, file):
    tiny.write(tmp_path, {name: b"" for name in ("lm_model1_opt.onnx", "lm_modelU_opt.onnx", "lm_model7_opt.onnx")})
    with pytest.raises(MissingModelError) as caught:
        make(tmp_path)
    message = one_sentence(caught.value)
    assert file in message and str(tmp_path) in message
    assert message.endswith("landmark models there: -3, 1.")


def test_retinaface_needs_its_model_beside_the_priors(tmp_path):
    tiny.write(tmp_path, {"priorbox_640x640.json": tiny.priors()})
    with pytest.raises(MissingModelError, match=re.escape("retinaface_640x640_opt.onnx")):
        RetinaFaceDetector(tmp_path)


def test_a_folder_without_models(tmp_path):
    with pytest.raises(MissingModelError) as caught:
        LandmarkModel(3, tmp_path)
    assert "there are no landmark models there" in one_sentence(caught.value)


def test_a_missing_folder(tmp_path):
    with pytest.raises(MissingModelError) as caught:
        LandmarkModel(3, tmp_path / "nowhere")
    assert one_sentence(caught.value) == f"The model folder {tmp_path / 'nowhere'} does not exist."


def test_a_folder_in_place_of_a_file(tmp_path):
    (tmp_path / "lm_model3_opt.onnx").mkdir()
    with pytest.raises(MissingModelError):
        LandmarkModel(3, tmp_path)


# Corrupt


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 1000,
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1902521\n",
        b"<!DOCTYPE html><html>Not found</html>",
        GOOD_LANDMARKS[: len(GOOD_LANDMARKS) // 2],
        np.random.default_rng(0).bytes(10_000),
    ],
    ids=["empty", "zeros", "pointer to a file", "web page", "truncated", "random"],
)
def test_a_file_that_is_no_model(tmp_path, content):
    tiny.write(tmp_path, {"lm_model3_opt.onnx": content})
    with pytest.raises(ModelError) as caught:
        LandmarkModel(3, tmp_path)
    assert not isinstance(caught.value, MissingModelError)
    assert str(tmp_path / "lm_model3_opt.onnx") in one_sentence(caught.value)


def test_an_operator_that_this_onnxruntime_lacks_is_named(tmp_path):
    content = tiny.constant_model(
        {"input": [1, 3, 224, 224]}, {"output": np.zeros((1, 198, 28, 28))}, operator="Frobnicate"
    )
    tiny.write(tmp_path, {"lm_model3_opt.onnx": content})
    with pytest.raises(ModelError, match="can't be loaded.*Frobnicate") as caught:
        LandmarkModel(3, tmp_path)
    one_sentence(caught.value)


def test_a_file_of_absurd_size_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "MAX_FILE_SIZE", 100)
    tiny.write(tmp_path, {"lm_model3_opt.onnx": GOOD_LANDMARKS})
    with pytest.raises(ModelError, match="too large"):
        LandmarkModel(3, tmp_path)


def test_a_file_that_can_not_be_read(tmp_path, monkeypatch):
    def fail(path: Path) -> bytes:
        raise OSError(5, "Input/output error", str(path))

    tiny.write(tmp_path, {"lm_model3_opt.onnx": GOOD_LANDMARKS})
    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(ModelError, match="can't be read: Input/output error"):
        LandmarkModel(3, tmp_path)


# A hostile folder


@pytest.mark.parametrize("key", [b"\x0a\x08location", b"\x8a\x80\x00\x88\x00location"], ids=["plain", "overlong"])
@pytest.mark.parametrize("place", ["weights.bin", "../weights.bin", "{folder}/weights.bin"])
def test_a_model_that_has_other_files_read_is_refused(tmp_path, place, key):
    """onnxruntime itself takes the plain ones, old versions also from outside the folder."""
    folder = tiny.write(tmp_path / "models", {})
    content = tiny.external_model(place.format(folder=folder), key)
    tiny.write(folder, {"lm_model3_opt.onnx": content, "weights.bin": bytes(4 * 198 * 28 * 28)})
    (tmp_path / "weights.bin").write_bytes(bytes(4 * 198 * 28 * 28))
    if place == "weights.bin":
        onnxruntime.InferenceSession(str(folder / "lm_model3_opt.onnx"), providers=["CPUExecutionProvider"])
    with pytest.raises(ModelError, match="needs other files") as caught:
        LandmarkModel(3, folder)
    one_sentence(caught.value)


def test_a_model_compiled_for_a_provider_is_refused(tmp_path):
    content = tiny.constant_model(
        {"input": [1, 3, 224, 224]}, {"output": np.zeros((1, 198, 28, 28))}, operator="EPContext"
    )
    with pytest.raises(ModelError, match="compiled code"):
        LandmarkModel(3, tiny.write(tmp_path, {"lm_model3_opt.onnx": content}))


class Planted:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (open, (str(self.trace), "w"))


def test_code_in_a_model_folder_is_not_run(tmp_path, root):
    """Modules, pickles and libraries under names that some program might look for, with the tracker started there."""
    trace = tmp_path / "trace"
    python = f"open({str(trace)!r}, 'w')"
    pickled = pickle.dumps(Planted(trace))
    planted = {
        **{f"{name}.py": python for name in ("__init__", "sitecustomize", "usercustomize", "tracker", "numpy", "cv2")},
        **{f"{name}.py": python for name in ("onnxruntime", "lm_model3_opt", "priorbox_640x640", "setup", "conftest")},
        **{f"{name}.pkl": pickled for name in ("lm_model3_opt", "priorbox_640x640")},
        **{f"{name}.npy": b"\x93NUMPY\x01\x00" + pickled for name in ("priorbox_640x640", "face_3d")},
        **{name: b"no library" for name in ("onnxruntime_custom_ops.so", "custom_ops.dll", "libonnxruntime.so")},
        "pyvenv.cfg": "home = .",
        "numpy.pth": f"import sys; {python}",
    }
    folder = tiny.write(tmp_path / "models", planted)
    for file in models.default_model_dir().iterdir():
        shutil.copy(file, folder)
    pickle.loads(pickled).close()
    assert trace.exists(), "what is planted works"
    trace.unlink()
    video = root / "samples" / "talking_head.mp4"
    command = [sys.executable, root / "facetracker.py", "-c", video, "--model-dir", ".", "--try-hard", "1", "-s", "1"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert not trace.exists()


# Another contract

CONTRACTS = {
    "side": lambda: tiny.constant_model({"input": [1, 3, 112, 112]}, {"output": np.zeros((1, 198, 28, 28))}),
    "map": lambda: tiny.landmark_model(np.zeros((1, 198, 14, 14)), 224),
    "points": lambda: tiny.landmark_model(np.zeros((1, 90, 28, 28)), 224),
    "channels": lambda: tiny.constant_model({"input": [1, 1, 224, 224]}, {"output": np.zeros((1, 198, 28, 28))}),
    "dimensions": lambda: tiny.landmark_model(np.zeros((198, 28, 28)), 224),
    "inputs": lambda: tiny.constant_model(
        {"input": [1, 3, 224, 224], "more": [1]}, {"output": np.zeros((1, 198, 28, 28))}
    ),
    "outputs": lambda: tiny.constant_model(
        {"input": [1, 3, 224, 224]}, {"output": np.zeros((1, 198, 28, 28)), "more": np.zeros((1,))}
    ),
    "another model": tiny.detector,
}


@pytest.mark.parametrize("content", CONTRACTS.values(), ids=CONTRACTS)
def test_other_shapes_are_named_as_such(tmp_path, content):
    tiny.write(tmp_path, {"lm_model3_opt.onnx": content()})
    with pytest.raises(ModelError, match="another contract") as caught:
        LandmarkModel(3, tmp_path)
    message = one_sentence(caught.value)
    assert str(tmp_path / "lm_model3_opt.onnx") in message
    assert "shapes" in message and ("[1, 198, 28, 28]" in message or "[1, 3, 224, 224]" in message)


def test_another_type_is_named_as_such(tmp_path):
    content = tiny.constant_model(
        {"input": [1, 3, 224, 224]}, {"output": np.zeros((1, 198, 28, 28))}, kind=tiny.DOUBLE
    )
    tiny.write(tmp_path, {"lm_model3_opt.onnx": content})
    with pytest.raises(ModelError, match="another contract.*float32"):
        LandmarkModel(3, tmp_path)


def test_a_model_of_ours_under_another_name_is_refused(tmp_path):
    folder = models.default_model_dir()
    content = (folder / LANDMARK_MODELS[3].file).read_bytes()
    tiny.write(tmp_path, {"lm_modelU_opt.onnx": content, "mnv3_gaze32_split_opt.onnx": content})
    for make in (lambda: LandmarkModel(-3, tmp_path), lambda: GazeModel(tmp_path)):
        with pytest.raises(ModelError, match="another contract"):
            make()


@pytest.mark.parametrize("batch", [1, "N"])
def test_an_open_or_a_fixed_batch_both_fit(tmp_path, batch):
    content = tiny.constant_model({"input": [batch, 3, 224, 224]}, {"output": np.zeros((1, 198, 28, 28))})
    LandmarkModel(3, tiny.write(tmp_path, {"lm_model3_opt.onnx": content}))


# Priors


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1, 2",
        b"{}",
        b"null",
        b'"text"',
        b"[[1, 2, 3, 4]]",
        b"[[1, 2], [3]]",
        b"[1, 2, 3]",
        b"\xff\xfe\x00",
        tiny.priors(16799),
        tiny.priors().replace("0.1", "NaN", 1),
        tiny.priors().replace("0.1", "1e999", 1),
        tiny.priors().replace("0.1", "1" + "0" * 400, 1),
        tiny.priors().replace("0.1", '"a"', 1),
        "[" * 100_000,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_bad_priors(tmp_path, content):
    files = {"retinaface_640x640_opt.onnx": tiny.retinaface(), "priorbox_640x640.json": content}
    with pytest.raises(ModelError) as caught:
        RetinaFaceDetector(tiny.write(tmp_path, files))
    assert str(tmp_path / "priorbox_640x640.json") in one_sentence(caught.value)


def test_priors_of_absurd_size_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("tracking.detection.MAX_PRIORS_SIZE", 1000)
    files = {"retinaface_640x640_opt.onnx": tiny.retinaface(), "priorbox_640x640.json": tiny.priors()}
    with pytest.raises(ModelError, match="too large"):
        RetinaFaceDetector(tiny.write(tmp_path, files))


# The default folder


def test_default_folder_is_beside_the_program(root):
    assert models.default_model_dir() == root / "models"


@pytest.fixture
def elsewhere(monkeypatch, tmp_path) -> Path:
    """The program installed in a folder of its own."""
    monkeypatch.setattr(models, "__file__", str(tmp_path / "app" / "tracking" / "models.py"))
    (tmp_path / "app" / "tracking").mkdir(parents=True)
    return tmp_path


def test_default_folder_may_lie_beside_the_programs_folder(elsewhere):
    (elsewhere / "models").mkdir()
    assert models.default_model_dir() == elsewhere / "models"
    (elsewhere / "app" / "models").mkdir()
    assert models.default_model_dir() == elsewhere / "app" / "models"


def test_default_folder_when_there_is_none_is_the_one_to_make(elsewhere):
    assert models.default_model_dir() == elsewhere / "app" / "models"


def test_default_folder_of_a_frozen_program_is_beside_its_executable(elsewhere, monkeypatch, tmp_path):
    program = tmp_path / "frozen"
    program.mkdir()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(program / "facetracker.exe"))
    monkeypatch.setattr(sys, "_MEIPASS", str(program / "_internal"), raising=False)
    assert models.default_model_dir() == program / "models"
    (program / "_internal" / "models").mkdir(parents=True)
    assert models.default_model_dir() == program / "_internal" / "models"
    (program / "models").mkdir()
    assert models.default_model_dir() == program / "models"


# Sessions


def test_sessions_run_on_the_processor_with_the_threads_asked_for(tmp_path, monkeypatch):
    made = []
    session = onnxruntime.InferenceSession

    def record(path, options, providers, **others):
        made.append((options.intra_op_num_threads, options.inter_op_num_threads, providers))
        return session(path, options, providers=providers, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", record)
    tiny.write(tmp_path, {"lm_model3_opt.onnx": GOOD_LANDMARKS})
    for threads in (1, 3):
        LandmarkModel(3, tmp_path, threads)
    assert made == [(threads, 1, ["CPUExecutionProvider"]) for threads in (1, 3)]
