"""The Unity package's samples, in a scene each."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from unity_sender import Sender, record

#: Feature numbers of the record.
MOUTH_OPEN, MOUTH_WIDE = 12, 13


def head(right_open: float = 1, left_open: float = 1, mouth_open: float = 0, mouth_wide: float = 0, **fields: object):
    """A head that looks straight ahead with its eyes to the own right."""
    features, points = np.zeros(14), np.zeros((70, 3))
    features[MOUTH_OPEN], features[MOUTH_WIDE] = mouth_open, mouth_wide
    for side, pupil, centre in ((0.3, 66, 68), (-0.3, 67, 69)):  # x points to the person's right, z into the head
        points[centre], points[pupil] = (side, 0, 0), (side + 0.05, 0, -0.1)
    return {"euler": (180, 0, 90), "translation": (0, 0, -4), "error": 5, "eyes": (right_open, left_open),
            "features": features, "points_3d": points, **fields}  # fmt: skip


def shown(unity, name: str, faces: list[dict[str, object]], *fields: str) -> list[SimpleNamespace]:
    """What a sample shows of each face after a while."""
    said = []
    with unity.start("Sample", name, *fields) as running, Sender(running.read().port) as sender:
        for number, face in enumerate(faces, start=1):
            sender.send(record(number, 2.0 * number, **face))
            line = running.read()
            line.objects = {one.name: one for one in line.objects}
            said.append(line)
        running.say()
        assert running.end() == ""
    return said


def test_points_and_lines_appear(unity) -> None:
    (said,) = shown(unity, "points", [head()])
    assert {f"Point {number}" for number in range(70)} <= set(said.objects)
    assert {f"Line {number}" for number in range(9)} <= set(said.objects)


def test_the_head_is_a_mirror(unity) -> None:
    """It faces the camera, which looks along z; the person's right is at the picture's right, as in a mirror."""
    straight, right, winks, talks = shown(
        unity, "head", [head(), head(euler=(180, -20, 90)), head(right_open=0), head(mouth_open=1)]
    )
    np.testing.assert_allclose(straight.objects["Head"].forward, (0, 0, -1), atol=0.01)
    assert right.objects["Head"].forward[0] == pytest.approx(np.sin(np.radians(20)), abs=0.02)
    for eye in ("Right eye", "Left eye"):
        assert straight.objects[eye].forward[0] == pytest.approx(np.sin(np.arctan(0.5)), abs=0.02)
    assert winks.objects["Left eye"].scale[1] < 0.2 and winks.objects["Right eye"].scale[1] == 1
    assert talks.objects["Mouth"].scale[1] > 5 * straight.objects["Mouth"].scale[1]


@pytest.mark.parametrize("mirror", [False, True])
def test_a_vrm_avatar_blinks_talks_and_looks(unity, mirror: bool) -> None:
    winks, says_a, says_u = shown(
        unity, "vrm", [head(right_open=0), head(mouth_open=1), head(mouth_wide=-1)], f"mirror={mirror}"
    )
    right, left = ("Blink_L", "Blink_R") if mirror else ("Blink_R", "Blink_L")
    assert getattr(winks.shapes, right) == 1 and getattr(winks.shapes, left) == 0
    assert (says_a.shapes.A, says_a.shapes.O, says_a.shapes.U, says_a.shapes.I) == (1, 0, 0, 0)
    assert (says_u.shapes.A, says_u.shapes.O, says_u.shapes.U, says_u.shapes.I) == (0, 0, 1, 0)
    for eye in ("right eye", "left eye"):  # the avatar faces z, its right is x
        aside = winks.objects[eye].forward[0]
        assert aside == pytest.approx(np.sin(np.arctan(0.5)) * (-1 if mirror else 1), abs=1e-3)
