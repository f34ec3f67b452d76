"""Unity's `OpenSeeShowPoints`: what is to be seen of a face."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from unity_sender import Sender, record

SIZE = (640, 480)
CONFIDENCE = np.linspace(0, 1, 68)
#: Looks straight ahead, as sent.
AHEAD = {"euler": (180, 0, 90), "size": SIZE, "confidence": CONFIDENCE, "error": 5}
RED, GREEN, CYAN = (1, 0, 0, 1), (0, 1, 0, 1), (0, 1, 1, 1)


@pytest.fixture(scope="module")
def scene(unity):
    """A running scene, and what sends to it."""
    with unity.start("Points") as running:
        first = running.read()
        assert first.childCount == 0, "nothing is drawn before there is a face"
        with Sender(first.port) as sender:
            yield SimpleNamespace(running=running, sender=sender, time=0.0)
        running.say("quit")
        assert running.read().left == 0, "what was drawn goes with the component"
        assert running.end() == ""


def seen(scene, *lines: str, **fields: object) -> SimpleNamespace:
    """What is drawn of a record with these fields once these fields of the component are set."""
    scene.time += 1
    for line in lines:
        scene.running.say(line)
        scene.running.read()
    scene.sender.send(record(7, scene.time, **{**AHEAD, **fields}))
    return after(scene, "+")


def after(scene, line: str) -> SimpleNamespace:
    scene.running.say(line)
    said = scene.running.read()
    said.spheres = {sphere.number: sphere for sphere in said.spheres}
    return said


def test_points_lie_as_the_camera_sees_them(scene) -> None:
    points = np.random.default_rng(3).uniform(-1, 1, (70, 3))
    said = seen(scene, "applyRotation=false", "applyTranslation=false", points_3d=points)
    assert sorted(said.spheres) == list(range(70))
    for number, sphere in said.spheres.items():
        np.testing.assert_allclose(sphere.place, points[number] * (-1, -1, 1), atol=1e-6)
        assert not sphere.solid and not sphere.shadows


def test_they_move_and_turn_with_the_head(scene) -> None:
    points = np.zeros((70, 3))
    points[30] = 0, 0, -1  # a nose that points at the camera
    lines = "applyRotation=true", "applyTranslation=true"
    right = seen(scene, *lines, points_3d=points, euler=(180, -90, 90), translation=(0.5, -0.25, -4))
    np.testing.assert_allclose(right.spheres[8].place, (0.25, 0.5, 4), atol=1e-6)
    np.testing.assert_allclose(right.spheres[30].place, (0.25 - 1, 0.5, 4), atol=1e-6)  # the person's right
    up = seen(scene, points_3d=points, euler=(150, 0, 90), translation=(0, 0, 0))
    np.testing.assert_allclose(up.spheres[30].place, (0, 0.5, -np.sqrt(3) / 2), atol=1e-6)
    seen(scene, "applyRotation=false", "applyTranslation=false")


def test_colours_tell_how_sure_the_tracker_is(scene) -> None:
    said = seen(scene, "minConfidence=0")
    for number, sphere in said.spheres.items():
        sure = CONFIDENCE[number if number < 68 else number - 2]
        np.testing.assert_allclose(sphere.color, (1 - sure, sure, 0, 1), atol=1e-6)
    assert tuple(said.spheres[0].color) == RED and tuple(said.spheres[67].color) == GREEN
    said = seen(scene, "minConfidence=0.5")
    assert {number for number, sphere in said.spheres.items() if tuple(sphere.color) == CYAN} == set(range(34))
    seen(scene, "minConfidence=0")


def test_a_lost_face_is_cyan_until_it_is_back(scene) -> None:
    assert all(tuple(sphere.color) != CYAN for sphere in seen(scene).spheres.values())
    assert all(tuple(sphere.color) != CYAN for sphere in after(scene, "0.4").spheres.values())
    lost = after(scene, "0.2")
    assert len(lost.spheres) == 70 and all(tuple(sphere.color) == CYAN for sphere in lost.spheres.values())
    assert all(tuple(sphere.color) != CYAN for sphere in seen(scene).spheres.values())


@pytest.mark.parametrize("bad", [{"error": 101}, {"success": 0}])
def test_a_pose_that_is_of_no_use_leaves_the_last_one_in_cyan(scene, bad) -> None:
    good = seen(scene)
    said = seen(scene, points_3d=np.zeros((70, 3)), **bad)
    assert all(tuple(sphere.color) == CYAN for sphere in said.spheres.values())
    assert said.spheres[30].place == good.spheres[30].place
    picture = seen(scene, "show3DPoints=false", **bad)  # the picture's points need no pose
    assert all(tuple(sphere.color) != CYAN for sphere in picture.spheres.values())
    seen(scene, "show3DPoints=true")


def test_points_in_the_picture(scene) -> None:
    points = np.zeros((68, 2))
    points[1], points[2] = SIZE, (320, 240)
    said = seen(scene, "show3DPoints=false", points=points)
    assert sorted(said.spheres) == list(range(68))
    np.testing.assert_allclose(said.spheres[0].place, (-2, 1.5, 0), atol=1e-6)
    np.testing.assert_allclose(said.spheres[1].place, (2, -1.5, 0), atol=1e-6)
    np.testing.assert_allclose(said.spheres[2].place, (0, 0, 0), atol=1e-6)
    assert said.lines == []
    seen(scene, "show3DPoints=true")


def test_thirty_points_and_no_gaze(scene) -> None:
    said = seen(scene, "only30Points=true")
    assert len([number for number in said.spheres if number < 66]) == 30 and len(said.spheres) == 34
    said = seen(scene, "showGaze=false")
    assert len(said.spheres) == 30 and said.lines == []
    assert len(seen(scene, "only30Points=false").spheres) == 66
    assert len(seen(scene, "showGaze=true").spheres) == 70


def test_rays_show_where_the_eyes_look(scene) -> None:
    points = np.zeros((70, 3))
    points[66], points[68] = (0.3, 0, -0.1), (0.3, 0, 0)  # straight ahead
    points[67], points[69] = (-0.3 + 0.1, 0, -0.1), (-0.3, 0, 0)  # to the own right
    rays = {ray.name: ray.points for ray in seen(scene, points_3d=points).lines}
    np.testing.assert_allclose(rays["Right gaze"], [(-0.3, 0, 0), (-0.3, 0, -0.8)], atol=1e-6)
    aside = 0.8 * np.sqrt(0.5)
    np.testing.assert_allclose(rays["Left gaze"], [(0.3, 0, 0), (0.3 - aside, 0, -aside)], atol=1e-6)


def test_lines_join_the_points(scene) -> None:
    said = seen(scene, "showLines=true", "lineWidth=0.02")
    lines = [line for line in said.lines if line.name.startswith("Line")]
    assert len(lines) == 9 and all(line.width == pytest.approx(0.02) for line in said.lines)
    places = {tuple(sphere.place): number for number, sphere in said.spheres.items()}
    joined = [[places[tuple(point)] for point in line.points] for line in lines]
    assert joined[0] == list(range(17)) and joined[5] == [36, 37, 38, 39, 40, 41, 36]
    assert {point for line in joined for point in line} == set(range(66))
    few = seen(scene, "only30Points=true")
    assert all(len(line.points) <= 8 for line in few.lines)
    seen(scene, "showLines=false", "only30Points=false")
