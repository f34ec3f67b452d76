"""The command line is a contract: spelling, type, default and limits of every option."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cli import priority
from cli.options import Options
from cli.parser import build_parser, parse, warnings

TABLE = """
-i --ip                     str    127.0.0.1
-p --port                   int    11573
-l --list-cameras           int    0
-a --list-dcaps             int    None
-W --width                  int    640
-H --height                 int    360
-F --fps                    int    24
-D --dcap                   int    None
-B --blackmagic             int    0
-c --capture                str    0
-M --mirror-input           flag   False
-m --max-threads            int    1
-t --threshold              float  None
-d --detection-threshold    float  0.6
-v --visualize              int    0
-P --pnp-points             int    0
-s --silent                 int    0
   --faces                  int    1
   --scan-retinaface        int    0
   --scan-every             int    3
   --discard-after          int    10
   --max-feature-updates    int    900
   --feature-calibration    choice balanced
   --blendshapes            int    0
   --calibrate              float  0.0
   --profile                str    None
   --show-shapes            int    0
   --no-3d-adapt            int    1
   --try-hard               int    0
   --video-out              str    None
   --video-scale            int    1
   --video-fps              float  24
   --raw-rgb                int    0
   --log-data               str    ''
   --log-output             str    ''
   --model                  int    3
   --model-dir              str    None
   --gaze-tracking          int    1
   --face-id-offset         int    0
   --repeat-video           int    0
   --dump-points            str    ''
   --benchmark              int    0
   --use-dshowcapture       int    1
   --blackmagic-options     str    None
   --priority               int    None
   --execution-provider     str    cpu
   --send                   str    ''
   --smooth                 str    None
   --list-targets           int    0
   --rotate-input           int    0
   --parent-pid             int    None
   --expressions            str    None
   --expression-threshold   float  0.4
   --expression-hotkeys     int    0
   --record                 str    None
   --record-seconds         float  20.0
"""
#: For those that take no other text.
TEXTS = {
    "--send": "vmc://192.168.0.5:39540,warudo", "--smooth": "light", "--rotate-input": "90", "--record-seconds": "30.5",
}  # fmt: skip
LINES = [line.split() for line in TABLE.splitlines() if line]
ROWS = [(spellings, kind, default.replace("''", "")) for *spellings, kind, default in LINES]


@pytest.mark.parametrize(("spellings", "kind", "default"), ROWS, ids=lambda value: str(value))
def test_every_option(spellings: list[str], kind: str, default: str) -> None:
    field, convert = spellings[-1][2:].replace("-", "_"), {"int": int, "float": float}.get(kind, str)
    no_value = {"None": None, "False": False}
    assert getattr(parse([]), field) == (no_value[default] if default in no_value else convert(default))
    for spelling in spellings:
        if kind == "flag":
            assert getattr(parse([spelling]), field) is True
            continue
        values = {"int": "1", "float": "0.5", "str": "some text", "choice": "original"}
        text = TEXTS.get(spelling) or values[kind]
        value = getattr(parse([spelling, text]), field)
        assert value == convert(text)
        assert type(value).__name__ == ("str" if kind == "choice" else kind)
        if kind != "str":
            with pytest.raises(SystemExit) as end:
                parse([spelling, "text"])
            assert end.value.code == 2


def test_no_other_option() -> None:
    known = {spelling for spellings, _, _ in ROWS for spelling in spellings} | {"-h", "--help"}
    assert set(build_parser()._option_string_actions) == known


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model", "-3"], ["--model", "4"], ["-a", "-1"], ["-D", "-1"], ["-F", "0"], ["-c", "/dev/video1"],
        ["--priority", "0"], ["--priority", "5"], ["--video-scale", "4"], ["-p", "1"], ["-p", "65535"],
        ["--video-fps", "29.97"], ["-t", "0"], ["-t", "1"], ["--face-id-offset", "-5"], ["--model=-3"],
        ["--send", "opentrack", "--send", "vts://[::1]:8001?face=1"], ["--smooth", "off"],
        ["--no-3d-adapt", "0"], ["-v", "4", "-P", "2", "-M", "-s", "1"], ["-c", ""],
        ["--feature-calibration", "balanced"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_right_values(arguments: list[str]) -> None:
    assert isinstance(parse(arguments), Options)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-W", "0"], ["-W", "-5"], ["-H", "0"], ["-W", "16385"], ["-p", "0"], ["-p", "65536"], ["-p", "-1"],
        ["-p", "1e3"], ["--faces", "0"], ["--model", "5"], ["--model", "-4"], ["--video-scale", "0"],
        ["--video-scale", "5"], ["--priority", "6"], ["--priority", "-1"], ["-t", "1.5"], ["-t", "nan"],
        ["-d", "-0.1"], ["--video-fps", "0"], ["--video-fps", "inf"], ["-F", "-1"], ["-m", "0"], ["-D", "-2"],
        ["-a", "-2"], ["--scan-every", "-1"], ["--discard-after", "-1"], ["--max-feature-updates", "-1"],
        ["--face-id-offset", "3000000000"], ["--no-such-option"], ["leftover"],
        ["--send", "nowhere"], ["--send", "vmc://:0"], ["--send", ""], ["--smooth", "a little"], ["-p"], ["-p", ""],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_values(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(arguments)
    output = capsys.readouterr()
    assert end.value.code == 2
    assert output.out == ""
    assert output.err.startswith("facetracker: ") and output.err.count("\n") == 1


def test_help_names_every_option_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["-h"])
    text = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0
    for spellings, kind, default in ROWS:
        start = text.index(f" {spellings[-1]} ")
        shown = {"None": "none", "": "none", "False": "off", "24": "24.0" if kind == "float" else "24"}
        assert text[text.index("(default: ", start) :].startswith(f"(default: {shown.get(default, default)})")


def test_what_does_nothing_is_said_once() -> None:
    windows_only = ["-B", "1", "--use-dshowcapture", "1", "--blackmagic-options", "x"]
    for platform in ("linux", "darwin"):
        said = warnings(parse(windows_only), platform)
        assert len(said) == 3
        for option in ("--blackmagic ", "--use-dshowcapture ", "--blackmagic-options "):
            assert sum(option in sentence for sentence in said) == 1
    assert warnings(parse([]), "linux") == []
    assert warnings(parse(["-c", "1", "--dcap", "2", "--priority", "1"]), "linux") == []


def test_too_many_faces_for_a_datagram() -> None:
    assert warnings(parse(["--faces", "39"])) == []
    assert "--faces 40" in warnings(parse(["--faces", "40"]))[0]


@pytest.mark.skipif(sys.platform == "win32", reason="nice levels are POSIX")
def test_priority(root) -> None:
    script = "import os; from cli import priority; priority.set_priority({}); print(os.getpriority(os.PRIO_PROCESS, 0))"
    for level in (0, 1):  # lowering the priority is open to everyone; the nice level is at least this one's
        run = [sys.executable, "-c", script.format(level)]
        nice = subprocess.run(run, cwd=root, capture_output=True, text=True, check=True).stdout
        assert int(nice) == priority.NICE_LEVELS[level]
    assert list(priority.NICE_LEVELS) == sorted(priority.NICE_LEVELS, reverse=True)
    assert len(priority.NICE_LEVELS) == len(priority.WINDOWS_CLASSES) == 6
