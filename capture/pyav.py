"""Videos that OpenCV can't decode, such as AV1 with its package for Linux: read by PyAV where it is installed.

PyAV (https://pyav.org, `pip install av`) brings an FFmpeg of its own with more decoders.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np

from capture.frames import Frame, Frames, InputError, quoted, reason, square_pixels

# What people call the codecs that OpenCV names by four letters.
CODECS = {"AV01": "AV1", "av01": "AV1", "hevc": "H.265", "hvc1": "H.265", "hev1": "H.265", "VP90": "VP9", "VP80": "VP8"}


def pyav_frames(path: str, codec: str) -> Frames:
    """The frames of a video file, as far as they can be read, as a player shows them.

    Args:
        path: of the file.
        codec: its FourCC, for the message.

    Raises:
        InputError: before the first frame: it can't be decoded, or PyAV is not installed; after the last: some could
            not be read.
    """
    codec = CODECS.get(codec, codec.strip("\0 ") or "unknown")
    try:
        import av
    except ImportError:
        whole = f"{Path(path).stem}.h264.mp4"
        install = "" if getattr(sys, "frozen", False) else "pip install av, or "  # the executable takes no packages
        raise InputError(
            f"{quoted(path)} holds no picture that this OpenCV can decode (codec: {codec}): {install}convert it: "
            f"ffmpeg -i {shlex.quote(path)} -c:v libx264 -crf 16 {shlex.quote(whole)}."
        ) from None
    count = lost = 0
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            rate = float(stream.average_rate or 0)
            start = None
            for packet in container.demux(stream):
                try:
                    pictures = packet.decode()
                except av.error.FFmpegError:
                    lost += bool(count)  # before the first frame: a recording that starts in mid-stream
                    continue
                for picture in pictures:
                    if start is None:
                        start = picture.time or 0.0
                    at = (picture.time if picture.time is not None else start) - start
                    yield Frame(_as_shown(picture, float(stream.sample_aspect_ratio or 1)), at, rate)
                    count += 1
    except (av.error.FFmpegError, IndexError) as error:
        if not count:
            raise InputError(f"{quoted(path)} holds no picture that can be read ({reason(error)}).") from error
        raise InputError(f"{quoted(path)} breaks off: {count} frames could be read ({reason(error)}).") from error
    if not count:
        raise InputError(f"{quoted(path)} holds no picture that can be read (codec: {codec}).")
    if lost:
        raise InputError(f"{quoted(path)} is damaged: {count} frames could be read, and about {lost} are lost.")


def _as_shown(picture, aspect: float) -> np.ndarray:  # type: ignore[no-untyped-def]
    """PyAV's frame as BGR uint8 (h, w, 3), with square pixels, upright."""
    image = square_pixels(picture.to_ndarray(format="bgr24"), aspect)
    turns = round(getattr(picture, "rotation", 0) / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(image, turns))
