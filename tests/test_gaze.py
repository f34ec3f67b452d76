"""The pupils: eye crops and the way back to the frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tiny_models as tiny
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tracking.gaze import GazeModel

wild = st.one_of(
    st.sampled_from([0.0, 1.0, float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 0.5]),
    st.floats(-2, 2, width=32),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> GazeModel:
    files = {"mnv3_gaze32_split_opt.onnx": tiny.gaze_model()}
    return GazeModel(tiny.write(tmp_path_factory.mktemp("models"), files))


def landmarks(right: tuple, left: tuple) -> np.ndarray:
    """66 points of which only the eyes' corners count, given as (x, y) pairs."""
    points = np.zeros((66, 3))
    points[[36, 39], 1::-1] = right
    points[[42, 45], 1::-1] = left
    return points


LEVEL = landmarks(((100, 80), (140, 80)), ((200, 80), (240, 80)))


def apply(transform: np.ndarray | tuple, x: float, y: float) -> np.ndarray:
    return np.asarray(transform) @ (x, y, 1)


def test_crop_of_a_level_eye(model):
    """Half width 1.4 and half height 1.2 times half the distance of 40: 28 by 24 about the middle (120, 80)."""
    transform = model.crop_to_frame(np.array([100.0, 80]), np.array([140.0, 80]), mirrored=False)
    np.testing.assert_allclose(apply(transform, 16, 16), (120, 80))
    np.testing.assert_allclose(apply(transform, 0, 0), (92, 56))
    np.testing.assert_allclose(apply(transform, 32, 32), (148, 104))


def test_a_mirrored_crop_runs_the_other_way(model):
    transform = model.crop_to_frame(np.array([100.0, 80]), np.array([140.0, 80]), mirrored=True)
    np.testing.assert_allclose(apply(transform, 16, 16), (120, 80))
    np.testing.assert_allclose(apply(transform, 0, 0), (148, 56))
    np.testing.assert_allclose(apply(transform, 32, 32), (92, 104))


@settings(max_examples=50, deadline=None)
@given(
    st.floats(-180, 180), st.floats(2, 200), st.tuples(st.floats(-50, 500), st.floats(-50, 500)), st.booleans()
)
def test_corners_lie_level_in_the_crop_however_the_head_leans(model, angle, length, place, mirrored):
    first = np.array(place)
    second = first + length * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    transform = model.crop_to_frame(first, second, mirrored)
    from_frame = cv2.invertAffineTransform(np.array(transform))
    edge = 16 / 1.4
    left, right = (16 + edge, 16 - edge) if mirrored else (16 - edge, 16 + edge)
    np.testing.assert_allclose(apply(from_frame, *first), (left, 16), atol=1e-6)
    np.testing.assert_allclose(apply(from_frame, *second), (right, 16), atol=1e-6)


def test_input_is_normalised_columns_before_rows_and_left_eye_mirrored(model):
    """A frame whose red is the column, green the row and blue 0."""
    columns, rows = np.meshgrid(np.arange(250), np.arange(160))
    frame = np.dstack([np.zeros_like(rows), rows, columns]).astype(np.uint8)
    eyes = [
        model.crop_to_frame(np.array([100.0, 80]), np.array([140.0, 80]), mirrored=False),
        model.crop_to_frame(np.array([180.0, 80]), np.array([220.0, 80]), mirrored=True),
    ]
    tensor = model.prepare(frame, eyes)
    assert tensor.shape == (2, 3, 32, 32) and tensor.dtype == np.float32
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    values = (tensor * std[:, None, None] + mean[:, None, None]) * 255
    centres = np.arange(32) + 0.5
    expected_x = 92 + centres * (56 / 32) - 0.5  # pixel centres
    expected_y = 56 + centres * (48 / 32) - 0.5
    np.testing.assert_allclose(values[0, 0], np.repeat(expected_x[:, None], 32, 1), atol=0.6)
    np.testing.assert_allclose(values[0, 1], np.repeat(expected_y[None], 32, 0), atol=0.6)
    np.testing.assert_allclose(values[1, 0], np.repeat((80 + expected_x)[::-1, None], 32, 1), atol=0.6)
    np.testing.assert_allclose(values[:, 2], 0, atol=1e-3)


def test_pupils_are_mapped_back(model, monkeypatch):
    """Both maps say: cell 2 along x, 5 along y, with offsets of 1.5 and -2 pixels of the crop."""

    def p(pixels: float) -> float:
        return 1 / (1 + np.exp(-pixels * 8 / 32))

    maps = np.zeros((2, 3, 8, 8), np.float32)
    maps[:, 0, 2, 5] = 0.8, 0.6
    maps[:, 1, 2, 5], maps[:, 2, 2, 5] = p(1.5), p(-2)
    monkeypatch.setattr(model, "infer", lambda tensor: maps)
    pupils = model.locate(np.zeros((160, 250, 3), np.uint8), LEVEL)
    x, y = 2 * 4 + 1.5, 5 * 4 - 2
    np.testing.assert_allclose(pupils[0], (56 + y * 48 / 32, 92 + x * 56 / 32, 0.8), rtol=1e-5)
    np.testing.assert_allclose(pupils[1], (56 + y * 48 / 32, 248 - x * 56 / 32, 0.6), rtol=1e-5)


def test_through_the_session(model):
    pupils = model.locate(np.zeros((160, 250, 3), np.uint8), LEVEL)
    np.testing.assert_allclose(pupils, [(80, 120, 0.9), (80, 220, 0.9)], rtol=1e-5)


def test_crops_move_by_parts_of_a_pixel(model):
    """Pupils follow the corners smoothly, which whole-pixel crops would not."""
    moved = LEVEL.copy()
    moved[:, :2] += 0.3
    frame = np.zeros((160, 250, 3), np.uint8)
    shift = model.locate(frame, moved) - model.locate(frame, LEVEL)
    np.testing.assert_allclose(shift[:, :2], 0.3, atol=1e-6)


# Eyes that are none


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf], ids=["zeros", "nan", "infinite"])
def test_eyes_that_are_nowhere_have_no_pupils(model, value):
    assert (model.locate(np.zeros((160, 250, 3), np.uint8), np.full((66, 3), value)) == 0).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("other_corner", [(0, 0), (1e-4, -1e-4)], ids=["a point", "less than a pixel's thousandth"])
@pytest.mark.parametrize("maps", [None, np.nan, np.inf, 1e30])
def test_an_eye_without_extent_has_its_pupil_between_the_corners(model, monkeypatch, other_corner, maps):
    """Whatever the model sees in its crop, which is one pixel; the other eye is as it was."""
    if maps is not None:
        infer = model.infer

        def spoil(tensor):
            found = infer(tensor).copy()
            found[spoilt] = maps
            return found

        monkeypatch.setattr(model, "infer", spoil)
    frame = np.zeros((160, 250, 3), np.uint8)
    for spoilt, corners in enumerate([(100, 80), (200, 80)]):
        points = LEVEL.copy()
        ends = [36, 39] if spoilt == 0 else [42, 45]
        points[ends, 1::-1] = corners, np.add(corners, other_corner)
        pupils = model.locate(frame, points)
        np.testing.assert_allclose(pupils[spoilt], (80, corners[0], 0), atol=1e-4)
        np.testing.assert_allclose(pupils[1 - spoilt], (80, (220, 120)[spoilt], 0.9), rtol=1e-5)


@pytest.mark.parametrize("distance", [-1000, -20, 240, 5000, 1e6, 1e9])
def test_eyes_outside_the_frame(model, distance):
    moved = LEVEL + distance
    assert np.isfinite(model.locate(np.zeros((160, 250, 3), np.uint8), moved)).all()


@pytest.mark.filterwarnings("error")
@settings(max_examples=100, deadline=None)
@given(
    arrays.arrays(np.float64, (66, 3), elements=st.one_of(st.floats(-300, 500), st.sampled_from([0.0, 1e12]))),
    st.sampled_from([(1, 1), (3, 2000), (120, 160)]),
)
def test_any_landmarks_on_any_frame_give_finite_pupils(model, points, size):
    assert np.isfinite(model.locate(np.zeros((*size, 3), np.uint8), points)).all()


@pytest.mark.filterwarnings("error")
@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.float32, (2, 3, 8, 8), elements=wild, fill=wild))
@example(np.full((2, 3, 8, 8), np.nan, np.float32))
@example(np.zeros((2, 3, 8, 8), np.float32))
def test_any_maps_give_pupils_that_are_finite_or_nan_as_a_whole(model, maps):
    answer, model.infer = model.infer, lambda tensor: maps
    try:
        pupils = model.locate(np.zeros((160, 250, 3), np.uint8), LEVEL)
    finally:
        model.infer = answer
    for pupil in pupils:
        assert np.isfinite(pupil).all() or np.isnan(pupil).all()
