"""Starting the tracker where something is missing, odd or about to end: Python, packages, windows, the host program."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import write_clip
from desktop import press_until_it_ends
from program import ROOT, command, run, running
from receiver import Receiver

from output import window as window_module
from output.window import Window

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes are those of POSIX")


@pytest.fixture
def clip(tmp_path: Path, carphone_frames: list[np.ndarray]) -> Path:
    return write_clip(tmp_path / "clip.avi", carphone_frames[:10])


# --- Python -----------------------------------------------------------------------------------------------


def test_an_old_python_can_read_the_program_up_to_its_answer() -> None:
    """Whatever an older Python can't parse is imported after its version was looked at."""
    source = (ROOT / "facetracker.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    asked = next(i for i, node in enumerate(tree.body) if "version_info" in ast.unparse(node))
    before = [node for node in tree.body[:asked] if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert {alias.name for node in before for alias in node.names} <= {"annotations", "os", "sys"}


def old_python() -> str | None:
    candidates = [shutil.which("python3.9"), *Path.home().glob(".pyenv/versions/3.9.*/bin/python")]
    for python in filter(None, candidates):
        if subprocess.run([python, "-c", "pass"], capture_output=True).returncode == 0:
            return str(python)
    return None


def test_python_3_9_gets_one_sentence() -> None:
    python = old_python()
    if python is None:
        pytest.skip("there is no Python 3.9 here")
    done = subprocess.run([python, ROOT / "facetracker.py", "-c", "0"], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"facetracker: Python 3\.10 or later is needed, this is 3\.9\.\n", done.stderr)


def test_an_old_version_is_told(tmp_path: Path) -> None:
    script = (
        "import sys; sys.version_info = (3, 9, 18, 'final', 0)\n"
        f"sys.argv = ['facetracker.py']; exec(compile(open({str(ROOT / 'facetracker.py')!r}).read(), 'f', 'exec'))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "facetracker: Python 3.10 or later is needed, this is 3.9.\n")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 has no -P")
@pytest.mark.parametrize("how", ["-P", "PYTHONSAFEPATH"])
def test_a_careful_python(clip: Path, tmp_path: Path, how: str) -> None:
    options = ["-P"] if how == "-P" else []
    done = subprocess.run(
        [sys.executable, *options, ROOT / "facetracker.py", "-c", clip, "-p", "9", "--video-out", tmp_path / "o.avi"],
        env={**os.environ, **({} if options else {how: "1"})},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "Frames: 10" in done.stdout, done.stderr


# --- Packages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "package"),
    [("numpy", "numpy"), ("cv2", "opencv-python"), ("onnxruntime", "onnxruntime"), ("PIL", "pillow")],
)
def test_a_package_that_is_missing(clip: Path, module: str, package: str) -> None:
    script = (
        "import sys\n"
        f"class Missing:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: raise ModuleNotFoundError('No module named ' + repr(name), name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        f"import facetracker; sys.exit(facetracker.main(['-c', {str(clip)!r}, '-p', '9']))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"The package {package} is missing: install it with" in done.stderr
    assert f'"{sys.executable}" -m pip install {package}\n' in done.stderr


def test_a_package_that_lacks_a_library_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "cv2").mkdir()
    (tmp_path / "cv2" / "__init__.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')\n"
    )
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import facetracker; sys.exit(facetracker.main([]))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "opencv-python is there but can't be loaded (libGL.so.1" in done.stderr


def without_listing(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = (
        "import sys; sys.modules['cv2_enumerate_cameras'] = None\n"
        f"import facetracker; sys.exit(facetracker.main({list(arguments)!r}))\n"
    )
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)


def test_without_the_package_that_lists_cameras(clip: Path) -> None:
    """Guides name four packages; this is the fifth."""
    listed = without_listing("--list-cameras", "1")
    assert (listed.returncode, listed.stdout) == (0, "Available cameras:\n")
    assert listed.stderr.count("\n") == 1 and "pip install cv2-enumerate-cameras" in listed.stderr
    absent = without_listing("-c", "77")
    assert absent.returncode == 1 and absent.stderr.count("\n") == 1
    assert "cameras here: none" not in absent.stderr and "cv2-enumerate-cameras" in absent.stderr
    modes = without_listing("--list-dcaps", "77")
    assert "cameras here: none" not in modes.stderr and "cv2-enumerate-cameras" in modes.stderr
    tracked = without_listing("-c", str(clip), "-p", "9")
    assert tracked.returncode == 0 and "listed" not in tracked.stderr


# --- Windows ----------------------------------------------------------------------------------------------


def test_an_opencv_without_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module.cv2, "currentUIFramework", lambda: "")
    with pytest.raises(RuntimeError, match="opencv-python-headless.*install --force-reinstall opencv-python"):
        Window("x")


@pytest.mark.parametrize("settings", [{"QT_QPA_PLATFORM": "wayland"}, {"QT_QPA_PLATFORM": "nonsense"}])
def test_settings_that_opencvs_window_lacks(display: str, clip: Path, settings: dict[str, str]) -> None:
    environment = {"DISPLAY": display, "WAYLAND_DISPLAY": "wayland-0", **settings}
    result = run("-c", clip, "-v", 1, environment=environment)
    assert (result.code, result.err, len(result.frames)) == (0, [], 10)


@pytest.mark.skipif(sys.platform != "linux", reason="only there a missing display is known by DISPLAY")
def test_wayland_alone(clip: Path) -> None:
    environment = {"DISPLAY": "", "WAYLAND_DISPLAY": "wayland-0", "QT_QPA_PLATFORM": ""}
    result = run("-c", clip, "-v", 1, environment=environment)
    assert result.code == 1 and len(result.err) == 1 and "X11 or XWayland" in result.err[0]


@posix
def test_the_window_closes_while_a_pipe_is_silent(display: str) -> None:
    process = subprocess.Popen(
        command("--raw-rgb", 1, "-W", 64, "-H", 48, "-v", 1, "-p", 9),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "DISPLAY": display},
    )
    try:
        process.stdin.write(bytes(64 * 48 * 3))
        process.stdin.flush()
        press_until_it_ends(display, process, "^OpenSeeFace Visualization$", "alt+F4", 60)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


# --- The host program -------------------------------------------------------------------------------------


@posix
def test_the_tracker_ends_with_its_host(clip: Path, receiver: Receiver) -> None:
    host = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    options = ("--repeat-video", 1, "--silent", 1, "--parent-pid", host.pid)
    try:
        with running("-c", clip, *options, "--port", receiver.port) as process:
            receiver.wait_for(15)
            assert process.poll() is None
            host.kill()  # nobody waits for it: it stays as a zombie
            began = time.monotonic()
            assert process.wait(20) == 0
            assert time.monotonic() - began < 10
            assert process.stderr.read() == b""
    finally:
        host.kill()
        host.wait()


@posix
def test_a_host_that_dies_while_a_pipe_is_silent() -> None:
    host = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    process = subprocess.Popen(
        command("--raw-rgb", 1, "-W", 64, "-H", 48, "--parent-pid", host.pid, "-p", 9),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        process.stdin.write(bytes(64 * 48 * 3))
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"Took")
        host.kill()
        host.wait()
        assert process.wait(20) == 0
    finally:
        for child in (host, process):
            child.kill()
            child.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_host_that_is_not_there() -> None:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    result = run("--parent-pid", gone.pid)
    assert result.code == 1 and len(result.err) == 1 and f"--parent-pid {gone.pid}" in result.err[0]


@posix
def test_where_the_system_does_not_tell_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    from cli import parent

    monkeypatch.delattr(os, "pidfd_open", raising=False)
    taken: list[int] = []
    host = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    parent.end_with(host.pid, lambda: taken.append(1))
    time.sleep(0.4)
    assert not taken
    host.send_signal(signal.SIGKILL)
    host.wait()
    deadline = time.monotonic() + 10
    while not taken and time.monotonic() < deadline:
        time.sleep(0.05)
    assert taken


# --- The camera's place -----------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_camera_that_lies_on_its_side(carphone_frames: list[np.ndarray], tmp_path: Path, degrees: int) -> None:
    """The frame turned by the option is the frame as it was: packets of the two runs are the same."""
    frames = carphone_frames[:5]
    upright = write_clip(tmp_path / "upright.avi", frames)
    turned_back = [np.ascontiguousarray(np.rot90(frame, degrees // 90)) for frame in frames]
    lying = write_clip(tmp_path / "lying.avi", turned_back)
    expected, turned = run("-c", upright), run("-c", lying, "--rotate-input", degrees)
    assert turned.code == 0 and len(turned.frames) == 5
    for (one,), (other,) in zip(expected.frames, turned.frames, strict=True):
        assert one.size == other.size
        np.testing.assert_array_equal(one.points, other.points)
