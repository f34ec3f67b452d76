"""Expressions through the command line, as people use them: record, train, track; and what can go wrong."""

from __future__ import annotations

import csv
import importlib.util
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from desktop import window_id, xdotool
from PIL import ImageGrab
from program import ROOT, run, running
from test_expression_files import recording, some_classifier

from expressions.collection import Collection

SAMPLE = ROOT / "samples" / "talking_head.mp4"
TRAINS = importlib.util.find_spec("sklearn") is not None


def expressions(*arguments: object, block: str = "") -> subprocess.CompletedProcess:
    """`python -m expressions`; where a package named `block` is not there."""
    start = f"import sys; sys.modules[{block!r}] = None; " if block else ""
    program = f"{start}from expressions.__main__ import main; raise SystemExit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True, encoding="utf-8", cwd=ROOT, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample clip, recorded as two expressions, the first in two goes."""
    path = tmp_path_factory.mktemp("recorded") / "me.osfx"
    for name, seconds in (("neutral", 2), ("neutral", 1), ("odd one", 20)):
        ended = run("-c", SAMPLE, "--expressions", path, "--record", name, "--record-seconds", seconds)
        assert ended.code == 0, ended.err
        assert ended.frames, "it goes on being sent"
        assert not any(line.startswith(("Took", "Confidence")) for line in ended.out)
        if seconds == 2:
            assert ended.out[0] == "neutral [....................] 0 of 2 s: hold it"
            assert ended.out[-1].startswith("Done: 2.0 s of neutral were added") and ended.err == []
        if seconds == 20:
            assert ended.err == [f"The input ended early: 6.4 s of odd one were added to {path}."]
    return path


@pytest.fixture
def mine(recorded: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(recorded, tmp_path / "mine.osfx"))


def test_what_is_recorded_is_there(recorded: Path) -> None:
    listed = expressions("list", recorded)
    assert listed.stdout.splitlines() == [
        "1: neutral: 3 s in 2 recordings, not trained", "2: odd one: 6 s in 1 recordings, not trained"
    ]  # fmt: skip
    collection = Collection.load(recorded)
    assert all(one.has_shapes for taught in collection.expressions for one in taught.recordings)
    assert [taught.count for taught in collection.expressions] == pytest.approx([75, 160], abs=4)


def test_recordings_may_go_without_shapes(tmp_path: Path) -> None:
    path = tmp_path / "me.osfx"
    ended = run("-c", SAMPLE, "--expressions", path, "--record", "me", "--record-seconds", 1, "--blendshapes", 0)
    assert ended.code == 0, ended.err
    (made,) = Collection.load(path).find("me").recordings
    assert not made.has_shapes


def test_clear_and_rename(mine: Path) -> None:
    assert expressions("rename", "odd one", "even one", mine).returncode == 0
    assert expressions("clear", "NEUTRAL", mine).stdout == "neutral is gone. Train again.\n"
    assert [taught.name for taught in Collection.load(mine).expressions] == ["even one"]


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (("clear", "smile"), "has no expression 'smile' (there: neutral, odd one)."),
        (("rename", "smile", "x"), "has no expression 'smile'"),
        (("rename", "neutral", "Odd One"), "There is 'Odd One' already."),
        (("rename", "neutral", "none"), "'none' is what the answer is called"),
    ],
)
def test_commands_that_can_not_be(mine: Path, arguments: tuple[str, ...], sentence: str) -> None:
    before = mine.read_bytes()
    ended = expressions(*arguments, mine)
    assert ended.returncode == 1 and sentence in ended.stderr and ended.stderr.count("\n") == 1
    assert mine.read_bytes() == before


@pytest.mark.parametrize("command", ["list", "train", "test", "clear x"])
def test_commands_tell_of_a_file_that_is_not_there(command: str, tmp_path: Path) -> None:
    ended = expressions(*command.split(), tmp_path / "me.osfx")
    assert ended.returncode == 1 and "me.osfx is not there: record something first" in ended.stderr
    assert ended.stderr.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_training_without_its_package_says_how_to_get_it(mine: Path) -> None:
    before = mine.read_bytes()
    ended = expressions("train", mine, block="sklearn.svm")
    assert ended.returncode == 1 and "-m pip install scikit-learn" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr and mine.read_bytes() == before


@pytest.mark.skipif(not TRAINS, reason="scikit-learn is needed for training only (expressions/requirements.txt)")
def test_train_and_track(mine: Path, tmp_path: Path) -> None:
    trained = expressions("train", mine)
    assert trained.returncode == 0, trained.stderr
    lines = trained.stdout.splitlines()
    assert lines[0] == "Training, step 1 of 10" and lines[9] == "Training, step 10 of 10"
    assert lines[10].startswith("With blend shapes, on a quarter that was kept out: accuracy ")
    assert lines[11].split() == ["is", "/", "told", "neutral", "odd", "one"]
    # The same three seconds are in both: nothing could tell them apart, and the person is told.
    weak = trained.stderr.splitlines()
    assert weak and all("record both again" in line for line in weak)
    log = tmp_path / "log.csv"
    tracked = run("-c", SAMPLE, "--expressions", mine, "--log-data", log, "--expression-threshold", 0.1)
    assert tracked.code == 0, tracked.err
    told = [line.split(": ", 1)[1].split(" (")[0] for line in tracked.out if line.startswith("Expression[0]: ")]
    with open(log, newline="", encoding="utf-8") as file:
        logged = [row["Expression"] or "none" for row in csv.DictReader(file)]
    assert logged == told and len(told) == 160
    assert told[0] == "none" and set(told[1:]) <= {"none", "neutral", "odd one"}
    assert told.count("none") < 16
    assert run("-c", SAMPLE, "--expressions", mine, "--expression-threshold", 1).out.count("Expression[0]: none") > 150


@pytest.mark.skipif(not TRAINS, reason="scikit-learn is needed for training only (expressions/requirements.txt)")
def test_trying_on_another_file(mine: Path, recorded: Path) -> None:
    assert expressions("test", recorded, mine).returncode == 1, "nothing is trained there"
    assert expressions("train", mine).returncode == 0
    before = mine.read_bytes()
    tried = expressions("test", mine, recorded)
    assert tried.returncode == 0 and f"on {recorded}: accuracy" in tried.stdout and "none" in tried.stdout
    kept_out = expressions("test", mine)
    assert kept_out.returncode == 0 and "on a quarter that was kept out" in kept_out.stdout
    assert mine.read_bytes() == before


@pytest.mark.skipif(not TRAINS, reason="scikit-learn is needed for training only (expressions/requirements.txt)")
def test_training_with_one_expression(mine: Path) -> None:
    assert expressions("clear", "odd one", mine).returncode == 0
    before = mine.read_bytes()
    ended = expressions("train", mine)
    assert ended.returncode == 1
    assert ended.stderr == "Two expressions are needed at least to tell them apart, and there is 1.\n"
    assert mine.read_bytes() == before


def failing(sentence: str, *arguments: object, stdin: bytes = b"") -> None:
    """The tracker ends with this sentence and nothing else on standard error."""
    ended = run(*arguments, stdin=stdin)
    assert ended.code != 0 and len(ended.err) == 1 and sentence in ended.err[0], ended


def test_recordings_that_can_not_be(mine: Path, tmp_path: Path) -> None:
    before = mine.read_bytes()
    failing("--record needs a file", "-c", SAMPLE, "--record", "smile")
    failing("--record needs a file", "-c", SAMPLE, "--record", "smile", "--expressions", "simple")
    record = ("-c", SAMPLE, "--expressions", mine, "--record")
    failing("There is 'neutral' already; 'Neutral'", *record, "Neutral")
    failing("'a/b' is no name", *record, "a/b")
    missing = tmp_path / "none" / "me.osfx"
    failing("me.osfx can't be written (", "-c", SAMPLE, "--expressions", missing, "--record", "smile")
    failing("would overwrite the file of --expressions", *record, "smile", "--log-data", mine)
    failing("would overwrite the file of --expressions", *record, "smile", "--profile", mine)
    assert mine.read_bytes() == before and sorted(tmp_path.iterdir()) == [mine]


def test_recording_nobody(mine: Path) -> None:
    """Two seconds of grey, 24 frames a second."""
    before = mine.read_bytes()
    frames = bytes([127]) * (64 * 64 * 3) * 48
    failing(
        f"The input ended before much of a face was seen: nothing was recorded, and {mine} stays as it was.",
        "--raw-rgb", 1, "-W", 64, "-H", 64, "--expressions", mine, "--record", "smile", stdin=frames,
    )  # fmt: skip
    # After ten seconds without a face it does not wait for the end.
    failing(
        "No face was seen for 10 s: nothing was recorded",
        "--raw-rgb", 1, "-W", 64, "-H", 64, "--expressions", mine, "--record", "smile", stdin=frames * 6,
    )  # fmt: skip
    assert mine.read_bytes() == before


def test_files_that_can_not_be(mine: Path, tmp_path: Path) -> None:
    failing("is not trained: python -m expressions train", "-c", SAMPLE, "--expressions", mine)
    failing("nothing.osfx is not there: --record", "-c", SAMPLE, "--expressions", tmp_path / "nothing.osfx")
    failing("README.md is no file of expressions", "-c", SAMPLE, "--expressions", ROOT / "README.md")
    collection = Collection()
    collection.add("a", recording())
    collection.classifiers = [some_classifier(("a", "b"))]
    collection.classifiers[0].columns[-1] = 278
    collection.save(tmp_path / "shapes.osfx")
    failing(
        "needs blend shapes, and there are none here",
        "-c", SAMPLE, "--expressions", tmp_path / "shapes.osfx", "--blendshapes", 0,
    )  # fmt: skip


def test_simple_expressions_need_no_teaching(tmp_path: Path) -> None:
    """The sample clip's person talks, raises the brows at 2.65 s and smiles from 4.8 to 5.8 s."""
    log = tmp_path / "log.csv"
    ended = run("-c", SAMPLE, "--expressions", "simple", "--log-data", log)
    assert ended.code == 0, ended.err
    with open(log, newline="", encoding="utf-8") as file:
        told = [(float(row["VideoTime"]), row["Expression"]) for row in csv.DictReader(file)]
    counts = Counter(name for _, name in told)
    assert counts["neutral"] > len(told) / 2 and counts["angry"] == 0
    assert "surprise" in {name for time, name in told if 2.6 < time < 3.0}
    smiling = Counter(name for time, name in told if 5.0 < time < 5.8)
    assert smiling["fun"] > sum(smiling.values()) / 2
    assert "fun" not in {name for time, name in told if time < 2.4 or time > 6.2}


@pytest.mark.skipif(not TRAINS, reason="scikit-learn is needed for training only (expressions/requirements.txt)")
def test_teaching_in_the_window(display: str, tmp_path: Path) -> None:
    """Real keys of a keyboard that repeats: 1 held, 2 held, t pressed, and what was learnt is told at once."""
    path = tmp_path / "me.osfx"
    options = ("-c", SAMPLE, "--repeat-video", 1, "-v", 1, "--ip", "none", "--expressions", path)
    with running(*options, environment={"DISPLAY": display}) as process:
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=lambda: [lines.put(line.decode().rstrip()) for line in process.stdout])
        reader.start()

        def until(part: str) -> str:
            while part not in (line := lines.get(timeout=200)):
                pass
            return line

        until("Took ")
        xdotool(display, "windowactivate", "--sync", window_id(display, "OpenSeeFace Visualization"))
        for number in (1, 2):
            xdotool(display, "keydown", str(number))
            count = 0
            while count < 60:  # frames, long after the keyboard has begun to repeat
                count += "Took " in lines.get(timeout=200)
            time.sleep(3)
            xdotool(display, "keyup", str(number))
            assert float(until(f" s of expression {number} recorded").split()[0]) > 1
        xdotool(display, "key", "t")
        until("Training, step 10 of 10")
        until("Expression[0]: expression ")
        if keep := os.environ.get("KEEP_SCREENSHOT"):
            ImageGrab.grab(xdisplay=display).save(keep)
        xdotool(display, "key", "q")
        assert process.wait(60) == 0
        reader.join()
    kept = Collection.load(path)
    assert [taught.name for taught in kept.expressions] == ["expression 1", "expression 2"] and kept.classifiers
