"""Live cameras: opened, read by a thread, opened again when they stop, given up in the end.

Each part has one task: `CameraDevice` finds and opens the camera, `CameraLink` reads it and opens it again,
`CameraWatch` tells the user and decides when to give up, `CameraSource` runs the thread.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from capture import cameras as camera_list
from capture.cameras import Camera, Capability, Report, to_stderr
from capture.frames import Capture, InputError, OpenCapture, open_video_capture, quoted, to_bgr8


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


class Device(Protocol):
    """Something that can be opened again and again."""

    name: str

    def open(self, settings: CameraSettings) -> Capture | None: ...
    def trouble(self) -> str: ...


class CameraDevice:
    """One camera of this machine: finds it, opens it, says why not.

    A camera that was unplugged is found again by its name, for its number may have changed; a device path
    stays what it is.

    Args:
        capture: number or device path.
        directshow_first: Windows: which of the two backends is tried first.
        open_capture, list_cameras: see `input_reader.InputReader`.
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
        self._path = None if is_number(capture) else capture
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
        untold: list[str] = []
        listed = self._list_cameras(camera_list.backends(self._platform)[0], report=untold.append)
        there = "; ".join(f"{camera.index}: {camera.name}" for camera in listed) or "none"
        there = f"cameras here: {there}" if not untold else untold[0].rstrip(".")
        asked = self._path or str(self._number)
        known = f"{asked} ({self.camera.name})" if self.camera else asked
        path = self._path or (self.camera.path if self.camera else None)
        if self._platform == "linux" and path and os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
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
        return f"Camera {known} does not open ({there}); {advice}."

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
        device: Device,
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
            self._report(f"Camera {quoted(self.name)} is back after {missing:.0f} s.")
        self._missing_since, self._lost = None, False

    def missed(self) -> str | None:
        """No frame came. Returns the reason when it is time to give the camera up, else None."""
        now = self._clock()
        if self._missing_since is None:
            self._missing_since = now
        missing = now - self._missing_since
        if missing >= self._give_up_after:
            return (
                f"Camera {quoted(self.name)} has sent no picture for {missing:.0f} s and is given up; check its "
                "cable and whether another program uses it."
            )
        if missing >= self._lost_after and not self._lost:
            self._lost = True
            self._report(
                f"Camera {quoted(self.name)} sends no pictures (unplugged, or used by another program?); "
                f"waiting up to {self._give_up_after:.0f} s for it."
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
    time: float | None = None
    rate = 0.0

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


def camera_settings(
    device: CameraDevice,
    width: int,
    height: int,
    fps: float,
    dcap: int | None,
    capabilities: Callable[..., list[Capability]],
    report: Report,
) -> CameraSettings:
    """What to ask of the camera, by the rules of `dcap` in `input_reader.InputReader`.

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
            f"Camera {device.name!r} has no capability {dcap}: they go from 0 to {len(listed) - 1}, see --list-dcaps."
        )
    chosen = listed[dcap]
    return CameraSettings(
        width=min(max(width, chosen.min_size[0]), chosen.max_size[0]),
        height=min(max(height, chosen.min_size[1]), chosen.max_size[1]),
        fps=min(max(fps, chosen.fps_min), chosen.fps_max) if fps and chosen.fps_max else chosen.fps_max,
        fourcc=chosen.format if len(chosen.format) == 4 else None,
    )


def is_number(text: str) -> bool:
    """Whether a --capture is the number of a camera."""
    return text.isascii() and text.isdigit()
