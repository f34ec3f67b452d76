"""What avatar programs are to the tracker: parsers of each protocol, written from its description alone.

They use `struct`, `json` and `re`, nothing of the packages and modules that send, and refuse whatever a strict receiver
would stumble over.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

_ARKIT = """browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft
eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft
jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft
mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight mouthRollLower
mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft mouthStretchRight
mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight tongueOut"""
ARKIT = _ARKIT.split()
_LIVE_LINK = """eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft eyeWideLeft
eyeBlinkRight eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight eyeSquintRight eyeWideRight jawForward
jawLeft jawRight jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight mouthSmileLeft mouthSmileRight
mouthFrownLeft mouthFrownRight mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower
mouthRollUpper mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight mouthLowerDownLeft mouthLowerDownRight
mouthUpperUpLeft mouthUpperUpRight browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff
cheekSquintLeft cheekSquintRight noseSneerLeft noseSneerRight tongueOut HeadYaw HeadPitch HeadRoll LeftEyeYaw
LeftEyePitch LeftEyeRoll RightEyeYaw RightEyePitch RightEyeRoll"""
LIVE_LINK = _LIVE_LINK.split()
VTS_INPUTS = {
    **{f"FacePosition{axis}": (-10, 10) for axis in "XYZ"},
    **{f"FaceAngle{axis}": (-30, 30) for axis in "XYZ"},
    **{f"Eye{side}{axis}": (-1, 1) for side in ("Left", "Right") for axis in "XY"},
    "MouthSmile": (0, 1), "MouthOpen": (0, 1), "MouthX": (-1, 1), "Brows": (0, 1), "BrowLeftY": (0, 1),
    "BrowRightY": (0, 1), "EyeOpenLeft": (0, 1), "EyeOpenRight": (0, 1), "TongueOut": (0, 1), "CheekPuff": (0, 1),
    "FaceAngry": (0, 1),
}  # fmt: skip


def osc_messages(bundle: bytes) -> list[tuple[str, str, list]]:
    """Address, type tags and arguments of each message of an OSC 1.0 bundle."""
    assert bundle[:8] == b"#bundle\0" and len(bundle) % 4 == 0
    at, messages = 16, []
    while at < len(bundle):
        (size,) = struct.unpack_from(">i", bundle, at)
        assert size > 0 and size % 4 == 0 and at + 4 + size <= len(bundle)
        messages.append(_osc_message(bundle[at + 4 : at + 4 + size]))
        at += 4 + size
    return messages


def _osc_message(message: bytes) -> tuple[str, str, list]:
    def text(at: int) -> tuple[str, int]:
        end = message.index(b"\0", at)
        after = end + 4 - end % 4
        assert message[end:after] == bytes(after - end), "padded with zeros to a multiple of four"
        return message[at:end].decode("ascii"), after

    address, at = text(0)
    tags, at = text(at)
    assert address.startswith("/") and tags.startswith(",")
    arguments: list = []
    for tag in tags[1:]:
        if tag == "s":
            argument, at = text(at)
        else:
            argument = struct.unpack_from({"f": ">f", "i": ">i"}[tag], message, at)[0]
            at += 4
        arguments.append(argument)
    assert at == len(message)
    return address, tags, arguments


class VmcReceiver:
    """Puts bundles together to frames, as a receiver does: at each Apply."""

    def __init__(self) -> None:
        self.frames: list[SimpleNamespace] = []
        self._frame = self._new()

    def _new(self) -> SimpleNamespace:
        return SimpleNamespace(ok=None, time=None, bones={}, blends={}, bundles=0)

    def take(self, bundle: bytes) -> None:
        """One datagram."""
        assert len(bundle) <= 1500
        frame = self._frame
        frame.bundles += 1
        messages = osc_messages(bundle)
        for number, (address, tags, arguments) in enumerate(messages):
            if address == "/VMC/Ext/OK":
                assert tags in (",i", ",iii", ",iiii")
                frame.ok = arguments
            elif address == "/VMC/Ext/T":
                assert tags == ",f" and math.isfinite(arguments[0])
                frame.time = arguments[0]
            elif address == "/VMC/Ext/Bone/Pos":
                assert tags == ",sfffffff" and all(map(math.isfinite, arguments[1:]))
                assert sum(part * part for part in arguments[4:]) == pytest.approx(1, abs=1e-4)
                frame.bones[arguments[0]] = arguments[1:]
            elif address == "/VMC/Ext/Blend/Val":
                assert tags == ",sf" and 0 <= arguments[1] <= 1
                assert arguments[0] not in frame.blends
                frame.blends[arguments[0]] = arguments[1]
            else:
                assert address == "/VMC/Ext/Blend/Apply" and tags == "," and number == len(messages) - 1
                assert frame.ok is not None and frame.time is not None
                self.frames.append(frame)
                self._frame = self._new()


_WHOLE = re.compile(r"(\w+)-(\d+)")
_DECIMAL = r"-?\d+\.\d+"


def read_ifacialmocap(line: bytes) -> SimpleNamespace:
    """One line, as the strictest receivers read it: without its first and last field, whole numbers after `-`."""
    fields = line.decode("ascii").split("|")
    assert fields[-1] == "", "the line ends with a bar"
    shapes, parts = {}, {}
    for field in fields[1:-1]:
        if "#" in field:
            name, numbers = field.split("#")
            values = numbers.split(",")
            assert all(re.fullmatch(_DECIMAL, value) for value in values), field
            parts[name] = [float(value) for value in values]
        else:
            match = _WHOLE.fullmatch(field)
            assert match, field
            assert match[1] not in shapes
            shapes[match[1]] = int(match[2])
    assert len(parts["=head"]) == 6 and len(parts["rightEye"]) == len(parts["leftEye"]) == 3
    assert all(0 <= value <= 100 for value in shapes.values())
    unsided = {}
    for name, value in shapes.items():
        if name.endswith(("_L", "_R")):
            name = name[:-2] + ("Left" if name[-1] == "L" else "Right")
            assert name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
        unsided[name] = value / 100
    assert sorted(unsided) == ARKIT
    return SimpleNamespace(
        shapes=unsided, head=parts["=head"], right_eye=parts["rightEye"], left_eye=parts["leftEye"]
    )


def read_opentrack(datagram: bytes) -> SimpleNamespace:
    """x, y, z in centimetres; yaw, pitch, roll in degrees."""
    assert len(datagram) == 48
    values = struct.unpack("<6d", datagram)
    assert all(map(math.isfinite, values))
    return SimpleNamespace(**dict(zip(("x", "y", "z", "yaw", "pitch", "roll"), values, strict=True)))


def read_live_link(datagram: bytes) -> SimpleNamespace:
    """Names, time and the 61 values by name; values is None without a face."""
    assert datagram[0] == 6
    at, texts = 1, []
    for _ in range(2):
        (length,) = struct.unpack_from(">i", datagram, at)
        texts.append(datagram[at + 4 : at + 4 + length].decode("utf-8"))
        at += 4 + length
    assert len(texts[0]) == 36 and texts[1]
    frame, part, rate, denominator = struct.unpack_from(">ifii", datagram, at)
    assert frame >= 0 and 0 <= part < 1 and rate > 0 and denominator == 1
    at += 16
    values = None
    if at < len(datagram):
        assert datagram[at] == 61 and len(datagram) == at + 1 + 4 * 61
        numbers = struct.unpack_from(">61f", datagram, at + 1)
        assert all(map(math.isfinite, numbers)) and all(0 <= number <= 1 for number in numbers[:52])
        values = dict(zip(LIVE_LINK, numbers, strict=True))
    return SimpleNamespace(device=texts[0], subject=texts[1], time=(frame + part) / rate, values=values)


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def read_json(text: bytes | str) -> dict:
    """Strict JSON: without NaN and Infinity."""
    return json.loads(text, parse_constant=_no_constant)


def read_vts_phone(datagram: bytes) -> SimpleNamespace:
    """A frame of the phone protocol; shapes by their ARKit names."""
    message = read_json(datagram)
    assert set(message) == {
        "Timestamp", "Hotkey", "FaceFound", "Rotation", "Position", "EyeLeft", "EyeRight", "BlendShapes",
    }  # fmt: skip
    assert isinstance(message["Timestamp"], int) and message["Hotkey"] == -1
    assert isinstance(message["FaceFound"], bool)
    vectors = {}
    for name in ("Rotation", "Position", "EyeLeft", "EyeRight"):
        assert set(message[name]) == {"x", "y", "z"}
        vectors[name] = [message[name][axis] for axis in "xyz"]
    shapes = {}
    for shape in message["BlendShapes"]:
        assert set(shape) == {"k", "v"} and 0 <= shape["v"] <= 1
        shapes[shape["k"][0].lower() + shape["k"][1:]] = shape["v"]
        assert shape["k"][0].isupper()
    assert sorted(shapes) == ARKIT
    return SimpleNamespace(found=message["FaceFound"], shapes=shapes, **vectors)


def read_vts_injection(data: dict, without: Sequence[str] = ()) -> tuple[bool, dict[str, float]]:
    """faceFound and the values by parameter, of the data of an InjectParameterDataRequest; some were not created."""
    assert data["mode"] == "set" and isinstance(data["faceFound"], bool)
    values = {}
    for value in data["parameterValues"]:
        assert set(value) <= {"id", "value", "weight"} and value["id"] not in values
        low, high = VTS_INPUTS.get(value["id"], (0, 1))
        assert low <= value["value"] <= high, value
        values[value["id"]] = value["value"]
    expressions = {name for name in values if name.startswith("Expression")}  # whatever was taught
    assert set(values) - expressions == (set(VTS_INPUTS) | set(ARKIT)) - set(without)
    return data["faceFound"], values
