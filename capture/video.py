"""Video files, read by OpenCV."""

from __future__ import annotations

import os

import cv2

from capture.frames import Capture, Frames, InputError, OpenCapture, open_video_capture, reason, to_bgr8

# Readers of video files, best first. The others of OpenCV read cameras, or take "img_001.png" for the first
# of a series of pictures.
VIDEO_BACKENDS = (cv2.CAP_FFMPEG, cv2.CAP_MSMF, cv2.CAP_AVFOUNDATION, cv2.CAP_GSTREAMER)


def video_frames(path: str, open_capture: OpenCapture = open_video_capture) -> Frames:
    """The frames of a video file, BGR uint8 (h, w, 3), as far as it can be read.

    Raises:
        InputError: with the first frame: it is no video; later: it breaks off.
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
                raise InputError(f"{path!r} cannot be read after frame {count}: {reason(error)}.") from error
            if bgr is None:
                break
            yield bgr
            count += 1
    finally:
        capture.release()
    # The container's number is an estimate in some formats, so only a clear difference counts.
    if 0 < count < 0.9 * expected:
        raise InputError(f"{path!r} breaks off: {count} of {expected:.0f} frames could be read.")


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
