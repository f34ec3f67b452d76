"""Runs the tracker as host programs do: as a process with pipes."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from receiver import Receiver

ROOT = Path(__file__).resolve().parent.parent
#: What is printed comes in one encoding; pipes of Windows otherwise have the system's code page.
ENVIRONMENT = {**os.environ, "PYTHONIOENCODING": "utf-8"}
#: Whether this Windows is Wine, which has its own faults.
WINE = sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")
#: The exit code after `terminate()`, which leaves a process no time on Windows.
TERMINATED = 1 if sys.platform == "win32" else 0


@dataclass
class Result:
    """What a finished run left: exit code, output as lines, and the records of each datagram."""

    code: int
    out: list[str]
    err: list[str]
    frames: list[list[SimpleNamespace]]


def command(*arguments: object) -> list[str]:
    """The tracker's command line."""
    return [sys.executable, str(ROOT / "facetracker.py"), *map(str, arguments)]


def run(*arguments: object, stdin: bytes = b"", environment: dict[str, str] | None = None) -> Result:
    """Runs the tracker to its end with a receiver listening, in another folder than its own."""
    receiver = Receiver()
    finished = subprocess.run(
        command("--port", receiver.port, *arguments),
        input=stdin,
        capture_output=True,
        cwd=ROOT.parent,
        env={**ENVIRONMENT, **(environment or {})},
        timeout=300,
    )
    out, err = (text.decode("utf-8").splitlines() for text in (finished.stdout, finished.stderr))
    return Result(finished.returncode, out, err, receiver.frames)


def config_folder_in(folder: Path) -> dict[str, str]:
    """The environment in which the user's settings lie in this folder."""
    return {name: str(folder) for name in ("XDG_CONFIG_HOME", "APPDATA", "HOME")}


@contextmanager
def running(
    *arguments: object, environment: dict[str, str] | None = None, program: str = "facetracker.py"
) -> Iterator[subprocess.Popen]:
    """The tracker, or another program of this folder, as it runs; killed at the end if it still does."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / program), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT.parent,
        env={**ENVIRONMENT, **(environment or {})},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
