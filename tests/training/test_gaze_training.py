"""The pupil model: crops, targets, a few steps of training, and the exported file's contract."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is needed for training only (training/requirements.txt)")
onnx = pytest.importorskip("onnx", reason="onnx is needed for training only (training/requirements.txt)")

import cv2  # noqa: E402

from training import gaze, runner  # noqa: E402
from training.eyes import Eyes, batches, crop_matrix, cut_eye, inverse  # noqa: E402


def eye_picture(pupil: tuple[float, float]) -> np.ndarray:
    """A level eye, its corners at (40, 60) and (80, 60), drawn with its pupil at x, y (pixels count from
    edges)."""
    image = np.full((120, 120, 3), (130, 160, 210), np.uint8)
    cv2.ellipse(image, (60, 60), (20, 9), 0, 0, 360, (245, 245, 245), -1)
    centre = tuple(round((v - 0.5) * 16) for v in pupil)
    cv2.circle(image, centre, 6 * 16, (30, 30, 30), -1, cv2.LINE_AA, 4)
    return image


@pytest.fixture
def eyes() -> Eyes:
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(40):
        pupil = rng.uniform((50, 57), (70, 63))
        patch, matrix = cut_eye(eye_picture(pupil), np.array([40.0, 60]), np.array([80.0, 60]), False)
        rows.append((patch, inverse(matrix, pupil), 1.0, 1.0, 40.0))
    return Eyes(*(np.array(column) for column in zip(*rows, strict=True)))


def test_crop_has_the_contracts_size_and_turn():
    first, second = np.array([10.0, 20.0]), np.array([40.0, 60.0])  # 50 pixels apart
    matrix = crop_matrix(first, second, mirrored=False)
    np.testing.assert_allclose(matrix @ [16, 16, 1], [25, 40])
    half_width = matrix @ [32, 16, 1] - matrix @ [16, 16, 1]
    np.testing.assert_allclose(half_width, 1.4 * (second - first) / 2)
    assert np.linalg.norm(matrix @ [16, 32, 1] - matrix @ [16, 16, 1]) == pytest.approx(1.2 * 25)
    mirrored = crop_matrix(first, second, mirrored=True)
    np.testing.assert_allclose(mirrored @ [3, 5, 1], matrix @ [29, 5, 1])


def test_the_pupil_in_a_crop_is_where_its_position_says(eyes):
    crops, pupils = gaze.crops_of(eyes, amount=0.05)
    for crop, pupil in zip(crops, pupils, strict=True):
        dark = np.clip(-crop.mean(0) - 0.5, 0, None)  # columns, rows
        x, y = np.mgrid[:32, :32] + 0.5
        np.testing.assert_allclose([(dark * x).sum() / dark.sum(), (dark * y).sum() / dark.sum()], pupil, atol=0.35)


def test_every_cell_decodes_to_the_predicted_position():
    torch.manual_seed(1)
    exported = gaze.Exported(gaze.GazeNet()).eval()
    crops = torch.randn(6, 3, 32, 32)
    with torch.no_grad():
        position, opened = exported.network(crops)
        maps, blink = exported(crops)
    found = gaze.decode(maps.numpy())
    np.testing.assert_allclose(found[:, :2], position.numpy(), atol=1e-3)
    np.testing.assert_allclose(found[:, 2], torch.sigmoid(opened).numpy(), atol=1e-6)
    np.testing.assert_allclose(blink.numpy()[:, :, 0, 0].sum(1), 1, atol=1e-6)


def test_both_views_of_an_eye_have_its_pupil_in_one_place(eyes):
    crops, pupils, _, _, back = batches(eyes, 16, nothing=0)(np.random.default_rng(0))
    places = np.einsum("nij,nj->ni", back[:, :, :2], pupils) + back[:, :, 2]
    np.testing.assert_allclose(places[0::2], places[1::2], atol=1e-3)
    assert np.abs(pupils[0::2] - pupils[1::2]).min() > 1e-3, "the views are the same"
    assert np.abs(crops[0::2] - crops[1::2]).max((1, 2, 3)).min() > 0.1

    def knowing(_: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(pupils), torch.zeros(16)

    tensors = [torch.from_numpy(a) for a in (crops, pupils, np.ones(16, np.float32), np.ones(16, np.float32), back)]
    terms = gaze.loss(knowing, *tensors)
    assert float(terms["pupil"]) < 1e-6
    assert float(terms["steady"]) < 0.02


def test_loss_falls(eyes):
    torch.manual_seed(0)
    fixed = batches(eyes, 32)(np.random.default_rng(0))
    _, losses = runner.train(gaze.GazeNet((8, 16, 16)), lambda rng: fixed, gaze.loss, 40, 5e-3)
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])


def test_export_matches_pytorch_and_the_contract(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / gaze.NAME
    example = torch.randn(2, 3, 32, 32)
    assert runner.export(gaze.Exported(gaze.GazeNet()).eval(), path, example, ["input"], ["output", "blink"]) < 1e-4
    model = onnx.load(path)
    assert model.ir_version <= 9
    assert all(entry.version <= 17 for entry in model.opset_import)
    session = runner.session(path)
    assert [i.name for i in session.get_inputs()] == ["input"]
    assert [o.name for o in session.get_outputs()] == ["output", "blink"]
    output, blink = session.run(None, {"input": example.numpy()})
    assert output.shape == (2, 3, 8, 8)
    assert blink.shape == (2, 2, 1, 1)
    # One eye alone is answered as it is in company.
    alone, _ = session.run(None, {"input": example[:1].numpy()})
    np.testing.assert_allclose(alone[0], output[0], atol=1e-5)
