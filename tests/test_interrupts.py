"""Ctrl-C in a console, and the end of one: with a stand-in for the system, and in a console of Windows."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import pytest
from program import ROOT

from cli import interrupts
from cli.interrupts import Interrupts

CLIP = ROOT / "samples" / "talking_head.mp4"


class Kernel32:
    """Takes handlers as Windows does."""

    def __init__(self) -> None:
        self.handlers: list = []

    def SetConsoleCtrlHandler(self, handler, add) -> int:
        self.handlers.append(handler) if add else self.handlers.remove(handler)
        return 1


@pytest.fixture
def kernel32(monkeypatch: pytest.MonkeyPatch) -> Kernel32:
    kernel32 = Kernel32()
    monkeypatch.setattr(ctypes, "WinDLL", lambda name: kernel32, raising=False)
    monkeypatch.setattr(ctypes, "WINFUNCTYPE", lambda *types: lambda function: function, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(interrupts, "CONSOLE_PATIENCE", 0)
    return kernel32


@pytest.mark.parametrize("event", interrupts.CONSOLE_ENDS)
def test_the_end_of_a_console_asks_for_the_end(kernel32: Kernel32, event: int) -> None:
    with Interrupts() as caught:
        (handler,) = kernel32.handlers
        seen = []
        system = threading.Thread(target=lambda: seen.append(handler(event)))
        assert caught.wait_for(lambda: [system.start(), system.join(), threading.Event().wait(60)]) is None
        system.join()
        assert seen == [True]
    assert caught.received == signal.SIGTERM
    assert kernel32.handlers == []


def test_keys_are_left_to_python(kernel32: Kernel32) -> None:
    with Interrupts() as caught:
        assert [kernel32.handlers[0](event) for event in (0, 1)] == [False, False]
    assert caught.received is None


@pytest.mark.skipif(sys.platform != "win32", reason="a console of Windows")
def test_ctrl_c_in_a_console_finishes_all_files(tmp_path: Path) -> None:
    log, video = tmp_path / "log.csv", tmp_path / "video.avi"
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "windows_console.py", "ctrl-c", "40",
         sys.executable, ROOT / "facetracker.py", "-c", CLIP, "--repeat-video", "1", "-p", "9",
         "--log-data", log, "--video-out", video],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and "Quitting" in lines, done.stderr
    frames = int(lines[-1].removeprefix("Frames: "))
    written, count = cv2.VideoCapture(str(video)), 0
    while written.grab():
        count += 1
    assert count == frames
    assert len(log.read_text(encoding="utf-8").splitlines()) == frames + 1, "one face in each frame, and the header"
