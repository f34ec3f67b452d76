"""What a face expresses, as receivers, the log and the console get it."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from avatar_receivers import ARKIT
from fake_vtube_studio import FakeVTubeStudio
from make_faces import make_face
from test_protocols import Kept, some_avatar, vmc_frames

from output.console import Console
from output.data_log import COLUMNS, EXPRESSION_COLUMNS, DataLog
from sending.avatar import BLENDING, FADE, Avatar, Avatars, Blend, Wearer
from sending.vmc import FrameLayout, VmcSender
from sending.vts_messages import expression_parameters
from sending.vtubestudio import TokenFile, VTubeStudioSender
from tracker import Timings
from tracking.faces import BLENDSHAPE_NAMES, Expression


def test_expressions_come_and_go_without_jumps() -> None:
    blend, names = Blend(), ("neutral", "smile")
    seen = ["neutral"] * 10 + ["smile"] * 10 + [None] * 10
    course = [blend.weights(names, one, 0.025 * number) for number, one in enumerate(seen)]
    for name in names:
        values = [weights[name] for weights in course]
        steps = [abs(after - before) for before, after in zip(values, values[1:], strict=False)]
        assert max(steps) <= 0.025 / BLENDING + 1e-9 and min(values) == 0.0 and max(values) == 1.0
    assert course[9] == {"neutral": 1.0, "smile": 0.0} and course[19] == {"neutral": 0.0, "smile": 1.0}
    assert course[29] == {"neutral": 0.0, "smile": 0.0}
    assert blend.weights(("angry",), "angry", 0.8) == {"angry": pytest.approx(0.025 / BLENDING * 3)}


def test_avatars_have_what_their_faces_express() -> None:
    avatars = Avatars(None, print, expressions=lambda: ("neutral", "smile"))
    faces = [make_face(id=0, expression=Expression("smile", 0.9)), make_face(id=1)]
    for number in range(20):
        found = avatars.of(faces, 0.04 * number, (640, 480))
    assert [(one.expression, one.expressions) for one in found] == [
        ("smile", {"neutral": 0.0, "smile": 1.0}), (None, {"neutral": 0.0, "smile": 0.0}),
    ]  # fmt: skip
    assert found[0].mirrored().expressions == found[0].expressions


def vmc(avatar: Avatar, **settings: object) -> dict[str, float]:
    """The Blend/Val that a receiver of VMC gets."""
    layout = FrameLayout(**settings).with_expressions(tuple(avatar.expressions))
    (frame,) = vmc_frames(layout.encode(avatar, True, 0.0))
    return frame.blends


def with_expressions(**weights: float) -> Avatar:
    return some_avatar(expressions=weights)


def test_vmc_has_a_value_of_the_name() -> None:
    plain = vmc(some_avatar())
    assert set(plain) == set(ARKIT)
    values = vmc(with_expressions(smile=0.25, Geheimnis=1.0))
    assert values == {**plain, "smile": 0.25, "Geheimnis": 1.0}


@pytest.mark.parametrize("count", range(11))
def test_vmc_has_room_for_any_number_of_them(count: int) -> None:
    weights = {f"{'an expression':<{12 + 3 * count}}-{number}": number / 10 for number in range(count)}
    values = vmc(some_avatar(expressions=weights))
    assert {name: values[name] for name in set(values) - set(ARKIT)} == pytest.approx(weights)


def test_vmc_presets_of_the_same_name_are_taken() -> None:
    values = vmc(with_expressions(joy=0.5, ANGRY=0.25, sorrow=1.0, fun=0.75, happy=0.125))
    assert {name: values[name] for name in set(values) - set(ARKIT)} == {
        "Joy": 0.5, "Angry": 0.25, "Sorrow": 1.0, "Fun": 0.75, "happy": 0.125
    }  # fmt: skip
    values = vmc(with_expressions(Joy=0.5, angry=0.25), presets="vrm0")
    assert (values["Joy"], values["Angry"]) == (0.5, 0.25) and "angry" not in values
    assert vmc(with_expressions(Happy=0.5, Joy=1.0), presets="vrm1")["happy"] == 0.5


def test_vmc_value_that_is_sent_anyway_is_replaced() -> None:
    values = vmc(with_expressions(tongueOut=0.125))
    assert set(values) == set(ARKIT) and values["tongueOut"] == 0.125


def test_vmc_keeps_the_names_when_the_face_is_lost_and_takes_new_ones() -> None:
    kept = Kept()
    sender = VmcSender(kept, Wearer(), FrameLayout())
    sender.send([with_expressions(smile=1.0)], 10.0)
    sender.send([], 10.0 + FADE / 2)
    sender.send([], 10.0 + 2 * FADE)
    sender.send([with_expressions(smile=1.0, angry=0.5)], 12.0)
    frames = vmc_frames(kept.datagrams)
    assert [frame.blends.get("smile") for frame in frames] == pytest.approx([1.0, 0.5, 0.0, 1.0])
    assert [frame.blends.get("Angry") for frame in frames] == [None, None, None, 0.5]


def test_vtube_studio_parameters_have_names_that_it_takes() -> None:
    names = ("smile", "Big smile!", "ß", "smile ", "x" * 32, "Überraschung", "smi le")
    parameters = expression_parameters(names)
    assert parameters["smile"] == "ExpressionSmile" and parameters["Big smile!"] == "ExpressionBigsmile"
    assert len(set(parameters.values())) == len(names)
    for parameter in parameters.values():
        assert 4 <= len(parameter) <= 32 and parameter.isascii() and parameter.isalnum()
        assert parameter not in BLENDSHAPE_NAMES


class Feeder:
    """Sends the newest avatar every 5 ms, as a run does."""

    def __init__(self, sender: VTubeStudioSender, avatar: Avatar) -> None:
        self.avatar = avatar
        self._sender, self._done = sender, threading.Event()
        self._thread = threading.Thread(target=self._feed)

    def _feed(self) -> None:
        while not self._done.wait(0.005):
            self._sender.send([self.avatar], time.time())

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()
        self._sender.close()


def test_vtube_studio_gets_parameters_and_hotkeys(tmp_path: Path) -> None:
    said: list[str] = []
    with FakeVTubeStudio(hotkeys=("smile", "neutral")) as studio:
        tokens = TokenFile(tmp_path / "tokens.json")
        sender = VTubeStudioSender("127.0.0.1", studio.port, Wearer(), said.append, tokens, hotkeys=True)
        avatar = some_avatar(expressions={"smile": 0.0, "neutral": 1.0}, expression="neutral")

        def until(there: Callable[[], bool]) -> None:
            studio.wait_until(there)

        with Feeder(sender, avatar) as feeder:
            until(lambda: studio.injections and studio.injections[-1][1].get("ExpressionNeutral") == 1.0)
            until(lambda: studio.pressed == ["neutral"])
            feeder.avatar = replace(avatar, expressions={"smile": 0.5, "neutral": 0.5}, expression="smile")
            until(lambda: studio.injections[-1][1]["ExpressionSmile"] == 0.5 and len(studio.pressed) == 2)
            feeder.avatar = replace(avatar, expression=None)
            count = len(studio.injections)
            until(lambda: len(studio.injections) > count + 5)
            feeder.avatar = replace(avatar, expression="smile")
            until(lambda: len(studio.pressed) == 3)
            # Another one was trained meanwhile, and there is no hotkey for it.
            names = {"smile": 0.0, "neutral": 0.0, "angry": 1.0}
            feeder.avatar = replace(avatar, expressions=names, expression="angry")
            until(lambda: studio.injections[-1][1].get("ExpressionAngry") == 1.0)
            until(lambda: any("hotkey 'angry'" in sentence for sentence in said))
    assert studio.pressed == ["neutral", "smile", "smile"]
    assert studio.created == {*ARKIT, "ExpressionSmile", "ExpressionNeutral", "ExpressionAngry"}
    assert sum("hotkey" in sentence for sentence in said) == 1


def test_vtube_studio_presses_nothing_unless_it_is_asked_for(tmp_path: Path) -> None:
    with FakeVTubeStudio(hotkeys=("smile",)) as studio:
        tokens = TokenFile(tmp_path / "tokens.json")
        sender = VTubeStudioSender("127.0.0.1", studio.port, Wearer(), print, tokens)
        with Feeder(sender, some_avatar(expressions={"smile": 1.0}, expression="smile")):
            studio.wait_until(lambda: studio.injections and "ExpressionSmile" in studio.injections[-1][1])
    assert "HotkeyTriggerRequest" not in studio.kinds()


def test_the_log_has_two_more_columns_only_where_they_are_asked_for(tmp_path: Path) -> None:
    faces = [make_face(1, expression=Expression("Lächeln -1", 0.75)), make_face(2)]
    with DataLog(tmp_path / "log.csv", blendshapes=True, expressions=True) as log:
        log.write(1, 2.0, 640, 480, 24, faces)
    with open(tmp_path / "log.csv", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file, strict=True)
    assert tuple(header) == (*COLUMNS, *BLENDSHAPE_NAMES, *EXPRESSION_COLUMNS)
    assert [row[-2:] for row in rows] == [["Lächeln -1", "0.75"], ["", "0"]]
    with DataLog(tmp_path / "plain.csv") as log:
        log.write(1, 2.0, 640, 480, 24, faces)
    assert (tmp_path / "plain.csv").read_text().splitlines()[0].split(",") == list(COLUMNS)


def test_the_console_has_another_line_only_where_it_is_asked_for(capsys: pytest.CaptureFixture) -> None:
    faces = [make_face(0, expression=Expression("smile", 0.987)), make_face(3)]
    timings = Timings(track=1.0)
    with Console() as console:
        console.frame(1.0, timings, faces, 10)
        before = capsys.readouterr().out.splitlines()
        console.frame(1.0, timings, faces, 10, expressions=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith("Expression")] == before
    assert lines[2] == "Expression[10]: smile (0.99)" and lines[4] == "Expression[13]: none"

