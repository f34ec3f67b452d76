"""What sends to a driver: the tracker itself, or a test that makes the records."""

from __future__ import annotations

import socket
import struct
import subprocess

import numpy as np
from program import command
from receiver import LAYOUT, RECORD_SIZE, Receiver


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


def track_into(running, port: int, frames: list[np.ndarray], *options: object) -> tuple[list, list[bytes]]:
    """Tracks frames one by one: the next goes in when OpenSee has said what it got. Its lines, and the datagrams."""
    receiver = Receiver()
    height, width = frames[0].shape[:2]
    places = f"127.0.0.1:{port},127.0.0.1:{receiver.port}"
    arguments = ["--ip", places, "--raw-rgb", 1, "-W", width, "-H", height, "-F", 0, "--silent", 1, *options]
    tracker = subprocess.Popen(command(*arguments), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = []
    try:
        for number, frame in enumerate(frames, start=1):
            tracker.stdin.write(frame[:, :, ::-1].tobytes())
            tracker.stdin.flush()
            receiver.wait_for(number)
            lines.append(running.read())
        _, err = tracker.communicate(timeout=60)
        assert tracker.returncode == 0, err
    finally:
        tracker.kill()
        tracker.wait()
        receiver.close()
    return lines, receiver.datagrams
