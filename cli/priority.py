"""The process priority: `--priority`."""

from __future__ import annotations

import os
import sys

NICE_LEVELS = (19, 10, 0, -5, -10, -20)
"""POSIX nice levels for idle, below normal, normal, above normal, high and realtime."""

WINDOWS_CLASSES = (0x40, 0x4000, 0x20, 0x8000, 0x80, 0x100)
"""The same as Windows priority classes (IDLE_PRIORITY_CLASS ... of SetPriorityClass in winbase.h)."""


def set_priority(level: int) -> None:
    """Gives this process a priority from 0 (idle) to 5 (realtime).

    Raises:
        OSError: the system refuses; on POSIX only the administrator may go above normal.
    """
    if sys.platform == "win32":
        import ctypes

        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.GetCurrentProcess.restype = ctypes.c_void_p
        process = ctypes.c_void_p(kernel32.GetCurrentProcess())
        if not kernel32.SetPriorityClass(process, WINDOWS_CLASSES[level]):
            raise ctypes.WinError(ctypes.get_last_error())
    else:
        os.setpriority(os.PRIO_PROCESS, 0, NICE_LEVELS[level])
