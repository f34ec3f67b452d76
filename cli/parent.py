"""The end of the program that started this one: `--parent-pid`."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

BETWEEN_LOOKS = 0.25  # seconds, where the system does not tell by itself
PATIENCE = 10.0  # seconds to finish the files; after that the process is ended in the system's way


def _terminate() -> None:
    if sys.platform == "win32":
        import _thread

        _thread.interrupt_main(signal.SIGTERM)  # os.kill would end the process with its files unfinished
    else:
        os.kill(os.getpid(), signal.SIGTERM)


def end_with(pid: int, terminate: Callable[[], None] = _terminate) -> None:
    """Ends this process, as SIGTERM does, when that one is gone; returns at once.

    Args:
        pid: of the process to watch.
        terminate: asks this process to end; called a second time if that takes longer than `PATIENCE`.

    Raises:
        OSError: there is no such process, or it can't be watched.
    """
    wait = _watch_on_windows(pid) if sys.platform == "win32" else _watch(pid)

    def run() -> None:
        wait()
        terminate()
        time.sleep(PATIENCE)
        terminate()

    threading.Thread(target=run, name="parent", daemon=True).start()


def _watch(pid: int) -> Callable[[], object]:
    """What waits for the end of a process."""
    if hasattr(os, "pidfd_open"):
        import select

        try:
            poll = select.poll()
            poll.register(os.pidfd_open(pid), select.POLLIN)
            return poll.poll
        except ProcessLookupError:
            raise
        except OSError:  # an old kernel, or a sandbox that does not let the call through
            pass
    if not _is_there(pid):
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    def wait() -> None:
        while _is_there(pid):
            time.sleep(BETWEEN_LOOKS)

    return wait


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def _watch_on_windows(pid: int) -> Callable[[], object]:
    """The same with WaitForSingleObject; a process can be waited for with the right SYNCHRONIZE (winnt.h)."""
    import ctypes

    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel32.OpenProcess.restype = ctypes.c_void_p
    handle = kernel32.OpenProcess(0x00100000, False, pid)
    if not handle:
        raise ctypes.WinError(ctypes.get_last_error())  # type: ignore[attr-defined,unused-ignore]
    if kernel32.WaitForSingleObject(ctypes.c_void_p(handle), 0) == 0:  # it has ended, but is still held by somebody
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    return lambda: kernel32.WaitForSingleObject(ctypes.c_void_p(handle), 0xFFFFFFFF)
