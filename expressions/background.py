"""Training beside the tracker: another process, so that no frame waits for it."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

#: The folder in which `python -m expressions` is found.
FOLDER = Path(__file__).resolve().parent.parent


class Training:
    """`python -m expressions train FILE`, from its start to its end.

    Args:
        path: of the file.
        command: in place of that command.
    """

    def __init__(self, path: str | os.PathLike[str], command: list[str] | None = None) -> None:
        path_of_modules = [str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            command or [sys.executable, "-m", "expressions", "train", str(Path(path).resolve())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": os.pathsep.join(path_of_modules)},
            # Ctrl-C is for the tracker, which ends this one.
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._reader = threading.Thread(target=self._read, name="training", daemon=True)
        self._reader.start()

    def poll(self, say: Callable[[str], None]) -> bool | None:
        """Say what it said since the last time. None while it runs, then whether it went well."""
        ended = self._process.poll()
        if ended is not None:
            self._reader.join(1.0)
        while not self._lines.empty():
            say(self._lines.get())
        return None if ended is None else ended == 0

    def close(self) -> None:
        """End it; the file is then as it was, or trained."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        self._reader.join(1.0)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line.rstrip())
