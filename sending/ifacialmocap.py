"""iFacialMocap, version 1: a line of text a frame, as the phone app of that name sends it.

    trackingStatus-1|eyeBlink_L-0|...|=head#rx,ry,rz,px,py,pz|rightEye#rx,ry,rz|leftEye#rx,ry,rz|

Shapes are whole numbers of 0 to 100. Some receivers throw the first or the last field away, so that the first tells
nothing they need and the line ends with a bar; one takes a line equal to the one before for lost tracking, so that the
last digit counts on; one can't read more than some 60 lines a second.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence

import numpy as np

from sending.avatar import Avatar, Wearer
from sending.udp import Destination
from tracking.faces import BLENDSHAPE_NAMES

#: Lines a second at the most.
RATE = 60
#: These have their side in the middle of their meaning, not at the end.
_WHOLE = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")


def _name(shape: str) -> str:
    if shape in _WHOLE:
        return shape
    for side in ("Left", "Right"):
        if shape.endswith(side):
            return f"{shape.removesuffix(side)}_{side[0]}"
    return shape


_LINE = (
    "trackingStatus-1|"
    + "|".join(f"{_name(shape)}-%d" for shape in BLENDSHAPE_NAMES)
    + "|=head#%.4f,%.4f,%.4f,%.5f,%.5f,%.5f%d|rightEye#%.3f,%.3f,0.000|leftEye#%.3f,%.3f,0.000|"
)


def encode(avatar: Avatar, count: int) -> bytes:
    """The line of a face.

    Args:
        avatar: the face.
        count: a number that changes from line to line; its last digit is the last of pz, a millionth of a metre.
    """
    shapes = np.rint(100 * avatar.shapes).astype(int).tolist()
    line = _LINE % (*shapes, *avatar.rotation, *avatar.position, count % 10, *avatar.gaze, *avatar.gaze)
    return line.encode("ascii")


class RateLimit:
    """Lets through so many a second; a frame that is a little early is let through too, as long as the rate holds.

    Args:
        rate: a second.
        now: seconds that only rise.
    """

    def __init__(self, rate: float, now: Callable[[], float] = clock.monotonic) -> None:
        self._rate = rate
        self._now = now
        self._last = now()
        self._saved = 1.5

    def allows(self) -> bool:
        """Whether one may be sent now; then it counts as sent."""
        now = self._now()
        self._saved = min(self._saved + (now - self._last) * self._rate, 1.5)
        self._last = now
        if self._saved < 1:
            return False
        self._saved -= 1
        return True


class IFacialMocapSender:
    """Sends one face, and nothing while it is lost."""

    def __init__(
        self, destination: Destination, wearer: Wearer, now: Callable[[], float] = clock.monotonic
    ) -> None:
        self._destination = destination
        self._wearer = wearer
        self._limit = RateLimit(RATE, now)
        self._count = 0

    def send(self, avatars: Sequence[Avatar], time: float) -> None:
        """Send a frame's; see `Wearer.follow`."""
        avatar, found = self._wearer.follow(avatars, time)
        if found and self._limit.allows():
            self._count += 1
            self._destination.send(encode(avatar, self._count))

    def close(self) -> None:
        """Close the socket."""
        self._destination.close()
