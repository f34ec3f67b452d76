"""The heat-map detector: scenes, targets, a few steps of training, and the exported file's contract."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is needed for training only (training/requirements.txt)")
onnx = pytest.importorskip("onnx", reason="onnx is needed for training only (training/requirements.txt)")

import cv2  # noqa: E402

from training import detector, runner, scenes, squares  # noqa: E402
from training.tables import detection  # noqa: E402


def drawn_face(rng: np.random.Generator) -> scenes.Cutout:
    """A made-up face, good enough for a few steps: a skin ellipse with eyes, nose and mouth, and 66 points
    in it."""
    image = np.full((120, 100, 3), rng.uniform(0, 80, 3), np.uint8)
    cv2.ellipse(image, (50, 60), (34, 48), 0, 0, 360, (120, 160, 220), -1)
    for x in (36, 64):
        cv2.circle(image, (x, 48), 6, (255, 255, 255), -1)
        cv2.circle(image, (x, 48), 3, (30, 30, 30), -1)
    cv2.ellipse(image, (50, 84), (14, 5), 0, 0, 360, (60, 60, 170), -1)
    points = np.zeros((66, 2), np.float32)
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([50 + 34 * np.cos(angle), 60 + 48 * np.sin(angle)], 1)
    points[17:22] = np.stack([np.linspace(26, 44, 5), np.full(5, 36)], 1)
    points[22:27] = np.stack([np.linspace(56, 74, 5), np.full(5, 36)], 1)
    points[27:31] = np.stack([np.full(4, 50), np.linspace(48, 66, 4)], 1)
    points[31:36] = np.stack([np.linspace(44, 56, 5), np.full(5, 70)], 1)
    points[36:42], points[42:48] = (36, 48), (64, 48)
    points[48:] = (50, 84)
    return scenes.Cutout(image, points)


@pytest.fixture
def composer() -> scenes.Composer:
    return scenes.Composer(drawn_face, squares.SIZE)


def test_scene_holds_the_faces_asked_for(composer):
    for count in (0, 1, 3):
        scene = composer.compose(np.random.default_rng(count), faces=count, height=0.2, roll=0, aspect=16 / 9)
        assert scene.image.shape == (224, 224, 3)
        assert scene.image.dtype == np.uint8
        assert len(scene.boxes) <= count
        assert (len(scene.boxes) > 0) == (count > 0)


def test_scene_is_squeezed_and_boxes_fit_the_face(composer):
    scene = composer.compose(np.random.default_rng(4), faces=1, height=0.5, roll=0, aspect=16 / 9)
    left, top, right, bottom = scene.boxes[0]
    assert bottom - top == pytest.approx(112, abs=0.5)  # half of the frame's height
    # The drawn face's points are 68 wide and 72 high; 16:9 is squeezed to 1:1.
    assert (right - left) / (bottom - top) == pytest.approx(68 / 72 / (16 / 9), rel=0.02)


def test_the_same_generator_gives_the_same_scene(composer):
    first, second = (composer.compose(np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.points, second.points)


def test_a_picture_is_not_pasted_over_what_is_in_front():
    canvas = np.zeros((40, 40, 3), np.uint8)
    front = np.zeros((40, 40), np.float32)
    front[:, :20] = 1
    image = np.full((40, 40, 3), 200, np.uint8)
    scenes.paste(canvas, image, np.ones((40, 40), np.float32), np.eye(2, 3), front)
    assert (canvas[:, :20] == 0).all()
    assert (canvas[2:-2, 22:-2] == 200).all()


def test_replayed_scenes_keep_their_faces_in_place(composer, monkeypatch):
    monkeypatch.setattr(scenes.composer, "spoil_picture", lambda rng, image: image)
    replay = scenes.Replay(composer, keep=100)
    rng = np.random.default_rng(3)
    shown = [scene for _ in range(4) for scene in replay(rng, 4)]
    assert len(shown) == len(replay.kept) == 16  # all new, as so few are kept
    mirrored = 0
    for scene, made in zip(shown, replay.kept, strict=True):
        if (scene.image == made.image).all():
            np.testing.assert_array_equal(scene.points, made.points)
        else:
            np.testing.assert_array_equal(scene.image, made.image[:, ::-1])
            np.testing.assert_allclose(scene.boxes[:, 0], 223 - made.boxes[:, 2], atol=1e-3)
            mirrored += 1
    assert 0 < mirrored < 16


def test_targets_have_one_peak_for_each_face_and_decode_to_its_square():
    faces = np.array([[60, 80, 20], [160, 82, 40]], np.float32)
    heat, radius, weight = detector.targets(faces)
    assert (heat == 1).sum() == 2
    assert (weight >= heat * (heat > 0.3)).all()
    pooled = cv2.dilate(heat, np.ones((3, 3)))
    found = squares.decode(np.stack([heat, radius]), np.stack([pooled, radius]))
    np.testing.assert_allclose(found[np.argsort(found[:, 0]), :3], faces, atol=2)


def test_squares_take_the_longer_side():
    np.testing.assert_allclose(squares.squares(np.array([[10, 20, 30, 60]])), [[20, 40, 20 + squares.SLACK]])


def test_loss_falls(composer):
    batch = detector.batches(composer, 4)
    fixed = batch(np.random.default_rng(0))
    torch.manual_seed(0)
    _, losses = runner.train(
        detector.DetectorNet(8, (8, 8, 16, 16), (0, 0, 1, 1)), lambda rng: fixed, detector.loss, 25, 5e-3
    )
    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])


def test_training_goes_on_from_its_checkpoint(composer, tmp_path):
    fixed = detector.batches(composer, 2)(np.random.default_rng(0))
    network = detector.DetectorNet(8, (8, 8, 16, 16), (0, 0, 0, 0))
    file = tmp_path / "detector.pt"
    runner.train(network, lambda rng: fixed, detector.loss, 3, 1e-3, file)
    _, losses = runner.train(network, lambda rng: fixed, detector.loss, 5, 1e-3, file)
    assert len(losses) == 2


def test_export_matches_pytorch_and_the_contract(tmp_path):
    torch.manual_seed(0)
    exported = detector.Exported(detector.DetectorNet(), gain=1.5, shift=0.3).eval()
    example = torch.randn(1, 3, 224, 224)
    path = tmp_path / detector.NAME
    assert runner.export(exported, path, example, ["input"], ["output", "maxpool"]) < 1e-4
    model = onnx.load(path)
    assert model.ir_version <= 9
    assert all(entry.version <= 17 for entry in model.opset_import)
    session = runner.session(path)
    assert [i.name for i in session.get_inputs()] == ["input"]
    assert [o.name for o in session.get_outputs()] == ["output", "maxpool"]
    output, pooled = session.run(None, {"input": example.numpy()})
    assert output.shape == pooled.shape == (1, 2, 56, 56)
    assert output.dtype == np.float32
    assert output.min() >= 0 and output.max() <= 1
    np.testing.assert_array_equal(pooled[0, 0], cv2.dilate(output[0, 0], np.ones((3, 3))))


class Knowing:
    """A session that sees a face in each of these cells (row, column), whatever it is shown."""

    def __init__(self, *cells: tuple[int, int]):
        self.output = np.zeros((1, 2, 56, 56), np.float32)
        for row, column in cells:
            self.output[0, :, row, column] = 0.9, 0.25

    def run(self, *_):
        return self.output, self.output


@pytest.mark.parametrize("roll", [0, 40])
def test_heads_in_a_row_stand_in_their_places_and_lean(roll):
    scene = detection.beside_each_other(np.random.default_rng(0), drawn_face, 3, roll)
    assert scene.image.shape == (360, 640, 3)
    middles = scene.points.mean(1)
    np.testing.assert_allclose(middles[:, 0], (107, 320, 533), atol=15.5)
    np.testing.assert_allclose(middles[:, 1], 180, atol=25.5)
    down = scene.points[:, 8] - scene.points[:, 27]
    np.testing.assert_allclose(np.degrees(np.arctan2(down[:, 0], down[:, 1])), [roll, -roll, roll], atol=0.1)


def test_a_row_counts_when_all_of_it_is_found():
    everywhere = [(row, column) for row in (25, 28, 31) for column in (9, 28, 46)]
    assert detection.row_recall(Knowing(*everywhere), drawn_face, 3, 0, count=5) == 1
    assert detection.row_recall(Knowing((28, 9), (28, 28)), drawn_face, 3, 0, count=5) == 0


def test_boxes_on_faceless_pictures_are_counted():
    pictures = [np.zeros((90, 160, 3), np.uint8), np.zeros((50, 40, 3), np.uint8)]
    assert detection.faceless_share(Knowing(), pictures, count=3) == 0
    assert detection.faceless_share(Knowing((28, 28)), pictures, count=3) == 1


def test_weights_between_two_checkpoints(tmp_path):
    paths = []
    for fill in (1.0, 3.0):
        weights = {k: torch.full_like(v, fill) for k, v in detector.DetectorNet().state_dict().items()}
        paths.append(tmp_path / f"{fill}.pt")
        torch.save({"average": weights}, paths[-1])
    seen = torch.full((2, 3, 64, 64), 0.5)
    network = runner.between(detector.DetectorNet(), *paths, 0.25, [seen])
    assert not network.training
    assert all((parameter == 1.5).all() for parameter in network.parameters())
    # Statistics are measured, not mixed: the first layer sees 3 x 3 x 3 halves times 1.5, but for the picture's edge.
    mean = network.stem[1].running_mean
    assert float(mean[0]) == pytest.approx(27 * 0.5 * 1.5, rel=0.05)
