"""Which results are the same face, and which slot follows which."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.faces import HELD_FACE_BONUS, SAME_FACE_IOU, Detection, assign, bounding_box, group, iou

coordinates = st.floats(-500, 500)
sizes = st.floats(0, 300)
boxes = st.tuples(coordinates, coordinates, sizes, sizes)


def detection(x: float, y: float, size: float = 100, conf: float = 0.9, held: bool = False) -> Detection:
    """Landmarks that fill a square box (and pupils far from it, which do not count)."""
    lms = np.zeros((68, 3))
    lms[:66, 0] = np.linspace(y, y + size, 66)
    lms[:66, 1] = np.linspace(x, x + size, 66)
    lms[66:, :2] = -9999
    return Detection(conf, lms, held)


# Boxes


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1),
        ((0, 0, 10, 10), (5, 0, 10, 10), 50 / 150),
        ((0, 0, 10, 10), (5, 5, 10, 10), 25 / 175),
        ((0, 0, 10, 10), (2, 2, 5, 5), 25 / 100),
        ((0, 0, 10, 10), (10, 0, 10, 10), 0),
        ((0, 0, 10, 10), (20, 20, 5, 5), 0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0),
        ((0, 0, 10, 10), (5, 5, 0, 0), 0),
    ],
)
def test_intersection_over_union(a, b, expected):
    assert iou(a, b) == pytest.approx(expected)


@settings(deadline=None)
@given(boxes, boxes)
def test_intersection_over_union_is_symmetric_and_a_share(a, b):
    assert 0 <= iou(a, b) <= 1 + 1e-9
    assert iou(a, b) == pytest.approx(iou(b, a))


def test_bounding_box_has_columns_first():
    assert bounding_box(np.array([[10.0, 200, 1], [30, 250, 1], [20, 220, 1]])) == (200, 10, 50, 20)
    assert detection(7, 9, 30).bbox == pytest.approx((7, 9, 30, 30))
    assert detection(0, 50, 100).centre == pytest.approx((100, 50))


# Grouping


def test_of_overlapping_results_the_surest_is_kept():
    a, b, c = detection(0, 0, conf=0.7), detection(10, 0, conf=0.9), detection(300, 0, conf=0.65)
    assert group([a, b, c]) == [b, c]
    assert group([]) == []


def test_a_held_face_wins_by_a_bonus_of_a_tenth():
    held = detection(0, 0, conf=0.80, held=True)
    assert group([detection(5, 0, conf=0.89), held]) == [held]
    better = detection(5, 0, conf=0.91)
    assert group([better, held]) == [better]
    assert HELD_FACE_BONUS == 0.1
    assert held.conf == 0.80, "the bonus is for the contest only"


def test_overlap_counts_from_three_tenths_on():
    assert SAME_FACE_IOU == 0.3
    for shift in (30, 50, 53, 54, 55, 60):  # iou = (100 - shift) / (100 + shift); 0.3 at 53.8
        pair = [detection(0, 0, conf=0.9), detection(shift, 0, conf=0.8)]
        assert len(group(pair)) == (1 if (100 - shift) / (100 + shift) >= 0.3 else 2)


def test_a_chain_of_overlaps_is_not_one_face():
    left, middle, right = (detection(x, 0, conf=c) for x, c in ((0, 0.9), (60, 0.7), (120, 0.8)))
    bridged = [detection(0, 0, conf=0.9), detection(50, 0, conf=0.7), detection(100, 0, conf=0.8)]
    assert group([left, middle, right]) == [left, right, middle]  # none overlaps by three tenths
    assert [found.conf for found in group(bridged)] == [0.9, 0.8]  # the middle one overlaps both


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(coordinates, coordinates, st.floats(5, 200), st.floats(0, 1), st.booleans()), max_size=8))
def test_grouped_results_do_not_overlap_and_every_other_result_overlaps_one(found):
    detections = [detection(*values) for values in found]
    kept = group(detections)
    assert all(any(d is k for d in detections) for k in kept)
    for i, a in enumerate(kept):
        for b in kept[i + 1 :]:
            assert iou(a.bbox, b.bbox) < SAME_FACE_IOU
    for d in detections:
        if not any(d is k for k in kept):
            assert any(iou(d.bbox, k.bbox) >= SAME_FACE_IOU for k in kept)


# Slots


def centres_of(*points: tuple[float, float] | None) -> list[np.ndarray | None]:
    """Row and column of slots' last centres, from column and row."""
    return [None if point is None else np.array([point[1], point[0]], dtype=float) for point in points]


def test_new_faces_fill_slots_in_order():
    a, b = detection(300, 0), detection(0, 0)
    assert assign(centres_of(None, None, None), [a, b]) == {0: a, 1: b}


def test_a_face_goes_to_the_nearest_slot():
    near_second = detection(290, 0)
    assert assign(centres_of((50, 50), (350, 50)), [near_second]) == {1: near_second}


def test_a_used_slot_is_nearer_than_one_that_was_never_used():
    found = detection(0, 0)
    assert assign(centres_of(None, (900, 900)), [found]) == {1: found}


def test_when_one_leaves_the_other_keeps_its_slot():
    stays = detection(305, 0)
    assert assign(centres_of((50, 50), (350, 50)), [stays]) == {1: stays}


def test_slots_are_kept_when_two_people_pass_each_other():
    """One walks before the other; in every step each is nearer to where it was."""
    centres = centres_of(None, None)
    for step in range(0, 401, 10):
        walker, sitter = detection(step, 0, conf=0.8), detection(200, 130, conf=0.9)
        order = [walker, sitter] if step % 20 else [sitter, walker]
        if step == 0:
            order = [walker, sitter]
        assigned = assign(centres, order)
        assert assigned[0] is walker and assigned[1] is sitter
        centres = [assigned[0].centre, assigned[1].centre]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_each_result_gets_exactly_one_slot(data):
    slots = data.draw(st.lists(st.none() | st.tuples(coordinates, coordinates), min_size=1, max_size=6))
    found = data.draw(st.lists(st.tuples(coordinates, coordinates), max_size=len(slots)))
    detections = [detection(*point) for point in found]
    assigned = assign(centres_of(*slots), detections)
    assert set(assigned) <= set(range(len(slots)))
    assert sorted(map(id, assigned.values())) == sorted(map(id, detections))
    if detections and any(slot is not None for slot in slots):
        # The nearest pair of all is together.
        centres = centres_of(*slots)
        pairs = {
            (slot, i): np.hypot(*(d.centre - centre))
            for i, d in enumerate(detections)
            for slot, centre in enumerate(centres)
            if centre is not None
        }
        nearest = min(pairs.values())
        assert any(
            distance == nearest and assigned.get(slot) is detections[i] for (slot, i), distance in pairs.items()
        )
