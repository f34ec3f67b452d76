"""Windows on a virtual display, as somebody at the keyboard finds and uses them."""

from __future__ import annotations

import os
import subprocess
import time


def xdotool(display: str, *arguments: str) -> str:
    """What xdotool says; nothing where it finds no such window."""
    run = subprocess.run(
        ["xdotool", *arguments],
        env={**os.environ, "DISPLAY": display},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return run.stdout.strip()


def window_id(display: str, name: str) -> str:
    """The window of that title, as soon as it can be seen."""
    deadline = time.monotonic() + 60
    while not (found := xdotool(display, "search", "--onlyvisible", "--name", name).split()):
        assert time.monotonic() < deadline, f"no window {name!r} on the display"
        time.sleep(0.05)
    return found[-1]


def press_until_it_ends(display: str, process: subprocess.Popen, name: str, key: str, seconds: float) -> None:
    """Press a key in the window of that title, again each second, as a window manager may still be bringing the window
    to the front, until the process ends. AssertionError if it has not within so many seconds."""
    window = window_id(display, name)
    deadline = time.monotonic() + seconds
    while True:
        xdotool(display, "windowactivate", window, "key", key)
        try:
            process.wait(1)
            return
        except subprocess.TimeoutExpired:
            assert time.monotonic() < deadline, f"{key} does not end it"
