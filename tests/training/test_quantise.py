"""Int8 files: made from the float32 ones, and the same but for rounding."""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime
import pytest
from conftest import ROOT

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from tracking.int8 import PROBE_FILE, made_from  # noqa: E402
from training import data, quantise  # noqa: E402
from training.networks import LANDMARK_MODELS, model_path  # noqa: E402
from training.samples import to_input  # noqa: E402


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """A drawn face in slightly different boxes and lights [n, 224, 224, 3] BGR."""
    picture, rng = cv2.imread(str(ROOT / "models" / "benchmark_face.png")), np.random.default_rng(0)
    height, width = picture.shape[:2]
    crops = []
    for _ in range(12):
        x, y = (np.array([0.27, 0.2]) + rng.uniform(-0.02, 0.02, 2)) * (width, height)
        part = picture[int(y) : int(y + 0.65 * height), int(x) : int(x + 0.65 * height)]
        crops.append(cv2.convertScaleAbs(cv2.resize(part, (224, 224)), alpha=rng.uniform(0.7, 1.2)))
    return np.stack(crops)


def small(faces: np.ndarray, side: int) -> np.ndarray:
    return np.stack([cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for face in faces])


@pytest.mark.parametrize("name", ["U", "3", "4"])
def test_a_quantised_file_answers_as_the_one_it_is_made_from(name, faces, tmp_path):
    """Whatever the first convolution's stride and depth. (Nearly: to a hundredth of the eye distance.)"""
    config = LANDMARK_MODELS[name]
    pictures, path = small(faces, config.side), tmp_path / "int8.onnx"
    quantise.quantise(name, pictures, path)
    session = quantise.runner.session(path)
    assert [(tensor.type, tensor.shape[1:]) for tensor in session.get_inputs()] == [
        ("tensor(uint8)", [config.side, config.side, 3])
    ]
    assert made_from(model_path(name)).encode() in path.read_bytes()
    whole = session.run(None, {"input": pictures[:2]})[0]
    assert whole.shape == (2, 3 * config.points, config.grid, config.grid)
    corners = np.array([0, config.grid - 1], np.float32)
    drawn = session.run(None, {"input": pictures[:2], "cells": corners})[0]
    assert np.allclose(drawn[:, config.points :], whole[:, config.points :, :: config.grid - 1, :: config.grid - 1])
    if not adds_up_rightly(tmp_path):
        pytest.skip("this processor cuts sums of products off at 16 bits")
    apart, eyes, surer = quantise.compare(name, path, pictures)
    assert len(apart) > 6
    assert np.linalg.norm(apart, axis=-1).mean() < 0.01 * eyes.mean()
    assert np.abs(surer).max() < 0.02


def adds_up_rightly(folder) -> bool:
    path = folder / PROBE_FILE
    quantise.write_probe(path)
    answers = []
    for disabled in "01":
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.disable_quant_qdq", disabled)
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        picture = np.full(session.get_inputs()[0].shape, 255, np.uint8)
        answers.append(session.run(None, {"input": picture})[0].astype(int))
    assert answers[1].max() > 200
    return bool(np.abs(answers[0] - answers[1]).max() <= 1)


@pytest.mark.parametrize("name", ["U", "4"])
def test_equal_channels_change_no_answer(name, faces):
    images = to_input(torch.from_numpy(small(faces, LANDMARK_MODELS[name].side)))
    network = quantise.folded(name)
    with torch.no_grad():
        wanted = network(images)
        before = network.middle[0].body[0][0].weight.clone()
        quantise.equalise(network, images)
        found = network(images)
    assert not torch.allclose(before, network.middle[0].body[0][0].weight)
    for one, other in zip(found[:2], wanted[:2], strict=True):
        assert torch.allclose(one, other, atol=1e-3)


def test_the_first_convolution_takes_bytes_as_they_are(faces):
    """But for the picture's edges, beyond which another grey lies."""
    pictures = torch.from_numpy(faces[:2])
    network = quantise.folded("3")
    with torch.no_grad():
        wanted = network.stem(to_input(pictures))
        quantise.take_bytes(network)
        found = network.stem(pictures.permute(0, 3, 1, 2).float() - quantise.ZERO)
    assert torch.allclose(found[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1], atol=1e-4)


def test_without_a_face_there_is_nothing_to_compare():
    noise = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3)).astype(np.uint8)
    with pytest.raises(ValueError, match="face"):
        quantise.compare("U", data.repository() / "models" / "lm_modelU_opt.onnx", noise)
