"""The video of the picture, written by a process of its own."""

import atexit
import contextlib
import math
import multiprocessing
import os
import queue
import shutil
import signal
import struct
import sys
import tempfile
import threading
import types
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np

from output.console import warn
from output.locks import lock

LOSSLESS_SMALL, LOSSLESS_LARGE = "FFV1", "HFYU"
LARGE = 1024 * 576
"""Pictures of more pixels are written as HuffYUV: lossless, too, a third larger, and a sixth of FFV1's work."""

MAX_REPEATS = 50
"""So many frames that came while the encoder was busy are made up for by repeating, so that it can catch up again."""


WINDOWLESS = 0x08000000
"""CREATE_NO_WINDOW of Windows' CreateProcess."""


class VideoSink:
    """An AVI file (lossless), written by a process of its own.

    The encoder keeps the last 256 KB and the index in memory until the file is closed. Host programs end the
    tracker by killing it; the other process then sees the end of its input and still closes the file, with every
    frame that was handed over. It also takes the encoding off the tracker's thread.

    The file is begun with the first frame, which sets its size; frames of another size are fitted into it
    with black bars. When the disk is nearly full the file is closed, with one warning.
    A program that uses this needs the usual `if __name__ == "__main__":` (see `multiprocessing`).

    Args:
        path: an existing file is overwritten. Its ending tells the container: `.avi`.
        scale: 1 to 4: each pixel becomes so many in both directions (nearest neighbour).
        fps: frame rate of the file.
        live: frames come from a camera, which does not wait: one that the encoder can't take in time is left out, and
            the one before it is repeated instead, so that the file stays as long as the time was; a few may be on their
            way at any moment. False: `write` waits until the frame is handed over.

    Raises:
        OSError: the file can't be written, or OpenCV has no writer for its ending (one sentence).
        ValueError: scale or frame rate out of range.
    """

    def __init__(
        self, path: str | os.PathLike[str], scale: int = 1, fps: float = 24.0, *, live: bool = False
    ) -> None:
        if scale not in (1, 2, 3, 4):
            raise ValueError(f"The video scale is 1, 2, 3 or 4, not {scale}.")
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"The video frame rate must be above 0, not {fps}.")
        self._path = Path(path).absolute()
        self._scale = scale
        self._fps = fps
        self._size: tuple[int, int] | None = None  # width, height of the first frame
        self._feed: _Feed | None = None
        self._encoder: multiprocessing.process.BaseProcess | None = None
        self._live = live
        self._left_out = 0
        self._lock = self._path.open("ab")  # raises OSError now, when the person still looks
        try:
            lock(self._lock, str(self._path))
            _try_codec(self._path)
        except OSError:
            self._lock.close()
            self._remove_if_empty()
            raise

    def write(self, frame: np.ndarray) -> None:
        """Append a frame, (height, width, 3) BGR, uint8. Trouble with the file is a warning.

        Raises:
            OSError: with the first frame: the encoder can't be started.
        """
        if self._size is None:
            self._size = frame.shape[1], frame.shape[0]
            try:
                self._feed = _Feed(str(self._path), self._size, self._scale, self._fps)
            except OSError as error:  # the system has no process or no pipe left
                self._size = None
                raise OSError(error.errno, error.strerror, str(self._path)) from error
            self._encoder = self._feed.process
            atexit.register(self.close)
        if self._feed is None:
            return
        if _free_space(self._path) < 2 * frame.nbytes * self._scale**2 + 2**20:
            warn(f"The disk is nearly full: the video {self._path} ends here. Tracking goes on.")
            self.close()
        elif self._feed.failed:
            warn(f"The video {self._path} ends here: the process that writes it has ended. Tracking goes on.")
            self.close()
        elif not self._feed.put(_fit(frame, self._size), wait=not self._live):
            if not self._left_out:
                warn(f"The video {self._path} can't be written as fast as frames come: some are left out of it.")
            self._left_out += 1

    def close(self) -> None:
        """Finish the file and wait until it can be read; a second time does nothing."""
        feed, self._feed, self._encoder = self._feed, None, None
        if feed is not None:
            feed.close()
            atexit.unregister(self.close)
            if self._left_out:
                warn(f"{self._left_out} frames were left out of the video {self._path}; others are repeated for them.")
        self._lock.close()
        if self._size is None:
            self._size = 0, 0
            self._remove_if_empty()

    def __enter__(self) -> "VideoSink":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _remove_if_empty(self) -> None:
        """Nothing was written and nothing was there."""
        with contextlib.suppress(OSError):
            if self._path.is_file() and self._path.stat().st_size == 0:
                self._path.unlink()


class _Feed:
    """The process that encodes, and the thread that hands it one frame after another.

    Args:
        path: of the file.
        size: width and height of the frames.
        scale, fps: see `VideoSink`.

    Attributes:
        process: of the encoder.
        failed: it has ended.
    """

    WAITING = 3  # frames in memory

    def __init__(self, path: str, size: tuple[int, int], scale: int, fps: float) -> None:
        self.failed = False
        self._repeats = 0
        self._queue: queue.Queue[tuple[int, np.ndarray | None]] = queue.Queue(self.WAITING)
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_encode, args=(theirs, path, size, scale, fps), daemon=True)
        self._thread = threading.Thread(target=self._send, name="video", daemon=True)
        with _signals_held(), _console_of_its_own():
            self.process.start()
            self._thread.start()
        theirs.close()

    def put(self, frame: np.ndarray, wait: bool) -> bool:
        """Take a frame. False when there was no room for it: the one before will be repeated.

        Args:
            frame: (height, width, 3) of the file's size.
            wait: until there is room, and until the frame is with the other process: then no end of this one loses it.
        """
        try:
            self._queue.put((self._repeats, frame), block=wait)
        except queue.Full:
            self._repeats = min(self._repeats + 1, MAX_REPEATS)
            return False
        self._repeats = 0
        if wait:
            self._queue.join()
        return True

    def close(self) -> None:
        """Wait until everything is written."""
        self._queue.put((self._repeats, None))
        self._thread.join()
        self._pipe.close()
        self.process.join()

    def _send(self) -> None:
        frame: np.ndarray | None = np.empty(0)
        while frame is not None:
            repeats, frame = self._queue.get()
            try:
                if not self.failed:
                    self._pipe.send_bytes(struct.pack("=I?", repeats, frame is not None))
                    if frame is not None:
                        self._pipe.send_bytes(np.ascontiguousarray(frame).data.cast("B"))
            except OSError:
                self.failed = True
            self._queue.task_done()


def _free_space(path: Path) -> int:
    """Bytes that fit on the disk of a file."""
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:  # Windows does not answer for every long name
        return shutil.disk_usage(path.anchor).free


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
    codec = LOSSLESS_LARGE if size[0] * size[1] > LARGE else LOSSLESS_SMALL
    return cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size)


def _encode(frames: Connection, path: str, size: tuple[int, int], scale: int, fps: float) -> None:
    """The other process of `VideoSink`: writes frames of `size` until their sender closes, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tracker, which then closes the file
    frame = np.empty((size[1], size[0], 3), np.uint8)
    scaled: np.ndarray = frame
    writer = _open_writer(path, fps, (size[0] * scale, size[1] * scale))
    try:
        while writer.isOpened():
            repeats, another = struct.unpack("=I?", frames.recv_bytes())
            for _ in range(repeats):
                writer.write(scaled)
            if another:
                frames.recv_bytes_into(frame.data.cast("B"))
                scaled = np.asarray(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST))
                writer.write(scaled)
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


@contextlib.contextmanager
def _console_of_its_own() -> Iterator[None]:
    """On Windows, a process started here gets a console that nobody sees.

    Where this one has none, as a host may have it, Windows would open a window for the other one. And the keys that end
    this one, and the closing of its window, do not reach that one, which has the file to finish.
    """
    if sys.platform != "win32":
        yield
        return
    from multiprocessing import popen_spawn_win32 as spawn

    system = spawn._winapi  # type: ignore[attr-defined,unused-ignore]

    def create_process(program, command, security, threads, inherit, flags, *rest):  # type: ignore[no-untyped-def]
        return system.CreateProcess(program, command, security, threads, inherit, flags | WINDOWLESS, *rest)

    spawn._winapi = types.SimpleNamespace(**{**vars(system), "CreateProcess": create_process})  # type: ignore[attr-defined,unused-ignore]
    try:
        yield
    finally:
        spawn._winapi = system  # type: ignore[attr-defined,unused-ignore]


def _try_codec(path: Path) -> None:
    """Raise OSError when OpenCV can't write lossless video into files with that ending.

    It is tried beside the file: some containers and services have no folder for temporary files.
    """
    with tempfile.TemporaryDirectory(prefix=".video-", dir=path.parent) as folder:
        writer = _open_writer(os.path.join(folder, "try" + path.suffix), 24.0, (64, 64))
        opened = writer.isOpened()
        writer.release()
    if not opened:
        raise OSError(f"OpenCV can't write the lossless video {path}, which ends in '{path.suffix}': name it '.avi'.")
