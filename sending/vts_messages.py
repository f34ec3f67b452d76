"""The messages of VTube Studio's plugin API: JSON text over a WebSocket. Nothing is sent or received here."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from itertools import compress
from typing import Any

from sending.avatar import NEUTRAL, Avatar
from sending.json_template import JsonTemplate, slot, text_slot
from tracking.faces import BLENDSHAPE_NAMES

PLUGIN = {"pluginName": "OpenSeeFace tracker", "pluginDeveloper": "OpenSeeFace again"}
#: The user does not allow the plugin.
REFUSED = 50
#: Half of the range of VTube Studio's own inputs: degrees, and centimetres.
ANGLE, PLACE = 30.0, 10.0
#: An eye that is turned so far, degrees, is at the end of its input's range.
GAZE = 30.0


def request(kind: str, number: int, data: dict[str, Any] | None = None) -> str:
    """A request as text.

    Args:
        kind: messageType.
        number: comes back in the answer's requestID.
        data: what the request is about.
    """
    return json.dumps(_message(kind, str(number), data or {}), separators=(",", ":"), allow_nan=False)


def _message(kind: str, number: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiName": "VTubeStudioPublicAPI",
        "apiVersion": "1.0",
        "requestID": number,
        "messageType": kind,
        "data": data,
    }


def answer(text: str | bytes) -> tuple[str, int | None, dict[str, Any]]:
    """messageType, number of the request (None: of none of ours) and data of an answer.

    Raises:
        ValueError: it is no message of this API.
    """
    message = json.loads(text)
    if not isinstance(message, dict) or not isinstance(message.get("messageType"), str):
        raise ValueError("no message of VTube Studio")
    number, data = message.get("requestID"), message.get("data")
    return (
        message["messageType"],
        int(number) if isinstance(number, str) and number.isascii() and number.isdigit() else None,
        data if isinstance(data, dict) else {},
    )


def parameter_requests() -> dict[str, dict[str, Any]]:
    """The data of a ParameterCreationRequest for each of our own parameters, by name: the 52 shapes."""
    return {
        name: {"parameterName": name, "explanation": f"Blend shape {name} (ARKit)", "min": 0, "max": 1,
               "defaultValue": 0}
        for name in BLENDSHAPE_NAMES
    }  # fmt: skip


@lru_cache
def expression_parameters(names: tuple[str, ...]) -> dict[str, str]:
    """What the parameter of each expression is called, which may have 4 to 32 letters and digits."""
    parameters: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        letters = "".join(letter for letter in name if letter.isascii() and letter.isalnum())
        parameter = f"Expression{letters[:1].upper()}{letters[1:]}"[:32]
        if not letters or parameter in parameters.values():
            parameter = f"Expression{number}"
        parameters[name] = parameter
    return parameters


def expression_requests(names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The data of a ParameterCreationRequest for each expression's parameter, by the parameter's name."""
    return {
        parameter: {"parameterName": parameter, "explanation": f"Expression {name}", "min": 0, "max": 1,
                    "defaultValue": 0}
        for name, parameter in expression_parameters(names).items()
    }  # fmt: skip


def parameter_values(avatar: Avatar) -> dict[str, float]:
    """The values of all parameters, VTube Studio's own inputs first, by name.

    Sideways is positive to the person's own right, upwards positive up.
    """
    weight = dict(zip(BLENDSHAPE_NAMES, avatar.shapes.tolist(), strict=True))

    def both(name: str) -> float:
        return (weight[f"{name}Left"] + weight[f"{name}Right"]) / 2

    def within(value: float, low: float, high: float) -> float:
        return min(max(value, low), high)

    def brow(side: str) -> float:
        raised = (weight[f"browOuterUp{side}"] + weight["browInnerUp"]) / 2
        return within(0.5 + (raised - weight[f"browDown{side}"]) / 2, 0.0, 1.0)

    (rx, ry, rz), (px, py, pz), (down, side) = avatar.rotation, avatar.position, avatar.gaze
    eye_x, eye_y = within(side / GAZE, -1, 1), within(-down / GAZE, -1, 1)
    brows = {side: brow(side) for side in ("Left", "Right")}
    return {
        "FacePositionX": within(100 * px, -PLACE, PLACE),
        "FacePositionY": within(100 * py, -PLACE, PLACE),
        "FacePositionZ": within(100 * pz, -PLACE, PLACE),
        "FaceAngleX": within(ry, -ANGLE, ANGLE),
        "FaceAngleY": within(-rx, -ANGLE, ANGLE),
        "FaceAngleZ": within(rz, -ANGLE, ANGLE),
        "MouthSmile": within(0.5 + (both("mouthSmile") - both("mouthFrown")) / 2, 0, 1),
        "MouthOpen": within(weight["jawOpen"] - weight["mouthClose"], 0, 1),
        "MouthX": within(weight["mouthRight"] - weight["mouthLeft"], -1, 1),
        "Brows": (brows["Left"] + brows["Right"]) / 2,
        "BrowLeftY": brows["Left"],
        "BrowRightY": brows["Right"],
        "EyeOpenLeft": 1 - weight["eyeBlinkLeft"],
        "EyeOpenRight": 1 - weight["eyeBlinkRight"],
        "EyeLeftX": eye_x,
        "EyeLeftY": eye_y,
        "EyeRightX": eye_x,
        "EyeRightY": eye_y,
        "TongueOut": weight["tongueOut"],
        "CheekPuff": weight["cheekPuff"],
        "FaceAngry": min(both("browDown"), 1.0),
        **weight,
        **{parameter: avatar.expressions[name]
           for name, parameter in expression_parameters(tuple(avatar.expressions)).items()},
    }  # fmt: skip


class Injections:
    """InjectParameterDataRequests.

    Args:
        without: parameters that VTube Studio does not take from us.
        expressions: names of the expressions that all avatars have.
    """

    def __init__(self, without: Collection[str] = (), expressions: tuple[str, ...] = ()) -> None:
        names = parameter_values(replace(NEUTRAL, expressions=dict.fromkeys(expressions, 0.0)))
        self._taken = [name not in without for name in names]
        values = [{"id": name, "value": slot("%.5f")} for name in names if name not in without]
        self._requests = {
            found: JsonTemplate(
                _message(
                    "InjectParameterDataRequest",
                    text_slot("%d"),
                    {"faceFound": found, "mode": "set", "parameterValues": values},
                )
            )
            for found in (True, False)
        }

    def request(self, number: int, avatar: Avatar, found: bool) -> str:
        """A request as text.

        Args:
            number: comes back in the answer's requestID.
            avatar: the face, or what is left of it.
            found: whether it is there.
        """
        values = parameter_values(avatar).values()
        return self._requests[found].fill([number, *compress(values, self._taken)])
