"""Mouths closed in pictures, and labels with FaceMesh's gaps of the lips."""

import cv2
import numpy as np
import pytest

pytest.importorskip("tqdm", reason="training needs tqdm (training/requirements.txt)")

from training import blending, data, lips  # noqa: E402


def drawn_mouth(roll: float, gap: float = 24.0) -> tuple[np.ndarray, np.ndarray]:
    """Skin, red lips that are open by `gap` pixels, white teeth between; of the 66 points only the mouth, nose, chin
    and extent mean something."""
    points = np.full((66, 2), 150.0)
    points[0], points[16], points[8], points[33] = (40, 100), (260, 100), (150, 280), (150, 150)
    points[36], points[45] = (80, 110), (220, 110)
    x = np.linspace(100, 200, 7)
    bow = np.array([0, 0.6, 0.9, 1, 0.9, 0.6, 0])
    points[list(lips.UPPER_OUTER)] = np.stack((x, 200 - bow * (gap / 2 + 12)), -1)
    points[list(lips.LOWER_OUTER)] = np.stack((x, 200 + bow * (gap / 2 + 12)), -1)
    for side, edge in ((-1, lips.UPPER_INNER), (1, lips.LOWER_INNER)):
        points[list(edge[1:-1])] = np.stack(([125, 150, 175], 200 + side * np.array([0.8, 1, 0.8]) * gap / 2), -1)
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    points = (points - 150) @ np.array([[c, s], [-s, c]]) + 150
    image = np.full((300, 300, 3), 120, np.uint8)
    for upper, lower, colour in (
        (lips.UPPER_OUTER, lips.LOWER_OUTER, (40, 40, 200)), (lips.UPPER_INNER, lips.LOWER_INNER, (255, 255, 255)),
    ):  # fmt: skip
        outline = points[[*upper, *lower[-2:0:-1]]]
        cv2.fillPoly(image, [np.round(outline * 16).astype(np.int32)], colour, shift=4)
    return image, points


def lip_gaps(points: np.ndarray) -> np.ndarray:
    """[3] pixels."""
    return np.array([np.linalg.norm(points[a] - points[b]) for a, b in data.LIPS_OF_66])


@pytest.mark.parametrize("roll", [0, 35, -60])
def test_a_closed_mouth_hides_the_teeth_and_keeps_its_lips(roll):
    image, points = drawn_mouth(roll)
    changed, moved = image.copy(), points.copy()
    assert lips.close_mouth(changed, moved, 1.0)
    np.testing.assert_allclose(lip_gaps(moved), 0, atol=1e-6)
    rest = [i for i in range(66) if i not in data.MOUTH or i in (58, 62)]
    np.testing.assert_array_equal(moved[rest], points[rest])
    white, red = ((image > 200).all(-1).sum(), (image[..., 2] > image[..., 0].astype(int) + 100).sum())
    assert (changed > 200).all(-1).sum() < 0.08 * white
    assert (changed[..., 2] > changed[..., 0].astype(int) + 100).sum() == pytest.approx(red, rel=0.25)
    assert not lips.close_mouth(changed, moved, 1.0)  # it is shut


def test_half_closed_is_half_of_the_gap_in_points_and_picture():
    image, points = drawn_mouth(10)
    white = (image > 200).all(-1).sum()
    for closed in (0.25, 0.5, 0.75):
        changed, moved = image.copy(), points.copy()
        lips.close_mouth(changed, moved, closed)
        np.testing.assert_allclose(lip_gaps(moved), (1 - closed) * lip_gaps(points), rtol=0.01)
        assert (changed > 200).all(-1).sum() / white == pytest.approx(1 - closed, abs=0.08)


def test_shut_and_turned_mouths_are_left_alone():
    image, points = drawn_mouth(0, 4)
    assert not lips.close_mouth(image.copy(), points.copy(), 1.0)
    image, points = drawn_mouth(0)
    points[48:66, 0] = 150 + (points[48:66, 0] - 150) / 4
    kept, still = image.copy(), points.copy()
    assert not lips.close_mouth(image, points, 1.0)
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_array_equal(points, still)


def test_random_lips_leave_their_arguments_as_they_are():
    image, points = drawn_mouth(0)
    kept = image.copy(), points.copy()
    rng = np.random.default_rng(0)
    gaps = [lip_gaps(lips.random_lips(image, points, rng)[1])[1] for _ in range(20)]
    np.testing.assert_array_equal(image, kept[0])
    np.testing.assert_array_equal(points, kept[1])
    assert min(gaps) < 1e-6 and any(2 < gap < 20 for gap in gaps)


def test_labels_get_facemeshs_gaps_and_keep_their_places():
    """Reference models see shut lips a little open; FaceMesh does not."""
    faces = [drawn_mouth(20)[1]] * 3 + [drawn_mouth(20, 5.0)[1]] * 2
    points = np.stack(faces)
    mesh = np.zeros((5, 478, 3))
    wanted = np.array([24.0, 24.0, 24.0, 5.0, 0.0])
    for (upper, lower), (mesh_upper, mesh_lower) in zip(data.LIPS_OF_66, data.LIPS_OF_MESH, strict=True):
        middle, across = (points[:, upper] + points[:, lower]) / 2, points[:, lower] - points[:, upper]
        across = across / np.linalg.norm(across, axis=-1, keepdims=True) * wanted[:, None]
        for number, side in ((mesh_upper, -0.5), (mesh_lower, 0.5)):
            mesh[:, number, :2] = middle + side * across
    changed = blending.mesh_lips(points, mesh, np.array([True, True, True, False, False]))
    gaps = np.stack([lip_gaps(p) for p in changed])
    before = lip_gaps(points[0]) / 24  # the side gaps' ratio is that of the open mouths
    np.testing.assert_allclose(gaps, wanted[:, None] * before, atol=1e-6)
    np.testing.assert_allclose(blending.between_lips(changed), blending.between_lips(points), atol=1e-6)
