"""Unity's `OpenSeeExpression`: it sees a face as the tracker's own expressions do, records, trains and tells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from osc import bundle, message, value
from program import ROOT
from unity_expressions import MadeUpPerson, made_up_classifier
from unity_sender import Sender, record

from expressions.collection import Collection
from expressions.features import COLUMNS, FEATURES, POINTS, SHAPES, columns_of
from sending.packet import encode
from tracker import Tracker
from tracking.faces import BLENDSHAPE_NAMES

STRAIGHT = (0.5**0.5, 0.5**0.5, 0, 0)
TIMES = np.arange(1, 1000) / 30


def fields(sample: np.ndarray) -> dict[str, object]:
    """What a packet says of a face with these columns that looks straight ahead."""
    return {"points_3d": sample[POINTS], "features": sample[FEATURES], "quaternion": STRAIGHT}


class Scene:
    """A running driver."""

    def __init__(self, running) -> None:
        self._running = running
        self.ports = running.read()
        self.now = running.read()
        self._times = iter(TIMES)

    def say(self, line: str) -> SimpleNamespace:
        """Does something; what there is then."""
        self._running.say(line)
        self.now = self._running.read()
        return self.now

    def take(self, packet: bytes) -> SimpleNamespace:
        """Lets OpenSee receive tracking data."""
        return self._receive("packet", self.ports.port, packet)

    def show(self, samples: np.ndarray) -> list[SimpleNamespace]:
        """Lets it see faces, one after the other: (n, COLUMNS), turned straight ahead."""
        return [self.take(record(time=next(self._times), error=9, **fields(sample))) for sample in samples]

    def shapes(self, values: np.ndarray) -> SimpleNamespace:
        """Lets OpenSeeShapes receive the 52 shapes."""
        there = message("/VMC/Ext/OK", "iiii", 1, 3, 0, 1)
        named = (value(name, float(number)) for name, number in zip(BLENDSHAPE_NAMES, values, strict=True))
        return self._receive("shapes", self.ports.shapesPort, bundle(there, *named, message("/VMC/Ext/Blend/Apply")))

    def _receive(self, what: str, port: int, datagram: bytes) -> SimpleNamespace:
        self._running.say(what)
        with Sender(port) as sender:
            sender.send(datagram)
        self.now = self._running.read()
        return self.now


@pytest.fixture
def scene(unity):
    """Makes scenes; the arguments are the driver's."""

    @contextmanager
    def started(*arguments: str) -> Iterator[Scene]:
        with unity.start("Expression", *arguments) as running:
            yield Scene(running)
            running.say("quit")
            assert running.end() == ""

    return started


def test_a_face_has_the_same_columns_as_in_python(scene) -> None:
    video = cv2.VideoCapture(str(ROOT / "samples" / "talking_head.mp4"))
    turned = False
    with scene("shapes", "loadOnStart=false") as seen, Tracker(480, 270, blendshapes=True) as tracker:
        for number in range(40):
            frame = video.read()[1]
            faces = tracker.predict(frame)
            assert len(faces) == 1
            if number % 4:
                continue
            wanted = columns_of(faces[0])
            turned |= abs(wanted[224:227]).max() > 0.05
            seen.shapes(faces[0].blendshapes)
            found = np.array(seen.take(encode(faces, 1 + number / 30, 480, 270)).columns)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    video.release()
    assert turned, "the head turns in these frames"
    with scene("loadOnStart=false") as seen:
        found = np.array(seen.take(encode(faces, 1, 480, 270)).columns)
        assert found.shape == (COLUMNS,) and np.isnan(found[SHAPES]).all()
        np.testing.assert_allclose(found[: SHAPES.start], columns_of(faces[0])[: SHAPES.start], rtol=0, atol=1e-5)


def test_record_train_tell_and_keep(scene, tmp_path: Path) -> None:
    """From nothing to a file that Python uses: the way a user goes."""
    person, names, path = MadeUpPerson(20, slowness=0.5), ("neutral", "joy", "angry"), tmp_path / "me.osfx"
    with scene(f"filename={path}", "recordSeconds=1") as seen:
        assert not seen.now.errors, "a file that is not there yet is no error"
        for name in names:
            seen.say(f"calibrationExpression={name}")
            assert seen.say("recording=true").percentRecorded == 0
            samples = person.samples(name, 33)
            half = seen.show(samples[:16])[-1]
            assert half.recording and half.percentRecorded == pytest.approx(50)
            lines = seen.show(samples[16:])
            assert not lines[-1].recording and lines[-1].percentRecorded == 100
            assert sum(line.recording for line in lines) == 14, "31 faces are 30 steps of 1/30 s"
        assert [(one.Name, one.Count) for one in seen.now.recorded] == [(name, 31) for name in names]
        assert seen.say("recording=true").percentRecorded == 0, "of a second recording"
        assert seen.say("recording=false").percentRecorded == 100, "of all"
        assert seen.now.expression == "none" and seen.now.probabilities == []

        assert not seen.say("train").errors
        trained = seen.say("trained")
        assert trained.percentTrained == 100 and trained.accuracy > 0.6
        assert trained.accuracy == pytest.approx(np.mean(np.diag(trained.confusionMatrix)), abs=1e-5)
        assert all(f"{name}:" in trained.confusionMatrixText for name in names)

        fresh = [person.samples(name, 20) for name in names]
        told = [[line for line in seen.show(samples)] for samples in fresh]
        right = [line.expression == name for name, lines in zip(names, told, strict=True) for line in lines[2:]]
        assert np.mean(right) > 0.8, np.mean(right)
        assert not seen.say(f"save {path}").errors

    classifier = Collection.load(path).classifier(shapes=False)
    assert classifier and classifier.names == names
    # What Python makes of the very same faces.
    for lines in told:
        columns = np.array([line.columns for line in lines])
        np.testing.assert_allclose([line.probabilities for line in lines], classifier.probabilities(columns), atol=1e-5)

    with scene(f"filename={path}") as seen:
        assert seen.now.expressionNames == list(names)
        assert seen.now.accuracy == pytest.approx(trained.accuracy, abs=1e-6)
        again = seen.show(fresh[1])
        assert [line.expression for line in again[2:]] == [line.expression for line in told[1][2:]]


def test_the_game_goes_on_while_it_trains(scene, tmp_path: Path) -> None:
    """Seconds of training, in which faces are told with what was trained before, and an end that waits for nothing."""
    person, path, names = MadeUpPerson(26), tmp_path / "me.osfx", [f"face {number}" for number in range(8)]
    collection = person.collection(dict.fromkeys(names, 400), shapes=True)
    samples = person.samples(names[0], 5)
    collection.classifiers = [made_up_classifier(27, tuple(names), np.arange(60, 198), samples)]
    collection.save(path)
    with scene(f"filename={path}", "threshold=0") as seen:
        assert seen.say("train").training
        lines = seen.show(samples)
        assert all(line.training and line.expression in names for line in lines[2:])
        assert all(0 <= line.percentTrained < 100 for line in lines)


def test_an_answer_is_steady_and_ends_with_the_face(scene, tmp_path: Path) -> None:
    person, path = MadeUpPerson(21, distance=1.0), tmp_path / "me.osfx"
    collection = person.collection({"a": 60, "b": 60})
    samples = np.concatenate([person.samples(name, 40) for name in "ab"])
    collection.classifiers = [made_up_classifier(22, ("a", "b"), np.arange(90, 200), samples)]
    collection.save(path)
    likely = collection.classifiers[0].probabilities(samples)
    one, other = (samples[likely[:, column].argmax()] for column in range(2))
    sure = max(likely[:, 0].max(), likely[:, 1].max())
    with scene(f"filename={path}", "frames=3", "threshold=0.5") as seen:
        shown = [line.expression for line in seen.show(np.array([one] * 4 + [other] * 2 + [one] + [other] * 4))]
        assert shown == ["none"] * 2 + ["a"] * 7 + ["b"] * 2
        # A face that is not there, or whose pose is of no use.
        assert seen.say("pass 0.3").expression == "b"
        assert seen.say("pass 0.3").expression == "none" and seen.now.probabilities == [0, 0]
        seen.say(f"threshold={(1 + sure) / 2}")
        assert {line.expression for line in seen.show(np.array([one] * 5))} == {"none"}
        seen.say("threshold=0")
        assert seen.take(record(time=100, error=101, **fields(one))).expression == "none"


def test_what_needs_shapes(scene, tmp_path: Path) -> None:
    """Without them one message, with them answers; what was recorded with them is kept with them."""
    person, path = MadeUpPerson(23), tmp_path / "me.osfx"
    collection = person.collection({"a": 60, "b": 60}, shapes=True)
    samples = np.concatenate([person.samples(name, 5, shapes=True) for name in "ab"])
    # A head straight ahead is all that these tests send.
    samples[:, 224:227] = 0
    collection.classifiers = [made_up_classifier(24, ("a", "b"), np.arange(200, COLUMNS), samples)]
    collection.save(path)
    with scene(f"filename={path}") as seen:
        lines = seen.show(samples)
        said = [warning for line in lines for warning in line.warnings]
        assert len(said) == 1 and "OpenSeeShapes" in said[0]
        assert {line.expression for line in lines} == {"none"}
    with scene("shapes", f"filename={path}", "calibrationExpression=c") as seen:
        seen.say("recording=true")
        for sample, wanted in zip(samples, collection.classifiers[0].probabilities(samples), strict=True):
            seen.shapes(sample[SHAPES])
            (line,) = seen.show(sample[None])
            np.testing.assert_allclose(line.probabilities, wanted, atol=1e-5)
            assert not line.warnings
        seen.say("recording=false")
        seen.say(f"save {path}")
    kept = Collection.load(path).find("c")
    assert kept and kept.recordings[0].has_shapes and kept.count == len(samples)


def test_what_is_wrong_gets_one_message(scene, tmp_path: Path) -> None:
    path = tmp_path / "me.osfx"
    MadeUpPerson(25).collection({"a": 30, "full": 3000}).save(path)
    before = path.read_bytes()
    with scene(f"filename={path}") as seen:
        for name, part in (("x/y", "no name"), ("none", "none of the"), ("A", "'a' already"), ("full", "the most")):
            seen.say(f"calibrationExpression={name}")
            line = seen.say("recording=true")
            assert len(line.errors) == 1 and part in line.errors[0] and not line.recording, line.errors
        seen.say("calibrationExpression=new")
        seen.say("recording=true")
        assert seen.say("pass 3").percentRecorded == 0, "there is no face"
        assert [one.Name for one in seen.say("recording=false").recorded] == ["a", "full"]
        seen.say("clear full")
        line = seen.say("train")
        assert len(line.errors) == 1 and "one" in line.errors[0] and not line.training
        line = seen.say(f"load {tmp_path / 'missing.osfx'}")
        assert len(line.errors) == 1 and [one.Name for one in line.recorded] == ["a"]
        (tmp_path / "folder").mkdir()
        line = seen.say(f"save {tmp_path / 'folder'}")
        assert len(line.errors) == 1 and "can't be written" in line.errors[0]
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


def test_the_sample_panel_teaches(unity, tmp_path: Path) -> None:
    """By its buttons alone."""
    person, path = MadeUpPerson(28, distance=1.0), tmp_path / "me.osfx"
    times = iter(TIMES)
    with unity.start("Panel", f"filename={path}", "recordSeconds=1") as running, Sender(running.read().port) as sender:

        def press(button: str) -> list[str]:
            running.say(button)
            said = running.read()
            assert said.pressed or button == "", f"no button {button}"
            return said.texts

        def show(name: str, count: int) -> list[str]:
            for sample in person.samples(name, count):
                running.say("packet")
                sender.send(record(time=next(times), error=9, **fields(sample)))
                texts = running.read().texts
            return texts

        assert "[Record joy]" in press("")
        for name in ("neutral", "joy"):
            assert "[Stop: 0 %]" in press(f"Record {name}")
            assert "[Stop: 50 %]" in show(name, 16)
            assert f"[Record {name}]" in show(name, 16)
        assert any(text.startswith("neutral: 31 frames recorded") for text in press(""))
        assert any("neutral 100" in text for text in press("Train"))
        assert show("joy", 5)[0] == "You look: joy"
        press("Save")
        assert any(text.startswith("joy: 0 frames") for text in press("Clear joy"))
        running.say("quit")
        assert running.end() == ""
    assert [taught.count for taught in Collection.load(path).expressions] == [31, 31]
