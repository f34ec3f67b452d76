"""The reference shape and its adaptation to a person."""

from __future__ import annotations

import numpy as np
import pytest

from tracking import pose
from tracking.face_shape import MAX_LEAD, MAX_STEPS, REFERENCE_SHAPE, AdaptiveShape

WIDTH, HEIGHT = 640, 480
FRONTAL = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])
TRANSLATION = np.array([0.1, -0.2, -6.0])
FACING = (-170.0, 5.0, 90.0)  # x and y may step
RIGHT_SIDE, LEFT_SIDE = (-170.0, 30.0, 90.0), (-170.0, -30.0, 90.0)  # depth may step


def project(points: np.ndarray) -> np.ndarray:
    return pose.project(points, FRONTAL, TRANSLATION, WIDTH, HEIGHT)


def landmarks_of(shape: np.ndarray, confidence: float = 1.0) -> np.ndarray:
    return np.column_stack([project(shape[:68]), np.full(68, confidence)])


def person(seed: int = 0, spread: float = 0.05) -> np.ndarray:
    """Somebody else's face."""
    rng = np.random.default_rng(seed)
    return REFERENCE_SHAPE * (1 + rng.uniform(-spread, spread, (70, 3)))


def test_reference_shape_is_the_published_one(reference):
    table = np.loadtxt(reference / "reference" / "face_3d.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(REFERENCE_SHAPE, table[:, 1:], rtol=1e-8)


def test_reference_shape_is_a_face():
    assert REFERENCE_SHAPE.shape == (70, 3)
    assert (REFERENCE_SHAPE[30] == 0).all()
    right, left = [0, 17, 36, 58, 66, 68], [16, 26, 45, 62, 67, 69]
    np.testing.assert_allclose(REFERENCE_SHAPE[right], REFERENCE_SHAPE[left] * (-1, 1, 1), atol=1e-6)
    assert REFERENCE_SHAPE[27, 1] > 0 > REFERENCE_SHAPE[8, 1]
    with pytest.raises(ValueError):
        REFERENCE_SHAPE[0, 0] = 1


def test_steps_come_nearer_to_what_is_seen_and_never_leave_it():
    target, shape = person(), AdaptiveShape(seed=1)
    seen = landmarks_of(target)
    errors = []
    for _ in range(74):
        errors.append(np.linalg.norm(project(shape.points[:66]) - seen[:66, :2], axis=1))
        shape.adapt(seen, FACING, project)
    errors = np.array(errors)
    assert (np.diff(errors, axis=0) <= 1e-9).all(), "no point ever gets worse"
    assert errors[-1].mean() < 0.3 * errors[0].mean()


def test_a_step_is_at_most_one_percent_and_the_nose_stays():
    shape = AdaptiveShape(seed=2)
    for _ in range(30):
        before = shape.points.copy()
        shape.adapt(landmarks_of(person(3, 0.3)), FACING, project)
        assert (np.abs(shape.points - before) <= 0.01 * np.abs(before) + 1e-12).all()
    assert (shape.points[30] == 0).all()
    assert (shape.points[66:] == REFERENCE_SHAPE[66:]).all(), "pupils and eyeballs are placed anew in every frame"


@pytest.mark.parametrize(
    ("euler", "axes"),
    [
        ((-170, 5, 90), "xy"),
        ((150, 5, 90), "xy"),
        ((170, -9.9, 0), "xy"),
        ((-170, 19.9, 0), "xy"),
        ((-170, 20, 90), "z"),
        ((-170, -10, 90), "z"),
        ((-170, 45, 60), "z"),
        ((-170, 45, 120), "z"),
        ((-170, 45, 59), ""),
        ((-170, 45, 121), ""),
        ((-164, 5, 90), ""),
        ((0, 5, 90), ""),
        ((144, 5, 90), ""),
        ((144, 45, 90), ""),
        ((-165, 5, 90), "xy"),
        ((145, 5, 90), "xy"),
    ],
)
def test_what_may_step_depends_on_the_turn_of_the_head(euler, axes):
    shape = AdaptiveShape(seed=4)
    for _ in range(20):
        shape.adapt(landmarks_of(person(5, 0.3)), np.array(euler, float), project)
    moved = (shape.points != REFERENCE_SHAPE).any(axis=0)
    assert moved.tolist() == [axis in axes for axis in "xyz"]


def test_depth_steps_on_one_side_of_the_face_only():
    right, left = AdaptiveShape(seed=6), AdaptiveShape(seed=6)
    for _ in range(40):
        right.adapt(landmarks_of(person(7, 0.3)), RIGHT_SIDE, project)
        left.adapt(landmarks_of(person(7, 0.3)), LEFT_SIDE, project)
    x = REFERENCE_SHAPE[:66, 0]
    for shape, far in ((right, x < -0.1), (left, x > 0.1)):
        moved = (shape.points[:66] != REFERENCE_SHAPE[:66]).any(axis=1)
        assert not moved[far].any()
        assert moved[~far].mean() > 0.7


def test_steps_of_one_kind_run_75_ahead_of_the_other_at_the_most():
    """Landmarks that run away before the shape, so that half of all steps are accepted."""
    shape, accepted = AdaptiveShape(seed=8), 0
    far = landmarks_of(REFERENCE_SHAPE * (30, 30, 1))
    for _ in range(600):
        before = shape.points[0].copy()
        shape.adapt(far, FACING, project)
        accepted += (shape.points[0] != before).any()
    assert accepted == MAX_LEAD == 75
    before = shape.points.copy()
    shape.adapt(far, FACING, project)
    assert (shape.points == before).all()
    for _ in range(100):
        shape.adapt(landmarks_of(REFERENCE_SHAPE * (1, 1, 5)), RIGHT_SIDE, project)
    depth_steps = shape.points[0, 2] != before[0, 2]
    shape.adapt(far, FACING, project)
    assert depth_steps
    for _ in range(20):
        shape.adapt(far, FACING, project)
    assert (shape.points[0, :2] != before[0, :2]).any(), "steps in depth make room for others"


def test_a_point_steps_7500_times_at_the_most(monkeypatch):
    assert MAX_STEPS == 7500
    monkeypatch.setattr("tracking.face_shape.MAX_STEPS", 5)
    shape, changes = AdaptiveShape(seed=9), 0
    for _ in range(200):
        before = shape.points[0].copy()
        shape.adapt(landmarks_of(REFERENCE_SHAPE * (30, 30, 1)), FACING, project)
        changes += (shape.points[0] != before).any()
    assert changes == 5


def test_confidence_weighs_a_step():
    """The same random step at confidence 1, 0.71 (counts as 1), 0.5 and 0."""
    moved = {}
    for confidence in (1.0, 0.71, 0.5, 0.0):
        shape = AdaptiveShape(seed=10)
        shape.adapt(landmarks_of(person(11, 0.3), confidence), FACING, project)
        moved[confidence] = shape.points - REFERENCE_SHAPE
    assert (moved[1.0] != 0).any()
    np.testing.assert_array_equal(moved[0.71], moved[1.0])
    np.testing.assert_allclose(moved[0.5], moved[1.0] / 2)
    assert (moved[0.0] == 0).all()


def test_seeded_walks_repeat_and_others_do_not():
    walks = [AdaptiveShape(seed) for seed in (1, 1, None, None)]
    for walk in walks:
        walk.adapt(landmarks_of(person()), FACING, project)
    a, b, c, d = (walk.points for walk in walks)
    assert (a == b).all() and not (c == d).all()
    assert (AdaptiveShape().points == REFERENCE_SHAPE).all(), "the reference itself is not touched"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 1e30])
def test_landmarks_that_are_none_leave_the_shape_finite(value):
    shape = AdaptiveShape(seed=12)
    for _ in range(5):
        shape.adapt(np.full((68, 3), value), FACING, project)
        shape.adapt(landmarks_of(person()) * (value, 1, 1), RIGHT_SIDE, project)
    assert np.isfinite(shape.points).all()
