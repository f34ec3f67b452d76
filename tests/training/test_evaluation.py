"""What the tables about the landmark models are made of: errors, confidences, and what is said when data is missing."""

import sys

import numpy as np
import pytest

pytest.importorskip("tqdm", reason="training needs tqdm (training/requirements.txt)")
pytest.importorskip("onnxruntime")

from tiny_models import constant_model  # noqa: E402

from tracking.landmarks import LandmarkModel  # noqa: E402
from training import data, evaluate  # noqa: E402
from training.tables import answers, blinks, clips  # noqa: E402


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
    names = ["accuracy", "steadiness", "recovery", "rolled", "heads", "turns", "confidence"]
    names += ["tracking", "drawn", "moving", "leaving", "blinks", "winks"]
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


# --- clips ------------------------------------------------------------------------------------------------------


class DotFinder(answers.Model):
    """Finds the bright face-like grid of dots wherever it is in the crop; elsewhere it says nothing is there."""

    def run(self, image, boxes):
        x0, y0, x1, y1 = np.clip(boxes[0], 0, [image.shape[1], image.shape[0]] * 2).astype(int)
        y, x = np.nonzero(image[y0:y1, x0:x1, 0] > 128)
        if len(x) == 0:
            return np.full((1, 66, 2), boxes[0].reshape(2, 2).mean(0)), np.zeros(1)
        low, high = np.array([x.min() + x0, y.min() + y0]), np.array([x.max() + x0, y.max() + y0])
        return (low + GRID * (high - low))[None], np.ones(1)


GRID = np.stack(np.meshgrid(np.linspace(0, 1, 11), np.linspace(0, 1, 6)), -1).reshape(66, 2)
FINDER = DotFinder("finder", None, 224, 16.0, 66)


def dots(*corners: tuple[int, int], size: int = 40) -> clips.Clip:
    """A clip of a face of 66 bright dots, one frame for each of its upper left corners (x, y)."""
    truth = np.stack([np.round(corner + GRID * size) for corner in corners])
    frames = np.zeros((len(corners), *clips.FRAME, 3), np.uint8)
    for frame, points in zip(frames, truth.astype(int), strict=True):
        inside = ((points >= 0) & (points < clips.FRAME[::-1])).all(1)
        frame[points[inside, 1], points[inside, 0]] = 255
    return clips.Clip("dots", frames, truth)


def test_a_clip_is_tracked_from_frame_to_frame():
    """A model only sees the crop round its last points: it follows steps, and loses a jump."""
    walk = dots((50, 50), (53, 51), (56, 52), (59, 53))
    points, confidence = clips.track(FINDER, walk.frames, clips.grown_box(walk.truth[0]))
    assert (clips.Judge(walk, None, None).away(FINDER, points) < clips.HELD).all()
    assert (confidence == 1).all()
    jump = dots((50, 50), (53, 51), (200, 150), (200, 150))
    points, confidence = clips.track(FINDER, jump.frames, clips.grown_box(jump.truth[0]))
    assert (clips.Judge(jump, None, None).away(FINDER, points) < clips.HELD).tolist() == [True, True, False, False]
    assert confidence.tolist() == [1, 1, 0, 0]


def test_a_face_at_the_edge_is_given_up_when_its_crop_is_next_to_nothing():
    gone = dots((-36, 50), (-39, 50), size=40)
    box = np.array([-42.0, 40.0, 3.0, 100.0])  # three columns are left
    _, confidence = clips.track(FINDER, gone.frames[:1], box)
    assert confidence.tolist() == [0]


def test_a_frame_also_counts_as_held_where_the_reference_model_comes_to_rest():
    still = dots((50, 50), (50, 50))
    shifted = clips.Clip("dots", still.frames, still.truth + (10, 0))  # a truth that is a quarter off
    points, _ = clips.track(FINDER, still.frames, clips.grown_box(still.truth[0]))
    alone = clips.Judge(shifted, None, None).away(FINDER, points)
    assert alone == pytest.approx(10 / 40, abs=0.02)
    with_reference = clips.Judge(shifted, FINDER, None).away(FINDER, points)
    assert with_reference == pytest.approx(0, abs=1e-6)


def test_trembling_is_told_from_motion():
    truth = np.stack([GRID * 40 + (t**2, 3 * t) for t in range(9)])
    assert clips.trembling(truth + (2, 1), truth) == pytest.approx(0, abs=1e-12)
    shaken = truth + np.array([(1, 0), (-1, 0)] * 5)[:9, None]
    assert clips.trembling(shaken, truth) == pytest.approx(4 / 40)


def test_the_moving_camera_rolls_zooms_and_keeps_the_face():
    face = turned_faces(1)[0]
    for seed in range(5):
        path = clips.camera_path(np.random.default_rng(seed), face)
        seen = face @ path[:, :, :2].transpose(0, 2, 1) + path[:, None, :, 2]
        assert clips.in_picture(seen)[0].all()
        size = np.sqrt(np.linalg.det(path[:, :, :2])) * clips.face_size(face)
        assert size.min() == pytest.approx(50, rel=0.02) and size.max() == pytest.approx(150, rel=0.02)
        angles = np.degrees(np.arctan2(path[:, 1, 0], path[:, 0, 0]))
        assert angles.min() == pytest.approx(-45, abs=1) and angles.max() == pytest.approx(45, abs=1)
        steps = np.linalg.norm(np.diff(seen.mean(1), axis=0), axis=1)
        assert (steps <= clips.PAN_SPEED * size[1:] + 1e-6).all()


@pytest.mark.parametrize("direction", ["left", "right", "up", "down"])
def test_a_leaving_face_is_first_whole_and_then_gone(direction):
    face = turned_faces(1)[0]
    path = clips.leaving_path(np.random.default_rng(0), face, direction)
    whole, gone = clips.in_picture(face @ path[:, :, :2].transpose(0, 2, 1) + path[:, None, :, 2])
    assert whole[:6].all() and gone.sum() == clips.LINGER and gone[-clips.LINGER :].all()


def test_the_truth_moves_with_the_picture():
    pytest.importorskip("numba", reason="numba is not installed (training/requirements.txt)")
    image = np.zeros((200, 200, 3), np.uint8)
    points = 60 + GRID * 80
    image[50:151, 50:151] = 255  # a white square, whose middle is the points'
    path = clips.camera_path(np.random.default_rng(0), points, 6)
    clip = clips.seen_by_camera("square", image, points, path, np.random.default_rng(0))
    for frame, truth in zip(clip.frames, clip.truth, strict=True):
        y, x = np.nonzero((frame > 235).all(-1))
        assert np.array([x.mean(), y.mean()]) == pytest.approx(truth.mean(0), abs=1.5)


def test_overlap_of_boxes():
    box = np.array([0.0, 0.0, 2.0, 2.0])
    assert clips.overlap(box, box) == 1
    assert clips.overlap(box, box + 1) == pytest.approx(1 / 7)
    assert clips.overlap(box, box + 3) == 0


def test_drawn_motions_reach_their_ends():
    pytest.importorskip("numba", reason="numba is not installed (training/requirements.txt)")
    from training.tables import drawn

    times = np.arange(drawn.FRAMES) / drawn.FRAMES
    for axis, (name, reach) in enumerate((("turn", 75), ("nod", 35), ("lean", 50))):
        turns = np.array([drawn.motion(name, t)[0][axis] for t in times])
        assert turns.min() == pytest.approx(-reach, abs=0.5) and turns.max() == pytest.approx(reach, abs=0.5)
    heights = drawn.FRAME[0] * np.array([drawn.motion("near and far", t)[1] for t in times])
    assert heights.min() == pytest.approx(40, abs=1) and heights.max() == pytest.approx(240, abs=3)


def test_drawn_lids_are_shut_and_open_as_asked():
    pytest.importorskip("numba", reason="numba is not installed (training/requirements.txt)")
    from training.tables import drawn

    rng = np.random.default_rng(0)
    for right, left in blinks.LIDS.values():
        for _ in range(10):
            weights = drawn.with_lids({"eyeBlink_L": 0.6, "eyeWide_R": 1.0, "jawOpen": 0.5}, right, left, rng)
            for side, shut in (("R", right), ("L", left)):
                assert weights[f"eyeBlink_{side}"] >= 0.9 if shut else weights[f"eyeBlink_{side}"] <= 0.3
            assert weights["jawOpen"] == 0.5 and "eyeWide_R" not in weights


# --- blinks -----------------------------------------------------------------------------------------------------


def test_area_under_the_curve():
    low, high = np.array([0.0, 1.0, 2.0]), np.array([3.0, 4.0])
    assert blinks.area_under_curve(low, high) == 1
    assert blinks.area_under_curve(high, low) == 0
    assert blinks.area_under_curve(low, low) == 0.5
    assert blinks.area_under_curve(np.array([1.0, 3.0]), np.array([2.0, 3.0])) == pytest.approx(2.5 / 4)
    assert np.isnan(blinks.area_under_curve(low, low[:0]))


def test_lid_gaps_are_of_each_eye_and_of_its_width():
    points = np.zeros((66, 2))
    points[[36, 37, 38, 39, 40, 41]] = [(0, 0), (10, -5), (20, -5), (30, 0), (20, 4), (10, 4)]
    points[[42, 43, 44, 45, 46, 47]] = [(50, 0), (60, -1), (70, -2), (80, 0), (70, 0), (60, 0)]
    np.testing.assert_allclose(blinks.lid_gaps(points), [9 / 30, 1.5 / 30])
    # Mirrored, the eyes change places; turned and enlarged, nothing changes.
    mirrored = blinks.lid_gaps(data.mirror_points(points, 100))
    np.testing.assert_allclose(mirrored, [1.5 / 30, 9 / 30])
    turned = 3 * points @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + 7
    np.testing.assert_allclose(blinks.lid_gaps(turned), blinks.lid_gaps(points))


def test_facemesh_and_the_66_points_have_the_same_eyes():
    """The same face drawn with both gives the same gaps."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (66, 2))
    mesh = np.zeros((478, 3))
    for ours, theirs in zip(data.EYES_OF_66, data.EYES_OF_MESH, strict=True):
        mesh[list(theirs), :2] = points[list(ours)]
    np.testing.assert_allclose(blinks.lid_gaps(mesh, data.EYES_OF_MESH), blinks.lid_gaps(points))
    # The person's right eye comes first, as in MESH_IRIS: its outer corner is 33.
    assert data.EYES_OF_MESH[0][0] == 33 and data.EYES_OF_MESH[1][3] == 263


def test_winks_are_told_by_the_difference_of_the_gaps():
    closed = np.array([(True, False), (False, True), (False, False), (True, True)])
    gaps = np.where(closed, 0.05, 0.3)
    assert blinks.blink_auc(gaps, closed) == 1
    assert blinks.wink_aucs(gaps, closed) == (1, 1)
    assert blinks.wink_aucs(gaps[:, ::-1], closed) == (0, 1)
    both = np.full((4, 2), 0.2)  # a model that moves both lids together
    assert blinks.wink_aucs(both, closed) == (0.5, 0.5)


def test_judged_eyes_are_of_people_held_out():
    keys, closed = blinks.judged_eyes()
    assert closed.sum() >= 20 and (~closed).sum() >= 20 and len(set(keys)) == len(keys)
    for key in keys:
        source, name = key.split("/")
        assert data.is_held_out(data.person_of(name, source)), key
