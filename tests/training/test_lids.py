"""Eyes closed in pictures."""

import cv2
import numpy as np
import pytest

pytest.importorskip("tqdm", reason="training needs tqdm (training/requirements.txt)")

from training import blending, data, lids  # noqa: E402
from training.tables.blinks import lid_gaps  # noqa: E402


def drawn_face(roll: float) -> tuple[np.ndarray, np.ndarray]:
    """Skin with two white eyes, and 66 points of which only eyes, brows and extent mean something."""
    points = np.full((66, 2), 150.0)
    points[0], points[16], points[8] = (40, 140), (260, 140), (150, 280)
    for first, last, upper, lower, brow in lids.EYES:
        x0 = 90 if first == 36 else 170
        x = np.linspace(x0, x0 + 40, 4)
        points[[first, *upper, last]] = np.stack((x, [120, 112, 112, 120]), -1)
        points[list(lower)] = np.stack((x[1:3], [127, 127]), -1)
        points[list(brow)] = np.stack((np.linspace(x0 - 8, x0 + 48, 5), [98, 94, 92, 94, 98]), -1)
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    points = (points - 150) @ np.array([[c, s], [-s, c]]) + 150
    image = np.full((300, 300, 3), 120, np.uint8)
    for first, last, upper, lower, _ in lids.EYES:
        outline = points[[first, *upper, last, *lower[::-1]]]
        cv2.fillPoly(image, [np.round(outline * 16).astype(np.int32)], (255, 255, 255), shift=4)
    return image, points


@pytest.mark.parametrize("roll", [0, 35, -60])
def test_the_eye_that_is_closed_vanishes_and_the_other_stays(roll):
    image, points = drawn_face(roll)
    before, white = lid_gaps(points), (image > 200).all(-1).sum()
    changed, moved = image.copy(), points.copy()
    assert lids.close_eye(changed, moved, 0, 1.0)
    gaps = lid_gaps(moved)
    assert gaps[0] == pytest.approx(lids.CLOSED_GAP, abs=0.02)
    assert gaps[1] == before[1]
    others = [i for i in range(66) if i not in (37, 38, 40, 41)]
    np.testing.assert_array_equal(moved[others], points[others])
    assert 0.45 < (changed > 200).all(-1).sum() / white < 0.6


def test_half_closed_is_between():
    image, points = drawn_face(10)
    gaps = []
    for closed in (0.25, 0.5, 0.75, 1.0):
        moved = points.copy()
        lids.close_eye(image.copy(), moved, 1, closed)
        gaps.append(lid_gaps(moved)[1])
    assert gaps == sorted(gaps, reverse=True)
    np.testing.assert_allclose(np.diff(gaps), np.diff(gaps)[0], rtol=0.05)


def test_narrow_and_turned_eyes_are_left_alone():
    image, points = drawn_face(0)
    closed = points.copy()
    lids.close_eye(image.copy(), closed, 0, 1.0)
    assert not lids.close_eye(image.copy(), closed.copy(), 0, 1.0)
    turned = points.copy()
    turned[[36, 37, 38, 39, 40, 41], 0] = 150 + (turned[[36, 37, 38, 39, 40, 41], 0] - 150) / 5
    assert not lids.close_eye(image.copy(), turned, 0, 1.0)


def test_random_lids_leave_their_arguments_as_they_are():
    image, points = drawn_face(0)
    kept = image.copy(), points.copy()
    rng = np.random.default_rng(0)
    changed = [lids.random_lids(image, points, rng) for _ in range(20)]
    np.testing.assert_array_equal(image, kept[0])
    np.testing.assert_array_equal(points, kept[1])
    shut = np.array([lid_gaps(p) < lid_gaps(points) - 1e-9 for _, p in changed])
    assert {(True, True), (True, False), (False, True)} == set(map(tuple, shut.tolist()))


def test_labels_get_facemeshs_gaps_and_keep_their_places():
    """Reference models see shut eyes half open; FaceMesh does not."""
    _, face = drawn_face(20)
    points = np.repeat(face[None], 5, 0)
    mesh = np.zeros((5, 478, 3))
    wanted = np.array([1.0, 1.0, 1.0, 0.2, 0.0])  # of the gap as it was, of the right eye of each
    for ours, theirs in zip(data.EYES_OF_66, data.EYES_OF_MESH, strict=True):
        mesh[:, list(theirs), :2] = 2 * face[list(ours)]
    for upper, lower in ((1, 5), (2, 4)):
        top, bottom = (mesh[:, data.EYES_OF_MESH[0][k], :2].copy() for k in (upper, lower))
        shut = (1 - wanted[:, None]) / 2
        mesh[:, data.EYES_OF_MESH[0][upper], :2] = top + shut * (bottom - top)
        mesh[:, data.EYES_OF_MESH[0][lower], :2] = bottom + shut * (top - bottom)
    changed = blending.mesh_lids(points, mesh, np.array([True, True, True, False, False]))
    gaps = lid_gaps(changed) / lid_gaps(points)
    np.testing.assert_allclose(gaps[:, 0], wanted, atol=1e-6)
    np.testing.assert_allclose(gaps[:, 1], 1)
    np.testing.assert_allclose(changed[:, [37, 38]] + changed[:, [41, 40]], points[:, [37, 38]] + points[:, [41, 40]])
    rest = [i for i in range(66) if i not in (37, 38, 40, 41)]
    np.testing.assert_allclose(changed[:, rest], points[:, rest], atol=1e-9)
