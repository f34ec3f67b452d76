"""opentrack's "UDP over network": six little-endian float64, x, y, z in centimetres, yaw, pitch, roll in degrees."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from sending.avatar import Avatar, Wearer
from sending.udp import Destination

PACKET = struct.Struct("<6d")


def encode(avatar: Avatar) -> bytes:
    """The datagram of a face, 48 bytes. Signs are those of `sending.head`; opentrack can invert each axis."""
    (rx, ry, rz), (px, py, pz) = avatar.rotation, avatar.position
    return PACKET.pack(100 * px, 100 * py, 100 * pz, ry, rx, rz)


class OpentrackSender:
    """Sends the head of one face; nothing while it is lost, so that the view stays where it was."""

    def __init__(self, destination: Destination, wearer: Wearer) -> None:
        self._destination = destination
        self._wearer = wearer

    def send(self, avatars: Sequence[Avatar], time: float) -> None:
        """Send a frame's; see `Wearer.follow`."""
        avatar, found = self._wearer.follow(avatars, time)
        if found:
            self._destination.send(encode(avatar))

    def close(self) -> None:
        """Close the socket."""
        self._destination.close()
