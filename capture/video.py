"""Video files and streams of video, read by OpenCV."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import cv2
import numpy as np

from capture.containers import cut_off, frames_listed
from capture.frames import (
    Capture,
    Frame,
    Frames,
    InputError,
    OpenCapture,
    open_video_capture,
    quoted,
    reason,
    square_pixels,
    to_bgr8,
)
from capture.pyav import pyav_frames

# Readers of video files, best first. The others of OpenCV read cameras, or take "img_001.png" for the first
# of a series of pictures.
VIDEO_BACKENDS = (cv2.CAP_FFMPEG, cv2.CAP_MSMF, cv2.CAP_AVFOUNDATION, cv2.CAP_GSTREAMER)

#: So many reads in a row that fail, or so many seconds of them, are the end. A damaged frame is a failed read, too, and
#: what follows it may be whole.
MAX_FAILED_READS, MAX_FAILED_SECONDS = 1000, 5.0


def video_frames(path: str, open_capture: OpenCapture = open_video_capture) -> Frames:
    """The frames of a video file, as far as they can be read, as a player shows them.

    Raises:
        InputError: before the first frame: it is no video; after the last: some could not be read.
    """
    capture = _open_video(path, open_capture)
    codec = fourcc(capture)
    count = lost = 0
    for frame, lost_before in decoded(capture, path):
        yield frame
        count, lost = count + 1, lost + lost_before
    if count == 0:
        yield from pyav_frames(path, codec)
        return
    listed = frames_listed(path) or 0
    missing = cut_off(path)
    if missing is None and count + lost < 0.98 * listed - 3:  # a few frames may go without a fault of the file's
        missing = f"{listed} should be there"
    if missing is not None:
        raise InputError(f"{quoted(path)} breaks off: {count} frames could be read, and {missing}.")
    if lost:
        raise InputError(f"{quoted(path)} is damaged: {count} frames could be read, and about {lost} are lost.")


def decoded(capture: Capture, name: str) -> Iterator[tuple[Frame, int]]:
    """Every frame of an open video that can be decoded, and how many before it could not. Releases it at the end.

    Raises:
        InputError: OpenCV failed with an error to the end.
    """
    rate = capture.get(cv2.CAP_PROP_FPS)
    rate = rate if 0 < rate <= 1000 else 0.0
    count = failed = 0
    latest, last_good = -1.0, time.monotonic()
    error: Exception | None = None
    try:
        while failed < MAX_FAILED_READS and (not failed or time.monotonic() - last_good < MAX_FAILED_SECONDS):
            try:
                ok, image = capture.read()
                bgr = _square_pixels(to_bgr8(image), capture) if ok and image is not None else None
            except (cv2.error, ValueError) as caught:
                bgr, error = None, caught
            if bgr is None:
                failed += 1
                continue
            at = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if at <= latest:  # some containers give no time to some frames
                at = latest + (1 / rate if rate else 0.0)
            latest = max(at, 0.0)
            # What can't be decoded at the beginning is what a recording that starts in mid-stream leaves out.
            yield Frame(bgr, latest, rate), failed if count else 0
            count, failed, error, last_good = count + 1, 0, None, time.monotonic()
    finally:
        capture.release()
    if error is not None:
        raise InputError(f"{quoted(name)} cannot be read after frame {count}: {reason(error)}.") from error


def fourcc(capture: Capture) -> str:
    """The four letters of an open video's codec."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    return code.to_bytes(4, "little").decode("latin-1")


def open_stream(location: str, open_capture: OpenCapture) -> Capture | None:
    """A video at a place of FFmpeg's: an absolute path, `pipe:0`, a URL. None: there is none that can be read."""
    known = cv2.videoio_registry.getStreamBackends()
    for backend in (backend for backend in VIDEO_BACKENDS if backend in known):
        try:
            capture = open_capture(location, backend)
        except cv2.error:
            continue
        if capture.isOpened() and _has_pictures(capture, backend):
            return capture
        capture.release()
    return None


def _has_pictures(capture: Capture, backend: int) -> bool:
    if backend == cv2.CAP_MSMF:  # Media Foundation also opens what holds nothing but sound, and may wait for a picture
        return capture.get(cv2.CAP_PROP_FRAME_WIDTH) > 0
    return fourcc(capture) != "ansi"  # FFmpeg also renders text files, as "ANSI art"


def _open_video(path: str, open_capture: OpenCapture) -> Capture:
    try:
        # As an absolute path, or FFmpeg takes the name "12:30.mp4" for a network address.
        capture = open_stream(os.path.abspath(path), open_capture)
    except UnicodeEncodeError as error:
        raise InputError(f"The name {quoted(path)} is not UTF-8: rename the video.") from error
    if capture is not None:
        return capture
    missing = cut_off(path)
    raise InputError(
        f"{quoted(path)} is neither a video nor a picture that can be read" + (f": {missing}." if missing else ".")
    )


def _square_pixels(image: np.ndarray, capture: Capture) -> np.ndarray:
    numerator, denominator = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
    aspect = numerator / denominator if numerator > 0 and denominator > 0 else 1.0
    if capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90:  # OpenCV has turned the picture, not its pixels
        aspect = 1 / aspect
    return square_pixels(image, aspect)
