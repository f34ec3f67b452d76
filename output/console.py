"""The lines on standard output, warnings on standard error, and a copy of both in a file."""

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Sequence
from typing import Protocol, TextIO

from output.line_file import LineFile
from tracking.faces import Face

EYE_OPEN = 0.30  # above this an eye is shown as open


class Timings(Protocol):
    """The time that each step of the last frame took, in ms; 0 for a step that did not run."""

    detect: float
    crop: float
    track: float
    points_3d: float


def write_line(stream: TextIO | None, text: str) -> bool:
    """Write one line and flush it, so that a program that reads it through a pipe has it now.

    Characters that the stream's code page lacks are written as backslash escapes.

    Returns:
        False when nobody can read it: a program without a console has no stream, or the reader has gone.
    """
    return _try_line(stream, text) is None


def _try_line(stream: TextIO | None, text: str) -> Exception | None:
    """`write_line`, and why it was not written."""
    if stream is None:
        return ValueError("there is no stream")
    try:
        try:
            stream.write(text + "\n")
        except UnicodeEncodeError:
            page = stream.encoding or "ascii"
            stream.write(text.encode(page, "backslashreplace").decode(page) + "\n")
        stream.flush()
    except (OSError, ValueError) as error:  # ValueError: the stream was closed
        return error
    return None


class _StandardError(logging.Handler):
    """Writes to what is sys.stderr at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        write_line(sys.stderr, record.getMessage())


_log = logging.getLogger("facetracker")
_log.propagate = False
_log.addHandler(_StandardError())


def warn(text: str) -> None:
    """A line for the person at the screen, on standard error (and in `--log-output`); from any thread."""
    _log.warning("%s", text)


class Console(logging.Handler):
    """The lines that the tracker prints while it runs, and their copy.

    Args:
        silent: nothing goes to standard output. The file still gets everything: who asks for a file wants it
            filled, and host programs start the tracker silent.
        log_path: file for a copy of the output and of the warnings; "" for none. A disk that is full ends
            the copy with one warning, never the tracker.

    Attributes:
        abandoned: whoever read standard output through a pipe has gone. That ends the original, too, whose every frame
            fails then: a host program that died leaves no tracker behind that holds the camera.

    Raises:
        OSError: the file can't be opened for writing.
    """

    def __init__(self, silent: bool = False, log_path: str = "") -> None:
        super().__init__()
        self.abandoned = False
        self._silent = silent
        self._log_path = log_path
        self._file = LineFile(log_path) if log_path else None
        self._faces = 0
        self._frames = 0
        self._milliseconds = 0.0
        _log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Copy a warning to the file (called by `logging`)."""
        self._copy(record.getMessage())

    def line(self, text: str) -> None:
        """Print one line."""
        if not self._silent and (error := _try_line(sys.stdout, text)):
            self._silent = True
            # Windows says "invalid argument" of a broken pipe.
            self.abandoned = isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.EINVAL)
            _discard_standard_output()
        self._copy(text)

    def frame(
        self,
        took: float,
        timings: Timings,
        faces: Sequence[Face],
        face_id_offset: int = 0,
        expressions: bool = False,
    ) -> None:
        """Print the lines of one frame and count it for `summary`.

        Args:
            took: time for the whole frame, in ms.
            timings: its parts. Without a tracked crop only `took` is printed.
            faces: what was found.
            face_id_offset: added to the ids shown.
            expressions: whether to say what each face expresses.
        """
        if timings.track:
            self.line(
                f"Took {took:.2f}ms (detect: {timings.detect:.2f}ms, crop: {timings.crop:.2f}ms, "
                f"track: {timings.track:.2f}ms, 3D points: {timings.points_3d:.2f}ms)"
            )
        else:
            self.line(f"Took {took:.2f}ms")
        for face in faces:
            right, left = (1.0, 1.0) if face.eye_blink is None else face.eye_blink
            self.line(
                f"Confidence[{face.id + face_id_offset}]: {face.conf:.4f} / "
                f"3D fitting error: {face.pnp_error:.4f} / Eyes: {_eye(left)}, {_eye(right)}"
            )
            if expressions:
                seen = face.expression
                told = f"{seen.name} ({seen.confidence:.2f})" if seen else "none"
                self.line(f"Expression[{face.id + face_id_offset}]: {told}")
        if faces:
            self._faces += len(faces)
            self._frames += 1
            self._milliseconds += took

    def summary(self) -> None:
        """Print the average over all frames with a face; nothing when there was none."""
        if self._frames:
            self.line(f"Average tracking time per detected face: {self._milliseconds / self._faces:.2f} ms")
            self.line(f"Tracking time: {self._milliseconds / 1000:.3f} s")
            self.line(f"Frames: {self._frames}")

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        _log.removeHandler(self)
        if self._file:
            self._file.close()
            self._file = None
        super().close()

    def __enter__(self) -> "Console":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _copy(self, text: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(text.encode("utf-8", "backslashreplace") + os.linesep.encode())
        except OSError as error:
            self._file.close()
            self._file = None
            warn(f"The copy of the output in {self._log_path} ends here: {error.strerror}.")


def _eye(opening: float) -> str:
    return "O" if opening > EYE_OPEN else "-"


def _discard_standard_output() -> None:
    """Let the rest of the output vanish; else the interpreter fails at exit when it flushes what was left."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, sys.stdout.fileno())
        finally:
            os.close(null)
