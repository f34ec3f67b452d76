"""All slots are taken, and somebody much larger comes: a person who sits down before a poster."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from input_reader import InputReader
from tracker import Tracker
from tracking.faces import Candidate, Detection
from tracking.takeover import CLOSER_LOOK, EVERY, STAYS, Takeover

BACK = EVERY + STAYS + CLOSER_LOOK  # frames within which the larger face has the slot


def scene(faces: list[tuple[Path, int, int]], size: tuple[int, int] = (480, 960)) -> np.ndarray:
    """Photographs, each scaled to so many pixels and put at a column of a grey picture."""
    picture = np.full((*size, 3), 110, np.uint8)
    for path, side, column in faces:
        photo = cv2.resize(cv2.imread(str(path))[:512, :512], (side, side), interpolation=cv2.INTER_AREA)
        picture[:side, column : column + side] = photo
    return picture


def sides(tracker: Tracker, frame: np.ndarray) -> dict[int, int]:
    """The width of each face by its id."""
    return {face.id: round(face.bbox[2]) for face in tracker.predict(frame)}


def test_a_person_before_a_poster_gets_the_slot(astronaut: Path, grace_hopper: Path) -> None:
    poster = scene([(astronaut, 130, 760)])
    both = scene([(astronaut, 130, 760), (grace_hopper, 480, 100)])
    with Tracker(960, 480, max_threads=1) as tracker:
        small = sides(tracker, poster)[0]
        for _ in range(5):
            tracker.predict(poster)
        widths = [sides(tracker, both).get(0, 0) for _ in range(BACK)]
        assert widths[0] < 1.3 * small, "not at once"
        assert all(width < 1.3 * small for width in widths[:STAYS]), "not before a second has gone"
        assert widths[-1] > 2 * small
        # Later the person stays where they are, and leaves again.
        assert {sides(tracker, both)[0] > 2 * small for _ in range(2 * EVERY)} == {True}


def test_somebody_of_the_same_size_is_left_alone(astronaut: Path, grace_hopper: Path) -> None:
    one, two = scene([(astronaut, 300, 640)]), scene([(astronaut, 300, 640), (grace_hopper, 240, 100)])
    with Tracker(960, 480, max_threads=1) as tracker:
        tracker.predict(one)
        assert all(tracker.predict(two)[0].bbox[0] > 640 for _ in range(2 * BACK))


def test_the_other_ids_stay(astronaut: Path, grace_hopper: Path) -> None:
    first = scene([(astronaut, 260, 20), (astronaut, 130, 820)])
    then = scene([(astronaut, 260, 20), (astronaut, 130, 820), (grace_hopper, 480, 310)])
    with Tracker(960, 480, max_threads=1, max_faces=2) as tracker:
        for _ in range(12):
            before = {face.id: face.bbox for face in tracker.predict(first)}
        assert len(before) == 2
        large = max(before, key=lambda id: before[id][2])
        for _ in range(BACK):
            after = {face.id: face.bbox for face in tracker.predict(then)}
        assert after[large][0] == pytest.approx(before[large][0], abs=10)
        assert after[1 - large][2] > 1.5 * before[large][2]


def test_the_poster_clip(reference: Path) -> None:
    widths = []
    with InputReader(str(reference / "measure" / "inputs" / "poster.avi"), 0, 640, 360, 24) as reader:
        tracker = Tracker(1280, 720, max_threads=1)
        while reader.is_open():
            ok, frame = reader.read()
            if ok:
                widths.append(sides(tracker, frame).get(0, 0))
    assert widths[59] > 150 and widths[109] < 80
    assert all(width > 150 for width in widths[111 + BACK :])


def detection(x: float, side: float) -> Detection:
    points = np.zeros((68, 3))
    points[:66, 0] = np.linspace(0, side, 66)
    points[:66, 1] = x + np.linspace(0, side, 66)
    return Detection(0.9, points, True)


class NoSlot:
    centre = None


def test_looks_are_rare_and_a_passing_face_starts_nothing() -> None:
    takeover, looks, there = Takeover(), [], [True]

    def look(_: np.ndarray) -> list[Candidate]:
        looks.append(1)
        return [Candidate((200.0, 0.0, 90.0, 90.0))] if there[0] else []

    held = [detection(0, 30)]
    for _ in range(10 * EVERY):
        if len(looks) == 2:
            there[0] = False  # it has gone before its second was over
        arguments = (np.zeros((1, 1, 3)), held, [NoSlot()], look)
        assert takeover.settle(*arguments, lambda *_: ([detection(200, 90)], 0.0)) is held
    assert len(looks) <= 12


def test_a_detector_that_fails_is_no_reason_to_lose_a_face() -> None:
    takeover, held = Takeover(), [detection(0, 30)]

    def fail(_: np.ndarray) -> list[Candidate]:
        raise RuntimeError("no")

    for _ in range(2 * EVERY):
        assert takeover.settle(np.zeros((1, 1, 3)), held, [NoSlot()], fail, lambda *_: ([], 0.0)) is held
