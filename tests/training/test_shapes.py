"""The blend-shape model's training: what the samples hold, and that the network learns from them."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch (training/requirements.txt)")
pytest.importorskip("numba", reason="numba is not installed (training/requirements.txt)")

import torch  # noqa: E402

from tracking.blendshapes import POINT_FEATURES, SIDE, face_frame, point_features  # noqa: E402
from tracking.faces import BLENDSHAPE_NAMES  # noqa: E402
from training import blendshapes, heads, runner  # noqa: E402
from training.heads.dataset import EXPRESSION_NAMES  # noqa: E402
from training.heads.rendering import _turn_eyes  # noqa: E402
from training.shapes import samples, surface  # noqa: E402
from training.shapes.network import Exported, ShapeNetwork  # noqa: E402
from training.shapes.points import PointHeads, arkit_matrix, seen  # noqa: E402

SHAPES = len(BLENDSHAPE_NAMES)


@pytest.fixture(scope="module")
def model():
    if not (heads.data_folder() / "ict_face_model.npz").is_file():
        pytest.skip("the 3D head (ict_face_model.npz) is not in $OSF_REFERENCE/data")
    return heads.HeadModel.load()


@pytest.fixture(scope="module")
def faces(model) -> samples.Faces:
    """Six heads without much of a picture."""
    rng = np.random.default_rng(0)
    shown = PointHeads(model, surface.surface_vertices(model))
    rows = [shown.sample(rng) for _ in range(6)]
    images = [rng.integers(0, 255, (256, 256, 3), dtype=np.uint8) for _ in rows]
    points = np.stack([row[0] for row in rows])
    shapes = np.stack([row[1] for row in rows])
    answers = np.stack([points[:, :68] + rng.normal(0, 1, (6, 68, 2)), points[:, :68]], 1).astype(np.float32)
    answers[3, 0] = np.nan  # a model that saw nothing
    return samples.Faces(images, answers, shapes, np.ones_like(shapes), points)


def test_every_arkit_weight_comes_from_the_heads_names():
    matrix = arkit_matrix(EXPRESSION_NAMES)
    np.testing.assert_allclose(matrix.sum(0), 1)
    np.testing.assert_allclose(matrix.sum(1), [0.5 if n.startswith(("cheekPuff", "browInnerUp")) else 1
                                               for n in EXPRESSION_NAMES])  # fmt: skip
    weights = {"eyeBlink_L": 0.7, "cheekPuff_L": 1.0, "cheekPuff_R": 0.5, "tongueOut": 0.3, "jawLeft": 0.2}
    shapes = np.array([weights.get(name, 0.0) for name in EXPRESSION_NAMES]) @ matrix
    named = {name: float(w) for name, w in zip(BLENDSHAPE_NAMES, shapes, strict=True) if w}
    assert named == pytest.approx({"eyeBlinkLeft": 0.7, "cheekPuff": 0.75, "tongueOut": 0.3, "jawLeft": 0.2})


def test_mirrors_are_involutions():
    for mirror in (samples.MIRROR_SHAPES, samples.MIRROR_68, surface.mirror_of_surface()):
        np.testing.assert_array_equal(mirror[mirror], np.arange(len(mirror)))
    assert BLENDSHAPE_NAMES[samples.MIRROR_SHAPES[BLENDSHAPE_NAMES.index("jawLeft")]] == "jawRight"


def test_points_without_a_mesh_are_those_of_the_mesh(model):
    rng = np.random.default_rng(3)
    vertices = surface.surface_vertices(model)
    shown = PointHeads(model, vertices)
    for _ in range(4):
        head = heads.random_head(model, rng, face=heads.random_shapes)
        whole = model.shape(head.identity, head.expression)
        pupils, _ = _turn_eyes(model, whole.copy(), head.expression)
        points = shown.shape(head.identity, head.expression)
        np.testing.assert_allclose(points[:66], whole[model.landmarks], atol=1e-4)
        np.testing.assert_allclose(points[68:], whole[vertices], atol=1e-4)
        np.testing.assert_allclose(points[66:68], pupils, atol=0.2)


def test_the_surface_is_alike_on_both_sides(model):
    vertices = surface.surface_vertices(model)
    assert len(set(vertices.tolist())) == surface.COUNT
    points, mirrored = model.neutral[vertices], model.neutral[vertices][surface.mirror_of_surface()[68:] - 68]
    np.testing.assert_allclose(points, mirrored * (-1, 1, 1), atol=0.1)


def test_points_lie_where_they_are_drawn(model):
    rng = np.random.default_rng(2)
    head, scene, camera = heads.dataset.random_moment(model, rng)
    drawn = heads.render(model, head, camera, scene, (64, 64), 1)
    points = seen(drawn_space(model, head), head.rotation, camera, 64)
    np.testing.assert_allclose(points, drawn.points[:, ::-1], atol=0.01)


def drawn_space(model, head):
    return model.shape(head.identity, head.expression)[model.landmarks]


def test_a_mirrored_view_is_the_view_of_the_mirrored_face(faces):
    points = faces.points[0, 1].astype(np.float64)
    features = point_features(points, face_frame(points), True)
    mirrored = (points * (-1, 1) + (255, 0))[samples.MIRROR_68]
    np.testing.assert_allclose(
        samples.mirrored_features(features), point_features(mirrored, face_frame(mirrored), True), atol=1e-5
    )


def test_batches_come_in_pairs_of_one_face(faces):
    make = samples.batches(faces, np.ones(len(faces)), 16)
    pictures, features, shapes, counts, surfaces = make(np.random.default_rng(1))
    assert pictures.shape == (16, SIDE, SIDE, 3) and features.shape == (16, POINT_FEATURES)
    assert np.isfinite(features).all() and (counts == 1).all()
    np.testing.assert_array_equal(shapes[0::2], shapes[1::2])
    assert (pictures[0::2] != pictures[1::2]).any()
    # The surface begins with the points that the features are about, as they truly are.
    off = surfaces[:, :68].reshape(16, -1) - features[:, :-1]
    assert np.abs(off[features[:, -1] == 1]).mean() < 0.05


def test_the_network_begins_with_the_points_and_learns_from_both(faces, tmp_path):
    torch.manual_seed(0)
    network = ShapeNetwork()
    pictures, features = torch.randn(4, 3, SIDE, SIDE), torch.randn(4, POINT_FEATURES)
    with torch.no_grad():
        both, by_points, found = network.eval()(pictures, features)
    torch.testing.assert_close(both, by_points)
    assert found.shape == (4, 68 + surface.COUNT, 2)
    loss = blendshapes.ShapeLoss(faces.shapes)
    make = samples.batches(faces, np.ones(len(faces)), 12)
    fixed = (*make(np.random.default_rng(0)), *make(np.random.default_rng(1))[1:3])
    trained, losses = runner.train(network, lambda rng: fixed, loss.of_all, 25, 2e-3)
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    before = trained.eval()(pictures, features)[0]
    trained.picture.fix_beginning()
    torch.testing.assert_close(trained.eval()(pictures, features)[0], before, atol=1e-4, rtol=1e-3)
    assert not any(p.requires_grad for p in trained.picture.stem.parameters())
    example = (torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1, POINT_FEATURES))
    path = tmp_path / "shapes.onnx"
    assert runner.export(Exported(trained), path, example, ["picture", "points"], ["shapes"]) < 1e-4
    restored = ShapeNetwork()
    restored.go_on_from(path, torch.randn(32, 3, SIDE, SIDE), torch.randn(32, POINT_FEATURES))
    answers = [network.eval()(pictures, features)[0] for network in (trained, restored)]
    torch.testing.assert_close(answers[1], answers[0], atol=1e-4, rtol=1e-3)


def test_correlations():
    truth = np.random.default_rng(0).normal(size=(50, 3))
    found = np.stack([truth[:, 0] * 2 + 1, -truth[:, 1], np.ones(50)], 1)
    assert samples.correlations(found, truth)[:2] == pytest.approx([1, -1])
    assert np.isnan(samples.correlations(found, truth)[2])
