"""Cameras on the network: a phone that serves JPEG pictures, one after another, over HTTP."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import write_clip
from program import TERMINATED, command, run
from receiver import Receiver

from capture import frames
from capture.network import is_url, shown
from input_reader import InputError, InputReader

SECRETS = ("mallory", "hunter2", "t0ken")


class Phone(ThreadingHTTPServer):
    """Serves pictures, or a file, until it is told to stop; to those who know the password."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, pictures: list[np.ndarray], port: int = 0, file: Path | None = None) -> None:
        self.pictures = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]
        self.file = file
        self.stopped = threading.Event()
        super().__init__(("127.0.0.1", port), Handler)

    def stop(self) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Phone

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != "Basic " + b64encode(":".join(SECRETS[:2]).encode()).decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="phone"')
            self.end_headers()
            return
        self.send_response(200)
        if self.server.file:
            content = self.server.file.read_bytes()
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number = 0
        try:
            while not self.server.stopped.is_set():
                picture = self.server.pictures[number % len(self.server.pictures)]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                self.wfile.write(head.encode() + picture + b"\r\n")
                number += 1
                time.sleep(0.02)
        except OSError:
            pass


@contextmanager
def serving(pictures: list[np.ndarray], port: int = 0, file: Path | None = None) -> Iterator[Phone]:
    phone = Phone(pictures, port, file)
    thread = threading.Thread(target=phone.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield phone
    finally:
        phone.stop()
        thread.join()


def url(phone: Phone, path: str = "/video") -> str:
    return f"http://{SECRETS[0]}:{SECRETS[1]}@127.0.0.1:{phone.server_port}{path}?key={SECRETS[2]}"


def test_a_phone_is_a_live_camera() -> None:
    """Of what nobody took in time only the newest picture is kept."""
    pictures = [np.full((48, 64, 3), 2 * number, np.uint8) for number in range(120)]
    with serving(pictures) as phone, InputReader(url(phone), 0, 640, 360, 24) as reader:
        assert reader.is_live and reader.name == f"http://127.0.0.1:{phone.server_port}"
        seen, deadline = [], time.monotonic() + 30
        while len(seen) < 4 and time.monotonic() < deadline:
            ok, frame = reader.read()
            if ok:
                seen.append(round(frame.mean() / 2))
                time.sleep(0.3)
        assert len(seen) == 4 and reader.failure is None and reader.video_time is None
        assert all(later != (earlier + 1) % 120 for earlier, later in zip(seen[1:], seen[2:], strict=False))


def test_the_whole_way_without_a_word_of_the_password(
    carphone_frames: list[np.ndarray], receiver: Receiver, tmp_path: Path
) -> None:
    log = tmp_path / "output.txt"
    with serving(carphone_frames[:40]) as phone:
        arguments = command("-c", url(phone), "--port", receiver.port, "--log-output", log)
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            receiver.wait_for(10)
            phone.stop()
            lost = process.stderr.readline().decode()
            assert "sends no pictures" in lost
            with serving(carphone_frames[:40], phone.server_port):
                back = process.stderr.readline().decode()
                assert re.search(r"is back after \d+ s", back)
                receiver.wait_for(len(receiver.datagrams) + 5)
                process.terminate()
                out, err = process.communicate(timeout=30)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == TERMINATED and err == b""
    said = lost + back + out.decode() + log.read_text()
    assert not any(secret in said for secret in SECRETS)


def test_a_file_on_a_server_is_a_file(carphone_frames: list[np.ndarray], tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", carphone_frames[:15])
    with serving([], file=clip) as phone, InputReader(url(phone, "/clip.mkv"), 0, 640, 360, 24) as reader:
        assert not reader.is_live
        count = 0
        while reader.is_open():
            count += reader.read()[0]
    assert count == 15 and reader.ended


def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    result = run("-c", f"http://{SECRETS[0]}:{SECRETS[1]}@127.0.0.1:{port}/video")
    assert result.code == 1 and len(result.err) == 1
    assert f"http://127.0.0.1:{port}" in result.err[0] and SECRETS[1] not in result.err[0]


@pytest.mark.parametrize("scheme", ["http", "rtsp", "tcp"])
def test_a_server_that_says_nothing_is_left_after_seconds(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "OPEN_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(InputError, match="Nothing can be read"):
            InputReader(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/video", 0, 640, 360, 24)
        assert time.monotonic() - began < 30


def test_unknown_schemes_are_refused() -> None:
    with pytest.raises(InputError, match=r"^ftp://host: the address of a camera begins with one of http") as caught:
        InputReader("ftp://me:pass@host/x", 0, 640, 360, 24)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "printed"),
    [
        ("rtsp://admin:pa@ss@cam.local:554/user=admin&password=x", "rtsp://cam.local:554"),
        ("http://[::1]:8080/video?pwd=x", "http://[::1]:8080"),
        ("udp://@:5000", "udp://:5000"),
        ("http://a:b@h:notaport/x", "http://…"),
        ("HTTP://a:b@[/x", "HTTP://…"),
    ],
)
def test_what_is_printed_of_an_address(address: str, printed: str) -> None:
    assert is_url(address) and shown(address) == printed


@pytest.mark.parametrize("name", ["clip.mp4", "C:\\video.mp4", "12:30.avi", "0", "-", "/a/b", "a b://c"])
def test_what_is_no_address(name: str) -> None:
    assert not is_url(name)
