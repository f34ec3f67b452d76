"""Files of expressions: what they hold comes back, and whatever is none of them is told in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from expressions.classifier import Classifier
from expressions.collection import (
    LONGEST_NAME,
    MOST_BYTES,
    MOST_CLASSES,
    MOST_SAMPLES,
    Collection,
    ExpressionError,
    Recording,
)
from expressions.features import COLUMNS, SHAPES


def recording(count: int = 5, shapes: bool = True, seed: int = 0) -> Recording:
    samples = np.random.default_rng(seed).uniform(-1, 1, (count, COLUMNS)).astype(np.float32)
    if not shapes:
        samples[:, SHAPES] = np.nan
    return Recording(samples, 1.25)


def some_classifier(names: tuple[str, ...] = ("neutral", "smile", "angry"), columns: int = 7) -> Classifier:
    rng = np.random.default_rng(1)
    pairs = len(names) * (len(names) - 1) // 2
    return Classifier(
        names=names, columns=np.sort(rng.choice(227, columns, replace=False)), mean=rng.normal(size=columns),
        scale=rng.uniform(0.5, 2, columns), gamma=1 / columns, support=rng.normal(size=(20, columns)),
        weights=rng.normal(size=(pairs, 20)), bias=rng.normal(size=pairs), slope=rng.uniform(0.5, 3, pairs),
        offset=rng.normal(size=pairs), accuracy=rng.uniform(0.9, 1, len(names)),
    )  # fmt: skip


@pytest.fixture
def collection() -> Collection:
    made = Collection()
    made.add("neutral", recording(6))
    made.add("Lächeln", recording(4, shapes=False))
    made.add("neutral", recording(3, seed=2))
    made.classifiers = [some_classifier()]
    return made


@pytest.fixture
def stored(collection: Collection, tmp_path: Path) -> dict:
    collection.save(tmp_path / "whole.osfx")
    return json.loads((tmp_path / "whole.osfx").read_text(encoding="utf-8"))


def test_what_is_saved_comes_back(collection: Collection, tmp_path: Path) -> None:
    path = tmp_path / "me.osfx"
    collection.save(path)
    loaded = Collection.load(path)
    assert [(one.name, one.count) for one in loaded.expressions] == [("neutral", 9), ("Lächeln", 4)]
    for before, after in zip(collection.expressions, loaded.expressions, strict=True):
        for one, other in zip(before.recordings, after.recordings, strict=True):
            np.testing.assert_array_equal(one.samples, other.samples)
            assert (one.seconds, one.has_shapes) == (other.seconds, other.has_shapes)
    before, after = collection.classifiers[0], loaded.classifiers[0]
    values = recording(50).samples
    np.testing.assert_array_equal(before.probabilities(values), after.probabilities(values))
    assert before.names == after.names and [path.name for path in tmp_path.iterdir()] == ["me.osfx"]


def test_a_disk_that_is_full_loses_nothing(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "me.osfx"
    collection.save(path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    collection.add("angry", recording())
    with pytest.raises(OSError, match="No space"):
        collection.save(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"format": "something else"}', "[" * 100_000, "\0\xff"])
def test_what_is_no_such_file_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "me.osfx"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ExpressionError, match=r"me\.osfx is no file of expressions.*\.$"):
        Collection.load(path)
    assert path.read_bytes() == text.encode("latin-1")


def test_a_later_version_is_told(stored: dict, tmp_path: Path) -> None:
    path = tmp_path / "me.osfx"
    path.write_text(json.dumps({**stored, "version": 2}))
    with pytest.raises(ExpressionError, match=r"has version 2; this program knows 1\.$"):
        Collection.load(path)


def set_in(stored: dict, *way: object) -> None:
    """Set the last of `way` at the place that the others name."""
    *steps, key, value = way
    place = stored
    for step in steps:
        place = place[step]
    place[key] = value


@pytest.mark.parametrize(
    "way",
    [
        ("expressions", {}),
        ("expressions", 0, "name", 5),
        ("expressions", 0, "name", "a\nb"),
        ("expressions", 0, "name", "none"),
        ("expressions", 0, "name", "x" * (LONGEST_NAME + 1)),
        ("expressions", 0, "recordings", None),
        ("expressions", 0, "recordings", 0, "seconds", "soon"),
        ("expressions", 0, "recordings", 0, "seconds", float("nan")),
        ("expressions", 0, "recordings", 0, "samples", "shape", [6, COLUMNS + 1]),
        ("expressions", 0, "recordings", 0, "samples", "shape", [1 << 40, COLUMNS]),
        ("expressions", 0, "recordings", 0, "samples", "shape", [-1, COLUMNS]),
        ("expressions", 0, "recordings", 0, "samples", "shape", [True, COLUMNS]),
        ("expressions", 0, "recordings", 0, "samples", "type", "object"),
        ("expressions", 0, "recordings", 0, "samples", "data", "AAA"),
        ("expressions", 0, "recordings", 0, "samples", "data", 12),
        ("expressions", 0, "recordings", 0, "samples", "data", "ä"),
        ("classifiers", 0, "names", ["neutral"]),
        ("classifiers", 0, "names", ["neutral", "smile", "Smile"]),
        ("classifiers", 0, "columns", [0, 1, 2, 3, 4, 5, COLUMNS]),
        ("classifiers", 0, "columns", [0, 1, 2, 3, 4, 5, 0.5]),
        ("classifiers", 0, "gamma", 0),
        ("classifiers", 0, "gamma", float("inf")),
        ("classifiers", 0, "gamma", 10**400),
        ("classifiers", 0, "support", "shape", [140, 1]),
        ("classifiers", 0, "bias", None),
        ("classifiers", [None] * 3),
    ],
)
def test_damage_is_told(way: tuple, stored: dict, tmp_path: Path) -> None:
    path = tmp_path / "me.osfx"
    set_in(stored, *way)
    path.write_text(json.dumps(stored))
    with pytest.raises(ExpressionError, match=r"me\.osfx is damaged\.$"):
        Collection.load(path)


@pytest.mark.parametrize("column", [0, SHAPES.start])
def test_numbers_that_are_not_finite_are_damage(column: int, collection: Collection, tmp_path: Path) -> None:
    collection.expressions[0].recordings[0].samples[2, column] = np.nan
    collection.save(tmp_path / "me.osfx")
    with pytest.raises(ExpressionError, match="damaged"):
        Collection.load(tmp_path / "me.osfx")


@pytest.mark.parametrize("name", ["mean", "scale", "support", "weights", "bias", "slope", "offset"])
def test_a_classifier_that_is_not_finite_is_damage(name: str, collection: Collection, tmp_path: Path) -> None:
    getattr(collection.classifiers[0], name).flat[0] = np.inf
    collection.save(tmp_path / "me.osfx")
    with pytest.raises(ExpressionError, match="damaged"):
        Collection.load(tmp_path / "me.osfx")


def test_two_expressions_of_one_name_are_told(stored: dict, tmp_path: Path) -> None:
    stored["expressions"][1]["name"] = "Neutral"
    (tmp_path / "me.osfx").write_text(json.dumps(stored))
    with pytest.raises(ExpressionError, match="two expressions of the name 'Neutral'"):
        Collection.load(tmp_path / "me.osfx")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "me.osfx"
    with open(path, "wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(ExpressionError, match="larger than a file of expressions can be"):
        Collection.load(path)


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExpressionError, match="can't be read"):
        Collection.load(tmp_path)


@pytest.mark.parametrize("name", ["", " a", "a ", "none", "NONE", "a,b", "a\n", "a" * (LONGEST_NAME + 1), "../x"])
def test_names_that_are_none(name: str, collection: Collection) -> None:
    with pytest.raises(ExpressionError):
        collection.add(name, recording())
    assert len(collection.expressions) == 2


def test_a_name_that_is_another_but_for_its_capitals(collection: Collection) -> None:
    with pytest.raises(ExpressionError, match="'neutral' already; 'Neutral'"):
        collection.add("Neutral", recording())


def test_there_is_an_end_to_expressions_and_samples(collection: Collection) -> None:
    with pytest.raises(ExpressionError, match="clear it first"):
        collection.add("neutral", recording(MOST_SAMPLES))
    for number in range(MOST_CLASSES - 2):
        collection.add(f"face {number}", recording())
    with pytest.raises(ExpressionError, match="the most"):
        collection.add("one more", recording())


def test_a_file_as_large_as_it_can_be_is_read(tmp_path: Path) -> None:
    full = Collection()
    for number in range(MOST_CLASSES):
        full.add(f"face {number}", recording(MOST_SAMPLES, seed=number))
    full.save(tmp_path / "me.osfx")
    assert [one.count for one in Collection.load(tmp_path / "me.osfx").expressions] == [MOST_SAMPLES] * MOST_CLASSES
