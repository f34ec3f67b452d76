"""The receiver: what it prints and plots, and that a recording comes back as it was."""

import io
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_faces import make_face
from program import WINE

from sending import receive
from sending.packet import decode, encode
from sending.receive import read_recording, replay, write_recording


def datagram(seed: int = 0, faces: int = 1) -> bytes:
    return encode([make_face(seed + i) for i in range(faces)], 1.0, 640, 360)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def recording(entries: list[tuple[float, bytes]]) -> io.BytesIO:
    file = io.BytesIO()
    append, now = write_recording(file), 100.0
    for delay, data in entries:
        now += delay
        append(now, data)
    file.seek(0)
    return file


def start(root, *arguments, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "sending.receive", *map(str, arguments)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, of which these tests may be one, ignore Ctrl-C and hand that on.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler) if os.name == "posix" else None,
        **options,
    )


def test_a_recording_comes_back():
    entries = [(0.0, datagram(0)), (0.5, datagram(1, faces=3)), (0.25, datagram(2))]
    assert list(read_recording(recording(entries))) == entries


def test_the_format_is_the_one_described():
    data = recording([(0.0, datagram(0)), (0.5, datagram(1))]).getvalue()
    assert data[:8] == b"OSFREC1\n"
    assert struct.unpack_from("<dI", data, 8) == (0.0, 1785)
    assert data[20 : 20 + 1785] == datagram(0)
    assert struct.unpack_from("<dI", data, 20 + 1785) == (0.5, 1785)
    assert len(data) == 8 + 2 * (12 + 1785)


def test_a_recording_that_was_cut_short():
    data = recording([(0.0, datagram(0)), (0.5, datagram(1))]).getvalue()
    for end in (len(data) - 1, len(data) - 1785, len(data) - 1786, len(data) - 1796):
        assert list(read_recording(io.BytesIO(data[:end]))) == [(0.0, datagram(0))]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.booleans(), st.integers(0, 3000), st.integers(0, 255))
def test_a_damaged_recording_gives_datagrams_or_value_error(data, with_magic, place, value):
    whole = bytearray(recording([(0.0, datagram(0)), (0.5, datagram(1))]).getvalue())
    whole[place] = value
    for content in (receive.MAGIC + data if with_magic else data, bytes(whole)):
        try:
            for delay, sent in read_recording(io.BytesIO(content)):
                assert 0 <= delay <= 86400 and 0 < len(sent) <= 65507
        except ValueError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("delay", [float("nan"), float("inf"), -1.0, 1e9])
def test_a_pause_that_can_not_be(delay):
    with pytest.raises(ValueError, match="damaged"):
        list(read_recording(io.BytesIO(receive.MAGIC + struct.pack("<dI", delay, 1785) + datagram())))


@pytest.mark.parametrize("length", [0, 65508, 2**32 - 1])
def test_a_length_that_can_not_be(length):
    with pytest.raises(ValueError, match="damaged"):
        list(read_recording(io.BytesIO(receive.MAGIC + struct.pack("<dI", 0.0, length) + datagram())))


def test_replay_keeps_the_timing():
    came: list[float] = []
    begin = time.monotonic()
    entries = [(0.0, b"a"), (0.2, b"b"), (0.1, b"c")]
    # To the microsecond: a clock with coarse steps may show both ends of a wait exactly, and their difference rounded.
    assert replay(iter(entries), lambda _: came.append(round(time.monotonic() - begin, 6))) == 3
    assert came[1] >= 0.2 and came[2] >= 0.3


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or sys.platform == "win32", reason="Ctrl-C is sent as on POSIX")
def test_as_a_program_it_prints_records_and_replays(root, receiver, tmp_path):
    port, file = free_port(), tmp_path / "talk.osfrec"
    process = start(root, "--port", port, "--record", file)
    assert "Listening" in process.stderr.readline()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        sender.send(datagram(0))
        sender.send(b"what is this")
        sender.send(b"what is this")
        time.sleep(0.3)
        sender.send(datagram(5, faces=2))
    header = process.stdout.readline()
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.count("\n") == 1 and "no tracking data" in said
    assert [line.split()[0] for line in lines] == ["0", "5", "6"]
    assert len({len(line) for line in lines}) == 1 and len(header.split()) > 5
    face = make_face(5)
    assert f"{face.pnp_error:.2f}" in lines[1] and f"{face.current_features['mouth_open']:.2f}" in lines[1]

    again = start(root, "--replay", file, "--port", receiver.port)
    out, err = again.communicate(timeout=60)
    assert (again.returncode, out, err) == (0, "2 datagrams sent.\n", "")
    receiver.wait_for(2)
    assert receiver.close() == [datagram(0), datagram(5, faces=2)]
    (_, _), (pause, _) = read_recording(io.BytesIO(file.read_bytes()))
    assert 0.2 < pause < 30


@pytest.mark.skipif(sys.platform != "win32", reason="a console of Windows")
def test_ctrl_c_in_a_console_of_windows_ends_it(root):
    ended = subprocess.run(
        [sys.executable, root / "tests" / "windows_console.py", "ctrl-c", "1",
         sys.executable, "-m", "sending.receive", "--port", str(free_port())],
        cwd=root, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 0 and ended.stderr.count("\n") == 1 and "Listening" in ended.stderr


def test_any_bytes_are_survived(capsys, recwarn):
    """Right lengths with any content: not-a-number, infinities."""
    rng = np.random.default_rng(0)
    table = receive.Table()
    for _ in range(50):
        assert table.show(0.0, decode(rng.bytes(1785 * 2)))
    assert table.show(0.0, decode(b"\xff" * 1785))
    assert len(capsys.readouterr().out.splitlines()) == 1 + 101
    assert not recwarn.list


def test_on_a_terminal_the_table_renews_itself(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    table = receive.Table()
    for i in range(10):
        table.show(0.06 * i, decode(datagram(0, faces=2)))
    text = sys.stdout.getvalue()
    assert text.count("\033[4A") == 4 and text.count("datagrams in the last second") == 5
    assert "  10 datagrams" not in text and "   9 datagrams" in text


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["--port", "0"], 1),
        (["--port", "70000"], 1),
        (["--ip", "no-such-host.invalid"], 1),
        pytest.param(
            ["--ip", "192.0.2.1"], 1, marks=pytest.mark.skipif(WINE, reason="Wine listens at any address")
        ),
        (["--replay", "no such file"], 1),
        (["--replay", __file__], 1),
        (["--replay", __file__, "--port", "0"], 1),
        (["--replay", "."], 1),
        (["--record", "no/such/folder/file", "--port", "{free}"], 1),
        (["--replay", "a", "--record", "b"], 2),
        (["--replay", "a", "--plot"], 2),
        (["--port", "x"], 2),
    ],
)
def test_bad_input_gives_one_sentence(arguments, code, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    arguments = [argument.replace("{free}", str(free_port())) for argument in arguments]
    try:
        ended = receive.main(arguments)
    except SystemExit as error:
        ended = error.code
    assert ended == code
    err = capsys.readouterr().err
    assert "Traceback" not in err and err
    if code == 1:
        assert err.count("\n") == 1 and err.endswith(".\n")


def test_a_port_that_is_taken(receiver, capsys):
    assert receive.main(["--port", str(receiver.port)]) == 1
    assert str(receiver.port) in capsys.readouterr().err


def test_plot_without_matplotlib(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert receive.main(["--plot", "--port", str(free_port())]) == 1
    assert capsys.readouterr().err == "--plot needs matplotlib: pip install matplotlib.\n"


def test_plot_draws_what_arrives(tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "agg")
    matplotlib.use("agg", force=True)
    plot = receive.Plot()
    assert plot.show(1.0, decode(datagram(3)))
    assert plot.show(2.0, decode(b"\xff" * 1785))  # not finite: not drawn
    axes = plot.figure.axes
    drawn = axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(drawn, decode(datagram(3))[0]["points"][:66])
    widths = [bar.get_width() for bar in axes[2].patches]
    assert widths[2:] == pytest.approx(list(make_face(3).current_features.values()), rel=1e-6)
    matplotlib.pyplot.close(plot.figure)
    assert not plot.show(3.0, decode(datagram(3)))


def test_plot_without_a_display(root):
    pytest.importorskip("matplotlib")
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    if sys.platform != "linux":
        pytest.skip("other systems always have a desktop")
    process = start(root, "--plot", "--port", free_port(), env=environment)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1 and err.count("\n") == 1 and "display" in err
