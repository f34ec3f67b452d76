"""What every source of frames shares."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol

import cv2
import numpy as np


class InputError(RuntimeError):
    """The input cannot be opened or read; the message is one sentence for the user."""


class Capture(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def isOpened(self) -> bool: ...
    def read(self) -> tuple[bool, np.ndarray | None]: ...
    def get(self, prop: int) -> float: ...
    def set(self, prop: int, value: float) -> bool: ...
    def release(self) -> None: ...


Frames = Generator[np.ndarray, None, None]  # BGR, uint8, (h, w, 3)
OpenCapture = Callable[[int | str, int], Capture]


def open_video_capture(place: int | str, backend: int) -> Capture:
    """OpenCV's capture of a camera's index, a device path or a file, with the backend of that number.

    Raises:
        UnicodeEncodeError: the path is no text (its bytes are not UTF-8); OpenCV would crash on it.
    """
    if isinstance(place, str):
        place.encode("utf-8")
    return cv2.VideoCapture(place, backend)


class Source(Protocol):
    """Where frames come from; the attributes are those of `input_reader.InputReader`."""

    name: str
    is_live: bool
    ended: bool
    failure: str | None

    def is_ready(self) -> bool: ...
    def read(self) -> np.ndarray | None: ...
    def close(self) -> None: ...


class FrameSequence:
    """A source with an end: every frame is handed out, one after another.

    Args:
        name: what it is called.
        frames: BGR frames; raises InputError when it breaks off and that is an error.
    """

    is_live = False

    def __init__(self, name: str, frames: Frames) -> None:
        self.name = name
        self.ended = False
        self.failure: str | None = None
        self._frames = frames

    def is_ready(self) -> bool:
        return True

    def read(self) -> np.ndarray | None:
        try:
            return next(self._frames)
        except StopIteration:
            self.ended = True
        except InputError as error:
            self.failure = str(error)
        return None

    def close(self) -> None:
        self._frames.close()


def to_bgr8(frame: np.ndarray) -> np.ndarray:
    """Any picture as the trackers' one kind.

    Args:
        frame: shape (h, w), (h, w, 1), (h, w, 3) in the order B, G, R, or (h, w, 4), whose fourth channel is
            dropped. Integers are scaled from 0 … their type's greatest, floats from 0 … 1; below and above
            is cut off, NaN is 0.

    Returns:
        uint8, shape (h, w, 3), C-contiguous; the frame itself if it is that already.

    Raises:
        ValueError: it is no picture, by its shape or its type.
    """
    if frame.ndim == 2:
        frame = frame[:, :, np.newaxis]
    if frame.ndim != 3 or frame.shape[2] not in (1, 3, 4) or frame.size == 0:
        raise ValueError(f"a picture has 1, 3 or 4 channels and a pixel, not the shape {frame.shape}")
    if frame.dtype == np.bool_:
        frame = frame * np.uint8(255)
    elif frame.dtype.kind == "f":
        frame = np.rint(np.clip(np.nan_to_num(frame, posinf=1.0, neginf=0.0), 0.0, 1.0) * 255.0)
    elif frame.dtype.kind in "iu":
        if frame.dtype != np.uint8:
            frame = np.rint(np.maximum(frame, 0) * (255.0 / np.iinfo(frame.dtype).max))
    else:
        raise ValueError(f"a picture holds numbers, not {frame.dtype}")
    if frame.shape[2] == 1:
        frame = np.repeat(frame, 3, axis=2)
    return np.ascontiguousarray(frame[:, :, :3], dtype=np.uint8)


def reason(error: Exception) -> str:
    """An exception's text as part of a sentence."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
