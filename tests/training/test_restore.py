"""Weights of an exported file back in a network."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch (training/requirements.txt)")
pytest.importorskip("onnx", reason="exporting needs onnx (training/requirements.txt)")
onnxruntime = pytest.importorskip("onnxruntime")

from training import detector, runner  # noqa: E402
from training.detector import DetectorNet  # noqa: E402
from training.export import write  # noqa: E402
from training.networks import LANDMARK_MODELS, Exported, LandmarkNetwork  # noqa: E402
from training.restore import restore  # noqa: E402


def shaken(network):
    """The network as if it had been trained: with statistics and scales of its own."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.3)
    return network.eval()


@pytest.mark.parametrize("name", ["4", "T"])
def test_the_network_answers_as_the_file_does(tmp_path, name):
    config = LANDMARK_MODELS[name]
    trained = shaken(LandmarkNetwork(config))
    path = tmp_path / "model.onnx"
    write(Exported(trained, config), config, path)
    network = LandmarkNetwork(config)
    images = torch.randn(16, 3, config.side, config.side)
    restore(network, path, images)
    assert network.training
    with torch.no_grad():
        positions, confidence, _ = network.eval()(images)
        wanted, sure, _ = trained(images)
        torch.testing.assert_close(positions, wanted, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(confidence, sure, atol=1e-4, rtol=1e-4)
        # In training, normalisations take the statistics of the batch: here those they were set to.
        positions, _, _ = network.train()(images)
    np.testing.assert_allclose(positions, wanted, atol=5e-3)


def test_a_detector_answers_as_its_file_does(tmp_path):
    trained = shaken(DetectorNet())
    path = tmp_path / "model.onnx"
    images = torch.randn(8, 3, 64, 64)
    runner.export(detector.Exported(trained), path, images, ["input"], ["output", "maxpool"])
    network = DetectorNet()
    restore(network, path, images)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(images), trained(images), atol=1e-4, rtol=1e-4)


def test_a_file_of_another_network_is_refused(tmp_path):
    config = LANDMARK_MODELS["T"]
    path = tmp_path / "model.onnx"
    write(Exported(shaken(LandmarkNetwork(config)), config), config, path)
    with pytest.raises(ValueError, match="other layers"):
        restore(DetectorNet(), path, torch.randn(2, 3, 64, 64))
