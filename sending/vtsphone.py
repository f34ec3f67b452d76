"""VTube Studio's phone protocol: receivers ask at a port for the data, and get JSON for as long as they asked.

The one protocol for which this program listens, and only where the user names it.
"""

from __future__ import annotations

import json
import logging
import socket
import time as clock
from collections.abc import Callable, Sequence

from sending.avatar import Avatar, Wearer
from sending.json_template import JsonTemplate, slot
from tracking.faces import BLENDSHAPE_NAMES

_log = logging.getLogger(__name__)

REQUEST = "iOSTrackingDataRequest"
#: What a request may ask for: seconds, and ports at once.
SHORTEST, LONGEST, MOST_PORTS = 0.5, 10.0, 32
#: Receivers served at a time, and requests read in a frame: whoever can reach the port can ask for a lot.
MOST_RECEIVERS, MOST_REQUESTS = 64, 32

_NAMES = [name[0].upper() + name[1:] for name in BLENDSHAPE_NAMES]


def _vector(x: str, y: str, z: str) -> dict[str, str]:
    return {"x": slot(x), "y": slot(y), "z": slot(z)}


_FRAMES = {
    found: JsonTemplate(
        {
            "Timestamp": slot("%d"),
            "Hotkey": -1,
            "FaceFound": found,
            "Rotation": _vector("%.4f", "%.4f", "%.4f"),
            "Position": _vector("%.5f", "%.5f", "%.5f"),
            "EyeLeft": _vector("%.3f", "%.3f", "%.1f"),
            "EyeRight": _vector("%.3f", "%.3f", "%.1f"),
            "BlendShapes": [{"k": name, "v": slot("%.4f")} for name in _NAMES],
        }
    )
    for found in (True, False)
}


def encode(avatar: Avatar, found: bool, time: float) -> bytes:
    """The datagram of a frame.

    Args:
        avatar: the face, or what is left of it.
        found: whether it is there.
        time: when the frame was taken, seconds.
    """
    eye = (*avatar.gaze, 0.0)
    numbers = (1000 * time, *avatar.rotation, *avatar.position, *eye, *eye, *avatar.shapes.tolist())
    return _FRAMES[found].fill(numbers).encode("ascii")


def decode_request(datagram: bytes) -> tuple[float, list[int]] | None:
    """For how many seconds a request asks, and the ports to send to; None when it is none."""
    try:
        message = json.loads(datagram)
        if message["messageType"] != REQUEST:
            return None
        seconds, ports = message["time"], message["ports"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not isinstance(ports, list):
        return None
    right = [port for port in ports if isinstance(port, int) and not isinstance(port, bool) and 1 <= port <= 65535]
    if not 1 <= len(ports) <= MOST_PORTS or len(right) < len(ports) or not seconds > 0:
        return None
    return min(max(float(seconds), SHORTEST), LONGEST), right


class VtsPhoneSender:
    """Listens for requests and sends one face to whoever asked lately.

    Args:
        host, port: own address to listen at.
        wearer: chooses the face.
        report: is told that it listens, and of requests that can't be read.
        now: seconds that only rise.

    Raises:
        OSError: the address can't be listened at.
    """

    def __init__(
        self,
        host: str,
        port: int,
        wearer: Wearer,
        report: Callable[[str], None] = _log.warning,
        now: Callable[[], float] = clock.monotonic,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._wearer = wearer
        self._report = report
        self._now = now
        self._until: dict[tuple, float] = {}  # address: when its time is over
        self._told = False
        report(f"Listening at {host}:{self.port} for programs that ask for tracking data as from VTube Studio's phone.")

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return self._socket.getsockname()[1]

    def send(self, avatars: Sequence[Avatar], time: float) -> None:
        """Read what was asked, and send a frame's; see `Wearer.follow`."""
        avatar, found = self._wearer.follow(avatars, time)
        now = self._now()
        self._read_requests(now)
        self._until = {address: until for address, until in self._until.items() if until > now}
        if not self._until:
            return
        datagram = encode(avatar, found, time)
        for address in self._until:
            try:
                self._socket.sendto(datagram, address)
            except OSError:  # it is gone, or slower than the data; it will ask again if it is there
                continue

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _read_requests(self, now: float) -> None:
        for _ in range(MOST_REQUESTS):
            try:
                datagram, (host, _, *rest) = self._socket.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:  # about something that was sent to a receiver that is gone
                continue
            asked = decode_request(datagram)
            if asked is None:
                if not self._told:
                    self._told = True
                    self._report(f"{host} asks at port {self.port} for something that is not understood.")
                continue
            seconds, ports = asked
            for port in ports:
                address = (host, port, *rest)
                if address in self._until or len(self._until) < MOST_RECEIVERS:
                    self._until[address] = now + seconds
