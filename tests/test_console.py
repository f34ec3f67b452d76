"""The lines that host programs and people read."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from make_faces import make_face

from output.console import Console, warn, write_line

TRACKED = SimpleNamespace(detect=1.0, crop=2.126, track=13.5, points_3d=0.25)
NOTHING = SimpleNamespace(detect=4.5, crop=0.0, track=0.0, points_3d=0.0)


def test_the_lines(capsys):
    with Console() as console:
        console.frame(4.514, NOTHING, [])
        console.frame(17.0, TRACKED, [])
        console.frame(20.0, TRACKED, [make_face(0, conf=0.912345, pnp_error=2.00004, eye_blink=(0.31, 0.30))])
        faces = [make_face(0, conf=1.0, pnp_error=1.5, eye_blink=None)]
        faces.append(make_face(3, conf=0.5, pnp_error=0.25, eye_blink=(0.0, 1.0)))
        console.frame(31.0, TRACKED, faces, face_id_offset=10)
        console.summary()
    assert capsys.readouterr().out.splitlines() == [
        "Took 4.51ms",
        "Took 17.00ms (detect: 1.00ms, crop: 2.13ms, track: 13.50ms, 3D points: 0.25ms)",
        "Took 20.00ms (detect: 1.00ms, crop: 2.13ms, track: 13.50ms, 3D points: 0.25ms)",
        "Confidence[0]: 0.9123 / 3D fitting error: 2.0000 / Eyes: -, O",
        "Took 31.00ms (detect: 1.00ms, crop: 2.13ms, track: 13.50ms, 3D points: 0.25ms)",
        "Confidence[10]: 1.0000 / 3D fitting error: 1.5000 / Eyes: O, O",
        "Confidence[13]: 0.5000 / 3D fitting error: 0.2500 / Eyes: O, -",
        "Average tracking time per detected face: 17.00 ms",
        "Tracking time: 0.051 s",
        "Frames: 2",
    ]


def test_no_summary_without_a_face(capsys):
    with Console() as console:
        console.frame(4.5, NOTHING, [])
        capsys.readouterr()
        console.summary()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("silent", [False, True])
def test_the_copy_holds_output_and_warnings(tmp_path, capsys, silent):
    with Console(silent, str(tmp_path / "log.txt")) as console:
        console.frame(4.5, NOTHING, [])
        warn("Gefahr: Kamera „Ä“")
        assert (tmp_path / "log.txt").read_text("utf-8").splitlines() == ["Took 4.50ms", "Gefahr: Kamera „Ä“"]
        console.line("Quitting")
    warn("afterwards")
    lines = (tmp_path / "log.txt").read_text("utf-8").splitlines()
    assert lines == ["Took 4.50ms", "Gefahr: Kamera „Ä“", "Quitting"]
    out, err = capsys.readouterr()
    assert out == ("" if silent else "Took 4.50ms\nQuitting\n")
    assert err == "Gefahr: Kamera „Ä“\nafterwards\n"


def test_a_copy_that_can_not_be_opened(tmp_path):
    with pytest.raises(OSError):
        Console(False, str(tmp_path / "no" / "log.txt"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_copy_that_can_not_be_written(capsys):
    with Console(False, "/dev/full") as console:
        for _ in range(3):
            console.line("still here")
    out, err = capsys.readouterr()
    assert out == "still here\n" * 3
    assert err.count("\n") == 1 and "No space left" in err


def run(root, program: str, **environment) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", "from output.console import *\n" + program],
        cwd=root,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp932", "cp1252", "utf-8"])
def test_any_code_page(root, encoding):
    program = "Console().line('Kamera Ä ねこ \\ud800'); warn('Ж ねこ')"
    out, err = run(root, program, PYTHONIOENCODING=encoding, PYTHONUTF8="0").communicate(timeout=60)
    text = out.decode(encoding)
    assert text.startswith("Kamera ") and text.endswith(" \\ud800" + os.linesep)
    assert ("ねこ" in text) == (encoding in ("cp932", "utf-8"))
    assert ("\\u306d" in text) == (encoding not in ("cp932", "utf-8"))
    assert err.decode(encoding, "strict").count("\n") == 1 and b"Traceback" not in err


def test_a_reader_that_goes_away(root):
    program = (
        "import sys\n"
        "console = Console()\n"
        "console.line('first')\n"
        "sys.stdin.readline()\n"
        "for i in range(10000): console.line('more and more')\n"
        "print('and from elsewhere')\n"
        "warn('still alive')\n"
    )
    process = run(root, program)
    assert process.stdout.readline().strip() == b"first"
    process.stdout.close()
    process.stdin.write(b"go\n")
    process.stdin.flush()
    err = process.stderr.read()
    assert process.wait(60) == 0
    assert err.split() == [b"still", b"alive"]
    process.stdin.close()
    process.stderr.close()


def test_a_parent_sees_each_line_at_once(root):
    process = run(root, "import sys\nConsole().line('now')\nwarn('and now')\nsys.stdin.readline()\n")
    assert process.stdout.readline().strip() == b"now"
    assert process.stderr.readline().strip() == b"and now"
    assert process.poll() is None
    process.communicate(b"\n", timeout=60)


def test_without_a_console(monkeypatch, tmp_path):
    """A program that Windows starts without a console has no streams."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert not write_line(None, "nothing")
    with Console(False, str(tmp_path / "log.txt")) as console:
        console.line("one")
        warn("two")
        console.line("three")
    assert (tmp_path / "log.txt").read_text().split() == ["one", "two", "three"]
