"""What is special about Windows: processes that end without a word, jobs, long names, code pages, consoles."""

from __future__ import annotations

import ctypes
import locale
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from program import ROOT, command, config_folder_in, run, running
from receiver import Receiver

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="Windows' own ways")

CLIP = ROOT / "samples" / "talking_head.mp4"
ENDLESS = ("-c", CLIP, "--repeat-video", 1, "-s", 1)


def frames_in(video: Path) -> int:
    capture, count = cv2.VideoCapture(str(video)), 0
    while capture.isOpened() and capture.grab():
        count += 1
    capture.release()
    return count


def wait_until(true: Callable[[], bool], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def visible_consoles() -> set[int]:
    """The windows of consoles on the screen."""
    user32, found = ctypes.WinDLL("user32"), set()

    @ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    def look(window: int, _: int) -> int:
        name = ctypes.create_unicode_buffer(64)
        user32.GetClassNameW(ctypes.c_void_p(window), name, 64)
        if user32.IsWindowVisible(ctypes.c_void_p(window)) and "Console" in name.value:
            found.add(window)
        return 1

    user32.EnumWindows(look, None)
    return found


def is_whole(log: Path) -> bool:
    lines = log.read_text(encoding="utf-8").splitlines()
    return len(lines) > 1 and len({line.count(",") for line in lines}) == 1


def test_a_killed_tracker_leaves_whole_files(receiver: Receiver, tmp_path: Path) -> None:
    """Hosts end it with TerminateProcess, which no program can answer."""
    log, video = tmp_path / "log.csv", tmp_path / "video.avi"
    with running(*ENDLESS, "--port", receiver.port, "--log-data", log, "--video-out", video) as tracker:
        receiver.wait_for(20)
        tracker.kill()
        tracker.wait()
    assert is_whole(log)
    wait_until(lambda: frames_in(video) >= 19)  # what was sent before the last frame is in it


def test_a_closed_job_ends_everything(receiver: Receiver, tmp_path: Path) -> None:
    """Unity's editor and game launchers put what they start into a job that ends with them."""
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel32.CreateJobObjectW.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel32.CreateJobObjectW(None, None))
    limits = (ctypes.c_uint64 * 18)()  # JOBOBJECT_EXTENDED_LIMIT_INFORMATION of winnt.h on 64 bits
    limits[2] = 0x2000  # LimitFlags: JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
    assert kernel32.SetInformationJobObject(job, 9, limits, ctypes.sizeof(limits)), ctypes.get_last_error()
    log = tmp_path / "log.csv"
    with running(*ENDLESS, "--port", receiver.port, "--log-data", log) as tracker:
        assert kernel32.AssignProcessToJobObject(job, ctypes.c_void_p(int(tracker._handle)))
        receiver.wait_for(10)
        kernel32.CloseHandle(job)
        tracker.wait(60)
    assert is_whole(log)


def test_it_ends_with_the_program_that_it_was_told(receiver: Receiver, tmp_path: Path) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    host = subprocess.Popen([sys.executable, "-c", "input()"], **pipes)
    log, video = tmp_path / "log.csv", tmp_path / "video.avi"
    files = ("--log-data", log, "--video-out", video)
    with running(*ENDLESS, "--port", receiver.port, "--parent-pid", host.pid, *files) as tracker:
        receiver.wait_for(10)
        host.kill()
        assert tracker.wait(60) == 0
    assert is_whole(log) and frames_in(video) >= 10
    late = run("-c", CLIP, "--parent-pid", 99999996)
    assert late.code == 1 and len(late.err) == 1 and "--parent-pid 99999996" in late.err[0]


@pytest.mark.parametrize(("level", "name"), [(0, "IDLE_PRIORITY_CLASS"), (4, "HIGH_PRIORITY_CLASS")])
def test_priority(level: int, name: str, receiver: Receiver) -> None:
    psutil = pytest.importorskip("psutil")
    with running(*ENDLESS, "--port", receiver.port, "--priority", level) as tracker:
        receiver.wait_for(1)
        assert psutil.Process(tracker.pid).nice() == getattr(psutil, name)


def test_long_and_foreign_names(tmp_path: Path) -> None:
    """Beyond 260 characters, where the system allows them, and a user's folder with an umlaut."""
    folder = tmp_path / "Jürgen 顔" / ("a" * 100) / ("b" * 100) / ("c" * 60)
    try:
        folder.mkdir(parents=True)
        clip = Path(shutil.copy(CLIP, folder / "clip ü.mp4"))
    except OSError as error:
        pytest.skip(f"long names are not switched on here ({error.strerror})")
    log, video = folder / "log.csv", folder / "video.avi"
    home = config_folder_in(folder.parents[2])
    result = run("-c", clip, "-s", 1, "--log-data", log, "--video-out", video, environment=home)
    assert (result.code, result.err, len(result.frames)) == (0, [], 160)
    assert is_whole(log)
    shutil.copy(video, tmp_path / "video.avi")
    assert frames_in(tmp_path / "video.avi") == 160


@pytest.mark.parametrize("page", [437, 65001])
def test_the_consoles_code_page_changes_no_byte(page: int, tmp_path: Path) -> None:
    line = subprocess.list2cmdline(command("-c", tmp_path / "größe 顔.mp4"))
    name = "größe 顔.mp4".encode(locale.getpreferredencoding(False), "backslashreplace")
    script = tmp_path / "run.bat"
    script.write_bytes(f"@chcp {page} >nul\r\n@%TRACKER%\r\n".encode("ascii"))
    done = subprocess.run(["cmd", "/c", script], env={**os.environ, "TRACKER": line}, capture_output=True, timeout=300)
    assert name in done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.returncode


def test_nobody_sees_the_console_of_the_process_that_writes_a_video(receiver: Receiver, tmp_path: Path) -> None:
    """A host without a console, as Unity is one, sees no window open."""
    before = visible_consoles()
    arguments = command(*ENDLESS, "--port", receiver.port, "--video-out", tmp_path / "video.avi")
    null = subprocess.DEVNULL
    tracker = subprocess.Popen(
        arguments, stdin=null, stdout=null, stderr=null, creationflags=subprocess.DETACHED_PROCESS
    )
    try:
        receiver.wait_for(10)
        after = visible_consoles()
    finally:
        tracker.kill()
        tracker.wait()
    assert after <= before
