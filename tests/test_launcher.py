"""The tracker as Unity's launcher starts it: one string for a command line, all streams pipes, ended by killing it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from program import ROOT, TERMINATED
from receiver import Receiver

from cli.quoting import mended, split_plainly

CLIP = ROOT / "samples" / "talking_head.mp4"
windows = pytest.mark.skipif(sys.platform != "win32", reason="elsewhere a program gets its arguments one by one")


def launch(arguments: str) -> subprocess.Popen:
    """Starts the tracker with a command line in one string, where the system has such."""
    line = f'"{sys.executable}" "{ROOT / "facetracker.py"}" {arguments}'
    command = line if sys.platform == "win32" else [part for part in split_plainly(line) if part]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT.parent, **pipes)


def lines_of(arguments: str) -> list[str]:
    """What the launcher makes of a run that ends by itself: its output, split into lines."""
    process = launch(arguments)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err.decode()
    return out.decode("utf-8").splitlines()


def test_each_camera_is_a_line() -> None:
    names = lines_of("--list-cameras 2")
    assert [f"{number}: {name}" for number, name in enumerate(names)] == lines_of("--list-cameras 1")[1:]


def test_each_model_is_a_number() -> None:
    lines = lines_of("--benchmark 1 --priority 2 --max-threads 1")
    assert len(lines) == 7 and all(float(line) >= 0 for line in lines)


def test_a_run_with_quoted_paths(receiver: Receiver, tmp_path: Path) -> None:
    models = tmp_path / "my models ü"
    models.mkdir()
    for file in (ROOT / "models").glob("*.onnx"):
        shutil.copy(file, models)
    process = launch(
        f'--ip 127.0.0.1 --port {receiver.port} --model-dir "{models}{os.sep}" --capture "{CLIP}" --repeat-video 1 '
        "--silent 1 --max-threads 1"
    )
    try:
        receiver.wait_for(10)
        process.terminate()
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, out, err) == (TERMINATED, b"", b"")


@windows
def test_several_paths_that_end_in_backslashes(tmp_path: Path) -> None:
    process = launch(f'--model-dir "{tmp_path}\\no models\\" --log-data "{tmp_path}\\no folder\\" -c "{CLIP}"')
    _, err = process.communicate(timeout=60)
    assert process.returncode and b"no models" in err and b'"' not in err


# --- How such a line is read ------------------------------------------------------------------------------

LINE = r'"C:\Program Files\t.exe" --model-dir "C:\my models\" --capture "D:\a b\" --silent 1'
SPLIT_BY_WINDOWS = [r"--model-dir", r'C:\my models" --capture D:\a', 'b"', "--silent", "1"]


def test_what_windows_makes_of_the_line_is_mended() -> None:
    meant = ["--model-dir", "C:\\my models\\", "--capture", "D:\\a b\\", "--silent", "1"]
    assert mended(SPLIT_BY_WINDOWS, LINE) == meant


def test_what_comes_before_the_arguments_does_not_matter() -> None:
    python = LINE.replace('"C:\\Program Files\\t.exe"', r'python -X utf8 "C:\my tracker\facetracker.py"')
    assert mended(SPLIT_BY_WINDOWS, python)[:2] == ["--model-dir", "C:\\my models\\"]


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        (r't.exe --model-dir "C:\my models" -s 1', ["--model-dir", r"C:\my models", "-s", "1"]),
        (r't.exe --model-dir "C:\my models\\" -s 1', ["--model-dir", "C:\\my models\\", "-s", "1"]),
        (r't.exe --model-dir C:\models\ -s 1', ["--model-dir", "C:\\models\\", "-s", "1"]),
        (r't.exe --send "livelink://?subject=\"me\"here"', ["--send", 'livelink://?subject="me"here']),
    ],
)  # fmt: skip
def test_what_was_read_right_stays(line: str, arguments: list[str]) -> None:
    assert mended(arguments, line) == arguments


def test_a_path_at_the_end() -> None:
    assert mended(["--model-dir", 'C:\\my models"'], r't.exe --model-dir "C:\my models\"') == [
        "--model-dir",
        "C:\\my models\\",
    ]


def test_quotation_marks_hold_together() -> None:
    assert split_plainly('a  "b c"d "" \t"e') == ["a", "b cd", "", "e"]
