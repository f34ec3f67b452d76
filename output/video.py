"""The video of the picture, written by a process of its own."""

import atexit
import contextlib
import math
import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np

from output.console import warn


class VideoSink:
    """An AVI file (FFV1, lossless), written by a process of its own.

    The encoder keeps the last 256 KB and the index in memory until the file is closed. Host programs end the
    tracker by killing it; the other process then sees the end of its input and still closes the file,
    so that nothing is lost. It also takes the encoding off the tracker's thread.

    The file is begun with the first frame, which sets its size; frames of another size are fitted into it
    with black bars. When the disk is nearly full the file is closed, with one warning.
    A program that uses this needs the usual `if __name__ == "__main__":` (see `multiprocessing`).

    Args:
        path: an existing file is overwritten. Its ending tells the container: `.avi`.
        scale: 1 to 4: each pixel becomes so many in both directions (nearest neighbour).
        fps: frame rate of the file.

    Raises:
        OSError: the file can't be written, or OpenCV has no writer for its ending (one sentence).
        ValueError: scale or frame rate out of range.
    """

    def __init__(self, path: str | os.PathLike[str], scale: int = 1, fps: float = 24.0) -> None:
        if scale not in (1, 2, 3, 4):
            raise ValueError(f"The video scale is 1, 2, 3 or 4, not {scale}.")
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"The video frame rate must be above 0, not {fps}.")
        self._path = Path(path).absolute()
        self._scale = scale
        self._fps = fps
        self._size: tuple[int, int] | None = None  # width, height of the first frame
        self._encoder: multiprocessing.process.BaseProcess | None = None
        self._frames: Connection | None = None
        _try_codec(self._path.suffix)
        self._path.open("ab").close()  # raises OSError now, when the person still looks

    def write(self, frame: np.ndarray) -> None:
        """Append a frame, (height, width, 3) BGR, uint8. Never raises for trouble with the file."""
        if self._size is None:
            self._size = frame.shape[1], frame.shape[0]
            self._start()
        if self._frames is None:
            return
        if shutil.disk_usage(self._path.parent).free < 2 * frame.nbytes * self._scale**2 + 2**20:
            warn(f"The disk is nearly full: the video {self._path} ends here. Tracking goes on.")
            self.close()
            return
        try:
            self._frames.send_bytes(np.ascontiguousarray(_fit(frame, self._size)).data.cast("B"))
        except OSError:
            warn(f"The video {self._path} ends here: the process that writes it has ended. Tracking goes on.")
            self.close()

    def close(self) -> None:
        """Finish the file and wait until it can be read; a second time does nothing."""
        if self._frames is not None:
            self._frames.close()
            self._frames = None
        if self._encoder is not None:
            self._encoder.join()
            self._encoder = None
            atexit.unregister(self.close)
        elif self._size is None:
            self._size = 0, 0
            if self._path.stat().st_size == 0:  # nothing was written and nothing was there
                self._path.unlink()

    def __enter__(self) -> "VideoSink":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._encoder = context.Process(
            target=_encode, args=(theirs, str(self._path), self._size, self._scale, self._fps), daemon=True
        )
        with _signals_held():
            self._encoder.start()
        theirs.close()
        self._frames = ours
        atexit.register(self.close)


def _fit(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The frame, shrunk or enlarged to fit into (width, height), in the middle of black."""
    height, width = frame.shape[:2]
    if (width, height) == size:
        return frame
    ratio = min(size[0] / width, size[1] / height)
    inner = max(1, round(width * ratio)), max(1, round(height * ratio))
    x, y = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[y : y + inner[1], x : x + inner[0]] = cv2.resize(frame, inner, interpolation=cv2.INTER_AREA)
    return picture


def _open_writer(path: str, fps: float, size: tuple[int, int]) -> cv2.VideoWriter:
    return cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), fps, size)


def _encode(frames: Connection, path: str, size: tuple[int, int], scale: int, fps: float) -> None:
    """The other process of `VideoSink`: writes frames of `size` until their sender closes, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tracker, which then closes the file
    frame = np.empty((size[1], size[0], 3), np.uint8)
    writer = _open_writer(path, fps, (size[0] * scale, size[1] * scale))
    try:
        while writer.isOpened():
            frames.recv_bytes_into(frame.data.cast("B"))
            writer.write(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST))
    except (EOFError, OSError):  # OSError: the end came in mid-frame
        pass
    finally:
        writer.release()


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Signals that end a program wait meanwhile; a process started here never gets them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # else the start below starts it, and unblocks the signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _try_codec(suffix: str) -> None:
    """Raise OSError when OpenCV can't write FFV1 into files with that ending."""
    with tempfile.TemporaryDirectory() as folder:
        writer = _open_writer(os.path.join(folder, "try" + suffix), 24.0, (64, 64))
        opened = writer.isOpened()
        writer.release()
    if not opened:
        raise OSError(f"OpenCV can't write an FFV1 video into a file ending in '{suffix}': name it '.avi'.")
