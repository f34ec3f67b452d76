"""Training expressions: it is scikit-learn's classifier, tried on what it has not seen, and says what is too little."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is needed for training only (expressions/requirements.txt)")

from sklearn.svm import SVC  # noqa: E402

from expressions import training, trying  # noqa: E402
from expressions.collection import Collection, ExpressionError, Recording, needs_shapes  # noqa: E402
from expressions.features import COLUMNS, ROTATION, SHAPES  # noqa: E402
from expressions.training import LEARNT_FROM, LEAST, train  # noqa: E402

NAMES = ("neutral", "smile", "angry", "wink")
#: A column of the landmarks, and one of the shapes, that no expression moves.
STILL, STILL_SHAPE = 60, SHAPES.start + 51


def person(names=NAMES, count: int = 120, seed: int = 0, shapes: bool = True, apart: float = 6.0) -> Collection:
    """Somebody whose expressions lie so far apart (in standard deviations of noise), moving slowly from frame to
    frame as faces do."""
    who, rng = np.random.default_rng(99), np.random.default_rng(seed)
    collection = Collection()
    for name in names:
        middle = who.normal(0, apart / 10, COLUMNS)
        noise = rng.normal(0, 1.0, (count + 8, COLUMNS)).cumsum(0)
        samples = (0.01 * (middle + (noise[8:] - noise[:-8]) / np.sqrt(8))).astype(np.float32)
        samples[:, [STILL, STILL_SHAPE]] = 0.25
        if not shapes:
            samples[:, SHAPES] = np.nan
        collection.add(name, Recording(samples, count / 24))
    return collection


def raw(collection: Collection) -> tuple[np.ndarray, np.ndarray]:
    samples = [np.concatenate([one.samples for one in taught.recordings]) for taught in collection.expressions]
    return np.concatenate(samples), np.repeat(np.arange(len(samples)), [len(rows) for rows in samples])


@pytest.mark.parametrize("names", [NAMES[:2], NAMES[:3], NAMES, tuple("abcdefghij")])
def test_decisions_are_those_of_scikit_learn(names: tuple[str, ...]) -> None:
    collection = person(names, count=60, apart=1.0)
    for result in train(collection):
        classifier = result.classifier
        samples, labels = raw(collection)
        values = (samples[:, classifier.columns].astype(np.float64) - classifier.mean) / classifier.scale
        machine = SVC(
            C=2, gamma=1 / values.shape[1], class_weight="balanced", decision_function_shape="ovo"
        ).fit(values, labels)
        wanted = machine.decision_function(values)
        ours = classifier.decisions(samples)
        if len(names) == 2:  # scikit-learn's is positive for the second
            wanted = -wanted[:, None]
        np.testing.assert_allclose(ours, wanted, atol=1e-6)
        assert len(classifier.support) == len(machine.support_)


def test_it_learns_what_can_be_told_apart() -> None:
    collection = person()
    with_shapes, without = train(collection)
    assert needs_shapes(with_shapes.classifier) and not needs_shapes(without.classifier)
    assert collection.classifiers == [with_shapes.classifier, without.classifier]
    for result in (with_shapes, without):
        assert result.classifier.names == NAMES
        np.testing.assert_allclose(result.classifier.accuracy, np.diag(result.confusion))
        np.testing.assert_allclose(result.confusion.sum(1), 1)
    another_day = person(seed=5)
    told = trying.confusion_with(with_shapes.classifier, another_day, 0.5)
    assert np.diag(told).min() > 0.9
    assert list(trying.warnings(NAMES, told)) == []


def test_what_can_not_be_told_apart_is_not_told() -> None:
    """Expressions that are the same, in slowly moving samples: single frames kept out would all be told."""
    collection = person(apart=0.0, count=240)
    result = train(collection)[0]
    assert result.classifier.accuracy.mean() < 0.6
    weak = list(trying.warnings(NAMES, result.confusion))
    assert len(weak) >= 3 and all("record both again" in sentence for sentence in weak)


def test_confidence_is_as_often_right_as_it_says() -> None:
    collection = person(apart=0.9, count=400)
    classifier = train(collection)[0].classifier
    samples, labels = raw(person(apart=0.9, count=400, seed=8))
    likely = classifier.probabilities(samples)
    sure, right = likely.max(1), likely.argmax(1) == labels
    assert 0.4 < right.mean() < 1.0
    assert abs(sure.mean() - right.mean()) < 0.15


def test_a_column_that_never_moves_is_left_out() -> None:
    collection = person()
    for result in train(collection):
        assert STILL not in result.classifier.columns and STILL_SHAPE not in result.classifier.columns
        assert np.isfinite(result.classifier.decisions(raw(collection)[0])).all()


def test_a_column_that_moves_only_in_one_quarter_does_no_harm() -> None:
    collection = person()
    for taught in collection.expressions:
        taught.recordings[0].samples[:3, STILL] = 0.26
    result = train(collection)[0]
    assert STILL in result.classifier.columns and np.isfinite(result.confusion).all()


def test_without_shapes_in_one_recording_none_are_used() -> None:
    collection = person()
    collection.add("smile", person(("smile",), shapes=False).expressions[0].recordings[0])
    (result,) = train(collection)
    assert not needs_shapes(result.classifier) and result.classifier.columns.max() < SHAPES.start
    assert set(range(ROTATION.start, ROTATION.stop)) <= set(result.classifier.columns.tolist())


def test_long_recordings_are_thinned_evenly() -> None:
    values, labels, quarters = training._samples(person(("a", "b"), count=3 * LEARNT_FROM).expressions)
    assert np.bincount(labels).tolist() == [LEARNT_FROM] * 2 and len(values) == 2 * LEARNT_FROM
    for label in (0, 1):
        assert np.bincount(quarters[labels == label], minlength=4).min() > LEARNT_FROM / 5


def test_a_quarter_is_blocks_of_time() -> None:
    _, labels, quarters = training._samples(person(("a", "b"), count=240).expressions)
    changes = np.count_nonzero(np.diff(quarters[labels == 0]))
    assert changes == 11 and set(quarters) == {0, 1, 2, 3}


def test_recordings_may_be_as_short_as_a_key_is_pressed() -> None:
    collection = person(("a",), count=60)
    for sample in person(("b",), count=60).expressions[0].recordings[0].samples.reshape(20, 3, -1):
        collection.add("b", Recording(sample, 0.1))
    for result in train(collection):
        assert result.classifier.names == ("a", "b") and np.isfinite(result.confusion).all()


@pytest.mark.parametrize(
    "collection, sentence",
    [
        (Collection(), "there is none"),
        (person(("smile",)), "there is 1"),
        (person(("smile", "angry"), count=LEAST - 1), f"'smile' has only {LEAST - 1} samples"),
    ],
)
def test_too_little_is_told_and_nothing_lost(collection: Collection, sentence: str) -> None:
    before = list(collection.classifiers)
    with pytest.raises(ExpressionError, match=sentence):
        train(collection)
    assert collection.classifiers == before


def test_progress_is_told() -> None:
    said: list[str] = []
    train(person(NAMES[:2], count=40), said.append)
    assert said == [f"Training, step {number} of 10" for number in range(1, 11)]
