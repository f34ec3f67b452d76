"""The command line as Windows hands it over, where a quoted path ends in a backslash.

`--model-dir "C:\\my models\\" --silent 1` looks right, but to the rules of Microsoft's C library a backslash before a
quotation mark makes that one a part of the path, and the rest of the line with it. No path on Windows holds a quotation
mark, so what was meant is plain.
https://learn.microsoft.com/en-us/cpp/c-language/parsing-c-command-line-arguments
"""

from __future__ import annotations

import re
import sys

_SWALLOWED = re.compile(r'\\"(\s|$)')


def split_plainly(line: str) -> list[str]:
    """The parts of a command line in which quotation marks hold together and backslashes are backslashes."""
    parts, part, quoted = [], None, False
    for letter in line:
        if letter == '"':
            quoted, part = not quoted, part or ""
        elif letter in " \t" and not quoted:
            if part is not None:
                parts.append(part)
            part = None
        else:
            part = (part or "") + letter
    return parts if part is None else [*parts, part]


def mended(arguments: list[str], line: str) -> list[str]:
    """The arguments as they were meant.

    Args:
        arguments: as the C library split them, without the program's own name.
        line: the whole command line.
    """
    broken = next((number for number, argument in enumerate(arguments) if '"' in argument), None)
    if broken is None or not _SWALLOWED.search(line):
        return arguments
    # Up to there both ways of splitting agree. The program's own name may be several parts, with Python before it.
    parts = split_plainly(line)
    for start in range(len(parts) - broken):
        if parts[start : start + broken] == arguments[:broken] and parts[start + broken] == _begin(arguments[broken]):
            return parts[start:]
    return arguments


def _begin(argument: str) -> str:
    return argument[: argument.index('"')] + "\\"


def given_arguments() -> list[str]:
    """The arguments that this program was started with."""
    if sys.platform != "win32":
        return sys.argv[1:]
    import ctypes

    get = ctypes.WinDLL("kernel32").GetCommandLineW
    get.restype = ctypes.c_wchar_p
    return mended(sys.argv[1:], get())
