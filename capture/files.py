"""A path as a source of frames: a picture, a video, or a pipe in which a video comes."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from capture.frames import Frame, Frames, FrameSequence, InputError, OpenCapture, PipedSequence, quoted
from capture.picture import open_picture, picture_frames
from capture.raw import standard_input
from capture.video import decoded, fourcc, open_stream, video_frames

STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")


def open_file(path: str, open_capture: OpenCapture) -> FrameSequence:
    """A picture or a video, told apart by content.

    Raises:
        InputError: there is no such file, or nothing in it can be shown.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError(f"{quoted(path)} is no file: give a camera's number, a video or a picture.")
        with open(path, "rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise InputError(f"There is no file {quoted(path)} (a camera is given by its number, as in -c 0).") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{quoted(path)} cannot be opened: {reason}.") from error
    if empty:
        raise InputError(f"{quoted(path)} is empty.")
    picture = open_picture(path)
    frames = picture_frames(picture, path) if picture else video_frames(path, open_capture)
    first = next(frames, None)
    if first is None:
        raise InputError(f"{quoted(path)} holds no picture that can be read.")
    return FrameSequence(path, _chain(first, frames))


def open_pipe(path: str, open_capture: OpenCapture) -> PipedSequence:
    """A video that comes through a named pipe, `<(…)` or standard input; what is wrong with it is told later.

    Raises:
        InputError: it is standard input, and there is none, or it is a terminal.
    """
    if path not in STANDARD_INPUT:
        return PipedSequence(path, _piped_frames(path, os.path.abspath(path), open_capture))
    standard_input("The video is read from standard input")
    return PipedSequence("standard input", _piped_frames("Standard input", "pipe:0", open_capture))


def is_pipe(path: str) -> bool:
    """Whether a path is standard input, or a named pipe."""
    if path == "-":
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return path in STANDARD_INPUT and sys.platform == "win32"
    return stat.S_ISFIFO(mode) or (path in STANDARD_INPUT and not stat.S_ISREG(mode))


def _piped_frames(name: str, location: str, open_capture: OpenCapture) -> Iterator[Frame | None]:
    """The frames of what comes through a pipe; None from time to time while nothing has come."""
    with ExitStack() as stack:
        if hasattr(select, "poll"):
            # OpenCV opens one video at a time, and would hold up all others until something comes.
            pipe = 0
            if location != "pipe:0":
                pipe = os.open(location, os.O_RDONLY | os.O_NONBLOCK)
                stack.callback(os.close, pipe)
            poll = select.poll()
            poll.register(pipe, select.POLLIN)
            while not (events := poll.poll(200)):
                yield None
            if not events[0][1] & select.POLLIN:
                raise InputError(f"{name} ends before anything came.")
        capture = open_stream(location, open_capture)
    if capture is None:
        raise InputError(f"{name} gives no video that can be read.")
    codec = fourcc(capture)
    count = lost = 0
    for frame, lost_before in decoded(capture, name):
        yield frame
        count, lost = count + 1, lost + lost_before
    if not count:
        raise InputError(
            f"{name} gives no picture that can be read (codec: {codec.strip()}; an MP4 can't come through a pipe "
            "unless its index lies at its beginning, Matroska and MPEG-TS can)."
        )
    if lost:
        raise InputError(f"{name} is damaged: {count} frames could be read, and about {lost} are lost.")


def _chain(first: Frame, rest: Frames) -> Frames:
    # Not itertools.chain, which cannot be closed.
    yield first
    yield from rest
