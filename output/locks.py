"""Files that only one tracker writes at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from typing import IO

FAR_OFF = 2**40  # Windows locks bytes, and nobody else may write those: none that the file will ever have


def lock(file: IO[bytes], path: str) -> None:
    """Keeps other trackers from writing this open file until it is closed or the process ends.

    Raises:
        OSError: another one is writing it (one sentence). A file system without locks lets everybody write, and what is
            no file, as /dev/null, is for everybody.
    """
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return
    try:
        if sys.platform == "win32":
            import msvcrt

            end = os.lseek(file.fileno(), 0, os.SEEK_CUR)
            os.lseek(file.fileno(), FAR_OFF, os.SEEK_SET)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(file.fileno(), end, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            raise OSError(f"{path} is being written by another tracker: give each its own file.") from error


def is_locked(path: str) -> bool:
    """Whether another tracker is writing this file, if there is one."""
    with contextlib.suppress(OSError), open(path, "rb", buffering=0) as file:
        try:
            lock(file, path)
        except OSError:
            return True
    return False
