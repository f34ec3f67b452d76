"""What the tables about the landmark models are made of: errors, confidences, and what is said when data is missing."""

import sys

import numpy as np
import pytest

pytest.importorskip("tqdm", reason="training needs tqdm (training/requirements.txt)")
pytest.importorskip("onnxruntime")

from tiny_models import constant_model  # noqa: E402

from tracking.landmarks import LandmarkModel  # noqa: E402
from training import answers, data, evaluate  # noqa: E402


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OSF_TRAINING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OSF_REFERENCE", str(tmp_path / "reference"))


def constant_maps(points: int, grid: int, seed: int) -> np.ndarray:
    """Maps (1, 3 points, grid, grid) with random peaks between 0.2 and 1."""
    rng = np.random.default_rng(seed)
    maps = rng.uniform(0.3, 0.7, (1, 3 * points, grid, grid)).astype(np.float32)
    maps[:, :points] *= rng.uniform(0.3, 1.4, (1, points, 1, 1)).astype(np.float32)
    return maps


def turned_faces(count: int) -> np.ndarray:
    """Faces (count, 66, 2) of several sizes, turned in the picture."""
    rng = np.random.default_rng(0)
    face = rng.uniform(-50, 50, (66, 2))
    face[data.RIGHT_OUTER_CORNER], face[data.LEFT_OUTER_CORNER] = (-40, 0), (40, 0)
    faces = []
    for angle, scale in zip(rng.uniform(-0.5, 0.5, count), rng.uniform(0.5, 2, count), strict=True):
        c, s = np.cos(angle), np.sin(angle)
        faces.append(scale * face @ np.array([[c, s], [-s, c]]) + rng.uniform(100, 300, 2))
    return np.stack(faces)


def in_eye_frame(faces: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Shifts (n, 66, 2) in the faces' eye-aligned frames, in eye distances, as shifts in the pictures."""
    x = faces[:, data.LEFT_OUTER_CORNER] - faces[:, data.RIGHT_OUTER_CORNER]
    axes = np.stack((x, np.stack((-x[:, 1], x[:, 0]), -1)), 1)
    return shifts @ axes


@pytest.mark.parametrize(("number", "name", "points", "grid"), [(3, "3", 66, 28), (-1, "T", 30, 7)])
def test_models_answer_as_in_the_tracker(tmp_path, number, name, points, grid):
    """Also where the 30-point model's worst points decide."""
    side = 8 * grid
    for seed in (1, 2):
        content = constant_model(
            {"input": (1, 3, side, side)}, {"output": constant_maps(points, grid, seed)}
        )
        folder = tmp_path / str(seed)
        folder.mkdir()
        (folder / f"lm_model{name}_opt.onnx").write_bytes(content)
        (model,) = answers.find_models(folder, "ours")
        frame = np.zeros((200, 200, 3), np.uint8)
        box = answers.grown_box(np.array([[40.0, 40.0], [140.0, 120.0]]))
        found, sure = model.run(frame, box[None])
        tracker = LandmarkModel(number, folder)
        crop = tracker.prepare(frame, (40.0, 40.0, 100.0, 80.0))
        confidence, landmarks = tracker.decode(tracker.infer(crop), crop)
        assert sure[0] == pytest.approx(confidence, abs=1e-5)
        np.testing.assert_allclose(found[0], landmarks[:, 1::-1], atol=2)  # other roundings of the crop
        assert model.threshold == (0.6 if number > 0 else 0.87)


def test_the_30_point_model_is_measured_on_its_own_points():
    truth = turned_faces(1)[0]
    best = answers.thirty(truth)[data.POINTS30_OF_66]  # all that 30 points can say
    one, other = (answers.Model("ours", None, side, 8.0, points) for side, points in ((56, 30), (224, 66)))
    assert one.distance(best, truth) == pytest.approx(0)
    assert other.distance(best, truth) > 1
    assert one.distance(best + (3, 4), truth) == pytest.approx(5)


def test_constant_offsets_are_style_and_not_error():
    truth = turned_faces(12)
    style = np.random.default_rng(1).normal(0, 0.1, (1, 66, 2)).repeat(12, 0)
    styled = truth + in_eye_frame(truth, style)
    np.testing.assert_allclose(answers.style_free_error(styled, truth), 0, atol=1e-9)
    # One point that jumps by 0.1 eye distances, half of the time to either side, is off by 10 %.
    jumps = np.zeros((12, 66, 2))
    jumps[::2, 30, 1], jumps[1::2, 30, 1] = 0.1, -0.1
    error = answers.style_free_error(styled + in_eye_frame(truth, jumps), truth)
    assert error[:, 30] == pytest.approx(10)
    assert np.delete(error, 30, axis=1) == pytest.approx(0, abs=1e-9)
    grouped = answers.style_free_error(styled + in_eye_frame(truth, jumps), truth, grouped=True)
    assert grouped.shape == (12, 30)
    assert grouped.sum(1) == pytest.approx(10)


def test_a_table_without_its_data_says_so(empty_cache, tmp_path, monkeypatch, capsys):
    content = constant_model({"input": (1, 3, 56, 56)}, {"output": constant_maps(30, 7, 0)})
    (tmp_path / "lm_modelT_opt.onnx").write_bytes(content)
    names = ["accuracy", "steadiness", "recovery", "rolled", "turns", "confidence", "tracking"]
    monkeypatch.setattr(sys, "argv", ["evaluate", *names, "--folder", str(tmp_path)])
    evaluate.main()
    lines = capsys.readouterr().out.split("\n\n")
    assert len(lines) == len(names)
    for name, line in zip(names, lines, strict=True):
        assert f"table '{name}' is left out:" in line
    monkeypatch.setattr(sys, "argv", ["evaluate", "--folder", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit):
        evaluate.main()
    assert "there are no lm_model" in capsys.readouterr().err
