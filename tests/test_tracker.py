"""From frame to faces with made steps: who is looked for when, who keeps which id, and who is left out."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_models as tiny

import tracker as tracker_module
from tracker import Timings, Tracker
from tracking import pose
from tracking.face_shape import REFERENCE_SHAPE
from tracking.faces import Candidate, Face
from tracking.features import CALIBRATIONS, FEATURE_NAMES, FINE_FEATURES
from tracking.landmarks import Crop
from tracking.models import ModelError
from tracking.search import Search

WIDTH, HEIGHT = 640, 480
FRONTAL = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])


@dataclass
class Person:
    """A face before the camera: column and row of its middle, size in pixels, and how it is found."""

    x: float
    y: float
    size: float = 100.0
    conf: float = 0.9
    openness: float = 1.0  # of eyes and mouth

    def landmarks(self) -> np.ndarray:
        """(66, 3) row, column, confidence."""
        shape = REFERENCE_SHAPE[:66].copy()
        for upper, lower in (([37, 38], [41, 40]), ([43, 44], [47, 46]), ([59, 60, 61], [65, 64, 63])):
            middle = (shape[upper, 1] + shape[lower, 1]) / 2
            shape[upper, 1] = middle + (shape[upper, 1] - middle) * self.openness
            shape[lower, 1] = middle + (shape[lower, 1] - middle) * self.openness
        image = pose.project(shape, FRONTAL, np.array([0.0, 0, -10]), WIDTH, HEIGHT)
        low, high = image.min(axis=0), image.max(axis=0)
        image = (image - (low + high) / 2) * (self.size / (high - low).max()) + (self.y, self.x)
        return np.column_stack([image, np.full(66, self.conf)])

    @property
    def box(self) -> tuple[float, float, float, float]:
        half = self.size / 2
        return self.x - half, self.y - half, self.size, self.size


@dataclass
class World:
    """Who stands before the camera, what was asked of each step, and what goes wrong."""

    people: list[Person] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    arguments: dict[str, tuple] = field(default_factory=dict)
    detections: int = 0
    looks_everywhere: int = 0
    known: list[tuple[float, float, float, float]] = field(default_factory=list)  # what the last such look was told
    far: list[Person] = field(default_factory=list)  # people whom only it finds
    retina_detections: int = 0
    tried: list[tuple[float, float, float, float]] = field(default_factory=list)  # boxes of the last frame
    held: list[bool] = field(default_factory=list)
    failing: dict[str, list[Person]] = field(default_factory=dict)  # step -> people whom it fails on
    not_finite: dict[str, list[Person]] = field(default_factory=dict)
    broken_detector: bool = False

    def at(self, x: float, y: float) -> Person | None:
        """The person nearest to a place, if they are there."""
        near = [p for p in self.people if abs(p.x - x) < p.size / 2 and abs(p.y - y) < p.size / 2]
        return min(near, key=lambda p: (p.x - x) ** 2 + (p.y - y) ** 2, default=None)

    def trip(self, step: str, person: Person | None) -> None:
        if any(person is other for other in self.failing.get(step, [])):
            raise cv2.error(f"{step}: it will not")

    def spoiled(self, step: str, person: Person | None) -> bool:
        return any(person is other for other in self.not_finite.get(step, []))


@pytest.fixture
def world(monkeypatch) -> World:
    """Made steps instead of those with networks."""
    world = World()

    class FakeDetector:
        def __init__(self, folder, threshold, max_faces, threads, provider):
            world.loaded.append("detector")
            world.arguments["detector"] = (folder, threshold, max_faces, threads)
            self.max_faces = max_faces

        def detect(self, frame):
            world.detections += 1
            if world.broken_detector:
                raise cv2.error("detect: it will not")
            return [p.box for p in sorted(world.people, key=lambda p: -p.conf)][: self.max_faces]

    class FakeSearch(Search):
        """Looks at the whole frame in every frame; everywhere, it finds those who are far away."""

        def _take_turns(self, detector, frame):
            return self.scan(frame)

        def look_everywhere(self, frame, known):
            world.looks_everywhere += 1
            world.known = list(known)
            return [Candidate(p.box, close=True) for p in world.far]

    class FakeRetinaFace:
        def __init__(self, folder, max_faces, threads, provider):
            world.loaded.append("retinaface")
            self.max_faces = max_faces

        def detect(self, frame):
            world.retina_detections += 1
            return [p.box for p in world.people][: self.max_faces]

        def cancel(self):
            pass

    class FakeScan:
        def __init__(self, detect, cancel, report):
            world.loaded.append("scan")
            self.detect, self.waiting, self.arrived = detect, None, []
            world.scan = self

        def start(self, frame):
            self.waiting = frame

        def finish(self):
            self.arrived, self.waiting = self.detect(self.waiting), None

        def results(self):
            arrived, self.arrived = self.arrived, []
            return arrived

        def close(self):
            self.closed = True

    class FakeLandmarks:
        def __init__(self, model_type, folder, threads, provider, away=None):
            world.loaded.append(f"landmarks {model_type}")
            world.arguments.setdefault("landmarks", ())
            world.arguments["landmarks"] += (threads,)

        def prepare(self, frame, box, held=False):
            x, y, w, h = box
            if w < 4 or h < 4:
                return None
            world.tried.append(box)
            world.held.append(held)
            return Crop(np.zeros((1, 3, 1, 1), np.float32), round(x), round(y), round(w), round(h), held)

        def infer(self, crop):
            person = world.at(crop.x + crop.width / 2, crop.y + crop.height / 2)
            world.trip("landmarks", person)
            return person

        def decode(self, person, crop):
            if person is None:
                return 0.1, np.zeros((66, 3))
            if world.spoiled("landmarks", person):
                return 0.0, np.zeros((66, 3))  # as the landmark model does with maps that are not finite
            return person.conf, person.landmarks()

        def is_upright(self, frame, confidence, landmarks):
            return True

    class FakeGaze:
        def __init__(self, folder, provider, away):
            world.loaded.append("gaze")

        def locate(self, frame, landmarks):
            person = world.at(landmarks[:, 1].mean(), landmarks[:, 0].mean())
            world.trip("gaze", person)
            pupils = np.array([(*landmarks[[36, 39], :2].mean(0), 0.8), (*landmarks[[42, 45], :2].mean(0), 0.7)])
            return pupils * np.nan if world.spoiled("gaze", person) else pupils

    monkeypatch.setattr(tracker_module, "FaceDetector", FakeDetector)
    monkeypatch.setattr(tracker_module, "Search", FakeSearch)
    monkeypatch.setattr(tracker_module, "RetinaFaceDetector", FakeRetinaFace)
    monkeypatch.setattr(tracker_module, "BackgroundScan", FakeScan)
    monkeypatch.setattr(tracker_module, "LandmarkModel", FakeLandmarks)
    monkeypatch.setattr(tracker_module, "GazeModel", FakeGaze)
    return world


FRAME = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def make(**settings) -> Tracker:
    settings = {"model_dir": Path("models"), "static_model": True, "max_threads": 1} | settings
    return Tracker(WIDTH, HEIGHT, **settings)


def look(world: World, tracker: Tracker, times: int = 1, frame: np.ndarray = FRAME, **arguments) -> list[Face]:
    """Faces of the last of so many frames."""
    for _ in range(times):
        world.tried, world.held = [], []
        faces = tracker.predict(frame, **arguments)
    return faces


def place(face: Face) -> tuple[float, float]:
    """Column and row of a face's middle."""
    x, y, w, h = face.bbox
    return pytest.approx(x + w / 2, abs=1), pytest.approx(y + h / 2, abs=1)


# A face


def test_a_face_and_its_fields(world):
    world.people = [Person(200, 150, conf=0.85)]
    (face,) = look(world, make())
    assert isinstance(face, Face) and face.id == 0 and face.success
    assert face.conf == 0.85
    assert place(face) == (200, 150)
    assert face.lms.shape == (68, 3) and face.lms[66:, 2].tolist() == [0.8, 0.7]
    np.testing.assert_allclose(face.lms[:66, :2], world.people[0].landmarks()[:, :2])
    assert face.pts_3d.shape == face.face_3d.shape == (70, 3)
    assert face.rotation.shape == face.translation.shape == face.euler.shape == (3,)
    assert face.quaternion.shape == (4,)
    assert face.contour.tolist() == [0, 1, 8, 15, 16, *range(27, 36)]
    assert tuple(face.current_features) == FEATURE_NAMES
    assert all(0.8 < eye <= 1 for eye in face.eye_blink)
    assert face.translation[2] < 0 and face.pnp_error < 5
    assert (face.face_3d == REFERENCE_SHAPE).all()


def test_no_face(world):
    assert look(world, make(), 5) == []


def test_faces_of_two_frames_share_no_memory(world):
    world.people = [Person(200, 150)]
    tracker = make(static_model=False)
    (a,) = look(world, tracker)
    kept = {name: np.copy(value) for name, value in vars(a).items() if isinstance(value, np.ndarray)}
    look(world, tracker, 10)
    for name, value in kept.items():
        np.testing.assert_array_equal(getattr(a, name), value)


# Which models, which thresholds


@pytest.mark.parametrize(
    ("settings", "loaded"),
    [
        ({}, {"detector", "landmarks 3", "gaze"}),
        ({"model_type": 0, "no_gaze": True}, {"detector", "landmarks 0"}),
        ({"model_type": -1}, {"detector", "landmarks -1"}),
        ({"use_retinaface": True}, {"retinaface", "landmarks 3", "gaze"}),
        ({"use_retinaface": True, "max_faces": 2}, {"retinaface", "scan", "landmarks 3", "gaze"}),
        ({"try_hard": True}, {"detector", "retinaface", "landmarks 3", "gaze"}),
        ({"try_hard": True, "max_faces": 2}, {"detector", "retinaface", "landmarks 3", "gaze"}),
        ({"model_type": -3, "max_faces": 4, "max_threads": 2}, {"detector", "landmarks -3", "gaze"}),
    ],
)
def test_only_the_models_that_are_needed_are_loaded(world, settings, loaded):
    make(**settings).close()
    assert set(world.loaded) == loaded


def test_one_session_for_one_face_and_a_second_for_the_pool(world):
    make(max_threads=3).close()
    assert world.arguments["landmarks"] == (3,)
    world.arguments.clear()
    make(max_faces=2, max_threads=3).close()
    assert world.arguments["landmarks"] == (3, 1)
    world.arguments.clear()
    make(max_faces=2, max_threads=1).close()
    assert world.arguments["landmarks"] == (1,)


@pytest.mark.parametrize(("model", "expected"), [(0, 0.6), (3, 0.6), (4, 0.6), (-1, 0.87), (-2, 0.87), (-3, 0.87)])
def test_default_threshold(world, model, expected):
    tracker = make(model_type=model)
    world.people = [Person(200, 150, conf=expected)]
    assert look(world, tracker) == []
    world.people = [Person(200, 150, conf=expected + 0.001)]
    assert len(look(world, tracker)) == 1
    assert world.arguments["detector"][1] == 0.6


def test_thresholds_that_are_given(world):
    tracker = make(model_type=-3, threshold=0.0, detection_threshold=0.3, max_faces=3)
    world.people = [Person(200, 150, conf=0.01)]
    assert len(look(world, tracker)) == 1
    assert world.arguments["detector"] == (Path("models"), 0.3, 3, 1)
    tracker.close()


def test_default_folder(world):
    make(model_dir=None)
    assert world.arguments["detector"][0] == tracker_module.default_model_dir()
    make(model_dir="a folder")
    assert world.arguments["detector"][0] == Path("a folder")


@pytest.mark.parametrize(
    "settings",
    [
        {"model_type": 5},
        {"model_type": -4},
        {"max_faces": 0},
        {"max_threads": 0},
    ],
)
def test_bad_arguments(world, settings):
    with pytest.raises(ValueError) as caught:
        make(**settings)
    assert "\n" not in str(caught.value)
    for size in ((0, 480), (640, 0), (-1, 480)):
        with pytest.raises(ValueError):
            Tracker(*size, model_dir=Path("models"))


def test_a_missing_model_is_told_at_construction(tmp_path):
    with pytest.raises(ModelError, match="lm_model3_opt.onnx"):
        Tracker(640, 480, model_dir=tmp_path)


def test_pupils_without_gaze_tracking(world):
    world.people = [Person(200, 150)]
    for settings in ({"no_gaze": True}, {"model_type": -1}):
        (face,) = look(world, make(**settings))
        assert (face.lms[66:] == 0).all()
        assert np.isfinite(face.pts_3d).all()


def test_model_minus_one_fits_fewer_points_and_has_no_fine_features(world):
    world.people = [Person(200, 150)]
    tracker = make(model_type=-1)
    for openness in (1, 0.5, 1.5, 0.3) * 10:
        world.people[0].openness = openness
        (face,) = look(world, tracker)
    assert face.contour.tolist() == [0, 2, 8, 14, 16, 27, 30, 33]
    assert all(face.current_features[name] == 0 for name in FINE_FEATURES)
    assert face.current_features["mouth_open"] != 0


@pytest.mark.parametrize(("level", "names"), [(2, FEATURE_NAMES), (1, FEATURE_NAMES), (0, ())])
def test_feature_level(world, level, names):
    world.people = [Person(200, 150)]
    tracker = make(feature_level=level)
    (face,) = look(world, tracker)
    assert tuple(face.current_features) == tuple(names)
    assert (face.eye_blink is None) == (level == 0)


# When the detector runs


def test_the_detector_runs_until_a_face_is_there_and_again_when_it_is_lost(world):
    tracker = make()
    look(world, tracker, 4)
    assert world.detections == 4
    world.people = [Person(200, 150)]
    look(world, tracker, 20)
    assert world.detections == 5
    world.people = []
    look(world, tracker)  # the frame in which it is lost
    assert world.detections == 5
    look(world, tracker, 3)
    assert world.detections == 8


@pytest.mark.parametrize("every", [1, 3, 7])
def test_further_faces_are_looked_for_every_so_many_frames(world, every):
    tracker = make(max_faces=2, scan_every=every)
    world.people = [Person(200, 150)]
    look(world, tracker)
    runs = []
    for number in range(1, 22):
        before = world.detections
        look(world, tracker)
        if world.detections > before:
            runs.append(number)
    assert runs == list(range(every, 22, every))


def test_a_second_face_is_found_by_the_scan(world):
    tracker = make(max_faces=2, scan_every=3)
    world.people = [Person(200, 150)]
    look(world, tracker)
    world.people.append(Person(450, 150, conf=0.95))
    assert [len(look(world, tracker)) for _ in range(3)] == [1, 1, 2]
    first, second = look(world, tracker)
    assert (first.id, second.id) == (0, 1)
    assert place(first) == (200, 150) and place(second) == (450, 150)
    runs = world.detections
    look(world, tracker, 10)
    assert world.detections == runs, "nobody is missing"


def test_retinaface_scans_in_the_background(world):
    tracker = make(max_faces=2, scan_every=2, use_retinaface=True)
    world.people = [Person(200, 150)]
    look(world, tracker)
    assert world.retina_detections == 1, "the first face in the foreground"
    world.people.append(Person(450, 150))
    look(world, tracker)
    assert world.scan.waiting is None
    look(world, tracker)
    assert world.scan.waiting is not None and world.retina_detections == 1
    assert len(look(world, tracker, 3)) == 1, "not before it has an answer"
    world.scan.finish()
    assert len(look(world, tracker)) == 2
    tracker.close()
    assert world.scan.closed


def test_a_background_scan_that_comes_too_late_is_forgotten(world):
    tracker = make(max_faces=2, scan_every=1, use_retinaface=True)
    world.people = [Person(200, 150)]
    look(world, tracker, 2)
    assert world.scan.waiting is not None
    world.people.append(Person(450, 150))
    assert len(look(world, tracker, additional_faces=[world.people[1].box])) == 2
    world.scan.finish()
    look(world, tracker)
    assert len(world.tried) == 2, "everybody is held, and what arrives is not needed"
    world.people.pop()
    look(world, tracker, 2)
    assert world.people[0].box not in world.tried[1:]


def test_trying_hard_uses_both_detectors_and_the_whole_frame(world):
    tracker = make(try_hard=True)
    look(world, tracker)
    assert (world.detections, world.retina_detections) == (1, 1)
    assert world.tried == [(0, 0, WIDTH, HEIGHT)]
    world.people = [Person(200, 150)]
    look(world, tracker)
    assert len(world.tried) == 3
    look(world, tracker)
    assert len(world.tried) == 1 and world.detections == 2


def test_timings(world):
    tracker = make()
    assert tracker.timings == Timings()
    look(world, tracker)
    assert tracker.timings.detect > 0
    assert (tracker.timings.crop, tracker.timings.track, tracker.timings.points_3d) == (0, 0, 0)
    world.people = [Person(200, 150)]
    look(world, tracker)
    assert min(vars(tracker.timings).values()) > 0


# The first look at a face


def wide_boxes(world: World, monkeypatch, conf: float) -> None:
    """The detector's boxes are three times as wide as the faces; the landmark model is that sure of them."""
    fake = tracker_module.FaceDetector
    detect, decode = fake.detect, tracker_module.LandmarkModel.decode

    def widened(self, frame):
        return [(x - w, y, 3 * w, h) for x, y, w, h in detect(self, frame)]

    def doubt(self, person, crop):
        found, landmarks = decode(self, person, crop)
        return (conf if person is not None and crop.width > 2 * person.size else found), landmarks

    monkeypatch.setattr(fake, "detect", widened)
    monkeypatch.setattr(tracker_module.LandmarkModel, "decode", doubt)


@pytest.mark.parametrize("conf", [0.02, 0.5, 0.7])
def test_a_doubtful_new_face_is_looked_at_again_from_its_own_points(world, monkeypatch, conf):
    wide_boxes(world, monkeypatch, conf)
    world.people = [Person(200, 150), Person(450, 150, conf=0.95)]
    tracker = make(max_faces=2)
    faces = look(world, tracker)
    assert sorted(face.conf for face in faces) == [0.9, 0.95]
    assert len(world.tried) == 4, "two looks at each"
    look(world, tracker)
    assert len(world.tried) == 2, "at held faces one"


def test_a_second_look_that_makes_nobody_surer_changes_nothing(world, monkeypatch):
    wide_boxes(world, monkeypatch, 0.88)
    world.people = [Person(200, 150)]
    (face,) = look(world, make())
    assert len(world.tried) == 2 and face.conf == 0.88


def test_boxes_on_no_face_are_turned_down_after_two_looks_at_the_most(world):
    look(world, make(), additional_faces=[(10, 10, 50, 50)])
    assert len(world.tried) == 1, "there are no points to start from"


def test_a_scan_does_not_look_again_at_who_is_held(world, monkeypatch):
    wide_boxes(world, monkeypatch, 0.5)
    world.people = [Person(200, 150)]
    tracker = make(max_faces=2, scan_every=1)
    look(world, tracker, 2)
    assert len(world.tried) == 2, "its own box and the detector's"


def test_a_lost_face_is_looked_at_again_at_its_old_place(world, monkeypatch):
    """What it left behind is a box, but no face that is held."""
    wide_boxes(world, monkeypatch, 0.5)
    world.people = [Person(200, 150)]
    tracker = make()
    look(world, tracker)
    people, world.people = world.people, []
    look(world, tracker)
    people[0].x += 30  # the old box shows somebody, too
    world.people = people
    assert len(look(world, tracker)) == 1


def test_the_first_frame_is_searched_everywhere(world, monkeypatch):
    near, far = Person(200, 150), Person(500, 100, size=20)
    monkeypatch.setattr(tracker_module.FaceDetector, "detect", lambda self, frame: [near.box])
    world.people, world.far = [near, far], [far]
    tracker = make(max_faces=2)
    assert [place(face) for face in look(world, tracker)] == [(200, 150), (500, 100)]
    assert len(look(world, tracker, 5)) == 2 and world.looks_everywhere == 1


@pytest.mark.parametrize(("max_faces", "looks"), [(1, 0), (2, 1)])
def test_everywhere_only_in_the_first_frame_and_when_somebody_is_missing(world, max_faces, looks):
    world.people = [Person(200, 150)]
    tracker = make(max_faces=max_faces)
    (face,) = look(world, tracker)
    assert world.looks_everywhere == looks
    assert world.known == [face.bbox] * looks
    look(world, tracker, 10)
    assert world.looks_everywhere == looks


def test_without_a_face_everywhere_once_for_each_size_of_the_frame(world):
    tracker = make()
    look(world, tracker, 10)
    assert world.looks_everywhere == 1
    look(world, tracker, 10, frame=FRAME[: HEIGHT // 2])
    assert world.looks_everywhere == 2


@pytest.mark.parametrize(("model", "least"), [(3, 0.75), (-3, 0.87 + 0.13 * 0.375)])
def test_small_faces_must_be_surer(world, monkeypatch, model, least):
    """There is more in a frame that looks like a small face."""
    monkeypatch.setattr(tracker_module.FaceDetector, "detect", lambda self, frame: [])
    for conf, found in ((least - 0.01, 0), (least + 0.01, 1)):
        world.people = world.far = [Person(500, 100, size=20, conf=conf)]
        assert len(look(world, make(model_type=model))) == found


# The caller's own boxes


def test_additional_faces_are_tried(world):
    tracker = make(detection_threshold=1.0)
    world.people = [Person(200, 150)]
    world.people[0].conf = 0.9
    box = (160, 100, 90, 95)
    (face,) = look(world, tracker, additional_faces=[box])
    assert box in world.tried and place(face) == (200, 150)
    look(world, tracker, additional_faces=((10, 10, 50, 50),))
    assert world.held == [True, False], "held faces first"


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (-500, -500, 10, 10), (1e9, 0, 5, 5), (5, 5, -20, -20)])
def test_additional_boxes_that_show_nothing(world, box):
    world.people = [Person(200, 150)]
    assert len(look(world, make(), 3, additional_faces=[box])) == 1


# Losing a face


@pytest.mark.parametrize("frames", [0, 1, 5])
def test_a_lost_faces_box_is_tried_for_so_many_frames(world, frames):
    tracker = make(discard_after=frames)
    world.people = [Person(200, 150)]
    look(world, tracker)
    world.people = []
    look(world, tracker)
    tried = 0
    while look(world, tracker) == [] and world.tried:
        tried += 1
    assert tried == frames


def test_a_lost_faces_box_grows(world):
    tracker = make(discard_after=5, bbox_growth=0.25)
    world.people = [Person(200, 150)]
    (face,) = look(world, tracker)
    world.people = []
    x, y, w, h = face.bbox
    for _ in range(4):
        look(world, tracker)
        assert world.tried == [pytest.approx((x, y, w, h))]
        x, y, w, h = x - w / 4, y - h / 4, 1.5 * w, 1.5 * h


def test_a_lost_face_starts_over(world):
    """Its features: the median of another person is not this one's."""
    tracker = make(static_model=False, feature_calibration="original")
    world.people = [Person(200, 150)]
    look(world, tracker, 20)
    world.people[0].openness = 0.2
    (face,) = look(world, tracker)
    assert face.eye_blink == pytest.approx((0.2, 0.2)) and not (face.face_3d == REFERENCE_SHAPE).all()
    people, world.people = world.people, []
    look(world, tracker)
    world.people = people
    (face,) = look(world, tracker)
    assert face.eye_blink == (1, 1) and all(value == 0 for value in face.current_features.values())
    assert (face.face_3d == REFERENCE_SHAPE).all()
    assert face.id == 0


def test_somebody_elses_narrow_eyes_are_open(world):
    """The balanced calibration: what counts as open was learned of the person who has gone."""
    tracker = make()
    world.people = [Person(200, 150, openness=1.4)]
    look(world, tracker, 300)
    people, world.people = world.people, []
    look(world, tracker)
    world.people = people
    people[0].openness = 0.7
    (face,) = look(world, tracker, 30)
    assert min(face.eye_blink) > 0.7


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_features_are_kept_when_their_time_is_limited(world, calibration):
    tracker = make(max_feature_updates=900, feature_calibration=calibration)
    world.people = [Person(200, 150)]
    look(world, tracker, 20)
    world.people[0].openness = 0.2
    look(world, tracker)
    people, world.people = world.people, []
    look(world, tracker)
    world.people = people
    people[0].openness = 0.1
    (face,) = look(world, tracker)
    assert face.eye_blink[0] < 0.3, "measured by the median of before"


# Several faces


def test_no_more_faces_than_asked_for_and_the_best_of_them(world):
    world.people = [Person(100, 150, conf=0.7), Person(300, 150, conf=0.9), Person(500, 150, conf=0.8)]
    boxes = [person.box for person in world.people]
    faces = look(world, make(max_faces=2), additional_faces=boxes)
    assert [face.conf for face in faces] == [0.9, 0.8]


def test_each_face_once(world):
    """Boxes of detector, caller and previous frame that show the same face."""
    world.people = [Person(200, 150), Person(450, 150)]
    tracker = make(max_faces=4, scan_every=1)
    for _ in range(5):
        faces = look(world, tracker, additional_faces=[(190, 140, 40, 40), (150, 100, 100, 100)])
        assert [face.id for face in faces] == [0, 1]


def test_ids_follow_people_who_move_and_stay_when_one_leaves(world):
    a, b = Person(100, 200), Person(500, 200)
    world.people = [a, b]
    tracker = make(max_faces=2)
    first, second = look(world, tracker)
    ids = {0: first.id, 1: second.id} if first.bbox[0] < second.bbox[0] else {0: second.id, 1: first.id}
    for _ in range(30):
        a.x += 4
        b.x -= 4
        a.y, b.y = 140, 300  # they pass each other
        for face in look(world, tracker):
            who = 0 if abs(face.bbox[1] + face.bbox[3] / 2 - 140) < 60 else 1
            assert face.id == ids[who]
    world.people = [b]
    for _ in range(10):
        (face,) = look(world, tracker)
        assert face.id == ids[1]
    world.people = [a, b]
    faces = look(world, tracker, 4)
    assert {face.id: place(face) for face in faces} == {
        ids[0]: (pytest.approx(a.x, abs=1), pytest.approx(a.y, abs=1)),
        ids[1]: (pytest.approx(b.x, abs=1), pytest.approx(b.y, abs=1)),
    }


def test_faces_come_by_id_with_a_pool_too(world):
    world.people = [Person(100 + 130 * i, 200, conf=0.7 + 0.05 * i) for i in range(4)]
    with make(max_faces=4, max_threads=4) as tracker:
        faces = look(world, tracker, 5)
    with make(max_faces=4, max_threads=1) as tracker:
        others = look(world, tracker, 5)
    assert [face.id for face in faces] == [0, 1, 2, 3]
    for one, other in zip(faces, others, strict=True):
        np.testing.assert_array_equal(one.lms, other.lms)
        np.testing.assert_array_equal(one.pts_3d, other.pts_3d)


@pytest.mark.parametrize("seed", range(4))
def test_any_crowd_gives_the_same_faces_with_more_threads(world, seed):
    """People come, go and pass before each other, the size of the frame changes, and a step fails on somebody."""
    rng = np.random.default_rng(seed)
    people = [Person(*rng.uniform((0, 0), (WIDTH, HEIGHT)), size=rng.uniform(60, 120)) for _ in range(5)]
    with make(max_faces=4, max_threads=1) as alone, make(max_faces=4, max_threads=4) as shared:
        for number in range(60):
            for person in people:
                person.x, person.y = np.clip((person.x, person.y) + rng.normal(0, 12, 2), 0, (WIDTH, HEIGHT))
                person.openness = rng.uniform(0.2, 1)
            world.people = [person for person in people if rng.random() < 0.9]
            world.failing = {"gaze": people[:1]} if number % 7 == 3 else {}
            frame = FRAME if number < 40 else FRAME[: HEIGHT // 2]
            found = [tracker.predict(frame) for tracker in (alone, shared)]
            assert [face.id for face in found[0]] == [face.id for face in found[1]]
            for one, other in zip(*found, strict=True):
                for name, value in vars(one).items():
                    np.testing.assert_equal(getattr(other, name), value, name)


def test_a_thread_that_is_late_holds_up_nobody(world):
    """The others take its share."""
    world.people = [Person(100 + 130 * i, 200) for i in range(4)]
    released = threading.Event()
    with make(max_faces=4, max_threads=2) as tracker:
        look(world, tracker)
        other = tracker._pool.submit(released.wait, 60)  # the thread beside the caller's has something else to do
        try:
            assert [face.id for face in look(world, tracker, 3)] == [0, 1, 2, 3]
            assert not other.done()
        finally:
            released.set()


# The frame changes


def test_a_changed_frame_size_keeps_ids_and_changes_the_camera(world):
    a, b = Person(160, 150), Person(450, 150)
    world.people = [a, b]
    tracker = make(max_faces=2)
    before = {face.id: face.bbox[0] for face in look(world, tracker, 3)}
    for person in world.people:
        person.x, person.y, person.size = person.x / 2, person.y / 2, person.size / 2
    runs = world.detections
    after = look(world, tracker, frame=np.zeros((HEIGHT // 2, WIDTH // 2, 3), np.uint8))
    assert world.detections == runs, "nobody was lost"
    for face in after:
        assert face.bbox[0] == pytest.approx(before[face.id] / 2, abs=1)
        projected = pose.project(face.face_3d[:66], face.rotation, face.translation, WIDTH // 2, HEIGHT // 2)
        assert np.abs(projected - face.lms[:66, :2]).max() < 3


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((480, 640), np.uint8),
        np.zeros((480, 640, 1), np.uint8),
        np.zeros((480, 640, 4), np.uint8),
        np.zeros((480, 640, 3), np.uint16),
        np.zeros((480, 640, 3), np.float32),
        np.zeros((0, 640, 3), np.uint8),
        np.zeros((480, 0, 3), np.uint8),
        np.zeros((2, 480, 640, 3), np.uint8),
        np.zeros(5, np.uint8),
        None,
    ],
    ids=["grey", "one channel", "four channels", "16 bit", "float", "no rows", "no columns", "clip", "row", "none"],
)
def test_frames_of_another_kind(world, frame):
    tracker = make()
    world.people = [Person(200, 150)]
    look(world, tracker)
    with pytest.raises(ValueError, match="frame must be"):
        tracker.predict(frame)
    assert len(look(world, tracker)) == 1 and world.detections == 1, "such a frame changes nothing"


# A step that fails


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("step", ["landmarks", "gaze", "solvePnP"])
@pytest.mark.parametrize("how", ["raises", "not finite"])
def test_a_face_that_a_step_fails_on_is_left_out_and_the_other_kept(world, monkeypatch, caplog, step, how, threads):
    a, b = Person(160, 150), Person(450, 150, size=120)
    world.people = [a, b]
    with make(max_faces=2, max_threads=threads) as tracker:
        ids = {face.bbox[0] < 300: face.id for face in look(world, tracker, 3)}
        if step == "solvePnP":
            break_solver(monkeypatch, how, lambda columns: columns.mean() > 300)
        elif how == "raises":
            world.failing[step] = [b]
        else:
            world.not_finite[step] = [b]
        for _ in range(4):
            faces = look(world, tracker)
            assert [face.id for face in faces] == [ids[True]]
            assert all_finite(faces[0])
        world.failing.clear()
        world.not_finite.clear()
        if step != "solvePnP":
            assert {face.bbox[0] < 300: face.id for face in look(world, tracker, 6)} == ids, "and back again"
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) <= 1
    if how == "raises" and step != "solvePnP":
        assert messages == [f"A face is left out of a frame (error: {step}: it will not)."]


def test_a_detector_that_fails_leaves_the_faces_that_are_held(world):
    reports: list[str] = []
    tracker = make(max_faces=2, scan_every=2, report=reports.append)
    world.people = [Person(160, 150)]
    (before,) = look(world, tracker)
    world.people.append(Person(450, 150))
    world.broken_detector = True
    runs = world.detections
    for _ in range(100):
        (face,) = look(world, tracker)
        assert face.id == before.id
    assert world.detections == runs + 50, "it is tried again at every scan"
    assert reports == [
        "A face detector fails, and tracking goes on without what it would find (error: detect: it will not)."
    ]
    world.broken_detector = False
    assert len(look(world, tracker, 2)) == 2


def test_a_detector_that_fails_while_a_lost_face_is_sought(world):
    """Its old place is still tried, and without a face there the frame fails: so that a lasting fault becomes known."""
    reports: list[str] = []
    tracker = make(discard_after=3, report=reports.append)
    world.people = [Person(160, 150)]
    look(world, tracker)
    people, world.people = world.people, []
    look(world, tracker)
    world.broken_detector = True
    for _ in range(30):
        with pytest.raises(cv2.error, match="detect: it will not"):
            look(world, tracker)
    assert reports == []
    world.people = people
    assert len(look(world, tracker)) == 1 and len(reports) == 1


def test_of_two_detectors_one_may_fail(world):
    reports: list[str] = []
    tracker = make(try_hard=True, report=reports.append)
    world.broken_detector = True
    assert look(world, tracker, 3) == [], "nobody is there, which the other one says"
    world.people = [Person(160, 150)]
    assert len(look(world, tracker)) == 1
    assert world.retina_detections == 4 and len(reports) == 1


def test_without_a_face_a_detector_that_fails_makes_the_frame_fail(world):
    tracker = make()
    world.broken_detector = True
    for _ in range(3):
        with pytest.raises(cv2.error, match="detect: it will not"):
            look(world, tracker)
    world.broken_detector = False
    world.people = [Person(160, 150)]
    assert len(look(world, tracker)) == 1


def break_solver(monkeypatch, how: str, concerned) -> None:
    solve = cv2.solvePnP

    def solver(points, image, *arguments, **options):
        if not concerned(image[:, 1]):
            return solve(points, image, *arguments, **options)
        if how == "raises":
            raise cv2.error("solvePnP: it will not")
        return True, np.full((3, 1), np.nan), np.full((3, 1), np.nan)

    monkeypatch.setattr(cv2, "solvePnP", solver)


def all_finite(face: Face) -> bool:
    numbers = [face.conf, face.pnp_error, *face.eye_blink, *face.bbox, *face.current_features.values()]
    arrays = (face.quaternion, face.euler, face.rotation, face.translation, face.lms, face.pts_3d, face.face_3d)
    return bool(np.isfinite(numbers).all() and all(np.isfinite(values).all() for values in arrays))


@pytest.mark.parametrize("step", ["landmarks", "gaze"])
def test_when_a_step_fails_on_every_face_so_does_the_frame(world, step):
    """So that whoever calls learns of it; afterwards all goes on."""
    world.people = [Person(160, 150), Person(450, 150)]
    tracker = make(max_faces=2)
    ids = [face.id for face in look(world, tracker, 2)]
    world.failing[step] = list(world.people)
    for _ in range(3):
        with pytest.raises(cv2.error, match=f"{step}: it will not"):
            look(world, tracker)
    world.failing.clear()
    runs = world.detections
    assert [face.id for face in look(world, tracker)] == ids
    assert world.detections == runs, "nobody was forgotten"


@pytest.mark.parametrize("step", ["landmarks", "gaze"])
def test_a_single_face_of_numbers_that_are_none_is_no_face(world, step):
    world.people = [Person(160, 150)]
    tracker = make()
    look(world, tracker)
    world.not_finite[step] = list(world.people)
    assert look(world, tracker, 3) == []
    world.not_finite.clear()
    assert len(look(world, tracker, 2)) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["point", "line", "corner"])
def test_landmarks_without_extent_are_left_out(world, kind, monkeypatch):
    flat = np.full((66, 3), 0.9)
    flat[:, :2] = 100.0
    if kind == "line":
        flat[:, 0] = np.linspace(50, 150, 66)
    if kind == "corner":
        flat[:, :2] = 0.0
    monkeypatch.setattr(Person, "landmarks", lambda self: flat)
    world.people = [Person(100, 100)]
    for face in look(world, make(static_model=False), 10):
        assert all_finite(face)


def test_a_fit_that_fails_for_long_starts_over(world, monkeypatch):
    """Error over 300 for more than 5 frames: shape and pose are thrown away, points and features stay as they are."""
    world.people = [Person(200, 150)]
    tracker = make(static_model=False)
    look(world, tracker, 30)
    slot = tracker._slots[0]
    adapted = slot._shape
    solve = pose.solve

    def bad(*arguments):
        found = solve(*arguments)
        found.error = 301.0
        return found

    monkeypatch.setattr(pose, "solve", bad)
    for number in range(1, 8):
        (face,) = look(world, tracker)
        assert face.pnp_error == 301 and face.eye_blink is None
        assert (slot._shape is adapted) == (number <= 5)


def test_models_of_constants_end_to_end(tmp_path):
    """Through real sessions: a detector, a landmark model and a pupil model that see the same in every frame."""
    shape = Person(112, 112, size=120).landmarks()
    maps = tiny.landmark_maps(shape, 224, 28)
    files = {
        "mnv3_detection_opt.onnx": tiny.detector([(28, 28, 0.9, 0.5)]),
        "lm_model3_opt.onnx": tiny.landmark_model(maps, 224),
        "mnv3_gaze32_split_opt.onnx": tiny.gaze_model(),
    }
    frame = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    with Tracker(640, 360, model_dir=tiny.write(tmp_path, files), max_threads=1) as tracker:
        (face,) = tracker.predict(frame)
    assert all_finite(face)
    # The detector's box is the middle of the frame; with its growth, the crop is 384 wide and 225 high (whole pixels).
    x, y, w, h = 320 - 192, 180 - 112, 384, 225
    np.testing.assert_allclose(face.lms[:66, 1], x + shape[:, 1] * w / 224, atol=2)
    np.testing.assert_allclose(face.lms[:66, 0], y + shape[:, 0] * h / 224, atol=2)
    np.testing.assert_allclose(face.lms[66, :2], face.lms[[36, 39], :2].mean(axis=0), atol=1e-3)


def test_a_pupil_model_of_nan_leaves_the_face_out(tmp_path):
    maps = tiny.landmark_maps(Person(112, 112, size=120).landmarks(), 224, 28)
    files = {
        "mnv3_detection_opt.onnx": tiny.detector([(28, 28, 0.9, 0.5)]),
        "lm_model3_opt.onnx": tiny.landmark_model(maps, 224),
        "mnv3_gaze32_split_opt.onnx": tiny.gaze_model(np.nan),
    }
    with Tracker(640, 360, model_dir=tiny.write(tmp_path, files), max_threads=1) as tracker:
        assert tracker.predict(np.zeros((360, 640, 3), np.uint8)) == []


def test_a_landmark_model_of_nan_finds_no_face(tmp_path):
    files = {
        "mnv3_detection_opt.onnx": tiny.detector([(28, 28, 0.9, 0.5)]),
        "lm_model3_opt.onnx": tiny.landmark_model(np.full((1, 198, 28, 28), np.nan), 224),
    }
    folder = tiny.write(tmp_path, files)
    with Tracker(640, 360, model_dir=folder, max_threads=1, no_gaze=True, threshold=0.0) as tracker:
        assert tracker.predict(np.zeros((360, 640, 3), np.uint8)) == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("corners", [[(36, 39)], [(42, 45)], [(36, 39), (42, 45)]], ids=["right", "left", "both"])
def test_eyes_of_zero_width_end_to_end(tmp_path, corners):
    """Their pupils lie on the corners, with confidence 0; the face stays, every number finite."""
    shape = Person(112, 112, size=120).landmarks()
    for first, second in corners:
        shape[second] = shape[first]
    files = {
        "mnv3_detection_opt.onnx": tiny.detector([(28, 28, 0.9, 0.5)]),
        "lm_model3_opt.onnx": tiny.landmark_model(tiny.landmark_maps(shape, 224, 28), 224),
        "mnv3_gaze32_split_opt.onnx": tiny.gaze_model(),
    }
    frame = np.zeros((360, 640, 3), np.uint8)
    with Tracker(640, 360, model_dir=tiny.write(tmp_path, files), max_threads=1, static_model=False) as tracker:
        for _ in range(5):
            (face,) = tracker.predict(frame)
            assert all_finite(face)
            for pupil, (first, second) in zip((66, 67), ((36, 39), (42, 45)), strict=True):
                empty = (first, second) in corners
                assert face.lms[pupil, 2] == pytest.approx(0.0 if empty else 0.9, abs=1e-5)
                np.testing.assert_allclose(face.lms[pupil, :2], face.lms[[first, second], :2].mean(axis=0), atol=1e-3)
