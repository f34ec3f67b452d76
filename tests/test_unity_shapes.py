"""Unity's `OpenSeeShapes`: what the tracker sends over VMC moves the blend shapes of that name, and nothing else."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from avatar_receivers import ARKIT, VmcReceiver
from osc import bundle, message, text, value
from program import ROOT, command
from receiver import Receiver

FRAMES = 20


APPLY = message("/VMC/Ext/Blend/Apply")


class Shapes:
    """A running driver, and a socket that sends to it."""

    def __init__(self, running) -> None:
        self.running = running
        first = running.read()
        assert first.listening
        self.port = first.port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", self.port))

    def throw(self, *datagrams: bytes) -> None:
        """Sends."""
        for datagram in datagrams:
            self._socket.send(datagram)

    def send(self, *datagrams: bytes) -> SimpleNamespace:
        """Sends what makes one frame; what there is then."""
        self.throw(*datagrams)
        return self.running.read()

    def ask(self, line: str) -> SimpleNamespace:
        """What the driver prints on a line of its input."""
        self.running.say(line)
        return self.running.read()

    def values(self, *names: str) -> dict[str, float | None]:
        """The values of shapes by name; None for unknown ones."""
        return vars(self.ask(" ".join(["shapes", *names])).values)

    def end(self) -> SimpleNamespace:
        """Ends the driver, which must have logged no error; what there is at last."""
        self.running.say("quit")
        last = self.running.rest()[-1]
        assert self.running.end() == "", "no error in the log"
        assert not last.listening
        return last

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()


@contextmanager
def shapes_driver(unity, *meshes: list[str]) -> Iterator[Shapes]:
    """OpenSeeShapes above meshes with shapes of these names."""
    with unity.start("Shapes", *(",".join(names) for names in meshes)) as running:
        shapes = Shapes(running)
        yield shapes
        shapes.close()


def test_every_shape_arrives(unity) -> None:
    """Two meshes, of which one spells the names another way; the values are those that another OSC parser reads."""
    pascal = [name[0].upper() + name[1:] for name in reversed(ARKIT)]
    video = cv2.VideoCapture(str(ROOT / "samples" / "talking_head.mp4"))
    frames = [video.read()[1] for _ in range(FRAMES)]
    video.release()
    height, width = frames[0].shape[:2]
    receiver, read = Receiver(), VmcReceiver()
    with shapes_driver(unity, ARKIT, pascal) as shapes:
        targets = f"vmc://127.0.0.1:{shapes.port},vmc://127.0.0.1:{receiver.port}"
        arguments = ["--ip", "none", "--send", targets, "--raw-rgb", 1, "-W", width, "-H", height, "-F", 0]
        tracker = subprocess.Popen(command(*arguments), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        try:
            moved = np.zeros(len(ARKIT), bool)
            for number, frame in enumerate(frames, start=1):
                tracker.stdin.write(frame[:, :, ::-1].tobytes())
                tracker.stdin.flush()
                line = shapes.running.read()
                receiver.wait_for(2 * number)
                for datagram in receiver.datagrams[2 * number - 2 : 2 * number]:
                    read.take(datagram)
                assert len(read.frames) == line.frames == number
                sent = np.array([read.frames[-1].blends[name] for name in ARKIT], np.float32)
                np.testing.assert_array_equal(np.array(line.arkit, np.float32), sent)
                np.testing.assert_array_equal(np.array(line.weights[0], np.float32), sent * np.float32(100))
                assert line.weights[1] == line.weights[0][::-1]
                assert line.tracking and read.frames[-1].ok[3] == 1
                moved |= sent > 0.05
            tracker.communicate(timeout=60)
            assert tracker.returncode == 0
        finally:
            tracker.kill()
            tracker.wait()
            receiver.close()
        shapes.end()
    assert moved.sum() >= 5, "the clip has something to show"


def test_other_names_and_what_is_out_of_range(unity) -> None:
    with shapes_driver(unity, ["Face_blendShape.EyeBlink_L", "smile", "Fcl_MTH_A", "untouched"]) as shapes:
        line = shapes.send(
            value("eyeBlinkLeft", 0.5), value("Smile", 0.25), value("strange", 1), value("smile", 0.75), APPLY
        )
        assert line.weights == [[50, 75, 0, 0]] and line.frames == 1
        assert shapes.values("smile", "strange", "absent") == {"smile": 0.75, "strange": 1, "absent": None}
        high, low, none = value("smile", 7), value("Fcl_MTH_A", -3), value("eyeBlinkLeft", float("nan"))
        line = shapes.send(bundle(high, bundle(low), none, APPLY))
        assert line.weights == [[50, 100, 0, 0]] and line.arkit is None, "not all of the 52 came"
        shapes.end()


def test_a_frame_is_shown_whole(unity) -> None:
    """Values count when they are applied, a cut bundle not at all; messages of another kind are passed over."""
    with shapes_driver(unity, ["a", "b"]) as shapes:
        shapes.throw(bundle(value("a", 0.5)), bundle(value("b", 1), APPLY)[:-4], b"", bundle(value("b", 1))[:-1])
        shapes.throw(bundle(message("/VMC/Ext/Bone/Pos", "sf", "a", 1), text("/no/tags"), message("/x", "i", 3)))
        assert shapes.ask("shapes a").frames == 0
        assert shapes.send(APPLY).weights == [[50, 0]]
        shapes.end()


def test_silence_and_a_lost_face(unity) -> None:
    ok = "/VMC/Ext/OK"
    with shapes_driver(unity, ["a"]) as shapes:
        assert shapes.send(bundle(message(ok, "iiii", 1, 3, 0, 1), value("a", 1), APPLY)).tracking
        assert not shapes.send(bundle(message(ok, "iiii", 1, 3, 0, 0), value("a", 1), APPLY)).tracking
        assert shapes.send(bundle(message(ok, "iiii", 1, 3, 0, 1), value("a", 1), APPLY)).tracking
        line = shapes.ask("pass 0.4")
        assert line.tracking and line.weights == [[100]]
        line = shapes.ask("pass 0.35")
        assert not line.tracking and line.weights[0] == pytest.approx([50], abs=0.01)
        assert shapes.ask("pass 5").weights == [[0]]
        assert shapes.send(value("a", 0.5), APPLY).weights == [[50]]
        shapes.end()


def test_random_and_cut_datagrams_do_no_harm(unity) -> None:
    """10,000 of them, and what is good in between is taken."""
    rng = random.Random(20)
    whole = bundle(
        message("/VMC/Ext/OK", "iiii", 1, 3, 0, 1), message("/VMC/Ext/T", "f", 1.5), value("a", 0.5), value("b", 1),
        message("/VMC/Ext/Bone/Pos", "sfffffff", "Head", 0, 0, 0, 0, 0, 0, 1), bundle(value("c", 0.25)),
    )  # fmt: skip
    with shapes_driver(unity, ["marker", "a"]) as shapes:
        shapes.send(value("marker", 0), APPLY)
        count = 0
        while count < 10_000:
            for _ in range(25):  # as many as surely fit the socket's buffer
                count += 1
                kind = rng.randrange(4)
                if kind == 0:
                    shapes.throw(rng.randbytes(rng.randrange(0, 2000)))
                elif kind == 1:
                    shapes.throw(whole[: rng.randrange(len(whole))])
                elif kind == 2:
                    shapes.throw(text("#bundle") * rng.randrange(1, 200) + rng.randbytes(4 * rng.randrange(20)))
                else:
                    broken = bytearray(whole)
                    for _ in range(rng.randrange(1, 6)):
                        odd = rng.choice([0, 1, 4, 8, 44, 47, 127, 128, 255, rng.randrange(256)])
                        broken[rng.randrange(len(broken))] = odd
                    shapes.throw(bytes(broken))
            # Which of them were taken and made a frame is open; that the marker comes is not.
            shapes.throw(bundle(value("marker", count / 10_000), APPLY))
            while shapes.running.read().weights[0][0] != np.float32(count / 10_000) * np.float32(100):
                pass
        shapes.end()
