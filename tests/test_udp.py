"""Sending over real sockets on this machine, and through trouble that a fake socket makes."""

import errno
import socket
import subprocess
import sys
from functools import partial

import pytest
from receiver import Receiver

from output.console import warn
from sending import udp

PacketSender = partial(udp.PacketSender, report=warn)

ONE = bytes(1785)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


def unused_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", " 127.0.0.1 ", "127.0.0.1:{port}", "localhost:{port}"]
)
def test_arrives_at_ipv4_and_host_names(receiver, host):
    with PacketSender(host.format(port=receiver.port), 1 if "port" in host else receiver.port) as sender:
        for i in range(5):
            sender.send(bytes([i]) * 1785)
    receiver.wait_for(5)
    assert receiver.close() == [bytes([i]) * 1785 for i in range(5)]


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "[::1]", "[::1]:{port}"])
def test_arrives_at_ipv6(host):
    receiver = Receiver("::1")
    with PacketSender(host.format(port=receiver.port), 1 if "port" in host else receiver.port) as sender:
        sender.send(ONE)
    receiver.wait_for(1)
    assert receiver.close() == [ONE]


def test_several_receivers_get_the_same(receiver, capsys):
    other = Receiver()
    nobody = unused_port()
    destinations = f"127.0.0.1, 127.0.0.1:{nobody},localhost:{other.port}"
    with PacketSender(destinations, receiver.port) as sender:
        for i in range(20):
            sender.send(bytes([i]) * 3570)
    receiver.wait_for(20)
    other.wait_for(20)
    assert receiver.close() == other.close() == [bytes([i]) * 3570 for i in range(20)]
    assert capsys.readouterr().err.count("\n") == 1


def test_broadcast_arrives():
    """127.255.255.255 is the broadcast address of the loopback network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.settimeout(5)
        try:
            listener.bind(("", 0))
            with PacketSender("127.255.255.255", listener.getsockname()[1]) as sender:
                sender.send(ONE)
            assert listener.recv(65536) == ONE
        except TimeoutError:
            pytest.skip("this system does not broadcast on the loopback network")


def test_broadcast_is_allowed(capsys):
    with PacketSender("255.255.255.255", unused_port()) as sender:
        sender.send(ONE)
    assert "ermission" not in capsys.readouterr().err


def test_a_receiver_that_is_not_there_yet(capsys):
    port = unused_port()
    with PacketSender("127.0.0.1", port) as sender:
        for _ in range(100):
            sender.send(ONE)
        said = capsys.readouterr().err
        assert said == f"Sending to 127.0.0.1:{port}: no program listens there (yet). Tracking goes on.\n"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind(("127.0.0.1", port))
            listener.settimeout(5)
            sender.send(b"x" * 1785)  # the first one already, in spite of the refusal before
            assert listener.recv(65536) == b"x" * 1785
            for _ in range(udp._QUIET_SENDS):
                sender.send(ONE)
                assert listener.recv(65536) == ONE
        assert capsys.readouterr().err == f"Sending to 127.0.0.1:{port} works again.\n"
        for _ in range(100):
            sender.send(ONE)
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("size", [0, 40 * 1785, 100 * 1785])
def test_no_faces_or_too_many_are_not_sent(receiver, size, capsys):
    with PacketSender("127.0.0.1", receiver.port) as sender:
        sender.send(bytes(size))
        sender.send(ONE)
    receiver.wait_for(1)
    assert receiver.close() == [ONE]
    assert not capsys.readouterr().err


def test_the_most_faces_that_fit(receiver, capsys):
    """36 records fit a datagram; 37 to 39 do not, which is said once."""
    with PacketSender("127.0.0.1", receiver.port) as sender:
        sender.send(bytes(36 * 1785))
        for _ in range(3):
            sender.send(bytes(37 * 1785))
        sender.send(ONE)
    receiver.wait_for(2)
    assert [len(data) for data in receiver.close()] == [36 * 1785, 1785]
    assert capsys.readouterr().err.count("\n") == 1


class FakeSocket(socket.socket):
    """Fails as told, one entry a send; None: works."""

    failures: list = []
    sent: list = []

    def send(self, data, *_):
        failure = FakeSocket.failures.pop(0) if FakeSocket.failures else None
        if failure is not None:
            raise OSError(failure, "made up")
        FakeSocket.sent.append(bytes(data))
        return len(data)


@pytest.fixture
def fake(monkeypatch):
    FakeSocket.failures, FakeSocket.sent = [], []
    monkeypatch.setattr(udp.socket, "socket", FakeSocket)
    return FakeSocket


@pytest.mark.parametrize(
    "number",
    [
        errno.ECONNREFUSED, errno.ECONNRESET, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN,
        errno.EAGAIN, errno.ENOBUFS, errno.EPERM, errno.EACCES, errno.EINVAL, errno.EADDRNOTAVAIL,
        errno.EMSGSIZE, errno.EIO, errno.EPIPE,
    ],
)  # fmt: skip
def test_any_error_is_reported_once_and_survived(fake, number, capsys):
    with PacketSender("127.0.0.1", 11573) as sender:
        for _ in range(50):
            fake.failures = [number, number]
            sender.send(ONE)
        assert capsys.readouterr().err.count("\n") == 1
        fake.failures = []
        sender.send(ONE)
        assert fake.sent[-1] == ONE
        for _ in range(300):
            sender.send(ONE)
        assert "works again" in capsys.readouterr().err
        fake.failures = [number, number]
        sender.send(ONE)
        assert capsys.readouterr().err.count("\n") == 1


def test_each_kind_of_trouble_is_reported(fake, capsys):
    with PacketSender("127.0.0.1", 11573) as sender:
        for _ in range(10):
            for number in (errno.ENETUNREACH, errno.ENOBUFS, errno.EAGAIN):
                fake.failures = [number]
                sender.send(ONE)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all("127.0.0.1:11573" in line for line in lines)


def test_the_socket_never_blocks():
    """A receiver that does not read: its buffer overflows, sending goes on at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        with PacketSender("127.0.0.1", listener.getsockname()[1]) as sender:
            sender.send(ONE)
            assert sender._destinations[0]._socket.gettimeout() == 0
            for _ in range(2000):
                sender.send(bytes(20 * 1785))


def test_a_receiver_that_answers_with_a_flood(capsys):
    """Nothing is read from the network, so that answers of any size and number change nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(5)
        with PacketSender("127.0.0.1", peer.getsockname()[1]) as sender:
            for i in range(100):
                sender.send(bytes([i]) * 1785)
                data, address = peer.recvfrom(65536)
                assert data == bytes([i]) * 1785
                for size in (0, 1, 1785, 60_000):
                    peer.sendto(b"\xff" * size, address)
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux network namespaces")
def test_a_network_that_is_down(root):
    """In a network namespace of its own, where not even the loopback is up."""
    program = (
        "from sending.udp import PacketSender\n"
        "with PacketSender('127.0.0.1,192.0.2.1,255.255.255.255', 11573) as sender:\n"
        "    for _ in range(100): sender.send(bytes(1785))\n"
        "print('end')\n"
    )
    command = ["unshare", "--user", "--net", sys.executable, "-c", program]
    try:
        run = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if "unshare failed" in run.stderr or "unshare:" in run.stderr:
        pytest.skip("no right to make a network namespace")
    assert run.stdout == "end\n" and run.returncode == 0
    lines = run.stderr.splitlines()
    assert len(lines) == 3 and all("unreachable" in line for line in lines), lines


@pytest.mark.parametrize(
    "destinations, port, word",
    [
        ("127.0.0.1", 0, "port"),
        ("127.0.0.1", 65536, "port"),
        ("127.0.0.1", -1, "port"),
        ("127.0.0.1:0", 11573, "port"),
        ("127.0.0.1:65536", 11573, "port"),
        ("127.0.0.1:x", 11573, "port"),
        ("127.0.0.1:", 11573, "port"),
        ("127.0.0.1:²", 11573, "port"),
        ("[::1]:", 11573, "port"),
        ("[::1", 11573, "address"),
        ("[::1]x", 11573, "address"),
        ("[]:11573", 11573, "address"),
        ("", 11573, "address"),
        ("127.0.0.1,", 11573, "address"),
        (":11573", 11573, "address"),
        ("no-such-host.invalid", 11573, "unknown"),
        ("256.0.0.1", 11573, "unknown"),
        ("1:2:3", 11573, "unknown"),
        ("a b", 11573, "unknown"),
        ("a" * 70 + ".invalid", 11573, "unknown"),
        ("nul\0byte", 11573, "unknown"),
        (".", 11573, "unknown"),
    ],
)
def test_bad_destinations_are_named_at_the_start(destinations, port, word):
    with pytest.raises(ValueError, match=word) as caught:
        PacketSender(destinations, port)
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")


def test_a_name_server_that_fails_later_does_no_harm(receiver, monkeypatch):
    with PacketSender("localhost", receiver.port) as sender:

        def fails(*_, **__):
            raise socket.gaierror(socket.EAI_AGAIN, "made up")

        monkeypatch.setattr(socket, "getaddrinfo", fails)
        for _ in range(10):
            sender.send(ONE)
    receiver.wait_for(10)


def test_no_socket_is_left_open(receiver):
    psutil = pytest.importorskip("psutil")
    process = psutil.Process()
    before = process.num_fds() if hasattr(process, "num_fds") else 0
    for _ in range(20):
        sender = PacketSender("127.0.0.1,localhost", receiver.port)
        sender.send(ONE)
        sender.close()
        sender.close()
    assert (process.num_fds() if hasattr(process, "num_fds") else 0) == before
