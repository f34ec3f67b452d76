"""The balanced calibration: what each raw value follows, ranges that begin as everybody's and become the person's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from test_features import AHEAD, Clock, Known, points_of

from tracking import pose
from tracking.face_shape import REFERENCE_SHAPE
from tracking.features import FEATURE_NAMES, FINE_FEATURES, eye_open, original
from tracking.features.balanced import PRIORS, TURN, direction_to_camera, make_range, measure
from tracking.features.person import FORGOTTEN
from tracking.features.ranges import LEAST, MOST, PersonalRange, Prior

SECOND = 30  # frames


def moved(points: list[int], by: tuple[float, float]) -> np.ndarray:
    """The reference shape with some points elsewhere."""
    face = REFERENCE_SHAPE.copy()
    face[points, :2] += by
    return face


# The measures


@pytest.mark.parametrize(
    ("points", "by", "feature"),
    [
        ([43, 44], (0, 0.02), "eye_l"),
        ([37, 38], (0, 0.02), "eye_r"),
        ([47, 46], (0, -0.02), "eye_l"),
        ([22, 23, 24, 25, 26], (0, 0.03), "eyebrow_updown_l"),
        ([17, 18, 19, 20, 21], (0, 0.03), "eyebrow_updown_r"),
        ([22], (0, 0.03), "eyebrow_steepness_l"),
        ([26], (0, -0.03), "eyebrow_steepness_l"),
        ([21], (0, 0.03), "eyebrow_steepness_r"),
        ([17], (0, -0.03), "eyebrow_steepness_r"),
        ([62], (0, -0.03), "mouth_corner_updown_l"),
        ([58], (0, -0.03), "mouth_corner_updown_r"),
        ([62], (-0.03, 0), "mouth_corner_inout_l"),
        ([58], (0.03, 0), "mouth_corner_inout_r"),
        ([63, 64, 65], (0, -0.1), "mouth_open"),
        ([62], (-0.03, 0), "mouth_wide"),
        ([58], (0.03, 0), "mouth_wide"),
    ],
)
def test_each_value_rises_where_the_originals_does(points, by, feature):
    face = moved(points, by)
    assert measure(face, AHEAD)[feature] > measure(REFERENCE_SHAPE, AHEAD)[feature] + 1e-3
    assert original.measure(face)[feature] > original.measure(REFERENCE_SHAPE)[feature] + 1e-3


@pytest.mark.parametrize(("arch", "feature"), [([23, 24, 25], "eyebrow_quirk_l"), ([18, 19, 20], "eyebrow_quirk_r")])
def test_quirk_is_the_arch_of_a_brow(arch, feature):
    assert measure(moved(arch, (0, 0.03)), AHEAD)[feature] > measure(REFERENCE_SHAPE, AHEAD)[feature] + 0.02


def test_one_side_does_not_move_the_other():
    here, there = measure(REFERENCE_SHAPE, AHEAD), measure(moved([22, 23, 24, 25, 26, 62], (0, 0.03)), AHEAD)
    for name in FEATURE_NAMES:
        if name.endswith("_r"):
            assert there[name] == pytest.approx(here[name]), name


def test_a_mirrored_face_has_mirrored_values():
    rng = np.random.default_rng(0)
    face = REFERENCE_SHAPE + rng.normal(0, 0.01, (70, 3))
    order = [
        *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37,
        36, 41, 40, *range(52, 47, -1), *range(57, 52, -1), 62, 61, 60, 59, 58, 65, 64, 63, 67, 66, 69, 68,
    ]  # fmt: skip
    here, there = measure(face, (0.3, 0.1, 1)), measure(face[order] * (-1, 1, 1), (-0.3, 0.1, 1))
    other = {"_l": "_r", "_r": "_l"}
    for name in FEATURE_NAMES:
        assert there[name[:-2] + other.get(name[-2:], name[-2:])] == pytest.approx(here[name]), name


def test_size_and_place_do_not_matter():
    assert measure(REFERENCE_SHAPE * 3 + (1, -2, 5), AHEAD) == pytest.approx(measure(REFERENCE_SHAPE, AHEAD))


def test_lids_that_shut_do_not_raise_the_brow_as_much_as_the_eyes_corners_sink():
    shut = REFERENCE_SHAPE.copy()
    shut[[43, 44, 46, 47], 1] = REFERENCE_SHAPE[[42, 45], 1].mean()
    assert measure(shut, AHEAD)["eyebrow_updown_l"] == measure(REFERENCE_SHAPE, AHEAD)["eyebrow_updown_l"] - 0.02


def test_a_turn_is_taken_out_up_to_40_degrees():
    ahead, there, further = (measure(REFERENCE_SHAPE, (math.sin(angle), 0, math.cos(angle))) for angle in (0, 0.7, 1.5))
    assert there == further
    a, b, _, _ = TURN["eyebrow_updown"]
    assert there["eyebrow_updown_l"] == pytest.approx(ahead["eyebrow_updown_l"] - 0.7 * a - 0.49 * b)
    assert there["eyebrow_updown_r"] == pytest.approx(ahead["eyebrow_updown_r"] + 0.7 * a - 0.49 * b)


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (480, 640), (512, 512)])
@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (25, 0), (-25, 0), (0, 15), (0, -15)])
def test_the_camera_is_where_a_face_in_the_middle_of_the_picture_does_not_look(size, yaw, pitch):
    width, height = size
    y, p = np.radians([yaw, pitch])
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]])
    # Seen from afar: x to the image's left for somebody who looks at us, y up.
    seen = 0.1 * width * ((REFERENCE_SHAPE[:68] - REFERENCE_SHAPE[27]) @ about_x.T @ about_y.T)
    landmarks = np.ones((68, 3))
    landmarks[:, 0], landmarks[:, 1] = height / 2 - seen[:, 1], width / 2 - seen[:, 0]
    solved = pose.solve(REFERENCE_SHAPE, landmarks, width, height)
    assert solved is not None
    aside, up, ahead = direction_to_camera(solved.matrix, width, height)
    # Turned towards its right (x), it has the camera at its left; looking up, below.
    assert math.degrees(math.atan2(aside, ahead)) == pytest.approx(-yaw, abs=6)
    assert math.degrees(math.atan2(up, ahead)) == pytest.approx(-pitch, abs=6)


# Ranges


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_everybodys_range(name):
    prior = PRIORS[name.removesuffix("_l").removesuffix("_r")]
    for x, value in ((prior.usual, 0), (prior.usual + 9, 1), (prior.usual - 9, -1)):
        position = make_range(name).update(x, learning=False)
        assert position == pytest.approx(0.8 * value)


def test_a_person_becomes_the_usual_in_a_third_of_a_second():
    person = PersonalRange(Prior(1.0, 0.5, 0.5))
    for _ in range(10):
        person.update(1.3)
    assert person.usual == pytest.approx(1.25, abs=0.01)


def test_a_long_smile_does_not_become_the_usual_mouth():
    person = PersonalRange(Prior(1.0, 0.5, 0.5))
    for _ in range(SECOND):
        person.update(1.0)
    smiling = [person.update(1.5) for _ in range(5 * SECOND)]
    assert smiling[1] > 0.9 and smiling[-1] > 0.7


def test_a_bad_frame_changes_next_to_nothing():
    person, other = PersonalRange(Prior(1.0, 0.5, 0.5)), PersonalRange(Prior(1.0, 0.5, 0.5))
    for _ in range(SECOND):
        person.update(1.1)
        other.update(1.1)
    person.update(1e9)
    for _ in range(5):
        after, without = person.update(1.35), other.update(1.35)
    assert after == pytest.approx(without, abs=0.05)


def test_the_range_grows_to_what_a_person_does_and_shrinks_to_what_is_left_of_it():
    person = PersonalRange(Prior(0.0, 1.0, 1.0))
    for _ in range(SECOND):
        person.update(0.0)
    for _ in range(20):
        for _ in range(5):
            person.update(2.0)
        for _ in range(20):
            person.update(0.0)
    assert 1.5 < person.up <= 2.01 and person.down == pytest.approx(1, abs=0.1)
    for _ in range(20 * 60 * SECOND):
        person.update(0.0)
    assert person.up == pytest.approx(LEAST, abs=0.01)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=300), st.sampled_from(FEATURE_NAMES))
def test_any_values_stay_between_minus_one_and_one(values, name):
    person = make_range(name)
    for x in values:
        assert -1 <= person.update(x) <= 1
        assert LEAST * person.prior.up <= person.up <= MOST * person.prior.up
        assert person.down > 0 and math.isfinite(person.usual)


def test_a_noisy_still_face_stays_still_for_long():
    rng = np.random.default_rng(0)
    for name in FEATURE_NAMES:
        person = make_range(name)
        usual, noise = person.prior.usual, 0.02 * min(person.prior.up, person.prior.down)
        values = [person.update(x) for x in (usual + noise * rng.standard_normal(1000 * SECOND)).tolist()]
        assert np.std(values[-1000:]) < 0.06, name
        assert abs(np.mean(values[-1000:])) < 0.1, name


# A face through time


def balanced(**more) -> Known:
    return Known(calibration="balanced", **more)


@pytest.mark.parametrize("openness", [0.6, 0.8, 1.0, 1.3, 1.6])
@pytest.mark.parametrize("before", [1, 10, 25])
def test_the_first_blink_closes_eyes_that_never_opened_wider(openness, before):
    features = balanced()
    for _ in range(before):
        features.of(points_of(openness))
    for _ in range(2):
        closed = eye_open(features.of(points_of(0.1)))
    assert closed is not None and max(closed) < 0.3


def test_eyes_that_begin_shut_are_shut():
    assert max(eye_open(balanced().of(points_of(0.1)))) < 0.3


def test_a_wink_closes_one_eye():
    features = balanced()
    for _ in range(10):
        features.of(points_of(1))
    winking = points_of(1)
    winking[36:42] = points_of(0.1)[36:42]
    for _ in range(2):
        right, left = eye_open(features.of(winking))
    assert right < 0.3 and left > 0.7


def test_narrow_eyes_are_open_after_a_few_seconds():
    features = balanced()
    for _ in range(4 * SECOND):
        opened = eye_open(features.of(points_of(0.55)))
    assert min(opened) > 0.7


def test_eyes_that_are_shut_for_long_stay_shut():
    features = balanced()
    for _ in range(SECOND):
        features.of(points_of(1))
    for _ in range(60 * SECOND):
        closed = eye_open(features.of(points_of(0.15)))
    assert max(closed) < 0.1
    for _ in range(3):
        opened = eye_open(features.of(points_of(1)))
    assert min(opened) > 0.8


def test_a_shut_mouth_is_shut_and_an_open_one_open():
    features = balanced()
    values = [features.of(points_of(0.05))["mouth_open"] for _ in range(SECOND)]
    assert max(map(abs, values)) < 0.2
    for _ in range(2):
        opened = features.of(moved([63, 64, 65], (0, -0.15)))["mouth_open"]
    assert opened > 0.6


def test_levels():
    rng = np.random.default_rng(0)
    every, coarse = balanced(level=2), balanced(level=1)
    assert balanced(level=0).of(points_of(1)) == {}
    for _ in range(50):
        points = points_of(rng.uniform(0.2, 2)) * rng.uniform(0.9, 1.1, (70, 3))
        a, b = every.of(points), coarse.of(points)
        assert tuple(a) == tuple(b) == FEATURE_NAMES
        assert all(b[name] == (0 if name in FINE_FEATURES else a[name]) for name in FEATURE_NAMES)
    assert all(a[name] != 0 for name in FINE_FEATURES)


def test_ranges_freeze():
    clock = Clock()
    features = balanced(max_updates=60, clock=clock)
    for _ in range(20):
        clock.now += 1
        features.of(points_of(1))

    def state() -> list[tuple[float, ...]]:
        return [(r.usual, r.down, r.up) for r in features._ranges.values()]

    learned = state()
    for opening in [0.01, 5, 0.5, 1.7] * 20:
        clock.now += 1
        features.of(points_of(opening))
        assert clock.now <= 1060 or state() == learned
        learned = state()
    assert clock.now > 1060


def test_who_comes_back_late_may_be_somebody_else():
    clock = Clock()
    features, kept = balanced(clock=clock), Known(calibration="original", clock=clock)
    for _ in range(300):
        features.of(points_of(1.6))
        kept.of(points_of(1.6))
    clock.now += FORGOTTEN - 0.1
    still = features.of(points_of(1.0))
    clock.now += FORGOTTEN + 0.1
    anew = features.of(points_of(1.0))
    assert anew == balanced().of(points_of(1.0)) != still
    kept.of(points_of(1.0))
    learned = original.measure(points_of(1.6))["eye_l"]
    assert kept._ranges["eye_l"]._median.median() == pytest.approx(learned), "the original keeps it"


coordinate = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, float("nan"), float("inf"), -float("inf")]), st.floats(-2, 2)
)


@settings(max_examples=200, deadline=None)
@given(
    arrays.arrays(np.float64, (70, 3), elements=coordinate, fill=coordinate),
    arrays.arrays(np.float64, 3, elements=coordinate),
)
def test_points_that_are_none_are_refused_and_leave_no_trace(points, camera):
    features = balanced()
    features.of(points_of(1))
    try:
        values = features.update(points, points, camera)
    except ValueError:
        pass
    else:
        assert all(-1 <= value <= 1 for value in values.values())
    assert all(-1 <= value <= 1 for value in features.of(points_of(1)).values())


def test_an_unknown_calibration_is_refused():
    with pytest.raises(ValueError, match="no feature calibration x; there are balanced, original"):
        Known(calibration="x")


def test_a_face_that_looks_straight_at_the_camera():
    matrix = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])
    np.testing.assert_allclose(direction_to_camera(matrix, 512, 512), AHEAD, atol=1e-12)
