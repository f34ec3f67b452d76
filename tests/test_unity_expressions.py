"""Unity's expressions: files, answers and training are those of the tracker's own `expressions`."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from program import ROOT
from unity_expressions import MadeUpPerson, made_up_classifier

from expressions.classifier import Classifier
from expressions.collection import Collection, ExpressionError, Recording
from expressions.features import COLUMNS, SHAPES

COUNTS = {"neutral": 100, "smile": 60, "böse-1": 80, "オー": 40}


def tell(unity, path: Path, samples: np.ndarray, folder: Path) -> list:
    """What each classifier of a file makes of samples, in C#."""
    data = folder / "samples.f32"
    data.write_bytes(samples.astype("<f4").tobytes())
    return unity.run("Osfx", "tell", path, data)


def test_a_file_gives_the_same_answers_as_in_python(unity, tmp_path: Path) -> None:
    person, path = MadeUpPerson(1), tmp_path / "me.osfx"
    samples = np.concatenate([person.samples(name, 25, shapes=True) for name in COUNTS])
    rng = np.random.default_rng(2)
    with_shapes = np.sort(rng.choice(COLUMNS, 120, replace=False))
    collection = person.collection(dict.fromkeys(COUNTS, 3), shapes=True)
    collection.classifiers = [
        made_up_classifier(3, tuple(COUNTS), with_shapes, samples),
        made_up_classifier(4, ("neutral", "smile"), with_shapes[with_shapes < SHAPES.start], samples),
    ]
    collection.save(path)
    told = tell(unity, path, samples, tmp_path)
    assert [line.shapes for line in told] == [True, False]
    for line, classifier in zip(told, Collection.load(path).classifiers, strict=True):
        assert tuple(line.names) == classifier.names
        decisions, probabilities = classifier.decisions(samples), classifier.probabilities(samples)
        np.testing.assert_allclose(line.decisions, decisions, rtol=0, atol=1e-5)
        np.testing.assert_allclose(line.probabilities, probabilities, rtol=0, atol=1e-5)
        assert len(set(probabilities.argmax(1))) > 1, "there is something to tell apart"


def test_a_file_written_in_unity_is_read_by_python(unity, tmp_path: Path) -> None:
    path, copy = tmp_path / "me.osfx", tmp_path / "copy.osfx"
    for shapes in (False, True):
        person = MadeUpPerson(5)
        collection = person.collection(COUNTS, shapes)
        collection.classifiers = [made_up_classifier(6, tuple(COUNTS), np.arange(0, 200, 3), person.samples("x", 50))]
        collection.save(path)
        copy.write_text("an old file, longer than what comes in its place" * 100000, encoding="utf-8")
        assert [line.problem for line in unity.run("Osfx", "copy", path, copy)] == [None]
        again = Collection.load(copy)
        assert [one.name for one in again.expressions] == list(COUNTS)
        for one, other in zip(again.expressions, collection.expressions, strict=True):
            assert [recording.seconds for recording in one.recordings] == pytest.approx(
                [recording.seconds for recording in other.recordings], abs=5e-4
            )
            for recording, wanted in zip(one.recordings, other.recordings, strict=True):
                np.testing.assert_array_equal(recording.samples, wanted.samples)
        for name in ("columns", "mean", "scale", "support", "weights", "bias", "slope", "offset", "accuracy"):
            found, wanted = getattr(again.classifiers[0], name), getattr(collection.classifiers[0], name)
            np.testing.assert_array_equal(found, wanted)
        assert again.classifiers[0].gamma == collection.classifiers[0].gamma
        assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.osfx", "me.osfx"], "nothing is left beside it"


def test_a_full_disk_leaves_the_old_file(unity, small_disk: Path, tmp_path: Path) -> None:
    path, kept = tmp_path / "me.osfx", small_disk / "me.osfx"
    MadeUpPerson(14).collection({"a": 100}).save(path)
    kept.write_text("an old file", encoding="utf-8")
    (line,) = unity.run("Osfx", "copy", path, kept)
    assert line.problem and "can't be written" in line.problem
    assert kept.read_text(encoding="utf-8") == "an old file"
    assert list(small_disk.iterdir()) == [kept]


def damaged(sound: dict) -> dict[str, object]:
    """Files with something wrong, by what that is; each is a document or bytes."""

    def changed(change) -> dict:
        copy = json.loads(json.dumps(sound))
        change(copy, copy["expressions"][0], copy["classifiers"][0])
        return copy

    def filled(array: dict, letter: str) -> dict:
        return array | {"data": letter * len(array["data"])}

    def sample(entry) -> dict:
        return entry["recordings"][0]["samples"]

    return {
        "not JSON": b"PK\3\4 something else",
        "no UTF-8": b"\xff\xfe{}",
        "cut off": json.dumps(sound).encode()[:-40],
        "empty": b"",
        "nested": b"[" * 100_000,
        "a list": [],
        "another format": changed(lambda file, e, c: file.update(format="anything")),
        "a later version": changed(lambda file, e, c: file.update(version=2)),
        "version as text": changed(lambda file, e, c: file.update(version="1")),
        "other columns": changed(lambda file, e, c: file.update(columns=280)),
        "no list": changed(lambda file, e, c: file.update(expressions={})),
        "two of a name": changed(lambda file, e, c: file["expressions"][1].update(name=e["name"].upper())),
        "a name that is none": changed(lambda file, e, c: e.update(name="none")),
        "a long name": changed(lambda file, e, c: e.update(name="x" * 33)),
        "a name with a space": changed(lambda file, e, c: e.update(name="x ")),
        "a name with a line": changed(lambda file, e, c: e.update(name="x\ny")),
        "no base64": changed(lambda file, e, c: sample(e).update(data="!!!!")),
        "another length": changed(lambda file, e, c: sample(e).update(shape=[10_000_000, COLUMNS])),
        "a negative length": changed(lambda file, e, c: sample(e).update(shape=[-1, COLUMNS])),
        "half a row": changed(lambda file, e, c: sample(e).update(data=sample(e)["data"][:-8])),
        "another type": changed(lambda file, e, c: sample(e).update(type="int64")),
        "no samples": changed(lambda file, e, c: sample(e).update(shape=[0, COLUMNS], data="")),
        "no seconds": changed(lambda file, e, c: e["recordings"][0].update(seconds=None)),
        "one class": changed(lambda file, e, c: c.update(names=["a"])),
        "a column beyond": changed(lambda file, e, c: c["columns"].__setitem__(0, COLUMNS)),
        "half a column": changed(lambda file, e, c: c["columns"].__setitem__(0, 1.5)),
        "gamma": changed(lambda file, e, c: c.update(gamma=0)),
        "no support": changed(lambda file, e, c: c.pop("support")),
        "scales of 0": changed(lambda file, e, c: c.update(scale=filled(c["mean"], "A"))),
        "means not finite": changed(lambda file, e, c: c.update(mean=filled(c["mean"], "/"))),
    }  # fmt: skip


def test_damaged_files_get_one_sentence(unity, tmp_path: Path) -> None:
    """All that Python refuses is refused; no exception but the one with a message leaves the reader."""
    sound = tmp_path / "sound.osfx"
    person = MadeUpPerson(7)
    collection = person.collection({"a": 6, "b": 6}, shapes=True)
    # Three columns have 24 bytes: no padding in base64, so that other letters can stand in their place.
    samples = person.samples("a", 9, shapes=True)
    collection.classifiers = [made_up_classifier(8, ("a", "b"), np.array([0, 5, 250]), samples)]
    collection.save(sound)
    files = {"sound": sound, "missing": tmp_path / "missing.osfx", "a folder": tmp_path}
    for number, (what, content) in enumerate(damaged(json.loads(sound.read_text(encoding="utf-8"))).items()):
        files[what] = tmp_path / f"{number}.osfx"
        files[what].write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    files["too large"] = tmp_path / "large.osfx"
    with files["too large"].open("wb") as file:
        file.truncate((64 << 20) + 1)  # takes no room on the disk
    lines = unity.run("Osfx", "check", *files.values())
    problems = dict(zip(files, (line.problem for line in lines), strict=True))
    assert problems.pop("sound") is None
    for what, problem in problems.items():
        assert problem and "\n" not in problem and str(files[what]) in problem, (what, problem)
        with pytest.raises((ExpressionError, OSError)):
            Collection.load(files[what])
    assert "version 2" in problems["a later version"]


def test_random_and_cut_files_do_no_harm(unity, tmp_path: Path) -> None:
    sound = tmp_path / "sound.osfx"
    person = MadeUpPerson(9)
    collection = person.collection({"a": 3, "b": 3})
    collection.classifiers = [made_up_classifier(8, ("a", "b"), np.array([0, 5]), person.samples("a", 9))]
    collection.save(sound)
    content, rng, files = sound.read_bytes(), np.random.default_rng(10), []
    for number in range(300):
        broken = bytearray(content)
        for at in rng.integers(0, len(broken), rng.integers(1, 4)):
            broken[at] = rng.choice(list(b'"{}[]:,\\0-9eAx\xff'))
        files.append(tmp_path / f"{number}.osfx")
        files[-1].write_bytes(broken if number % 3 else broken[: rng.integers(len(broken))])
    lines = unity.run("Osfx", "check", *files)
    refused = [line.problem for line in lines if line.problem]
    assert len(lines) == len(files) and len(refused) > 100


def sklearn_decisions(collection: Collection, classifier: Classifier, samples: np.ndarray) -> np.ndarray:
    """(n, pairs): scikit-learn's decisions, trained with all recordings; positive for the first of a pair."""
    svm = pytest.importorskip("sklearn.svm")

    def standard(values: np.ndarray) -> np.ndarray:
        return (values[:, classifier.columns] - classifier.mean) / classifier.scale

    blocks = [np.concatenate([one.samples for one in taught.recordings]) for taught in collection.expressions]
    labels = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    gamma = 1 / len(classifier.columns)
    machine = svm.SVC(C=2.0, gamma=gamma, class_weight="balanced", decision_function_shape="ovo")
    machine.fit(standard(np.concatenate(blocks)), labels)
    decisions = machine.decision_function(standard(samples))
    return -decisions[:, None] if decisions.ndim == 1 else decisions


def votes(decisions: np.ndarray, classes: int) -> np.ndarray:
    """The class that wins most pairs."""
    won = np.zeros((len(decisions), classes))
    for pair, (first, second) in enumerate(combinations(range(classes), 2)):
        won[:, first] += decisions[:, pair] > 0
        won[:, second] += decisions[:, pair] <= 0
    return won.argmax(1)


@pytest.mark.parametrize(("counts", "shapes"), [(COUNTS, True), ({"a": 60, "b": 140}, False)], ids=["four", "two"])
def test_training_in_unity_decides_as_scikit_learn(unity, tmp_path: Path, counts: dict, shapes: bool) -> None:
    person, path, trained = MadeUpPerson(11), tmp_path / "me.osfx", tmp_path / "trained.osfx"
    person.collection(counts, shapes).save(path)
    lines = unity.run("Osfx", "train", path, trained)
    collection = Collection.load(trained)
    assert len(lines) == len(collection.classifiers) == (2 if shapes else 1)
    assert lines[-1].steps == sorted(lines[-1].steps) and lines[-1].steps[-1] == 1
    new = np.concatenate([person.samples(name, 300, shapes) for name in counts])
    for classifier in collection.classifiers:
        assert classifier.names == tuple(counts)
        assert not set(classifier.columns) & {90, 91, 92}, "what never moves is left out"
        everything = np.concatenate([one.samples for taught in collection.expressions for one in taught.recordings])
        np.testing.assert_allclose(classifier.mean, everything[:, classifier.columns].astype(float).mean(0), atol=1e-9)
        wanted = sklearn_decisions(collection, classifier, new)
        found = classifier.decisions(new)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-2)
        same = votes(found, len(counts)) == votes(wanted, len(counts))
        assert same.mean() >= 0.99, same.mean()


def test_training_in_unity_is_that_of_the_command(unity, tmp_path: Path) -> None:
    """`python -m expressions train` makes of the same recordings what Unity does, and `test` tries what Unity made."""
    training = pytest.importorskip("expressions.training")
    pytest.importorskip("sklearn")
    person, path, trained = MadeUpPerson(13, 0.25, 0.6), tmp_path / "me.osfx", tmp_path / "trained.osfx"
    fresh = tmp_path / "fresh.osfx"
    collection = person.collection(dict.fromkeys(COUNTS, 100), shapes=True)
    for _ in range(15):  # a key that is pressed shortly makes recordings as short as this
        collection.add("smile", Recording(person.samples("smile", 3, shapes=True), 0.1))
    collection.add("short", Recording(person.samples("short", 1, shapes=True), 0.0))
    for _ in range(12):
        collection.add("short", Recording(person.samples("short", 3, shapes=True), 0.1))
    collection.save(path)
    person.collection(dict.fromkeys(COUNTS, 150), shapes=True).save(fresh)
    lines = unity.run("Osfx", "train", path, trained)
    new = np.concatenate([person.samples(name, 150, shapes=True) for name in [*COUNTS, "short"]])
    results = training.train(collection)
    for line, found, wanted in zip(lines, Collection.load(trained).classifiers, results, strict=True):
        np.testing.assert_array_equal(found.columns, wanted.classifier.columns)
        decisions = wanted.classifier.decisions(new)
        np.testing.assert_allclose(found.decisions(new), decisions, rtol=0, atol=1e-2)
        likely, told = wanted.classifier.probabilities(new), found.probabilities(new)
        assert (told.argmax(1) == likely.argmax(1)).mean() >= 0.99
        np.testing.assert_allclose(told, likely, rtol=0, atol=0.02)
        np.testing.assert_allclose(line.confusion, wanted.confusion, rtol=0, atol=0.03)

    command = [sys.executable, "-m", "expressions", "test", str(trained), str(fresh)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0 and all(name in done.stdout for name in COUNTS), done.stderr


def test_accuracy_in_unity_is_that_on_what_was_kept_out(unity, tmp_path: Path) -> None:
    """It says how new recordings of the person fare, and the matrix which expressions are taken for which."""
    person = MadeUpPerson(12, distance=0.2, slowness=0.5)
    path, trained = tmp_path / "me.osfx", tmp_path / "trained.osfx"
    person.collection(dict.fromkeys(COUNTS, 120)).save(path)
    (line,) = unity.run("Osfx", "train", path, trained)
    confusion = np.array(line.confusion)
    np.testing.assert_allclose(confusion.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(np.diag(confusion), line.accuracy, atol=1e-5)
    (classifier,) = Collection.load(trained).classifiers
    fresh = [classifier.probabilities(person.samples(name, 400)).argmax(1) == n for n, name in enumerate(COUNTS)]
    assert 0.5 < np.mean(line.accuracy) < 0.999, "hard enough to say something"
    assert np.mean(line.accuracy) == pytest.approx(np.mean(fresh), abs=0.08)
