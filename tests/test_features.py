"""The original's features: the measures by hand-made points, the range step by step; for both calibrations: freezing,
levels, points that are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tracking.face_shape import REFERENCE_SHAPE
from tracking.features import FEATURE_NAMES, FINE_FEATURES, Features, eye_open
from tracking.features.original import THRESHOLDS, RunningRange, align, folded_angle, measure

AHEAD = np.array([0.0, 0.0, 1.0])

# The folded angle


@pytest.mark.parametrize(
    ("degrees", "folded"),
    [
        (0, 0), (30, 30), (89, 89), (90, 90), (91, 89), (135, 45), (170, 10), (180, 0), (190, -10), (225, -45),
        (269, -89), (270, -90), (271, -89), (300, -60), (315, -45), (350, -10), (359, -1),
    ],
)  # fmt: skip
def test_folded_angle(degrees, folded):
    a = np.array([3.0, -2.0])
    b = a + 2.5 * np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
    # 90 and 270 are the edges of the folding: there the last bit of atan2 decides between two equal results.
    assert folded_angle(a, b) == pytest.approx(folded, abs=1e-6)


def test_folded_angle_by_the_steps_of_its_definition():
    rng = np.random.default_rng(0)
    for a, b in rng.normal(size=(500, 2, 2)):
        theta = math.degrees(math.atan2(b[1] - a[1], b[0] - a[0]))
        theta += 360 if theta < 0 else 0
        if theta >= 90:
            theta = 180 - theta
        if theta <= -90:
            theta = -(theta + 180)
        assert folded_angle(a, b) == pytest.approx(theta)


def test_aligning_turns_about_the_first_point_by_minus_the_folded_angle():
    a, b = np.array([1.0, 1.0]), np.array([2.0, 2.0])  # 45 degrees
    np.testing.assert_allclose(align(np.array([a, b]), a, b), [(1, 1), (1 + math.sqrt(2), 1)])
    # Towards falling x the tilt doubles, as the ranges are used to: from 135 to 90 degrees.
    b = np.array([0.0, 2.0])
    np.testing.assert_allclose(align(np.array([a, b]), a, b), [(1, 1), (1, 1 + math.sqrt(2))], atol=1e-12)


# The measures, on a face whose nx and ny are 1


@pytest.fixture
def face() -> np.ndarray:
    """Points (70, 2) with level brows, closed eyes and a closed mouth."""
    p = np.zeros((70, 2))
    p[[0, 1]], p[[16, 15]] = (0.5, 0), (-0.5, 0)
    p[27:31, 1] = 3, 2, 1, 0
    p[31], p[35] = (0.2, 0), (-0.2, 0)
    p[36], p[39], p[42], p[45] = (0.6, 3), (0.2, 3), (-0.2, 3), (-0.6, 3)
    p[[37, 38]], p[[40, 41]] = (0.4, 3), (0.4, 3)
    p[[43, 44]], p[[46, 47]] = (-0.4, 3), (-0.4, 3)
    for i in range(5):
        p[17 + i], p[22 + i] = (0.7 - 0.1 * i, 4), (-0.3 - 0.1 * i, 4)
    p[58], p[62] = (0.3, -1), (-0.3, -1)
    p[48:58, 1] = p[59:62, 1] = p[63:66, 1] = -1
    return p


def test_a_level_face_measures_what_it_is_made_of(face):
    expected = {
        "eyebrow_updown_l": 1,
        "eyebrow_updown_r": 1,
        "eyebrow_quirk_l": 4.6,  # between x of the fourth point, -0.6, and y of the first, 4: so it is defined
        "eyebrow_quirk_r": 3.6,
        "mouth_corner_inout_l": 0.3,
        "mouth_corner_inout_r": 0.3,
        "mouth_wide": 0.6,
    }
    assert measure(face) == pytest.approx(dict.fromkeys(FEATURE_NAMES, 0) | expected, abs=1e-12)


@pytest.mark.parametrize(
    ("points", "moved", "feature", "value"),
    [
        # Both upper lids up, both lower ones down, one lid alone (half of the mean), upper below lower.
        ([43, 44], (0, 0.2), "eye_l", 0.2),
        ([46, 47], (0, -0.1), "eye_l", 0.1),
        ([43], (0, 0.2), "eye_l", 0.1),
        ([37, 38], (0, 0.2), "eye_r", 0.2),
        ([40], (0, -0.2), "eye_r", 0.1),
        ([37, 38], (0, -0.2), "eye_r", 0.2),
        # The left brow's line from 22 at 180 degrees to 225; the right one's from 17 to 135; an eye's to 135, a fourth.
        ([26], (0, -0.4), "eyebrow_steepness_l", 45),
        ([26], (0, 0.4), "eyebrow_steepness_l", -45),
        ([21], (0, 0.4), "eyebrow_steepness_r", 45),
        ([45], (0, 0.4), "eyebrow_steepness_l", -45 / 4),
        ([39], (0, 0.4), "eyebrow_steepness_r", -45 / 4),
        ([16], (0, -1), "eyebrow_steepness_r", 45 / 4),
        ([35], (0, -0.4), "eyebrow_steepness_l", 45 / 4),
        # The ends of a brow up; one end alone counts half.
        ([22, 26], (0, 0.4), "eyebrow_updown_l", 1.4),
        ([22], (0, 0.4), "eyebrow_updown_l", 1.2),
        ([17, 21], (0, -0.4), "eyebrow_updown_r", 0.6),
        ([24], (0, 7), "eyebrow_quirk_l", 7),
        ([20], (0, -7), "eyebrow_quirk_r", 7),
        ([24], (-4, 0), "eyebrow_quirk_l", 8.5),
        ([26], (-4, 0), "eyebrow_quirk_l", 4.6),
        # The upper lip's middle above a corner.
        ([49, 50, 51], (0, 0.3), "mouth_corner_updown_l", 0.3),
        ([49, 50, 51], (0, 0.3), "mouth_corner_updown_r", 0.3),
        ([62], (0, 0.2), "mouth_corner_updown_l", -0.2),
        ([58], (0, -0.2), "mouth_corner_updown_r", 0.2),
        # A corner moves out; or one of the six middle points moves to a side.
        ([62], (-0.1, 0), "mouth_corner_inout_l", 0.4),
        ([58], (-0.1, 0), "mouth_corner_inout_r", 0.2),
        ([55], (0.6, 0), "mouth_corner_inout_r", 0.2),
        ([55], (0.6, 0), "mouth_corner_inout_l", 0.4),
        ([62], (-0.1, 0), "mouth_wide", 0.7),
        # Inner lips apart.
        ([59, 60, 61], (0, 0.2), "mouth_open", 0.2),
        ([63, 64, 65], (0, -0.3), "mouth_open", 0.3),
        ([60], (0, 0.3), "mouth_open", 0.1),
    ],
)
def test_each_measure_follows_its_points(face, points, moved, feature, value):
    face[points] += moved
    assert measure(face)[feature] == pytest.approx(value)


def test_measures_are_relative_to_the_size_of_face_and_bridge(face):
    rng = np.random.default_rng(0)
    face += rng.normal(0, 0.02, face.shape)
    here = measure(face)
    wide, high = measure(face * (3, 1)), measure(face * (1, 3))
    for name in ("mouth_corner_inout_l", "mouth_corner_inout_r", "mouth_wide"):
        assert wide[name] == pytest.approx(here[name])
    for name in [name for name in FEATURE_NAMES if "updown" in name] + ["mouth_open"]:
        assert high[name] == pytest.approx(here[name])


def test_the_third_coordinate_does_not_matter(face):
    flat = np.column_stack([face, np.zeros(70)])
    deep = np.column_stack([face, np.arange(70.0)])
    assert measure(flat) == measure(deep) == measure(face)


# The range


class Person:
    """Feeds a range and tells positions before smoothing."""

    def __init__(self, threshold: float = 0.15) -> None:
        self.range = RunningRange(threshold)
        self.smoothed = 0.0

    def __call__(self, x: float, learning: bool = True) -> float:
        before, self.smoothed = self.smoothed, self.range.update(x, learning)
        return (self.smoothed - 0.2 * before) / 0.8

    def settle(self, median: float = 1.0, times: int = 21) -> None:
        """So many values that a few others do not move the median."""
        for _ in range(times):
            assert self(median) == pytest.approx(0)


def test_step_1_no_maximum_is_looked_for_before_there_is_a_minimum():
    person = Person()
    person.settle()
    assert person(5.0) == pytest.approx(0)
    assert person(0.86) == pytest.approx(0), "not beyond the threshold"
    assert person.range.minimum is None
    assert person(0.84) == pytest.approx(-1)
    assert person.range.minimum == 0.84
    assert person.range.maximum is None


def test_step_2_below_the_minimum():
    person = Person()
    person.settle()
    person(0.8)
    assert person(0.7) == pytest.approx(-1)
    assert person.range.minimum == 0.7


def test_step_3_then_a_maximum():
    person = Person()
    person.settle()
    person(0.5)
    assert person(0.75) == pytest.approx(0), "between minimum and median nothing counts yet"
    assert person(1.14) == pytest.approx(0)
    assert person.range.maximum is None
    assert person(1.2) == pytest.approx(1)
    assert person.range.maximum == 1.2


def test_step_4_above_the_maximum():
    person = Person()
    person.settle()
    person(0.5)
    person(1.2)
    assert person(1.5) == pytest.approx(1)
    assert person.range.maximum == 1.5


def test_step_5_positions_between_and_extremes_that_creep_to_their_hard_limits():
    person = Person()
    person.settle()
    person(0.5)
    person(2.0)
    # Hard limits: 15 % of the way from the extreme to the median of that moment, 1.
    low, high = 0.5, 2.0
    hard_low, hard_high = 0.5 + 0.15 * 0.5, 2.0 - 0.15 * 1.0
    for x in (0.75, 1.5, 1.0, 0.9, 1.25):
        low += 0.001 * (hard_low - low)
        high += 0.001 * (hard_high - high)
        expected = -(1 - (x - low) / (1 - low)) if x < 1 else (x - 1) / (high - 1)
        assert person(x) == pytest.approx(expected)
        assert (person.range.minimum, person.range.maximum) == (pytest.approx(low), pytest.approx(high))
    for _ in range(20_000):
        person(1.0)
    assert person.range.minimum == pytest.approx(hard_low)
    assert person.range.maximum == pytest.approx(hard_high)


def test_values_are_smoothed():
    running = RunningRange(0.15)
    for _ in range(5):
        assert running.update(1.0) == 0
    assert running.update(0.5) == pytest.approx(0.8 * -1)
    assert running.update(1.0) == pytest.approx(0.2 * -0.8)
    assert running.update(1.0) == pytest.approx(0.2**2 * -0.8)


def test_each_feature_has_its_threshold():
    assert len(FEATURE_NAMES) == len(THRESHOLDS) == 14
    expected = {
        **{name: 0.05 for name in FEATURE_NAMES if "quirk" in name or "steepness" in name},
        **{name: 0.02 for name in ("mouth_corner_inout_l", "mouth_corner_inout_r", "mouth_wide")},
    }
    assert {name: value for name, value in THRESHOLDS.items() if value != 0.15} == expected
    for name, threshold in THRESHOLDS.items():
        person = Person(threshold)
        person.settle()
        assert person(1 - 0.99 * threshold) == pytest.approx(0), name
        assert person(1 - 1.01 * threshold) == pytest.approx(-1), name


@pytest.mark.parametrize("median", [0.0, -1.0])
def test_without_a_positive_median_there_is_no_range(median):
    person = Person()
    person.settle(median)
    for x in (-100.0, 100.0, -0.5, 0.5):
        assert person(x) == pytest.approx(0)
    assert person.range.minimum is person.range.maximum is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=100), st.floats(0.01, 0.5))
def test_any_values_stay_between_minus_one_and_one(values, threshold):
    running = RunningRange(threshold)
    for x in values:
        assert -1 <= running.update(x) <= 1


# The features of a face through time


def points_of(opening: float) -> np.ndarray:
    """The reference shape with eyes and mouth opened by this factor."""
    points = REFERENCE_SHAPE.copy()
    for upper, lower in (([37, 38], [41, 40]), ([43, 44], [47, 46]), ([59, 60, 61], [65, 64, 63])):
        middle = (points[upper, 1] + points[lower, 1]) / 2
        points[upper, 1] = middle + (points[upper, 1] - middle) * opening
        points[lower, 1] = middle + (points[lower, 1] - middle) * opening
    return points


class Known(Features):
    """The features of a face that looks straight ahead, whose points are the same normalised or not."""

    def of(self, points: np.ndarray) -> dict[str, float]:
        return self.update(points, points, AHEAD)


def original(max_updates: float = 0, level: int = 2, **more) -> Known:
    return Known(max_updates, level, calibration="original", **more)


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_names_come_in_the_packets_order():
    assert tuple(original().of(points_of(1))) == FEATURE_NAMES


def test_closing_eyes_opens_and_closes_the_value():
    features = original()
    for _ in range(30):
        opened = eye_open(features.of(points_of(1)))
    assert opened == (1, 1)
    features.of(points_of(0.5))  # the range begins with something below and something above
    features.of(points_of(1.5))
    for _ in range(10):
        closed = eye_open(features.of(points_of(0.1)))
    assert closed == pytest.approx((0, 0), abs=1e-3)
    for _ in range(10):
        half = eye_open(features.of(points_of(0.55)))
    assert half == pytest.approx((0.5, 0.5), abs=0.05)


def test_median_and_range_freeze():
    clock = Clock()
    features = original(max_updates=60, clock=clock)
    for _ in range(20):
        features.of(points_of(1))
    features.of(points_of(0.5))
    features.of(points_of(2))
    ranges = features._ranges
    kept = {name: (r.minimum, r.maximum, r._median.median()) for name, r in ranges.items()}
    clock.now += 59.9
    features.of(points_of(0.4))
    assert ranges["eye_l"].minimum < kept["eye_l"][0], "still learning"
    kept = {name: (r.minimum, r.maximum, r._median.median()) for name, r in ranges.items()}
    clock.now += 0.2
    for opening in [0.01, 5, 0.5] * 50:
        values = features.of(points_of(opening))
        assert all(-1 <= value <= 1 for value in values.values())
    assert {name: (r.minimum, r.maximum, r._median.median()) for name, r in ranges.items()} == kept
    # What lies beyond the range is an extreme all the same.
    for _ in range(5):
        beyond = features.of(points_of(5))
    assert beyond["mouth_open"] == pytest.approx(1, abs=1e-3)


def test_time_counts_from_the_faces_first_value():
    clock = Clock()
    features = original(max_updates=60, clock=clock)
    clock.now += 10_000
    features.of(points_of(1))
    features.of(points_of(0.1))
    assert features._ranges["eye_l"].minimum is not None


def test_zero_never_freezes():
    clock = Clock()
    features = original(max_updates=0, clock=clock)
    features.of(points_of(1))
    clock.now += 1e9
    for _ in range(3):
        features.of(points_of(1))
    features.of(points_of(0.1))
    assert features._ranges["eye_l"].minimum is not None


def test_levels():
    rng = np.random.default_rng(0)
    every, coarse, none = original(level=2), original(level=1), original(level=0)
    for _ in range(100):
        points = points_of(rng.uniform(0.2, 2)) * rng.uniform(0.9, 1.1, (70, 3))
        a, b, c = every.of(points), coarse.of(points), none.of(points)
        assert c == {}
        assert tuple(b) == FEATURE_NAMES
        assert {name: value for name, value in b.items() if name not in FINE_FEATURES} == {
            name: value for name, value in a.items() if name not in FINE_FEATURES
        }
        assert all(b[name] == 0 for name in FINE_FEATURES)
    assert any(a[name] != 0 for name in FINE_FEATURES)
    assert {name.rsplit("_", 1)[0] for name in FINE_FEATURES} == {
        "eyebrow_steepness",
        "eyebrow_quirk",
        "mouth_corner_inout",
    }


def test_eyes_are_unknown_without_features():
    assert eye_open({}) is None


@pytest.mark.parametrize(
    ("right", "left", "opened"), [(0, 0, (1, 1)), (-1, 0, (0, 1)), (0.7, -0.25, (1, 0.75)), (-3, 3, (0, 1))]
)
def test_eyes_are_open_by_what_is_not_closed(right, left, opened):
    assert eye_open({"eye_r": right, "eye_l": left}) == pytest.approx(opened)


def test_memory_is_bounded():
    """Medians of an hour at 60 frames a second hold a few hundred numbers each."""
    running = RunningRange(0.15)
    for i in range(216_000):
        running._median + (i * 7919 % 216_000)
    assert sum(map(len, running._median._buffers)) < 200


coordinate = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, float("nan"), float("inf"), -float("inf")]), st.floats(-2, 2)
)


@settings(max_examples=200, deadline=None)
@given(arrays.arrays(np.float64, (70, 3), elements=coordinate, fill=coordinate))
def test_points_that_are_none_are_refused_and_leave_no_trace(points):
    features = original()
    features.of(points_of(1))
    with np.errstate(all="ignore"):
        try:
            values = features.of(points)
        except ValueError:
            pass
        else:
            assert all(-1 <= value <= 1 for value in values.values())
    assert all(-1 <= value <= 1 for value in features.of(points_of(1)).values())
