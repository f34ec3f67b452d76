"""Frames for the tracker: from a camera, a video, a picture, a pipe, the network, or raw RGB on standard input.

`InputReader` picks the source, one of those in `capture/`, and is all that other modules need.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable
from typing import BinaryIO

import cv2
import numpy as np

from capture.camera import (
    CameraDevice,
    CameraLink,
    CameraSettings,
    CameraSource,
    CameraWatch,
    camera_settings,
    is_number,
)
from capture.cameras import Camera, Capability, Report, capabilities, list_cameras, to_stderr
from capture.files import is_pipe, open_file, open_pipe
from capture.frames import InputError, OpenCapture, PipedSequence, Source, open_video_capture, to_bgr8
from capture.network import NetworkCamera, is_url
from capture.raw import raw_frames, standard_input

__all__ = ["DShowCaptureReader", "InputError", "InputReader", "VideoReader", "to_bgr8", "try_int"]

# Read by OpenCV when it first opens a video; -8 is AV_LOG_QUIET. What goes wrong is said here, once.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

MAX_SIDE = 16384  # pixels; a raw frame of that size squared is 805 MB


class InputReader:
    """Frames from what `--capture` or `--raw-rgb` names.

    The loop around it:

        with InputReader("talk.mp4", 0, 640, 360, 24) as reader:
            while reader.is_open():
                ok, frame = reader.read()
                if not ok:
                    continue          # there is no frame at the moment; read() has already waited 0.2 s
                ...
            if reader.failure:
                sys.exit(reader.failure)

    Attributes:
        name: the camera's name, the file as given, "standard input", or of a URL what holds no password.
        is_live: it is a camera, which delivers at its own pace and never ends.
        video_time: seconds from the beginning of the video of the frame that was read last; None: it is no video.
        video_rate: frames per second of the video as it states them; 0: it does not, or is no video.
        ended: the last frame has been read and all is well.
        failure: None, or one sentence why nothing more will come: the camera was given up, standard input
            ended inside a frame, the file broke.

    Args:
        capture: number of a camera ("0"; see `cameras.find_camera`), path of a device (/dev/video1), of a
            video file, of a picture or of a named pipe; "-" or /dev/stdin; URL of a camera or video on the network
            (http, rtsp, udp …). Animated GIF, WebP, PNG and AVIF give all their frames.
        raw_rgb: true: read raw frames from `stdin` instead, 3 bytes a pixel in the order R, G, B.
        width, height: size of raw frames in pixels; the size asked of a camera, which may choose another.
            Files keep their own.
        fps: frames per second asked of a camera; 0: its own choice.
        use_dshowcapture: Windows: cameras are tried with DirectShow first and with Media Foundation next;
            false: the other way round.
        dcap: a camera's capability (`cameras.Capability.id`) to use; -1: its default settings, without
            width, height and fps; None: what width, height and fps ask for.
        give_up_after: seconds without a picture after which a lost camera is given up.
        report: gets one line when a camera is lost, one when it is back, and other notes.
        stdin: where raw frames are read from, in place of standard input.
        open_capture: makes a capture from (index or path, backend), in place of `open_video_capture`.
        list_cameras, capabilities: in place of the functions of `cameras`.
        clock: seconds that only rise, in place of `time.monotonic`.

    Raises:
        InputError: it cannot be opened, or holds no picture.
        ValueError: width, height or fps is out of range.
    """

    def __init__(
        self,
        capture: str | int,
        raw_rgb: bool | int,
        width: int,
        height: int,
        fps: float,
        use_dshowcapture: bool | int = False,
        dcap: int | None = None,
        *,
        give_up_after: float = 60.0,
        report: Report = to_stderr,
        stdin: BinaryIO | None = None,
        open_capture: OpenCapture = open_video_capture,
        list_cameras: Callable[..., list[Camera]] = list_cameras,
        capabilities: Callable[..., list[Capability]] = capabilities,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for what, value in (("width", width), ("height", height)):
            if not 1 <= value <= MAX_SIDE:
                raise ValueError(f"the {what} must be between 1 and {MAX_SIDE} pixels, not {value}")
        if not 0 <= fps < float("inf"):
            raise ValueError(f"the frames per second must be 0 or more, not {fps}")
        _silence_opencv()
        capture = str(capture)
        self._closed = False
        self._reopen: Callable[[], Source] | None = None
        if raw_rgb:
            if stdin is None:
                stdin = standard_input("Raw frames are read from standard input")
            self._source: Source = PipedSequence("standard input", raw_frames(stdin, width, height))
        elif is_url(capture):
            phone = NetworkCamera(capture, open_capture)
            if phone.length:
                self._source = PipedSequence(phone.name, phone.frames())
            else:
                link = CameraLink(phone, CameraSettings(), clock)
                self._source = CameraSource(link, CameraWatch(phone.name, give_up_after, clock, report))
        elif is_pipe(capture):
            self._source = open_pipe(capture, open_capture)
        elif _is_camera(capture):
            device = CameraDevice(capture, bool(use_dshowcapture), open_capture, list_cameras)
            settings = camera_settings(device, width, height, fps, dcap, capabilities, report)
            link = CameraLink(device, settings, clock)
            self._source = CameraSource(link, CameraWatch(device.name, give_up_after, clock, report))
        else:
            self._reopen = lambda: open_file(capture, open_capture)
            self._source = self._reopen()

    def __enter__(self) -> InputReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def is_live(self) -> bool:
        return self._source.is_live

    @property
    def ended(self) -> bool:
        return self._source.ended

    @property
    def failure(self) -> str | None:
        return self._source.failure

    @property
    def video_time(self) -> float | None:
        return self._source.time

    @property
    def video_rate(self) -> float:
        return self._source.rate

    def is_open(self) -> bool:
        """Whether frames may still come: not closed, not ended, not failed."""
        return not (self._closed or self.ended or self.failure)

    def is_ready(self) -> bool:
        """Whether `read` would return at once instead of waiting for a camera."""
        return self.is_open() and self._source.is_ready()

    def read(self) -> tuple[bool, np.ndarray | None]:
        """The next frame, of a camera the newest that was not read yet.

        Returns:
            (True, frame), the frame uint8 of shape (height, width, 3) in the order B, G, R, contiguous and
            the caller's own; its size may change from one frame to the next. Or (False, None): see `ended`
            and `failure`; when neither is set a camera has no frame at the moment.
        """
        frame = self._source.read() if self.is_open() else None
        return frame is not None, frame

    def restart(self) -> bool:
        """Begin a file again (`--repeat-video`). False: the input is no file, and nothing happened.

        Raises:
            InputError: the file is not readable any more.
        """
        if self._reopen is None or self._closed:
            return False
        self._source.close()
        self._source = self._reopen()
        return True

    def close(self) -> None:
        """Give the input back. Returns within about a second even when a camera's driver hangs."""
        self._closed = True
        self._source.close()


# Names that programs know which import the original, or a fork of it, as a library.


class VideoReader(InputReader):
    """A reader of a file or, with `camera`, of a camera's number with its own settings."""

    def __init__(self, capture: str | int, camera: bool = False) -> None:
        super().__init__(capture, False, 640, 360, 0, use_dshowcapture=True, dcap=-1 if camera else None)


class DShowCaptureReader(InputReader):
    """A reader of a camera."""

    def __init__(
        self,
        capture: str | int,
        width: int,
        height: int,
        fps: float,
        use_dshowcapture: bool | int = True,
        dcap: int | None = None,
    ) -> None:
        super().__init__(capture, False, width, height, fps, use_dshowcapture, dcap)


def try_int(text: object) -> int | None:
    """The whole number that a text is, or None."""
    try:
        return int(text)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return None


def _is_camera(capture: str) -> bool:
    """Whether it names a camera: a number, or a device file, there or not."""
    if is_number(capture):
        return True
    try:
        return stat.S_ISCHR(os.stat(capture).st_mode)
    except (OSError, ValueError):
        return capture.startswith(("/dev/video", "/dev/v4l/"))


def _silence_opencv() -> None:
    """Keep OpenCV's and FFmpeg's own warnings from standard error unless the user asks for them.

    That is, by the environment variables OPENCV_LOG_LEVEL and OPENCV_FFMPEG_LOGLEVEL.
    """
    if sys.platform == "win32":
        # FFmpeg is a library by itself there, which does not follow OpenCV's level, and reads the environment of
        # msvcrt.dll, which is another one than Python's. -8 is AV_LOG_QUIET.
        import ctypes

        for setting in ("OPENCV_FFMPEG_LOGLEVEL=-8", "OPENCV_LOG_LEVEL=SILENT"):
            if setting.partition("=")[0] not in os.environ:
                ctypes.CDLL("msvcrt")._putenv(setting.encode())
    if "OPENCV_LOG_LEVEL" in os.environ:
        return
    if hasattr(cv2, "setLogLevel"):  # OpenCV 4
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
