"""A receiver for people who write receivers: shows, plots, records and replays what a tracker sends.

    python -m sending.receive                           a live table of what arrives
    python -m sending.receive --plot                    a window with points, head and features
    python -m sending.receive --record talk.osfrec      store it as well
    python -m sending.receive --replay talk.osfrec      send it again, as it came, without a camera

A recording is the eight bytes `OSFREC1\\n`, then for each datagram a float64 (seconds since the one before,
0 for the first), a uint32 (its length in bytes) and the datagram itself, all little-endian.
"""

import argparse
import contextlib
import math
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import numpy as np

from output.console import warn, write_line
from sending.packet import decode
from sending.udp import PacketSender
from tracking.features import FEATURE_NAMES

MAGIC = b"OSFREC1\n"
_ENTRY = struct.Struct("<dI")
_LARGEST = 65507  # bytes of data in a UDP datagram
_LONGEST = 86400.0  # seconds between two datagrams; more is no recording of ours
_REFRESH = 0.1  # seconds between two tables on a terminal


def listen(ip: str, port: int) -> socket.socket:
    """A UDP socket that hears what is sent to that address of this computer; its reads end after 0.1 s.

    Raises:
        ValueError: the address is no address of this computer, or the port is taken or out of range.
    """
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is no port to listen at: ports are 1 to 65535.")
    try:
        family, kind, _, _, address = socket.getaddrinfo(ip, port, type=socket.SOCK_DGRAM)[0]
        receiver = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"'{ip}' is no address to listen at.") from error
    try:
        receiver.bind(address)
        receiver.settimeout(0.1)
    except OSError as error:
        receiver.close()
        raise ValueError(f"Can't listen at {ip}:{port}: {error.strerror}.") from error
    return receiver


def write_recording(file: BinaryIO) -> Callable[[float, bytes], None]:
    """Begin a recording; the function returned appends a datagram, given the time it came (seconds) and itself.

    Each is written at once, so that an interrupted recording is complete up to there.

    Raises:
        OSError: from the file, also by the function returned.
    """
    file.write(MAGIC)
    file.flush()
    before: float | None = None

    def append(now: float, datagram: bytes) -> None:
        nonlocal before
        delay = 0.0 if before is None else max(0.0, now - before)
        before = now
        file.write(_ENTRY.pack(delay, len(datagram)) + datagram)
        file.flush()

    return append


def read_recording(file: BinaryIO) -> Iterator[tuple[float, bytes]]:
    """The datagrams of a recording, each with the seconds since the one before.

    A last one that is cut short, as an interrupted recording may have, is left out.

    Raises:
        ValueError: it is no recording, or holds what no recording can hold.
        OSError: from the file.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError("it is no recording of datagrams")
    while len(head := file.read(_ENTRY.size)) == _ENTRY.size:
        delay, length = _ENTRY.unpack(head)
        if not 0 <= delay <= _LONGEST:  # also for NaN
            raise ValueError(f"it is damaged: a pause of {delay} s")
        if not 0 < length <= _LARGEST:
            raise ValueError(f"it is damaged: a datagram of {length} bytes")
        datagram = file.read(length)
        if len(datagram) < length:
            return
        yield delay, datagram


def replay(recording: Iterable[tuple[float, bytes]], send: Callable[[bytes], None]) -> int:
    """Send a recording with the timing that it had. Returns the number of datagrams."""
    count, due = 0, time.monotonic()
    for delay, datagram in recording:
        due += delay
        time.sleep(max(0.0, due - time.monotonic()))
        send(datagram)
        count += 1
    return count


def row(record: np.void) -> str:
    """One face as a line of text."""
    features = dict(zip(FEATURE_NAMES, record["features"], strict=True))
    with np.errstate(all="ignore"):  # a datagram may hold anything
        confidence = record["confidence"].mean()
    euler = " ".join(f"{angle:7.1f}" for angle in record["euler"])
    place = " ".join(f"{value:7.2f}" for value in record["translation"])
    return (
        f"{record['id']:3d}  {record['width']:5.0f}x{record['height']:<5.0f} {confidence:5.2f} "
        f"{record['pnp_error']:7.2f}  {euler}  {place}  {record['right_eye_open']:5.2f} "
        f"{record['left_eye_open']:5.2f}  {features['mouth_open']:6.2f} {features['mouth_wide']:6.2f}"
    )


HEADER = " id         size  conf   error   Euler x       y       z   move x       y       z  eye r eye l    open   wide"


class Table:
    """Prints what arrives: on a terminal a table that renews itself, else a line for each face and datagram."""

    def __init__(self) -> None:
        self._live = sys.stdout is not None and sys.stdout.isatty()
        self._height = 0
        self._came: list[float] = []  # times of the last second's datagrams
        self._drawn = -math.inf
        if not self._live:
            write_line(sys.stdout, HEADER)

    def show(self, now: float, records: np.ndarray) -> bool:
        """Show a datagram's records; False when nobody reads the output any more."""
        self._came = [*(came for came in self._came if came > now - 1), now]
        if not self._live:
            return all(write_line(sys.stdout, row(record)) for record in records)
        if now - self._drawn < _REFRESH:
            return True
        self._drawn = now
        lines = [f"{len(self._came):4d} datagrams in the last second", HEADER, *(row(record) for record in records)]
        up = f"\033[{self._height}A" if self._height else ""
        self._height = len(lines)
        return write_line(sys.stdout, up + "\n".join(line + "\033[K" for line in lines) + "\033[J")

    def idle(self, now: float) -> bool:
        """Called when nothing came for a while; True: go on."""
        return True


class Plot:
    """A window: the points in the image, the 3D points from front and side, and the features as bars.

    Raises:
        ValueError: matplotlib is not installed or has no display (one sentence).
    """

    def __init__(self) -> None:
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ValueError("--plot needs matplotlib: pip install matplotlib.") from error
        if plt.get_backend().lower() == "agg" and "MPLBACKEND" not in os.environ:
            raise ValueError("--plot needs a display and one of matplotlib's window toolkits, such as tkinter.")
        self._plt = plt
        self.figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
        self._image, self._front, self._bars, self._side = axes.flat
        self._drawn = -math.inf
        plt.show(block=False)

    def show(self, now: float, records: np.ndarray) -> bool:
        """Draw the first face of a datagram; False when the window was closed."""
        if now - self._drawn >= _REFRESH and np.isfinite(records[0]["points_3d"]).all():
            self._drawn = now
            self._draw(records[0])
        return self.idle(now)

    def idle(self, now: float) -> bool:
        """Let the window answer; False when it was closed."""
        self.figure.canvas.draw_idle()
        self.figure.canvas.flush_events()
        return self._plt.fignum_exists(self.figure.number)

    def _draw(self, record: np.void) -> None:
        for axes in (self._image, self._front, self._bars, self._side):
            axes.clear()
        points, solid = record["points"], record["points_3d"]
        self._image.scatter(*points[:66].T, c=record["confidence"][:66], cmap="RdYlGn", vmin=0, vmax=1, s=12)
        self._image.scatter(*points[66:].T, facecolors="none", edgecolors="tab:blue", s=60)
        self._image.set(xlim=(0, record["width"]), ylim=(record["height"], 0), aspect="equal")
        self._image.set_title(f"image, face {record['id']}, fit error {record['pnp_error']:.1f} px")
        x, y, z = solid[:66].T  # x to the person's right, y down, z into the head
        self._front.scatter(-x, -y, s=12)
        self._front.scatter(-solid[66:68, 0], -solid[66:68, 1], facecolors="none", edgecolors="tab:blue", s=60)
        self._front.set(aspect="equal", title="3D points from the front (-x, -y)")
        self._side.scatter(z, -y, s=12)
        self._side.set(aspect="equal", title="3D points from the side (z, -y)")
        angles = " ".join(f"{angle:.0f}" for angle in record["euler"])
        self._side.set_xlabel(f"Euler {angles}   translation {np.round(record['translation'], 2)}")
        values = [record["right_eye_open"], record["left_eye_open"], *record["features"]]
        names = ["right eye open", "left eye open", *FEATURE_NAMES]
        self._bars.barh(names, values, color=["tab:green"] * 2 + ["tab:blue"] * len(FEATURE_NAMES))
        self._bars.set(xlim=(-1.05, 1.05), title="eyes and features")
        self._bars.invert_yaxis()


def receive(
    source: socket.socket,
    screen: Table | Plot,
    record: Callable[[float, bytes], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Show and record datagrams until the screen is gone or `stop` says so. Returns how many came."""
    count, refused = 0, False
    while not stop():
        try:
            datagram = source.recv(65536)
        except TimeoutError:
            if not screen.idle(time.monotonic()):
                break
            continue
        except ConnectionError:  # Windows: about something that this port sent earlier
            continue
        now = time.monotonic()
        try:
            records = decode(datagram)
        except ValueError as error:
            if not refused:
                warn(f"Something that is no tracking data arrives: {error}.")
                refused = True
            continue
        count += 1
        if record is not None:
            record(now, datagram)
        if not screen.show(now, records):
            break
    return count


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m sending.receive", description="Show, plot, record and replay what a face tracker sends."
    )
    parser.add_argument("--ip", default="127.0.0.1", help="address to listen at, or to replay to (%(default)s)")
    parser.add_argument("--port", type=int, default=11573, help="its port (%(default)s)")
    parser.add_argument("--plot", action="store_true", help="show a window (needs matplotlib)")
    parser.add_argument("--record", metavar="FILE", help="store what arrives")
    parser.add_argument("--replay", metavar="FILE", help="send a recording instead of listening")
    options = parser.parse_args(arguments)
    if options.replay and (options.record or options.plot):
        parser.error("--replay sends: it goes with neither --record nor --plot")
    try:
        return _replay(options) if options.replay else _receive(options)
    except ValueError as error:
        warn(str(error))
        return 1
    except OSError as error:
        warn(f"{error.filename or options.record or options.replay}: {error.strerror}.")
        return 1
    except KeyboardInterrupt:
        return 0


def _receive(options: argparse.Namespace) -> int:
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(listen(options.ip, options.port))
        record = None
        if options.record:
            record = write_recording(stack.enter_context(open(options.record, "wb")))
        screen = Plot() if options.plot else Table()
        warn(f"Listening at {options.ip}:{options.port}; Ctrl-C ends it.")
        receive(source, screen, record)
    return 0


def _replay(options: argparse.Namespace) -> int:
    with open(options.replay, "rb") as file, PacketSender(options.ip, options.port, warn) as sender:
        try:
            count = replay(read_recording(file), sender.send)
        except ValueError as error:
            raise ValueError(f"Can't replay {options.replay}: {error}.") from error
    write_line(sys.stdout, f"{count} datagrams sent.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
