"""What is drawn, the window on a virtual display, and the video file."""

import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from desktop import press_until_it_ends, window_id, xdotool
from make_faces import make_face

from output import video
from output.drawing import draw
from output.video import VideoSink
from tracking.face_shape import REFERENCE_SHAPE
from tracking.pose import project, solve


def posed_face(width=640, height=360, **changes):
    """A face that looks straight ahead from the middle of the frame."""
    rotation = cv2.Rodrigues(np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]]))[0].ravel()
    depth = -max(3.0, 2.2 * width / height)  # the face is at most half as high as the frame
    aside = depth * (height - width) / (2 * width)  # the camera's centre is at row width/2, column height/2
    translation = np.array([aside, -aside, depth])
    seen = project(REFERENCE_SHAPE[:68], rotation, translation, width, height)
    (x, y), (right, bottom) = seen[:66, ::-1].min(axis=0), seen[:66, ::-1].max(axis=0)
    face = make_face(
        lms=np.column_stack([seen, np.ones(68)]),
        rotation=rotation,
        translation=translation,
        face_3d=REFERENCE_SHAPE,
        bbox=(x, y, right - x, bottom - y),
    )
    for name, value in changes.items():
        setattr(face, name, value)
    return face


def grey(height=360, width=640) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def changed(picture: np.ndarray) -> np.ndarray:
    return (picture != 100).any(axis=2)


def test_the_test_face_is_one_the_tracker_could_give():
    face = posed_face()
    pose = solve(REFERENCE_SHAPE, face.lms[:66], 640, 360)
    np.testing.assert_allclose(pose.translation, face.translation, atol=0.01)


def test_draws_on_a_copy():
    frame = grey()
    picture = draw(frame, [posed_face()], 4, 2)
    assert picture.shape == frame.shape and picture.dtype == np.uint8 and picture is not frame
    assert (frame == 100).all()
    assert (draw(frame, [], 4, 2) == frame).all()
    assert (draw(frame, [posed_face()], 0) == frame).all()


@pytest.mark.parametrize("size", [(144, 176), (360, 640), (500, 333), (1080, 1920)])
def test_points_lie_where_they_were_found(size):
    """The colour of each drawn point's middle; between the points the frame is as it was."""
    face = posed_face(size[1], size[0])
    picture = draw(grey(*size), [face], 1)
    for row, column in np.delete(face.lms[:66, :2], range(36, 48), axis=0).round().astype(int):  # no pupils
        blue, green, red = picture[row, column].astype(int)
        assert green > 130 and green > red + 40, (row, column, picture[row, column])
    rows, columns = np.nonzero(changed(picture))
    distance = np.hypot(rows[:, None] - face.lms[:, 0], columns[:, None] - face.lms[:, 1]).min(axis=1)
    assert distance.max() < max(6, size[0] / 40)


def test_colour_tells_confidence():
    face = posed_face()
    sure, unsure = face.lms.copy(), face.lms.copy()
    unsure[:, 2] = 0
    row, column = face.lms[8, :2].round().astype(int)
    green = draw(grey(), [posed_face(lms=sure)], 1)[row, column]
    red = draw(grey(), [posed_face(lms=unsure)], 1)[row, column]
    assert green[1] > green[2] and red[2] > red[1]


def test_each_level_adds_something():
    pictures = [draw(grey(), [posed_face()], level) for level in range(5)]
    drawn = [int(changed(picture).sum()) for picture in pictures]
    assert drawn[0] == 0 and drawn == sorted(set(drawn))
    one, two, with_offset = (draw(grey(), [posed_face(id=i)], 2, 0, offset) for i, offset in ((1, 0), (2, 0), (0, 2)))
    assert (one != two).any() and (two == with_offset).all()


def test_pose_points():
    face = posed_face()
    nothing, fitted, all_points = (draw(grey(), [face], 0, pnp_points) for pnp_points in range(3))
    assert not changed(nothing).any()
    assert 0 < changed(fitted).sum() < changed(all_points).sum()
    for i in (0, 8, 16):  # rings: untouched in the middle, drawn beside it
        row, column = face.lms[i, :2].round().astype(int)
        assert changed(fitted)[row - 6 : row + 7, column - 6 : column + 7].sum() > 8
    row, column = face.lms[4, :2].round().astype(int)
    around = slice(row - 6, row + 7), slice(column - 6, column + 7)
    assert not changed(fitted)[around].any() and changed(all_points)[around].any()


def test_the_axes_point_where_they_should():
    """x to the person's right, which is at the image's left, red; y up, green."""
    picture = draw(grey(), [posed_face()], 0, 1).astype(int)
    tip_row, tip_column = posed_face().lms[30, :2]
    red = (picture[..., 2] > 200) & (picture[..., 1] < 100) & (picture[..., 0] < 100)
    green = (picture[..., 1] > 200) & (picture[..., 2] < 100) & (picture[..., 0] < 100)
    assert red.sum() > 30 and green.sum() > 30
    assert np.nonzero(red)[1].mean() < tip_column - 10 and abs(np.nonzero(red)[0].mean() - tip_row) < 3
    assert np.nonzero(green)[0].mean() < tip_row - 10 and abs(np.nonzero(green)[1].mean() - tip_column) < 3


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2000), (16, 16)])
def test_any_frame(size):
    picture = draw(grey(*size), [posed_face(), posed_face(size[1], size[0])], 4, 2)
    assert picture.shape == (*size, 3)


def test_a_frame_that_is_not_contiguous():
    frame = grey()[:, ::-1][::2, ::2]
    assert draw(frame, [posed_face(320, 180)], 4, 2).shape == (180, 320, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300, -1e12, 1e6])
@pytest.mark.parametrize("part", ["lms", "rotation", "translation", "face_3d", "bbox", "conf"])
def test_numbers_that_can_not_be_drawn(part, bad, recwarn):
    face = posed_face()
    value = getattr(face, part)
    if part == "bbox":
        value = (bad,) * 4
    elif part == "conf":
        value = bad
    else:
        value = np.full_like(value, bad)
    setattr(face, part, value)
    assert draw(grey(), [face], 4, 2).shape == (360, 640, 3)
    assert not recwarn.list


def test_the_window_of_the_head_behind_the_camera():
    assert draw(grey(), [posed_face(translation=np.zeros(3))], 4, 2).shape == (360, 640, 3)


# --- the window -------------------------------------------------------------------------------------------


SHOW = """
import sys, time
import numpy as np
from output.window import Window
window = Window("a face – Gesicht")
frame = np.zeros((200, 300, 3), np.uint8)
frame[:] = 40, 80, 160
end = time.monotonic() + 30
shown = 0
while window.show(frame if shown < 20 else {later}):
    assert not window.left
    shown += 1
    if shown == 20:
        print("shown", flush=True)
    time.sleep(0.01)
    if time.monotonic() > end:
        sys.exit("nothing ended it")
assert window.left and not window.show(frame)
window.close()
window.close()
print("ended", flush=True)
"""


def start_window(root, display, later="frame"):
    environment = {**os.environ, "DISPLAY": display}
    environment.pop("QT_QPA_PLATFORM", None)
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW.format(later=later)], cwd=root, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "shown\n"
    return process


def test_the_window_shows_the_frame(root, display, tmp_path):
    if not shutil.which("import"):
        pytest.skip("ImageMagick is not installed")
    process = start_window(root, display)
    try:
        window_id(display, "a face")
        shot, deadline, seen = tmp_path / "shot.png", time.monotonic() + 30, 0
        while seen != 200 * 300:
            assert time.monotonic() < deadline, f"{seen} pixels of the frame are on the display"
            command = ["import", "-window", "root", str(shot)]
            subprocess.run(command, env={**os.environ, "DISPLAY": display}, timeout=30, check=True)
            seen = (np.abs(cv2.imread(str(shot)).astype(int) - (40, 80, 160)).max(axis=2) < 3).sum()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("later", ["frame", "None"], ids=["shown again", "left standing"])
def test_q_ends_it(root, display, later):
    process = start_window(root, display, later)
    try:
        xdotool(display, "key", "--window", window_id(display, "a face"), "q")
        assert process.communicate(timeout=60)[0] == "ended\n"
        assert process.returncode == 0
    finally:
        process.kill()
        xdotool(display, "keyup", "q")  # the window went before the key did, and the next one would get it


@pytest.mark.parametrize("later", ["frame", "None"], ids=["shown again", "left standing"])
def test_the_close_button_ends_it(root, display, later):
    process = start_window(root, display, later)
    try:
        press_until_it_ends(display, process, "a face", "alt+F4", 60)
        assert process.communicate(timeout=60)[0] == "ended\n"
        assert process.returncode == 0
    finally:
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a desktop")
@pytest.mark.parametrize("display", [None, ":97", "nonsense"])
def test_without_a_display_it_says_so_and_lives(root, display):
    """The toolkit in OpenCV would abort the program."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    if display is not None:
        environment["DISPLAY"] = display
    program = (
        "from output.window import Window\n"
        "try: Window('title')\n"
        "except RuntimeError as error: print(error)\n"
        "print('alive')\n"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=60)
    message, alive = run.stdout.splitlines()
    assert message.startswith("No window can be shown") and alive == "alive"
    assert run.returncode == 0 and run.stderr == ""


# --- the video --------------------------------------------------------------------------------------------


def noise(count: int, height=48, width=64) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


def read(path) -> tuple[list[np.ndarray], float]:
    video, frames = cv2.VideoCapture(str(path)), []
    assert video.isOpened()
    while (frame := video.read())[0]:
        frames.append(frame[1])
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == len(frames)
    return frames, video.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize("scale", [1, 3])
def test_the_video_is_lossless(tmp_path, scale):
    frames = noise(5)
    path = tmp_path / "ein Gesicht – ねこ.avi"
    with VideoSink(path, scale, 12.5) as sink:
        for frame in frames:
            sink.write(frame)
    back, fps = read(path)
    assert fps == 12.5 and len(back) == 5
    for before, after in zip(frames, back, strict=True):
        assert (after == before.repeat(scale, axis=0).repeat(scale, axis=1)).all()
    assert path.read_bytes()[:4] == b"RIFF" and b"FFV1" in path.read_bytes()[:4096]


def test_frames_of_another_size_are_fitted(tmp_path):
    with VideoSink(tmp_path / "out.avi") as sink:
        sink.write(np.full((48, 64, 3), 50, np.uint8))
        sink.write(np.full((100, 100, 3), 200, np.uint8))
        sink.write(np.full((1, 1000, 3), 200, np.uint8))
        sink.write(np.full((48, 128, 3), 70, np.uint8)[:, ::2])
    first, square, thin, strided = read(tmp_path / "out.avi")[0]
    assert (first == 50).all() and (strided == 70).all()
    assert (square[:, 8:56] == 200).all() and (square[:, :8] == 0).all() and (square[:, 56:] == 0).all()
    assert (thin[23] == 200).all() and (thin[:23] == 0).all() and (thin[24:] == 0).all()


def test_an_old_file_is_replaced_with_the_first_frame(tmp_path):
    path = tmp_path / "out.avi"
    path.write_bytes(b"x" * 10_000_000)
    VideoSink(path).close()
    assert path.stat().st_size == 10_000_000
    with VideoSink(path) as sink:
        sink.write(noise(1)[0])
    assert path.stat().st_size < 100_000 and len(read(path)[0]) == 1


def test_no_frames_leave_no_file(tmp_path):
    with VideoSink(tmp_path / "out.avi") as sink:
        pass
    sink.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["no/such/folder/out.avi", "folder.avi", "out.xyz", "out"])
def test_a_file_that_can_not_be_written(tmp_path, name):
    (tmp_path / "folder.avi").mkdir()
    with pytest.raises(OSError):
        VideoSink(tmp_path / name)


@pytest.mark.parametrize("scale, fps", [(0, 24), (5, 24), (1, 0), (1, -1), (1, float("nan")), (1, float("inf"))])
def test_settings_out_of_range(tmp_path, scale, fps):
    with pytest.raises(ValueError):
        VideoSink(tmp_path / "out.avi", scale, fps)


def test_a_disk_that_fills_up(tmp_path, monkeypatch, capsys):
    free = iter([10**9] * 3 + [10**5] * 10)

    def usage(_):
        return shutil._ntuple_diskusage(10**9, 0, next(free))

    monkeypatch.setattr(video.shutil, "disk_usage", usage)
    with VideoSink(tmp_path / "out.avi") as sink:
        for frame in noise(8):
            sink.write(frame)
    assert len(read(tmp_path / "out.avi")[0]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "nearly full" in said


def test_an_encoder_that_dies(tmp_path, capsys):
    with VideoSink(tmp_path / "out.avi") as sink:
        sink.write(noise(1)[0])
        sink._encoder.kill()
        sink._encoder.join()
        for frame in noise(5):
            sink.write(frame)
    assert capsys.readouterr().err.count("\n") == 1


RECORD = """
import sys, time
import numpy as np
from output.video import VideoSink
if __name__ == "__main__":
    sink, count = VideoSink(sys.argv[1]), int(sys.argv[2])
    for i in range(count):
        sink.write(np.full((48, 64, 3), 10 * i, np.uint8))
    print("written", flush=True)
    {end}
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_at_any_moment(tmp_path, root):
    """The tracker is killed, or ended together with all it started, or forgets to close the file."""
    cases = [("SIGKILL", 1), ("SIGKILL", 20), ("SIGINT", 20), ("SIGTERM", 3), ("exit", 20)]
    running = []
    for end, count in cases:
        script = tmp_path / f"{end}{count}.py"
        script.write_text(RECORD.format(end="pass" if end == "exit" else "time.sleep(60)"))
        process = subprocess.Popen(
            [sys.executable, str(script), str(script.with_suffix(".avi")), str(count)],
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running.append((process, end, count, script.with_suffix(".avi")))
    for process, end, count, path in running:
        assert process.stdout.readline() == "written\n", process.stderr.read()
        if end == "SIGKILL":
            process.kill()
        elif end != "exit":
            os.killpg(process.pid, getattr(signal, end))
        process.stdout.read()  # ends when the last process that holds it has ended
        process.wait(60)
        frames, _ = read(path)
        assert [int(frame[0, 0, 0]) for frame in frames] == [10 * i for i in range(count)], (end, count)
        if end != "SIGINT":  # there Python prints its usual trace of the script
            assert process.stderr.read() == ""
