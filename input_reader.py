"""Frames for the tracker: from a camera, a video file, a picture or raw RGB on standard input.

`InputReader` picks the source and is all that other modules need. Behind it stand two sources: a
`FrameSequence` has an end (files, standard input) and gives every frame; a `CameraSource` is live and gives
the newest.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import cv2
import numpy as np
from PIL import Image, ImageOps

import cameras as camera_list
from cameras import Camera, Report, to_stderr

# Read by OpenCV when it first opens a video; -8 is AV_LOG_QUIET. What goes wrong is said here, once.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

MAX_SIDE = 16384  # pixels; a raw frame of that size squared is 805 MB

# Only these of Pillow's formats: it can also "open" a PostScript file, a font, the first bytes of an MPEG.
PICTURE_FORMATS = {"AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"}
ANIMATED_FORMATS = {"AVIF", "GIF", "PNG", "WEBP"}

# Readers of video files, best first. The others of OpenCV read cameras, or take "img_001.png" for the first
# of a series of pictures.
VIDEO_BACKENDS = (cv2.CAP_FFMPEG, cv2.CAP_MSMF, cv2.CAP_AVFOUNDATION, cv2.CAP_GSTREAMER)


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
    """Where frames come from; the attributes are those of `InputReader`."""

    name: str
    is_live: bool
    ended: bool
    failure: str | None

    def is_ready(self) -> bool: ...
    def read(self) -> np.ndarray | None: ...
    def close(self) -> None: ...


class InputReader:
    """Frames from what `--capture` or `--raw-rgb` names.

    The loop around it:

        with InputReader("talk.mp4", 0, 640, 360, 24) as reader:
            while reader.is_open():
                ok, frame = reader.read()
                if not ok:
                    continue          # a camera has no frame at the moment; read() has already waited 0.2 s
                ...
            if reader.failure:
                sys.exit(reader.failure)

    Attributes:
        name: the camera's name, the file as given, or "standard input".
        is_live: it is a camera, which delivers at its own pace and never ends.
        ended: the last frame has been read and all is well.
        failure: None, or one sentence why nothing more will come: the camera was given up, standard input
            ended inside a frame, the file broke.

    Args:
        capture: number of a camera ("0"; see `cameras.find_camera`), path of a device (/dev/video1), of a
            video file or of a picture. Animated GIF, WebP, PNG and AVIF give all their frames.
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
        list_cameras: Callable[..., list[Camera]] = camera_list.list_cameras,
        capabilities: Callable[..., list[camera_list.Capability]] = camera_list.capabilities,
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
            self._source: Source = FrameSequence("standard input", raw_frames(stdin, width, height))
        elif _is_camera(capture):
            device = CameraDevice(capture, bool(use_dshowcapture), open_capture, list_cameras)
            settings = _camera_settings(device, width, height, fps, dcap, capabilities, report)
            link = CameraLink(device, settings, clock)
            self._source = CameraSource(link, CameraWatch(device.name, give_up_after, clock, report))
        else:
            self._reopen = lambda: _open_file(capture, open_capture, report)
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


def _silence_opencv() -> None:
    """Keep OpenCV's own warnings from standard error unless the user asks for them by OPENCV_LOG_LEVEL."""
    if "OPENCV_LOG_LEVEL" in os.environ:
        return
    if hasattr(cv2, "setLogLevel"):  # OpenCV 4
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


# --- Files and standard input ----------------------------------------------------------------------------


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


def _open_file(path: str, open_capture: OpenCapture, report: Report) -> FrameSequence:
    """A picture or a video, told apart by content.

    Raises:
        InputError: there is no such file, or nothing in it can be shown.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError(f"{path!r} is no file: give a camera's number, a video or a picture.")
        with open(path, "rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise InputError(
            f"There is no file {path!r} (a camera is given by its number, as in -c 0)."
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path!r} cannot be opened: {reason}.") from error
    if empty:
        raise InputError(f"{path!r} is empty.")
    picture = _open_picture(path)
    frames = picture_frames(picture, path, report) if picture else video_frames(path, open_capture, report)
    first = next(frames, None)
    if first is None:
        raise InputError(f"{path!r} holds no picture that can be read.")
    return FrameSequence(path, _chain(first, frames))


def _chain(first: np.ndarray, rest: Frames) -> Frames:
    # Not itertools.chain, which cannot be closed.
    yield first
    yield from rest


def video_frames(
    path: str, open_capture: OpenCapture = open_video_capture, report: Report = to_stderr
) -> Frames:
    """The frames of a video file, BGR uint8 (h, w, 3), as far as it can be read.

    Raises:
        InputError: with the first frame: it is no video.
    """
    capture = _open_video(path, open_capture)
    try:
        expected = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        count = 0
        while True:
            try:
                ok, frame = capture.read()
                bgr = to_bgr8(frame) if ok and frame is not None else None
            except (cv2.error, ValueError) as error:
                raise InputError(f"{path!r} cannot be read after frame {count}: {_reason(error)}.") from error
            if bgr is None:
                break
            yield bgr
            count += 1
    finally:
        capture.release()
    # The container's number is an estimate in some formats, so only a clear difference is worth a word.
    if 0 < count < 0.9 * expected:
        report(f"{path!r} breaks off: {count} of {expected:.0f} frames could be read.")


def _open_video(path: str, open_capture: OpenCapture) -> Capture:
    # As an absolute path, or FFmpeg takes the name "12:30.mp4" for a network address.
    location = os.path.abspath(path)
    known = cv2.videoio_registry.getStreamBackends()
    for backend in (backend for backend in VIDEO_BACKENDS if backend in known):
        try:
            capture = open_capture(location, backend)
        except UnicodeEncodeError as error:
            raise InputError(f"The name {path!r} is not UTF-8: rename the video.") from error
        except cv2.error:
            continue
        # FFmpeg also renders text files, as "ANSI art".
        if capture.isOpened() and _fourcc(capture) != "ansi":
            return capture
        capture.release()
    raise InputError(f"{path!r} is neither a video nor a picture that can be read.")


def _fourcc(capture: Capture) -> str:
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    return code.to_bytes(4, "little").decode("latin-1")


def _open_picture(path: str) -> Image.Image | None:
    """The file as a picture that Pillow knows, else None; only its header is read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path)
    except Image.DecompressionBombError as error:
        raise InputError(f"{path!r} has too many pixels.") from error
    except Exception:  # Pillow's readers raise what they like for a file that is not theirs
        return None
    if picture.format in PICTURE_FORMATS:
        return picture
    picture.close()
    return None


def picture_frames(picture: Image.Image, path: str, report: Report = to_stderr) -> Frames:
    """The frames of a picture, one unless it is animated, BGR uint8 (h, w, 3), upright.

    Raises:
        InputError: the first frame is damaged. A later one ends the sequence, with a note.
    """
    animated = picture.format in ANIMATED_FORMATS and getattr(picture, "is_animated", False)
    number = 0
    with picture:
        while True:
            try:
                if number > 0 and not (animated and _seek(picture, number)):
                    return
                frame = _picture_to_bgr8(ImageOps.exif_transpose(picture))
            except Exception as error:  # damaged data makes Pillow's readers raise what they like
                if number == 0:
                    raise InputError(f"{path!r} is damaged: {_reason(error)}.") from error
                report(f"{path!r} is damaged after frame {number}: {_reason(error)}.")
                return
            yield frame
            number += 1


def _seek(picture: Image.Image, number: int) -> bool:
    try:
        picture.seek(number)
    except EOFError:  # Pillow's word for "no such frame"
        return False
    return True


def _picture_to_bgr8(picture: Image.Image) -> np.ndarray:
    """Pillow's picture as BGR uint8 (h, w, 3), what is transparent on white."""
    if picture.mode == "F" or picture.mode.startswith("I;16"):
        return to_bgr8(np.asarray(picture))
    if picture.mode == "I":  # 32 bits, but what Pillow opens so has 16
        return to_bgr8(np.clip(np.asarray(picture), 0, 65535).astype(np.uint16))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return to_bgr8(np.asarray(picture.convert("RGB"))[:, :, ::-1])


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
            raise InputError(f"Standard input cannot be read: {_reason(error)}.") from error
        if not data:
            return
        if len(data) < size:
            raise InputError(
                f"Standard input ended in the middle of frame {number}, after {len(data)} of {size} bytes."
            )
        rgb = np.frombuffer(data, np.uint8).reshape(height, width, 3)
        yield np.ascontiguousarray(rgb[:, :, ::-1])
        number += 1


# --- Cameras ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CameraSettings:
    """What is asked of a camera; None or 0: nothing."""

    width: int | None = None
    height: int | None = None
    fps: float = 0.0
    fourcc: str | None = None

    def apply(self, capture: Capture) -> None:
        """Ask an open camera for this. It may choose something else; the frames tell."""
        if self.fourcc:
            self._apply(capture, cv2.VideoWriter.fourcc(*self.fourcc))
            return
        self._apply(capture)
        rate = capture.get(cv2.CAP_PROP_FPS)
        if 0 < rate < self.fps - 0.5:
            # Uncompressed pictures of this size are too much for the cable at this rate; JPEG may not be.
            uncompressed = capture.get(cv2.CAP_PROP_FOURCC)
            self._apply(capture, cv2.VideoWriter.fourcc(*"MJPG"))
            if capture.get(cv2.CAP_PROP_FPS) <= rate:
                self._apply(capture, uncompressed)

    def _apply(self, capture: Capture, fourcc: float | None = None) -> None:
        # The format first: which sizes and rates there are depends on it.
        if fourcc is not None:
            capture.set(cv2.CAP_PROP_FOURCC, fourcc)
        if self.width and self.height:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self.width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self.height)
        if self.fps:
            capture.set(cv2.CAP_PROP_FPS, self.fps)


class CameraDevice:
    """One camera of this machine: finds it, opens it, says why not.

    A camera that was unplugged is found again by its name, for its number may have changed; a device path
    stays what it is.

    Args:
        capture: number or device path.
        directshow_first: Windows: which of the two backends is tried first.
        open_capture, list_cameras: see `InputReader`.
        platform: `sys.platform`.
    """

    def __init__(
        self,
        capture: str,
        directshow_first: bool = True,
        open_capture: OpenCapture = open_video_capture,
        list_cameras: Callable[..., list[Camera]] = camera_list.list_cameras,
        platform: str = sys.platform,
    ) -> None:
        self._open_capture = open_capture
        self._list_cameras = list_cameras
        self._platform = platform
        backends = camera_list.backends(platform)
        self._backends = backends if directshow_first else backends[::-1]
        self._path = None if _is_number(capture) else capture
        self._number = int(capture) if self._path is None else -1
        listed = self._listed(backends[0])
        if self._path is None:
            self.camera = camera_list.find_camera(self._number, listed)
        else:
            same = [c for c in listed if c.path and os.path.realpath(c.path) == os.path.realpath(capture)]
            self.camera = same[0] if same else None
        self.name = self.camera.name if self.camera else f"camera {capture}"

    def open(self, settings: CameraSettings) -> Capture | None:
        """The camera, set up; None when it is not there or does not open."""
        places = self._places()
        for place, backend in places:
            # Where there is another way to open it, this one must prove itself: DirectShow also opens a
            # camera that another program holds.
            must_deliver = (place, backend) != places[-1]
            with contextlib.suppress(Exception):  # drivers raise what they like through OpenCV
                capture = self._open_capture(place, backend)
                if capture.isOpened():
                    settings.apply(capture)
                    if not must_deliver or any(capture.read()[0] for _ in range(5)):
                        return capture
                capture.release()
        return None

    def trouble(self) -> str:
        """One sentence for the user on a camera that does not open."""
        listed = self._listed(camera_list.backends(self._platform)[0])
        there = "; ".join(f"{camera.index}: {camera.name}" for camera in listed)
        asked = self._path or str(self._number)
        known = f"{asked} ({self.camera.name})" if self.camera else asked
        path = self._path or (self.camera.path if self.camera else None)
        if (
            self._platform == "linux"
            and path
            and os.path.exists(path)
            and not os.access(path, os.R_OK | os.W_OK)
        ):
            advice = f"you may not use {path}: add your user to the group that owns it (often 'video')"
        else:
            advice = (
                "check that it is plugged in, that no other program uses it and that "
                + {
                    "win32": "Settings > Privacy > Camera allows it",
                    "darwin": "System Settings > Privacy & Security > Camera allows it",
                }.get(self._platform, "you may use the device")
                + ", or choose another with -c N"
            )
        return f"Camera {known} does not open (cameras here: {there or 'none'}); {advice}."

    def _places(self) -> list[tuple[int | str, int]]:
        """Where the camera is now: (index or path, backend), best first; empty: it is not there."""
        if self._path is not None:
            return [(self._path, self._backends[0])]
        places: list[tuple[int | str, int]] = []
        for backend in self._backends:
            listed = self._listed(backend)
            if self.camera is None or not listed:
                places.append((self._number, backend))
                continue
            same = [camera for camera in listed if camera.name == self.camera.name]
            if same:
                # Of two cameras of one make the one in its old place.
                places.append((next((c for c in same if c.path == self.camera.path), same[0]).index, backend))
        return places

    def _listed(self, backend: int) -> list[Camera]:
        return self._list_cameras(backend, report=lambda _: None)


class CameraLink:
    """An open camera that is opened again when it delivers nothing. Used from one thread at a time.

    Args:
        device: the camera.
        settings: asked of it each time it is opened.
        clock: seconds that only rise.
        reopen_after: seconds of failing reads after which it is opened again.

    Raises:
        InputError: the camera does not open now, at the start.
    """

    BETWEEN_READS = 0.05  # seconds
    BETWEEN_OPENINGS = 1.0

    def __init__(
        self,
        device: CameraDevice,
        settings: CameraSettings,
        clock: Callable[[], float] = time.monotonic,
        reopen_after: float = 2.0,
    ) -> None:
        self.name = device.name
        self._device = device
        self._settings = settings
        self._clock = clock
        self._reopen_after = reopen_after
        self._good = clock()  # when it last delivered or was opened
        self._capture = device.open(settings)
        if self._capture is None:
            raise InputError(device.trouble())

    def grab(self, wait: Callable[[float], object]) -> np.ndarray | None:
        """One try for a frame, which may block as long as the driver does.

        Args:
            wait: sleeps so many seconds; called before a return without a frame.

        Returns:
            BGR uint8 (h, w, 3), or None.
        """
        try:
            if self._capture is None:
                self._capture = self._device.open(self._settings)
                self._good = self._clock()
                if self._capture is None:
                    wait(self.BETWEEN_OPENINGS)
                    return None
            ok, frame = self._capture.read()
            if ok and frame is not None:
                bgr = to_bgr8(frame)
                self._good = self._clock()
                return bgr
        except Exception:  # drivers raise what they like through OpenCV, and a camera may come back
            pass
        if self._clock() - self._good >= self._reopen_after:
            self.release()
        wait(self.BETWEEN_READS)
        return None

    def release(self) -> None:
        """Give the camera back to the system."""
        capture, self._capture = self._capture, None
        if capture is not None:
            with contextlib.suppress(Exception):  # as above
                capture.release()


class CameraWatch:
    """Says when a camera is lost and back, and when to give it up. It looks at frames and the clock only, so
    it does not matter whether the camera was unplugged, hangs or throws.

    Args:
        name: of the camera.
        give_up_after: seconds without a frame.
        clock: seconds that only rise.
        report: gets the two lines.
        lost_after: seconds without a frame from which on it counts as lost; slow cameras need 1 in the dark.
    """

    def __init__(
        self,
        name: str,
        give_up_after: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        report: Report = to_stderr,
        lost_after: float = 3.0,
    ) -> None:
        self.name = name
        self._give_up_after = give_up_after
        self._clock = clock
        self._report = report
        self._lost_after = lost_after
        self._missing_since: float | None = None
        self._lost = False

    def seen(self) -> None:
        """A frame came."""
        if self._lost and self._missing_since is not None:
            missing = self._clock() - self._missing_since
            self._report(f"Camera {self.name!r} is back after {missing:.0f} s.")
        self._missing_since, self._lost = None, False

    def missed(self) -> str | None:
        """No frame came. Returns the reason when it is time to give the camera up, else None."""
        now = self._clock()
        if self._missing_since is None:
            self._missing_since = now
        missing = now - self._missing_since
        if missing >= self._give_up_after:
            return (
                f"Camera {self.name!r} has sent no picture for {missing:.0f} s and is given up; check its "
                "cable and whether another program uses it."
            )
        if missing >= self._lost_after and not self._lost:
            self._lost = True
            self._report(
                f"Camera {self.name!r} sends no pictures; waiting up to {self._give_up_after:.0f} s for it."
            )
        return None


class CameraSource:
    """A camera, read by a thread of its own that keeps the newest frame and drops those nobody asked for.

    Args:
        link: the camera.
        watch: judges it.
        patience: seconds that `read` waits for a frame.
    """

    is_live = True
    ended = False

    def __init__(self, link: CameraLink, watch: CameraWatch, patience: float = 0.2) -> None:
        self.name = link.name
        self.failure: str | None = None
        self._link = link
        self._watch = watch
        self._patience = patience
        self._newest: np.ndarray | None = None
        self._arrival = threading.Condition()
        self._closing = threading.Event()
        # A daemon, because a driver that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=f"camera {self.name}", daemon=True)
        self._thread.start()

    def is_ready(self) -> bool:
        return self._newest is not None

    def read(self) -> np.ndarray | None:
        with self._arrival:
            self._arrival.wait_for(self.is_ready, self._patience)
            frame, self._newest = self._newest, None
        if frame is not None:
            self._watch.seen()
        else:
            self.failure = self._watch.missed()
        return frame

    def close(self) -> None:
        self._closing.set()
        # A thread that hangs in the driver is left behind; it gives the camera back when it wakes up.
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                frame = self._link.grab(self._closing.wait)
                if frame is not None:
                    with self._arrival:
                        self._newest = frame
                        self._arrival.notify()
        finally:
            self._link.release()


def _camera_settings(
    device: CameraDevice,
    width: int,
    height: int,
    fps: float,
    dcap: int | None,
    capabilities: Callable[..., list[camera_list.Capability]],
    report: Report,
) -> CameraSettings:
    """What to ask of the camera, by the rules of `InputReader`'s dcap.

    Raises:
        InputError: the camera has no such capability.
    """
    if dcap is None:
        return CameraSettings(width, height, fps)
    if dcap < 0:
        return CameraSettings()
    listed = capabilities(device.camera, report=report) if device.camera else []
    if not listed:
        report(f"The formats of {device.name} are not known, so --dcap {dcap} is not used.")
        return CameraSettings(width, height, fps)
    if dcap >= len(listed):
        raise InputError(
            f"Camera {device.name!r} has no capability {dcap}: they go from 0 to {len(listed) - 1}, see "
            "--list-dcaps."
        )
    chosen = listed[dcap]
    return CameraSettings(
        width=min(max(width, chosen.min_size[0]), chosen.max_size[0]),
        height=min(max(height, chosen.min_size[1]), chosen.max_size[1]),
        fps=min(max(fps, chosen.fps_min), chosen.fps_max) if fps and chosen.fps_max else chosen.fps_max,
        fourcc=chosen.format if len(chosen.format) == 4 else None,
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_camera(capture: str) -> bool:
    """Whether it names a camera: a number, or a device file, there or not."""
    if _is_number(capture):
        return True
    try:
        return stat.S_ISCHR(os.stat(capture).st_mode)
    except (OSError, ValueError):
        return capture.startswith(("/dev/video", "/dev/v4l/"))


def _reason(error: Exception) -> str:
    """An exception's text as part of a sentence."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
