"""Unity's `OpenSee`: what the tracker sends arrives whole, field by field, and nothing else does any harm."""

from __future__ import annotations

import random
import socket
import struct
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from program import ROOT
from receiver import RECORD_SIZE, decode
from unity_sender import Sender, record, track_into

FEATURES = (
    "EyeLeft", "EyeRight", "EyebrowSteepnessLeft", "EyebrowUpDownLeft", "EyebrowQuirkLeft", "EyebrowSteepnessRight",
    "EyebrowUpDownRight", "EyebrowQuirkRight", "MouthCornerUpDownLeft", "MouthCornerInOutLeft",
    "MouthCornerUpDownRight", "MouthCornerInOutRight", "MouthOpen", "MouthWide",
)  # fmt: skip


def clip_frames(count: int) -> list[np.ndarray]:
    """The first frames of the sample clip, BGR."""
    video = cv2.VideoCapture(str(ROOT / "samples" / "talking_head.mp4"))
    frames = [video.read()[1] for _ in range(count)]
    video.release()
    return frames


def side_by_side(frames: list[np.ndarray]) -> list[np.ndarray]:
    """The clip twice, the right half later by a third: two faces that do different things."""
    later = frames[len(frames) // 3 :] + frames[: len(frames) // 3]
    return [np.hstack(pair) for pair in zip(frames, later, strict=True)]


def assert_equal(face: SimpleNamespace, record: SimpleNamespace) -> None:
    """Everything that OpenSee says of a face against the record; what is only renamed or turned, bit for bit."""

    def floats(values):
        return np.asarray(values, np.float32)

    def same(found, wanted):
        np.testing.assert_array_equal(floats(found), floats(wanted))

    assert face.time == record.time and face.id == record.id
    same(face.cameraResolution, record.size)
    same((face.rightEyeOpen, face.leftEyeOpen), record.eyes)
    assert face.got3DPoints is bool(record.success)
    same(face.fit3DError, record.error)
    same(face.rawQuaternion, record.quaternion)
    same(face.confidence, record.confidence)
    same(face.points, floats(record.points).reshape(68, 2))
    up = floats((1, -1, 1))  # Unity's y is up
    same(face.points3D, floats(record.points_3d).reshape(70, 3) * up)
    same(face.rawEuler, floats(record.euler) * up)
    x, y, z = record.translation
    same(face.translation, (-y, x, -z))
    x, y, z = record.euler
    turned = np.array(face.rotation) - (-(x + 180), -y, z - 90)
    np.testing.assert_allclose((turned + 180) % 360 - 180, 0, atol=1e-4)
    assert all(abs(angle) < 360 for angle in face.rotation)
    same([getattr(face.features, name) for name in FEATURES], record.features)
    for gaze, pupil, centre in ((face.rightGaze, 66, 68), (face.leftGaze, 67, 69)):
        x, y, z, w = gaze  # it turns the way back, into the head, to that from the pupil to the eyeball's centre
        into = np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
        points = np.array(record.points_3d).reshape(70, 3)
        line = (points[centre] - points[pupil]) * (-1, -1, 1)  # the picture's right, up, away from the camera
        np.testing.assert_allclose(into, line / np.linalg.norm(line), atol=1e-5)


@pytest.mark.parametrize("faces", [1, 2])
def test_every_packet_arrives_whole(unity, faces: int) -> None:
    frames = clip_frames(45)
    frames = frames if faces == 1 else side_by_side(frames)
    with unity.start("Receive") as running:
        first = running.read()
        assert first.listening
        lines, datagrams = track_into(running, first.port, frames, "--faces", faces)
        running.say()
        last = running.read()
        running.end()
    assert len(datagrams) == len(frames)
    assert [line.packets for line in lines] == list(range(1, len(frames) + 1))
    seen = set()
    for line, datagram in zip(lines, datagrams, strict=True):
        assert len(line.faces) >= len(decode(datagram))
        said = {face.id: face for face in line.faces}
        for sent in decode(datagram):
            assert_equal(said[sent.id], sent)
            seen.add(sent.id)
    assert seen == set(range(faces))
    assert last.packets == len(frames) and not last.listening


def test_random_and_cut_datagrams_do_no_harm(unity) -> None:
    """10,000 of them, too short, too long or with a number that is not finite; every good one in between is taken."""
    rng = random.Random(20)
    with unity.start("Receive") as running, Sender(running.read().port) as sender:
        count = good = 0
        while count < 10_000:
            for _ in range(25):  # as many as surely fit the socket's buffer
                count += 1
                kind = rng.randrange(4)
                if kind == 0:
                    sender.send(rng.randbytes(rng.randrange(0, 3000)).ljust(1, b"x"))
                elif kind == 1:
                    sender.send(record(count)[: rng.randrange(RECORD_SIZE)])
                elif kind == 2:
                    sender.send(record(count) * 2 + b"\0" * rng.randrange(1, 9))
                else:
                    whole = bytearray(record(count))
                    at = rng.choice([0, *range(12, 28, 4), *range(29, RECORD_SIZE, 4)])
                    bad = rng.choice([float("nan"), float("inf"), float("-inf")])
                    struct.pack_into("<d" if at == 0 else "<f", whole, at, bad)
                    sender.send(bytes(whole))
            good += 1
            sender.send(record(count, 2.0 * good))  # in its turn: all before were read
            assert running.read().packets == good
        running.say()
        assert running.read().packets == good
        assert running.end() == "", "no error in the log"


def test_whole_random_records_do_no_harm(unity) -> None:
    """Any bytes may make a whole record, with any face number; what is taken is bounded, and a good one still is."""
    rng = random.Random(21)
    with unity.start("Receive") as running, Sender(running.read().port) as sender:
        for batch in range(1, 11):
            for number in range(20):
                head = struct.pack("<di", batch * 20 + number, rng.randrange(2**31))
                sender.send(head + rng.randbytes(RECORD_SIZE - len(head)))
            sender.send(record(batch, 2.0 * batch, face=-5))
            times: list[float] = []
            while 2.0 * batch not in times:
                line = running.read()
                assert len(line.faces) <= 64
                times = [face.time for face in line.faces if face.id == -5]
        running.say()
        running.rest()
        assert running.end() == ""


def test_overtaken_and_repeated_datagrams(unity) -> None:
    """What is older than what is there is left out, unless a recording begins again."""
    with unity.start("Receive") as running, Sender(running.read().port) as sender:
        for time, wanted in ((10.0, 10.0), (10.1, 10.1), (10.0, 10.1), (10.1, 10.1), (10.2, 10.2), (3.0, 3.0)):
            sender.send(record(1, time))
            assert running.read().faces[0].time == wanted
        running.say()
        running.rest()
        running.end()


def test_the_port_is_freed_and_follows_its_field(unity) -> None:
    taken, free = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for one in (taken, free):
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in (taken, free)]
    free.close()

    def is_free(port: int) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            try:
                other.bind(("127.0.0.1", port))
            except OSError:
                return False
            return True

    with taken, unity.start("Port", *ports) as running:
        steps = {step.step: step for step in (running.read() for _ in range(9))}
        assert is_free(ports[1]), "while the program still runs"
        running.say()
        assert running.end(code=3).count("OpenSee can't listen at") == 2
    assert {name: step.listening for name, step in steps.items()} == {
        "taken": False, "moved": True, "shared": True, "off": False, "on again": True, "inactive": False,
        "no address": False, "address again": True, "destroyed": False,
    }  # fmt: skip
    assert steps["on again"].port == ports[1] and steps["taken"].errors == 1
