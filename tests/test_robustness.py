"""With real models, on frames and in numbers that nobody would film; and for long."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import receiver
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import soak
from remedian import remedian
from sending.packet import encode
from tracker import Tracker
from tracking.faces import Face
from tracking.models import default_model_dir


@pytest.fixture(scope="module")
def model() -> int:
    """Number of the program's smallest landmark model."""
    return soak.smallest_model(default_model_dir())


@pytest.fixture(scope="module")
def credulous(model) -> Iterator[Tracker]:
    """A tracker that takes everything for a face, so that all steps work on nonsense.

    One for all examples, so that each comes after a frame of another size.
    """
    with Tracker(
        64, 48, model_type=model, threshold=0.0, detection_threshold=0.01, max_faces=3, scan_every=1, max_threads=1
    ) as tracker:
        yield tracker


def assert_sound(faces: list[Face], width: int, height: int) -> None:
    """Every number finite, within what it may be, and fit for a packet."""
    for face in faces:
        for value in vars(face).values():
            if isinstance(value, dict):
                value = list(value.values())
            if value is not None:
                assert np.isfinite(np.asarray(value, dtype=float)).all()
        assert face.translation[2] < 0
        assert np.linalg.norm(face.quaternion) == pytest.approx(1)
        assert all(-1 <= feature <= 1 for feature in face.current_features.values())
        assert face.eye_blink is None or all(0 <= eye <= 1 for eye in face.eye_blink)
    ids = [face.id for face in faces]
    assert ids == sorted(set(ids))
    if faces:
        assert len(receiver.decode(encode(faces, 1.0, width, height))) == len(faces)


def picture(kind: str, height: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "blobs":
        small = rng.integers(0, 256, (max(height // 16, 1), max(width // 16, 1), 3), dtype=np.uint8)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.full((height, width, 3), seed % 256, np.uint8)


coordinate = st.one_of(
    st.floats(-3000, 3000), st.sampled_from([0.0, 1e9, -1e9, 1e300, float("nan"), float("inf"), -float("inf")])
)
boxes = st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), max_size=3)


@pytest.mark.filterwarnings("error")
@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([(1, 1), (1, 2), (3, 3), (4, 4), (5, 7), (3, 2000), (2000, 3), (48, 64), (121, 77), (240, 320)]),
    st.sampled_from(["noise", "blobs", "flat"]),
    st.integers(0, 1000),
    boxes,
)
def test_any_frame_of_any_size_gives_sound_faces(credulous, size, kind, seed, additional_faces):
    height, width = size
    frame = picture(kind, height, width, seed)
    whole = (0.0, 0.0, float(width), float(height))
    assert_sound(credulous.predict(frame, [whole, *additional_faces]), width, height)


def test_nonsense_does_give_faces(credulous):
    """Otherwise the test above would say little."""
    found = [
        credulous.predict(picture("blobs", 120, 160, seed), [(0.0, 0.0, 160.0, 120.0)]) for seed in range(10)
    ]
    assert sum(map(len, found)) > 0


@pytest.fixture(scope="module")
def portrait(astronaut) -> np.ndarray:
    """A real face, 256 x 256."""
    return cv2.resize(cv2.imread(str(astronaut))[:400, 50:450], (256, 256), interpolation=cv2.INTER_AREA)


@pytest.fixture
def follow() -> Iterator[Tracker]:
    """A tracker with the default model."""
    with Tracker(256, 256, max_threads=1, static_model=True) as tracker:
        yield tracker


FORMS = {
    "mirrored": lambda frame: frame[:, ::-1],
    "upside down": lambda frame: frame[::-1],
    "every second pixel": lambda frame: np.repeat(np.repeat(frame, 2, 0), 2, 1)[::2, ::2],
    "channels reversed": lambda frame: np.ascontiguousarray(frame[:, :, ::-1])[:, :, ::-1],
    "columns first": lambda frame: np.asfortranarray(frame),
    "part of a wider one": lambda frame: np.hstack([frame, frame])[:, :256],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_frames_that_are_not_contiguous(model, portrait, form):
    frame = form(portrait)
    frame.flags.writeable = False
    results = []
    for one in (frame, np.ascontiguousarray(frame)):
        with Tracker(256, 256, model_type=model, max_threads=1, static_model=True, threshold=0.0) as tracker:
            results.append(tracker.predict(one, [(60.0, 40.0, 120.0, 120.0)]))
    assert len(results[0]) == len(results[1])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a.lms, b.lms)


def test_the_frame_is_left_as_it_was(follow, portrait):
    frame = portrait.copy()
    follow.predict(frame)
    np.testing.assert_array_equal(frame, portrait)


def test_a_face_comes_back_after_black_frames(follow, portrait):
    (before,) = follow.predict(portrait)
    for _ in range(10):
        assert follow.predict(np.zeros_like(portrait)) == []
    (after,) = follow.predict(portrait)
    assert after.id == before.id
    np.testing.assert_allclose(after.lms[:66, :2].mean(axis=0), before.lms[:66, :2].mean(axis=0), atol=3)


def test_a_camera_that_changes_its_size_keeps_the_id(follow, portrait):
    follow.predict(portrait)
    for size in (512, 128, 256, 300):
        frame = cv2.resize(portrait, (size, size))
        (face,) = follow.predict(frame)
        assert face.id == 0
        assert face.pnp_error < 0.05 * size
        assert_sound([face], size, size)


# For long


def test_memory_threads_and_files_stay_flat(model, capsys):
    """The short form of `python -m benchmarks.soak`."""
    gc.collect()
    before = threading.active_count()
    tenths = soak.soak(300, soak.read_clip(), model, default_model_dir())
    assert soak.verdict(tenths) == []
    assert sum(tenth.faces for tenth in tenths) > 150, "the clip is tracked"
    assert threading.active_count() == before
    assert len(capsys.readouterr().out.splitlines()) == 10


def test_what_is_not_flat_is_told():
    def tenth(memory: float | None, threads: int = 1, files: int | None = 9, median_size: int = 300) -> soak.Tenth:
        return soak.Tenth(1, 1, memory, threads, files, median_size, 1.0, 1.0)

    flat = [tenth(50.0), *[tenth(100.0)] * 8]
    assert soak.verdict([*flat, tenth(102.9)]) == []
    assert soak.verdict([*flat, tenth(103.1)]) == ["Memory grew by 3.1 MB."]
    assert soak.verdict([*flat, tenth(100.0, threads=2)]) == ["Threads grew from 1 to 2."]
    assert soak.verdict([*flat, tenth(100.0, files=10)]) == ["Open files grew from 9 to 10."]
    assert soak.verdict([*flat, tenth(100.0, median_size=2000)]) == ["A feature's median keeps 2000 numbers."]
    assert soak.verdict([tenth(None, files=None)] * 10) == []


def test_the_largest_median_is_found():
    kept = [remedian([1.0] * 10), remedian(range(64**3 - 1)), remedian()]  # all three buffers are full
    assert soak.median_size() == 3 * 63 + 2 * 2 * 63
    kept.pop(1)
    assert soak.median_size() < 3 * 63


def test_trackers_that_come_and_go_leave_nothing_behind(model, portrait):
    def run() -> None:
        with Tracker(256, 256, model_type=model, max_faces=3, max_threads=2) as tracker:
            tracker.predict(portrait, [(0.0, 0.0, 100.0, 100.0), (100.0, 100.0, 100.0, 100.0)])

    run()
    gc.collect()
    threads, files, memory = threading.active_count(), soak.open_files(), soak.resident_memory()
    for _ in range(8):
        run()
    gc.collect()
    for thread in threading.enumerate():
        if thread.name.startswith("landmarks"):
            thread.join(30)
    assert threading.active_count() <= threads
    assert soak.open_files() == files
    if memory is not None:
        assert soak.resident_memory() < memory + 30
