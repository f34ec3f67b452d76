"""Files that the tracker writes: which are refused, and what happens when one can't be written as fast as it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import write_clip
from program import TERMINATED, command, run, running
from receiver import Receiver

from output.video import LARGE, MAX_REPEATS, VideoSink

posix = pytest.mark.skipif(sys.platform == "win32", reason="links, signals and devices are those of POSIX")


@pytest.fixture
def clip(tmp_path: Path, carphone_frames: list[np.ndarray]) -> Path:
    return write_clip(tmp_path / "clip.avi", carphone_frames[:10])


# --- Two files that are one -------------------------------------------------------------------------------


def refused(*arguments: object, **keywords: object) -> str:
    result = run(*arguments, **keywords)
    assert (result.code, result.out, len(result.err), result.frames) == (2, [], 1, [])
    return result.err[0]


@posix
@pytest.mark.parametrize("option", ["--video-out", "--log-data", "--log-output", "--dump-points"])
@pytest.mark.parametrize("spelling", ["the same", "a link", "a hard link", "a way round"])
def test_the_input_is_never_overwritten(clip: Path, option: str, spelling: str) -> None:
    before = clip.read_bytes()
    other = clip.with_name("other.avi")
    if spelling == "a link":
        other.symlink_to(clip)
    elif spelling == "a hard link":
        other.hardlink_to(clip)
    elif spelling == "a way round":
        other = Path(f"{clip.parent}/../{clip.parent.name}/./{clip.name}")
    else:
        other = clip
    said = refused("-c", clip, option, other)
    assert option in said and "would overwrite the input" in said
    assert clip.read_bytes() == before


def test_two_outputs_of_one_name(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    one, other = tmp_path / "log.csv", tmp_path / "folder" / ".." / "log.csv"
    said = refused("-c", clip, "--log-data", one, "--log-output", other)
    assert "would overwrite the file of --log-data" in said
    assert not one.exists()


@posix
def test_a_link_to_a_file_that_is_not_there_yet(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "log.csv")
    refused("-c", clip, "--log-data", tmp_path / "log.csv", "--log-output", tmp_path / "link.csv")


@posix
@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_files_of_the_shell(clip: Path, tmp_path: Path, stream: str) -> None:
    path = tmp_path / "stream"
    path.write_bytes(clip.read_bytes() if stream == "stdin" else b"")
    capture = "/dev/stdin" if stream == "stdin" else clip
    with open(path, "r+b") as file:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: file}
        done = subprocess.run(command("-c", capture, "--log-data", path, "-p", 9), **streams, timeout=60)
    assert done.returncode == 2
    if stream == "stdin":
        assert path.read_bytes() == clip.read_bytes()


@posix
def test_devices_may_be_named_twice(clip: Path) -> None:
    assert run("-c", clip, "--log-data", "/dev/null", "--log-output", "/dev/null").code == 0


@pytest.mark.parametrize(
    ("option", "name"), [("--log-data", "a.csv"), ("--log-output", "a.txt"), ("--video-out", "a.avi")]
)
def test_two_trackers_and_one_file(clip: Path, tmp_path: Path, receiver: Receiver, option: str, name: str) -> None:
    file = tmp_path / name
    with running("-c", clip, "--repeat-video", 1, option, file, "--port", receiver.port) as process:
        receiver.wait_for(5)
        assert "is being written by another tracker" in refused("-c", clip, option, file)
        process.terminate()
        assert process.wait(30) == TERMINATED
    if option == "--log-data":
        lines = file.read_text().splitlines()
        assert len({line.count(",") for line in lines}) == 1
    assert run("-c", clip, option, file).code == 0, "later it is free"


def test_a_killed_tracker_leaves_its_file_free(clip: Path, tmp_path: Path, receiver: Receiver) -> None:
    with running("-c", clip, "--repeat-video", 1, "--log-data", tmp_path / "a.csv", "--port", receiver.port) as process:
        receiver.wait_for(3)
        process.kill()
        process.wait()
    assert run("-c", clip, "--log-data", tmp_path / "a.csv").code == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize(("option", "code"), [("--log-data", 1), ("--log-output", 0)])
def test_a_disk_that_is_full_from_the_start(clip: Path, option: str, code: int) -> None:
    result = run("-c", clip, "--silent", 1, option, "/dev/full")
    assert result.code == code and len(result.err) == 1
    assert "/dev/full" in result.err[0] and "No space left" in result.err[0]


# --- The video --------------------------------------------------------------------------------------------


def pictures(path: Path) -> list[int]:
    """The shade of every frame."""
    video, shades = cv2.VideoCapture(str(path)), []
    while (frame := video.read())[0]:
        shades.append(int(frame[1][0, 0, 0]))
    return shades


def shade(value: int) -> np.ndarray:
    return np.full((48, 64, 3), value, np.uint8)


@posix
def test_an_encoder_that_stands_still_holds_nobody_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sink = VideoSink(tmp_path / "a.avi", live=True)
    for value in range(5):
        sink.write(shade(value))
        time.sleep(0.2)
    os.kill(sink._encoder.pid, signal.SIGSTOP)
    began = time.monotonic()
    for value in range(5, 45):  # more than the pipe and the queue hold
        sink.write(shade(value))
    held_up = time.monotonic() - began
    os.kill(sink._encoder.pid, signal.SIGCONT)
    time.sleep(1)
    for value in (200, 201):
        sink.write(shade(value))
    sink.close()
    assert held_up < 2
    shades = pictures(tmp_path / "a.avi")
    assert len(shades) == 47, "as long as the time was"
    assert shades[:5] == list(range(5)) and shades[-2:] == [200, 201] and shades == sorted(shades)
    left_out = 47 - len(set(shades))
    assert 20 < left_out < 40
    first, last = capsys.readouterr().err.splitlines()
    assert "can't be written as fast as frames come" in first and f"{left_out} frames were left out" in last


@posix
def test_what_is_repeated_has_a_bound(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "a.avi", live=True)
    sink.write(shade(1))
    time.sleep(1)
    os.kill(sink._encoder.pid, signal.SIGSTOP)
    for number in range(5 * MAX_REPEATS):
        sink.write(shade(2))
        if number < 0.6 * MAX_REPEATS:
            time.sleep(0.02)  # until the pipe to the encoder is full: what is left out from then on is one gap
    os.kill(sink._encoder.pid, signal.SIGCONT)
    sink.close()
    assert MAX_REPEATS < len(pictures(tmp_path / "a.avi")) < 2 * MAX_REPEATS


@posix
def test_a_file_is_recorded_whole_however_long_it_takes(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "a.avi")
    sink.write(shade(0))
    for value in range(1, 30):
        if value % 10 == 0:
            subprocess.Popen(["sh", "-c", f"kill -STOP {sink._encoder.pid}; sleep 0.3; kill -CONT {sink._encoder.pid}"])
        sink.write(shade(value))
    sink.close()
    assert pictures(tmp_path / "a.avi") == list(range(30))


@pytest.mark.parametrize(("size", "codec"), [((320, 180), b"FFV1"), ((1280, 720), b"HFYU")])
def test_large_pictures_are_lossless_too(tmp_path: Path, size: tuple[int, int], codec: bytes) -> None:
    assert (size[0] * size[1] > LARGE) == (codec == b"HFYU")
    frames = list(np.random.default_rng(2).integers(0, 255, (3, size[1], size[0], 3), dtype=np.uint8))
    with VideoSink(tmp_path / "a.avi") as sink:
        for frame in frames:
            sink.write(frame)
    video = cv2.VideoCapture(str(tmp_path / "a.avi"))
    assert int(video.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").upper() == codec
    for frame in frames:
        np.testing.assert_array_equal(video.read()[1], frame)


@posix
def test_a_container_without_a_folder_for_temporary_files(clip: Path, tmp_path: Path) -> None:
    """`tempfile` looks at TMPDIR, /tmp, /var/tmp, /usr/tmp and the working folder; here none of them will do."""
    arguments = ["-c", str(clip), "--video-out", str(tmp_path / "out.avi"), "-p", "9"]
    (tmp_path / "start.py").write_text(
        "import sys, tempfile, facetracker\n"
        "tempfile._candidate_tempdir_list = lambda: ['/nowhere']\n"
        "if __name__ == '__main__':\n"
        f"    sys.exit(facetracker.main({arguments!r}))\n"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, tmp_path / "start.py"],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and "tempor" not in done.stderr, done.stderr
    assert len(pictures(tmp_path / "out.avi")) == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi", "out.avi", "start.py"]


@posix
def test_hardly_any_file_may_be_open(clip: Path, tmp_path: Path) -> None:
    line = ["sh", "-c", 'ulimit -n 12 && exec "$@"', "sh", *command("-c", clip, "-s", 1, "-p", 9)]
    assert subprocess.run(line, capture_output=True, timeout=60).returncode == 0
    video = tmp_path / "out.avi"
    done = subprocess.run([*line, "--video-out", video], capture_output=True, text=True, timeout=60)
    if done.returncode:  # how many an encoder needs is the system's business
        (said,) = [line for line in done.stderr.splitlines() if "no program listens" not in line]
        assert said == f"{video}: Too many open files (ulimit -n allows more)." and not video.exists()
