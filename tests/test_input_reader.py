"""Frames from files, standard input and cameras that misbehave."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from input_fakes import SECOND, WEBCAM, FakeCapture, FakeClock, FakeSystem, picture
from PIL import Image

from capture.camera import CameraDevice, CameraLink, CameraSettings, CameraSource, CameraWatch
from capture.cameras import BACKENDS, Camera, Capability
from capture.raw import raw_frames
from capture.video import _has_pictures
from input_reader import InputError, InputReader, to_bgr8

ROOT = Path(__file__).parents[1]


def reader_of(capture, **keywords) -> InputReader:
    return InputReader(str(capture), 0, 640, 360, 24, **keywords)


def all_frames(reader: InputReader) -> list[np.ndarray]:
    """Every frame, read as the main loop does."""
    frames = []
    with reader:
        while reader.is_open():
            ok, frame = reader.read()
            assert ok == (frame is not None)
            if ok:
                assert frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3
                assert frame.flags.c_contiguous and frame.flags.writeable
                frames.append(frame)
    return frames


def run_program(program: str, *arguments: str, input: bytes = b"") -> subprocess.CompletedProcess:
    """The program text in a process of its own, as a user's machine runs it."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], input=input, capture_output=True, cwd=ROOT, timeout=300
    )


# --- to_bgr8 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4), (1, 1), (1, 1, 3), (3, 2000, 3)])
@pytest.mark.parametrize(
    ("dtype", "greatest"),
    [("u1", 255), ("u2", 65535), (">u2", 65535), ("i2", 32767), ("i4", 2**31 - 1), ("f4", 1.0), ("?", True)],
)
def test_to_bgr8_scales_every_type(shape, dtype, greatest):
    for value, expected in ((0, 0), (greatest, 255)):
        frame = to_bgr8(np.full(shape, value, dtype))
        assert frame.shape == (*shape[:2], 3)
        assert frame.dtype == np.uint8
        assert (frame == expected).all()


def test_to_bgr8_keeps_the_order_of_channels_and_drops_the_fourth():
    pixel = np.array([[[1, 2, 3, 4]]], np.uint8)
    assert to_bgr8(pixel).tolist() == [[[1, 2, 3]]]


def test_to_bgr8_does_not_copy_what_is_right_already():
    frame = picture(7)
    assert np.shares_memory(to_bgr8(frame), frame)


def test_to_bgr8_cuts_off_what_is_out_of_range():
    values = np.array([[-1.0, 0.5, 2.0, np.nan, np.inf, -np.inf]])
    assert to_bgr8(values)[0, :, 0].tolist() == [0, 128, 255, 0, 255, 0]
    assert to_bgr8(np.array([[-32768, -1, 0, 32767]], np.int16))[0, :, 0].tolist() == [0, 0, 0, 255]


@settings(max_examples=150, deadline=None)
@given(
    npst.arrays(
        st.one_of(
            npst.integer_dtypes(),
            npst.unsigned_integer_dtypes(),
            npst.floating_dtypes(),
            npst.boolean_dtypes(),
            npst.complex_number_dtypes(),
            npst.datetime64_dtypes(),
        ),
        npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    ),
    st.booleans(),
)
def test_to_bgr8_takes_pictures_and_refuses_the_rest(array, mirrored):
    if mirrored and array.ndim > 1:
        array = array[:, ::-1]  # not contiguous
    is_picture = (
        array.dtype.kind in "iufb"
        and array.size > 0
        and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4)))
    )
    if not is_picture:
        with pytest.raises(ValueError):
            to_bgr8(array)
        return
    before = array.copy()
    frame = to_bgr8(array)
    assert frame.shape == (*array.shape[:2], 3)
    assert frame.dtype == np.uint8
    assert frame.flags.c_contiguous
    np.testing.assert_array_equal(array, before)  # the input is left alone


# --- Video files ------------------------------------------------------------------------------------------


def write_video(path: Path, count: int = 12, codec: str = "FFV1") -> None:
    """Frame i is grey of the value 10 + 15 i."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 24, (64, 48))
    assert writer.isOpened()
    for index in range(count):
        writer.write(picture((10 + 15 * index) % 256, 48, 64))
    writer.release()


@pytest.mark.parametrize("name", ["clip.avi", "a talk with spaces.avi", "größe 顔 🙂.avi", "12:30.avi", "%03d.avi"])
def test_video_gives_every_frame_in_order(tmp_path, monkeypatch, name):
    if sys.platform == "win32" and ":" in name:
        pytest.skip("Windows has no such names")
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "written.avi")
    shutil.move("written.avi", name)
    reader = reader_of(name)
    assert reader.name == name and not reader.is_live and reader.is_ready()
    frames = all_frames(reader)
    assert [round(frame.mean()) for frame in frames] == [10 + 15 * index for index in range(12)]
    assert frames[0].shape == (48, 64, 3)
    assert reader.ended and reader.failure is None


def test_video_keeps_the_order_of_colours(tmp_path):
    blue = np.zeros((48, 64, 3), np.uint8)
    blue[:, :, 0] = 250
    path = tmp_path / "blue.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), 24, (64, 48))
    writer.write(blue)
    writer.release()
    (frame,) = all_frames(reader_of(path))
    assert np.abs(frame.reshape(-1, 3).mean(axis=0) - (250, 0, 0)).max() < 5


def test_truncated_video_fails_after_what_can_be_read(tmp_path):
    path = tmp_path / "cut.avi"
    write_video(path, count=200, codec="MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = reader_of(path)
    frames = all_frames(reader)
    assert 0 < len(frames) < 180
    assert not reader.ended and f"{len(frames)} frames could be read" in reader.failure


def test_truncated_video_without_its_index_is_refused(tmp_path):
    whole = tmp_path / "whole.mp4"
    write_video(whole, codec="mp4v")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(InputError, match="neither a video nor a picture"):
        reader_of(cut)


def test_video_that_throws_in_the_middle_fails_with_a_reason(tmp_path):
    path = tmp_path / "clip.avi"
    write_video(path)
    capture = FakeCapture([picture(1), picture(2), cv2.error("bad data")])
    reader = reader_of(path, open_capture=lambda place, backend: capture)
    assert len(all_frames(reader)) == 2
    assert not reader.ended and "after frame 2" in reader.failure and "bad data" in reader.failure
    assert capture.released


def test_a_file_is_never_given_to_a_camera_or_picture_series_backend(tmp_path):
    tried = []

    def refuse(place, backend):
        tried.append(backend)
        return FakeCapture([None], opened=False)

    for name in ("img_001.png", "0.mp4"):
        (tmp_path / name).write_bytes(b"\x00nothing")
        with pytest.raises(InputError):
            reader_of(tmp_path / name, open_capture=refuse)
    assert tried
    assert not {cv2.CAP_ANY, cv2.CAP_V4L2, cv2.CAP_DSHOW, cv2.CAP_IMAGES} & set(tried)


def test_media_foundation_opens_sound_which_is_no_video():
    class Sound(FakeCapture):
        def get(self, prop):
            return 0.0

    class Picture(Sound):
        def get(self, prop):
            return 640.0 if prop == cv2.CAP_PROP_FRAME_WIDTH else 0.0

    assert not _has_pictures(Sound([None]), cv2.CAP_MSMF)
    assert _has_pictures(Picture([None]), cv2.CAP_MSMF)
    assert _has_pictures(Sound([None]), cv2.CAP_FFMPEG)


SOUND = b"RIFF" + struct.pack(
    "<I8sIHHIIHH4sI", 2084, b"WAVEfmt ", 16, 1, 1, 44100, 88200, 2, 16, b"data", 2048
) + bytes(2048)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp4", b""),
        ("noise.mp4", np.random.default_rng(1).bytes(200_000)),
        ("img_001.png", np.random.default_rng(2).bytes(3000)),
        ("text.txt", b"no video, but FFmpeg would draw it\n" * 500),
        ("text.mp4", b"no video\n" * 500),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n"),
        ("header.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"),
        ("paper.pdf", b"%PDF-1.4\n"),
        ("drawing.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EOF\n"),
        ("sound.wav", SOUND),
    ],
)
def test_what_is_no_video_is_refused_in_one_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        reader_of(tmp_path / name)
    message = str(caught.value)
    assert name in message and "\n" not in message and message.endswith(".")


@pytest.mark.parametrize("capture", ["no-such-file.mp4", "", "-1", "a\0b", "https://localhost/x.mp4", "."])
def test_what_is_no_file_is_refused_in_one_sentence(tmp_path, monkeypatch, capture):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        reader_of(capture)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_text_are_refused(tmp_path):
    write_video(tmp_path / "clip.avi")
    not_text = os.fsencode(tmp_path) + b"/\xff.avi"
    shutil.move(os.fsencode(tmp_path / "clip.avi"), not_text)
    with pytest.raises(InputError, match="not UTF-8"):  # OpenCV itself ends the process here
        reader_of(os.fsdecode(not_text))


def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "secret.avi"
    write_video(path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(InputError, match="Permission denied"):
        reader_of(path)


def test_restart_begins_a_file_again(tmp_path):
    path = tmp_path / "clip.avi"
    write_video(path, count=3)
    with reader_of(path) as reader:
        for _ in range(3):
            while reader.read()[0]:
                pass
            assert reader.ended and not reader.is_open()
            assert reader.restart()
            assert reader.is_open()
            assert reader.read()[1].mean() == pytest.approx(10, abs=1)
            assert reader.restart()
        if sys.platform == "win32":
            return  # a file that is open can't be removed
        path.unlink()
        with pytest.raises(InputError, match="There is no file"):
            reader.restart()


def test_closed_reader_is_over(tmp_path):
    path = tmp_path / "clip.avi"
    write_video(path)
    reader = reader_of(path)
    reader.close()
    reader.close()
    assert not reader.is_open() and not reader.is_ready() and not reader.restart()
    assert reader.read() == (False, None)


@pytest.mark.parametrize(
    "sizes",
    [(0, 9, 24), (9, 0, 24), (-1, 1, 24), (16385, 1, 24), (1, 10**9, 24), (1, 1, -1), (1, 1, float("nan"))],
)
@pytest.mark.parametrize("raw", [0, 1])
def test_impossible_sizes_and_rates(sizes, raw):
    with pytest.raises(ValueError):
        InputReader("0", raw, *sizes, stdin=io.BytesIO())


# --- Pictures ---------------------------------------------------------------------------------------------


def test_still_picture_is_one_frame_in_bgr(tmp_path):
    path = tmp_path / "img_001.png"
    Image.new("RGB", (5, 4), (255, 128, 0)).save(path)
    Image.new("RGB", (5, 4)).save(tmp_path / "img_002.png")  # not to be taken for the next of a series
    reader = reader_of(path)
    (frame,) = all_frames(reader)
    assert frame.shape == (4, 5, 3)
    assert frame[0, 0].tolist() == [0, 128, 255]
    assert reader.ended and reader.restart() is False


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_fractions_up_to_one_or_to_what_whole_numbers_go_to(tmp_path, white):
    values = np.linspace(0, white, 16, dtype=np.float32).reshape(4, 4)
    Image.fromarray(values).save(tmp_path / "a.tiff")
    (frame,) = all_frames(reader_of(tmp_path / "a.tiff"))
    np.testing.assert_allclose(frame[:, :, 0], values / white * 255, atol=1)


COLOURS = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (200, 200, 20), (90, 90, 90)]


@pytest.mark.parametrize("name", ["a.gif", "ein Bild 顔.gif", "a.webp", "a.png"])
def test_animated_picture_gives_all_frames(tmp_path, name):
    images = [Image.new("RGB", (32, 24), colour) for colour in COLOURS]
    keywords = {"lossless": True} if name.endswith("webp") else {}
    images[0].save(tmp_path / name, save_all=True, append_images=images[1:], duration=40, **keywords)
    frames = all_frames(reader_of(tmp_path / name))
    assert [tuple(frame[12, 16, ::-1].tolist()) for frame in frames] == COLOURS


def test_truncated_animation_fails_after_what_can_be_read(tmp_path):
    noise = np.random.default_rng(3)
    images = [Image.fromarray(noise.integers(0, 255, (20, 30, 3), dtype=np.uint8)) for _ in range(6)]
    path = tmp_path / "cut.gif"
    images[0].save(path, save_all=True, append_images=images[1:])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = reader_of(path)
    frames = all_frames(reader)
    assert 0 < len(frames) < 6
    assert not reader.ended and f"after frame {len(frames)}" in reader.failure


def test_damaged_still_picture(tmp_path):
    path = tmp_path / "cut.jpg"
    noise = np.random.default_rng(4).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="damaged"):
        reader_of(path)


def test_transparency_is_put_on_white(tmp_path):
    half = Image.new("RGBA", (3, 2), (255, 0, 0, 0))
    half.putpixel((0, 0), (10, 20, 30, 255))
    half.save(tmp_path / "a.png")
    (frame,) = all_frames(reader_of(tmp_path / "a.png"))
    assert frame[0, 0].tolist() == [30, 20, 10]
    assert frame[1, 2].tolist() == [255, 255, 255]

    palette = Image.new("P", (3, 2), 0)
    palette.putpalette([0, 0, 0, 200, 100, 50])
    palette.putpixel((1, 1), 1)
    palette.save(tmp_path / "p.gif", transparency=0)
    (frame,) = all_frames(reader_of(tmp_path / "p.gif"))
    assert frame[0, 0].tolist() == [255, 255, 255]
    assert frame[1, 1].tolist() == [50, 100, 200]


def test_orientation_of_a_photo_is_honoured(tmp_path):
    photo = Image.new("RGB", (40, 20), "black")
    photo.paste("white", (0, 0, 40, 4))  # the upper edge of the sensor
    exif = photo.getexif()
    exif[0x0112] = 6  # the camera was turned: the upper edge belongs on the right
    photo.save(tmp_path / "a.jpg", exif=exif, quality=95)
    (frame,) = all_frames(reader_of(tmp_path / "a.jpg"))
    assert frame.shape == (40, 20, 3)
    assert frame[:, -1].min() > 200 and frame[:, 0].max() < 50


@pytest.mark.parametrize(
    ("name", "make", "expected"),
    [
        ("grey.png", lambda: Image.new("L", (4, 3), 77), (77, 77, 77)),
        ("grey16.png", lambda: Image.fromarray(np.full((3, 4), 77 * 257, np.uint16)), (77, 77, 77)),
        ("bit.png", lambda: Image.new("1", (4, 3), 1), (255, 255, 255)),
        ("palette.png", lambda: Image.new("RGB", (4, 3), (1, 2, 3)).convert("P", palette=1), (1, 2, 3)),
        ("alpha.png", lambda: Image.new("LA", (4, 3), (9, 255)), (9, 9, 9)),
        ("cmyk.tiff", lambda: Image.new("CMYK", (4, 3), (0, 0, 0, 255)), (0, 0, 0)),
        ("float.tiff", lambda: Image.new("F", (4, 3), 1.0), (255, 255, 255)),
        ("int.tiff", lambda: Image.new("I", (4, 3), 65535), (255, 255, 255)),
        ("small.bmp", lambda: Image.new("RGB", (1, 1), (5, 6, 7)), (5, 6, 7)),
        ("wrong-ending.mp4", lambda: Image.new("RGB", (4, 3), (5, 6, 7)), (5, 6, 7)),
    ],
)
def test_pictures_of_every_kind(tmp_path, name, make, expected):
    make().save(tmp_path / name, format="PNG" if name.endswith("mp4") else None)
    (frame,) = all_frames(reader_of(tmp_path / name))
    assert frame[0, 0, ::-1].tolist() == list(expected)


def test_picture_with_too_many_pixels(tmp_path, monkeypatch):
    Image.new("RGB", (100, 100)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow refuses twice that
    with pytest.raises(InputError, match="too many pixels"):
        reader_of(tmp_path / "large.png")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the open files")
@pytest.mark.parametrize("name", ["a.gif", "a.avi"])
def test_file_is_closed_when_left_early(tmp_path, name):
    def is_in_use() -> bool:
        return str(tmp_path / name) in {os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()}

    images = [Image.new("RGB", (8, 8), colour) for colour in COLOURS]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:])
    write_video(tmp_path / "a.avi")
    reader = reader_of(tmp_path / name)
    assert reader.read()[0] and reader.read()[0]
    assert is_in_use()
    reader.close()
    assert not is_in_use()


# --- Raw frames on standard input -------------------------------------------------------------------------


class Dribble(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a pipe without a buffer may."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data, self.step = data, step

    def readable(self):
        return True

    def readinto(self, buffer):
        part = self.data[: min(self.step, len(buffer))]
        self.data = self.data[len(part) :]
        buffer[: len(part)] = part
        return len(part)


RGB = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)  # two frames of 4 x 3 pixels


@pytest.mark.parametrize("stream", [io.BytesIO(RGB.tobytes()), Dribble(RGB.tobytes(), 7)])
def test_raw_frames_are_turned_to_bgr(stream):
    reader = InputReader("0", 1, 4, 3, 24, stdin=stream)
    assert reader.name == "standard input" and not reader.is_live
    frames = all_frames(reader)
    np.testing.assert_array_equal(frames, RGB[..., ::-1])
    assert reader.ended and reader.failure is None and not reader.restart()


@pytest.mark.parametrize(("extra", "number"), [(0, 1), (36, 2), (72, 3)])
@pytest.mark.parametrize("rest", [1, 35])
def test_raw_frames_that_end_in_the_middle(extra, number, rest):
    reader = InputReader("0", 1, 4, 3, 24, stdin=io.BytesIO(bytes(extra + rest)))
    assert len(all_frames(reader)) == number - 1
    assert not reader.ended
    assert f"frame {number}, after {rest} of 36 bytes" in reader.failure


def test_raw_frames_of_a_stream_that_breaks():
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    reader = InputReader("0", 1, 4, 3, 24, stdin=Broken())
    assert all_frames(reader) == []
    assert "Input/output error" in reader.failure


def test_raw_frames_without_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="there is none"):
        next(raw_frames(None, 4, 3))


PIPE_PROGRAM = """
import sys
from input_reader import InputReader
with InputReader("0", 1, 4, 3, 24) as reader:
    while reader.is_open():
        ok, frame = reader.read()
        if ok:
            print(frame[0, 0].tolist(), flush=True)
print(reader.ended, reader.failure)
"""


def test_raw_frames_through_a_pipe():
    # Bytes that a text mode would change or take for the end: line ends and Ctrl-Z.
    frame = bytes([13, 10, 26]) * 12
    done = run_program(PIPE_PROGRAM, input=frame * 3 + b"\n")
    lines = done.stdout.decode().splitlines()
    assert lines[:3] == ["[26, 10, 13]"] * 3
    assert lines[3].startswith("False Standard input ended in the middle of frame 4, after 1 of 36")
    assert done.stderr == b"" and done.returncode == 0


# --- Only our own words on standard error -----------------------------------------------------------------

QUIET_PROGRAM = """
import sys
from input_reader import InputError, InputReader
for path in sys.argv[1:]:
    try:
        with InputReader(path, 0, 640, 360, 24, report=lambda _: None) as reader:
            while reader.is_open():
                reader.read()
    except InputError:
        pass
"""


def test_libraries_are_silent_on_bad_files(tmp_path):
    write_video(tmp_path / "whole.mp4", codec="mp4v")
    data = bytearray((tmp_path / "whole.mp4").read_bytes())
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    data[100:200] = bytes(range(100))
    (tmp_path / "scratched.mp4").write_bytes(data)
    (tmp_path / "noise.avi").write_bytes(np.random.default_rng(5).bytes(100_000))
    (tmp_path / "noise_01.png").write_bytes(b"\x89PNG\r\n\x1a\n" + np.random.default_rng(6).bytes(1000))
    paths = sorted(str(path) for path in tmp_path.iterdir())
    done = run_program(QUIET_PROGRAM, *paths, "987")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# --- Cameras: opening -------------------------------------------------------------------------------------


def device_on(system: FakeSystem, capture: str = "0", platform: str = "linux", **keywords) -> CameraDevice:
    return CameraDevice(
        capture,
        open_capture=system.open_capture,
        list_cameras=system.list_cameras,
        platform=platform,
        **keywords,
    )


def camera_reader(system: FakeSystem, capture: str = "0", **keywords) -> InputReader:
    keywords = {"open_capture": system.open_capture, "list_cameras": system.list_cameras} | keywords
    with pytest.MonkeyPatch.context() as patch:
        # One way to open a camera, also on Windows: of two, the first has to show a frame, which the script then lacks.
        patch.setitem(BACKENDS, "win32", (cv2.CAP_DSHOW,))
        return InputReader(capture, 0, 640, 360, 24, **keywords)


@pytest.mark.parametrize(
    "capture", [FakeCapture([None], opened=False), cv2.error("V4L2 says no"), RuntimeError("driver gone")]
)
def test_camera_that_does_not_open(capture):
    system = FakeSystem([capture], [WEBCAM, SECOND])
    before = threading.active_count()
    with pytest.raises(InputError) as caught:
        camera_reader(system, "2")
    message = str(caught.value)
    assert "Camera 2 (Capture Card) does not open" in message
    assert "0: HD Webcam" in message and "2: Capture Card" in message and "-c N" in message
    assert "other program" in message and "\n" not in message
    assert threading.active_count() == before


def test_camera_that_does_not_exist():
    with pytest.raises(InputError, match="cameras here: none"):
        camera_reader(FakeSystem([FakeCapture([None], opened=False)], []), "5")


@pytest.mark.skipif(sys.platform != "linux", reason="no group to join elsewhere")
def test_camera_without_permission(tmp_path, monkeypatch):
    node = tmp_path / "video0"
    node.touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    system = FakeSystem([FakeCapture([None], opened=False)], [Camera(0, "Webcam", str(node))])
    with pytest.raises(InputError, match="add your user to the group"):
        camera_reader(system)


@pytest.mark.parametrize(
    ("capture", "place", "name"),
    [
        ("0", 0, "HD Webcam"),
        ("2", 2, "Capture Card"),
        ("1", 2, "Capture Card"),  # line 1 of the list; node 1 gives no pictures
        ("7", 7, "camera 7"),  # not listed, but perhaps there
        ("/dev/video2", "/dev/video2", "Capture Card"),
        ("/dev/video9", "/dev/video9", "camera /dev/video9"),
    ],
)
def test_which_camera_is_opened(capture, place, name):
    system = FakeSystem([FakeCapture([picture(1)])], [WEBCAM, SECOND])
    device = device_on(system, capture)
    assert device.name == name
    assert device.open(CameraSettings()) is not None
    assert system.opened == [(place, cv2.CAP_V4L2)]


def test_macos_uses_its_own_backend():
    system = FakeSystem([FakeCapture([picture(1)])], [Camera(0, "FaceTime HD", "uid")])
    assert device_on(system, platform="darwin").open(CameraSettings()) is not None
    assert system.opened == [(0, cv2.CAP_AVFOUNDATION)]


@pytest.mark.parametrize(
    "first",
    [FakeCapture([None], opened=False), FakeCapture([None]), cv2.error("no"), FakeCapture([OSError("no")])],
)
def test_windows_takes_the_second_way_when_the_first_gives_nothing(first):
    system = FakeSystem([first, FakeCapture([picture(1)])])
    assert device_on(system, platform="win32").open(CameraSettings()) is not None
    assert [backend for _, backend in system.opened] == [cv2.CAP_DSHOW, cv2.CAP_MSMF]


def test_windows_order_of_ways_is_an_option():
    system = FakeSystem([FakeCapture([picture(1)])])
    device_on(system, platform="win32", directshow_first=False).open(CameraSettings())
    assert [backend for _, backend in system.opened] == [cv2.CAP_MSMF]


# --- Cameras: what is asked of them -----------------------------------------------------------------------

WIDTH, HEIGHT, FPS, FOURCC = (
    cv2.CAP_PROP_FRAME_WIDTH,
    cv2.CAP_PROP_FRAME_HEIGHT,
    cv2.CAP_PROP_FPS,
    cv2.CAP_PROP_FOURCC,
)
MJPG = cv2.VideoWriter.fourcc(*"MJPG")
RANGE = Capability(1, (32, 24), (500, 300), 1.0, 15.0, "MJPG")
CAPABILITIES = [Capability(0, (320, 240), (320, 240), 5.0, 30.0, "YUYV"), RANGE]


def asked_of(capture: FakeCapture, dcap=None, fps=24, listed=CAPABILITIES, report=print) -> list:
    system = FakeSystem([capture])
    InputReader(
        "0",
        0,
        640,
        360,
        fps,
        dcap=dcap,
        report=report,
        open_capture=system.open_capture,
        list_cameras=system.list_cameras,
        capabilities=lambda camera, report: listed,
    ).close()
    return capture.settings


def test_size_and_rate_are_asked_for():
    assert asked_of(FakeCapture([picture(1)])) == [(WIDTH, 640), (HEIGHT, 360), (FPS, 24)]


def test_rate_zero_is_the_cameras_choice():
    assert asked_of(FakeCapture([picture(1)]), fps=0) == [(WIDTH, 640), (HEIGHT, 360)]


def test_jpeg_is_asked_for_when_uncompressed_pictures_are_too_slow():
    capture = FakeCapture([picture(1)], rates={"YUYV": 10, "MJPG": 30})
    assert asked_of(capture)[3:] == [(FOURCC, MJPG), (WIDTH, 640), (HEIGHT, 360), (FPS, 24)]


def test_jpeg_is_left_again_when_it_is_no_faster():
    capture = FakeCapture([picture(1)], rates={"YUYV": 10, "MJPG": 10})
    assert asked_of(capture)[7] == (FOURCC, cv2.VideoWriter.fourcc(*"YUYV"))


def test_fast_camera_is_left_alone():
    capture = FakeCapture([picture(1)], rates={"YUYV": 30, "MJPG": 60})
    assert FOURCC not in dict(asked_of(capture))


def test_capability_is_used():
    settings = asked_of(FakeCapture([picture(1)]), dcap=0)
    yuyv = cv2.VideoWriter.fourcc(*"YUYV")
    assert settings == [(FOURCC, yuyv), (WIDTH, 320), (HEIGHT, 240), (FPS, 24)]


def test_capability_with_a_range_takes_what_is_nearest():
    settings = asked_of(FakeCapture([picture(1)]), dcap=1)
    assert settings == [(FOURCC, MJPG), (WIDTH, 500), (HEIGHT, 300), (FPS, 15)]


def test_capability_minus_one_asks_for_nothing():
    assert asked_of(FakeCapture([picture(1)]), dcap=-1) == []


def test_capability_that_is_not_there():
    with pytest.raises(InputError, match="from 0 to 1"):
        asked_of(FakeCapture([picture(1)]), dcap=2)


def test_capability_on_a_system_that_does_not_tell():
    notes = []
    settings = asked_of(FakeCapture([picture(1)]), dcap=3, listed=[], report=notes.append)
    assert settings == [(WIDTH, 640), (HEIGHT, 360), (FPS, 24)]
    assert len(notes) == 1 and "--dcap 3 is not used" in notes[0]


# --- Cameras: faults, one step after another --------------------------------------------------------------


def link_to(system: FakeSystem, clock: FakeClock, capture: str = "0") -> CameraLink:
    return CameraLink(device_on(system, capture), CameraSettings(), clock)


def grab_until_frame(link: CameraLink, clock: FakeClock, limit: int = 1000) -> np.ndarray:
    for _ in range(limit):
        frame = link.grab(clock.wait)
        if frame is not None:
            return frame
    raise AssertionError("no frame came")


@pytest.mark.parametrize(
    "fault",
    [None, np.empty((0, 0, 3), np.uint8), np.zeros((2, 2, 7), np.uint8), cv2.error("boom"), MemoryError()],
)
def test_short_faults_do_not_reopen_the_camera(fault):
    clock = FakeClock()
    system = FakeSystem([FakeCapture([picture(1), fault, fault, fault, picture(2)])])
    link = link_to(system, clock)
    assert link.grab(clock.wait)[0, 0, 0] == 1
    assert grab_until_frame(link, clock)[0, 0, 0] == 2
    assert len(system.opened) == 1


@pytest.mark.parametrize("fault", [None, cv2.error("boom")])
def test_lasting_fault_reopens_the_camera(fault):
    clock = FakeClock()
    first = FakeCapture([picture(1), fault])
    closed = FakeCapture([None], opened=False)
    system = FakeSystem([first, closed, cv2.error("still gone"), FakeCapture([picture(2)])])
    link = link_to(system, clock)
    assert link.grab(clock.wait)[0, 0, 0] == 1
    assert grab_until_frame(link, clock)[0, 0, 0] == 2
    assert first.released == 1 and len(system.opened) == 4
    assert 2 <= clock.now - 1000 < 10


def test_one_fault_after_a_long_time_does_not_reopen_the_camera():
    clock = FakeClock()
    system = FakeSystem([FakeCapture([picture(1), None, picture(2)])])
    link = link_to(system, clock)
    clock.wait(1)
    assert link.grab(clock.wait) is not None
    clock.wait(1.5)
    assert grab_until_frame(link, clock)[0, 0, 0] == 2
    assert len(system.opened) == 1


def test_camera_that_was_opened_again_has_time_to_start():
    clock = FakeClock()
    system = FakeSystem([FakeCapture([picture(1), None]), FakeCapture([None, None, picture(2)])])
    link = link_to(system, clock)
    assert link.grab(clock.wait) is not None
    clock.wait(2)
    assert grab_until_frame(link, clock)[0, 0, 0] == 2
    assert len(system.opened) == 2


def test_unplugged_camera_is_found_by_its_name_at_another_place():
    clock = FakeClock()
    first = FakeCapture([picture(1), None])
    system = FakeSystem([first, FakeCapture([picture(2)])], [WEBCAM, SECOND])
    link = link_to(system, clock)
    assert link.grab(clock.wait) is not None
    system.listed = [SECOND]  # unplugged: the other camera is not to be taken instead
    for _ in range(100):
        assert link.grab(clock.wait) is None
    assert len(system.opened) == 1
    system.listed = [SECOND, Camera(4, "HD Webcam", "/dev/video4")]
    assert grab_until_frame(link, clock)[0, 0, 0] == 2
    assert system.opened[-1][0] == 4


def test_of_two_cameras_of_one_make_the_one_in_its_place_comes_back():
    twin = Camera(4, "HD Webcam", "/dev/video4")
    system = FakeSystem([FakeCapture([picture(1)])], [WEBCAM, twin])
    device_on(system, "4").open(CameraSettings())
    assert system.opened == [(4, cv2.CAP_V4L2)]


def test_camera_that_raises_when_it_is_given_back():
    class Stubborn(FakeCapture):
        def release(self):
            super().release()
            raise cv2.error("cannot stop")

    clock = FakeClock()
    link = link_to(FakeSystem([Stubborn([picture(1), None]), FakeCapture([picture(2)])]), clock)
    assert link.grab(clock.wait)[0, 0, 0] == 1
    assert grab_until_frame(link, clock)[0, 0, 0] == 2


def test_black_frames_changed_sizes_and_channels_are_passed_on():
    clock = FakeClock()
    steps = [
        picture(0),
        picture(9, 3, 4),
        np.full((5, 5), 7, np.uint8),
        np.full((5, 6, 4), 8, np.uint8),
        np.full((2, 2), 65535, np.uint16),
        np.full((1, 1, 3), 6, np.uint8),
        picture(9, 12, 20)[::2, ::-1],
    ]
    link = link_to(FakeSystem([FakeCapture(steps)]), clock)
    shapes = [link.grab(clock.wait).shape for _ in steps]
    assert shapes == [(6, 8, 3), (3, 4, 3), (5, 5, 3), (5, 6, 3), (2, 2, 3), (1, 1, 3), (6, 20, 3)]


def test_watch_says_lost_and_back_once_and_gives_up_in_the_end():
    clock, notes = FakeClock(), []
    watch = CameraWatch("HD Webcam", 60, clock, notes.append)
    for gap in (1, 2, 30, 59):
        watch.seen()
        for _ in range(gap * 5):
            assert watch.missed() is None
            clock.wait(0.2)
        watch.seen()
    assert len(notes) == 4  # two gaps long enough to mention
    assert all("HD Webcam" in note for note in notes)
    assert "sends no pictures" in notes[0] and "back after 30 s" in notes[1]
    for _ in range(5 * 60):
        assert watch.missed() is None
        clock.wait(0.2)
    assert "given up" in watch.missed() and "60 s" in watch.missed()
    assert len(notes) == 5


# --- Cameras: the thread ----------------------------------------------------------------------------------


class Gate:
    """A step of a FakeCapture that blocks until it is opened, as a driver that hangs."""

    def __init__(self, then) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.then = then

    def __call__(self):
        self.reached.set()
        self.opened.wait(30)
        return self.then


def camera_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("camera ")]


def next_frame(reader: InputReader) -> np.ndarray:
    while reader.is_open():
        ok, frame = reader.read()
        if ok:
            return frame
    raise AssertionError(reader.failure)


def test_camera_gives_the_newest_frame_and_each_only_once():
    gate, end = Gate(picture(5)), Gate(None)
    capture = FakeCapture([picture(1), picture(2), picture(3), picture(4), gate, end])
    with camera_reader(FakeSystem([capture])) as reader:
        assert reader.is_live and reader.name == "HD Webcam" and reader.is_open()
        assert gate.reached.wait(30)  # four frames have come while nobody looked
        assert reader.is_ready()
        assert reader.read()[1][0, 0, 0] == 4
        assert reader.read() == (False, None) and not reader.is_ready()
        gate.opened.set()
        assert next_frame(reader)[0, 0, 0] == 5
        end.opened.set()
    assert not reader.is_open() and not reader.ended and reader.failure is None
    assert not reader.restart()
    assert camera_threads() == []
    assert capture.released == 1


def test_camera_that_hangs_and_comes_back():
    clock, notes = FakeClock(), []
    gate = Gate(picture(2))
    system = FakeSystem([FakeCapture([picture(1), gate, picture(3)])])
    with camera_reader(system, clock=clock, report=notes.append) as reader:
        assert next_frame(reader)[0, 0, 0] == 1
        assert gate.reached.wait(30)
        assert reader.read() == (False, None)
        clock.wait(30)
        assert reader.read() == (False, None) and reader.is_open()
        gate.opened.set()
        assert next_frame(reader)[0, 0, 0] in (2, 3)
        assert reader.is_open()
    assert len(notes) == 2 and "sends no pictures" in notes[0] and "is back after 30 s" in notes[1]


def test_camera_that_is_unplugged_and_comes_back(monkeypatch):
    monkeypatch.setattr(CameraLink, "BETWEEN_OPENINGS", 0.01)
    clock, notes = FakeClock(), []
    first = FakeCapture([picture(1), None])
    system = FakeSystem([first, FakeCapture([picture(2)])])
    with camera_reader(system, clock=clock, report=notes.append) as reader:
        assert next_frame(reader)[0, 0, 0] == 1
        system.listed = [SECOND]
        assert reader.read() == (False, None)
        clock.wait(20)
        while not first.released:
            assert reader.read() == (False, None)
        system.listed = [SECOND, WEBCAM]
        assert next_frame(reader)[0, 0, 0] == 2
        assert reader.name == "HD Webcam"
    assert len(notes) == 2


@pytest.mark.parametrize("fault", [None, cv2.error("boom"), Gate(None)], ids=["silent", "throws", "hangs"])
def test_camera_that_stays_away_is_given_up(fault):
    clock, notes = FakeClock(), []
    system = FakeSystem([FakeCapture([picture(1), fault])])
    with camera_reader(system, clock=clock, report=notes.append, give_up_after=60) as reader:
        assert next_frame(reader) is not None
        assert reader.read() == (False, None)
        clock.wait(59)
        assert reader.read() == (False, None) and reader.is_open()
        clock.wait(2)
        assert reader.read() == (False, None)
        assert not reader.is_open() and not reader.ended
        assert "HD Webcam" in reader.failure and "61 s" in reader.failure
        assert reader.read() == (False, None)
        if isinstance(fault, Gate):
            fault.opened.set()
    assert len(notes) == 1
    assert camera_threads() == []


def test_close_does_not_wait_for_a_camera_that_hangs():
    gate = Gate(picture(2))
    capture = FakeCapture([picture(1), gate])
    reader = camera_reader(FakeSystem([capture]))
    assert gate.reached.wait(30)
    reader.close()
    (thread,) = camera_threads()  # left behind, for nothing can end it
    assert not reader.is_open() and not capture.released
    gate.opened.set()
    thread.join(30)
    assert not thread.is_alive() and capture.released == 1  # the camera is given back when it wakes up


HANGING_PROGRAM = """
import time
from capture.cameras import BACKENDS
from input_reader import InputReader
BACKENDS["win32"] = BACKENDS["win32"][:1]  # of two, the first has to show a frame
class Hanging:
    def isOpened(self): return True
    def set(self, *_): return True
    def get(self, *_): return 0.0
    def release(self): pass
    def read(self): time.sleep(3600)
InputReader("0", 0, 640, 360, 24, open_capture=lambda *_: Hanging()).read()
print("over")
"""


def test_program_ends_while_a_camera_hangs():
    done = run_program(HANGING_PROGRAM)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [b"over"], b"")


def test_close_is_prompt_while_a_camera_is_looked_for(monkeypatch):
    monkeypatch.setattr(CameraLink, "BETWEEN_OPENINGS", 3600.0)
    clock = FakeClock()
    first = FakeCapture([picture(1), None])
    reader = camera_reader(FakeSystem([first]), clock=clock)
    next_frame(reader)
    clock.wait(10)
    while not first.released:
        reader.read()
    reader.close()
    assert camera_threads() == []


def test_frames_are_not_lost_or_repeated_under_load():
    count = 2000
    numbered = iter(np.full((4, 4, 3), [n % 256, n // 256, 0], np.uint8) for n in range(count))
    capture = FakeCapture([lambda: next(numbered, None)])
    seen = []
    source = CameraSource(
        CameraLink(device_on(FakeSystem([capture])), CameraSettings()), CameraWatch("x"), patience=0.02
    )
    while not seen or seen[-1] < count - 1:
        frame = source.read()
        if frame is not None:
            assert (frame == frame[0, 0]).all()  # no frame is half of another
            seen.append(int(frame[0, 0, 0]) + 256 * int(frame[0, 0, 1]))
    source.close()
    assert seen == sorted(set(seen))
