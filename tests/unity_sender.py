"""Records made or changed by a test, and what sends them to a driver."""

from __future__ import annotations

import socket
import struct

import numpy as np
from receiver import LAYOUT, RECORD_SIZE


def record(number: int = 0, time: float = 1.0, face: int = 0, **fields: object) -> bytes:
    """A record with random finite floats, but for the fields that are named (see `receiver.LAYOUT`)."""
    rng = np.random.default_rng(number)
    fields = {"time": time, "id": face, "success": 1, **fields}
    data = b""
    for name, layout, shape in LAYOUT:
        count = int(np.prod(shape))
        values = fields.get(name, rng.uniform(-1, 1, count))
        data += struct.pack("<" + layout, *np.ravel(np.asarray(values)).tolist())
    assert len(data) == RECORD_SIZE
    return data


class Sender:
    """Sends datagrams to a port of this computer. They are read in their order."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))

    def send(self, datagram: bytes) -> None:
        """Sends one."""
        self._socket.send(datagram)

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
