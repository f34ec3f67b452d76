"""The benchmarks run, count what they say they count, and leave out what is missing. No figure is asserted."""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import __main__ as everything
from benchmarks import common, scaling, side_by_side, stages, start
from benchmarks.options import parse_size
from tracking.models import available_landmark_models, default_model_dir

MODEL = 3
CLIP = common.SAMPLE_CLIP


@pytest.fixture(scope="module")
def models() -> Path:
    """The tracker's own models."""
    folder = default_model_dir()
    if MODEL not in available_landmark_models(folder) or not (folder / "mnv3_detection_opt.onnx").is_file():
        pytest.skip(f"models are missing in {folder}")
    return folder


class FakeClock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_stopwatch_leaves_out_the_time_of_wrapped_calls_inside():
    clock = FakeClock()
    watches = stages.Stopwatches(clock)

    def pass_time(seconds: float) -> float:
        clock.now += seconds
        return seconds

    inner = watches.wrap("inner", pass_time)

    def outer() -> float:
        pass_time(1)
        return inner(2) + inner(3) + pass_time(4)

    outer = watches.wrap("outer", outer)
    assert outer() == 9
    outer()
    watches.next_frame()
    inner(1)
    watches.next_frame()
    assert watches.frames == [{"outer": 10e3, "inner": 10e3}, {"inner": 1e3}]
    assert watches.spreads()["outer"].count == 1
    assert watches.spreads()["inner"].median == 5.5e3


def test_a_stopwatch_also_stops_when_a_step_fails():
    clock = FakeClock()
    watches = stages.Stopwatches(clock)

    def fail() -> None:
        clock.now += 1
        raise ValueError("on purpose")

    failing = watches.wrap("failing", fail)
    for _ in range(2):
        with pytest.raises(ValueError, match="on purpose"):
            failing()
    watches.next_frame()
    assert watches.frames == [{"failing": 2e3}]


def test_every_step_is_timed_and_put_back(models):
    import tracking.pose

    before = tracking.pose.solve
    watches = stages.measure(CLIP, MODEL, models, (320, 240), count=5)
    assert tracking.pose.solve is before
    spreads = watches.spreads()
    assert spreads.keys() == stages.STAGES.keys()
    assert {spread.count for name, spread in spreads.items() if "detect" not in name} == {5}
    text = stages.report(watches)
    cells = {line.split(" | ")[0].lstrip("| "): line.split(" | ")[1] for line in text.splitlines()[2:]}
    sums = {"**networks**", "**all else**", "**frame**", "the networks' sessions alone"}
    above = "**frame above the sessions alone**"
    assert cells.keys() == {*stages.STAGES, *sums, above}
    times = {name: float(cell) for name, cell in cells.items()}
    assert all(took > 0 for name, took in times.items() if name != above)
    difference = times["**frame**"] - times["the networks' sessions alone"]
    assert times[above] == pytest.approx(difference, abs=0.002)


def test_there_and_back_has_no_jump():
    places = [place for place, _ in zip(common.there_and_back(4), range(9), strict=False)]
    assert places == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert [place for place, _ in zip(common.there_and_back(1), range(3), strict=False)] == [0, 0, 0]


@pytest.mark.parametrize("faces", [0, 1, 3, 8])
def test_tiles_hold_the_clip_and_nothing_else(faces):
    frames = np.stack([np.full((90, 160, 3), 10 * number, np.uint8) for number in range(1, 12)])
    result, boxes = common.tiled(frames, faces, (640, 360))
    assert result.shape == (11, 360, 640, 3)
    assert len(boxes) == faces
    for face, (x, y, width, height) in enumerate(boxes):
        tile = result[2, int(y) : int(y + height), int(x) : int(x + width)]
        assert (tile == frames[(2 + 5 * face) % 11][0, 0]).all(), "each shows another moment of the clip"
    assert (result == 96).all(axis=(1, 2, 3)).all() == (faces == 0)
    assert (result[0] == 96).all(axis=2).sum() == 640 * 360 - faces * 160 * 180


def test_a_table_is_markdown():
    text = common.table(["a", "b"], [["x", 1.234], ["y", "z"]])
    assert text == "| a | b |\n| --- | ---: |\n| x | 1.23 |\n| y | z |\n"


def test_sizes():
    assert parse_size("1280x720") == (1280, 720)
    for text in ("1280", "x", "0x10", "12x-3", "axb"):
        with pytest.raises(Exception, match="no size"):
            parse_size(text)


def test_side_by_side_takes_turns_and_says_who_is_missing(models, tmp_path):
    frames = common.load_clip(CLIP, 8, (320, 240))
    result = side_by_side.compare(
        "a clip", frames, [(MODEL, None), (MODEL, models), (MODEL, tmp_path)], None, blocks=2
    )
    labels = [f"model {MODEL}", f"model {MODEL} of {models}"]
    assert list(result.contestants) == labels
    for label in labels:
        assert [len(block) for block in result.contestants[label]] == [side_by_side.BLOCK] * 2
        assert result.faces[label] == 1.0
    assert result.ratio(labels[0]) == 1.0
    assert len(result.left_out) == 2
    assert f"lm_model{MODEL}_opt.onnx is not in {tmp_path}" in result.left_out[0]
    assert "MediaPipe" in result.left_out[1]
    assert result.report().count("left out") == 2


def test_a_ratio_is_the_first_over_the_other():
    result = side_by_side.Result("", {"first": [[1.0, 1.0], [2.0], [9.0]], "other": [[2.0], [4.0], [9.0]]})
    assert result.ratio("other") == 0.5


def test_facemesh_without_mediapipe_is_left_out(models):
    frames = common.load_clip(CLIP, 4, (320, 240))
    for python in (sys.executable, "/no/such/python"):
        result = side_by_side.compare("", frames, [(MODEL, models)], python, blocks=1)
        assert [sentence for sentence in result.left_out if "facemesh is left out" in sentence]


def test_no_tracker_no_comparison(tmp_path):
    frames = np.zeros((2, 40, 60, 3), np.uint8)
    with pytest.raises(side_by_side.ContestantError, match="is not in"):
        side_by_side.compare("", frames, [(MODEL, tmp_path)], None)


def test_facemesh_gets_its_frames_as_rgb(monkeypatch, tmp_path, capsys):
    """With a module in place of mediapipe, which is only there in an environment of its own."""
    from types import SimpleNamespace

    from benchmarks import contestant

    seen = []

    class Mesh:
        def __init__(self, **settings):
            seen.append(settings)

        def process(self, frame):
            seen.append(frame[0, 0].tolist())
            return SimpleNamespace(multi_face_landmarks=[1, 2])

    fake = SimpleNamespace(
        __version__="9", solutions=SimpleNamespace(face_mesh=SimpleNamespace(FaceMesh=Mesh))
    )
    monkeypatch.setitem(sys.modules, "mediapipe", fake)
    np.save(tmp_path / "frames.npy", np.array([[[[1, 2, 3]]], [[[4, 5, 6]]]], np.uint8))
    monkeypatch.setattr(sys, "stdin", ["[0, 1]\n", "[1]\n"])
    contestant.main("facemesh", str(tmp_path / "frames.npy"), '{"max_num_faces": 2}')
    name, first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert name == "MediaPipe FaceMesh 9"
    assert seen == [
        {"static_image_mode": False, "refine_landmarks": True, "max_num_faces": 2}, [3, 2, 1], [6, 5, 4], [6, 5, 4]
    ]
    assert [faces for _, _, faces in first + second] == [2, 2, 2]
    assert all(wall >= 0 and cpu >= 0 for wall, cpu, _ in first + second)


def test_scaling_counts_faces_and_scans(models):
    measured = scaling.Scaling(CLIP, MODEL, models, count=3, clock="wall")
    faces = measured.faces((1, 4))
    assert {number: found for number, (_, found) in faces.items()} == {1: 1.0, 4: 4.0}
    assert all(spread.count == 3 for spread, _ in faces.values())
    assert measured.scans(scan_every=3) == pytest.approx(1 / 3, abs=0.02)
    assert measured.scans(scan_every=10) == pytest.approx(1 / 10, abs=0.02)


def test_plots_are_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    spreads = {number: common.Spread.of([number, number + 1.0, number + 2.0]) for number in (1, 2, 4)}
    sentence = scaling.draw(tmp_path, spreads, {(640, 360): spreads[1], (1280, 720): spreads[2]})
    for name in ("faces.png", "resolution.png"):
        picture = cv2.imread(str(tmp_path / name))
        assert picture is not None and picture.std() > 5
        assert name in sentence


def test_plots_are_left_out_without_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "left out" in scaling.draw(tmp_path, {}, {})
    assert not list(tmp_path.iterdir())


def test_a_start_is_until_the_first_datagram(models, tmp_path):
    clip = tmp_path / "short.avi"
    frames = common.load_clip(CLIP, 6, (320, 240))
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    for frame in frames:
        writer.write(frame)
    writer.release()
    tracker, imports = start.measure(clip, MODEL, models, 1)
    assert len(tracker) == len(imports) == 1
    assert imports[0].wall > 0 and 0 < tracker[0].wall < start.PATIENCE
    if sys.platform == "linux":
        assert 200 > tracker[0].memory > imports[0].memory > 30, "not that of this process"
        assert tracker[0].cpu > 0.05
    assert "first datagram" in start.report(tracker, imports)


def test_a_process_that_fails_is_no_start(tmp_path):
    with pytest.raises(RuntimeError, match="nowhere"):
        start.start_imports("import nowhere")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        with pytest.raises(RuntimeError, match="There is no file"):
            start.start_tracker(["-c", str(tmp_path / "none.mp4")], receiver)


@pytest.mark.slow
def test_all_of_it_in_one_command(models, capsys, tmp_path):
    assert everything.main(["--quick", "--model-dir", str(models), "--plots", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert re.findall(r"^## (.*)$", text, re.M) == [
        "The steps of a frame", "Side by side", "Faces, pixels, threads", "Start"
    ]
    assert common.machine().split(";")[0] in text
    assert "nan" not in text
