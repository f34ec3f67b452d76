"""Learns to tell a person's expressions apart from what was recorded. Needs scikit-learn.

What is learnt is tried on a quarter of the recordings that was kept out, four times, so that each quarter is once. What
is kept out is whole blocks of time: neighbouring frames are alike, and single ones would tell nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from expressions.classifier import Classifier, couple
from expressions.collection import Collection, ExpressionError, Taught
from expressions.features import POINTS, ROTATION, SHAPES
from tracking.faces import BLENDSHAPE_NAMES

#: C-SVC as OpenSeeFace's own expressions have it: C, and gamma = 1 / number of columns.
SOFTNESS = 2.0
#: So many samples of an expression are learnt from at the most, evenly chosen: more cost time in every frame.
LEARNT_FROM = 400
#: Blocks of time in what was recorded of an expression, and every how many-th is kept out together.
BLOCKS, QUARTERS = 12, 4
#: Least samples of an expression.
LEAST = 2 * BLOCKS
#: Within an expression a column moves by this share of all its variance at least, so that none settles everything.
LEAST_WITHIN = 0.1
#: A column that moves less than this never moved.
STILL = 1e-6

#: Brows, nose, eyes and mouth. The jaw line moves more with the head than with the face; pupils and eyeballs tell where
#: somebody looks, and so do some shapes.
_LANDMARKS = np.arange(POINTS.start + 3 * 17, POINTS.start + 3 * 66)
_TURN = np.arange(ROTATION.start, ROTATION.stop)
_FACE_SHAPES = np.array(
    [SHAPES.start + number for number, name in enumerate(BLENDSHAPE_NAMES) if not name.startswith("eyeLook")]
)


@dataclass
class Result:
    """A classifier and how it did on what was kept out.

    Attributes:
        classifier: trained with everything.
        confusion: (k, k) which share of the samples of each expression (row) was told to be which (column).
    """

    classifier: Classifier
    confusion: np.ndarray


def train(collection: Collection, report: Callable[[str], None] = lambda line: None) -> list[Result]:
    """Train the classifiers that the recordings admit, and put them into the collection.

    Args:
        collection: is changed only when everything has gone well.
        report: gets a line for each step.

    Returns:
        With blend shapes, if all recordings have them, and without.

    Raises:
        ExpressionError: there is too little to learn from.
        ImportError: scikit-learn is missing.
    """
    check(collection)
    has_shapes = all(one.has_shapes for expression in collection.expressions for one in expression.recordings)
    choices = [np.concatenate([_LANDMARKS, _TURN])]
    if has_shapes:
        choices.insert(0, np.concatenate([choices[0], _FACE_SHAPES]))
    steps = len(choices) * (QUARTERS + 1)
    results = []
    for number, columns in enumerate(choices):

        def step(done: int, before: int = number * (QUARTERS + 1)) -> None:
            report(f"Training, step {before + done} of {steps}")

        results.append(_train(collection.expressions, columns, step))
    collection.classifiers = [result.classifier for result in results]
    return results


def check(collection: Collection) -> None:
    """Raise ExpressionError when there is too little to learn from."""
    if len(collection.expressions) < 2:
        count = len(collection.expressions) or "none"
        raise ExpressionError(f"Two expressions are needed at least to tell them apart, and there is {count}.")
    for expression in collection.expressions:
        if expression.count < LEAST:
            raise ExpressionError(
                f"{expression.name!r} has only {expression.count} samples, {LEAST} are needed: record it again."
            )


def _train(expressions: list[Taught], columns: np.ndarray, step: Callable[[int], None]) -> Result:
    values, labels, quarters = _samples(expressions)
    values = values[:, columns].astype(np.float64)
    moves = values.std(0) > STILL
    columns, values = columns[moves], values[:, moves]
    names = tuple(expression.name for expression in expressions)
    pairs = list(combinations(range(len(names)), 2))

    decisions = np.empty((len(values), len(pairs)))
    for quarter in range(QUARTERS):
        step(quarter + 1)
        kept_out = quarters == quarter
        classifier = _fit(names, columns, values[~kept_out], labels[~kept_out])
        decisions[kept_out] = classifier.decisions(_spread(values[kept_out], columns))
    step(QUARTERS + 1)
    classifier = _fit(names, columns, values, labels)
    for pair, (first, second) in enumerate(pairs):
        of_pair = (labels == first) | (labels == second)
        classifier.slope[pair], classifier.offset[pair] = _platt(decisions[of_pair, pair], labels[of_pair] == first)

    told = couple(decisions * classifier.slope + classifier.offset, len(names)).argmax(1)
    confusion = np.zeros((len(names), len(names)))
    np.add.at(confusion, (labels, told), 1)
    confusion /= confusion.sum(1, keepdims=True)
    classifier.accuracy = np.diag(confusion).copy()
    return Result(classifier, confusion)


def _samples(expressions: list[Taught]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples (n, COLUMNS), which expression each shows, and in which quarter it is."""
    values, labels, quarters = [], [], []
    for number, expression in enumerate(expressions):
        # Of all its recordings one after the other: some may be too short to be in each quarter.
        blocks = np.arange(expression.count) * BLOCKS // expression.count % QUARTERS
        chosen = np.linspace(0, expression.count - 1, min(expression.count, LEARNT_FROM)).round().astype(int)
        values.append(np.concatenate([recording.samples for recording in expression.recordings])[chosen])
        quarters.append(blocks[chosen])
        labels.append(np.full(len(chosen), number))
    return np.concatenate(values), np.concatenate(labels), np.concatenate(quarters)


def _spread(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Chosen columns where a classifier looks for them."""
    spread = np.empty((len(values), columns.max() + 1))
    spread[:, columns] = values
    return spread


def _fit(names: tuple[str, ...], columns: np.ndarray, values: np.ndarray, labels: np.ndarray) -> Classifier:
    """A classifier from samples of those columns, whose sigmoids are not fitted yet."""
    from sklearn.svm import SVC

    mean, scale = values.mean(0), values.std(0)
    scale[scale < STILL] = 1.0  # moved only in what was kept out
    scale /= _importance((values - mean) / scale, labels, len(names))
    gamma = 1 / len(columns)
    machine = SVC(C=SOFTNESS, gamma=gamma, class_weight="balanced", decision_function_shape="ovo")
    machine.fit((values - mean) / scale, labels)
    pairs = list(combinations(range(len(names)), 2))
    ends = np.cumsum(machine.n_support_)
    of_class = [slice(end - count, end) for end, count in zip(ends, machine.n_support_, strict=True)]
    weights = np.zeros((len(pairs), ends[-1]))
    for pair, (first, second) in enumerate(pairs):
        # A support vector of a class has a row for each other class; its own is left out.
        weights[pair, of_class[first]] = machine.dual_coef_[second - 1, of_class[first]]
        weights[pair, of_class[second]] = machine.dual_coef_[first, of_class[second]]
    sign = -1.0 if len(names) == 2 else 1.0  # of two classes scikit-learn counts the second as positive
    return Classifier(
        names, columns, mean, scale, gamma, machine.support_vectors_, sign * weights, sign * machine.intercept_,
        np.ones(len(pairs)), np.zeros(len(pairs)), np.ones(len(names)),
    )  # fmt: skip


def _importance(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """How much each column of standardised values (n, m) counts: the root of its Fisher ratio, which is how much it
    varies between expressions over how much within them; 1 in the mean square.

    Most columns say nothing of most expressions, and in the kernel their noise would count as much as what others say.
    """
    means = np.stack([values[labels == number].mean(0) for number in range(count)])
    within = np.mean([values[labels == number].var(0) for number in range(count)], axis=0)
    ratio = means.var(0) / np.maximum(within, LEAST_WITHIN)
    ratio = np.maximum(ratio, 1e-4 * ratio.max()) if ratio.max() > 0 else np.ones_like(ratio)
    return np.sqrt(ratio / ratio.mean())


def _platt(decisions: np.ndarray, first: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the sigmoid that turns decision values into how likely the first of a pair is.

    The targets are not quite 0 and 1 (J. Platt, "Probabilistic outputs for support vector machines", 1999): each sample
    counts a little as one of the other.
    """
    from sklearn.linear_model import LogisticRegression

    high, low = (first.sum() + 1) / (first.sum() + 2), 1 / ((~first).sum() + 2)
    target = np.where(first, high, low)
    regression = LogisticRegression(C=1e6, max_iter=1000)
    doubled = np.concatenate([decisions, decisions])[:, None]
    regression.fit(doubled, np.repeat([1, 0], len(first)), np.concatenate([target, 1 - target]))
    return float(regression.coef_[0, 0]), float(regression.intercept_[0])
