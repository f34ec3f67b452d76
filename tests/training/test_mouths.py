"""The tables about mouths, and the truth of drawn heads' lips."""

import numpy as np
import pytest

pytest.importorskip("tqdm", reason="training needs tqdm (training/requirements.txt)")

from training import crops, data  # noqa: E402
from training.tables import drawn, mouths  # noqa: E402


def test_the_gap_is_that_of_the_inner_lips_whatever_the_scale_and_the_turn():
    points = np.zeros((66, 2))
    points[data.LEFT_OUTER_CORNER] = (100, 0)
    for k, (upper, lower) in enumerate(data.LIPS_OF_66):
        points[upper], points[lower] = (40 + 10 * k, 60), (40 + 10 * k, 60 + 5 * (k + 1))
    turn = 3 * np.array([[0.6, -0.8], [0.8, 0.6]])
    assert mouths.lip_gap(points) == pytest.approx(0.1)
    np.testing.assert_allclose(mouths.lip_gap(np.stack((points, points @ turn.T))), 0.1)
    mesh = np.zeros((478, 3))
    mesh[263, 0] = 100
    for (upper, lower), (mesh_upper, mesh_lower) in zip(data.LIPS_OF_66, data.LIPS_OF_MESH, strict=True):
        mesh[[mesh_upper, mesh_lower], :2] = points[[upper, lower]]
    assert mouths.mesh_lip_gap(mesh) == pytest.approx(0.1)


def test_the_correlation_leaves_out_what_is_not_known():
    a = np.array([1.0, 2.0, np.nan, 3.0, 5.0])
    assert mouths.correlation(a, 3 * a + 1) == pytest.approx(1)
    assert mouths.correlation(a, np.array([3.0, 2.0, 9.0, 1.0, np.nan])) == pytest.approx(-1)
    assert np.isnan(mouths.correlation(a, np.ones(5)))


def test_shut_lips_of_heads_meet_and_open_ones_stay_as_far_apart():
    neutral = np.zeros((66, 3))
    for _, lower in data.LIPS_OF_66:
        neutral[lower] = (0, -0.2, 0.1)
    turned = np.broadcast_to(10.0 * np.array([[1, 0, 0], [0, -1, 0]]), (3, 2, 3))  # 10 pixels in a cm
    points = np.full((3, 66, 2), 50.0)
    lower = [pair[1] for pair in data.LIPS_OF_66]
    points[:, lower, 1] += np.array([2.0, 12.0, 1.0])[:, None]  # as neutral, a cm more, pressed
    changed = crops.shut_lips(points, turned, neutral)
    gap = np.stack([changed[:, b] - changed[:, a] for a, b in data.LIPS_OF_66], 1)
    np.testing.assert_allclose(gap[..., 1], np.array([0.0, 10.0, 0.0])[:, None].repeat(3, 1), atol=1e-9)
    np.testing.assert_allclose(gap[..., 0], 0)
    rest = [i for i in range(66) if i not in np.ravel(data.LIPS_OF_66)]
    np.testing.assert_array_equal(changed[:, rest], points[:, rest])


def test_drawn_lips_are_as_their_kind_says():
    rng = np.random.default_rng(0)
    before = {"jawOpen": 0.5, "mouthSmile_L": 0.4, "eyeBlink_L": 0.7}
    opening = {}
    for kind in mouths.LIPS:
        faces = [drawn.with_lips(before, kind, rng) for _ in range(30)]
        assert all(face["eyeBlink_L"] == 0.7 for face in faces)
        opening[kind] = [face.get("jawOpen", 0) + face.get("mouthLowerDown_L", 0) for face in faces]
    assert max(opening["lips shut"]) == 0
    assert 0 < np.mean(opening["lips parted"]) < 0.5 * np.mean(opening["lips open"])
