"""Video through standard input and named pipes, as `ffmpeg … | facetracker.py -c -` and `<(ffmpeg …)` give it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import write_clip
from program import ROOT, command, run

from input_reader import InputError, InputReader

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="named pipes are another thing there")


@pytest.fixture
def clip(tmp_path: Path, carphone_frames: list[np.ndarray]) -> Path:
    return write_clip(tmp_path / "clip.mkv", carphone_frames[:20])


def read(capture: object) -> tuple[int, InputReader]:
    count = 0
    with InputReader(str(capture), 0, 640, 360, 24) as reader:
        while reader.is_open():
            count += reader.read()[0]
    return count, reader


def written_later(pipe: Path, content: bytes, pause: float = 0.5) -> threading.Thread:
    """Somebody who opens a pipe after a while, and waits again in the middle."""

    def write() -> None:
        time.sleep(pause)
        with open(pipe, "wb", buffering=0) as file:
            file.write(content[:5000])
            time.sleep(pause)
            file.write(content[5000:])

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


def test_a_named_pipe(clip: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = written_later(tmp_path / "pipe", clip.read_bytes())
    count, reader = read(tmp_path / "pipe")
    writer.join()
    assert count == 20 and reader.ended and reader.failure is None and not reader.is_live
    assert reader.video_rate == 25 and reader.video_time == pytest.approx(19 / 25)
    assert not reader.restart()


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input(clip: Path, name: str) -> None:
    result = run("-c", name, stdin=clip.read_bytes())
    assert (result.code, result.err, len(result.frames)) == (0, [], 20)


def test_a_process_substitution(clip: Path) -> None:
    line = f"exec {' '.join(command('-s', 1, '-p', 9, '-c'))} <(cat {clip})"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_file_as_standard_input(clip: Path) -> None:
    with open(clip, "rb") as file:
        done = subprocess.run(command("-c", "/dev/stdin", "-p", 9), stdin=file, capture_output=True, text=True)
    assert done.returncode == 0 and "Frames: 20" in done.stdout


@pytest.mark.parametrize("content", [b"", b"nothing that anybody could show\n" * 300])
def test_what_is_no_video_is_one_sentence(content: bytes) -> None:
    result = run("-c", "-", stdin=content)
    assert result.code == 1 and len(result.err) == 1 and "standard input" in result.err[0].lower()


def test_an_mp4_through_a_pipe_is_explained(tmp_path: Path, root: Path) -> None:
    result = run("-c", "-", stdin=(root / "samples" / "talking_head.mp4").read_bytes())
    if result.code:  # its index is at its end
        assert len(result.err) == 1 and "an MP4 can't come through a pipe unless" in result.err[0]


def test_a_terminal_as_standard_input() -> None:
    ours, theirs = os.openpty()
    for name in ("-", "/dev/stdin"):
        done = subprocess.run(command("-c", name), stdin=theirs, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "is a terminal" in done.stderr and done.stderr.count("\n") == 1
    os.close(ours)
    os.close(theirs)


def test_a_pipe_whose_writer_goes_away(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=lambda: open(tmp_path / "pipe", "wb").close(), daemon=True).start()
    count, reader = read(tmp_path / "pipe")
    assert count == 0 and "ends before anything came" in reader.failure


def test_a_silent_pipe_holds_nobody_up(clip: Path, tmp_path: Path) -> None:
    """Neither who reads it, nor a video beside it, nor the end."""
    os.mkfifo(tmp_path / "pipe")
    reader = InputReader(str(tmp_path / "pipe"), 0, 640, 360, 24)
    began = time.monotonic()
    assert reader.read() == (False, None) and reader.is_open() and not reader.is_ready()
    assert read(clip)[0] == 20
    reader.close()
    assert time.monotonic() - began < 5
    assert not [thread for thread in threading.enumerate() if "pipe" in thread.name]


SILENT = """
import os, sys, threading
sys.path.insert(0, {root!r})
from input_reader import InputReader
reader = InputReader("0", 1, 4, 3, 24)
for _ in range(3):
    assert reader.read() == (False, None)
reader.close()
print("over")
"""


def test_the_program_ends_while_raw_frames_are_waited_for() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SILENT.format(root=str(ROOT))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.wait(30) == 0
        assert process.stdout.read() == b"over\n" and process.stderr.read() == b""
    finally:
        process.kill()
        process.communicate()


def test_raw_frames_through_a_pipe_that_does_not_wait() -> None:
    """As programs that are written for many connections at once leave it."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as file:
            for _ in range(6):
                time.sleep(0.05)
                file.write(bytes(12))

    threading.Thread(target=write).start()
    with os.fdopen(reading, "rb", buffering=0) as stream, InputReader("0", 1, 4, 3, 24, stdin=stream) as reader:
        count = 0
        while reader.is_open():
            count += reader.read()[0]
    assert count == 2 and reader.ended


def test_a_socket_is_no_file(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(InputError, match="no file"):
            InputReader(str(tmp_path / "s"), 0, 640, 360, 24)
