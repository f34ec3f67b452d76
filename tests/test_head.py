"""The head in avatar axes: exact points give the exact head, and drawn heads turn every receiver's the right way."""

from __future__ import annotations

import math
import os
import subprocess
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from avatar_receivers import VmcReceiver, read_ifacialmocap, read_live_link, read_opentrack
from drawn_heads import FPS, FRAMES, HEIGHT, POSES, WIDTH, Pose, draw_heads
from fake_vtube_studio import FakeVTubeStudio
from hypothesis import given, settings
from hypothesis import strategies as st
from make_faces import make_face
from program import command, config_folder_in
from receiver import Receiver

from sending.head import FLATNESS, HEAD, PUPIL_DEPTH, PUPIL_HEIGHT, euler_angles, head, unity_quaternion

angle = st.floats(-45, 45)


def turn(rx: float, ry: float, rz: float) -> np.ndarray:
    """The matrix of Unity's Euler angles: x right, y up, z forward, left-handed; about z, then x, then y."""
    (sx, cx), (sy, cy), (sz, cz) = ((math.sin(a), math.cos(a)) for a in np.radians((rx, ry, rz)))
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])  # the crown (y) goes to -x, the own left
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])  # the face (z) goes down
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])  # the face goes to +x, the own right
    return about_y @ about_x @ about_z


def seen_face(rotation: np.ndarray, place: np.ndarray, width: float, height: float, pupils=(0.0, 0.0)):
    """A face whose landmarks are where a camera sees the points of a head; the own right is the picture's left.

    pupils: how far they are moved to the own right and up, metres.
    """
    aside, up = pupils
    eyes = [(side * 0.0315 + aside, 0.0334 + PUPIL_HEIGHT + up, PUPIL_DEPTH) for side in (1, -1)]
    middle = np.mean([z for _, _, z in HEAD.values()])
    seen = {number: (x, y, middle + FLATNESS * (z - middle)) for number, (x, y, z) in HEAD.items()}
    lms = np.zeros((68, 3))
    for number, point in [*seen.items(), (66, eyes[0]), (67, eyes[1])]:
        x, y, z = rotation @ np.array(point) + place
        lms[number] = height / 2 - width * y / -z, width / 2 - width * x / -z, 0.9
    return make_face(lms=lms)


@settings(max_examples=40, deadline=None)
@given(
    angle, angle, angle, st.floats(-0.3, 0.3), st.floats(-0.2, 0.2), st.floats(0.3, 2),
    st.sampled_from([(640, 480), (1280, 720), (480, 640)]),
)  # fmt: skip
def test_exact_points_give_the_head(rx, ry, rz, px, py, distance, size) -> None:
    place = np.array([px * distance, py * distance, -distance])
    found = head(seen_face(turn(rx, ry, rz), place, *size), size)
    np.testing.assert_allclose(euler_angles(found.rotation), (rx, ry, rz), atol=0.2)
    np.testing.assert_allclose(found.position, place, atol=0.003 * distance)


@pytest.mark.parametrize(
    ("aside", "up", "ry_above", "rx_above"),
    [(0.004, 0.0, 1, 0), (-0.004, 0.0, -1, 0), (0.0, 0.003, 0, -1), (0.0, -0.003, 0, 1)],
)
def test_pupils_that_move_turn_the_eyes(aside, up, ry_above, rx_above) -> None:
    """By some 15 degrees for 4 mm sideways or 3 mm up, and not at all in the other direction."""
    face = seen_face(turn(5, -10, 15), np.array([0.1, 0.05, -0.6]), 1280, 720, (aside, up))
    rx, ry = head(face, (1280, 720)).gaze
    assert abs(ry - 15 * ry_above) < 4 and abs(rx - 14 * rx_above) < 4


def test_a_head_out_of_the_middle_is_turned_as_it_is_in_space() -> None:
    """Not by the direction it is seen in: who moves aside without turning does not turn the avatar."""
    for px in (-0.25, 0.0, 0.25):
        face = seen_face(np.eye(3), np.array([px, 0.1, -0.7]), 1280, 720)
        np.testing.assert_allclose(euler_angles(head(face, (1280, 720)).rotation), 0, atol=0.2)


@settings(max_examples=100)
@given(angle, st.floats(-179, 179), angle)
def test_angles_quaternions_and_matrices_say_the_same(rx, ry, rz) -> None:
    matrix = turn(rx, ry, rz)
    np.testing.assert_allclose(euler_angles(matrix), (rx, ry, rz), atol=1e-6)
    x, y, z, w = unity_quaternion(rx, ry, rz)
    assert w >= 0 and x * x + y * y + z * z + w * w == pytest.approx(1)
    out = (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y))
    np.testing.assert_allclose(out, matrix[:, 2], atol=1e-9)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300, 1e7])
def test_points_that_are_no_head_give_none(bad) -> None:
    face = seen_face(np.eye(3), np.array([0, 0, -0.7]), 640, 480)
    lms = face.lms.copy()
    lms[30, 0] = bad
    assert head(replace(face, lms=lms), (640, 480)) is None
    lms = face.lms.copy()
    lms[66, 1] = bad
    assert head(replace(face, lms=lms), (640, 480)).gaze is None


def test_without_pupils_there_is_no_gaze() -> None:
    face = seen_face(np.eye(3), np.array([0, 0, -0.7]), 640, 480)
    face.lms[66:] = 0
    assert head(face, (640, 480)).gaze is None


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """What every receiver got of the drawn heads, for each pose, by protocol."""
    pytest.importorskip("numba", reason="numba is not installed (training/requirements.txt)")
    try:
        pictures = draw_heads()
    except FileNotFoundError:
        pytest.skip("the 3D head (ict_face_model.npz) is not in $OSF_REFERENCE/data")
    udp = {name: Receiver() for name in ("vmc", "ifacialmocap", "opentrack", "livelink")}
    with FakeVTubeStudio() as studio:
        targets = [f"{name}://127.0.0.1:{receiver.port}" for name, receiver in udp.items()]
        arguments = ["-W", WIDTH, "-H", HEIGHT, "--raw-rgb", 1, "-s", 1, "--ip", "none", "--smooth", "off"]
        for target in (*targets, f"vts://127.0.0.1:{studio.port}"):
            arguments += ["--send", target]
        environment = {**os.environ, **config_folder_in(tmp_path_factory.mktemp("config"))}
        tracker = subprocess.Popen(
            command(*arguments), stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        studio.wait_until_ready()
        seen = SimpleNamespace(vmc=[], ifacialmocap=[], opentrack=[], livelink=[], vts=[])
        for number, picture in enumerate(pictures, start=1):
            for _ in range(FRAMES):
                tracker.stdin.write(picture[:, :, ::-1].tobytes())
                tracker.stdin.flush()
                time.sleep(1 / FPS)
            udp["vmc"].wait_for(2 * FRAMES * number)  # two bundles a frame
            time.sleep(0.15)  # for those with a thread or a rate of their own
            seen.ifacialmocap.append(read_ifacialmocap(udp["ifacialmocap"].datagrams[-1]))
            seen.opentrack.append(read_opentrack(udp["opentrack"].datagrams[-1]))
            seen.livelink.append(read_live_link(udp["livelink"].datagrams[-1]))
            seen.vts.append(studio.injections[-1])
        _, err = tracker.communicate(timeout=60)
        assert tracker.returncode == 0, err
    vmc = VmcReceiver()
    for bundle in udp["vmc"].close():
        vmc.take(bundle)
    assert len(vmc.frames) == len(udp["livelink"].close()) == FRAMES * len(POSES), "one for every frame"
    seen.vmc = vmc.frames[FRAMES - 1 :: FRAMES]
    assert all(frame.ok[-1] == 1 for frame in seen.vmc)
    for name in ("ifacialmocap", "opentrack"):
        udp[name].close()
    return seen


#: For each value of a pose: by how much it may be off. Places come from one camera, and depth most roughly.
ROOM = {"rx": 4.0, "ry": 4.0, "rz": 4.0, "px": 0.012, "py": 0.012, "pz": 0.04, "eyes_rx": 4.0, "eyes_ry": 4.0}
USUAL_DISTANCE = 0.6


def said_by(received: SimpleNamespace, protocol: str, number: int) -> dict[str, float]:
    """What a protocol says of pose `number`, in the words of `Pose`; only what it carries."""
    if protocol == "ifacialmocap":
        line = received.ifacialmocap[number]
        assert line.right_eye == line.left_eye
        rx, ry, rz, px, py, pz = line.head
        return {"rx": rx, "ry": ry, "rz": rz, "px": px, "py": py, "pz": pz + USUAL_DISTANCE,
                "eyes_rx": line.left_eye[0], "eyes_ry": line.left_eye[1]}  # fmt: skip
    if protocol == "opentrack":
        packet = received.opentrack[number]
        return {"rx": packet.pitch, "ry": packet.yaw, "rz": packet.roll, "px": packet.x / 100, "py": packet.y / 100,
                "pz": packet.z / 100 + USUAL_DISTANCE}  # fmt: skip
    if protocol == "livelink":
        values = received.livelink[number].values
        return {"rx": math.degrees(values["HeadPitch"]), "ry": math.degrees(values["HeadYaw"]),
                "rz": math.degrees(values["HeadRoll"]), "eyes_rx": math.degrees(values["LeftEyePitch"]),
                "eyes_ry": math.degrees(values["RightEyeYaw"])}  # fmt: skip
    if protocol == "vts":
        found, values = received.vts[number]
        assert found
        return {"rx": -values["FaceAngleY"], "ry": values["FaceAngleX"], "rz": values["FaceAngleZ"],
                "px": values["FacePositionX"] / 100, "py": values["FacePositionY"] / 100,
                "eyes_rx": -30 * values["EyeLeftY"], "eyes_ry": 30 * values["EyeRightX"]}  # fmt: skip
    bones = received.vmc[number].bones
    assert bones["Neck"] == [0, 0, 0, 0, 0, 0, 1] and bones["LeftEye"] == bones["RightEye"]
    (rx, ry, rz), (eyes_rx, eyes_ry, _) = (unity_angles(*bones[bone][3:]) for bone in ("Head", "LeftEye"))
    px, py, z = bones["Head"][:3]
    return {"rx": rx, "ry": ry, "rz": rz, "px": px, "py": py, "pz": USUAL_DISTANCE - z, "eyes_rx": eyes_rx,
            "eyes_ry": eyes_ry}  # fmt: skip


def unity_angles(x: float, y: float, z: float, w: float) -> tuple[float, float, float]:
    """Euler angles of a quaternion in Unity's axes: where it turns the face (z) and the crown (y) to."""
    out_x, out_y, out_z = 2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)
    lean_x, lean_y = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z)
    rx, ry, rz = -math.asin(out_y), math.atan2(out_x, out_z), math.atan2(lean_x, lean_y)
    return math.degrees(rx), math.degrees(ry), math.degrees(rz)


@pytest.mark.parametrize("protocol", ["vmc", "ifacialmocap", "opentrack", "livelink", "vts"])
@pytest.mark.parametrize("pose", POSES, ids=lambda pose: pose.name)
def test_every_receiver_gets_what_the_head_does(received: SimpleNamespace, protocol: str, pose: Pose) -> None:
    said = said_by(received, protocol, POSES.index(pose))
    if pose.rx or pose.ry or pose.rz:  # drawn heads turn about the neck, which moves them too
        said = {name: value for name, value in said.items() if not name.startswith("p")}
    off = {name: value - getattr(pose, name) for name, value in said.items()}
    assert all(abs(difference) <= ROOM[name] for name, difference in off.items()), off


def test_eyes_that_look_aside_move_the_shapes_of_both(received: SimpleNamespace) -> None:
    shapes = received.ifacialmocap[[pose.name for pose in POSES].index("eyes to the own right")].shapes
    assert shapes["eyeLookOutRight"] > 0.3 and shapes["eyeLookInLeft"] > 0.3
    assert shapes["eyeLookInRight"] < 0.15 and shapes["eyeLookOutLeft"] < 0.15
