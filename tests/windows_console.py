"""Starts a Windows program in a console window of its own and does there what a person does.

    python windows_console.py ctrl-c|ctrl-break|close LINES PROGRAM ARGUMENTS...

After so many lines of the program's output comes the key, or the window is closed; what it printed and its exit code
are passed on. A process of its own does it, as what happens in a console happens to all that run there.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys

WM_CLOSE = 0x10
EVENTS = {"ctrl-c": 0, "ctrl-break": 1}


def show(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def main(what: str, lines: int, command: list[str]) -> int:
    kernel32, user32 = ctypes.WinDLL("kernel32", use_last_error=True), ctypes.WinDLL("user32")
    kernel32.GetConsoleWindow.restype = ctypes.c_void_p
    kernel32.FreeConsole()
    if not kernel32.AllocConsole():
        raise ctypes.WinError(ctypes.get_last_error())
    window = ctypes.c_void_p(kernel32.GetConsoleWindow())
    kernel32.SetConsoleCtrlHandler(None, False)  # who started this may ignore Ctrl-C, and hands that on
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert program.stdout
    for _ in range(lines):
        show(program.stdout.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGBREAK, signal.SIG_IGN)
    if what == "close":
        kernel32.FreeConsole()
        user32.PostMessageW(window, WM_CLOSE, 0, 0)
    elif not kernel32.GenerateConsoleCtrlEvent(EVENTS[what], 0):
        raise ctypes.WinError(ctypes.get_last_error())
    show(program.communicate()[0])
    return program.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
