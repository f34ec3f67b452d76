"""Writing a file that is whole or not there: beside the old one first, and only then in its place."""

from __future__ import annotations

import os
from pathlib import Path


def replace_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file in UTF-8 in place of an old one, which a full disk or a crash leaves as it is.

    Raises:
        OSError: it can't be written.
    """
    path = Path(path)
    unfinished = path.with_name(path.name + ".part")
    try:
        with open(unfinished, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
