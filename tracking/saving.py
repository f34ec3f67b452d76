"""Writing a file that is whole or not there: beside the old one first, and only then in its place."""

from __future__ import annotations

import os
from pathlib import Path


def replace_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file in UTF-8 in place of an old one, which a full disk or a crash leaves as it is.

    Raises:
        OSError: it can't be written.
    """
    unfinished = _beside(path)
    try:
        with open(unfinished, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def check_replaceable(path: str | os.PathLike[str]) -> None:
    """Raise OSError when `replace_text` could not write this file, before there is anything to write.

    Nothing that is there is touched.
    """
    unfinished = _beside(path)
    open(unfinished, "w").close()
    unfinished.unlink()
    if Path(path).exists():
        with open(path, "r+b"):
            pass


def _beside(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    return path.with_name(path.name + ".part")
