"""Telling expressions apart: the numbers of a face, the classifier's arithmetic, the stabiliser."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from test_expression_files import recording, some_classifier

from expressions.classifier import Stabiliser, couple
from expressions.features import turn_from_straight
from tracking.pose import euler, quaternion


def by_the_book(classifier, values: np.ndarray) -> list[float]:
    """docs/expressions.md, step by step, in plain numbers."""
    z = [(values[column] - classifier.mean[n]) / classifier.scale[n] for n, column in enumerate(classifier.columns)]
    kernel = [math.exp(-classifier.gamma * sum((a - b) ** 2 for a, b in zip(z, s, strict=True)))
              for s in classifier.support]  # fmt: skip
    k = len(classifier.names)
    r = {}
    for p, (i, j) in enumerate(combinations(range(k), 2)):
        d = sum(w * value for w, value in zip(classifier.weights[p], kernel, strict=True)) + classifier.bias[p]
        exponent = min(max(classifier.slope[p] * d + classifier.offset[p], -math.log(999999)), math.log(999999))
        r[i, j] = 1 / (1 + math.exp(-exponent))
        r[j, i] = 1 - r[i, j]
    q = [1 / (sum(1 / r[i, j] for j in range(k) if j != i) - (k - 2)) for i in range(k)]
    return [one / sum(q) for one in q]


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c"), tuple("abcdefghij")])
def test_the_classifier_is_what_the_document_says(names: tuple[str, ...]) -> None:
    classifier = some_classifier(names)
    for values in recording(20).samples:
        likely = classifier.probabilities(values)
        np.testing.assert_allclose(likely, by_the_book(classifier, values), rtol=1e-9)
        number, how = classifier.tell(values)
        assert how == likely.max() == likely[number]


def test_many_at_once_are_as_one_by_one() -> None:
    classifier = some_classifier()
    values = recording(30).samples
    one_by_one = np.stack([classifier.probabilities(each) for each in values])
    np.testing.assert_allclose(classifier.probabilities(values), one_by_one, rtol=1e-9)


@pytest.mark.parametrize("count", [2, 3, 6, 10])
def test_probabilities_add_up_however_sure_the_pairs_are(count: int) -> None:
    pairs = count * (count - 1) // 2
    for scale in (0.0, 1.0, 1e6):
        likely = couple(scale * np.random.default_rng(count).normal(size=(50, pairs)), count)
        assert np.isfinite(likely).all() and (likely >= 0).all()
        np.testing.assert_allclose(likely.sum(-1), 1)
    np.testing.assert_allclose(couple(np.zeros(pairs), count), 1 / count)


def test_of_two_the_probability_is_that_of_their_pair() -> None:
    np.testing.assert_allclose(couple(np.array([1.0]), 2)[0], 1 / (1 + math.exp(-1)))


def test_a_class_that_wins_all_its_pairs_is_the_likeliest() -> None:
    logits = [2.0 if i == 2 or j == 2 else 3.0 for i, j in combinations(range(4), 2)]
    signed = [-value if j == 2 else value for value, (i, j) in zip(logits, combinations(range(4), 2), strict=True)]
    assert couple(np.array(signed), 4).argmax() == 2


@pytest.mark.parametrize(
    "frames, answers, shown",
    [
        (2, [0, 0, 1, 0, 1, 1, None, 1, None, None], [None, 0, 0, 0, 0, 1, 1, 1, 1, None]),
        (2, [0, 1, 0, 1, 1], [None, None, None, None, 1]),
        (1, [0, None, 1], [0, None, 1]),
        (3, [0, 0, None, 0, 0, 0], [None, None, None, None, None, 0]),
    ],
)
def test_an_answer_changes_when_it_came_some_frames_running(frames: int, answers: list, shown: list) -> None:
    stabiliser = Stabiliser(frames)
    assert [stabiliser.update(answer) for answer in answers] == shown


def rotation(axis: int, degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.eye(3)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = c, -s, s, c
    return matrix


def test_the_turn_of_a_head_is_zero_when_it_looks_into_the_camera_and_runs_smoothly() -> None:
    straight = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    # As docs/packet.md has it: the same as 180, -1, 90, a degree to the own right.
    np.testing.assert_allclose(euler(straight @ rotation(1, 1)), (0, -179, -90), atol=1e-9)
    np.testing.assert_allclose(turn_from_straight(quaternion(straight)), 0, atol=1e-12)
    for axis in range(3):
        turns = np.array([turn_from_straight(quaternion(straight @ rotation(axis, d))) for d in range(-80, 81, 2)])
        sizes = np.linalg.norm(turns, axis=1)
        np.testing.assert_allclose(sizes, np.abs(np.sin(np.radians(np.arange(-80, 81, 2) / 2))), atol=1e-9)
        assert np.abs(np.diff(turns, axis=0)).max() < 0.02
