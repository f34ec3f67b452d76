"""What Unity's `OpenSee` says of heads whose turn, place and gaze are known because they were drawn."""

from __future__ import annotations

import math
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from drawn_heads import FRAMES, HEIGHT, POSES, WIDTH, Pose, draw_heads
from program import command
from scipy.spatial.transform import Rotation
from unity_sender import Sender, record

#: What the record's pose and gaze may be off, beside what they say of the straight head. The record is OpenSeeFace's
#: (docs/packet.md), and takes sideways turns for larger than they are.
DEGREES = 12.0
MARK = 99  # no face of the tracker's has this number


@pytest.fixture(scope="module")
def heard(unity) -> dict[str, SimpleNamespace]:
    """What OpenSee has of each pose once it is still."""
    pytest.importorskip("numba", reason="numba is not installed (training/requirements.txt)")
    try:
        pictures = draw_heads()
    except FileNotFoundError:
        pytest.skip("the 3D head (ict_face_model.npz) is not in $OSF_REFERENCE/data")
    with unity.start("Receive") as running:
        found = said_of(running, pictures)
        running.say()
        running.rest()
        running.end()
    return dict(zip((pose.name for pose in POSES), found, strict=True))


def said_of(running, pictures: list[np.ndarray]) -> list[SimpleNamespace]:
    """OpenSee's data once each picture has been in view for some frames.

    The tracker prints a line for a frame after it has sent it. A record of the test's own that is sent then comes after
    the frame's, and tells that OpenSee has it; in a frame in which a head jumped, there may be none.
    """
    port, found = running.read().port, []
    arguments = ["--port", port, "--raw-rgb", 1, "-W", WIDTH, "-H", HEIGHT, "-F", 0]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command(*arguments), **pipes) as tracker, Sender(port) as sender:
        for number, picture in enumerate(pictures, start=1):
            for _ in range(FRAMES):
                tracker.stdin.write(picture[:, :, ::-1].tobytes())
                tracker.stdin.flush()
                while not tracker.stdout.readline().startswith(b"Took"):
                    assert tracker.poll() is None
            sender.send(record(time=number, face=MARK))
            faces: dict[int, SimpleNamespace] = {}
            while MARK not in faces or faces[MARK].time != number:
                faces = {face.id: face for face in running.read().faces}
            found.append(faces[0])
        tracker.stdin.close()
        tracker.stdout.read()
    assert len({face.time for face in found}) == len(found), "each is of another frame"
    return found


def turn_of(rx: float, ry: float, rz: float) -> np.ndarray:
    """Unity's angles of a pose of `drawn_heads`, whose x is down and whose z is to the own left."""
    return np.array([-rx, ry, -rz])


def looks(gaze: list[float]) -> np.ndarray:
    """How far an eye looks up and to the own right, degrees: where its quaternion turns -z to."""
    x, y, z = Rotation.from_quat(gaze).apply([0, 0, -1])
    return np.degrees([math.asin(y), math.atan2(-x, -z)])


@pytest.mark.parametrize("pose", [pose for pose in POSES if pose.rx or pose.ry or pose.rz], ids=lambda pose: pose.name)
def test_the_head_turns(heard, pose: Pose) -> None:
    angles = (np.array(heard[pose.name].rotation) - heard["straight"].rotation + 180) % 360 - 180
    assert abs(angles - turn_of(pose.rx, pose.ry, pose.rz)).max() < DEGREES, angles


@pytest.mark.parametrize(
    ("towards", "away", "axis"),
    [
        ("further to the own left", "further to the own right", 0),  # the picture's right
        ("higher", "lower", 1),
        ("away", "nearer", 2),
    ],
)
def test_the_head_moves(heard, towards: str, away: str, axis: int) -> None:
    straight, there, back = (np.array(heard[name].translation) for name in ("straight", towards, away))
    assert there[axis] > straight[axis] + 0.3 and back[axis] < straight[axis] - 0.3


@pytest.mark.parametrize("pose", [pose for pose in POSES if pose.eyes_rx or pose.eyes_ry], ids=lambda pose: pose.name)
def test_the_eyes_look(heard, pose: Pose) -> None:
    """Both together: single eyes of the record are off by more."""
    now, before = (
        np.mean([looks(face.rightGaze), looks(face.leftGaze)], axis=0) for face in (heard[pose.name], heard["straight"])
    )
    assert abs(now - before - (-pose.eyes_rx, pose.eyes_ry)).max() < DEGREES, now - before
