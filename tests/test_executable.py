"""Builds the executable and uses it as a computer without Python would."""

from __future__ import annotations

import importlib.util
import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from program import WINE
from receiver import Receiver

from tracking.models import available_landmark_models

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "samples" / "talking_head.mp4"
MODELS = (3, 2, 1, 0, -1, -2, -3)
#: The encoding of what an executable prints into a pipe: on Windows the system's code page.
PIPE = locale.getpreferredencoding(False) if sys.platform == "win32" else "utf-8"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("PyInstaller") is None,
        reason="PyInstaller is not installed (pip install -r release/requirements.txt)",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the executable, in a place with spaces and an accent in its name."""
    place = tmp_path_factory.mktemp("build") / "face tracker é"
    subprocess.run(
        [sys.executable, "-m", "PyInstaller", "--noconfirm", "--distpath", place, "--workpath", place / "work",
         ROOT / "facetracker.spec"],
        cwd=ROOT, check=True, timeout=550, capture_output=True,
    )  # fmt: skip
    size = sum(path.lstat().st_size for path in (place / "facetracker").rglob("*"))
    print(f"The executable's folder has {size / 1e6:.0f} MB.")
    if sys.platform == "win32":
        assert size <= 250e6
    return place / "facetracker"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def run(folder: Path, *arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the executable without a PATH and without what could lead it to a Python."""
    hints = ("PYTHON", "VIRTUAL", "LD_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hints)}
    return subprocess.run(
        [folder / ("facetracker.exe" if sys.platform == "win32" else "facetracker"), *map(str, arguments)],
        env={**environment, "PATH": ""},
        cwd=cwd,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        encoding=PIPE,
        timeout=300,
    )


def frames_of(clip: Path) -> int:
    video, count = cv2.VideoCapture(str(clip)), 0
    while video.grab():
        count += 1
    return count


def test_it_tracks_the_sample_clip(folder: Path, receiver: Receiver, tmp_path: Path) -> None:
    finished = run(folder, "--port", receiver.port, "-c", folder / "samples" / CLIP.name, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    count = frames_of(CLIP)
    assert f"Frames: {count}" in finished.stdout.splitlines()[-1]
    records = receiver.frames
    assert 0.9 * count <= len(records) <= count
    assert all(len(faces) == 1 and faces[0].size == (640, 480) for faces in records)


def test_it_finds_the_same_as_the_source(folder: Path, tmp_path: Path) -> None:
    logs = [tmp_path / "executable.csv", tmp_path / "source.csv"]
    assert run(folder, "-c", CLIP, "-s", 1, "--log-data", logs[0]).returncode == 0
    source = [sys.executable, ROOT / "facetracker.py", "-c", CLIP, "-s", "1", "--log-data", logs[1]]
    subprocess.run(source, check=True, timeout=300)
    # All but the time of capture.
    rows = [[line.split(",")[2:] for line in log.read_text(encoding="utf-8").splitlines()] for log in logs]
    assert rows[0] == rows[1] and len(rows[0]) > 100


def test_it_lists_cameras_as_the_source_does(folder: Path) -> None:
    ours = run(folder, "--list-cameras", 2)
    source = [sys.executable, ROOT / "facetracker.py", "--list-cameras", "2"]
    theirs = subprocess.run(source, capture_output=True, encoding=PIPE)
    assert (ours.returncode, ours.stdout, ours.stderr) == (0, theirs.stdout, theirs.stderr)


def test_it_measures_each_model_that_is_there(folder: Path) -> None:
    finished = run(folder, "--benchmark", 1)
    assert finished.returncode == 0, finished.stderr
    speeds = [float(line) for line in finished.stdout.splitlines()]
    there = available_landmark_models(ROOT / "models")
    assert [speed > 0 for speed in speeds] == [model in there for model in MODELS]


def test_it_reads_and_writes_files_with_unusual_names(folder: Path, tmp_path: Path) -> None:
    clip = shutil.copy(CLIP, tmp_path / "sprechender Köpf 頭.mp4")
    log = tmp_path / "das Prötokoll.csv"
    finished = run(folder, "-c", clip, "--log-data", log)
    assert finished.returncode == 0, finished.stderr
    assert len(log.read_text(encoding="utf-8").splitlines()) > 100


def test_it_writes_a_video(folder: Path, tmp_path: Path) -> None:
    """The video's writer is a second process, which a frozen program starts in its own way."""
    video = tmp_path / "tracked.avi"
    finished = run(folder, "-c", CLIP, "-v", 0, "-P", 1, "--video-out", video)
    assert finished.returncode == 0, finished.stderr
    assert frames_of(video) == frames_of(CLIP)


def test_models_are_found_beside_its_folder_too(folder: Path) -> None:
    models, outside = folder / "models", folder.parent / "models"
    models.rename(outside)
    try:
        assert run(folder, "-c", CLIP, "-s", 1).returncode == 0
    finally:
        outside.rename(models)


def test_missing_models_are_said(folder: Path) -> None:
    models, elsewhere = folder / "models", folder / "not models"
    models.rename(elsewhere)
    try:
        finished = run(folder, "-c", CLIP)
    finally:
        elsewhere.rename(models)
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1 and ".onnx" in finished.stderr


def test_a_wrong_option_gets_one_sentence(folder: Path) -> None:
    finished = run(folder, "--port", 99999)
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1


def test_what_a_user_needs_lies_beside_it(folder: Path) -> None:
    script = "run.bat" if sys.platform == "win32" else "run.sh"
    for name in ("README.md", script, "samples/talking_head.mp4", "Licenses/README.md", "Licenses/LICENSE.txt"):
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes()
    for name in ("models", "Licenses"):
        there = {path.name for path in (folder / name).iterdir()}
        assert {path.name for path in (ROOT / name).iterdir()} <= there


@pytest.mark.skipif(
    sys.platform != "linux" or not Path("/usr/share/doc/libc6/copyright").exists(),
    reason="kept only by Debian and its relatives",
)
def test_libraries_of_the_system_come_with_their_texts(folder: Path) -> None:
    assert list(folder.rglob("libstdc++.so.6"))
    assert "GCC" in (folder / "Licenses" / "system" / "libstdc++6.txt").read_text(encoding="utf-8")
    assert not list(folder.rglob("libreadline*"))


# --- On Windows -------------------------------------------------------------------------------------------

windows = pytest.mark.skipif(sys.platform != "win32", reason="an executable of Windows")


@windows
def test_nothing_is_missing_on_a_windows_without_python(folder: Path) -> None:
    from release.windows_dlls import missing

    assert missing(folder) == {}
    assert list((folder / "_internal" / "cv2").glob("opencv_videoio_ffmpeg*.dll")), "loaded by name, for videos"


@windows
def test_texts_of_windows_libraries_come_with_them(folder: Path) -> None:
    for name in ("msvc-runtime", "python-windows-libraries", "pygrabber", "comtypes"):
        assert (folder / "Licenses" / f"{name}.txt").stat().st_size > 500
    assert ".dll" in (folder / "Licenses" / "numpy.txt").read_text(encoding="utf-8"), "the wheel's for Windows"


@windows
def test_the_launchers_command_line(folder: Path, receiver: Receiver, tmp_path: Path) -> None:
    """One string, with quoted paths that end in backslashes; from a folder that is nobody's to write to."""
    before = sorted(folder.rglob("*"))
    models = shutil.copytree(folder / "models", tmp_path / "my models")
    line = (
        f'"{folder}\\facetracker.exe" --ip 127.0.0.1 --port {receiver.port} --model-dir "{models}\\" '
        f'--capture "{CLIP}" --repeat-video 1 --silent 1 --max-threads 1'
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    tracker = subprocess.Popen(line, cwd=folder, creationflags=subprocess.CREATE_NO_WINDOW, **pipes)
    try:
        receiver.wait_for(10)
    finally:
        tracker.kill()
        said = tracker.communicate()
    assert said == (b"", b"")
    assert sorted(folder.rglob("*")) == before, "it writes nothing beside itself"


@windows
def test_run_bat_from_the_question_to_tracking(folder: Path, receiver: Receiver) -> None:
    """At no camera it offers the sample clip, shows it, and waits for a key at the end."""
    listed = run(folder, "--list-cameras", 2).stdout
    if listed:
        pytest.skip("there is a camera, which would be asked for its modes")
    options = ["--port", str(receiver.port), "--repeat-video", "0"]
    script = subprocess.Popen(
        ["cmd", "/c", "run.bat", *options], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, bufsize=0,
    )  # fmt: skip
    try:
        shown = b""
        enter = b"\n" if WINE else b"\r\n"  # Wine's own reader of answers takes the other for a part of it
        for question, answer in ((b"]: ", enter), (b"continue", enter)):
            while question not in shown:
                more = script.stdout.read(4096)
                assert more, shown.decode(PIPE, "replace")
                shown += more
            script.stdin.write(answer)
        script.stdin.close()
        assert script.wait(60) == 0
    finally:
        script.kill()
        script.wait()
    assert b"(none)" in shown and b"Frames: 160" in shown and b"Tracking. The key q in the window ends it." in shown
    assert len(receiver.frames) > 150
