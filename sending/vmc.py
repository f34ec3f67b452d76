"""The VMC protocol 3.1 (Virtual Motion Capture: OSC over UDP), which most avatar programs take.

A frame is a few OSC bundles: whether there is tracking, the time, bones, each shape, and at last what applies them. All
frames of a run have the same bytes but for their numbers, so that python-osc builds them once and the numbers are put
in their places in each frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from sending.avatar import Avatar, Wearer
from sending.head import unity_quaternion
from sending.udp import Destination
from tracking.faces import BLENDSHAPE_NAMES

#: Bytes of a bundle at the most.
LARGEST = 1500
#: Names that avatars without the 52 shapes have, as VRM 0 and VRM 1 call them, in the order of `preset_values`.
PRESETS = {
    "none": (),
    "vrm0": ("Blink_L", "Blink_R", "Blink", "A", "I", "U", "E", "O", "Joy", "Angry", "Sorrow", "Fun"),
    "vrm1": ("blinkLeft", "blinkRight", "blink", "aa", "ih", "ou", "ee", "oh", "happy", "angry", "sad", "relaxed",
             "surprised"),
}  # fmt: skip
#: What is sent of the skeleton. The neck stays straight: the head has the whole turn.
BONES = ("Head", "Neck", "LeftEye", "RightEye")
_STRAIGHT = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
_LOADED, _CALIBRATED, _NORMAL_MODE = 1, 3, 0


def preset_values(shapes: np.ndarray) -> list[float]:
    """The presets of VRM 1, of which VRM 0 has all but the last, from the 52 shapes.

    `blink` stays 0: an avatar that has it beside those of the single eyes would add them up.
    """
    weight = dict(zip(BLENDSHAPE_NAMES, shapes.tolist(), strict=True))

    def both(name: str) -> float:
        return (weight[f"{name}Left"] + weight[f"{name}Right"]) / 2

    jaw, ou, oh = weight["jawOpen"], weight["mouthPucker"], weight["mouthFunnel"]
    wide = max(both("mouthStretch"), 0.6 * both("mouthSmile") * min(1.0, 5 * jaw))
    aa = jaw * (1 - max(ou, oh, wide))
    smile = max(0.0, (both("mouthSmile") - 0.3) / 0.7)  # who smiles a little is not shown laughing
    return [
        weight["eyeBlinkLeft"], weight["eyeBlinkRight"], 0.0, aa, wide * (1 - jaw), ou, wide * jaw, oh, smile,
        both("browDown"), both("mouthFrown"), 0.0, min(both("eyeWide"), weight["browInnerUp"]),
    ]  # fmt: skip


class FrameLayout:
    """The bundles of a frame and where their numbers go.

    Args:
        bones: whether head, neck and eyes are sent as bones.
        pascal: whether the 52 names begin with a capital letter.
        presets: a key of `PRESETS`.
        expressions: names of expressions. One that is called like a value that is sent anyway takes its place, and one
            that is called like a preset (whatever its capitals) is sent by the preset's name.
    """

    def __init__(
        self, bones: bool = True, pascal: bool = False, presets: str = "none", expressions: Sequence[str] = ()
    ) -> None:
        self._settings = bones, pascal, presets
        self._expressions = tuple(expressions)
        self._bones = bones
        self._presets = PRESETS[presets]
        #: Each message, and how many of its last arguments change.
        messages = [
            (_message("/VMC/Ext/OK", "iiii", _LOADED, _CALIBRATED, _NORMAL_MODE, 0), 1),
            (_message("/VMC/Ext/T", "f", 0.0), 1),
        ]
        for bone in BONES if bones else ():
            messages.append((_message("/VMC/Ext/Bone/Pos", "sfffffff", bone, *_STRAIGHT), 7))
        names = [name[0].upper() + name[1:] if pascal else name for name in BLENDSHAPE_NAMES]
        named = [*names, *self._presets]
        known = {name.lower(): name for name in PRESETS[presets] or PRESETS["vrm0"]}
        #: Where each expression's weight goes among the values.
        self._places_of_expressions = []
        for expression in self._expressions:
            name = expression if expression in named else known.get(expression.lower(), expression)
            if name not in named:
                named.append(name)
            self._places_of_expressions.append(named.index(name))
        self._values = len(named)
        for name in named:
            messages.append((_message("/VMC/Ext/Blend/Val", "sf", name, 0.0), 1))
        messages.append((_message("/VMC/Ext/Blend/Apply", ""), 0))

        self._bundles: list[np.ndarray] = []  # uint8
        places: list[tuple[int, int]] = []  # bundle, byte, of each number
        for group in _grouped([message for message, _ in messages]):
            bundle = OscBundleBuilder(IMMEDIATELY)
            at = 16
            for message, changing in messages[group]:
                bundle.add_content(message)
                at += 4 + message.size
                places += [(len(self._bundles), at - 4 * back) for back in range(changing, 0, -1)]
            self._bundles.append(np.frombuffer(bundle.build().dgram, np.uint8).copy())
        # The first number is an integer and has its own way.
        self._places = [
            (
                np.array([number for number, place in enumerate(places[1:]) if place[0] == bundle], np.intp),
                np.array([place[1] for place in places[1:] if place[0] == bundle], np.intp)[:, None] + np.arange(4),
            )
            for bundle in range(len(self._bundles))
        ]
        self._tracking = places[0]

    def with_expressions(self, names: Sequence[str]) -> FrameLayout:
        """This layout for other expressions; itself if they are the same."""
        return self if tuple(names) == self._expressions else FrameLayout(*self._settings, names)

    def encode(self, avatar: Avatar, tracking: bool, seconds: float) -> list[bytes]:
        """The bundles of a frame, in their order.

        Args:
            avatar: the face, or what is left of it.
            tracking: whether it is there.
            seconds: the time since the start.
        """
        numbers: list[float] = [seconds]
        if self._bones:
            px, py, pz = avatar.position
            down, side = avatar.gaze
            eye = (0.0, 0.0, 0.0, *unity_quaternion(down, side, 0.0))
            numbers += (px, py, -pz, *unity_quaternion(*avatar.rotation), *_STRAIGHT, *eye, *eye)
        values = avatar.shapes.tolist()
        values += preset_values(avatar.shapes)[: len(self._presets)] if self._presets else ()
        values += [0.0] * (self._values - len(values))
        for name, place in zip(self._expressions, self._places_of_expressions, strict=True):
            values[place] = avatar.expressions.get(name, 0.0)
        numbers += values
        # As bytes: one row a number.
        rows = np.array(numbers, ">f4").view(np.uint8).reshape(-1, 4)
        for bundle, (which, places) in zip(self._bundles, self._places, strict=True):
            bundle[places] = rows[which]
        number, byte = self._tracking
        self._bundles[number][byte : byte + 4] = 0, 0, 0, tracking
        return [bundle.tobytes() for bundle in self._bundles]


def _message(address: str, types: str, *arguments: str | float) -> OscMessage:
    builder = OscMessageBuilder(address)
    for kind, argument in zip(types, arguments, strict=True):
        builder.add_arg(argument, kind)
    return builder.build()


def _grouped(messages: Sequence[OscMessage]) -> list[slice]:
    """Which messages go into one bundle."""
    groups, start, size = [], 0, 16
    for number, message in enumerate(messages):
        if size + 4 + message.size > LARGEST:
            groups.append(slice(start, number))
            start, size = number, 16
        size += 4 + message.size
    return [*groups, slice(start, len(messages))]


class VmcSender:
    """Sends one face in every frame; when it is lost, neutral values soon, and that there is no tracking."""

    def __init__(self, destination: Destination, wearer: Wearer, layout: FrameLayout) -> None:
        self._destination = destination
        self._wearer = wearer
        self._layout = layout
        self._started: float | None = None

    def send(self, avatars: Sequence[Avatar], time: float) -> None:
        """Send a frame's; see `Wearer.follow`."""
        avatar, found = self._wearer.follow(avatars, time)
        if self._started is None:
            self._started = time
        self._layout = self._layout.with_expressions(tuple(avatar.expressions))
        for bundle in self._layout.encode(avatar, found, time - self._started):
            self._destination.send(bundle)

    def close(self) -> None:
        """Close the socket."""
        self._destination.close()
