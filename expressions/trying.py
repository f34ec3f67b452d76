"""How well a trained classifier tells recordings apart, and that as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from expressions.classifier import Classifier, Stabiliser
from expressions.collection import NONE, Collection, ExpressionError

#: An expression that is told less often than this is worth a warning.
GOOD = 0.95


def confusion_with(classifier: Classifier, collection: Collection, threshold: float) -> np.ndarray:
    """What is shown for recordings, as the tracker would show it.

    Args:
        classifier: which is tried.
        collection: with its expressions by their names; others are left out.
        threshold: least probability of an answer.

    Returns:
        (k, k + 1) which share of each expression's samples (row) is told to be which (column; the last: none of them).
        A row is nan where there is no recording.

    Raises:
        ExpressionError: it has none of the expressions.
    """
    names = classifier.names
    counts = np.zeros((len(names), len(names) + 1))
    for number, name in enumerate(names):
        taught = collection.find(name)
        for recording in taught.recordings if taught else ():
            likely = classifier.probabilities(recording.samples.astype(np.float64))
            stabiliser = Stabiliser()
            for best, sure in zip(likely.argmax(1).tolist(), likely.max(1).tolist(), strict=True):
                shown = stabiliser.update(best if sure >= threshold else None)
                counts[number, len(names) if shown is None else shown] += 1
    if not counts.any():
        raise ExpressionError(f"None of {', '.join(names)} was recorded there.")
    with np.errstate(invalid="ignore"):
        return counts / counts.sum(1, keepdims=True)


def table(names: Sequence[str], confusion: np.ndarray) -> Iterator[str]:
    """A confusion matrix in lines: which share (percent) of each row is told to be which column."""
    told = [*names, NONE][: confusion.shape[1]]
    widths = [max(len(name), 4) for name in told]
    first = max(len(name) for name in (*names, "is / told"))
    yield "  ".join(["is / told".ljust(first), *(name.rjust(width) for name, width in zip(told, widths, strict=True))])
    for name, row in zip(names, confusion.tolist(), strict=True):
        shares = ["-" if share != share else f"{100 * share:.0f}%" for share in row]
        yield "  ".join([name.ljust(first), *(s.rjust(width) for s, width in zip(shares, widths, strict=True))])


def warnings(names: Sequence[str], confusion: np.ndarray) -> Iterator[str]:
    """A sentence for each expression that is told too seldom, and what it is taken for most."""
    told = [*names, NONE]
    for number, name in enumerate(names):
        share = confusion[number, number]
        if share < GOOD:
            others = confusion[number].copy()
            others[number] = -1
            other = told[int(others.argmax())]
            yield (
                f"{name!r} is told in {100 * share:.0f} % of its time only, and taken for {other!r} most: "
                "record both again, or make them less alike."
            )


def summary(names: Sequence[str], confusion: np.ndarray) -> str:
    """The accuracy in one line."""
    shares = np.diag(confusion[:, : len(names)])
    least = int(np.nanargmin(shares))
    return f"accuracy {100 * np.nanmean(shares):.1f} %, the least {100 * shares[least]:.1f} % ({names[least]})"
