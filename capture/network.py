"""Cameras and videos on the network: a phone as a webcam, an IP camera, a stream from another program."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import cv2

from capture.camera import CameraSettings
from capture.frames import OPEN_SECONDS, Capture, Frames, InputError, OpenCapture
from capture.video import decoded, open_stream

SCHEMES = ("http", "https", "rtsp", "rtsps", "rtp", "rtmp", "rtmps", "udp", "tcp", "srt")


def is_url(capture: str) -> bool:
    """Whether it is the address of something on the network."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", capture) is not None


def shown(url: str) -> str:
    """What of a URL may be printed: its scheme, host and port. Names, passwords and keys stand in any other part."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if ":" in host:
            host = f"[{host}]"
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return f"{url.split(':', 1)[0]}://…"


class NetworkCamera:
    """A camera on the network, for `camera.CameraLink`: connects to it, says why not.

    Args:
        url: its address.
        open_capture: see `input_reader.InputReader`.

    Raises:
        InputError: nothing can be read there, or it is no address that is understood.
    """

    def __init__(self, url: str, open_capture: OpenCapture) -> None:
        self.name = shown(url)
        scheme = urlsplit(self.name).scheme.lower()
        if scheme not in SCHEMES:
            raise InputError(f"{self.name}: the address of a camera begins with one of {', '.join(SCHEMES)}.")
        self._url = url
        self._open_capture = open_capture
        self._first = self._connect()
        if self._first is None:
            raise InputError(self.trouble())
        #: How many frames there are, if it is a file on a server and no camera.
        self.length = max(self._first.get(cv2.CAP_PROP_FRAME_COUNT), 0.0)

    def open(self, settings: CameraSettings) -> Capture | None:
        """The camera, connected; None when it does not answer. It is not asked for a size or a rate."""
        first, self._first = self._first, None
        return first or self._connect()

    def trouble(self) -> str:
        """One sentence for the user on a camera that does not answer."""
        return (
            f"Nothing can be read from {self.name} (waited up to {OPEN_SECONDS} s): check the address, that both are "
            "in one network, and that the camera's program is running."
        )

    def frames(self) -> Frames:
        """The frames of a file on a server."""
        capture = self.open(CameraSettings())
        if capture is None:
            raise InputError(self.trouble())
        for frame, _ in decoded(capture, self.name):
            yield frame

    def _connect(self) -> Capture | None:
        try:
            return open_stream(self._url, self._open_capture)
        except UnicodeEncodeError:
            return None
