"""The tracker with a camera that plays a video and then misbehaves.

    python tests/faulty_camera.py FAULT SPEED VIDEO [options of the tracker]

Time runs SPEED times as fast for what is timed by the clock: when the camera is lost, and when it is given up.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from itertools import cycle

import cv2
import numpy as np

sys.path.insert(0, __file__.rpartition("tests")[0] or ".")

import facetracker
from capture.cameras import Camera
from cli import loop

FAULT, SPEED, VIDEO, *OPTIONS = sys.argv[1:]
#: The fault comes after so many frames, and passes after so many seconds of the camera's time.
GOOD, LASTS = (0 if FAULT == "silent" else 12), (1e9 if FAULT in ("away", "silent") else 30.0)


def clock() -> float:
    return time.monotonic() * float(SPEED)


class FaultyCamera:
    """In place of `cv2.VideoCapture`."""

    frames = 0
    began: float | None = None

    def __init__(self) -> None:
        self._opened = not (FAULT in ("unplugged", "away") and self.is_faulty())

    @classmethod
    def is_faulty(cls) -> bool:
        if cls.frames < GOOD:
            return False
        cls.began = clock() if cls.began is None else cls.began
        return clock() - cls.began < LASTS

    def isOpened(self) -> bool:
        return self._opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(0.02)
        frame = next(video)
        if self.is_faulty():
            if FAULT == "throws":
                raise cv2.error("The driver has gone.")
            if FAULT == "blocks":
                time.sleep(LASTS / float(SPEED))
            elif FAULT == "is empty":
                return True, np.empty((0, 0, 3), np.uint8)
            elif FAULT == "is black":
                return True, np.zeros_like(frame)
            elif FAULT in ("unplugged", "away", "silent"):
                return False, None
        elif FAULT == "is larger" and self.began:
            frame = cv2.resize(frame, None, fx=2, fy=2)
        elif FAULT == "has other channels" and self.began:
            kind = FaultyCamera.frames % 3
            if kind == 0:
                frame = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            elif kind == 1:
                frame = cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA)
            else:
                frame = frame.astype(np.uint16) * 257
        FaultyCamera.frames += 1
        return True, frame

    def get(self, prop: int) -> float:
        return 0.0

    def set(self, prop: int, value: float) -> bool:
        return True

    def release(self) -> None:
        pass


def list_cameras(backend: int | None = None, report: object = None) -> list[Camera]:
    gone = FAULT in ("unplugged", "away") and FaultyCamera.is_faulty()
    return [] if gone else [Camera(0, "HD Webcam", "/dev/video0")]


def read_video() -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(VIDEO), []
    while (frame := capture.read())[0]:
        frames.append(frame[1])
    return frames


if __name__ == "__main__":
    video = cycle(read_video())
    loop.InputReader = partial(  # type: ignore[misc]
        loop.InputReader,
        open_capture=lambda place, backend: FaultyCamera(),
        list_cameras=list_cameras,
        clock=clock,
    )
    sys.exit(facetracker.main(OPTIONS))
