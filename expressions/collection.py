"""A person's expressions in a file: the recordings, and the classifiers that were trained with them.

The file is JSON; docs/expressions.md describes it for other programs.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from expressions.classifier import Classifier
from expressions.features import COLUMNS, SHAPES
from tracking.saving import replace_text

FORMAT, VERSION = "OpenSeeFace expressions", 1
#: How many expressions a file holds at the most, how many samples each of them, and how many bytes it has.
MOST_CLASSES, MOST_SAMPLES, MOST_BYTES = 10, 3000, 64 << 20
#: How many support vectors a classifier has at the most.
MOST_SUPPORT = 10_000
LONGEST_NAME = 32
#: What the answer is called that is none of the expressions, which none of them may be called.
NONE = "none"


class ExpressionError(RuntimeError):
    """A file of expressions can't be read or used as it was asked for; the message is one sentence."""


@dataclass
class Recording:
    """What was recorded at one go.

    Attributes:
        samples: (n, COLUMNS) float32 from `features.columns_of`, in the order of time.
        seconds: how long it took.
    """

    samples: np.ndarray
    seconds: float

    @property
    def has_shapes(self) -> bool:
        """Whether blend shapes were found in all of it."""
        return bool(np.isfinite(self.samples[:, SHAPES]).all())


@dataclass
class Taught:
    """One expression: its name and its recordings."""

    name: str
    recordings: list[Recording] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many samples it has."""
        return sum(len(recording.samples) for recording in self.recordings)


@dataclass
class Collection:
    """A person's expressions.

    Attributes:
        expressions: in the order in which they were first recorded.
        classifiers: what was trained, best first: with shapes, and without.
    """

    expressions: list[Taught] = field(default_factory=list)
    classifiers: list[Classifier] = field(default_factory=list)

    def find(self, name: str) -> Taught | None:
        """The expression of that name, however it is capitalised."""
        for expression in self.expressions:
            if expression.name.casefold() == name.casefold():
                return expression
        return None

    def add(self, name: str, recording: Recording) -> None:
        """Add a recording to an expression, which is made if it is not there.

        Raises:
            ExpressionError: there is no room for it, or the name is none.
        """
        expression = self.room(name)
        if expression.count + len(recording.samples) > MOST_SAMPLES:
            raise ExpressionError(
                f"{expression.name!r} has {expression.count} samples, and {MOST_SAMPLES} are the most: clear it first."
            )
        if expression not in self.expressions:
            self.expressions.append(expression)
        expression.recordings.append(recording)

    def rename(self, taught: Taught, name: str) -> None:
        """Call an expression something else, also in what was trained.

        Raises:
            ExpressionError: the name is none, or another's.
        """
        check_name(name)
        if self.find(name) not in (None, taught):
            raise ExpressionError(f"There is {name!r} already.")
        for classifier in self.classifiers:
            classifier.names = tuple(name if one == taught.name else one for one in classifier.names)
        taught.name = name

    def room(self, name: str) -> Taught:
        """The expression of that name, or a new one that is not in the collection yet.

        Raises:
            ExpressionError: the name is none, is another's but for its capitals, or there is no room for another.
        """
        check_name(name)
        there = self.find(name)
        if there is not None and there.name != name:
            raise ExpressionError(f"There is {there.name!r} already; {name!r} would be another expression of its name.")
        if there is None and len(self.expressions) >= MOST_CLASSES:
            raise ExpressionError(f"There are {MOST_CLASSES} expressions already, which is the most.")
        if there is not None and there.count >= MOST_SAMPLES:
            raise ExpressionError(f"{name!r} has {there.count} samples, which is the most: clear it first.")
        return there or Taught(name)

    def classifier(self, shapes: bool) -> Classifier | None:
        """The best classifier for faces with or without blend shapes; None when there is none."""
        for classifier in self.classifiers:
            if shapes or not needs_shapes(classifier):
                return classifier
        return None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, in place of an old one, which stays as it is if that fails.

        Raises:
            OSError: it can't be written.
        """
        stored = {
            "format": FORMAT,
            "version": VERSION,
            "columns": COLUMNS,
            "expressions": [
                {"name": expression.name,
                 "recordings": [{"seconds": round(recording.seconds, 3), "samples": pack(recording.samples, "<f4")}
                                for recording in expression.recordings]}
                for expression in self.expressions
            ],
            "classifiers": [_stored(classifier) for classifier in self.classifiers],
        }  # fmt: skip
        replace_text(path, json.dumps(stored, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Collection:
        """Read a file.

        Raises:
            FileNotFoundError: it is not there.
            ExpressionError: it can't be read, is no such file, is damaged or of a later version.
        """
        try:
            if os.path.getsize(path) > MOST_BYTES:
                raise ExpressionError(f"{path} is larger than a file of expressions can be.")
            stored = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ExpressionError(f"{path} can't be read ({error.strerror}).") from error
        except (ValueError, RecursionError) as error:
            raise ExpressionError(f"{path} is no file of expressions (it is no JSON).") from error
        if not isinstance(stored, dict) or stored.get("format") != FORMAT:
            raise ExpressionError(f"{path} is no file of expressions.")
        version = stored.get("version")
        if version != VERSION:
            raise ExpressionError(f"{path} has version {version!r}; this program knows {VERSION}.")
        try:
            _whole(stored["columns"], COLUMNS, COLUMNS)
            expressions = [_expression(entry) for entry in _list(stored["expressions"], MOST_CLASSES)]
            classifiers = [_classifier(entry) for entry in _list(stored["classifiers"], 2)]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ExpressionError(f"{path} is damaged.") from error
        names = [expression.name for expression in expressions]
        if (double := _double(names)) is not None:
            raise ExpressionError(f"{path} has two expressions of the name {double!r}: rename one of them in it.")
        return cls(expressions, classifiers)


def needs_shapes(classifier: Classifier) -> bool:
    """Whether it looks at blend shapes."""
    return bool((classifier.columns >= SHAPES.start).any())


def check_name(name: str) -> None:
    """Raise ExpressionError when an expression can't have that name."""
    if not 0 < len(name) <= LONGEST_NAME or name != name.strip() or not all(c.isalnum() or c in " _-" for c in name):
        raise ExpressionError(
            f"{name!r} is no name: it has 1 to {LONGEST_NAME} letters, digits, spaces, _ or -, no space at an end."
        )
    if name.casefold() == NONE:
        raise ExpressionError(f"{name!r} is what the answer is called that is none of the expressions.")


def pack(array: np.ndarray, kind: str) -> dict[str, Any]:
    """An array for JSON: its numbers in base64, row by row; kind is <f4 or <f8."""
    numbers = np.ascontiguousarray(array, kind)
    return {
        "type": {"<f4": "float32", "<f8": "float64"}[kind],
        "shape": list(numbers.shape),
        "data": base64.b64encode(numbers.tobytes()).decode("ascii"),
    }


def unpack(stored: Any, *shape: int | None) -> np.ndarray:
    """The array of `pack`, of a shape in which None is any length.

    Raises:
        ValueError, KeyError, TypeError: it is no such array.
    """
    lengths = [_whole(length, 0, 1 << 20) for length in stored["shape"]]
    if len(lengths) != len(shape) or any(want not in (None, have) for want, have in zip(shape, lengths, strict=True)):
        raise ValueError("another shape")
    kind = {"float32": "<f4", "float64": "<f8"}[stored["type"]]
    try:
        data = base64.b64decode(stored["data"], validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
    return np.frombuffer(data, kind).reshape(lengths).astype(kind[1:])


def _stored(classifier: Classifier) -> dict[str, Any]:
    return {
        "names": list(classifier.names),
        "columns": classifier.columns.tolist(),
        "gamma": classifier.gamma,
        **{name: pack(getattr(classifier, name), "<f8")
           for name in ("mean", "scale", "support", "weights", "bias", "slope", "offset", "accuracy")},
    }  # fmt: skip


def _classifier(stored: Any) -> Classifier:
    names = _list(stored["names"], MOST_CLASSES)
    for name in names:
        _check_stored_name(name)
    columns = np.array([_whole(column, 0, COLUMNS - 1) for column in _list(stored["columns"], COLUMNS)], np.intp)
    gamma = float(stored["gamma"])
    k, m = len(names), len(columns)
    pairs = k * (k - 1) // 2
    support, scale = unpack(stored["support"], None, m), unpack(stored["scale"], m)
    count = len(support)
    if not (scale > 0).all():
        raise ValueError("no scale")
    classifier = Classifier(
        names=tuple(names), columns=columns, mean=unpack(stored["mean"], m), scale=scale,
        gamma=gamma, support=support, weights=unpack(stored["weights"], pairs, count),
        bias=unpack(stored["bias"], pairs), slope=unpack(stored["slope"], pairs),
        offset=unpack(stored["offset"], pairs), accuracy=unpack(stored["accuracy"], k),
    )  # fmt: skip
    numbers = (classifier.mean, classifier.scale, classifier.support, classifier.weights, classifier.bias,
               classifier.slope, classifier.offset, classifier.accuracy)  # fmt: skip
    sound = k >= 2 and m >= 1 and 1 <= count <= MOST_SUPPORT and 0 < gamma < math.inf and _double(names) is None
    if not (sound and all(np.isfinite(values).all() for values in numbers)):
        raise ValueError("no classifier")
    return classifier


def _expression(stored: Any) -> Taught:
    name = stored["name"]
    _check_stored_name(name)
    recordings = []
    for entry in _list(stored["recordings"], MOST_SAMPLES):
        samples, seconds = unpack(entry["samples"], None, COLUMNS).astype(np.float32), float(entry["seconds"])
        shapes = np.isfinite(samples[:, SHAPES])
        known = np.isfinite(samples[:, : SHAPES.start]).all() and (shapes.all(1) | ~shapes.any(1)).all()
        if not (len(samples) and known and 0 <= seconds < math.inf):
            raise ValueError("no recording")
        recordings.append(Recording(samples, seconds))
    expression = Taught(name, recordings)
    if expression.count > MOST_SAMPLES:
        raise ValueError("too many samples")
    return expression


def _check_stored_name(name: Any) -> None:
    if not isinstance(name, str):
        raise ValueError("no name")
    try:
        check_name(name)
    except ExpressionError as error:
        raise ValueError(str(error)) from error


def _double(names: list[str]) -> str | None:
    """A name that is there twice."""
    seen = set()
    for name in names:
        if name.casefold() in seen:
            return name
        seen.add(name.casefold())
    return None


def _list(stored: Any, most: int) -> list[Any]:
    if not isinstance(stored, list) or len(stored) > most:
        raise ValueError("no list, or too long")
    return stored


def _whole(number: Any, low: int, high: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        raise ValueError("no whole number, or out of range")
    return number
