"""The loop around the tracker: its pace, its end, and frames that can't be tracked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from cli.interrupts import Interrupts
from cli.loop import MAX_FAILURES, Pace, RunError, frames, track_frames
from cli.parser import parse
from tracker import Timings


class Clock:
    """Time that passes only in `sleep` and `work`."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def rounds(clock: Clock, pace: Pace, durations: list[float]) -> list[float]:
    """When each round starts, with rounds that take so many seconds."""
    starts = []
    for duration in durations:
        pace.wait()
        starts.append(clock.now)
        clock.now += duration
    return starts


def test_pace_does_not_drift() -> None:
    clock = Clock()
    starts = rounds(clock, Pace(25, clock, clock.sleep), [0.001 * (i % 30) for i in range(1000)])
    np.testing.assert_allclose(starts, 100 + np.arange(1000) / 25, atol=1e-9)


def test_pace_catches_up_within_a_round_but_never_rushes() -> None:
    clock = Clock()
    starts = rounds(clock, Pace(10, clock, clock.sleep), [0.0, 0.15, 0.0, 5.0, 0.0, 0.0, 0.0])
    # A round that took 0.15 s delays the next one only; after 5 s the schedule starts over.
    np.testing.assert_allclose(np.subtract(starts, 100), [0, 0.1, 0.25, 0.3, 5.3, 5.4, 5.5], atol=1e-9)


def test_pace_without_limit_never_sleeps() -> None:
    clock = Clock()
    assert rounds(clock, Pace(0, clock, clock.sleep), [0.0] * 5) == [100.0] * 5


class FakeReader:
    """Gives frames whose every pixel is their number; None is a moment without a frame."""

    def __init__(self, pictures: list[int | None], is_live: bool = False, repeats: int = 0) -> None:
        self.is_live = is_live
        self.ended = False
        self._pictures = pictures
        self._left = list(pictures)
        self._repeats = repeats

    def is_open(self) -> bool:
        return not self.ended

    def read(self) -> tuple[bool, np.ndarray | None]:
        if not self._left:
            self.ended = True
            return False, None
        value = self._left.pop(0)
        return value is not None, None if value is None else np.full((2, 3, 3), value, np.uint8)

    def restart(self) -> bool:
        self._repeats -= 1
        self._left, self.ended = list(self._pictures), False
        return self._repeats >= 0


def values(reader: FakeReader, *arguments: str) -> list[int]:
    with Interrupts() as interrupts:
        return [int(frame[0, 0, 0]) for _, frame in frames(reader, parse(arguments), interrupts)]


def test_a_file_is_read_once_or_again_and_again() -> None:
    assert values(FakeReader([1, 2, 3])) == [1, 2, 3]
    assert values(FakeReader([1, 2], repeats=2), "--repeat-video", "1") == [1, 2, 1, 2, 1, 2]


def test_a_camera_without_a_frame_is_asked_again() -> None:
    assert values(FakeReader([1, None, None, 2], is_live=True), "-F", "0") == [1, 2]


class FakeWindow:
    """The user presses q when it was asked so many times."""

    def __init__(self, quit_after: int) -> None:
        self.asked = 0
        self._quit_after = quit_after

    def show(self, frame: np.ndarray | None = None) -> bool:
        assert frame is None, "pictures are shown elsewhere"
        self.asked += 1
        return self.asked < self._quit_after


def test_the_window_is_asked_while_a_camera_has_no_frame() -> None:
    reader, window = FakeReader([1, 2, *[None] * 50, 3], is_live=True), FakeWindow(quit_after=7)
    with Interrupts() as interrupts:
        stream = frames(reader, parse(["-F", "0"]), interrupts, window)
        assert [int(frame[0, 0, 0]) for _, frame in stream] == [1, 2]
    assert window.asked == 7


def test_only_a_camera_is_held_to_the_frame_rate() -> None:
    began = time.monotonic()
    values(FakeReader([1] * 200), "-F", "20")
    values(FakeReader([1] * 200, is_live=True), "-F", "0")
    assert time.monotonic() - began < 5  # at 20 a second either would take 10 s
    began = time.monotonic()
    values(FakeReader([1] * 11, is_live=True), "-F", "20")
    assert time.monotonic() - began >= 0.5


def test_capture_time_is_that_of_the_frame() -> None:
    began = time.time()
    with Interrupts() as interrupts:
        times = [at for at, _ in frames(FakeReader([1] * 5, is_live=True), parse(["-F", "50"]), interrupts)]
    assert began <= times[0] and times == sorted(times) and times[-1] <= time.time()
    assert times[-1] - times[0] >= 4 / 50 - 0.02


def test_mirrored_frames() -> None:
    frame = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    reader = FakeReader([1])
    reader.read = lambda: (True, frame)
    with Interrupts() as interrupts:
        _, mirrored = next(frames(reader, parse(["-M"]), interrupts))
    np.testing.assert_array_equal(mirrored, frame[:, ::-1])


class FakeTracker:
    """Fails on frames whose pixels are 1."""

    timings = Timings()

    def predict(self, frame: np.ndarray) -> list[int]:
        if frame.max() == 1:
            raise ValueError("a frame\nthat hurts")
        return [int(frame.max())]


class FakeOutputs:
    """Keeps what is delivered; the user quits after so many frames."""

    def __init__(self, quit_after: int = 10**9) -> None:
        self.delivered: list[tuple[int, list[int]]] = []
        self._quit_after = quit_after

    def deliver(self, number, captured, frame, faces, took, timings) -> bool:
        self.delivered.append((number, faces))
        return len(self.delivered) < self._quit_after


def stream(pixels: list[int]):
    return ((float(i), np.full((1, 1, 3), pixel, np.uint8)) for i, pixel in enumerate(pixels))


def test_frames_that_fail_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = FakeOutputs()
    failing = [1] * (MAX_FAILURES - 1)
    track_frames(stream([5, *failing, 6, *failing, 7]), FakeTracker(), outputs)
    assert outputs.delivered == [(1, [5]), (31, [6]), (61, [7])]
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Frame 2 " in said and "a frame that hurts" in said


def test_thirty_failures_in_a_row_end_the_run() -> None:
    outputs = FakeOutputs()
    with pytest.raises(RunError, match="30 frames in a row .*a frame that hurts"):
        track_frames(stream([5] + [1] * MAX_FAILURES + [5]), FakeTracker(), outputs)
    assert outputs.delivered == [(1, [5])]


def test_the_user_quits() -> None:
    outputs = FakeOutputs(quit_after=2)
    track_frames(stream([5, 6, 7, 8]), FakeTracker(), outputs)
    assert outputs.delivered == [(1, [5]), (2, [6])]


@pytest.mark.skipif(sys.platform == "win32", reason="signals to oneself are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_wait(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        assert interrupts.wait_for(lambda: "done") == "done"
        threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
        began = time.monotonic()
        assert interrupts.wait_for(lambda: time.sleep(30)) is None
        assert time.monotonic() - began < 10
        assert interrupts.received == number
        assert interrupts.wait_for(lambda: "too late") is None
    assert signal.getsignal(number) == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals to oneself are POSIX")
def test_a_signal_does_not_break_off_anything_else() -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        assert interrupts.received == signal.SIGTERM


@pytest.mark.skipif(sys.platform == "win32", reason="signals to oneself are POSIX")
def test_a_second_signal_ends_the_process(root: Path) -> None:
    script = (
        "import os, signal, time\nfrom cli.interrupts import Interrupts\n"
        "with Interrupts():\n"
        "    os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.1); print('noted', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=30)
    assert ended.stdout == "noted\n" and ended.returncode == -signal.SIGTERM
