"""Calibration: what counts as zero, how it is learnt, and how it is kept."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import write_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from make_faces import make_face
from program import run

from cli.calibrating import Calibrator
from output.console import Console
from sending.avatar import BEFORE_CAMERA
from sending.head import head
from tracking.calibration import LEAST_PEAK, Calibration, Profile, ProfileError
from tracking.faces import BLENDSHAPE_NAMES

SMILE, JAW, LOOK = (BLENDSHAPE_NAMES.index(n) for n in ("mouthSmileLeft", "jawOpen", "eyeLookUpLeft"))


TURN, PLACE = cv2.Rodrigues(np.array([0.1, 0.2, 0.3]))[0], np.array([0.05, -0.1, -0.7])


def face_with(**shapes: float):
    face = make_face(0)
    face.blendshapes = np.array([shapes.get(name, 0.0) for name in BLENDSHAPE_NAMES], np.float32)
    return face


def test_a_neutral_look_becomes_zero_at_once() -> None:
    calibration = Calibration()
    calibration.start(2.0)
    taken = []
    assert calibration.waiting
    for i in range(61):
        blink = 1.0 if 20 < i < 25 else 0.05  # one blinks meanwhile
        face = face_with(mouthSmileLeft=0.3, eyeBlinkLeft=blink, eyeLookUpLeft=0.4)
        taken.append(calibration.update(face, 10 + i / 30, (TURN, PLACE)))
        assert calibration.waiting == (i < 60)
    assert taken == [False] * 60 + [True]
    shapes = face_with(mouthSmileLeft=0.3, eyeBlinkLeft=0.05, eyeLookUpLeft=0.4)
    calibration.update(shapes, 13.0)
    assert shapes.blendshapes[SMILE] == 0
    assert shapes.blendshapes[LOOK] == 0, "the eyes looked into the camera"
    strong = face_with(mouthSmileLeft=1.0, eyeBlinkLeft=1.0)
    calibration.update(strong, 13.1)
    assert strong.blendshapes[SMILE] == 1
    np.testing.assert_allclose(calibration.profile.rotation, TURN, atol=1e-9)
    np.testing.assert_allclose(calibration.profile.position, PLACE, atol=1e-9)


def test_the_countdown_waits_for_the_face() -> None:
    calibration = Calibration()
    calibration.start(3.0)
    assert calibration.waiting and calibration.remaining(50.0) == 3.0
    calibration.update(face_with(), 100.0)
    assert calibration.waiting and calibration.remaining(101.0) == pytest.approx(2.0)


def test_rest_is_learnt_slowly_and_never_becomes_more_than_a_quarter() -> None:
    calibration = Calibration()
    for i in range(30 * 60):
        calibration.update(face_with(mouthSmileLeft=0.2, jawOpen=1.0 if i % 3 else 0.0, eyeLookUpLeft=0.2), i / 30)
    assert calibration.profile.rest[LOOK] == 0, "where somebody happens to look is no rest"
    assert 0.1 < calibration.profile.rest[SMILE] <= 0.2 + 1e-6
    assert calibration.profile.rest[JAW] < 0.05, "what comes and goes is no rest"
    for i in range(30 * 600):
        calibration.update(face_with(mouthSmileLeft=1.0), 60 + i / 30)
    assert calibration.profile.rest[SMILE] == pytest.approx(0.25)


def test_a_pause_teaches_nothing() -> None:
    calibration = Calibration()
    calibration.update(face_with(mouthSmileLeft=1.0), 0.0)
    calibration.update(face_with(mouthSmileLeft=1.0), 3600.0)
    assert calibration.profile.rest[SMILE] < 0.01


def test_ranges_follow_what_is_shown() -> None:
    calibration = Calibration()
    for i in range(20 * 900):
        calibration.update(face_with(mouthSmileLeft=0.8 if i % 100 == 0 else 0.0), i / 20)
    assert calibration.profile.peak[SMILE] == pytest.approx(0.8, abs=0.02)
    assert calibration.profile.peak[JAW] == pytest.approx(LEAST_PEAK, abs=1e-3)
    strong = face_with(mouthSmileLeft=0.8)
    calibration.update(strong, 1000.0)
    assert strong.blendshapes[SMILE] > 0.97


def test_faces_without_shapes_are_left_alone() -> None:
    calibration, face = Calibration(), make_face(0)
    calibration.start(1.0)
    assert not calibration.update(face, 1.0) and not calibration.update(face, 9.0)
    assert face.blendshapes is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=52, max_size=52), st.integers(0, 2**32 - 1))
def test_calibrated_shapes_stay_in_their_range_and_order(shapes, seed) -> None:
    rng = np.random.default_rng(seed)
    profile = Profile(rng.uniform(0, 0.6, 52).astype(np.float32), rng.uniform(0.6, 1, 52).astype(np.float32))
    low = np.array(shapes, np.float32)
    high = np.minimum(low + np.float32(0.1), 1)
    a, b = profile.apply(low), profile.apply(high)
    assert (a >= 0).all() and (b <= 1).all() and (a <= b + 1e-6).all()


# --- the file ---------------------------------------------------------------------------------------------------


def some_profile() -> Profile:
    rng = np.random.default_rng(1)
    return Profile(rng.uniform(0, 0.5, 52).astype(np.float32), rng.uniform(0.5, 1, 52).astype(np.float32),
                   cv2.Rodrigues(np.array([0.1, -0.2, 3.0]))[0], np.array([1.0, 2.0, -9.0]))  # fmt: skip


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    profile = some_profile()
    profile.save(tmp_path / "me.json")
    again = Profile.load(tmp_path / "me.json")
    for name in ("rest", "peak", "rotation", "position"):
        np.testing.assert_allclose(getattr(again, name), getattr(profile, name), atol=1e-5)
    Profile().save(tmp_path / "me.json")
    assert Profile.load(tmp_path / "me.json").rotation is None
    assert [file.name for file in tmp_path.iterdir()] == ["me.json"]


@pytest.mark.parametrize("spoil", [
    lambda s: s[:100], lambda s: "", lambda s: "[1, 2]", lambda s: "null", lambda s: s.replace("face tracker", "other"),
    lambda s: s.replace('"version": 1', '"version": 2'), lambda s: s.replace("jawOpen", "jawopen"),
    lambda s: s.replace('"rest": 0.', '"rest": 7.', 1), lambda s: s.replace('"rest": 0', '"rest": NaN,"x": 0', 1),
    lambda s: s.replace('"peak": 0', '"peak": "x", "y": 0', 1), lambda s: s.replace("3", "[]"), lambda s: "[" * 100000,
    lambda s: s.replace('"rotation": [', '"rotation": [[1],'),
])  # fmt: skip
def test_a_broken_or_foreign_profile_is_one_sentence(tmp_path: Path, spoil) -> None:
    some_profile().save(tmp_path / "me.json")
    (tmp_path / "me.json").write_text(spoil((tmp_path / "me.json").read_text()))
    with pytest.raises(ProfileError) as caught:
        Profile.load(tmp_path / "me.json")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value) and "me.json" in str(caught.value)


def test_a_binary_file_and_a_folder_are_no_profiles(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    for name in ("binary", ""):
        with pytest.raises(ProfileError):
            Profile.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Profile.load(tmp_path / "missing")


def test_a_full_disk_loses_nothing(small_disk: Path) -> None:
    some_profile().save(small_disk / "me.json")
    kept = (small_disk / "me.json").read_bytes()
    with open(small_disk / "filler", "wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(512))
    with pytest.raises(OSError):
        Profile().save(small_disk / "me.json")
    assert (small_disk / "me.json").read_bytes() == kept
    assert sorted(file.name for file in small_disk.iterdir()) == ["filler", "me.json"]


# --- what senders get -------------------------------------------------------------------------------------------


def test_senders_get_the_neutral_head_that_was_shown(tmp_path: Path) -> None:
    console = Console(silent=True)
    size = (640, 360)
    with Calibrator(console, 1.0, str(tmp_path / "me.json")) as calibrator:
        assert calibrator.neutral() is BEFORE_CAMERA
        for i in range(40):
            faces = [face_with(mouthSmileLeft=0.3), make_face(1)]
            calibrator.update(faces, 10 + i / 30, size)
        there = head(faces[0], size)
        np.testing.assert_allclose(calibrator.neutral().rotation, there.rotation, atol=1e-9)
        np.testing.assert_allclose(calibrator.neutral().position, there.position, atol=1e-9)
        assert faces[0].blendshapes[SMILE] == 0
    with Calibrator(console, 0.0, str(tmp_path / "me.json")) as calibrator:
        np.testing.assert_allclose(calibrator.neutral().rotation, there.rotation, atol=1e-9)
        (face,) = faces = [face_with(mouthSmileLeft=0.3)]
        calibrator.update(faces, 0.0, size)
        assert face.blendshapes[SMILE] == 0
        calibrator.restart()
        for i in range(40):
            calibrator.update([face_with(mouthSmileLeft=0.5)], 1 + i / 30, size)
        (face,) = faces = [face_with(mouthSmileLeft=0.5)]
        calibrator.update(faces, 9.0, size)
        assert face.blendshapes[SMILE] == 0, "the key takes the face that is there now"


# --- the program ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip(carphone_frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.avi", carphone_frames[:40])


def test_the_program_keeps_a_profile_and_begins_with_it(clip: Path, tmp_path: Path) -> None:
    profile = tmp_path / "me.json"
    result = run("-c", clip, "--calibrate", 0.1, "--profile", profile)
    assert result.code == 0 and not result.err
    assert "Look neutral, into the camera: 1" in result.out and "The neutral face is known" in result.out
    kept = Profile.load(profile)
    assert kept.rotation is not None and kept.rest.max() > 0
    before = json.loads(profile.read_text())["shapes"]
    assert run("-c", clip, "--silent", 1, "--profile", profile).code == 0
    after = json.loads(profile.read_text())["shapes"]
    assert all(after[name]["rest"] == before[name]["rest"] for name in before), "what was shown is not unlearnt"


def test_a_broken_profile_ends_the_program_with_one_sentence(clip: Path, tmp_path: Path) -> None:
    profile = tmp_path / "me.json"
    profile.write_text("{")
    result = run("-c", clip, "--profile", profile)
    assert result.code == 2 and len(result.err) == 1 and "me.json" in result.err[0]
    assert profile.read_text() == "{" and not result.frames


def test_a_profile_that_cannot_be_written_is_told_once_and_tracking_goes_on(clip: Path, tmp_path: Path) -> None:
    result = run("-c", clip, "--silent", 1, "--calibrate", 0.1, "--profile", tmp_path / "none" / "me.json")
    assert result.code == 0 and len(result.err) == 1 and "can't be written" in result.err[0]
    assert len(result.frames) == 40
