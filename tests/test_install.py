"""Installed from its wheel, as packagers and `pip install .` have it; and the names that importing programs know."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from program import ROOT
from test_architecture import ARROWS

import input_reader
import tracker
from cli import benchmark
from tracking.models import ModelError

pytest.importorskip("hatchling")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--no-build-isolation", "--no-deps", "--no-index", "--quiet", "--wheel-dir", folder]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *offline, ROOT], check=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_what_the_wheel_holds(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"openseeface", "openseeface_again"}
    parts = {Path(name).parts[1].removesuffix(".py") for name in names if name.startswith("openseeface/")}
    assert parts == {*ARROWS, "models", "samples", "Licenses", "__init__", "__main__"}
    for part in ("models", "samples", "Licenses", "tracking", "capture", "cli", "sending", "expressions", "output"):
        files = [path for path in (ROOT / part).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        missing = {f"openseeface/{path.relative_to(ROOT).as_posix()}" for path in files} - set(names)
        assert files and not missing
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


@pytest.mark.slow
def test_the_installed_program(wheel: Path, tmp_path: Path) -> None:
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        "--prefix",
        tmp_path / "in",
    ]
    subprocess.run([*install, wheel], check=True, timeout=300)
    paths = {"base": str(tmp_path / "in"), "platbase": str(tmp_path / "in")}
    scheme = "nt" if sys.platform == "win32" else "posix_prefix"
    site, scripts = (Path(sysconfig.get_path(name, scheme, paths)) for name in ("purelib", "scripts"))
    loose = {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")}
    assert loose == {"openseeface"}
    environment = {**os.environ, "PYTHONPATH": str(site)}
    clip = site / "openseeface" / "samples" / "talking_head.mp4"
    for command in ([scripts / "facetracker"], [sys.executable, "-m", "openseeface"]):
        video = tmp_path / "out.avi"
        done = subprocess.run(
            [*command, "-c", clip, "-p", "9", "--video-out", video],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0 and "Frames: 160" in done.stdout, done.stderr
        assert cv2.VideoCapture(str(video)).read()[0]
    listed = subprocess.run(
        [scripts / "facetracker-expressions", "list", "me.osfx"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert listed.returncode == 1 and listed.stderr.startswith("me.osfx is not there: ")


def test_the_packages_folder_is_no_part_of_the_program() -> None:
    """Only the two files that the wheel adds lie in it."""
    assert {path.name for path in (ROOT / "release" / "openseeface").glob("*.py")} == {"__init__.py", "__main__.py"}


# --- An executable that somebody built in another way -----------------------------------------------------


def test_the_benchmarks_picture_beside_the_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A plain `pyinstaller facetracker.py` takes no data along; its user puts `models` beside the executable."""
    models = tmp_path / "program" / "models"
    models.parent.mkdir()
    shutil.copytree(ROOT / "models", models)
    monkeypatch.setattr(benchmark, "__file__", str(tmp_path / "bundle" / "cli" / "benchmark.py"))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(models.parent / "facetracker"))
    assert benchmark.frames_per_second(-1, None, 1, runs=1) > 0
    shutil.rmtree(models)
    with pytest.raises(ModelError, match="benchmark_face.png"):
        benchmark.frames_per_second(-1, str(tmp_path), 1, runs=1)


# --- Names ------------------------------------------------------------------------------------------------


def test_names_of_the_original_and_its_forks(tmp_path: Path) -> None:
    assert Path(tracker.get_model_base_path(None)) == ROOT / "models"
    assert tracker.get_model_base_path(str(tmp_path)) == str(tmp_path)
    reader = input_reader.VideoReader(str(ROOT / "samples" / "talking_head.mp4"))
    there, frame = reader.read()
    assert there and reader.is_open() and reader.is_ready()
    reader.close()
    height, width = frame.shape[:2]
    with tracker.Tracker(width, height, max_threads=1) as made:
        np.testing.assert_array_equal(made.camera, [[width, 0, width / 2], [0, width, height / 2], [0, 0, 1]])
        (face,) = made.predict(frame)
    assert isinstance(face, tracker.FaceInfo)
    np.testing.assert_allclose(face.coord, face.lms[:66, :2].mean(0))
    for state, pupil in zip(face.eye_state, face.lms[66:], strict=True):
        assert state == (1.0, *pupil)


def test_readers_of_the_forks() -> None:
    assert [input_reader.try_int(text) for text in ("3", "x", None, "1.5")] == [3, None, None, None]
    with pytest.raises(input_reader.InputError, match="does not open"):
        input_reader.DShowCaptureReader(77, 640, 360, 24, use_dshowcapture=True, dcap=None)
