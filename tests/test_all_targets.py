"""The whole program with every target at once on the sample clip, and what it does at the command line's edges."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from avatar_receivers import VmcReceiver, read_ifacialmocap, read_live_link, read_opentrack, read_vts_phone
from fake_vtube_studio import FakeVTubeStudio
from program import ROOT, command, config_folder_in, run, running
from receiver import RECORD_SIZE, Receiver

CLIP, FRAMES = ROOT / "samples" / "talking_head.mp4", 160


def unused_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port: int, receiver: Receiver, stop: threading.Event) -> None:
    """Asks for phone data until it is told to stop, as receivers do: before their time is over."""
    request = {"messageType": "iOSTrackingDataRequest", "time": 2, "sentBy": "a test", "ports": [receiver.port]}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        while not stop.wait(0.05):
            asking.sendto(json.dumps(request).encode(), ("127.0.0.1", port))


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """What each receiver got of the clip; VTube Studio is there before the first frame."""
    record, phone_port = Receiver(), unused_port()
    udp = {name: Receiver() for name in ("vmc", "ifacialmocap", "opentrack", "livelink", "vtsphone")}
    stop = threading.Event()
    asking = threading.Thread(target=ask, args=(phone_port, udp["vtsphone"], stop))
    asking.start()
    with FakeVTubeStudio() as studio:
        targets = ["vmc", "ifacialmocap", "opentrack", "livelink"]
        sent = [f"{name}://127.0.0.1:{udp[name].port}" for name in targets]
        sent += [f"vts://localhost:{studio.port}", f"vtsphone://:{phone_port}"]
        arguments = ["--send", ",".join(sent[:3]), "--send", ",".join(sent[3:])]
        finished = subprocess.run(
            command("-c", CLIP, "-s", 1, "--port", record.port, *arguments),
            capture_output=True,
            text=True,
            env={**os.environ, **config_folder_in(tmp_path_factory.mktemp("config"))},
            timeout=300,
        )
    stop.set()
    asking.join()
    return SimpleNamespace(
        finished=finished, injections=studio.injections, record=record.close(),
        **{name: receiver.close() for name, receiver in udp.items()},
    )  # fmt: skip


def test_it_ends_well_and_says_what_matters_once(received: SimpleNamespace) -> None:
    assert received.finished.returncode == 0
    lines = received.finished.stderr.splitlines()
    assert sum("Listening at" in line for line in lines) == 1
    assert len(lines) == len(set(lines)) and len(lines) <= 4, lines


def test_every_frame_arrives_by_vmc_and_live_link(received: SimpleNamespace) -> None:
    vmc = VmcReceiver()
    for bundle in received.vmc:
        vmc.take(bundle)
    live_link = [read_live_link(datagram) for datagram in received.livelink]
    assert len(vmc.frames) == len(live_link) == FRAMES
    times = [frame.time for frame in vmc.frames]
    assert times == sorted(times)
    tracked = [frame.ok[-1] for frame in vmc.frames]
    assert tracked == [int(packet.values is not None) for packet in live_link]
    assert sum(tracked) == len(received.record) >= 0.9 * FRAMES


def test_every_face_arrives_by_the_record_and_opentrack(received: SimpleNamespace) -> None:
    assert all(len(datagram) == RECORD_SIZE for datagram in received.record)
    heads = [read_opentrack(datagram) for datagram in received.opentrack]
    assert len(heads) == len(received.record)
    assert max(head.yaw for head in heads) > 8 and min(head.yaw for head in heads) < -8, "it turns to both sides"


def test_the_others_get_their_rate(received: SimpleNamespace) -> None:
    lines = [read_ifacialmocap(line) for line in received.ifacialmocap]
    assert 0 < len(lines) <= len(received.record)
    phone = [read_vts_phone(datagram) for datagram in received.vtsphone]
    assert 0.8 * FRAMES < len(phone) <= FRAMES, "it asked before the first frame came"
    assert received.injections and all(found for found, _ in received.injections[-1:])


def test_shapes_move_as_the_person_does(received: SimpleNamespace) -> None:
    phone = [read_vts_phone(datagram).shapes for datagram in received.vtsphone]
    for name in ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "mouthSmileLeft", "eyeLookOutLeft", "eyeLookInLeft"):
        values = [shapes[name] for shapes in phone]
        assert min(values) < 0.15 and max(values) > 0.25, (name, min(values), max(values))


def test_without_a_place_for_the_record_none_is_sent(receiver: Receiver) -> None:
    vmc = Receiver()
    result = run("-c", CLIP, "--ip", "none", "-s", 1, "--send", f"vmc://127.0.0.1:{vmc.port}?bones=0&names=pascal")
    assert result.code == 0 and result.frames == []
    frames = VmcReceiver()
    for bundle in vmc.close():
        frames.take(bundle)
    assert len(frames.frames) == FRAMES
    assert not frames.frames[50].bones and "EyeBlinkLeft" in frames.frames[50].blends


def test_nothing_listens_unless_it_is_asked_to(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    everything_else = "vseeface,vtubestudio,warudo,unreal,opentrack"
    arguments = ["-c", CLIP, "--repeat-video", 1, "-s", 1, "--send", everything_else]
    with running(*arguments, environment=config_folder_in(tmp_path)) as tracker:
        deadline, connections = time.monotonic() + 60, []
        while len(connections) < 5:
            assert tracker.poll() is None and time.monotonic() < deadline
            connections = psutil.Process(tracker.pid).net_connections()
            time.sleep(0.1)
    for connection in connections:
        assert connection.status in ("NONE", "SYN_SENT"), connection
        # Windows' list has no other end of a datagram's way.
        assert connection.raddr or sys.platform == "win32", f"{connection} is bound, but connected to nobody"


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        result = run("-c", CLIP, "--send", f"vtsphone://:{taken.getsockname()[1]}")
    assert result.code == 1 and len(result.err) == 1 and "can't be listened at" in result.err[0]


def test_the_record_is_smoothed_only_if_that_is_asked_for() -> None:
    plain, off, strong = (run("-c", CLIP, "-s", 1, *how) for how in ((), ("--smooth", "off"), ("--smooth", "strong")))

    def eulers(result) -> list[tuple]:
        return [faces[0].euler for faces in result.frames]

    assert plain.code == off.code == strong.code == 0
    assert eulers(plain) == eulers(off) and len(eulers(strong)) == len(eulers(plain))
    trembling, still = (
        sum(abs(one[1] - 2 * two[1] + three[1]) for one, two, three in zip(turns, turns[1:], turns[2:], strict=False))
        for turns in (eulers(plain), eulers(strong))
    )
    assert still < 0.8 * trembling
    assert [faces[0].points for faces in strong.frames] == [faces[0].points for faces in plain.frames]
