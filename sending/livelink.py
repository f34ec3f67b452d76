"""Live Link Face: big-endian, a head with names and the time, then 61 float32. Unreal and others take it.

The head: byte 6; the length and text of the device's id (36 characters) and of the subject's name; the time as frame
number, part of a frame, rate and its denominator. Then, only for a face that is there, byte 61 and the floats: 52
shapes in Apple's order by face parts, yaw, pitch and roll of the head, the left eye and the right eye in radians.
"""

from __future__ import annotations

import math
import socket
import struct
import uuid
from collections.abc import Sequence

import numpy as np

from sending.avatar import Avatar, Wearer
from sending.udp import Destination
from tracking.faces import BLENDSHAPE_NAMES

VERSION, VALUES = 6, 61
SUBJECT = "OpenSeeFace"
#: The rate that frame numbers count in; the time of a frame is exact all the same, by its part of a frame.
RATE = 60
DAY = 86400

_EYE = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
ORDER = (
    *(f"eye{name}{side}" for side in ("Left", "Right") for name in _EYE),
    *("jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft",
      "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft",
      "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper",
      "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft",
      "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp",
      "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft",
      "noseSneerRight", "tongueOut"),
)  # fmt: skip
_PLACES = np.array([BLENDSHAPE_NAMES.index(name) for name in ORDER])


def encode_names(device: str, subject: str) -> bytes:
    """What each datagram begins with: version, device id, subject name."""
    texts = (device.encode("ascii"), subject.encode())
    return bytes([VERSION]) + b"".join(struct.pack(">i", len(text)) + text for text in texts)


def encode(names: bytes, avatar: Avatar | None, time: float) -> bytes:
    """The datagram of a face, or of none.

    Args:
        names: from `encode_names`.
        avatar: the face; None: there is none, and the datagram ends after the time.
        time: seconds, of any clock; sent modulo a day.
    """
    frame, part = divmod((time % DAY) * RATE, 1.0)
    head = names + struct.pack(">ifii", int(frame), part, RATE, 1)
    if avatar is None:
        return head
    values = np.empty(VALUES, ">f4")
    values[:52] = avatar.shapes[_PLACES]
    (rx, ry, rz), (down, side) = avatar.rotation, avatar.gaze
    angles = (ry, rx, rz, side, down, 0.0, side, down, 0.0)
    values[52:] = [math.radians(angle) for angle in angles]
    return head + bytes([VALUES]) + values.tobytes()


class LiveLinkSender:
    """Sends one face, and while it is lost that there is none."""

    def __init__(self, destination: Destination, wearer: Wearer, subject: str = SUBJECT) -> None:
        self._destination = destination
        self._wearer = wearer
        # The same for this computer each time, without telling its name.
        device = str(uuid.uuid5(uuid.NAMESPACE_DNS, socket.gethostname())).upper()
        self._names = encode_names(device, subject)

    def send(self, avatars: Sequence[Avatar], time: float) -> None:
        """Send a frame's; see `Wearer.follow`."""
        avatar, found = self._wearer.follow(avatars, time)
        self._destination.send(encode(self._names, avatar if found else None, time))

    def close(self) -> None:
        """Close the socket."""
        self._destination.close()
