"""Ctrl-C and requests to end, taken between two frames so that every file is whole."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


class _Interrupted(BaseException):
    """Ends a blocking call; never leaves this module."""


class Interrupts:
    """Takes SIGINT (Ctrl-C), SIGTERM and on Windows SIGBREAK (Ctrl-Break) while its `with` block runs.

    The first signal is only noted in `received`, and ends a call in `wait_for`. A second one ends the process
    in the system's own way.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._waiting = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
            if number := getattr(signal, name, None):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def wait_for(self, action: Callable[[], T]) -> T | None:
        """What `action` returns, or None when a signal came before its end: then it is broken off.

        Only for calls that leave nothing half done, like reading a frame. Python breaks off its own waiting
        calls at once; a library that waits without Python (OpenCV) first has to return.
        """
        try:
            try:
                self._waiting = True  # first, so that no signal falls between the question and the call
                return None if self.received else action()
            finally:
                self._waiting = False
        except _Interrupted:  # also one that came during `finally`
            return None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        for taken in self._previous:
            signal.signal(taken, signal.SIG_DFL)
        if self._waiting:
            self._waiting = False
            raise _Interrupted
