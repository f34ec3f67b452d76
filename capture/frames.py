"""What every source of frames shares."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple, Protocol

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


class Frame(NamedTuple):
    """One picture of a sequence.

    Attributes:
        image: BGR, uint8, (h, w, 3).
        time: seconds from the beginning of the video; None where there is no such thing.
        rate: frames per second of the video as its file states them; 0: it does not.
    """

    image: np.ndarray
    time: float | None = None
    rate: float = 0.0


Frames = Generator[Frame, None, None]
OpenCapture = Callable[[int | str, int], Capture]


OPEN_SECONDS, READ_SECONDS = 8, 5
"""How long something on the network may take to send the first picture, and each one later."""


def open_video_capture(place: int | str, backend: int) -> Capture:
    """OpenCV's capture of a camera's index, a device path, a file or a URL, with the backend of that number.

    Raises:
        UnicodeEncodeError: the path is no text (its bytes are not UTF-8); OpenCV would crash on it.
    """
    if isinstance(place, str):
        place.encode("utf-8")
        if "://" in place:  # not in an absolute path
            limits = {cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: OPEN_SECONDS, cv2.CAP_PROP_READ_TIMEOUT_MSEC: READ_SECONDS}
            return cv2.VideoCapture(place, backend, [n for key, s in limits.items() for n in (key, 1000 * s)])
    return cv2.VideoCapture(place, backend)


class Source(Protocol):
    """Where frames come from; the attributes are those of `input_reader.InputReader`."""

    name: str
    is_live: bool
    ended: bool
    failure: str | None
    time: float | None
    rate: float

    def is_ready(self) -> bool: ...
    def read(self) -> np.ndarray | None: ...
    def close(self) -> None: ...


class FrameSequence:
    """A source with an end: every frame is handed out, one after another.

    Args:
        name: what it is called.
        frames: its frames; raises InputError when it breaks off and that is an error.
    """

    is_live = False

    def __init__(self, name: str, frames: Frames) -> None:
        self.name = name
        self.ended = False
        self.failure: str | None = None
        self.time: float | None = None
        self.rate = 0.0
        self._frames = frames

    def is_ready(self) -> bool:
        return True

    def read(self) -> np.ndarray | None:
        try:
            image, self.time, self.rate = next(self._frames)
            return image
        except StopIteration:
            self.ended = True
        except InputError as error:
            self.failure = str(error)
        return None

    def close(self) -> None:
        self._frames.close()


class PipedSequence:
    """A sequence that comes through a pipe, which may be silent for any time: read by a thread of its own.

    Whoever reads it waits for a moment only, as with a camera, and is free to look after a window or a signal.

    Args:
        name: what it is called.
        frames: its frames, and None from time to time while there is none; see `FrameSequence`.
        patience: seconds that `read` waits for a frame.
    """

    is_live = False

    def __init__(self, name: str, frames: Iterator[Frame | None], patience: float = 0.2) -> None:
        self.name = name
        self.ended = False
        self.failure: str | None = None
        self.time: float | None = None
        self.rate = 0.0
        self._patience = patience
        self._next: Frame | None = None
        self._over = False
        self._closed = False
        self._change = threading.Condition()
        # A daemon, because nothing wakes a thread that reads from a pipe in which nothing comes.
        self._thread = threading.Thread(target=self._run, args=(frames,), name=f"pipe {name}", daemon=True)
        self._thread.start()

    def is_ready(self) -> bool:
        return self._next is not None or self._over

    def read(self) -> np.ndarray | None:
        with self._change:
            self._change.wait_for(self.is_ready, self._patience)
            frame, self._next = self._next, None
            self._change.notify_all()
            if frame is None:
                self.ended = self._over and self.failure is None
                return None
        image, self.time, self.rate = frame
        return image

    def close(self) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join(timeout=0.2)

    def _run(self, frames: Iterator[Frame | None]) -> None:
        failure = None
        try:
            for frame in frames:
                with self._change:
                    self._change.wait_for(lambda: self._next is None or self._closed)
                    if self._closed:
                        return
                    self._next = frame
                    self._change.notify_all()
        except InputError as error:
            failure = str(error)
        except Exception as error:  # what a library raises is no reason to wait for ever
            failure = f"{self.name} cannot be read: {reason(error)}."
        finally:
            with self._change:
                self._change.wait_for(lambda: self._next is None or self._closed)
                self.failure, self._over = failure, True
                self._change.notify_all()


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


MIN_PIXEL_ASPECT, MAX_PIXEL_ASPECT = 1.1, 8.0


def square_pixels(image: np.ndarray, aspect: float) -> np.ndarray:
    """A picture as it is shown: enlarged in one direction where its pixels are `aspect` times as wide as high.

    Where they are nearly square, as in old television formats, coordinates stay those of the file; a file that claims
    more than `MAX_PIXEL_ASPECT` is not believed.
    """
    if not MIN_PIXEL_ASPECT <= max(aspect, 1 / aspect) <= MAX_PIXEL_ASPECT:
        return image
    height, width = image.shape[:2]
    size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def quoted(name: str) -> str:
    """A name in quotation marks, on one line; a Windows path as it is, so that it can be copied from the message."""
    return repr(name).replace("\\\\", "\\")


def reason(error: Exception) -> str:
    """An exception's text as part of a sentence."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
