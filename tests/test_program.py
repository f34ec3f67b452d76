"""The whole program, as a process with a real socket, on real faces and with the project's own models."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import write_clip
from desktop import press_until_it_ends, window_id
from PIL import Image, ImageGrab
from program import ROOT, TERMINATED, WINE, Result, command, run, running
from receiver import Receiver

from tracking.models import LANDMARK_MODELS


@pytest.fixture(scope="module")
def short_clip(carphone_frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames, in a folder and file whose names are hard to handle."""
    folder = tmp_path_factory.mktemp("clips") / "Gesicht & 顔 ü"
    folder.mkdir()
    return write_clip(folder / "a face, 100% é.avi", carphone_frames[:20])


@pytest.fixture(scope="module")
def short_run(short_clip: Path) -> Result:
    """What is sent for them."""
    result = run("-c", short_clip, "--silent", 1)
    assert result.code == 0 and len(result.frames) == 20
    return result


@pytest.fixture(scope="module")
def two_faces_clip(two_faces_frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "two.avi", two_faces_frames)


class Recorded:
    """A run over the whole clip with every file that the tracker can write."""

    def __init__(self, clip: Path, folder: Path) -> None:
        self.folder = folder
        self.began = time.time()
        self.result = run(
            *("-c", clip, "--log-data", folder / "data.csv", "--log-output", folder / "output.txt"),
            *("--video-out", folder / "video.avi", "--video-scale", 2, "--video-fps", 12.5),
        )
        self.ended = time.time()


@pytest.fixture(scope="module")
def recorded(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(carphone, tmp_path_factory.mktemp("recorded"))


def read_video(path: Path) -> list[np.ndarray]:
    video, frames = cv2.VideoCapture(str(path)), []
    while (frame := video.read())[0]:
        frames.append(frame[1])
    return frames


def landmarks(result: Result) -> np.ndarray:
    """x, y of the 66 landmarks of the only face in each frame, (frames, 66, 2)."""
    assert all(len(frame) == 1 for frame in result.frames)
    return np.array([frame[0].points for frame in result.frames]).reshape(-1, 68, 2)[:, :66]


# --- Packets ---------------------------------------------------------------------------------------------


def test_every_frame_of_a_real_face_is_sent(recorded: Recorded, carphone_frames: list[np.ndarray]) -> None:
    result = recorded.result
    assert (result.code, result.err) == (0, [])
    assert len(result.frames) == len(carphone_frames) == 120
    assert all(len(frame) == 1 for frame in result.frames)
    faces = [frame[0] for frame in result.frames]
    times = [face.time for face in faces]
    assert all(before < after for before, after in zip(times, times[1:], strict=False))
    assert recorded.began < times[0] and times[-1] < recorded.ended
    assert all(face.id == 0 and face.success == 1 and face.size == (176, 144) for face in faces)
    assert all(0 < face.error < 10 for face in faces)
    assert all(0 <= eye <= 1 for face in faces for eye in face.eyes)
    assert all(abs(np.linalg.norm(face.quaternion) - 1) < 1e-5 for face in faces)
    assert all(face.translation[2] < 0 for face in faces)  # the branch that receivers expect
    assert all(-1.5 <= value <= 1.5 for face in faces for value in face.features)
    assert np.mean([face.confidence[:66] for face in faces]) > 0.6


def test_landmarks_are_on_the_face(recorded: Recorded) -> None:
    points = landmarks(recorded.result)
    assert (points > 0).all() and (points < (176, 144)).all()
    eyes, mouth, chin = points[:, 36:48].mean(1), points[:, 48:66].mean(1), points[:, 8]
    assert (eyes[:, 1] < mouth[:, 1]).all() and (mouth[:, 1] < chin[:, 1]).all()
    # The person's right eye is at the left of the picture.
    assert (points[:, 36:42, 0].mean(1) < points[:, 42:48, 0].mean(1)).all()
    pupils = np.array([frame[0].points for frame in recorded.result.frames]).reshape(-1, 68, 2)[:, 66:]
    for pupil, corners in ((pupils[:, 0], (36, 39)), (pupils[:, 1], (42, 45))):
        ends = points[:, corners]
        width = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
        assert (np.linalg.norm(pupil - ends.mean(1), axis=1) < width).all()


def test_sample_clip_is_tracked() -> None:
    clip = ROOT / "samples" / "talking_head.mp4"
    result = run("-c", clip)
    assert (result.code, result.err) == (0, [])
    assert len(result.frames) == len(read_video(clip)) > 24
    assert all(len(frame) == 1 and frame[0].error < 10 for frame in result.frames)
    assert result.out[-3].startswith("Average tracking time per detected face: ")


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper"])
def test_one_face_in_a_photograph(name: str, request: pytest.FixtureRequest) -> None:
    result = run("-c", request.getfixturevalue(name), "--faces", 3)
    assert (result.code, result.err) == (0, [])
    assert [len(frame) for frame in result.frames] == [1]
    assert result.frames[0][0].error < 20


def test_raw_frames_are_red_green_blue(short_run: Result, carphone_frames: list[np.ndarray]) -> None:
    size = ("-W", 176, "-H", 144, "--raw-rgb", 1)
    rgb, bgr = (
        b"".join(np.ascontiguousarray(f[:, :, ::step]).tobytes() for f in carphone_frames[:20]) for step in (-1, 1)
    )
    piped = run(*size, stdin=rgb)
    assert (piped.code, piped.err) == (0, [])
    assert len(piped.frames) == 20
    np.testing.assert_allclose(landmarks(piped), landmarks(short_run), atol=1e-3)
    swapped = run(*size, stdin=bgr)
    assert len(swapped.frames) != 20 or abs(landmarks(swapped) - landmarks(piped)).max() > 1e-2


def test_animated_gif(carphone_frames: list[np.ndarray], short_run: Result, tmp_path: Path) -> None:
    pictures = [Image.fromarray(frame[:, :, ::-1]) for frame in carphone_frames[:8]]
    pictures[0].save(tmp_path / "face.gif", save_all=True, append_images=pictures[1:], duration=40)
    result = run("-c", tmp_path / "face.gif")
    assert (result.code, result.err) == (0, [])
    assert len(result.frames) == 8
    # 256 colours a frame move the points a little.
    assert np.median(abs(landmarks(result) - landmarks(short_run)[:8])) < 1


def test_mirrored_input(carphone_frames: list[np.ndarray], short_run: Result, tmp_path: Path) -> None:
    mirrored = write_clip(tmp_path / "mirrored.avi", [frame[:, ::-1].copy() for frame in carphone_frames[:20]])
    twice = run("-c", mirrored, "--mirror-input")
    assert (twice.code, len(twice.frames)) == (0, 20)
    np.testing.assert_allclose(landmarks(twice), landmarks(short_run), atol=1e-3)


def test_two_faces_keep_their_ids(two_faces_clip: Path) -> None:
    result = run("-c", two_faces_clip, "--faces", 2, "--max-threads", 2, "--face-id-offset", 5)
    assert (result.code, result.err) == (0, [])
    assert len(result.frames) == 12
    assert all([face.id for face in frame] == [5, 6] for frame in result.frames)
    for slot in (0, 1):
        x = [np.mean(frame[slot].points[0:132:2]) for frame in result.frames]
        assert max(x) < 320 or min(x) > 320  # each id stays on its side
    assert all(face.error < 20 for frame in result.frames for face in frame)
    assert any(line.startswith("Confidence[6]: ") for line in result.out)


def test_ipv6_and_several_receivers(short_clip: Path, receiver: Receiver) -> None:
    others = Receiver("::1"), Receiver()
    destinations = f"::1,127.0.0.1:{others[1].port},localhost:{receiver.port}"
    with running("-c", short_clip, "--ip", destinations, "--port", others[0].port) as process:
        assert process.wait(60) == 0
    assert len(receiver.close()) == 20
    assert others[0].close() == others[1].close() == receiver.close()


def test_without_a_face(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "grey.avi", [np.full((120, 160, 3), 128, np.uint8)] * 5)
    result = run("-c", clip, "--log-data", tmp_path / "data.csv")
    assert (result.code, result.err, result.frames) == (0, [], [])
    assert len(result.out) == 5 and all(line.startswith("Took ") for line in result.out)
    assert len((tmp_path / "data.csv").read_text().splitlines()) == 1


# --- Console, logs and pictures ---------------------------------------------------------------------------


def test_console_lines(recorded: Recorded) -> None:
    took = re.compile(
        r"Took [\d.]+ms \(detect: [\d.]+ms, crop: [\d.]+ms, track: [\d.]+ms, 3D points: [\d.]+ms\)$"
    )
    face = re.compile(r"Confidence\[0\]: [01]\.\d{4} / 3D fitting error: \d+\.\d{4} / Eyes: [O-], [O-]$")
    lines = recorded.result.out
    assert len(lines) == 2 * 120 + 3
    assert all(took.match(line) for line in lines[0:240:2])
    assert all(face.match(line) for line in lines[1:240:2])
    average = re.match(r"Average tracking time per detected face: (\d+\.\d\d) ms$", lines[240])
    total = re.match(r"Tracking time: (\d+\.\d{3}) s$", lines[241])
    assert average and total and lines[242] == "Frames: 120"
    assert float(average[1]) == pytest.approx(1000 * float(total[1]) / 120, abs=0.02)


def test_output_log_is_a_copy(recorded: Recorded) -> None:
    assert (recorded.folder / "output.txt").read_text().splitlines() == recorded.result.out


def test_silent(short_run: Result) -> None:
    assert (short_run.out, short_run.err) == ([], [])


def test_data_log_holds_what_was_sent(recorded: Recorded) -> None:
    assert b"\r\n" in (recorded.folder / "data.csv").read_bytes()[:20000]
    with open(recorded.folder / "data.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert len(rows) == 120 and {len(row) for row in rows} == {len(header)}
    assert header[:5] == ["Frame", "Time", "Width", "Height", "FPS"]
    for number, (row, (face,)) in enumerate(zip(rows, recorded.result.frames, strict=True), start=1):
        values = dict(zip(header, map(float, row), strict=True))
        assert values["Frame"] == number
        assert values["Time"] == pytest.approx(face.time, abs=1e-5)
        assert (values["Width"], values["Height"], values["FaceID"]) == (176, 144, 0)
        assert values["FPS"] == pytest.approx(30000 / 1001)  # the file's own
        sent = {
            **dict(zip(("RightOpen", "LeftOpen"), face.eyes, strict=True)),
            "PnPError": face.error,
            **{f"RotationQuat.{axis}": value for axis, value in zip("XYZW", face.quaternion, strict=True)},
            **{f"Euler.{axis}": value for axis, value in zip("XYZ", face.euler, strict=True)},
            **{f"TVec.{axis}": value for axis, value in zip("XYZ", face.translation, strict=True)},
            "Landmark[0].X": face.points[0],
            "Landmark[0].Y": face.points[1],
            "Landmark[67].Confidence": face.confidence[67],
            "Point3D[0].X": face.points_3d[0],
            "Point3D[69].Y": face.points_3d[-2],
            "Point3D[69].Z": face.points_3d[-1],
            "eye_l": face.features[0],
            "mouth_wide": face.features[13],
        }
        for name, value in sent.items():
            assert values[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name


def test_video_shows_the_points(recorded: Recorded, carphone_frames: list[np.ndarray]) -> None:
    video = cv2.VideoCapture(str(recorded.folder / "video.avi"))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    assert int(video.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").upper() == b"FFV1"
    pictures = read_video(recorded.folder / "video.avi")
    assert len(pictures) == 120 and pictures[0].shape == (288, 352, 3)
    for i in (0, 60, 119):
        # Each pixel is there 2 x 2 times; it differs from the input where points were drawn and nowhere far off.
        picture = pictures[i][::2, ::2]
        np.testing.assert_array_equal(pictures[i], picture.repeat(2, 0).repeat(2, 1))
        difference = abs(picture.astype(int) - carphone_frames[i]).max(2)
        points = landmarks(recorded.result)[i].round().astype(int)
        assert (difference[points[:, 1], points[:, 0]] > 20).mean() > 0.8
        left, top = points.min(0) - 12
        right, bottom = points.max(0) + 12
        difference[max(top, 0) : bottom, max(left, 0) : right] = 0
        assert difference.max() == 0


TITLE = "OpenSeeFace Visualization"


def test_window_and_dumped_points(
    display: str, two_faces_clip: Path, two_faces_frames: list[np.ndarray], receiver: Receiver, tmp_path: Path
) -> None:
    dump = tmp_path / "shape.csv"
    options = ("-v", 4, "-P", 2, "--repeat-video", 1, "--faces", 2, "--dump-points", dump, "--port", receiver.port)
    with running("-c", two_faces_clip, *options, environment={"DISPLAY": display}) as process:
        receiver.wait_for(15)
        window_id(display, TITLE)
        shot = np.asarray(ImageGrab.grab(xdisplay=display).convert("RGB"))[:, :, ::-1]
        if keep := os.environ.get("KEEP_SCREENSHOT"):
            cv2.imwrite(keep, shot)
        assert not dump.exists()
        press_until_it_ends(display, process, TITLE, "q", 30)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    assert b"Average tracking time" in out
    # The picture is on the screen, and much of the faces is covered by points and numbers.
    found = cv2.matchTemplate(shot, two_faces_frames[0][300:, 100:300], cv2.TM_SQDIFF_NORMED)
    assert found.min() < 0.05
    shape = np.loadtxt(dump, delimiter=",", skiprows=1)
    assert shape.shape == (70, 4)
    np.testing.assert_allclose(shape[0, 1:] * (-1, 1, 1), shape[16, 1:], atol=1e-6)


# --- The end ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number: signal.Signals, short_clip: Path, receiver: Receiver, tmp_path: Path) -> None:
    files = ("--log-data", tmp_path / "data.csv", "--video-out", tmp_path / "video.avi")
    with running("-c", short_clip, "--repeat-video", 1, "--port", receiver.port, *files) as process:
        receiver.wait_for(45)  # more than two rounds
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    lines = out.decode().splitlines()
    assert ("Quitting" in lines) == (number == signal.SIGINT)
    frames = len(receiver.close())
    assert lines[-1] == f"Frames: {frames}"
    with open(tmp_path / "data.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert len(rows) == frames and {len(row) for row in rows} == {len(header)}
    assert len(read_video(tmp_path / "video.avi")) == frames


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
def test_interrupted_while_it_waits_for_a_frame(carphone_frames: list[np.ndarray], receiver: Receiver) -> None:
    raw = command("--raw-rgb", 1, "-W", 176, "-H", 144, "--port", receiver.port)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(raw, **pipes) as process:
        process.stdin.write(carphone_frames[0][:, :, ::-1].tobytes())
        process.stdin.flush()
        receiver.wait_for(1)
        time.sleep(0.5)  # now it waits for the second
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == b""
        lines = process.stdout.read().decode().splitlines()
    assert lines[2] == "Quitting" and lines[-1] == "Frames: 1"


def whole_rows(path: Path) -> list[list[float]]:
    """The numbers of every full line of a data log but the header."""
    data = path.read_bytes()
    header, *rows = csv.reader(data[: data.rindex(b"\r\n")].decode().split("\r\n"))
    assert {len(row) for row in rows} <= {len(header)}
    return [list(map(float, row)) for row in rows]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows kills a process in another way")
@pytest.mark.parametrize("frames", [1, 17, 61])
def test_killed(frames: int, short_clip: Path, receiver: Receiver, tmp_path: Path) -> None:
    """Every full line of the log parses, and the video opens and holds every frame that was drawn."""
    log, video = tmp_path / "data.csv", tmp_path / "video.avi"
    files = ("--log-data", log, "--video-out", video)
    with running("-c", short_clip, "--repeat-video", 1, "--port", receiver.port, *files) as process:
        receiver.wait_for(frames)
        process.kill()
        process.communicate(timeout=30)  # the pipes close when the process that writes the video has ended, too
    sent = len(receiver.close())
    rows = whole_rows(log)
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1)) and sent - 1 <= len(rows) <= sent
    assert sent - 2 <= len(read_video(video)) <= sent


def test_a_disk_that_fills_up(small_disk: Path, carphone: Path) -> None:
    log = small_disk / "data.csv"
    result = run("-c", carphone, "--log-data", log, "--silent", 1)
    assert result.code == 0 and len(result.frames) == 120
    assert len(result.err) == 1 and str(log) in result.err[0] and "No space left" in result.err[0]
    assert log.read_bytes().endswith(b"\r\n") and 0 < len(whole_rows(log)) < 120


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
import facetracker
{prepare}
sys.exit(facetracker.main(sys.argv[1:]))
"""


def run_prepared(prepare: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The program after these lines of Python."""
    script = SCRIPT.format(root=str(ROOT), prepare=prepare)
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


def test_thirty_frames_in_a_row_that_fail_end_the_run(carphone: Path, receiver: Receiver) -> None:
    """With one line for the first of them, and one for the last."""
    prepare = (
        "import tracking.detection, tracking.landmarks\n"
        "def fail(*_): raise MemoryError('no room for\\n a tensor')\n"
        "tracking.detection.FaceDetector.infer = tracking.landmarks.LandmarkModel.infer = fail\n"
    )
    ended = run_prepared(prepare, "-c", carphone, "--port", receiver.port)
    assert ended.returncode == 1 and receiver.frames == []
    first, last = ended.stderr.splitlines()
    assert first == "Frame 1 could not be tracked (MemoryError: no room for a tensor); tracking goes on."
    assert last == "30 frames in a row could not be tracked (MemoryError: no room for a tensor)."


def test_a_detector_that_breaks_later_leaves_the_face_that_is_there(carphone: Path, receiver: Receiver) -> None:
    prepare = (
        "import tracking.detection as detection\n"
        "runs, infer = [], detection.FaceDetector.infer\n"
        "def once(self, tensor):\n"
        "    runs.append(1)\n"
        "    if len(runs) > 1: raise RuntimeError('gone')\n"
        "    return infer(self, tensor)\n"
        "detection.FaceDetector.infer = once\n"
    )
    ended = run_prepared(prepare, "-c", carphone, "--port", receiver.port, "--faces", 2)
    assert ended.returncode == 0
    assert [len(frame) for frame in receiver.frames] == [1] * 120
    (line,) = ended.stderr.splitlines()
    assert "A face detector fails" in line and "RuntimeError: gone" in line


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not list the sockets of a process")
def test_no_port_is_opened(short_clip: Path, receiver: Receiver) -> None:
    """Its only sockets are connected to the receivers, so that nobody else's datagrams come in."""
    psutil = pytest.importorskip("psutil")
    options = ("--ip", "127.0.0.1,localhost", "--port", receiver.port)
    with running("-c", short_clip, "--repeat-video", 1, *options) as process:
        receiver.wait_for(10)
        tracker = psutil.Process(process.pid)
        found = [c for p in (tracker, *tracker.children(recursive=True)) for c in p.net_connections(kind="inet")]
    assert len(found) == 2
    assert {(c.type, c.raddr) for c in found} == {(socket.SOCK_DGRAM, ("127.0.0.1", receiver.port))}


def test_nothing_is_written_but_where_it_is_told(short_clip: Path, receiver: Receiver, tmp_path: Path) -> None:
    """By Python's audit events, and by what is new in the folders that libraries like to use."""
    told, elsewhere = tmp_path / "told", tmp_path / "elsewhere"
    told.mkdir()
    elsewhere.mkdir()
    prepare = (
        f"import os, sys; sys.dont_write_bytecode = True; os.chdir({str(elsewhere)!r})\n"
        "def hook(event, arguments):\n"
        "    if event == 'open' and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):\n"
        "        print('WRITES', arguments[0], file=sys.stderr)\n"
        "    if event in ('socket.bind', 'subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'os.remove'):\n"
        "        print('DOES', event, arguments, file=sys.stderr)\n"
        "sys.addaudithook(hook)\n"
    )
    files = ("--log-data", told / "data.csv", "--log-output", told / "output.txt")
    folders = {name: str(elsewhere) for name in ("HOME", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME", "APPDATA")}
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
        for name, value in folders.items():
            patch.setenv(name, value)
        ended = run_prepared(prepare, "-c", short_clip, "--port", receiver.port, *files)
    assert ended.returncode == 0 and len(receiver.frames) == 20
    noted = [line for line in ended.stderr.splitlines() if line.startswith(("WRITES", "DOES"))]
    if sys.platform == "win32" and sys.version_info < (3, 12):  # Python's `platform`, which onnxruntime asks
        noted = [line for line in noted if "/c \"ver\"" not in line and line != "WRITES nul"]
    assert sorted(noted) == [f"WRITES {told / 'data.csv'}", f"WRITES {told / 'output.txt'}"]
    assert sorted(path.name for path in told.iterdir()) == ["data.csv", "output.txt"]
    assert list(elsewhere.iterdir()) == []


# --- Bad input --------------------------------------------------------------------------------------------


def damaged_models(folder: Path, name: str) -> Path:
    shutil.copytree(ROOT / "models", folder / "models")
    (folder / "models" / name).write_bytes(b"this is no model")
    return folder / "models"


def file_with(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


BAD_INPUT = {
    "no such file": (1, ["-c", "{folder}/missing.mp4"], "missing.mp4"),
    "no video": (1, ["-c", "{folder}/text.mp4"], "text.mp4"),
    "an empty file": (1, ["-c", "{folder}/empty.mp4"], "empty.mp4"),
    "a video without frames": (1, ["-c", "{folder}/no frames.avi"], "no frames.avi"),
    "half a video": (1, ["-c", "{folder}/half.mp4"], "half.mp4"),
    "no such camera": (1, ["-c", "99"], "99"),
    "no such device": (1, ["-c", "/dev/video99"], "/dev/video99"),
    "a folder": (1, ["-c", "{folder}"], "{folder}"),
    "nothing on standard input": (1, ["--raw-rgb", "1"], "standard input"),
    "no width": (2, ["-c", "{clip}", "-W", "0"], "--width"),
    "a port out of range": (2, ["-c", "{clip}", "-p", "70000"], "--port"),
    "an unknown option": (2, ["--camera", "0"], "--camera"),
    "an unknown model": (2, ["--model", "7"], "--model"),
    "an unknown host": (1, ["-c", "{clip}", "-i", "no-such-host.invalid"], "no-such-host.invalid"),
    "a data log in no folder": (1, ["-c", "{clip}", "--log-data", "{folder}/none/data.csv"], "none/data.csv"),
    "an output log in no folder": (1, ["-c", "{clip}", "--log-output", "{folder}/none/log.txt"], "none/log.txt"),
    "a video in no folder": (1, ["-c", "{clip}", "--video-out", "{folder}/none/out.avi"], "none/out.avi"),
    "a video of a wrong kind": (1, ["-c", "{clip}", "--video-out", "{folder}/out.txt"], ".txt"),
    "a model folder without models": (2, ["-c", "{clip}", "--model-dir", "{folder}"], "lm_model3_opt.onnx"),
    "a missing model folder": (2, ["-c", "{clip}", "--model-dir", "{folder}/none"], "{folder}/none"),
    "a damaged model": (1, ["-c", "{clip}", "--model-dir", "{damaged}"], "lm_model3_opt.onnx"),
    "capabilities of no camera": (1, ["-a", "99"], "99"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gets_one_sentence(
    case: str, short_clip: Path, carphone: Path, carphone_frames: list[np.ndarray], tmp_path: Path
) -> None:
    file_with(tmp_path / "text.mp4", b"This is no video.\n" * 200)
    file_with(tmp_path / "empty.mp4", b"")
    file_with(tmp_path / "half.mp4", carphone.read_bytes()[: carphone.stat().st_size // 2])
    write_clip(tmp_path / "no frames.avi", carphone_frames[:1])
    header = (tmp_path / "no frames.avi").read_bytes()
    file_with(tmp_path / "no frames.avi", header[: header.index(b"movi") + 4])
    places = {"folder": tmp_path, "clip": short_clip}
    code, arguments, named = BAD_INPUT[case]
    if "{damaged}" in arguments:
        places["damaged"] = damaged_models(tmp_path / "damaged", "lm_model3_opt.onnx")
    result = run(*(argument.format(**places) for argument in arguments))
    assert result.code == code
    assert result.frames == []
    assert len(result.err) == 1, result.err
    assert named.format(**places).replace("\\", "/") in result.err[0].replace("\\", "/")
    assert "Traceback" not in result.err[0] + " ".join(result.out)


def test_a_missing_model_is_told_with_those_that_are_there(short_clip: Path, tmp_path: Path) -> None:
    for number in (0, -3):
        shutil.copy(next((ROOT / "models").glob("lm_model*.onnx")), tmp_path / LANDMARK_MODELS[number].file)
    result = run("-c", short_clip, "--model-dir", tmp_path, "--model", 4)
    assert result.code == 2 and len(result.err) == 1
    assert all(part in result.err[0] for part in ("lm_model4_opt.onnx", str(tmp_path), "-3, 0"))


def test_standard_input_that_ends_in_a_frame(carphone_frames: list[np.ndarray], tmp_path: Path) -> None:
    rgb = b"".join(frame[:, :, ::-1].tobytes() for frame in carphone_frames[:6])
    options = ("-W", 176, "-H", 144, "--raw-rgb", 1, "--log-data", tmp_path / "data.csv")
    result = run(*options, stdin=rgb[:-1000])
    assert result.code == 1
    assert len(result.err) == 1 and "frame 6" in result.err[0]
    assert len(result.frames) == 5
    assert result.out[-1] == "Frames: 5"
    with open(tmp_path / "data.csv", newline="") as file:
        assert len(list(csv.reader(file))) == 6


def test_truncated_video(carphone_frames: list[np.ndarray], tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", carphone_frames[:20])
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    result = run("-c", clip, "--log-data", tmp_path / "data.csv")
    assert result.code == 1
    assert len(result.err) == 1 and "clip.avi" in result.err[0]
    assert 5 <= len(result.frames) <= 12
    with open(tmp_path / "data.csv", newline="") as file:
        assert len(list(csv.reader(file))) == len(result.frames) + 1


def test_an_input_that_fails_leaves_earlier_files_alone(tmp_path: Path) -> None:
    kept = file_with(tmp_path / "data.csv", b"yesterday's data")
    assert run("-c", tmp_path / "missing.mp4", "--log-data", kept).code == 1
    assert kept.read_bytes() == b"yesterday's data"


def test_no_receiver_is_one_warning(short_clip: Path) -> None:
    closed = Receiver()
    closed.close()
    with running("-c", short_clip, "--port", closed.port) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(err.splitlines()) == 1 and str(closed.port) in err.decode()
    assert out.decode().splitlines()[-1] == "Frames: 20"


@pytest.mark.skipif(sys.platform != "linux", reason="only there a missing display is known by DISPLAY")
def test_window_without_a_display(short_clip: Path) -> None:
    nothing = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""}
    result = run("-c", short_clip, "-v", 1, environment=nothing)
    assert result.code == 1 and len(result.err) == 1 and "display" in result.err[0]


def test_the_reader_of_the_output_goes_away(short_clip: Path, receiver: Receiver) -> None:
    with running("-c", short_clip, "--repeat-video", 1, "--port", receiver.port) as process:
        receiver.wait_for(5)
        process.stdout.close()
        assert process.wait(30) == 0
        assert b"Nobody reads the output any more" in process.stderr.read()
    with running("-c", short_clip, "--repeat-video", 1, "--silent", 1, "--port", receiver.port) as process:
        process.stdout.close()
        receiver.wait_for(len(receiver.datagrams) + 45)
        process.terminate()
        assert process.wait(30) == TERMINATED


# --- A camera that misbehaves -----------------------------------------------------------------------------


def faulty_camera(fault: str, speed: float, clip: Path, *options: object, **settings: dict[str, str]):
    return running(fault, speed, clip, "-F", 0, *options, program="tests/faulty_camera.py", **settings)


@pytest.mark.parametrize("fault", ["unplugged", "throws", "blocks", "is empty"])
def test_a_camera_that_is_gone_for_thirty_seconds(fault: str, carphone: Path, receiver: Receiver) -> None:
    with faulty_camera(fault, 10, carphone, "--port", receiver.port) as process:
        lines = [process.stderr.readline().decode() for _ in range(2)]
        receiver.wait_for(len(receiver.datagrams) + 5)
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert process.returncode == TERMINATED and err == b""
    assert "'HD Webcam' sends no pictures" in lines[0] and "waiting up to 60 s" in lines[0]
    assert re.search(r"'HD Webcam' is back after [2-5]\d s", lines[1])
    assert [face.id for frame in receiver.frames for face in frame] == [0] * len(receiver.frames)


def test_a_camera_that_stays_away_ends_the_run(carphone: Path, receiver: Receiver) -> None:
    with faulty_camera("away", 40, carphone, "--port", receiver.port) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    lost, given_up = err.decode().splitlines()
    assert "sends no pictures" in lost
    assert re.search(r"'HD Webcam' has sent no picture for 6\d s and is given up", given_up)
    assert len(receiver.close()) > 0
    assert re.match(r"Frames: \d+$", out.decode().splitlines()[-1])


@pytest.mark.skipif(WINE, reason="a clock that runs 60 times as fast, and a system that starts slowly")
@pytest.mark.parametrize("fault", ["is black", "is larger", "has other channels"])
def test_a_camera_that_changes_in_mid_stream(fault: str, carphone: Path, receiver: Receiver) -> None:
    """The size in the packet and the camera's matrix follow; the face keeps its number."""
    with faulty_camera(fault, 60, carphone, "--port", receiver.port) as process:
        receiver.wait_for(40)
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (TERMINATED, b"")
    faces = [face for frame in receiver.frames for face in frame]
    assert len(faces) == len(receiver.frames) and {face.id for face in faces} == {0}
    expected = [(176, 144), (352, 288)] if fault == "is larger" else [(176, 144)]
    sizes = [face.size for face in faces]
    assert list(dict.fromkeys(sizes)) == expected
    # The head is where it was in space, as the camera's focal length is its width: only the picture has grown.
    first, last = faces[5], faces[-1]
    assert last.translation[2] == pytest.approx(first.translation[2], rel=0.25)
    assert max(face.error / face.size[0] for face in faces) < 0.05


@pytest.mark.parametrize("fault", ["away", "silent"], ids=["lost in mid-stream", "without any picture"])
def test_q_in_the_window_while_the_camera_sends_nothing(
    fault: str, display: str, carphone: Path, receiver: Receiver
) -> None:
    options = ("-v", 1, "--port", receiver.port)
    with faulty_camera(fault, 1, carphone, *options, environment={"DISPLAY": display}) as process:
        lost = process.stderr.readline().decode()
        assert "sends no pictures" in lost and "waiting up to 60 s" in lost
        window_id(display, TITLE)
        began = time.monotonic()
        press_until_it_ends(display, process, TITLE, "q", 50)
        _, err = process.communicate(timeout=50)
    assert (process.returncode, err) == (0, b"")
    assert time.monotonic() - began < 30, "long before the camera is given up"


# --- Where the networks run ------------------------------------------------------------------------------


def test_an_execution_provider_that_is_not_there_is_one_line(
    short_clip: Path, short_run: Result, tmp_path: Path
) -> None:
    log = tmp_path / "output.txt"
    result = run("-c", short_clip, "--execution-provider", "frobnicate", "--silent", 1, "--log-output", log)
    assert result.code == 0 and len(result.err) == 1
    assert "'frobnicate'" in result.err[0] and "cpu" in result.err[0]
    assert log.read_text().splitlines()[0] == result.err[0]
    np.testing.assert_array_equal(landmarks(result), landmarks(short_run))


# --- Other modes ------------------------------------------------------------------------------------------


def test_lists_of_cameras() -> None:
    with_ids, names = run("--list-cameras", 1), run("--list-cameras", 2)
    assert with_ids.code == names.code == 0
    assert with_ids.out[0] == "Available cameras:"
    assert [line.split(": ", 1)[1] for line in with_ids.out[1:]] == names.out
    formats = run("--list-dcaps", -1)
    assert formats.code == 0
    assert [line for line in formats.out if not line.startswith("    ")] == with_ids.out[1:]


def test_light_start() -> None:
    """Thread limits come before the libraries that read them, and lists come without the models' library."""
    script = (
        "import os, sys, facetracker\n"
        "assert not {'numpy', 'cv2', 'onnxruntime'} & set(sys.modules), 'loaded too early'\n"
        "assert facetracker.main(['--list-cameras', '2', '--max-threads', '3']) == 0\n"
        "assert os.environ['OMP_NUM_THREADS'] == os.environ['OPENBLAS_NUM_THREADS'] == '3'\n"
        "import cv2\n"
        "assert cv2.getNumThreads() == 3\n"
        "assert 'onnxruntime' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_benchmark() -> None:
    result = run("--benchmark", 1, "--priority", 4, "--max-threads", 1, "--execution-provider", "frobnicate")
    assert sum("'frobnicate'" in line for line in result.err) == 1
    speeds = [float(line) for line in result.out]
    order = (3, 2, 1, 0, -1, -2, -3)
    missing = [not (ROOT / "models" / LANDMARK_MODELS[model].file).exists() for model in order]
    assert result.code == 0
    assert [speed == 0 for speed in speeds] == missing
    for model, absent in zip(order, missing, strict=True):
        assert any(LANDMARK_MODELS[model].file in line for line in result.err) == absent


def test_unforeseen_errors_have_no_traceback_but_a_way_to_it(tmp_path: Path) -> None:
    script = (
        "import sys, facetracker\n"
        "def fail(*_): raise KeyError('lost\\nkey')\n"
        "facetracker.run = fail\n"
        "sys.exit(facetracker.main([]))\n"
    )
    hidden, shown = (
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "FACETRACKER_TRACEBACK": value},
            capture_output=True,
            text=True,
        )
        for value in ("", "1")
    )
    assert hidden.returncode == shown.returncode == 1
    assert hidden.stderr.count("\n") == 1 and "FACETRACKER_TRACEBACK" in hidden.stderr
    assert "Traceback" in shown.stderr and "KeyError" in shown.stderr
