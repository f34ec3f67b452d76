"""Recording expressions: by time and by a key that is held, and the training that runs beside the tracker."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from make_faces import make_face as some_face
from test_expression_files import recording, some_classifier

import cli.teaching
from cli.expressing import Expressing, RecordingRun, make_expressing
from cli.parser import parse
from cli.teaching import Teaching
from expressions.background import Training
from expressions.collection import Collection, ExpressionError
from expressions.recording import ADVICE, COUNTDOWN, HELD, PATIENCE, HeldKey, TimedRecording
from expressions.training import LEAST
from output.console import Console

FACE = some_face()


def run_for(recording: TimedRecording, seconds: float, start: float, face=FACE, rate: int = 25) -> float:
    for number in range(round(seconds * rate)):
        recording.update(face, start + number / rate)
    return start + seconds


def test_a_timed_recording_counts_down_and_then_takes_its_time() -> None:
    timed = TimedRecording("smile", 6.0, COUNTDOWN)
    lines = set()
    now = 1000.0
    while not timed.done:
        timed.update(FACE, now)
        lines.add(timed.line())
        now += 0.04
        assert now < 1020
    assert now - 1000 == pytest.approx(COUNTDOWN + 6.0, abs=0.2)
    assert {f"smile: make that face in {n}" for n in (1, 2, 3)} <= lines
    assert all(any(advice in line for line in lines) for advice in ADVICE)
    assert any("[####################] 6 of 6 s" in line for line in lines)
    made = timed.recording()
    assert made.seconds == pytest.approx(6.0, abs=0.1) and len(made.samples) == pytest.approx(150, abs=2)


def test_a_face_that_goes_away_is_waited_for() -> None:
    timed = TimedRecording("smile", 4.0)
    now = run_for(timed, 2.0, 0.0)
    now = run_for(timed, 3.0, now, None)
    assert timed.missing == pytest.approx(3.0, abs=0.1) and "waiting" in timed.line() and not timed.done
    now = run_for(timed, 1.5, now)
    assert timed.taken == pytest.approx(3.5, abs=0.15) and not timed.missing


def test_a_video_that_begins_again_adds_up() -> None:
    timed = TimedRecording("smile", 4.0)
    for _ in range(3):
        run_for(timed, 2.0, 0.0)
    assert timed.done


class Keyboard:
    """A person with a key, and a tracker with 25 frames a second."""

    def __init__(self) -> None:
        self.held, self.now, self.finished = HeldKey(), 50.0, []

    def frames(self, seconds: float, key: str = "", every: int = 1, face=FACE) -> None:
        """For so long, with an event of the key in every so many-th frame, the first among them."""
        for number in range(round(25 * seconds)):
            event = key if key and number % every == 0 else ""
            finished = self.held.update(event, face, self.now)
            self.finished += [] if finished is None else [finished]
            self.now += 0.04


def test_a_held_key_records_from_press_to_release() -> None:
    keyboard = Keyboard()
    keyboard.frames(1.0)
    keyboard.frames(0.6, "2", every=1000)  # the press; keyboards wait before they repeat
    keyboard.frames(2.0, "2", every=2)
    keyboard.frames(2.0)
    ((key, made),) = keyboard.finished
    assert key == "2" and made.seconds == pytest.approx(2.56, abs=0.1), "nothing of after the release"
    assert len(made.samples) == pytest.approx(64, abs=3) and keyboard.held.key == ""


def test_a_key_that_is_only_touched_records_nothing() -> None:
    keyboard = Keyboard()
    keyboard.frames(0.04, "2")
    keyboard.frames(3.0)
    assert keyboard.finished == [] and keyboard.held.key == "" and keyboard.held.finish() is None


def test_another_key_ends_the_first() -> None:
    keyboard = Keyboard()
    keyboard.frames(1.0, "1")
    keyboard.frames(1.0, "2")
    assert [key for key, _ in keyboard.finished] == ["1"]
    assert keyboard.held.finish()[0] == "2"


def test_without_a_face_a_held_key_records_nothing() -> None:
    keyboard = Keyboard()
    keyboard.frames(1.0, "1", face=None)
    keyboard.frames(HELD + 1.0, face=None)
    assert keyboard.finished == []


@pytest.fixture
def console() -> Console:
    with Console(silent=False) as made:
        yield made


def recording_run(path: Path, console: Console, name: str = "smile", seconds: float = 2.0) -> RecordingRun:
    arguments = ["--expressions", str(path), "--record", name, "--record-seconds", str(seconds)]
    made = make_expressing(parse(arguments), console)
    assert isinstance(made, RecordingRun) and made.wants_shapes
    made.begin(live=False, shapes=True)
    return made


def play(run: Expressing, seconds: float, start: float = 0.0, faces=(FACE,)) -> bool:
    """Whether the run still goes on after so many seconds."""
    return all(run.update(list(faces), start + number / 25) for number in range(round(25 * seconds)))


def test_a_recording_is_added_to_what_is_there(tmp_path: Path, console: Console, capsys) -> None:
    path = tmp_path / "me.osfx"
    for _ in range(2):
        run = recording_run(path, console)
        assert not play(run, 3.0)
        run.finish(quits=False)
    (taught,) = Collection.load(path).expressions
    assert taught.name == "smile" and len(taught.recordings) == 2
    assert f"2.0 s of smile were added to {path}." in capsys.readouterr().out


def test_a_face_that_stays_away_ends_the_recording_and_keeps_what_there_is(tmp_path: Path, console: Console) -> None:
    path = tmp_path / "me.osfx"
    run = recording_run(path, console, seconds=5.0)
    assert play(run, 3.0)
    with pytest.raises(ExpressionError, match=r"No face was seen for 10 s: 3\.0 s of smile were added"):
        play(run, PATIENCE + 1, 3.0, ())
    assert Collection.load(path).find("smile").count == 75


def test_no_face_at_all_is_told_and_leaves_the_file(tmp_path: Path, console: Console) -> None:
    path = tmp_path / "me.osfx"
    run = recording_run(path, console)
    with pytest.raises(ExpressionError, match="No face was seen for 10 s: nothing was recorded"):
        play(run, PATIENCE + 1, 0.0, ())
    assert not path.exists()


def test_a_recording_that_is_broken_off_leaves_the_file(tmp_path: Path, console: Console, capsys) -> None:
    run = recording_run(tmp_path / "me.osfx", console, seconds=5.0)
    play(run, 3.0)
    run.finish(quits=True)
    assert list(tmp_path.iterdir()) == [] and "Broken off" in capsys.readouterr().err


def test_an_input_that_ends_early_is_kept(tmp_path: Path, console: Console, capsys) -> None:
    path = tmp_path / "me.osfx"
    run = recording_run(path, console, seconds=5.0)
    play(run, 3.0)
    run.finish(quits=False)
    assert "The input ended early: 3.0 s of smile" in capsys.readouterr().err
    assert Collection.load(path).find("smile").count == 75


def test_an_input_with_too_little_of_a_face_is_told(tmp_path: Path, console: Console) -> None:
    run = recording_run(tmp_path / "me.osfx", console)
    play(run, (LEAST - 1) / 25)
    with pytest.raises(ExpressionError, match="nothing was recorded"):
        run.finish(quits=False)


def test_a_file_that_can_not_be_written_is_told_before_anything_is_recorded(tmp_path: Path, console: Console) -> None:
    (tmp_path / "me.osfx.part").mkdir()
    for path in (tmp_path / "none" / "me.osfx", tmp_path / "me.osfx"):
        with pytest.raises(ExpressionError, match=r"me\.osfx can't be written \(.*\)\.$"):
            recording_run(path, console)


def test_names_that_can_not_be_are_told_before_anything_is_recorded(tmp_path: Path, console: Console) -> None:
    path = tmp_path / "me.osfx"
    collection = Collection()
    collection.add("smile", recording(30))
    collection.save(path)
    for name in ("Smile", "none", "a/b", " "):
        with pytest.raises(ExpressionError):
            recording_run(path, console, name)


def test_what_is_not_trained_or_not_there_is_told(tmp_path: Path, console: Console) -> None:
    path = tmp_path / "me.osfx"
    options = parse(["--expressions", str(path)])
    with pytest.raises(ExpressionError, match="is not there: --record"):
        make_expressing(options, console)
    collection = Collection()
    collection.add("smile", recording(30))
    collection.save(path)
    with pytest.raises(ExpressionError, match="is not trained"):
        make_expressing(options, console).begin(live=False, shapes=True)
    needs = some_classifier(("smile", "angry", "neutral"))
    needs.columns[-1] = 278
    collection.classifiers = [needs]
    collection.save(path)
    make_expressing(options, console).begin(live=False, shapes=True)
    with pytest.raises(ExpressionError, match="needs blend shapes"):
        make_expressing(options, console).begin(live=False, shapes=False)


def pretend_training(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Have another program run in place of the training."""
    make = lambda path: Training(path, [sys.executable, "-c", program, str(path)])  # noqa: E731
    monkeypatch.setattr(cli.teaching, "Training", make)


def test_keys_teach(tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    path, go = tmp_path / "me.osfx", tmp_path / "go"
    trained = Collection()
    trained.add("expression 1", recording(30))
    trained.classifiers = [some_classifier(("expression 1", "expression 2"))]
    trained.save(tmp_path / "trained.osfx")
    pretend_training(
        monkeypatch,
        "import os, shutil, sys, time; print('Training, step 1', flush=True)\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        f"shutil.copy({str(tmp_path / 'trained.osfx')!r}, sys.argv[1])",
    )
    now = 0.0
    with Teaching(Collection(), 0.4, str(path), console, lambda: now) as teaching:
        teaching.begin(live=True, shapes=True)

        def hold(key: str, seconds: float) -> None:
            nonlocal now
            for number in range(round(25 * seconds)):
                teaching.key(key if number % 2 == 0 else "\xff")  # what a frame without a key gives
                teaching.update([FACE], 0.0)
                now += 0.04

        hold("1", 2.0)
        assert teaching.caption == "recording expression 1"
        hold("", 2.0)
        hold("7", 2.0)  # there is one so far: this makes the second
        hold("", 2.0)
        assert [one.name for one in Collection.load(path).expressions] == ["expression 1", "expression 2"]
        hold("t", 0.04)
        assert teaching.caption == "training" and teaching.names == ()
        hold("2", 2.0)
        hold("", 2.0)  # while it is trained, and kept until the file is free
        assert Collection.load(path).find("expression 2").count < 60
        go.touch()
        deadline = time.monotonic() + 60
        while teaching.caption == "training":
            assert time.monotonic() < deadline
            hold("", 0.04)
        assert teaching.names == ("expression 1", "expression 2")
        face = some_face()
        teaching.update([face], 0.0)
        teaching.update([face], 0.0)
        assert face.expression is None or face.expression.name in teaching.names
    kept = Collection.load(path)
    assert [one.count for one in kept.expressions] == pytest.approx([49, 98], abs=8)
    assert kept.classifiers[0].names == ("expression 1", "expression 2")
    assert "Training, step 1" in capsys.readouterr().out


def test_training_that_fails_is_told_and_changes_nothing(
    tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    path = tmp_path / "me.osfx"
    collection = Collection()
    collection.add("smile", recording(30))
    collection.save(path)
    before = path.read_bytes()
    pretend_training(monkeypatch, "import sys; sys.exit('Two expressions are needed.')")
    with make_expressing(parse(["--expressions", str(path), "-v", "1"]), console) as teaching:
        assert isinstance(teaching, Teaching)
        teaching.begin(live=True, shapes=True)
        teaching.key("t")
        teaching.update([], 0.0)
        deadline = time.monotonic() + 60
        while teaching.caption == "training":
            assert time.monotonic() < deadline
            time.sleep(0.01)
            teaching.update([], 0.0)
    assert "Two expressions are needed." in capsys.readouterr().out and path.read_bytes() == before


def test_leaving_ends_the_training(tmp_path: Path) -> None:
    training = Training(tmp_path / "me.osfx", [sys.executable, "-c", "import time; time.sleep(600)"])
    assert training.poll(print) is None
    training.close()
    assert training.poll(print) is False


def test_training_itself_needs_no_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found wherever the tracker was started, and its sentence arrives."""
    monkeypatch.chdir(tmp_path)
    training, said = Training("me.osfx"), []
    deadline = time.monotonic() + 120
    while (ended := training.poll(said.append)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert ended is False and len(said) == 1 and f"{tmp_path / 'me.osfx'} is not there" in said[0]


def test_faces_are_told_apart_and_forgotten(console: Console) -> None:
    """Each face has its own answer; one that comes back begins anew."""
    classifier = some_classifier(("a", "b"))
    classifier.offset[:] = 50.0  # always the first
    stage = Expressing(Collection([], [classifier]), 0.5, "me.osfx")
    stage.begin(live=False, shapes=False)
    told = []
    for there in (True, True, False, True, True):
        faces = [some_face() for _ in range(2 if there else 0)]
        for number, face in enumerate(faces):
            face.id = number
        stage.update(faces, 0.0)
        told.append([face.expression and face.expression.name for face in faces])
    assert told == [[None] * 2, ["a"] * 2, [], [None] * 2, ["a"] * 2]
    assert stage.names == ("a", "b")


def test_what_is_not_sure_is_none(console: Console) -> None:
    classifier = some_classifier(("a", "b"))
    classifier.slope[:], classifier.offset[:] = 0.0, np.log(3)  # the first with 0.75
    for threshold, name in ((0.74, "a"), (0.76, None)):
        stage = Expressing(Collection([], [classifier]), threshold, "me.osfx")
        stage.begin(live=False, shapes=False)
        face = some_face()
        stage.update([face], 0.0)
        stage.update([face], 0.1)
        assert (face.expression and face.expression.name) == name
        assert stage.caption_of([face]) == ("a 0.75" if name else "none")
