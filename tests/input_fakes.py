"""Cameras and clocks that do what a test tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import cv2
import numpy as np

from capture.cameras import Camera

WEBCAM = Camera(0, "HD Webcam", "/dev/video0")
SECOND = Camera(2, "Capture Card", "/dev/video2")


def picture(value: int, height: int = 6, width: int = 8) -> np.ndarray:
    """A grey frame whose pixels all hold this value: a test can tell frames apart by it."""
    return np.full((height, width, 3), value, np.uint8)


class FakeClock:
    """Time that passes only when told to, or while somebody waits for it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class FakeCapture:
    """In place of `cv2.VideoCapture`: each read takes the next step of a script; the last one stays.

    A step is a frame, None (a failed read), an exception to raise, or a function that returns one of these.
    """

    def __init__(self, script: Iterable, opened: bool = True, rates: dict[str, float] | None = None) -> None:
        self.script = list(script)
        self.opened = opened
        self.released = 0
        self.settings: list[tuple[int, float]] = []
        self._rates = rates or {}
        self._format = next(iter(self._rates), "YUYV")

    def isOpened(self) -> bool:
        return self.opened and not self.released

    def read(self):
        assert not self.released, "a released capture was read"
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if callable(step):
            step = step()
        if isinstance(step, Exception):
            raise step
        return step is not None, step

    def get(self, prop: int) -> float:
        if prop == cv2.CAP_PROP_FPS:
            return self._rates.get(self._format, 0.0)
        if prop == cv2.CAP_PROP_FOURCC:
            return float(cv2.VideoWriter.fourcc(*self._format))
        return 0.0

    def set(self, prop: int, value: float) -> bool:
        self.settings.append((prop, value))
        if prop == cv2.CAP_PROP_FOURCC:
            wanted = int(value).to_bytes(4, "little").decode()
            if wanted in self._rates:
                self._format = wanted
        return True

    def release(self) -> None:
        self.released += 1


class FakeSystem:
    """A machine with cameras: `listed` are there now, `captures` are handed out one after another.

    An entry of `captures` is a FakeCapture or an exception to raise; the last one stays.
    """

    def __init__(self, captures: Iterable, listed: Iterable[Camera] = (WEBCAM,)) -> None:
        self.captures = list(captures)
        self.listed = list(listed)
        self.opened: list[tuple[int | str, int]] = []

    def open_capture(self, place: int | str, backend: int):
        self.opened.append((place, backend))
        capture = self.captures.pop(0) if len(self.captures) > 1 else self.captures[0]
        if isinstance(capture, Exception):
            raise capture
        return capture

    def list_cameras(self, backend: int | None = None, report: Callable[[str], None] = print) -> list[Camera]:
        return list(self.listed)
