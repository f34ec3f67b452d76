"""run.sh as a person at a terminal meets it, with a stand-in for the tracker; what can be said of run.bat elsewhere."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="run.sh is for Linux and macOS")

CAMERAS = "Available cameras:\n2: Front camera\n4: Capture card\n"
MODES = "    0: Resolution: 640x480 FPS: 30.000-30.000 Format: YUYV\n"

# Prints the lists and notes with which arguments it was run, one in a line.
TRACKER = """#!/bin/sh
echo "$PWD" > "$(dirname "$0")/called-from"
cd "$(dirname "$0")" || exit 9
case "$*" in
    *--list-cameras*) cat cameras ;;
    *--list-dcaps*) cat modes ;;
    *) for argument in "$@"; do printf '%s\\n' "$argument"; done > arguments; exit "$(cat status)" ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a space in its name: run.sh beside a stand-in for the executable."""
    folder = tmp_path / "face tracker"
    folder.mkdir()
    shutil.copy(ROOT / "run.sh", folder)
    write_program(folder / "facetracker", TRACKER)
    (folder / "cameras").write_text(CAMERAS)
    (folder / "modes").write_text(MODES)
    (folder / "status").write_text("0")
    return folder


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def run(folder: Path, answers: list[str], *arguments: str, seconds: float = 30, **settings) -> tuple[int, str]:
    """Runs run.sh at a pseudo terminal and answers its questions one after another.

    Returns:
        Its exit code and all that the terminal showed.
    """
    ours, theirs = os.openpty()
    script = subprocess.Popen(
        [folder / "run.sh", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, **settings
    )
    os.close(theirs)
    shown, seen, answers = "", 0, list(answers)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                text = os.read(ours, 4096).decode()
            except OSError:  # Linux's word for the end
                text = ""
            if not text:
                break
            shown += text
            if answers and re.search(r"(\]: |close\. )$", shown[seen:]):  # a question at the end of the line
                os.write(ours, (answers.pop(0) + "\n").encode())
                seen = len(shown)
        else:
            pytest.fail(f"run.sh still waits after {seconds} s:\n{shown}")
        assert not answers, f"not asked for: {answers}\n{shown}"
        return script.wait(10), shown.replace("\r\n", "\n")
    finally:
        script.kill()
        script.wait()
        os.close(ours)


def tracked_with(folder: Path) -> list[str]:
    return (folder / "arguments").read_text().splitlines()


@on_posix
def test_every_question_can_be_answered_with_enter(folder: Path) -> None:
    code, shown = run(folder, ["", "", "", ""])
    assert code == 0
    assert "2: Front camera" in shown and "4: Capture card" in shown
    assert "640x480" in shown
    # The first camera of the list, which is not camera 0 here.
    assert tracked_with(folder) == ["-c", "2", "-F", "24", "-v", "3", "-P", "1"]


@on_posix
def test_answers_reach_the_tracker(folder: Path) -> None:
    code, _ = run(folder, ["4", "0", "60", ""])
    assert code == 0
    assert tracked_with(folder) == ["-c", "4", "-F", "60", "-D", "0", "-v", "3", "-P", "1"]


@on_posix
def test_options_are_passed_on_and_come_last(folder: Path) -> None:
    run(folder, ["4", "-1", "", ""], "--model", "-2", "--log-data", "my log.csv")
    assert tracked_with(folder)[-4:] == ["--model", "-2", "--log-data", "my log.csv"]
    assert tracked_with(folder)[4:6] == ["-D", "-1"]


@on_posix
def test_what_is_no_number_is_asked_for_again(folder: Path) -> None:
    code, shown = run(folder, ["2", "best", "", "fast", "30", ""])
    assert code == 0
    assert shown.count("Please type a number") == 2
    assert tracked_with(folder)[:4] == ["-c", "2", "-F", "30"]


@on_posix
def test_a_video_is_not_asked_for_modes(folder: Path) -> None:
    run(folder, ["my clip.mp4", ""])
    assert tracked_with(folder) == ["-c", "my clip.mp4", "-v", "3", "-P", "1"]


@on_posix
def test_without_a_camera_the_sample_clip_is_offered(folder: Path) -> None:
    (folder / "cameras").write_text("Available cameras:\n")
    _, shown = run(folder, ["", ""])
    assert "(none)" in shown
    assert tracked_with(folder)[:2] == ["-c", f"{folder}/samples/talking_head.mp4"]


@on_posix
@pytest.mark.parametrize("how", ["a link", "a link to a link", "its name from elsewhere"])
def test_it_is_called_from_anywhere(folder: Path, tmp_path: Path, how: str) -> None:
    """Its own files are found, and names in answers and options are those of the folder that it is called from."""
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    script = folder / "run.sh"
    if "link" in how:
        (elsewhere / "track").symlink_to(script if how == "a link" else "second")
        if how == "a link to a link":
            (elsewhere / "second").symlink_to(Path("..") / folder.name / "run.sh")
        script = elsewhere / "track"
    done = subprocess.run(
        [script, "--log-data", "log.csv"], input="clip.mp4\n", cwd=elsewhere, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert tracked_with(folder) == ["-c", "clip.mp4", "-v", "3", "-P", "1", "--log-data", "log.csv"]
    assert (folder / "called-from").read_text() == f"{elsewhere}\n"


@on_posix
def test_a_camera_that_does_not_tell_its_modes_is_not_asked_for_one(folder: Path) -> None:
    (folder / "modes").write_text("")
    _, shown = run(folder, ["", "15", ""])
    assert "Mode" not in shown
    assert tracked_with(folder)[:4] == ["-c", "2", "-F", "15"]


@on_posix
def test_an_error_is_announced_and_waits_to_be_read(folder: Path) -> None:
    (folder / "status").write_text("1")
    code, shown = run(folder, ["", "", "", ""])
    assert code == 1
    assert "ended with an error" in shown
    assert shown.rstrip().endswith("Press Enter to close.")


@on_posix
def test_the_end_of_the_input_is_taken_as_enter(folder: Path) -> None:
    done = subprocess.run([folder / "run.sh"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert tracked_with(folder) == ["-c", "2", "-F", "24", "-v", "3", "-P", "1"]


@on_posix
def test_nothing_to_start_is_said(folder: Path) -> None:
    (folder / "facetracker").unlink()
    code, shown = run(folder, [""])
    assert code == 1
    assert "Neither facetracker nor facetracker.py" in shown


# A python3 whose "-m venv" makes an environment with a stand-in for Python in it.
PYTHON3 = """#!/bin/sh
[ "$1 $2" = "-m venv" ] || exit 3
echo "made $3" >> calls
mkdir -p "$3/bin" && cp stand-in "$3/bin/python"
"""
# Knows the packages only after pip was run; runs facetracker.py as the shell script that it is here.
VENV_PYTHON = """#!/bin/sh
case "$1 $2" in
    "-c import"*) [ -f installed ] ;;
    "-m pip") echo "$*" >> calls; [ ! -f offline ] && touch installed ;;
    *) sh "$@" ;;
esac
"""


@pytest.fixture
def source_folder(folder: Path) -> Path:
    """The same as a source tree without an environment."""
    shutil.move(folder / "facetracker", folder / "facetracker.py")
    (folder / "bin").mkdir()
    write_program(folder / "bin" / "python3", PYTHON3)
    write_program(folder / "stand-in", VENV_PYTHON)
    return folder


@on_posix
def test_the_environment_is_made_once(source_folder: Path) -> None:
    path = f"{source_folder / 'bin'}:{os.environ['PATH']}"
    for _ in range(2):
        code, shown = run(source_folder, ["", "", "", ""], env={**os.environ, "PATH": path})
        assert code == 0, shown
    assert tracked_with(source_folder) == ["-c", "2", "-F", "24", "-v", "3", "-P", "1"]
    calls = (source_folder / "calls").read_text().splitlines()
    assert calls == ["made .venv", "-m pip install --quiet -r requirements.txt"]


@on_posix
def test_an_installation_that_failed_is_said_and_tried_again(source_folder: Path) -> None:
    environment = {**os.environ, "PATH": f"{source_folder / 'bin'}:{os.environ['PATH']}"}
    (source_folder / "offline").touch()
    code, shown = run(source_folder, [""], env=environment)
    assert code == 1
    assert "could not be installed" in shown
    (source_folder / "offline").unlink()
    assert run(source_folder, ["", "", "", ""], env=environment)[0] == 0


@on_posix
def test_the_packages_looked_for_are_those_required() -> None:
    modules = {"opencv-python": "cv2", "pillow": "PIL", "python-osc": "pythonosc"}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    everywhere = [line for line in lines if line and not line.startswith("#") and ";" not in line]
    names = [re.match(r"[\w-]+", line).group() for line in everywhere]
    expected = sorted(modules.get(name, name.replace("-", "_")) for name in names)
    for script in ("run.sh", "run.bat"):
        listed = re.search(r"import ([\w, ]+)[\"']", (ROOT / script).read_text(encoding="ascii")).group(1)
        assert sorted(listed.split(", ")) == expected, script


def test_the_batch_file_is_one_that_windows_reads() -> None:
    content = (ROOT / "run.bat").read_bytes()
    content.decode("ascii")
    assert content.count(b"\r\n") == content.count(b"\n") > 10
    text = content.decode()
    labels = set(re.findall(r"^:(\w+)", text, re.MULTILINE))
    assert set(re.findall(r"goto (\w+)", text)) == labels
    assert text.rstrip().endswith("exit /b 1") and "pause" in text


def test_both_scripts_track_with_the_same_options() -> None:
    batch, shell = ((ROOT / name).read_text(encoding="ascii") for name in ("run.bat", "run.sh"))
    for option in ("-v 3 -P 1", "--list-cameras 1", "--list-dcaps", "-D ", "-F ", "samples"):
        assert option in batch and option in shell, option


def test_executables_are_built_by_the_spec() -> None:
    for name in ("make_exe.sh", "make_exe.bat"):
        script = (ROOT / name).read_bytes().decode("ascii")
        assert "-m PyInstaller --noconfirm facetracker.spec" in script
        assert ("\r\n" in script) == name.endswith(".bat")
    assert os.access(ROOT / "make_exe.sh", os.X_OK)
