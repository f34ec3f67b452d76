"""Real and drawn faces with the models that are shipped: held from the first frame on, near, far, in any frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tracker import Tracker
from tracking.faces import Face
from tracking.pose import DOUBTFUL_ERROR


def first_frame(picture: np.ndarray, **settings) -> list[Face]:
    height, width = picture.shape[:2]
    with Tracker(width, height, max_threads=1, static_model=True, no_gaze=True, **settings) as tracker:
        return tracker.predict(picture)


def crop(picture: np.ndarray, box: tuple[float, ...], share: float, aspect: float) -> np.ndarray:
    """What surrounds a box: as high as its longer side times the share, 300 pixels; beyond the picture, its edge."""
    x, y, w, h = box
    scale = 300 / (share * max(w, h))
    width = round(300 * aspect)
    matrix = np.array([[scale, 0, width / 2 - scale * (x + w / 2)], [0, scale, 150 - scale * (y + h / 2)]])
    return cv2.warpAffine(picture, matrix, (width, 300), borderMode=cv2.BORDER_REPLICATE)


def enclosed(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture in the middle of a grey frame of that size, as large as it fits."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:height, :width]
    frame = np.full((height, width, 3), 100, np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return frame


@pytest.fixture(scope="module")
def portraits(root, astronaut, grace_hopper) -> dict[str, np.ndarray]:
    """One face each."""
    sample = cv2.VideoCapture(str(root / "samples" / "talking_head.mp4")).read()[1]
    return {"astronaut": cv2.imread(str(astronaut)), "hopper": cv2.imread(str(grace_hopper)), "sample": sample}


@pytest.fixture(scope="module")
def boxes(portraits) -> dict[str, tuple[float, ...]]:
    """Of their faces."""
    return {name: first_frame(picture)[0].bbox for name, picture in portraits.items()}


@pytest.mark.parametrize("name", ["astronaut", "hopper", "sample"])
@pytest.mark.parametrize("model", [3, -2])
def test_a_face_on_its_head_is_not_taken_for_one_that_stands(portraits, name, model):
    picture = portraits[name]
    assert len(first_frame(picture, model_type=model)) == 1
    assert first_frame(np.ascontiguousarray(picture[::-1, ::-1]), model_type=model) == []


@pytest.mark.parametrize("name", ["astronaut", "hopper", "sample"])
@pytest.mark.parametrize("share", [0.9, 1.0, 1.1, 1.25, 1.5, 2.0])
def test_a_face_that_fills_the_frame(portraits, boxes, name, share):
    for aspect in (1.0, 16 / 9) if share >= 1 else (1.0,):
        (face,) = first_frame(crop(portraits[name], boxes[name], share, aspect))
        assert max(face.bbox[2:]) == pytest.approx(300 / share, rel=0.15)
        assert face.pnp_error < DOUBTFUL_ERROR * max(face.bbox[2:])
        assert face.translation[2] < 0


@pytest.mark.parametrize("size", [(640, 480), (854, 480), (1120, 480), (1280, 480), (1920, 480), (270, 480)])
def test_a_wide_frame_makes_nobody_doubtful(portraits, size):
    """A detector's box of it is as much wider than the face as the frame is wider than a square."""
    (face,) = first_frame(enclosed(portraits["sample"], *size))
    assert face.conf > 0.8


@pytest.mark.parametrize("share", [0.04, 0.06, 0.1])
def test_somebody_far_away(portraits, boxes, share):
    """The face takes so much of the frame's height, in a corner of it."""
    small = crop(portraits["hopper"], boxes["hopper"], 2.5, 1.0)
    small = cv2.resize(small, (round(720 * share * 2.5),) * 2, interpolation=cv2.INTER_AREA)
    frame = np.full((720, 1280, 3), 110, np.uint8)
    frame[80 : 80 + small.shape[0], 1100 : 1100 + small.shape[1]] = small
    (face,) = first_frame(frame)
    x, y, w, h = face.bbox
    middle = 1100 + small.shape[1] / 2, 80 + small.shape[0] / 2
    assert (x + w / 2, y + h / 2) == pytest.approx(middle, abs=0.3 * h)
    assert face.pnp_error < DOUBTFUL_ERROR * max(w, h)


def test_two_people_in_a_strip_are_held(portraits):
    strip = np.hstack([enclosed(portraits["sample"], 640, 480), enclosed(portraits["hopper"], 640, 480)])
    with Tracker(1280, 480, max_faces=2, max_threads=1) as tracker:
        assert [len(tracker.predict(strip)) for _ in range(5)] == [2] * 5


@pytest.fixture(scope="module")
def three_people() -> list[np.ndarray]:
    """Frames of 480 x 270 with three drawn heads that turn: one bearded, one bald, one with glasses."""
    heads = pytest.importorskip("training.heads", reason="a package that draws is not here")
    from training.heads.parameters import Appearance
    from training.sample_clip import scene

    try:
        model = heads.HeadModel.load()
    except FileNotFoundError as error:
        pytest.skip(f"the 3D head is not here: {error}")
    looks = [
        Appearance(seed=1, hair_style="short", beard_length=1.6),
        Appearance(seed=2, hair_style="bald", stubble=0.4),
        Appearance(seed=3, hair_style="side", glasses="thick"),
    ]
    rng = np.random.default_rng(5)
    light, camera = scene(np.random.default_rng(1)), heads.Camera(160 / 270, (0.0, 0.0, 70.0))
    strips = []
    people = [np.clip(rng.normal(0, 0.5, 100), -1, 1).astype(np.float32) for _ in looks]
    actors = [heads.Actor.prepare(model, who, look, 256, 0.6) for who, look in zip(people, looks, strict=True)]
    for yaw in (0, 12, -12):
        strips.append(
            np.hstack(
                [
                    heads.render(
                        model, heads.HeadParameters(who, look, {}, (yaw, 3, 0)), camera, light, (270, 160), 1, actor
                    ).image
                    for who, look, actor in zip(people, looks, actors, strict=True)
                ]
            )
        )
    return strips


@pytest.mark.parametrize("model", [0, 1, 2, 3, 4, -2, -3])
def test_three_people_bearded_bald_and_with_glasses_are_held(three_people, model):
    with Tracker(480, 270, model, max_faces=3, max_threads=1, no_gaze=True) as tracker:
        found = [tracker.predict(frame) for frame in three_people for _ in range(2)]
    assert [len(faces) for faces in found] == [3] * len(found)
    for faces in found:
        assert {int(face.bbox[0] + face.bbox[2] / 2) // 160 for face in faces} == {0, 1, 2}
