"""Each protocol against a parser written from its description: fields, sizes, order, rates, loss, and any numbers."""

from __future__ import annotations

import json
import math
import socket
from dataclasses import replace

import numpy as np
import pytest
from avatar_receivers import (
    ARKIT,
    VmcReceiver,
    osc_messages,
    read_ifacialmocap,
    read_json,
    read_live_link,
    read_opentrack,
    read_vts_injection,
    read_vts_phone,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from make_faces import make_face

from sending.avatar import FADE, NEUTRAL, Avatar, Avatars, Wearer
from sending.ifacialmocap import IFacialMocapSender
from sending.json_template import JsonTemplate, slot, text_slot
from sending.livelink import LiveLinkSender
from sending.opentrack import OpentrackSender
from sending.vmc import FrameLayout, VmcSender
from sending.vts_messages import Injections, parameter_requests
from sending.vtsphone import VtsPhoneSender
from tracking.faces import BLENDSHAPE_NAMES, Face
from tracking.smoothing import PRESETS

SIZE = (640, 480)


class Kept:
    """In place of a destination: keeps the datagrams."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []

    def send(self, datagram: bytes) -> None:
        self.datagrams.append(datagram)

    def close(self) -> None:
        pass


class Clock:
    """Seconds that a test turns on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def some_avatar(seed: int = 0, **changes) -> Avatar:
    """An avatar whose every number differs."""
    rng = np.random.default_rng(seed)
    avatar = Avatar(
        0, tuple(rng.uniform(-40, 40, 3).tolist()), tuple(rng.uniform(-0.3, 0.3, 3).tolist()),
        tuple(rng.uniform(-20, 20, 2).tolist()), rng.uniform(0, 1, 52),
    )  # fmt: skip
    return replace(avatar, **changes)


def shapes_of(avatar: Avatar) -> dict[str, float]:
    return dict(zip(BLENDSHAPE_NAMES, avatar.shapes.tolist(), strict=True))


def vmc_frames(datagrams: list[bytes]) -> list:
    receiver = VmcReceiver()
    for datagram in datagrams:
        receiver.take(datagram)
    return receiver.frames


def test_the_names_are_apples() -> None:
    assert list(BLENDSHAPE_NAMES) == ARKIT


# VMC


def test_vmc_frame() -> None:
    kept, avatar = Kept(), some_avatar()
    sender = VmcSender(kept, Wearer(), FrameLayout())
    for number in range(3):
        sender.send([avatar], 1.7e9 + number / 30)
    frames = vmc_frames(kept.datagrams)
    assert [frame.bundles for frame in frames] == [2, 2, 2]
    for number, frame in enumerate(frames):
        assert frame.ok == [1, 3, 0, 1]
        assert frame.time == pytest.approx(number / 30, abs=1e-4), "since the start, as Unix time fits no float32"
        assert list(frame.bones) == ["Head", "Neck", "LeftEye", "RightEye"]
        assert frame.blends == pytest.approx(shapes_of(avatar), abs=1e-6)


def test_vmc_without_bones_and_with_other_names() -> None:
    bundles = FrameLayout(bones=False, pascal=True, presets="vrm1").encode(some_avatar(), True, 0.0)
    (frame,) = vmc_frames(bundles)
    assert frame.bones == {}
    assert {"EyeBlinkLeft", "TongueOut", "blinkLeft", "blinkRight", "aa", "surprised"} <= set(frame.blends)
    assert len(frame.blends) == 52 + 13


@pytest.mark.parametrize(
    ("shapes", "shown"),
    [
        ({"eyeBlinkLeft": 1.0}, {"Blink_L": 1.0}),
        ({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}, {"Blink_L": 1.0, "Blink_R": 1.0}),
        ({"jawOpen": 0.8}, {"A": 0.8}),
        ({"mouthPucker": 0.9}, {"U": 0.9}),
        ({"mouthFunnel": 0.9}, {"O": 0.9}),
        ({"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}, {"Joy": 1.0}),
        ({"browDownLeft": 0.5, "browDownRight": 0.5}, {"Angry": 0.5}),
        ({}, {}),
    ],
)
def test_vmc_presets_for_avatars_without_the_52(shapes: dict[str, float], shown: dict[str, float]) -> None:
    values = np.array([shapes.get(name, 0.0) for name in BLENDSHAPE_NAMES])
    (frame,) = vmc_frames(FrameLayout(presets="vrm0").encode(replace(NEUTRAL, shapes=values), True, 0.0))
    presets = ("Blink_L", "Blink_R", "Blink", "A", "I", "U", "E", "O", "Joy", "Angry", "Sorrow", "Fun")
    assert {name: frame.blends[name] for name in presets if frame.blends[name]} == pytest.approx(shown)


def test_vmc_goes_to_neutral_in_half_a_second_when_the_face_is_lost() -> None:
    kept, avatar = Kept(), some_avatar()
    sender = VmcSender(kept, Wearer(), FrameLayout())
    sender.send([avatar], 10.0)
    times = [10.1, 10.25, 10.4, 10.5, 12.0]
    for time in times:
        sender.send([], time)
    frames = vmc_frames(kept.datagrams)
    assert [frame.ok[-1] for frame in frames] == [1, 0, 0, 0, 0, 0]
    jaw = [frame.blends["jawOpen"] / shapes_of(avatar)["jawOpen"] for frame in frames]
    assert jaw == pytest.approx([1, 0.8, 0.5, 0.2, 0, 0], abs=1e-4)
    assert frames[-1].bones["Head"] == [0, 0, 0, 0, 0, 0, 1]


def test_vmc_says_that_there_is_no_tracking_before_the_first_face() -> None:
    kept = Kept()
    VmcSender(kept, Wearer(), FrameLayout()).send([], 10.0)
    (frame,) = vmc_frames(kept.datagrams)
    assert frame.ok[-1] == 0 and not any(frame.blends.values())


# iFacialMocap


def test_ifacialmocap_line() -> None:
    kept, avatar, clock = Kept(), some_avatar(), Clock()
    IFacialMocapSender(kept, Wearer(), clock).send([avatar], 0.0)
    line = read_ifacialmocap(kept.datagrams[0])
    assert line.shapes == pytest.approx(shapes_of(avatar), abs=0.0051)
    assert line.head == pytest.approx([*avatar.rotation, *avatar.position], abs=1e-4)
    assert line.left_eye == line.right_eye == pytest.approx([*avatar.gaze, 0], abs=1e-3)


def test_ifacialmocap_lines_differ_though_nothing_moves() -> None:
    kept, avatar, clock = Kept(), some_avatar(), Clock()
    sender = IFacialMocapSender(kept, Wearer(), clock)
    for _ in range(40):
        clock.now += 1 / 30
        sender.send([avatar], clock.now)
    assert len(kept.datagrams) == 40
    assert all(one != next_one for one, next_one in zip(kept.datagrams, kept.datagrams[1:], strict=False))
    heads = [read_ifacialmocap(line).head for line in kept.datagrams]
    assert np.ptp(heads, axis=0).max() < 1e-4


@pytest.mark.parametrize(("fps", "fewest", "most"), [(30, 300, 300), (60, 580, 601), (240, 590, 602), (1000, 590, 602)])
def test_ifacialmocap_sends_at_most_60_lines_a_second(fps: int, fewest: int, most: int) -> None:
    kept, avatar, clock = Kept(), some_avatar(), Clock()
    sender, jitter = IFacialMocapSender(kept, Wearer(), clock), np.random.default_rng(0)
    for number in range(10 * fps):
        clock.now = 100 + (number + 0.3 * jitter.random()) / fps
        sender.send([avatar], clock.now)
    assert fewest <= len(kept.datagrams) <= most


def test_ifacialmocap_is_silent_while_the_face_is_lost() -> None:
    kept, clock = Kept(), Clock()
    sender = IFacialMocapSender(kept, Wearer(), clock)
    sender.send([], 0.0)
    sender.send([some_avatar()], 0.1)
    sender.send([], 0.2)
    assert len(kept.datagrams) == 1


# opentrack, Live Link


def test_opentrack_packet() -> None:
    kept, avatar = Kept(), some_avatar()
    sender = OpentrackSender(kept, Wearer())
    sender.send([avatar], 0.0)
    sender.send([], 0.1)
    (datagram,) = kept.datagrams
    packet = read_opentrack(datagram)
    assert [packet.x, packet.y, packet.z] == pytest.approx([100 * place for place in avatar.position])
    assert [packet.pitch, packet.yaw, packet.roll] == pytest.approx(avatar.rotation)


def test_live_link_packet() -> None:
    kept, avatar = Kept(), some_avatar()
    sender = LiveLinkSender(kept, Wearer(), "Ada é")
    sender.send([avatar], 86400 * 19000 + 12345.678)
    sender.send([], 86400 * 19000 + 12345.711)
    there, lost = map(read_live_link, kept.datagrams)
    assert there.subject == lost.subject == "Ada é" and there.device == lost.device
    assert there.time == pytest.approx(12345.678, abs=1e-4) and lost.time == pytest.approx(12345.711, abs=1e-4)
    assert lost.values is None
    assert {name: there.values[name] for name in ARKIT} == pytest.approx(shapes_of(avatar), abs=1e-6)
    rx, ry, rz = np.radians(avatar.rotation)
    assert [there.values[f"Head{name}"] for name in ("Yaw", "Pitch", "Roll")] == pytest.approx([ry, rx, rz], abs=1e-6)
    down, side = np.radians(avatar.gaze)
    for eye in ("LeftEye", "RightEye"):
        eyes = [there.values[f"{eye}{name}"] for name in ("Yaw", "Pitch", "Roll")]
        assert eyes == pytest.approx([side, down, 0], abs=1e-6)


# VTube Studio


def test_vts_parameters_are_creatable() -> None:
    requests = parameter_requests()
    assert sorted(requests) == ARKIT and len(requests) <= 100
    for name, data in requests.items():
        assert data["parameterName"] == name and 4 <= len(name) <= 32 and name.isalnum()
        assert len(data["explanation"]) < 256 and data["min"] <= data["defaultValue"] <= data["max"]


def injection(avatar: Avatar, found: bool) -> dict:
    """The data of a request for a frame, which is a whole message."""
    message = read_json(Injections().request(7, avatar, found))
    assert (message["messageType"], message["requestID"]) == ("InjectParameterDataRequest", "7")
    return message["data"]


def test_json_with_slots_is_what_json_would_write() -> None:
    message = {"a %": [slot("%.2f"), "100%", slot("%d")], "b": text_slot("%d"), "c": {"d": None, "e": True}}
    filled = read_json(JsonTemplate(message).fill([0.125, -3, 42]))
    assert filled == {"a %": [0.12, "100%", -3], "b": "42", "c": {"d": None, "e": True}}


def test_vts_injection() -> None:
    avatar = some_avatar(rotation=(5.0, 10.0, -15.0), position=(0.05, -0.02, 0.5), gaze=(-12.0, 15.0))
    found, values = read_vts_injection(injection(avatar, True))
    assert found
    assert [values[f"FaceAngle{axis}"] for axis in "XYZ"] == pytest.approx([10, -5, -15])
    assert [values[f"FacePosition{axis}"] for axis in "XYZ"] == pytest.approx([5, -2, 10]), "within its range"
    assert values["EyeLeftX"] == values["EyeRightX"] == pytest.approx(0.5)
    assert values["EyeLeftY"] == values["EyeRightY"] == pytest.approx(0.4)
    assert values["EyeOpenLeft"] == pytest.approx(1 - shapes_of(avatar)["eyeBlinkLeft"], abs=1e-4)
    assert values["jawOpen"] == pytest.approx(shapes_of(avatar)["jawOpen"], abs=1e-4)
    assert not read_vts_injection(injection(avatar, False))[0]


def test_vts_neutral_is_in_the_middle() -> None:
    _, values = read_vts_injection(injection(NEUTRAL, True))
    assert values["MouthSmile"] == values["Brows"] == values["BrowLeftY"] == 0.5
    assert values["EyeOpenLeft"] == values["EyeOpenRight"] == 1 and values["MouthOpen"] == values["FaceAngleX"] == 0


# VTube Studio's phone


def asker() -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(0.3)
    return receiver


def request(ports: list, time: object = 10, kind: str = "iOSTrackingDataRequest") -> bytes:
    return json.dumps({"messageType": kind, "time": time, "sentBy": "a test", "ports": ports}).encode()


def test_vts_phone_sends_for_as_long_as_was_asked() -> None:
    said: list[str] = []
    clock, avatar = Clock(), some_avatar()
    sender = VtsPhoneSender("127.0.0.1", 0, Wearer(), said.append, clock)
    assert len(said) == 1 and str(sender.port) in said[0], "it says that it listens"
    with asker() as one, asker() as two:
        sender.send([avatar], 5.0)  # nobody asked
        one.sendto(request([one.getsockname()[1], two.getsockname()[1]], 0.1), ("127.0.0.1", sender.port))
        sender.send([avatar], 5.1)
        for receiver in (one, two):
            frame = read_vts_phone(receiver.recv(65536))
            assert frame.found and frame.shapes == pytest.approx(shapes_of(avatar), abs=1e-4)
            assert frame.Rotation == pytest.approx(avatar.rotation, abs=1e-3)
            assert frame.Position == pytest.approx(avatar.position, abs=1e-4)
            assert frame.EyeLeft == frame.EyeRight == pytest.approx([*avatar.gaze, 0], abs=1e-2)
        clock.now += 0.4  # half a second at least
        sender.send([], 5.5)
        assert not read_vts_phone(one.recv(65536)).found
        clock.now += 0.2
        sender.send([avatar], 5.7)
        with pytest.raises(TimeoutError):
            one.recv(65536)
        assert two.recv(65536)
    sender.close()


def test_vts_phone_is_not_moved_by_nonsense() -> None:
    said: list[str] = []
    clock = Clock()
    sender = VtsPhoneSender("127.0.0.1", 0, Wearer(), said.append, clock)
    with asker() as receiver:
        port = receiver.getsockname()[1]
        nonsense = [
            b"", b"\xff\xfe", b"[]", b"{}", b"1" * 5000, b"[" * 20000, request([port], kind="else"), request([]),
            request([port] * 33), request([0]), request([65536]), request([port, "x"]), request([True]),
            request([port], "soon"), request([port], -1), request([port], math.nan), request([port], True),
            b'{"messageType": "iOSTrackingDataRequest"}',
        ]  # fmt: skip
        for datagram in nonsense:
            receiver.sendto(datagram, ("127.0.0.1", sender.port))
            sender.send([some_avatar()], 1.0)
        with pytest.raises(TimeoutError):
            receiver.recv(65536)
        assert len(said) == 2, "once that it listens, once that it does not understand"
        receiver.sendto(request([port], 1e9), ("127.0.0.1", sender.port))
        sender.send([some_avatar()], 1.0)
        assert receiver.recv(65536)
        clock.now += 10.1
        sender.send([some_avatar()], 2.0)
        with pytest.raises(TimeoutError):
            receiver.recv(65536)
    sender.close()


def test_vts_phone_serves_a_bounded_number() -> None:
    clock = Clock()
    sender = VtsPhoneSender("127.0.0.1", 0, Wearer(), lambda sentence: None, clock)
    with asker() as receiver:
        for start in range(1, 200, 32):
            receiver.sendto(request(list(range(start, start + 32))), ("127.0.0.1", sender.port))
        sender.send([some_avatar()], 1.0)
        assert len(sender._until) == 64
    sender.close()


# Which face, mirrored, and any numbers


def test_the_lowest_face_or_the_one_that_is_asked_for() -> None:
    zero, one = some_avatar(0), some_avatar(1, id=1)
    assert Wearer().follow([zero, one], 0.0) == (zero, True)
    assert Wearer().follow([one], 0.0) == (one, True)
    assert Wearer(face=1).follow([zero, one], 0.0) == (one, True)
    assert Wearer(face=1).follow([zero], 0.0)[1] is False


def test_a_mirror_image() -> None:
    avatar = some_avatar()
    mirrored, _ = Wearer(mirror=True).follow([avatar], 0.0)
    (rx, ry, rz), (px, py, pz), (down, side) = avatar.rotation, avatar.position, avatar.gaze
    assert mirrored.rotation == (rx, -ry, -rz) and mirrored.position == (-px, py, pz) and mirrored.gaze == (down, -side)
    before, after = shapes_of(avatar), shapes_of(mirrored)
    assert after["eyeBlinkLeft"] == before["eyeBlinkRight"] and after["mouthRight"] == before["mouthLeft"]
    assert after["jawOpen"] == before["jawOpen"] and after["eyeLookOutRight"] == before["eyeLookOutLeft"]
    assert shapes_of(mirrored.mirrored()) == before


def test_a_lost_face_fades_however_the_clock_runs() -> None:
    avatar = some_avatar()
    for later in (-1e6, -0.1, 0.0, FADE / 2, FADE, 1e9):
        wearer = Wearer()
        wearer.follow([avatar], 1e9)
        left, found = wearer.follow([], 1e9 + later)
        share = left.shapes.max() / avatar.shapes.max()
        assert not found and 0 <= share <= 1
        assert share == pytest.approx(1 - later / FADE if 0 <= later < FADE else 0)


numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)
near = st.floats(-2000, 2000)


def any_array(*shape: int) -> st.SearchStrategy:
    return st.one_of(
        arrays.arrays(np.float64, shape, elements=near, fill=near),
        arrays.arrays(np.float64, shape, elements=numbers, fill=near),
    )


@st.composite
def any_faces(draw) -> list[Face]:
    """Faces with any numbers at all, near the possible and beyond."""
    faces = []
    for number in range(draw(st.integers(0, 2))):
        face = make_face(number)
        for name in draw(st.sets(st.sampled_from(["lms", "pts_3d", "blendshapes", "eye_blink", "conf", "features"]))):
            if name in ("lms", "pts_3d"):
                face = replace(face, **{name: draw(any_array(*getattr(face, name).shape))})
            elif name == "blendshapes":
                face = replace(face, blendshapes=draw(any_array(52)))
            elif name == "eye_blink":
                face = replace(face, eye_blink=draw(st.none() | st.tuples(numbers, numbers)))
            elif name == "conf":
                face = replace(face, conf=draw(numbers))
            else:
                face = replace(face, current_features={key: draw(numbers) for key in face.current_features})
        faces.append(face)
    return faces


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    st.lists(any_faces(), min_size=1, max_size=3), st.sampled_from(["off", "normal"]), st.sampled_from([SIZE, (1, 1)])
)
def test_nothing_malformed_and_nothing_that_is_no_number_ever_leaves(frames, smooth, size) -> None:
    """Whatever the faces hold: the parsers refuse what is not finite, out of range or malformed."""
    clock, kept = Clock(), {name: Kept() for name in ("vmc", "ifacialmocap", "opentrack", "livelink")}
    senders = [
        VmcSender(kept["vmc"], Wearer(), FrameLayout(presets="vrm1")),
        IFacialMocapSender(kept["ifacialmocap"], Wearer(), clock),
        OpentrackSender(kept["opentrack"], Wearer(mirror=True)),
        LiveLinkSender(kept["livelink"], Wearer()),
    ]
    avatars = Avatars(PRESETS[smooth], lambda sentence: None)
    for number, faces in enumerate(frames):
        clock.now += 1 / 30
        found = avatars.of(faces, 1.7e9 + number / 30, size)
        assert {avatar.id for avatar in found} <= {face.id for face in faces}
        for sender in senders:
            sender.send(found, 1.7e9 + number / 30)
        shown, there = Wearer().follow(found, 0.0)
        read_vts_injection(injection(shown, there))
        from sending.vtsphone import encode

        read_vts_phone(encode(shown, there, 1.7e9))
    assert len(vmc_frames(kept["vmc"].datagrams)) == len(frames)
    for line in kept["ifacialmocap"].datagrams:
        read_ifacialmocap(line)
    for packet in kept["opentrack"].datagrams:
        assert max(map(abs, vars(read_opentrack(packet)).values())) < 1000
    for packet in kept["livelink"].datagrams:
        read_live_link(packet)


def test_a_face_with_a_number_that_is_none_does_no_harm_to_the_next() -> None:
    avatars = Avatars(PRESETS["normal"], lambda sentence: None)
    good = make_face(blendshapes=np.full(52, 0.5, np.float32))
    bad = replace(good, blendshapes=np.full(52, np.nan, np.float32))
    assert avatars.of([good], 0.0, SIZE) and not avatars.of([bad], 0.03, SIZE)
    (after,) = avatars.of([good], 0.06, SIZE)
    assert np.isfinite(after.shapes).all()


@pytest.mark.parametrize("confidence", [math.nan, math.inf, -math.inf, -3.0])
def test_a_confidence_that_is_none_does_no_harm(confidence: float) -> None:
    avatars = Avatars(PRESETS["normal"], lambda sentence: None)
    for number in range(3):
        (avatar,) = avatars.of([make_face(number, id=0, conf=confidence)], number / 30, SIZE)
        assert np.isfinite([*avatar.rotation, *avatar.position, *avatar.gaze, *avatar.shapes]).all()


def test_shapes_from_landmarks_are_said_once() -> None:
    said: list[str] = []
    avatars = Avatars(None, said.append)
    for number in range(3):
        avatars.of([make_face()], number / 30, SIZE)
    assert len(said) == 1 and "landmarks" in said[0]
    avatars = Avatars(None, said.append)
    avatars.of([make_face(blendshapes=np.zeros(52, np.float32))], 0.0, SIZE)
    assert len(said) == 1


def test_shapes_that_nobody_takes_are_not_worked_out() -> None:
    said: list[str] = []
    avatars = Avatars(None, said.append, shapes=False)  # opentrack alone
    assert not avatars.of([make_face()], 0.0, SIZE)[0].shapes.any() and not said


def test_an_osc_reader_of_this_test_reads_what_the_standard_says() -> None:
    """The example of the OSC 1.0 specification, in a bundle."""
    message = b"/foo\0\0\0\0,iisff\0\0" + bytes.fromhex("000003e8ffffffff") + b"hello\0\0\0"
    message += bytes.fromhex("3f9df3b640b5b22d")
    bundle = b"#bundle\0" + bytes(8) + len(message).to_bytes(4, "big") + message
    ((address, tags, arguments),) = osc_messages(bundle)
    assert (address, tags) == ("/foo", ",iisff")
    assert arguments == [1000, -1, "hello", pytest.approx(1.234), pytest.approx(5.678)]


def test_strict_json_refuses_what_is_no_number() -> None:
    with pytest.raises(AssertionError):
        read_json('{"value": NaN}')
