"""Video files as people have them: trimmed, of variable rate, damaged, cut off, with pixels that are not square."""

from __future__ import annotations

import csv
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import write_clip
from input_fakes import FakeCapture, picture
from PIL import Image
from program import run

from capture.containers import cut_off, frames_listed
from capture.video import MAX_FAILED_READS, decoded
from input_reader import InputError, InputReader


def read(path: Path | str, **keywords: object) -> tuple[int, tuple[int, ...], InputReader]:
    """How many frames a file gives, the shape of the last one, and the reader at its end."""
    count, shape = 0, ()
    with InputReader(str(path), 0, 640, 360, 24, **keywords) as reader:
        while reader.is_open():
            ok, frame = reader.read()
            if ok:
                count, shape = count + 1, frame.shape
    return count, shape, reader


@pytest.fixture
def noise() -> list[np.ndarray]:
    """40 frames that no codec can make small."""
    return list(np.random.default_rng(1).integers(0, 255, (40, 48, 64, 3), dtype=np.uint8))


def write(path: Path, frames: list[np.ndarray], codec: str = "mp4v") -> bytes:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 25, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "frames", "shape"),
    [
        ("trimmed.mp4", 97, (480, 640, 3)),
        ("vfr.mkv", 70, (480, 640, 3)),
        ("longaudio.mkv", 160, (480, 640, 3)),
        ("late.mkv", 50, (480, 640, 3)),
        ("anamorphic.mkv", 50, (480, 640, 3)),
    ],
)
def test_whole_files_whose_header_is_wrong(reference: Path, name: str, frames: int, shape: tuple[int, ...]) -> None:
    count, last, reader = read(reference / "measure" / "inputs" / name)
    assert (count, last) == (frames, shape)
    assert reader.ended and reader.failure is None and reader.video_rate == 25


def test_a_length_that_is_only_claimed(tmp_path: Path, noise: list[np.ndarray]) -> None:
    """The duration in a Matroska header counts the sound, too."""
    content = write(tmp_path / "clip.mkv", noise, "FFV1")
    at = content.index(b"\x44\x89\x88") + 3  # Duration, eight bytes
    (duration,) = struct.unpack_from(">d", content, at)
    longer = content[:at] + struct.pack(">d", duration * 4) + content[at + 8 :]
    (tmp_path / "long.mkv").write_bytes(longer)
    assert cv2.VideoCapture(str(tmp_path / "long.mkv")).get(cv2.CAP_PROP_FRAME_COUNT) == 160
    count, _, reader = read(tmp_path / "long.mkv")
    assert count == 40 and reader.ended and reader.failure is None


def test_an_edit_list_leaves_frames_out(tmp_path: Path, noise: list[np.ndarray]) -> None:
    content = bytearray(write(tmp_path / "clip.mp4", noise))
    assert frames_listed(str(tmp_path / "clip.mp4")) == 40
    at = content.index(b"elst") + 12  # the length of the first and only part
    struct.pack_into(">I", content, at, struct.unpack_from(">I", content, at)[0] // 2)
    (tmp_path / "trimmed.mp4").write_bytes(content)
    assert frames_listed(str(tmp_path / "trimmed.mp4")) is None
    count, _, reader = read(tmp_path / "trimmed.mp4")
    assert 20 <= count < 40 and reader.ended and reader.failure is None


def test_damage_in_the_middle_is_skipped_and_told(tmp_path: Path, noise: list[np.ndarray]) -> None:
    content = bytearray(write(tmp_path / "clip.mp4", noise))
    middle = len(content) // 2
    content[middle : middle + len(content) // 8] = bytes(len(content) // 8)
    (tmp_path / "damaged.mp4").write_bytes(content)
    count, _, reader = read(tmp_path / "damaged.mp4")
    assert 30 <= count < 40 and not reader.ended
    assert f"damaged.mp4' is damaged: {count} frames could be read, and about" in reader.failure
    capture = cv2.VideoCapture(str(tmp_path / "damaged.mp4"))
    before_the_damage = 0
    while capture.read()[0]:
        before_the_damage += 1
    assert count > before_the_damage + 5


def test_the_damaged_clip(reference: Path, tmp_path: Path) -> None:
    result = run("-c", reference / "measure" / "inputs" / "damaged.mp4", "--log-data", tmp_path / "log.csv", "-s", 1)
    assert result.code == 1 and len(result.err) == 1
    assert "146 frames could be read, and about 14 are lost" in result.err[0]
    with open(tmp_path / "log.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 146


FORMATS = [("a.avi", "MJPG"), ("a.mkv", "FFV1"), ("a.mp4", "mp4v"), ("a.flv", "FLV1")]


@pytest.mark.parametrize(("name", "codec"), FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_files_that_are_cut_off(tmp_path: Path, noise: list[np.ndarray], name: str, codec: str, share: float) -> None:
    content = write(tmp_path / name, noise, codec)
    assert cut_off(str(tmp_path / name)) is None
    assert read(tmp_path / name)[0] == 40
    (tmp_path / name).write_bytes(content[: int(len(content) * share)])
    assert cut_off(str(tmp_path / name))
    try:
        count, _, reader = read(tmp_path / name)
    except InputError as error:  # an MP4 has its index at its end
        assert name == "a.mp4" and "bytes are missing" in str(error)
        return
    assert 0 < count < 40 and not reader.ended
    assert "breaks off" in reader.failure and f"{count} frames" in reader.failure


def test_a_download_whose_end_is_empty(tmp_path: Path, noise: list[np.ndarray]) -> None:
    """Programs that fetch files in parts make them as long as they will be first."""
    content = write(tmp_path / "clip.mp4", noise)
    at = content.index(b"moov") - 4
    begin = int(at * 0.6)
    (tmp_path / "clip.mp4").write_bytes(content[:begin] + bytes(at - begin) + content[at:])
    count, _, reader = read(tmp_path / "clip.mp4")
    assert 10 < count < 30 and f"{count} frames could be read, and 40 should be there" in reader.failure


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"RIFF\xff\xff\xff\x7fAVI ", b"FLV\x01", bytes(99), b"\x1aE\xdf\xa3"]
)
def test_containers_of_a_few_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content)
    cut_off(str(path))
    assert frames_listed(str(path)) is None


def test_reads_that_fail_have_a_bound() -> None:
    capture = FakeCapture([picture(1), *[None] * (MAX_FAILED_READS - 1), picture(2), None])
    assert [lost for _, lost in decoded(capture, "x")] == [0, MAX_FAILED_READS - 1]
    capture = FakeCapture([picture(1), *[None] * MAX_FAILED_READS, picture(2)])
    assert [lost for _, lost in decoded(capture, "x")] == [0]
    assert capture.released


def test_a_recording_that_begins_in_mid_stream_is_whole() -> None:
    assert [lost for _, lost in decoded(FakeCapture([None, None, picture(1), None]), "x")] == [0]


@pytest.mark.parametrize(
    ("aspect", "turned", "shape"),
    [
        ((2, 1), 0, (6, 16, 3)),
        ((1, 2), 0, (12, 8, 3)),
        ((2, 1), 90, (12, 8, 3)),
        ((128, 117), 0, (6, 8, 3)),
        ((0, 1), 0, (6, 8, 3)),
        ((1, 0), 0, (6, 8, 3)),
        ((90000, 1), 0, (6, 8, 3)),
    ],
)
def test_pixels_that_are_not_square(aspect: tuple[int, int], turned: int, shape: tuple[int, ...]) -> None:
    class Anamorphic(FakeCapture):
        def get(self, prop: int) -> float:
            known = {cv2.CAP_PROP_SAR_NUM: aspect[0], cv2.CAP_PROP_SAR_DEN: aspect[1]}
            return {**known, cv2.CAP_PROP_ORIENTATION_META: turned}.get(prop, 0.0)

    ((frame, _),) = decoded(Anamorphic([picture(1), None]), "x")
    assert frame.image.shape == shape


def test_the_log_has_the_videos_time_and_rate(tmp_path: Path, root: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", frames_of(root / "samples" / "talking_head.mp4", 12), fps=12.5)
    assert run("-c", clip, "--log-data", tmp_path / "log.csv", "-s", 1).code == 0
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["VideoTime"]) for row in rows] == [number / 12.5 for number in range(12)]
    assert {float(row["FPS"]) for row in rows} == {12.5}
    assert float(rows[0]["Time"]) > 1.7e9


def test_times_of_a_variable_rate(reference: Path) -> None:
    with InputReader(str(reference / "measure" / "inputs" / "vfr.mkv"), 0, 640, 360, 24) as reader:
        times = [reader.video_time for _ in range(70) if reader.read()[0]]
    steps = np.diff(times)
    assert times[0] == 0 and times[-1] == pytest.approx(6.0)
    assert steps.min() == pytest.approx(0.04) and steps.max() == pytest.approx(0.4)


def test_times_of_an_animation(tmp_path: Path) -> None:
    images = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 100, 200)]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=[50, 200, 100])
    with InputReader(str(tmp_path / "a.gif"), 0, 640, 360, 24) as reader:
        assert [reader.video_time for _ in range(3) if reader.read()[0]] == pytest.approx([0, 0.05, 0.25])


def test_av1_with_pyav(reference: Path) -> None:
    pytest.importorskip("av")
    count, shape, reader = read(reference / "measure" / "inputs" / "av1.mkv")
    assert (count, shape) == (50, (480, 640, 3)) and reader.ended
    assert reader.video_rate == 25 and reader.video_time == pytest.approx(49 / 25)


def test_av1_without_pyav_is_one_sentence(reference: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)  # importing it fails
    clip = reference / "measure" / "inputs" / "av1.mkv"
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    if capture.read()[0]:
        pytest.skip("this OpenCV decodes AV1")
    with pytest.raises(InputError, match=r"codec: AV1.*pip install av.*ffmpeg -i .*av1\.mkv -c:v libx264") as caught:
        read(clip)
    assert "\n" not in str(caught.value)


def test_pyav_is_not_loaded_for_other_videos(root: Path) -> None:
    script = (
        "import sys; from input_reader import InputReader\n"
        "InputReader('samples/talking_head.mp4', 0, 640, 360, 24).read()\n"
        "assert 'av' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=root, check=True)


def frames_of(path: Path, count: int) -> list[np.ndarray]:
    video = cv2.VideoCapture(str(path))
    return [video.read()[1] for _ in range(count)]
