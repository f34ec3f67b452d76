"""Unity's `OpenSeeIKTarget` and what smooths it: they follow a recorded head within what they promise.

The motion is the sample clip's, as the tracker sends it. Where a target has to be is worked out here from the records,
in Unity's axes: x right, y up, z forward, left-handed; rotations are multiplied as there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from program import ROOT, run
from scipy.spatial.transform import Rotation, Slerp
from unity_sender import Sender, record

TRACKED = 1 / 30  # seconds between the tracker's frames
FACING = Rotation.from_quat([0, 1, 0, 0])  # the camera sees the person from the front
RAW = ("smooth=0", "interpolate=false", "driftBack=false")
STRAIGHT = {"euler": (180, 0, 90), "translation": (0, 0, -4), "error": 5}


def turned(x: float = 0, y: float = 0, z: float = 0, **fields: object) -> dict[str, object]:
    """A head that looks up by x, to the own right by y, with the crown to the own right by z, degrees; as sent."""
    return {**STRAIGHT, "euler": (180 - x, -y, 90 + z), **fields}


class Mover:
    """A target in a scene whose time goes on as the test says."""

    def __init__(self, running, sender: Sender) -> None:
        self.running, self.sender, self.count = running, sender, 0

    def go(self, frames: int, seconds: float) -> list[SimpleNamespace]:
        """So many frames without anything new."""
        self.running.say(f"{frames} {seconds}")
        return [self._pose() for _ in range(frames)]

    def take(self, fields: dict[str, object], frames: int = 1, seconds: float = TRACKED) -> list[SimpleNamespace]:
        """So many frames, in the first of which a record with these fields has come."""
        self.count += 1
        self.running.say(f"+{frames} {seconds}")
        self.sender.send(record(self.count, self.count * TRACKED, **fields))
        return [self._pose() for _ in range(frames)]

    def set(self, field: str) -> None:
        """A field of the target."""
        self.running.say(field)

    def _pose(self) -> SimpleNamespace:
        said = self.running.read()
        said.turn, said.place = Rotation.from_quat(said.turn), np.array(said.place)
        said.followerTurn, said.followerPlace = Rotation.from_quat(said.followerTurn), np.array(said.followerPlace)
        return said


@pytest.fixture
def moving(unity):
    """Starts a scene with a target that has these fields, and something that follows it."""

    @contextmanager
    def start(*fields: str, follower: str = "none") -> Iterator[Mover]:
        with unity.start("Move", follower, *fields) as running, Sender(running.read().port) as sender:
            yield Mover(running, sender)
            running.say("quit")
            assert running.end() == ""

    return start


@pytest.fixture(scope="module")
def motion() -> list[dict[str, object]]:
    """The pose of the sample clip's head in each frame, as sent."""
    frames = run("-c", ROOT / "samples" / "talking_head.mp4", "--silent", 1).frames
    assert len(frames) > 100
    return [
        {"euler": face.euler, "translation": face.translation, "error": face.error, "success": face.success}
        for (face,) in frames
    ]


def wanted(fields: dict[str, object], neutral: dict[str, object], mirror: bool = False) -> tuple[Rotation, np.ndarray]:
    """Turn and place of an avatar's head, in units of the face model, once `neutral` was calibrated."""
    (turn, place), (neutral_turn, neutral_place) = seen(fields), seen(neutral)
    turn = FACING * neutral_turn.inv() * turn * FACING.inv()
    place = (FACING * neutral_turn.inv()).apply(place - neutral_place)
    if mirror:
        x, y, z, w = turn.as_quat()
        return Rotation.from_quat([x, -y, -z, w]), place * (-1, 1, 1)
    return turn, place


def seen(fields: dict[str, object]) -> tuple[Rotation, np.ndarray]:
    """The head before the camera: docs/packet.md, with the angles in the order in which they are meant."""
    (x, y, z), (tx, ty, tz) = fields["euler"], fields["translation"]
    return Rotation.from_euler("xyz", [-(x + 180), -y, z - 90], degrees=True), np.array([-ty, tx, -tz])


def degrees_between(a: Rotation, b: Rotation) -> float:
    return float(np.degrees((a * b.inv()).magnitude()))


@pytest.mark.parametrize("mirror", [False, True])
def test_without_smoothing_it_is_where_the_head_is(moving, motion, mirror: bool) -> None:
    with moving(*RAW, f"mirror={mirror}", "translationScale=0.5") as mover:
        for fields in motion:
            (pose,) = mover.take(fields)
            turn, place = wanted(fields, motion[0], mirror)
            assert degrees_between(pose.turn, turn) < 0.05
            np.testing.assert_allclose(pose.place, 0.5 * place, atol=1e-4)
    travel = max(degrees_between(wanted(fields, motion[0])[0], Rotation.identity()) for fields in motion)
    assert travel > 10, "a head that hardly moves would tell nothing"


@pytest.mark.parametrize(
    ("fields", "axis", "sign"),
    [(turned(x=-10), 0, 1), (turned(y=10), 1, 1), (turned(z=-10), 2, 1), (turned(x=10), 0, -1)],
)
def test_an_avatar_turns_to_its_own_right(moving, fields, axis: int, sign: int) -> None:
    """Down, to the own right, crown to the own left: above 0 in Unity's axes, as for an avatar that faces along z."""
    with moving(*RAW) as mover:
        mover.take(STRAIGHT)
        angles = mover.take(fields)[0].turn.as_euler("xyz", degrees=True)
    assert angles[axis] == pytest.approx(10 * sign, abs=0.01)
    assert abs(np.delete(angles, axis)).max() < 0.01


def test_calibration_makes_a_pose_the_neutral_one(moving) -> None:
    with moving(*RAW) as mover:
        (first,) = mover.take(turned(10, 20, 5))
        assert not first.calibrate and degrees_between(first.turn, Rotation.identity()) < 0.01
        (before,) = mover.take(turned(0, 0, 0))
        mover.set("calibrate=true")
        (after,) = mover.take(turned(0, 0, 0))
        assert degrees_between(before.turn, Rotation.identity()) > 15
        assert degrees_between(after.turn, Rotation.identity()) < 0.01 and not after.calibrate


def test_between_the_tracker_s_frames_it_moves_evenly(moving, motion) -> None:
    """One of the tracker's frames behind: where that frame was when the next one comes, and half-way in between."""
    with moving("smooth=0", "driftBack=false", "translationScale=1") as mover:
        before = None
        for number, fields in enumerate(motion):
            at_once, between = mover.take(fields, 2, TRACKED / 2)
            turn, place = wanted(fields, motion[0])
            if number > 1:
                steps = Slerp([0, 1], Rotation.concatenate([before[0], turn]))
                assert degrees_between(at_once.turn, before[0]) < 0.1
                assert degrees_between(between.turn, steps(0.5)) < 0.1
                np.testing.assert_allclose(at_once.place, before[1], atol=2e-3)
                np.testing.assert_allclose(between.place, (before[1] + place) / 2, atol=2e-3)
            before = turn, place


def test_as_it_is_set_it_stays_close_behind(moving, motion) -> None:
    """With all that is on by default: within 1.2 degrees and 0.05 units of where the head was 1.5 frames earlier."""
    off = []
    with moving("translationScale=1", "driftSeconds=1000000") as mover:
        for number, fields in enumerate(motion):
            pose = mover.take(fields, 2, TRACKED / 2)[1]
            if number > 1:
                turn, place = wanted(motion[number - 1], motion[0])
                off.append((degrees_between(pose.turn, turn), np.linalg.norm(pose.place - place)))
    assert np.max(off, axis=0)[0] < 1.2 and np.max(off, axis=0)[1] < 0.05


@pytest.mark.parametrize("jump", [turned(y=60), turned(translation=(0, 3, -4))])
def test_what_jumps_is_held_back_for_a_while(moving, jump) -> None:
    with moving(*RAW) as mover:
        mover.take(STRAIGHT)
        for _ in range(10):  # a third of a second
            (pose,) = mover.take(jump)
            assert degrees_between(pose.turn, Rotation.identity()) < 0.01 and np.linalg.norm(pose.place) < 1e-4
        (pose,) = mover.take(turned(y=20))  # no jump from where it was: taken, and the wait is over
        assert degrees_between(pose.turn, Rotation.identity()) == pytest.approx(20, abs=0.1)
        mover.take(STRAIGHT)
        poses = [mover.take(jump)[0] for _ in range(15)]  # half a second: it stays
        turn, place = wanted(jump, STRAIGHT)
        assert degrees_between(poses[10].turn, Rotation.identity()) < 0.01
        assert degrees_between(poses[14].turn, turn) < 0.01 and np.allclose(poses[14].place, 0.15 * place, atol=1e-4)


def test_a_pose_that_is_of_no_use_is_not_followed(moving) -> None:
    with moving(*RAW) as mover:
        mover.take(STRAIGHT)
        for bad in ({"error": 101}, {"success": 0}):
            (pose,) = mover.take(turned(y=20, **bad))
            assert degrees_between(pose.turn, Rotation.identity()) < 0.01


def test_a_lost_head_goes_back_and_returns_without_a_jump(moving) -> None:
    with moving() as mover:
        for _ in range(30):
            mover.take(STRAIGHT)
        for _ in range(30):
            pose = mover.take(turned(y=30))[0]
        there = degrees_between(pose.turn, Rotation.identity())
        assert there > 28
        mover.go(12, TRACKED)  # silence that may be a slow frame
        lost = mover.go(120, TRACKED)
        angles = [there, *(degrees_between(pose.turn, Rotation.identity()) for pose in lost)]
        assert all(b <= a + 0.01 and a - b < 3 for a, b in zip(angles, angles[1:], strict=False)) and angles[-1] < 1
        back = [mover.take(turned(y=30))[0] for _ in range(30)]
        angles = [angles[-1], *(degrees_between(pose.turn, Rotation.identity()) for pose in back)]
        assert max(np.diff(angles)) < 8 and angles[-1] > 28


def test_without_drifting_a_lost_head_stays(moving) -> None:
    with moving("driftBack=false") as mover:
        mover.take(STRAIGHT)
        for _ in range(30):
            mover.take(turned(y=30))
        assert degrees_between(mover.go(60, TRACKED)[-1].turn, Rotation.identity()) == pytest.approx(30, abs=0.1)


def test_who_sits_differently_is_neutral_again(moving) -> None:
    """Two thirds of the way in `driftSeconds`."""
    with moving("smooth=0", "interpolate=false", "driftSeconds=3") as mover:
        mover.take(STRAIGHT)
        poses = [mover.take(turned(y=20))[0] for _ in range(90)]
        assert degrees_between(poses[-1].turn, Rotation.identity()) == pytest.approx(20 * np.exp(-1), abs=0.5)


def test_an_object_that_follows_evenly(moving, motion) -> None:
    """The same as the target's own interpolation, for any object: one step behind."""
    with moving(*RAW, "translationScale=1", follower="even") as mover:
        before = None
        for number, fields in enumerate(motion[:60]):
            at_once, between = mover.take(fields, 2, TRACKED / 2)
            if number > 2:
                assert degrees_between(at_once.followerTurn, before.turn) < 0.1
                half = Slerp([0, 1], Rotation.concatenate([before.turn, at_once.turn]))(0.5)
                assert degrees_between(between.followerTurn, half) < 0.1
                np.testing.assert_allclose(between.followerPlace, (before.place + at_once.place) / 2, atol=2e-3)
            before = at_once


def test_an_object_that_follows_as_if_it_had_mass(moving) -> None:
    """It starts slowly, never swings over, arrives; and stays 0.1 s behind a steady turn, to half a frame."""
    with moving(*RAW, "translationScale=1", follower="kinematic") as mover:
        mover.take(STRAIGHT)
        poses = [*mover.take(turned(y=30, translation=(1, 0, -4))), *mover.go(59, 1 / 60)]
        angles = [degrees_between(pose.followerTurn, Rotation.identity()) for pose in poses]
        steps = np.diff([0, *angles])
        assert max(angles) < 30.01 and angles[-1] == pytest.approx(30, abs=0.01) and min(steps) > -0.01
        assert poses[-1].followerPlace[1] == pytest.approx(1, abs=1e-3)
        assert max(pose.followerPlace[1] for pose in poses) < 1.001
        for number in range(60):  # 30 degrees a second
            (pose,) = mover.take(turned(y=30 - number))
        assert degrees_between(pose.turn, pose.followerTurn) == pytest.approx(30 * 0.1, abs=30 * TRACKED / 2 + 0.05)
