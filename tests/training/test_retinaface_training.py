"""The small-face detector: priors, targets, a few steps of training, and the exported file's contract."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is needed for training only (training/requirements.txt)")
onnx = pytest.importorskip("onnx", reason="onnx is needed for training only (training/requirements.txt)")

from training import data, retinaface, runner  # noqa: E402


def level_face(x: float, y: float, height: float) -> np.ndarray:
    """66 points of an upright face whose bounding box has that centre and height, in pixels."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.3, 0.3, (66, 2))
    points[:17] = np.stack([np.linspace(-0.4, 0.4, 17), 0.5 - 2.2 * np.linspace(-0.4, 0.4, 17) ** 2], 1)
    points[8], points[27] = (0, 0.5), (0, -0.3)
    points[17:27] = np.stack([np.linspace(-0.38, 0.38, 10), np.full(10, -0.5)], 1)
    return (points * height + (x, y)).astype(np.float32)


def test_priors_are_the_usual_ones(tmp_path):
    prior = retinaface.priors()
    assert prior.shape == (16800, 4)
    np.testing.assert_allclose(prior[0] * 640, [4, 4, 16, 16])
    np.testing.assert_allclose(prior[1] * 640, [4, 4, 32, 32])
    np.testing.assert_allclose(prior[2] * 640, [12, 4, 16, 16])
    np.testing.assert_allclose(prior[12800] * 640, [8, 8, 64, 64])
    np.testing.assert_allclose(prior[-1] * 640, [624, 624, 512, 512])
    retinaface.write_priors(tmp_path / "priors.json")
    np.testing.assert_allclose(json.loads((tmp_path / "priors.json").read_text()), prior)


def test_priors_equal_the_reference():
    file = data.reference_folder() / "reference" / "models" / retinaface.PRIORS
    if not file.exists():
        pytest.skip(f"no reference models at {file.parent} (set OSF_REFERENCE)")
    np.testing.assert_allclose(retinaface.priors(), json.loads(file.read_text()), atol=1e-6)


@pytest.mark.parametrize("height", [14, 60, 400])
def test_targets_decode_to_the_face(height):
    points = level_face(300, 320, height)[None]
    prior = retinaface.priors()
    wanted = retinaface.targets(points, prior, 640)
    face = wanted[:, 0] == 1
    assert 3 <= face.sum() < 200
    scores = np.stack([1 - face, face], 1).astype(float)
    found = retinaface.decode(wanted[:, 1:5], scores, prior)
    assert len(found) == 1
    np.testing.assert_allclose(found[0, :4] * 640, retinaface.face_boxes(points)[0], atol=0.01)


def test_a_picture_without_faces_has_no_targets():
    assert not retinaface.targets(np.zeros((0, 66, 2)), retinaface.priors(64), 64).any()


def test_loss_falls():
    rng = np.random.default_rng(0)
    images = rng.normal(0, 20, (2, 3, 128, 128)).astype(np.float32)
    points = np.stack([level_face(40, 60, 40), level_face(90, 60, 50)])
    for image, (x, y) in zip(images, [(40, 60), (90, 60)], strict=True):
        image[:, y - 20 : y + 20, x - 15 : x + 15] += 100
    wanted = np.stack([retinaface.targets(p[None], retinaface.priors(128), 128) for p in points])
    torch.manual_seed(0)
    network = retinaface.RetinaNet(8, (8, 16, 16, 16), (0, 0, 1, 1))
    _, losses = runner.train(network, lambda rng: (images, wanted), retinaface.loss, 40, 5e-3)
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])


def test_it_starts_from_a_detector():
    encoder = retinaface.detector.DetectorNet().eval()
    network = retinaface.RetinaNet().eval()
    network.start_from(encoder.state_dict())
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    with torch.no_grad():
        theirs = encoder.stem(torch.from_numpy(runner.normalise(image[None])))
        ours = network.stem(torch.from_numpy(retinaface.prepare(image)[None]))
    # The two means differ a little, by less than 1 of 255.
    np.testing.assert_allclose(ours[:, :, 2:-2, 2:-2], theirs[:, :, 2:-2, 2:-2], atol=0.05)


def test_export_matches_pytorch_and_the_contract(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / retinaface.NAME
    example = torch.randn(1, 3, 640, 640)
    names = ["boxes", "scores", "landmarks"]
    error = runner.export(retinaface.Exported(retinaface.RetinaNet()).eval(), path, example, ["input0"], names, False)
    assert error < 1e-4
    model = onnx.load(path)
    assert model.ir_version <= 9
    assert all(entry.version <= 17 for entry in model.opset_import)
    session = runner.session(path)
    assert session.get_inputs()[0].name == "input0"
    assert session.get_inputs()[0].shape == [1, 3, 640, 640]
    boxes, scores, landmarks = session.run(None, {"input0": example.numpy()})
    assert boxes.shape == (1, 16800, 4)
    assert scores.shape == (1, 16800, 2)
    assert landmarks.shape == (1, 16800, 10)
    np.testing.assert_allclose(scores.sum(2), 1, atol=1e-5)
