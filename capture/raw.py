"""Raw frames from standard input."""

from __future__ import annotations

import sys
import time
from typing import BinaryIO

import numpy as np

from capture.frames import Frame, Frames, InputError, reason


def raw_frames(stream: BinaryIO | None, width: int, height: int) -> Frames:
    """Raw frames of `width * height * 3` bytes, R, G, B, row by row.

    Args:
        stream: binary; None: standard input (Python keeps its bytes as they are on Windows too).
        width, height: in pixels.

    Raises:
        InputError: with the first frame: there is no standard input; later: it ended inside a frame.
    """
    source = stream if stream is not None else standard_input("Raw frames are read from standard input")
    size = width * height * 3
    number = 1
    while True:
        rgb = np.empty((height, width, 3), np.uint8)
        data = rgb.data.cast("B")
        have = 0
        try:
            while have < size and (more := source.read(min(size - have, 2**20))) != b"":
                if more is None:  # a pipe that does not wait has nothing at the moment
                    time.sleep(0.005)
                    continue
                data[have : have + len(more)] = more
                have += len(more)
        except OSError as error:
            raise InputError(f"Standard input cannot be read: {reason(error)}.") from error
        if not have:
            return
        if have < size:
            raise InputError(
                f"Standard input ended in the middle of frame {number}, after {have} of {size} bytes."
            )
        yield Frame(np.ascontiguousarray(rgb[:, :, ::-1]))
        number += 1


def standard_input(what: str) -> BinaryIO:
    """Standard input as a stream without a buffer, whose lock would hold up the end of the program.

    Raises:
        InputError: there is none, or it is a terminal; the sentence begins with `what`.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise InputError(f"{what}, and there is none.")
    if sys.stdin.isatty():
        raise InputError(f"{what}, which is a terminal here: use a pipe.")
    return getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
