"""The blend shapes: a face's own frame, what the network gets, and what comes of its answer."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_models as tiny
from conftest import write_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from make_faces import make_face
from program import ROOT, run

from output.bars import draw_bars
from output.data_log import COLUMNS, DataLog
from tracker import Tracker
from tracking.blendshapes import POINT_FEATURES, SIDE, SPAN, BlendshapeModel, crop_to_image, face_frame, point_features
from tracking.face_shape import REFERENCE_SHAPE
from tracking.faces import BLENDSHAPE_NAMES
from tracking.models import BLENDSHAPES_FILE, ModelError

SHAPES = len(BLENDSHAPE_NAMES)


def model_with(answer: np.ndarray, folder: Path) -> BlendshapeModel:
    """A model that always answers that."""
    inputs = {"picture": (1, 3, SIDE, SIDE), "points": (1, POINT_FEATURES)}
    content = tiny.constant_model(inputs, {"shapes": np.asarray(answer, np.float32)})
    return BlendshapeModel(tiny.write(folder, {BLENDSHAPES_FILE: content}))


def upright_face(size: float = 100.0, place: tuple[float, float] = (160.0, 120.0)) -> np.ndarray:
    """(68, 2) x, y of an upright face, pupils in the middle of the eyes."""
    points = REFERENCE_SHAPE[:68, :2] * (1, -1)
    points = (points - points[:66].mean(0)) * size + place
    points[66], points[67] = (points[36] + points[39]) / 2, (points[42] + points[45]) / 2
    if points[36, 0] > points[45, 0]:  # the person's right eye is at the image's left
        points[:, 0] = 2 * place[0] - points[:, 0]
    return points


def moved(points: np.ndarray, angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    return points @ np.array([[c, s], [-s, c]]) + shift


def landmarks(points: np.ndarray, pupils: float = 1.0) -> np.ndarray:
    """(68, 3) row, column, confidence."""
    lms = np.column_stack([points[:, ::-1], np.ones(68)])
    lms[66:, 2] = pupils
    return lms


def test_the_names_are_arkits_52() -> None:
    assert SHAPES == len(set(BLENDSHAPE_NAMES)) == 52
    lefts = [name for name in BLENDSHAPE_NAMES if name.endswith("Left") and name not in ("jawLeft", "mouthLeft")]
    assert len(lefts) == 18 and {name[:-4] + "Right" for name in lefts} <= set(BLENDSHAPE_NAMES)
    assert BLENDSHAPE_NAMES[8:10] == ("eyeBlinkLeft", "eyeBlinkRight") and BLENDSHAPE_NAMES[-1] == "tongueOut"


def test_an_upright_face_has_an_upright_frame() -> None:
    points = upright_face()
    origin, x_axis, y_axis = face_frame(points)
    assert x_axis[0] > 0 and abs(x_axis[1]) < 0.05 * x_axis[0]
    np.testing.assert_allclose(y_axis, (-x_axis[1], x_axis[0]))
    assert points[27, 1] < origin[1] < points[60, 1], "between the bridge of the nose and the mouth"


@settings(max_examples=60, deadline=None)
@given(st.floats(-180, 180), st.floats(0.05, 20), st.tuples(st.floats(-500, 500), st.floats(-500, 500)))
def test_what_the_network_sees_of_the_points_does_not_depend_on_where_the_face_is(angle, scale, shift) -> None:
    points = upright_face()
    there = moved(points, angle, scale, shift)
    here_features = point_features(points, face_frame(points), True)
    np.testing.assert_allclose(point_features(there, face_frame(there), True), here_features, atol=1e-3)
    assert here_features.shape == (POINT_FEATURES,) and here_features.dtype == np.float32
    assert np.abs(here_features[:-1]).max() < 0.8 * SPAN


def test_many_faces_at_once_are_as_each_alone() -> None:
    several = np.stack([upright_face(), moved(upright_face(), 30, 2, (5, 6))])
    together = point_features(several, face_frame(several), np.array([True, False]))
    for points, known, row in zip(several, (True, False), together, strict=True):
        np.testing.assert_allclose(row, point_features(points, face_frame(points), known), atol=1e-6)


def test_pupils_that_are_not_known_are_in_the_middle_of_the_eye() -> None:
    points = upright_face()
    frame = face_frame(points)
    expected = point_features(points, frame, False)
    points[66:] = 0
    np.testing.assert_allclose(point_features(points, frame, False), expected, atol=1e-6)
    assert expected[-1] == 0 and point_features(upright_face(), frame, True)[-1] == 1


def test_the_picture_shows_the_face_upright_and_of_one_size(tmp_path) -> None:
    model = model_with(np.zeros((1, SHAPES)), tmp_path)
    pictures = []
    for angle, scale in ((0, 1.0), (40, 1.7)):
        points = moved(upright_face(place=(0, 0)), angle, scale, (200, 180))
        image = np.zeros((400, 420, 3), np.uint8)
        for x, y in points[[36, 45, 30, 58, 62]]:
            centre, radius = (round(x * 16), round(y * 16)), round(4 * scale * 16)
            cv2.circle(image, centre, radius, (255, 255, 255), -1, cv2.LINE_AA, 4)
        tensor, features = model.prepare(image, landmarks(points))
        pictures.append(tensor[0].mean(0).copy())
        assert tensor.shape == (1, 3, SIDE, SIDE) and features.shape == (1, POINT_FEATURES)
        for point in (36, 45, 30):  # a point is where its numbers say
            column, row = (features[0, 2 * point : 2 * point + 2] / SPAN + 0.5) * SIDE - 0.5
            assert pictures[-1][round(float(row)), round(float(column))] > 1
    assert np.corrcoef(pictures[0].ravel(), pictures[1].ravel())[0, 1] > 0.97


def test_the_crop_turns_back_into_the_image() -> None:
    points = moved(upright_face(), 25, 1.3, (40, 20))
    frame = face_frame(points)
    to_image = crop_to_image(frame)
    features = point_features(points, frame, True)[:-1].reshape(68, 2)
    in_crop = (features / SPAN + 0.5) * SIDE - 0.5
    np.testing.assert_allclose(in_crop @ to_image[:, :2].T + to_image[:, 2], points, atol=1e-3)


def test_an_answer_is_held_within_0_and_1(tmp_path) -> None:
    answer = np.linspace(-0.5, 1.5, SHAPES)[None]
    shapes = model_with(answer, tmp_path).estimate(np.zeros((240, 320, 3), np.uint8), landmarks(upright_face()))
    np.testing.assert_allclose(shapes, np.clip(answer[0], 0, 1), atol=1e-6)
    assert shapes.dtype == np.float32


@pytest.mark.parametrize("spoil", [lambda p: p * 0, lambda p: p * np.nan, lambda p: p + np.inf, lambda p: p * 0 + 50])
def test_a_face_without_extent_has_no_shapes(tmp_path, spoil) -> None:
    model = model_with(np.ones((1, SHAPES)), tmp_path)
    assert model.estimate(np.zeros((240, 320, 3), np.uint8), landmarks(spoil(upright_face()))) is None


def test_an_answer_that_is_not_finite_is_none(tmp_path) -> None:
    answer = np.zeros((1, SHAPES))
    answer[0, 7] = np.nan
    assert model_with(answer, tmp_path).estimate(np.zeros((240, 320, 3), np.uint8), landmarks(upright_face())) is None


def test_a_model_with_another_contract_is_refused(tmp_path) -> None:
    wrong = tiny.constant_model({"picture": (1, 3, 64, 64), "points": (1, 3)}, {"shapes": np.zeros((1, 52))})
    with pytest.raises(ModelError, match="another contract"):
        BlendshapeModel(tiny.write(tmp_path, {BLENDSHAPES_FILE: wrong}))
    (tmp_path / BLENDSHAPES_FILE).unlink()
    with pytest.raises(ModelError, match=BLENDSHAPES_FILE):
        BlendshapeModel(tmp_path)


# --- in the tracker ---------------------------------------------------------------------------------------------


def test_the_tracker_finds_shapes_only_when_asked(astronaut: Path) -> None:
    image = cv2.imread(str(astronaut))
    with Tracker(512, 512) as tracker:
        assert tracker.predict(image)[0].blendshapes is None
    with Tracker(512, 512, blendshapes=True) as tracker:
        (face,) = tracker.predict(image)
    shapes = dict(zip(BLENDSHAPE_NAMES, face.blendshapes.tolist(), strict=True))
    assert face.blendshapes.shape == (52,) and face.blendshapes.dtype == np.float32
    # She smiles at the camera with her eyes open.
    assert min(shapes["mouthSmileLeft"], shapes["mouthSmileRight"]) > 0.3
    assert max(shapes["eyeBlinkLeft"], shapes["eyeBlinkRight"], shapes["tongueOut"], shapes["jawOpen"]) < 0.4


def test_a_mirrored_face_has_mirrored_shapes(carphone_frames: list[np.ndarray]) -> None:
    swap = {"Left": "Right", "Right": "Left"}
    mirror = [
        BLENDSHAPE_NAMES.index(next((n[: -len(a)] + b for a, b in swap.items() if n.endswith(a)), n))
        for n in BLENDSHAPE_NAMES
    ]
    frame = cv2.resize(carphone_frames[60], None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    answers = []
    for picture in (frame, np.ascontiguousarray(frame[:, ::-1])):
        with Tracker(frame.shape[1], frame.shape[0], blendshapes=True) as tracker:
            answers.append([tracker.predict(picture) for _ in range(3)][-1][0].blendshapes)
    assert np.abs(answers[0] - answers[1][mirror]).mean() < 0.05
    assert np.corrcoef(answers[0], answers[1][mirror])[0, 1] > 0.9


def test_faces_without_pupils_have_shapes_too(astronaut: Path) -> None:
    image = cv2.imread(str(astronaut))
    with Tracker(512, 512, model_type=-1, blendshapes=True) as tracker:
        (face,) = tracker.predict(image)
    assert face.blendshapes is not None and np.isfinite(face.blendshapes).all()


def test_a_face_on_which_the_model_fails_goes_without(astronaut: Path, monkeypatch) -> None:
    image, said = cv2.imread(str(astronaut)), []
    with Tracker(512, 512, blendshapes=True, report=said.append) as tracker:
        monkeypatch.setattr(BlendshapeModel, "infer", lambda *_: (_ for _ in ()).throw(cv2.error("it will not")))
        faces = [tracker.predict(image) for _ in range(3)][-1]
    assert len(faces) == 1 and faces[0].blendshapes is None
    assert len(said) == 1 and said[0].startswith("A face goes without blend shapes")


# --- what becomes of them ---------------------------------------------------------------------------------------


def test_the_log_has_a_column_for_each_shape(tmp_path) -> None:
    face, without = make_face(0), make_face(1)
    face.blendshapes = np.linspace(0, 1, 52, dtype=np.float32)
    with DataLog(tmp_path / "log.csv", blendshapes=True) as log:
        log.write(1, 1.0, 640, 360, 24, [face, without])
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert list(rows[0]) == [*COLUMNS, *BLENDSHAPE_NAMES]
    np.testing.assert_allclose([float(rows[0][n]) for n in BLENDSHAPE_NAMES], face.blendshapes, atol=1e-7)
    assert all(float(rows[1][name]) == 0 for name in BLENDSHAPE_NAMES)


def test_bars_are_as_long_as_the_shapes_are_strong() -> None:
    green = np.array((80, 220, 40))
    lengths = []
    for value in (0.0, 0.5, 1.0):
        picture = np.zeros((520, 640, 3), np.uint8)
        draw_bars(picture, np.full(52, value, np.float32))
        lengths.append((np.abs(picture.astype(int) - green).max(-1) < 3).sum())
    assert lengths[0] < 200 < lengths[1] < 0.7 * lengths[2]
    tiny_picture = np.zeros((20, 24, 3), np.uint8)
    draw_bars(tiny_picture, np.full(52, np.float32(0.5)))  # does not fail


def test_the_program_writes_shapes(carphone_frames: list[np.ndarray], tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", carphone_frames[:12])
    plain = run("-c", clip, "--silent", 1)
    files = ("--log-data", tmp_path / "log.csv", "--video-out", tmp_path / "video.avi")
    result = run("-c", clip, "--silent", 1, "--blendshapes", 1, "--show-shapes", 1, *files)
    assert result.code == 0 and not result.err
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert len(rows) == 12
    shapes = np.array([[float(row[name]) for name in BLENDSHAPE_NAMES] for row in rows])
    assert (shapes >= 0).all() and (shapes <= 1).all() and shapes.max() > 0.1
    # What is sent stays as it is.
    assert [vars(face)["landmarks"] if "landmarks" in vars(face) else vars(face).keys() for (face,) in result.frames]
    assert len(result.frames) == len(plain.frames) == 12
    video = cv2.VideoCapture(str(tmp_path / "video.avi"))
    assert video.read()[0]
    assert (ROOT / "models" / BLENDSHAPES_FILE).is_file()
