"""From a box to 66 points: the crop, the maps, the way back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import cv2
import numpy as np
import pytest
import tiny_models as tiny
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tracking.crops import MapDecoder, logit, normalize_into
from tracking.landmarks import SPREAD_30_POINTS, Crop, LandmarkModel
from tracking.models import available_landmark_models, default_model_dir
from tracking.providers import FallbackSession

wild = st.one_of(
    st.sampled_from([0.0, 1.0, float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 0.5, 1e-9]),
    st.floats(-2, 2, width=32),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    files = {
        "lm_model3_opt.onnx": tiny.landmark_model(np.zeros((1, 198, 28, 28)), 224),
        "lm_modelV_opt.onnx": tiny.landmark_model(np.zeros((1, 198, 14, 14)), 112),
        "lm_modelU_opt.onnx": tiny.landmark_model(np.zeros((1, 198, 14, 14)), 112),
        "lm_modelT_opt.onnx": tiny.landmark_model(np.zeros((1, 90, 7, 7)), 56),
    }
    return tiny.write(tmp_path_factory.mktemp("models"), files)


@pytest.fixture(scope="module", params=[3, -2, -3, -1])
def model(request, folder) -> LandmarkModel:
    return LandmarkModel(request.param, folder)


@pytest.fixture(scope="module")
def big(folder) -> LandmarkModel:
    return LandmarkModel(3, folder)


@pytest.fixture(scope="module")
def smallest(folder) -> LandmarkModel:
    return LandmarkModel(-1, folder)


def picture(height: int = 300, width: int = 400) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def whole(model: LandmarkModel, x: int = 0, y: int = 0, width: int | None = None, height: int | None = None) -> Crop:
    side = model.spec.side
    return Crop(np.zeros((1, 3, side, side), np.float32), x, y, width or side, height or side, False)


def points_of(model: LandmarkModel, seed: int = 0) -> np.ndarray:
    """Points (K, 3) inside the model's input."""
    rng = np.random.default_rng(seed)
    count, side = model.spec.points, model.spec.side
    return np.column_stack([rng.uniform(0.05 * side, 0.95 * side, (count, 2)), rng.uniform(0.7, 1, count)])


def maps_of(model: LandmarkModel, points: np.ndarray) -> np.ndarray:
    return tiny.landmark_maps(points, model.spec.side, model.spec.map_side, model.spec.logit_factor)[0]


# The crop


def test_input_is_normalised_rgb(model):
    frame = picture()
    side = model.spec.side
    crop = model.prepare(frame, (100.0, 80.0, 100.0, 80.0))
    # 10 pixels at both sides, 10 above and below; rows are rounded up, columns down.
    assert (crop.x, crop.y, crop.width, crop.height) == (90, 71, 120, 100)
    part = cv2.resize(frame[71:171, 90:210], (side, side), interpolation=cv2.INTER_LINEAR)[:, :, ::-1]
    expected = (part / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    assert crop.tensor.shape == (1, 3, side, side) and crop.tensor.dtype == np.float32
    np.testing.assert_allclose(crop.tensor[0], expected.transpose(2, 0, 1), atol=1e-5)


def test_normalising_is_the_plain_formula_for_every_value():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    tensor = np.empty((3, 16, 16), np.float32)
    normalize_into(image, tensor)
    for channel, (mean, std) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        expected = (np.arange(256) / 255 - mean) / std
        np.testing.assert_allclose(tensor[channel].ravel(), expected, atol=1e-6)


def test_channels_are_swapped_to_rgb():
    image = np.zeros((2, 2, 3), np.uint8)
    image[..., 2] = 255  # red, as the last of B, G, R
    tensor = np.empty((3, 2, 2), np.float32)
    normalize_into(image, tensor)
    assert tensor[0].min() > 2 and tensor[1:].max() < 0


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((100, 80, 100, 80), (90, 71, 120, 100)),
        ((-50, -40, 100, 80), (0, 0, 60, 51)),
        ((350, 260, 100, 80), (340, 251, 60, 49)),
        ((-1000, -1000, 5000, 5000), (0, 0, 400, 300)),
        ((0, 0, 400, 300), (0, 0, 400, 300)),
        ((200.9, 100.9, 10.5, 10.5), (199, 100, 13, 13)),
    ],
)
def test_boxes_grow_and_are_cut_to_the_frame(big, box, expected):
    crop = big.prepare(picture(), tuple(map(float, box)))
    assert (crop.x, crop.y, crop.width, crop.height) == expected


@pytest.mark.parametrize(
    ("box", "taken"),
    [
        ((100, 100, 4, 4), True),
        ((100, 100, 3, 3), False),
        ((100, 100, 3, 100), False),
        ((100, 100, 100, 3), False),
        ((100, 100, 0, 0), False),
        ((100, 100, -50, -50), False),
        ((-100, 10, 50, 50), False),
        ((410, 10, 50, 50), False),
        ((10, -200, 50, 50), False),
        ((10, 310, 50, 50), False),
        ((397, 100, 100, 100), True),
        ((float("nan"), 0, 10, 10), False),
        ((0, float("inf"), 10, 10), False),
        ((0, 0, float("inf"), 10), False),
    ],
)
def test_crops_below_four_pixels_are_not_looked_at(big, box, taken):
    assert (big.prepare(picture(), tuple(map(float, box))) is not None) == taken


def test_a_crop_remembers_whether_it_was_held(big):
    assert big.prepare(picture(), (10.0, 10.0, 50.0, 50.0), held=True).held
    assert not big.prepare(picture(), (10.0, 10.0, 50.0, 50.0)).held


def test_every_thread_has_a_crop_of_its_own(big):
    """And the next crop of the same thread takes its place."""
    dark, bright = np.zeros((300, 400, 3), np.uint8), np.full((300, 400, 3), 255, np.uint8)
    box = (100.0, 100.0, 50.0, 50.0)
    first = big.prepare(dark, box)
    with ThreadPoolExecutor(1) as other:
        second = other.submit(big.prepare, bright, box).result()
    assert first.tensor.max() < 0 < second.tensor.min()
    assert big.prepare(bright, box).tensor is first.tensor
    assert (first.tensor == second.tensor).all()


coordinate = st.one_of(
    st.floats(-2000, 2000), st.sampled_from([0.0, 1e9, -1e9, 1e300, -1e300, 1.7e308, float("nan"), float("inf")])
)


@pytest.mark.filterwarnings("error")
@settings(max_examples=200, deadline=None)
@given(
    st.tuples(coordinate, coordinate, coordinate, coordinate),
    st.sampled_from([(1, 1), (3, 2000), (2000, 3), (4, 4), (48, 64)]),
)
def test_any_box_on_any_frame_gives_a_crop_inside_or_none(smallest, box, size):
    frame = np.zeros((*size, 3), np.uint8)
    crop = smallest.prepare(frame, box)
    if crop is not None:
        assert crop.x >= 0 and crop.y >= 0
        assert crop.x + crop.width <= size[1] and crop.y + crop.height <= size[0]
        assert crop.width >= 4 and crop.height >= 4
        assert np.isfinite(crop.tensor).all()


# The maps


def test_points_come_back_from_their_maps(model):
    points = points_of(model)
    confidence, found = model.decode(maps_of(model, points), whole(model))
    expected = points if model.spec.points == 66 else points[SPREAD_30_POINTS]
    np.testing.assert_allclose(found[:, :2], expected[:, :2] * model.spec.side / model.spec.side, atol=1e-3)
    np.testing.assert_allclose(found[:, 2], expected[:, 2], atol=1e-6)
    assert confidence == pytest.approx(points[:, 2].mean())


def test_points_are_scaled_to_the_frame(model):
    side = model.spec.side
    points = points_of(model)
    _, here = model.decode(maps_of(model, points), whole(model))
    _, there = model.decode(maps_of(model, points), whole(model, x=30, y=70, width=2 * side, height=side // 2))
    np.testing.assert_allclose(there[:, 0], 70 + here[:, 0] / 2)
    np.testing.assert_allclose(there[:, 1], 30 + here[:, 1] * 2)


@pytest.mark.parametrize("p", [0.0, 1e-7, 0.01, 0.3, 0.5, 0.9, 1.0, -5.0, 7.0])
def test_offsets_are_logits_clipped(big, p):
    """By hand: cell (3, 5) of a 28-cell map of a 224-pixel input."""
    maps = np.zeros((198, 28, 28), np.float32)
    maps[:66, 3, 5] = 0.9
    maps[66:132, 3, 5] = p
    maps[132:, 3, 5] = 0.5
    clipped = np.clip(np.float32(p), 1e-7, 1 - 1e-7)
    offset = 223 * np.log(clipped / (1 - clipped)) / 16
    _, points = big.decode(maps, whole(big))
    np.testing.assert_allclose(points[:, 0], 223 * 3 / 27 + offset, rtol=1e-4)
    np.testing.assert_allclose(points[:, 1], 223 * 5 / 27, rtol=1e-5)


def test_logit_is_the_inverse_of_the_logistic_function():
    x = np.linspace(-15, 15, 101)
    np.testing.assert_allclose(logit(1 / (1 + np.exp(-x))), x, atol=1e-6)
    assert np.isfinite(logit(np.array([-np.inf, -1, 0, 1, 2, np.inf], np.float32))).all()


def test_the_first_of_equal_maxima_counts():
    maps = np.full((3, 4, 4), 0.5, np.float32)
    assert MapDecoder(1, 1, [0, 10, 20, 30], 1.0).decode(maps).tolist() == [[0], [0], [0.5]]


def test_several_pictures_of_several_points_each():
    """Cells are counted along the second axis first; the maps of one kind follow each other in each picture."""
    maps = np.full((2, 6, 3, 3), 0.5, np.float32)
    cells = [(0, 1), (2, 0), (1, 2), (2, 2)]
    for number, cell in enumerate(cells):
        maps[number // 2, number % 2][cell] = 0.6 + number / 10
        maps[number // 2, 2 + number % 2][cell] = 1 / (1 + np.exp(-number))  # an offset along the first axis alone
    rows, columns, confidences = MapDecoder(2, 2, [0, 10, 20], 0.1).decode(maps)
    np.testing.assert_allclose(rows, [10 * row + 0.1 * number for number, (row, _) in enumerate(cells)], atol=1e-6)
    np.testing.assert_allclose(columns, [10 * column for _, column in cells], atol=1e-6)
    np.testing.assert_allclose(confidences, [0.6, 0.7, 0.8, 0.9], atol=1e-6)


# The smallest model


def test_thirty_points_stand_for_66():
    """The table, written out a second time from the models' description."""
    table = (
        "0 0 1 1 1 2 2 2 3 3 3 4 4 4 5 5 6 7 7 8 8 9 10 10 11 11 12 21 21 21 22 23 23 23 23 23 13 14 14 15 16 16 17 "
        "18 18 19 20 20 24 25 25 25 26 26 27 27 27 24 24 28 28 28 26 29 29 29"
    )
    assert SPREAD_30_POINTS.tolist() == [int(number) for number in table.split()]
    assert set(SPREAD_30_POINTS) == set(range(30))


@pytest.mark.parametrize(
    ("weak", "expected"),
    [
        ((0.9, 0.9, 0.9), 0.9),
        ((0.7, 0.7, 0.7), (27 * 0.9 + 3 * 0.7) / 30),
        ((0.64, 0.66, 0.66), (27 * 0.9 + 0.64 + 0.66 + 0.66) / 30),  # their mean is not below 0.65
        ((0.6, 0.6, 0.6), 0.6),
        ((0.1, 0.2, 0.3), 0.2),
        ((0.0, 0.9, 0.9), 0.6),
    ],
)
def test_confidence_of_the_smallest_model_is_that_of_its_weakest_points(smallest, weak, expected):
    points = points_of(smallest)
    points[:, 2] = 0.9
    points[[6, 9, 12], 2] = weak  # each stands for one point of the 66
    confidence, _ = smallest.decode(maps_of(smallest, points), whole(smallest))
    assert confidence == pytest.approx(expected, abs=1e-6)


# Maps that are none


@pytest.mark.filterwarnings("error")
@settings(max_examples=100, deadline=None)
@given(arrays.arrays(np.float32, (90, 7, 7), elements=wild, fill=wild))
@example(np.zeros((90, 7, 7), np.float32))
@example(np.ones((90, 7, 7), np.float32))
@example(np.full((90, 7, 7), np.nan, np.float32))
@example(np.full((90, 7, 7), np.inf, np.float32))
@example(np.full((90, 7, 7), -np.inf, np.float32))
def test_any_maps_give_finite_points(smallest, maps):
    confidence, points = smallest.decode(maps, whole(smallest, 5, 6, 40, 50))
    assert points.shape == (66, 3)
    assert np.isfinite(confidence) and np.isfinite(points).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("plane", [0, 66, 132], ids=["heatmap", "row offset", "column offset"])
def test_one_point_that_is_not_finite_makes_it_no_face(big, plane, value):
    maps = maps_of(big, points_of(big))
    cell = np.unravel_index(maps[20].argmax(), (28, 28))
    maps[plane + 20][cell] = value
    confidence, _ = big.decode(maps, whole(big))
    if plane and value == np.inf:  # an infinite offset map is as good as 1
        assert confidence > 0.5
    else:
        assert confidence == 0


def test_session_and_decoding_together(tmp_path):
    rng = np.random.default_rng(3)
    points = np.column_stack([rng.uniform(20, 90, (66, 2)), np.full(66, 0.95)])
    content = tiny.landmark_model(tiny.landmark_maps(points, 112, 14), 112)
    model = LandmarkModel(-3, tiny.write(tmp_path, {"lm_modelU_opt.onnx": content}))
    crop = model.prepare(picture(), (100.0, 80.0, 100.0, 80.0))
    confidence, found = model.decode(model.infer(crop), crop)
    assert confidence == pytest.approx(0.95)
    np.testing.assert_allclose(found[:, 0], 71 + points[:, 0] * 100 / 112, atol=1e-3)
    np.testing.assert_allclose(found[:, 1], 90 + points[:, 1] * 120 / 112, atol=1e-3)


# Models that draw what they are asked for


@pytest.mark.parametrize("number", available_landmark_models(default_model_dir()))
def test_our_own_models_draw_their_corners_for_us_and_all_for_others(number):
    """And the points are the same."""
    model = LandmarkModel(number, default_model_dir())
    crop = model.prepare(picture(), (100.0, 80.0, 100.0, 80.0))
    maps = model.infer(crop)
    assert maps.shape == (3 * model.spec.points, 2, 2)
    confidence, points = model.decode(maps, crop)

    with patch("tracking.models.cpu_session", lambda *_: FallbackSession(model._session, None, None)):
        other = LandmarkModel(number, default_model_dir())  # as on a graphics card
    maps = other.infer(crop)
    assert maps.shape == (3 * model.spec.points, model.spec.map_side, model.spec.map_side)
    expected, all_points = other.decode(maps, crop)
    assert confidence == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(points[:, :2], all_points[:, :2], atol=0.005)
    np.testing.assert_allclose(points[:, 2], all_points[:, 2], atol=1e-6)
