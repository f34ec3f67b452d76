"""What a host program is to the tracker: a UDP socket and a reader of its records.

The reader is written from docs/packet.md with `struct` alone, so that it can't share a mistake with
sending/packet.py.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from types import SimpleNamespace

RECORD_SIZE = 1785
LAYOUT = (  # name, struct format, shape
    ("time", "d", ()), ("id", "i", ()), ("size", "2f", (2,)), ("eyes", "2f", (2,)), ("success", "B", ()),
    ("error", "f", ()), ("quaternion", "4f", (4,)), ("euler", "3f", (3,)), ("translation", "3f", (3,)),
    ("confidence", "68f", (68,)), ("points", "136f", (68, 2)), ("points_3d", "210f", (70, 3)),
    ("features", "14f", (14,)),
)  # fmt: skip


def decode(datagram: bytes) -> list[SimpleNamespace]:
    """The records of a datagram; arrays come as flat tuples."""
    assert datagram and len(datagram) % RECORD_SIZE == 0, len(datagram)
    records = []
    for start in range(0, len(datagram), RECORD_SIZE):
        record, offset = SimpleNamespace(), start
        for name, layout, shape in LAYOUT:
            values = struct.unpack_from("<" + layout, datagram, offset)
            setattr(record, name, values if shape else values[0])
            offset += struct.calcsize("<" + layout)
        assert offset - start == RECORD_SIZE
        records.append(record)
    return records


class Receiver:
    """Listens on a free UDP port in the background and keeps every datagram."""

    ROOM = 2**22  # bytes that may wait to be read: all of a clip, where the system grants it (Windows: 64 KB by itself)

    def __init__(self, address: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.ROOM)
        self._socket.bind((address, 0))
        self.address, self.port = self._socket.getsockname()[:2]
        self.datagrams: list[bytes] = []
        self._closing = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while (datagram := self._socket.recv(65536)) or not self._closing:
            self.datagrams.append(datagram)

    def wait_for(self, count: int, seconds: float = 180) -> None:
        """Returns when so many datagrams have come."""
        deadline = time.monotonic() + seconds
        while len(self.datagrams) < count:
            assert time.monotonic() < deadline, f"{len(self.datagrams)} datagrams of {count} in {seconds} s"
            time.sleep(0.02)

    def close(self) -> list[bytes]:
        """Ends listening and returns everything that came."""
        if not self._closing:
            self._closing = True
            with socket.socket(self._socket.family, socket.SOCK_DGRAM) as last:
                while self._thread.is_alive():  # a full socket takes none
                    last.sendto(b"", (self.address, self.port))  # comes after all that was sent before
                    self._thread.join(0.1)
            self._socket.close()
        return self.datagrams

    @property
    def frames(self) -> list[list[SimpleNamespace]]:
        """The records of each datagram; ends listening."""
        return [decode(datagram) for datagram in self.close()]
