"""VTube Studio's plugin API against a server that follows its description, with every kind of trouble."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fake_vtube_studio import TOKEN, FakeVTubeStudio
from test_protocols import some_avatar

from sending.avatar import Wearer
from sending.vtubestudio import TokenFile, VTubeStudioSender, config_folder


@contextmanager
def sending_to(port: int, tokens: Path, said: list[str], retry: float = 0.1) -> Iterator[VTubeStudioSender]:
    """A sender that is fed a frame every 5 ms in the background; each has to be taken over at once."""
    sender = VTubeStudioSender("127.0.0.1", port, Wearer(), said.append, TokenFile(tokens), retry)
    done = threading.Event()

    def feed() -> None:
        while not done.wait(0.005):
            sender.send([some_avatar()], time.time())

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        yield sender
    finally:
        done.set()
        feeder.join(2)
        assert not feeder.is_alive(), "handing over a frame waits for VTube Studio"
        sender.close()
        assert not sender._thread.is_alive(), "its thread outlives it"


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(there, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_asks_for_a_token_once_and_keeps_it_for_the_user_alone(tmp_path: Path) -> None:
    said: list[str] = []
    tokens = tmp_path / "config" / "openseeface" / "tokens.json"
    with FakeVTubeStudio() as studio:
        with sending_to(studio.port, tokens, said):
            studio.wait_until(lambda: len(studio.injections) > 5)
        kinds = studio.kinds()
        assert kinds[:2] == ["AuthenticationTokenRequest", "AuthenticationRequest"]
        assert kinds[2:54] == ["ParameterCreationRequest"] * 52 and set(kinds[54:]) == {"InjectParameterDataRequest"}
        if os.name == "posix":
            assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
        assert TOKEN in tokens.read_text() and os.listdir(tokens.parent) == [tokens.name]
        with sending_to(studio.port, tokens, said):
            studio.wait_until(lambda: studio.connections == 2 and len(studio.injections) > 12)
        assert studio.kinds().count("AuthenticationTokenRequest") == 1
    assert [sentence for sentence in said if "Allow" in sentence] == said[:1] and len(said) == 2
    found, values = studio.injections[-1]
    assert found and values["FaceAngleX"] == pytest.approx(some_avatar().rotation[1], abs=1e-4)


def test_a_token_that_is_no_longer_good_is_asked_for_again(tmp_path: Path) -> None:
    tokens, said = tmp_path / "tokens.json", []
    with FakeVTubeStudio() as studio:
        TokenFile(tokens).write(f"127.0.0.1:{studio.port}", "an old one")
        with sending_to(studio.port, tokens, said):
            studio.wait_until(lambda: studio.injections)
    assert studio.kinds()[:3] == ["AuthenticationRequest", "AuthenticationTokenRequest", "AuthenticationRequest"]
    assert TokenFile(tokens).read(f"127.0.0.1:{studio.port}") == TOKEN


def test_a_user_who_refuses_is_asked_once(tmp_path: Path) -> None:
    said: list[str] = []
    with FakeVTubeStudio(allows=False) as studio:
        with sending_to(studio.port, tmp_path / "tokens.json", said):
            wait_until(lambda: len(said) == 2)
            time.sleep(0.5)
        assert studio.kinds() == ["AuthenticationTokenRequest"]
    assert "does not allow" in said[1] and len(said) == 2
    assert not (tmp_path / "tokens.json").exists()


def test_it_comes_later_and_goes_and_comes_back(tmp_path: Path) -> None:
    said: list[str] = []
    port = unused_port()
    with sending_to(port, tmp_path / "tokens.json", said):
        wait_until(lambda: said)
        time.sleep(0.5)
        assert len(said) == 1 and f"not at 127.0.0.1:{port} (yet)" in said[0], "one line for many attempts"
        with FakeVTubeStudio(port) as studio:
            studio.wait_until(lambda: studio.injections)
        wait_until(lambda: any("broke off" in sentence for sentence in said))
        time.sleep(0.3)
        with FakeVTubeStudio(port, known=(TOKEN,)) as studio:
            studio.wait_until(lambda: studio.injections)
            wait_until(lambda: "works" in said[-1])
        assert "AuthenticationTokenRequest" not in studio.kinds()
    kinds = ["(yet)", "Allow", "works", "broke off", "(yet)", "works"]
    told = iter(said)
    assert all(any(kind in sentence for sentence in told) for kind in kinds), said
    assert len(said) <= len(kinds) + 2, "one line each, and two for the end of the second"


def test_it_ends_the_connection_in_mid_run(tmp_path: Path) -> None:
    said: list[str] = []
    with FakeVTubeStudio(leaves_after=3) as studio, sending_to(studio.port, tmp_path / "tokens.json", said):
        studio.wait_until(lambda: studio.connections == 2 and len(studio.injections) > 8)
        wait_until(lambda: "works" in said[-1])
    assert sum("broke off" in sentence for sentence in said) == 1


def test_parameters_that_it_does_not_take_are_left_out(tmp_path: Path) -> None:
    said: list[str] = []
    studio = FakeVTubeStudio(refuses=("tongueOut", "cheekPuff"))  # and refuses injections that hold them
    with studio, sending_to(studio.port, tmp_path / "tokens.json", said):
        studio.wait_until(lambda: len(studio.injections) > 3)
    assert sum("cheekPuff, tongueOut" in sentence for sentence in said) == 1


def test_answers_that_are_errors_are_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    with FakeVTubeStudio(rejects=True) as studio, sending_to(studio.port, tmp_path / "tokens.json", said):
        studio.wait_until(lambda: len(studio.injections) > 10)
    told, *more = [sentence for sentence in said if "error 453" in sentence]
    assert not more, said
    assert "\n" not in told and "Another plugin sets this parameter" in told


def test_a_slow_reader_gets_the_newest_frames(tmp_path: Path) -> None:
    said: list[str] = []
    with FakeVTubeStudio(known=(TOKEN,)) as studio:
        TokenFile(tmp_path / "tokens.json").write(f"127.0.0.1:{studio.port}", TOKEN)
        sender = VTubeStudioSender("127.0.0.1", studio.port, Wearer(), said.append, TokenFile(tmp_path / "tokens.json"))
        studio.wait_until_ready()
        studio.pause = 0.1
        for number in range(150):  # 0.75 s
            sender.send([some_avatar(rotation=(0.0, number / 10, 0.0))], time.time())
            time.sleep(0.005)
        time.sleep(1.0)
        turned = [values["FaceAngleX"] for _, values in studio.injections]
        sender.close()
    assert turned == sorted(turned) and len(turned) < 40, "what it could not take was left out"
    assert turned[-1] == pytest.approx(14.9), "and the last frame came"


def test_a_program_that_leaves_frames_unanswered_still_gets_some_every_second(tmp_path: Path) -> None:
    with FakeVTubeStudio(silent=True) as studio, sending_to(studio.port, tmp_path / "tokens.json", []):
        studio.wait_until(lambda: studio.injections)
        before, began = len(studio.injections), time.monotonic()
        studio.wait_until(lambda: len(studio.injections) >= before + 6)
    assert (time.monotonic() - began) / 6 < 1, "a parameter counts as lost after a second"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_something_else_at_the_port_is_one_line(tmp_path: Path, answer: bytes) -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with sending_to(server.getsockname()[1], tmp_path / "tokens.json", said):
            wait_until(lambda: said)
            time.sleep(0.5)
        done.set()
        thread.join()
    assert len(said) == 1 and said[0].count("\n") == 0 and "Tracking goes on" in said[0]
    assert "not VTube Studio" in said[0] or "VTube Studio is not" in said[0]


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"\xff\x00", b'{"x": 5', json.dumps({"a:1": 7}).encode()])
def test_a_token_file_that_is_not_ours_holds_no_token(tmp_path: Path, content: bytes) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    file.path.write_bytes(content)
    assert file.read("a:1") is None
    file.write("a:1", "new")
    file.write("b:2", "other")
    assert file.read("a:1") == "new" and file.read("b:2") == "other"


def test_a_full_disk_keeps_the_old_tokens(small_disk: Path, tmp_path: Path) -> None:
    file = TokenFile(small_disk / "tokens.json")
    file.write("a:1", "old")
    (small_disk / "filling").write_bytes(bytes(60 * 1024 - 4096 - 4096))
    with pytest.raises(OSError), open(small_disk / "rest", "wb", buffering=0) as rest:
        while True:
            rest.write(bytes(512))
    with pytest.raises(OSError):
        file.write("a:1", "x" * 64)
    assert file.read("a:1") == "old" and not list(small_disk.glob("tokens.json.*"))


def test_tokens_lie_in_the_users_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_CONFIG_HOME", "APPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    assert config_folder().is_relative_to(tmp_path) and config_folder().name == "openseeface"
