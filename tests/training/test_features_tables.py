"""The features on drawn heads, the whole way through the tracker; and the table about real people on made clips."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba is not installed (training/requirements.txt)")
pytest.importorskip("tqdm", reason="training needs tqdm (training/requirements.txt)")

from training import heads  # noqa: E402
from training.tables import features, real  # noqa: E402

TURNS = [(0, 0, 0), (15, 0, 0), (30, 0, 0), (-15, 0, 0), (-30, 0, 0), (0, 10, 0), (0, 20, 0), (0, -10, 0), (0, -20, 0)]


@pytest.fixture(scope="module")
def person() -> tuple[np.ndarray, np.ndarray]:
    if not (heads.data_folder() / "ict_face_model.npz").is_file():
        pytest.skip("the 3D head (ict_face_model.npz) is not in $OSF_REFERENCE/data")
    return features.draw_person(heads.HeadModel.load(), 0, TURNS)


def test_a_still_face_that_turns_stays_still(person):
    openness, values = features.turning(person[0], 3, "balanced")
    assert len(openness) == len(TURNS)
    assert (openness > 0.7).mean() >= 0.95
    assert (values[:, features.FEATURE_NAMES.index("mouth_open")] < 0.2).mean() >= 0.95


@pytest.mark.parametrize("kind", ["blink", "right wink", "left wink"])
def test_the_first_blink_arrives(person, kind):
    assert all(features.blinking(person[1], kind, 3, "balanced"))


def made_clip(frames: int = 60) -> real.Clip:
    """A face whose tracker and second opinion agree, with a calibration that passes everything on."""
    rng = np.random.default_rng(0)
    points, mesh = rng.uniform(0, 100, (1, 66, 2)).repeat(frames, 0), rng.uniform(0, 100, (1, 478, 2)).repeat(frames, 0)
    time = np.linspace(0, 20, frames)
    lids = np.where(np.sin(time) > 0.9, 0.02, 0.3 + 0.02 * np.sin(3 * time))
    for points_of, eyes in ((points, real.EYES_OF_66), (mesh, real.EYES_OF_MESH)):
        for number, (outer, upper1, upper2, inner, lower2, lower1) in enumerate(eyes):
            points_of[:, outer], points_of[:, inner] = (100 * number, 0), (100 * number + 50, 0)
            for at, (upper, lower) in ((15, (upper1, lower1)), (35, (upper2, lower2))):
                points_of[:, upper] = np.stack((0 * time + 100 * number + at, -25 * lids), -1)
                points_of[:, lower] = np.stack((0 * time + 100 * number + at, 25 * lids), -1)
    shapes = {name: np.zeros(frames) for name in ("browInnerUp", "jawOpen")}
    shapes |= {n + s: np.sin(time) for n in ("browOuterUp", "browDown", "mouthSmile") for s in ("Right", "Left")}
    values = {by: np.zeros((frames, 14)) for by in real.CALIBRATIONS}
    eyes = {"balanced": np.stack((lids, lids), -1), "original": np.ones((frames, 2))}
    return real.Clip("made", mesh, shapes, points, eyes, values)


def test_agreement_is_one_and_what_never_moves_tells_nothing():
    clip = made_clip()
    lids, shut = real.ROWS[:2]
    for row, nothing in ((lids, 0.0), (shut, 0.5)):
        assert real.compared(row, clip, row.landmarks(clip)) == pytest.approx(1)
        assert real.compared(row, clip, row.packet(clip, "balanced")) == pytest.approx(1)
        assert real.compared(row, clip, row.packet(clip, "original")) == nothing
    smile = next(row for row in real.ROWS if "inout" in row.title)
    clip.features["balanced"][:, [9, 11]] = -np.sin(np.linspace(0, 20, 60))[:, None]
    assert real.compared(smile, clip, smile.packet(clip, "balanced")) == pytest.approx(-1)


def test_frames_without_a_face_are_left_out():
    clip = made_clip()
    clip.eyes["balanced"][::3], clip.mesh[1::3] = np.nan, np.nan
    row = real.ROWS[0]
    assert real.compared(row, clip, row.packet(clip, "balanced")) == pytest.approx(1)


def test_a_second_opinion_that_never_moves_gives_no_figure():
    clip = made_clip()
    row = next(row for row in real.ROWS if "jawOpen" in row.title)
    assert np.isnan(real.compared(row, clip, row.packet(clip, "balanced")))


def test_table_of_made_clips(capsys):
    real.report([made_clip(), made_clip()], 3, each=True)
    printed = capsys.readouterr().out
    assert "Model 3 on 2 clips" in printed and printed.count("\n| ") == len(real.ROWS) + 2


def test_a_folder_without_clips_is_said(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["real", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        real.main()
    assert end.value.code == 2 and "clips.npz" in capsys.readouterr().err
