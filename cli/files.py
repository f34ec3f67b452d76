"""Which files a run would read and write, and whether two of these are one."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator

from cli.options import Options

OUTPUTS = ("video_out", "log_data", "log_output", "dump_points")


def collision(options: Options) -> str | None:
    """One sentence on a file that would be overwritten while it is read or written already; None: there is none.

    Files are compared, not their names: a link or another spelling leads to the same one. Opens nothing for writing.
    """
    from output.locks import is_locked

    taken = dict(_in_use(options))
    if options.profile and options.expressions and _identity(options.profile) == _identity(options.expressions):
        return f"--profile {options.profile} would overwrite the file of --expressions: give it another name."
    for name in OUTPUTS:
        path = getattr(options, name)
        if not path or not _is_plain(path):
            continue
        option = "--" + name.replace("_", "-")
        key = _identity(path)
        if key in taken:
            return f"{option} {path} would overwrite {taken[key]}: give it another name."
        taken[key] = f"the file of {option}"
        if is_locked(path):
            return f"{option} {path} is being written by another tracker: give each its own file."
    return None


def _in_use(options: Options) -> Iterator[tuple[object, str]]:
    """What is read, and what the shell has opened for standard input, output and errors."""
    streams = (
        (0, "the file on standard input"), (1, "the file of standard output"), (2, "the file of standard error"),
    )  # fmt: skip
    for number, what in streams:
        try:
            status = os.fstat(number)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield (status.st_dev, status.st_ino), what
    if not options.raw_rgb and os.path.isfile(options.capture):
        yield _identity(options.capture), "the input"
    if options.expressions:
        yield _identity(options.expressions), "the file of --expressions"


def _is_plain(path: str) -> bool:
    """Whether it is a file, or would become one; what is written to a device or a pipe overwrites nothing."""
    return os.path.isfile(path) or not os.path.exists(path)


def _identity(path: str) -> object:
    """Something that is equal for two paths of one file, also of one that is not there yet."""
    try:
        status = os.stat(path)
        return status.st_dev, status.st_ino
    except (OSError, ValueError):
        try:
            real = os.path.normcase(os.path.realpath(path))
        except OSError:  # Windows does not follow links in every long name
            real = os.path.normcase(os.path.abspath(path))
        return real.casefold() if sys.platform in ("win32", "darwin") else real
