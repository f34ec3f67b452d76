"""Where faces are looked for: the whole frame and its parts by turns, and all parts at once when asked to."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tiny_models as tiny

from tracking.detection import FaceDetector
from tracking.faces import Candidate
from tracking.search import LENIENCY, OVERLAP, Search, parts

WIDTH, HEIGHT = 640, 360
WHOLE = Candidate((0.0, 0.0, WIDTH, HEIGHT))
FRAME = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture
def detector(tmp_path) -> FaceDetector:
    """Sees the same in every picture: a face, and what may be one."""
    peaks = [(28, 14, 0.9, 0.25), (10, 40, 0.5, 0.25), (50, 50, 0.6 * LENIENCY - 0.01, 0.25)]
    folder = tiny.write(tmp_path, {"mnv3_detection_opt.onnx": tiny.detector(peaks)})
    return FaceDetector(folder, 0.6, max_faces=2)


def make(detector: FaceDetector, report=pytest.fail) -> Search:
    return Search(detector, None, False, report)


@pytest.mark.parametrize(
    "size", [(640, 360), (640, 480), (360, 640), (1280, 480), (480, 120), (1, 1), (1, 500), (3, 2000), (2000, 3)]
)
def test_parts_cover_the_frame_and_are_few(size):
    width, height = size
    covered = np.zeros((height, width), bool)
    found = parts(width, height)
    for x, y, w, h in found:
        assert 0 <= x <= x + w <= width and 0 <= y <= y + h <= height
        covered[y : y + h, x : x + w] = True
    assert covered.all()
    assert len(found) <= 40


@pytest.mark.parametrize("size", [(640, 360), (640, 480), (360, 640), (1280, 480)])
def test_a_face_of_an_eighth_of_the_frame_is_whole_in_some_part(size):
    width, height = size
    found = parts(width, height)
    face = OVERLAP * found[0][3] - 2  # whole pixels
    rng = np.random.default_rng(0)
    for left, top in rng.uniform((0, 0), (width - face, height - face), (200, 2)):
        assert any(x <= left and y <= top and left + face <= x + w and top + face <= y + h for x, y, w, h in found)


def test_the_whole_frame_and_a_part_by_turns(detector):
    """And once a round the frame itself is a box, for a face that fills it."""
    search, regions = make(detector), parts(WIDTH, HEIGHT)
    whole = [Candidate(box) for box in detector.detect(FRAME)]
    assert len(whole) == 1, "the second peak is under the threshold"
    for x, y, w, h in regions * 2:
        if (x, y) == regions[0][:2] and search._turns:
            assert search.look(FRAME) == whole
            assert search.look(FRAME) == [WHOLE]
        assert search.look(FRAME) == whole
        first, second = search.look(FRAME)
        assert first.close and second.close
        # Centres (56, 112) and (160, 40), half side 28, of 224 x 224.
        for candidate, column, row in ((first, 56, 112), (second, 160, 40)):
            expected = (x + (column - 28) * w / 224, y + (row - 28) * h / 224, w / 4, h / 4)
            assert candidate.box == pytest.approx(expected)


def test_a_frame_costs_one_look(detector, monkeypatch):
    runs = []
    infer = detector.infer
    monkeypatch.setattr(detector, "infer", lambda tensor: runs.append(1) or infer(tensor))
    search = make(detector)
    for number in range(1, 50):
        search.look(FRAME)
        assert len(runs) <= number


def test_everywhere_each_face_once_and_none_that_is_known(detector, monkeypatch):
    search, regions = make(detector), parts(WIDTH, HEIGHT)
    monkeypatch.setattr(detector, "max_faces", 1000)
    *found, last = search.look_everywhere(FRAME, [])
    assert last == WHOLE and all(candidate.close for candidate in found)
    centres = np.array([(x + w / 2, y + h / 2) for x, y, w, h in (candidate.box for candidate in found)])
    half = regions[0][2] / 8
    apart = np.abs(centres[:, None] - centres).max(axis=2) + np.eye(len(centres)) * 1e3
    assert len(found) > len(regions) and (apart >= half).all()
    known = found[0].box
    others = search.look_everywhere(FRAME, [known])
    assert known not in [candidate.box for candidate in others]


def test_everywhere_the_best_first_and_only_some_more_than_are_wanted(detector):
    found = make(detector).look_everywhere(FRAME, [])
    assert len(found) == 2 + 4 + 1
    everywhere = {candidate.box for candidate in found[:-1]}
    x, y, w, h = parts(WIDTH, HEIGHT)[0]
    assert all((box[2], box[3]) == pytest.approx((w / 4, h / 4)) for box in everywhere)


def test_trying_hard_always_tries_the_frame_itself(detector):
    search = Search(detector, None, True, pytest.fail)
    for _ in range(5):
        assert search.look(FRAME)[-1] == WHOLE


def test_a_detector_that_fails_everywhere_is_reported(detector, monkeypatch):
    def fail(tensor):
        raise cv2.error("infer: it will not")

    reports: list[Exception] = []
    search = make(detector, reports.append)
    monkeypatch.setattr(detector, "infer", fail)
    assert search.look_everywhere(FRAME, []) == [WHOLE]
    assert len(reports) == 1
    with pytest.raises(cv2.error, match="infer: it will not"):
        search.look(FRAME)
