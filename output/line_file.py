"""A text file that only ever holds whole lines, whatever happens to the disk or the program."""

import contextlib
import os
import stat
from types import TracebackType

from output.locks import lock


class LineFile:
    """A new file, written without a buffer: after a killed process it ends with what was last written.

    Args:
        path: an existing file is overwritten.

    Raises:
        OSError: the file can't be opened for writing, or another program of this kind is writing it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 (closed by close)
        self._end = 0
        try:
            lock(self._file, self._path)
            if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                self._file.truncate(0)
        except OSError:
            self._file.close()
            raise

    def write(self, lines: bytes) -> None:
        """Append whole lines, all of them or none.

        Raises:
            OSError: they could not be written; the file ends where it did before, and may be tried again.
        """
        try:
            rest = memoryview(lines)
            while rest:  # a disk that is nearly full takes a part, and fails on the next attempt
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            with contextlib.suppress(OSError):  # a pipe has no end to go back to
                self._file.truncate(self._end)
            raise OSError(error.errno, error.strerror, self._path) from error
        self._end += len(lines)

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        with contextlib.suppress(OSError):
            self._file.close()

    def __enter__(self) -> "LineFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
