"""Ctrl-C and requests to end, taken between two frames so that every file is whole."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


class _Interrupted(BaseException):
    """Ends a blocking call; never leaves this module."""


class Interrupts:
    """Takes SIGINT (Ctrl-C) and SIGTERM while its `with` block runs; on Windows also SIGBREAK (Ctrl-Break), and the
    end of the console: its window is closed, the user logs off or the computer is shut down.

    The first signal is only noted in `received`, and ends a call in `wait_for`. A second one ends the process
    in the system's own way.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._waiting = False
        self._previous: dict[signal.Signals, Any] = {}
        self._console = contextlib.ExitStack()

    def __enter__(self) -> Interrupts:
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
            if number := getattr(signal, name, None):
                self._previous[number] = signal.signal(number, self._note)
        if sys.platform == "win32":
            self._console.enter_context(_end_of_console())
        return self

    def __exit__(self, *error: object) -> None:
        self._console.close()
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


CONSOLE_ENDS = (2, 5, 6)  # CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT of wincon.h
CONSOLE_PATIENCE = 60.0  # seconds; Windows itself ends the process long before, by default after 5 s


@contextlib.contextmanager
def _end_of_console() -> Iterator[None]:
    """Has the end of the console come as SIGTERM, and the files be finished.

    Windows ends the process as soon as its handler returns, and Python's returns at once; this one waits for the
    process to end by itself. https://learn.microsoft.com/en-us/windows/console/handlerroutine
    """
    import _thread
    import ctypes

    def handle(event: int) -> bool:
        if event not in CONSOLE_ENDS:
            return False  # Ctrl-C and Ctrl-Break, which Python takes
        _thread.interrupt_main(signal.SIGTERM)
        time.sleep(CONSOLE_PATIENCE)
        return True

    kernel32 = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)(handle)  # type: ignore[attr-defined,unused-ignore]
    kernel32.SetConsoleCtrlHandler(handler, True)
    try:
        yield
    finally:
        kernel32.SetConsoleCtrlHandler(handler, False)
