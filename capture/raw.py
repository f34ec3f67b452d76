"""Raw frames from standard input."""

from __future__ import annotations

import sys
from typing import BinaryIO

import numpy as np

from capture.frames import Frames, InputError, reason


def raw_frames(stream: BinaryIO | None, width: int, height: int) -> Frames:
    """Raw frames of `width * height * 3` bytes, R, G, B, row by row, as BGR uint8 (height, width, 3).

    Args:
        stream: binary; None: standard input (Python keeps its bytes as they are on Windows too).
        width, height: in pixels.

    Raises:
        InputError: with the first frame: there is no standard input; later: it ended inside a frame.
    """
    if stream is None:
        if sys.stdin is None or sys.stdin.closed:
            raise InputError("Raw frames are read from standard input, and there is none.")
        if sys.stdin.isatty():
            raise InputError("Raw frames are read from standard input, which is a terminal here: use a pipe.")
        stream = sys.stdin.buffer
    size = width * height * 3
    number = 1
    while True:
        data = b""
        try:
            while len(data) < size and (more := stream.read(size - len(data))):
                data += more
        except OSError as error:
            raise InputError(f"Standard input cannot be read: {reason(error)}.") from error
        if not data:
            return
        if len(data) < size:
            raise InputError(
                f"Standard input ended in the middle of frame {number}, after {len(data)} of {size} bytes."
            )
        rgb = np.frombuffer(data, np.uint8).reshape(height, width, 3)
        yield np.ascontiguousarray(rgb[:, :, ::-1])
        number += 1
