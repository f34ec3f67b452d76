"""What `--send` takes, and what it says about what it does not take."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from program import ROOT, run

from cli.parser import parse
from sending.targets import PROGRAMS, PROTOCOLS, lines, read_targets

PROGRAM_NAMES = ("vseeface", "vtubestudio", "vmagicmirror", "warudo", "vnyan", "inochi", "snekstudio", "blender",
                 "unreal", "vrchat", "opentrack")  # fmt: skip
PROTOCOL_NAMES = ("vmc://", "ifacialmocap://", "vts://", "opentrack://", "livelink://", "vtsphone://")
NAMED = [*PROGRAM_NAMES, *PROTOCOL_NAMES]


@pytest.mark.parametrize("name", NAMED)
def test_every_promised_name_is_a_target(name: str) -> None:
    (target,) = read_targets(name)
    assert target.host in ("127.0.0.1", "localhost") and target.needs_shapes == ("opentrack" not in name)


@pytest.mark.parametrize(
    ("text", "protocol", "host", "port"),
    [
        ("vmc://192.168.0.5:39540", "vmc", "192.168.0.5", 39540),
        ("ifacialmocap://", "ifacialmocap", "127.0.0.1", 49983),
        ("vts://localhost:8001", "vts", "localhost", 8001),
        ("opentrack://", "opentrack", "127.0.0.1", 4242),
        ("livelink://pc.local", "livelink", "pc.local", 11111),
        ("vtsphone://", "vtsphone", "127.0.0.1", 21412),
        ("vtsphone://0.0.0.0:5", "vtsphone", "0.0.0.0", 5),
        ("VSeeFace", "vmc", "127.0.0.1", 39540),
        ("warudo://10.0.0.2", "ifacialmocap", "10.0.0.2", 49983),
        ("vmc://[fe80::1]:1", "vmc", "fe80::1", 1),
        ("vmc://::1", "vmc", "::1", 39539),
        ("vmc://:39541/?face=1&mirror=1", "vmc", "127.0.0.1", 39541),
    ],
)
def test_places(text: str, protocol: str, host: str, port: int) -> None:
    (target,) = read_targets(text)
    assert (target.protocol, target.host, target.port) == (protocol, host, port)


def test_settings() -> None:
    (target,) = read_targets("vmc://?face=2&mirror=1&bones=0&names=pascal&presets=vrm0")
    assert target.face == 2 and target.on("mirror", False) and not target.on("bones", True)
    (plain,) = read_targets("vmc://")
    assert plain.face is None and not plain.on("mirror", False) and plain.on("bones", True)


def test_several_by_commas_and_by_the_option_again() -> None:
    options = parse(["--send", "vseeface, warudo", "--send", "opentrack"])
    assert [target.text for target in read_targets(options.send)] == ["vseeface", "warudo", "opentrack"]


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "nowhere", "http://localhost", "vmc://:0", "vmc://:65536", "vmc://:-1", "vmc://:http", "vmc://host:",
        "vmc://[::1", "vmc://[::1]8", "vmc://?colour=red", "vmc://?face=-1", "vmc://?face=one", "vmc://?mirror=yes",
        "vmc://?names=upper", "opentrack://?bones=0", "livelink://?subject=", "vseeface,nowhere", "vmc://:１２",
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        read_targets(text)
    assert "\n" not in str(refused.value)


def test_an_unknown_name_ends_with_the_list() -> None:
    result = run("--send", "nowhere")
    assert result.code == 2 and len(result.err) == 1
    assert all(name in result.err[0] for name in NAMED)


def test_a_host_that_nobody_knows_is_one_sentence() -> None:
    result = run("-c", ROOT / "samples" / "talking_head.mp4", "--send", "vmc://no.such.host.invalid")
    assert result.code == 1 and len(result.err) == 1 and "no.such.host.invalid" in result.err[0]


def test_the_list() -> None:
    result = run("--list-targets", 1)
    assert result.code == 0 and result.err == []
    assert result.out == list(lines())
    for name, program in PROGRAMS.items():
        (line,) = [line for line in result.out if line.startswith(f"{name} ")]
        assert PROTOCOLS[program.protocol].title in line and str(program.port) in line and program.switch_on in line
    for name, protocol in PROTOCOLS.items():
        assert any(re.match(rf"{name}:// .*:{protocol.port}\b", line) for line in result.out)


def test_the_command_line_stays_quick() -> None:
    """Options are read before numpy loads, as its thread limits come from them; senders load when they are used."""
    heavy = "numpy", "websockets", "pythonosc"
    script = f"import sys, cli.parser; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
