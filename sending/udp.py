"""Sends datagrams to one or more receivers, and lets no network trouble stop or hold up the tracker."""

import errno
import logging
import socket
from collections.abc import Callable

from sending.packet import RECORD

_log = logging.getLogger(__name__)

MAX_RECORDS = 39  # a datagram of more faces is never sent
_BUFFER = 65536  # bytes; a system with a smaller one (macOS: 9216) refuses datagrams of six faces
_QUIET_SENDS = 240  # after so many datagrams without trouble (10 s at 24 frames a second) it counts as over


class PacketSender:
    """Sends each datagram to all destinations.

    Args:
        destinations: one or more, separated by commas: IPv4, IPv6 or broadcast address or host name, each
            with an optional port: `127.0.0.1`, `192.168.0.5:11574`, `::1`, `[::1]:11574`, `pc.local`.
            Names are looked up here, once, so that a name server that fails later does no harm;
            where a name has addresses of both kinds, the IPv4 one is taken, as receivers listen there.
        port: for destinations without one, 1 to 65535.
        report: gets a sentence for each kind of trouble, and when it is over.

    Raises:
        ValueError: a destination that can't be read or found, or a port out of range (one sentence).
    """

    def __init__(self, destinations: str, port: int, report: Callable[[str], None] = _log.warning) -> None:
        self._destinations = [destination(text.strip(), port, report) for text in destinations.split(",")]

    def send(self, datagram: bytes) -> None:
        """Send a frame's records. Nothing is sent when it is empty or holds more than `MAX_RECORDS`.

        Never blocks and never raises for trouble in the network: what can't be sent now is lost. Each kind of
        trouble is reported once per destination, and again only when it was over in between.
        """
        if 0 < len(datagram) <= MAX_RECORDS * RECORD.itemsize:
            for destination in self._destinations:
                destination.send(datagram)

    def close(self) -> None:
        """Close the sockets; a second time does nothing."""
        for destination in self._destinations:
            destination.close()

    def __enter__(self) -> "PacketSender":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def destination(text: str, port: int, report: Callable[[str], None]) -> "Destination":
    """One receiver by its address; see `PacketSender`."""
    return Destination(*_parse(text, port), report)


class Destination:
    """One receiver. Its socket is connected, as only then the system tells when nobody listens there."""

    def __init__(
        self, name: str, family: socket.AddressFamily, address: tuple, report: Callable[[str], None]
    ) -> None:
        self._name = name
        self._family = family
        self._address = address
        self._report = report
        self._socket: socket.socket | None = None
        self._reported: set[int | None] = set()  # error numbers
        self._quiet = 0

    def send(self, datagram: bytes) -> None:
        """Send a datagram, in the way of `PacketSender.send`."""
        try:
            if self._socket is None:
                self._socket = self._connect()
            try:
                self._socket.send(datagram)
            except ConnectionError:  # about an earlier datagram; this one was not sent yet
                self._socket.send(datagram)
                raise
        except BlockingIOError as error:
            self._trouble(error, "the network is slower than the data, some is lost")
        except ConnectionError as error:
            self._trouble(error, "no program listens there (yet)")
        except OSError as error:
            self._trouble(error, error.strerror or str(error))
            if error.errno != errno.EMSGSIZE:
                self.close()  # the computer's own address may have changed: connect anew
        else:
            self._quiet += 1
            if self._quiet == _QUIET_SENDS and self._reported:
                self._reported.clear()
                self._report(f"Sending to {self._name} works again.")

    def close(self) -> None:
        """Close the socket; a second time does nothing."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        """A connected socket.

        Raises:
            OSError: there is no way to the address.
        """
        connection = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            connection.setblocking(False)
            if self._family == socket.AF_INET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            if connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < _BUFFER:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            connection.connect(self._address)
        except OSError:
            connection.close()
            raise
        return connection

    def _trouble(self, error: OSError, text: str) -> None:
        self._quiet = 0
        if error.errno not in self._reported:
            self._reported.add(error.errno)
            self._report(f"Sending to {self._name}: {text}. Tracking goes on.")


def _parse(text: str, default_port: int) -> tuple[str, socket.AddressFamily, tuple]:
    """Name for messages, address family and socket address of one destination.

    Raises:
        ValueError: see `PacketSender`.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"'{text}' is no address: an IPv6 address with a port is [ADDRESS]:PORT.")
        port = rest[1:] if rest else str(default_port)
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:  # more colons: an IPv6 address without a port
        host, port = text, str(default_port)
    if not host:
        raise ValueError(f"'{text}' is no address to send to.")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError(f"{port or 'nothing'} is no port to send to: ports are 1 to 65535.")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"The host '{host}' to send to is unknown.") from error
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}", family, address
