"""Int8 files: when they are taken, and that they answer as the files beside them do."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_models as tiny

from tracking import int8, models
from tracking.landmarks import LandmarkModel
from tracking.models import LANDMARK_MODELS
from tracking.providers import CPU, ExecutionProvider

OWN = models.default_model_dir()
#: Landmark models that have an int8 file.
IN_BYTES = [number for number, spec in LANDMARK_MODELS.items() if (OWN / spec.file.replace("_opt", "_int8")).exists()]


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that is good at bytes, whatever this one is."""
    monkeypatch.setattr(int8, "is_faster", lambda probe: True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the default model, both ways."""
    for name in ("lm_model3_opt.onnx", "lm_model3_int8.onnx", int8.PROBE_FILE):
        shutil.copy(OWN / name, tmp_path)
    return tmp_path


def takes_bytes(model: LandmarkModel) -> bool:
    frame = np.zeros((100, 100, 3), np.uint8)
    crop = model.prepare(frame, (20.0, 20.0, 60.0, 60.0))
    assert crop is not None
    return crop.tensor.dtype == np.uint8


def test_the_default_model_has_an_int8_file():
    assert 3 in IN_BYTES and (OWN / int8.PROBE_FILE).exists()


@pytest.mark.parametrize("number", IN_BYTES)
def test_points_are_those_of_the_float32_file(number, tmp_path, monkeypatch):
    """To some thousandths of the face, on a drawn face in several boxes, where the processor adds bytes up rightly."""
    frame = cv2.imread(str(OWN / "benchmark_face.png"))
    shutil.copy(OWN / LANDMARK_MODELS[number].file, tmp_path)
    plain = LandmarkModel(number, tmp_path)
    rightly = adds_up_rightly()
    monkeypatch.setattr(int8, "is_faster", lambda probe: True)
    in_bytes = LandmarkModel(number, OWN)
    assert takes_bytes(in_bytes) and not takes_bytes(plain)
    if not rightly:
        pytest.skip("this processor cuts sums of products off at 16 bits")
    height, width = frame.shape[:2]
    box = (width * 0.25, height * 0.25, width * 0.5, height * 0.5)
    for _ in range(3):
        (sure, points), (confidence, found) = (
            model.decode(model.infer(crop), crop)
            for model in (plain, in_bytes)
            if (crop := model.prepare(frame, box)) is not None
        )
        low, high = points[:, :2].min(0), points[:, :2].max(0)
        box = (low[1], low[0], high[1] - low[1], high[0] - low[0])
        assert np.linalg.norm(found[:, :2] - points[:, :2], axis=1).mean() < 0.004 * float(np.mean(high - low))
        assert abs(confidence - sure) < 0.02


def adds_up_rightly() -> bool:
    """Whether the small network answers the same both ways, however fast."""
    probe = OWN / int8.PROBE_FILE
    answers = []
    for in_floats in (False, True):
        session = int8._probe_session(probe, in_floats)
        picture = np.full(session.get_inputs()[0].shape, 255, np.uint8)
        answers.append(session.run(None, {"input": picture})[0].astype(int))
    assert answers[1].max() > 200
    return bool(np.abs(answers[0] - answers[1]).max() <= 1)


def test_it_is_taken_where_the_processor_is_good_at_bytes(folder, fast):
    assert takes_bytes(LandmarkModel(3, folder))


def test_it_is_left_where_the_processor_is_not(folder, monkeypatch):
    monkeypatch.setattr(int8, "is_faster", lambda probe: False)
    assert not takes_bytes(LandmarkModel(3, folder))


def test_another_model_under_the_contracts_name_is_the_one_that_runs(folder, fast):
    tiny.write(folder, {"lm_model3_opt.onnx": tiny.landmark_model(np.zeros((1, 198, 28, 28)), 224)})
    assert not takes_bytes(LandmarkModel(3, folder))


def test_a_model_that_is_missing_is_missing_whatever_lies_beside(folder, fast):
    (folder / "lm_model3_opt.onnx").unlink()
    with pytest.raises(models.MissingModelError):
        LandmarkModel(3, folder)


@pytest.mark.parametrize("damage", ["cut off", "of another model", "without a network"])
def test_a_damaged_int8_file_is_passed_over(folder, fast, damage):
    path = folder / "lm_model3_int8.onnx"
    said = int8.made_from(folder / "lm_model3_opt.onnx").encode()
    whole = path.read_bytes()
    assert said in whole
    other = tiny.landmark_model(np.zeros((1, 198, 28, 28)), 224)
    path.write_bytes({"cut off": whole[:1000] + said, "of another model": other + b"\x32\x2f" + said,
                      "without a network": said}[damage])  # fmt: skip
    assert not takes_bytes(LandmarkModel(3, folder))


def test_graphics_cards_get_the_float32_file(folder, fast):
    provider = ExecutionProvider(CPU, lambda line: None)
    assert takes_bytes(LandmarkModel(3, folder, provider=provider))
    provider.name = "CUDAExecutionProvider"
    spec = LANDMARK_MODELS[3]
    assert int8.load_int8(folder / spec.file, 1, [[1, 224, 224, 3]], [[1, 198, 28, 28]], provider) is None


# The small network


def test_a_missing_or_a_broken_probe_means_no(tmp_path):
    assert not int8.is_faster(tmp_path / int8.PROBE_FILE)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    assert not int8.is_faster(broken)


class Processor:
    """Sessions of a processor that takes some ms and gives some sums, in bytes and in floats."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ms: tuple[float, float], sums: tuple[int, int]) -> None:
        self.now = 0.0
        monkeypatch.setattr(int8.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(
            int8, "_probe_session", lambda probe, in_floats: ProcessorSession(self, ms[in_floats], sums[in_floats])
        )


class ProcessorSession:
    def __init__(self, processor: Processor, ms: float, total: int) -> None:
        self.processor, self.ms, self.total = processor, ms, total

    def get_inputs(self):
        return [type("Input", (), {"name": "input", "shape": [1, 14, 14, 64]})]

    def run(self, outputs, feed):
        assert feed["input"].shape == (1, 14, 14, 64) and feed["input"].min() == 255
        self.processor.now += self.ms / 1e3
        return [np.full((1, 64, 14, 14), self.total, np.uint8)]


@pytest.mark.parametrize(
    ("ms", "sums", "expected"),
    [((0.02, 0.06), (230, 230), True), ((0.02, 0.06), (230, 229), True), ((0.06, 0.06), (230, 230), False),
     ((0.1, 0.06), (230, 230), False), ((0.02, 0.06), (130, 230), False)],
    ids=["fast", "fast, rounds otherwise", "as fast", "slow", "cuts sums off"],
)  # fmt: skip
def test_what_is_a_processor_that_is_good_at_bytes(tmp_path, monkeypatch, ms, sums, expected):
    Processor(monkeypatch, ms, sums)
    assert int8.is_faster(tmp_path / f"{expected}.onnx") is expected
