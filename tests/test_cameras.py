"""Lists of cameras and capabilities: V4L2 with a driver made of the kernel's structures; printed lines."""

from __future__ import annotations

import ctypes
import errno
import sys
import types

import cv2
import pytest

from capture import cameras
from capture.cameras import Camera, Capability

# --- The structures of <linux/videodev2.h>, written down a second time to check our layouts --------------


class Fract(ctypes.Structure):
    _fields_ = [("numerator", ctypes.c_uint32), ("denominator", ctypes.c_uint32)]


class FormatDescription(ctypes.Structure):
    _fields_ = [
        ("index", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("description", ctypes.c_char * 32),
        ("pixelformat", ctypes.c_uint32),
        ("mbus_code", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    ]


class Discrete(ctypes.Structure):
    _fields_ = [("width", ctypes.c_uint32), ("height", ctypes.c_uint32)]


class Stepwise(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint32)
        for name in ("min_width", "max_width", "step_width", "min_height", "max_height", "step_height")
    ]


class FrameSizeUnion(ctypes.Union):
    _fields_ = [("discrete", Discrete), ("stepwise", Stepwise)]


class FrameSize(ctypes.Structure):
    _fields_ = [
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("size", FrameSizeUnion),
        ("reserved", ctypes.c_uint32 * 2),
    ]


class StepwiseInterval(ctypes.Structure):
    _fields_ = [("min", Fract), ("max", Fract), ("step", Fract)]


class FrameIntervalUnion(ctypes.Union):
    _fields_ = [("discrete", Fract), ("stepwise", StepwiseInterval)]


class FrameInterval(ctypes.Structure):
    _fields_ = [
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("interval", FrameIntervalUnion),
        ("reserved", ctypes.c_uint32 * 2),
    ]


def iowr(number: int, structure: type[ctypes.Structure]) -> int:
    """_IOWR('V', number, structure) of <asm-generic/ioctl.h>."""
    return 3 << 30 | ctypes.sizeof(structure) << 16 | ord("V") << 8 | number


def code(fourcc: str) -> int:
    return int.from_bytes(fourcc.encode(), "little")


class Driver:
    """Answers the three calls as a kernel driver does.

    `formats`: FourCC -> [(size, rates)]. A size is (w, h), or (min w, min h, max w, max h) for a range;
    rates are a list of frames per second, or a tuple (lowest, highest) for a range.
    """

    def __init__(self, formats: dict) -> None:
        self.formats = formats

    def __call__(self, request: int, buffer: bytearray) -> None:
        if request == iowr(2, FormatDescription):
            self.describe_format(FormatDescription.from_buffer(buffer))
        elif request == iowr(74, FrameSize):
            self.describe_size(FrameSize.from_buffer(buffer))
        elif request == iowr(75, FrameInterval):
            self.describe_interval(FrameInterval.from_buffer(buffer))
        else:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")

    @staticmethod
    def entry(entries, index):
        if index >= len(entries):
            raise OSError(errno.EINVAL, "Invalid argument")
        return entries[index]

    def describe_format(self, asked: FormatDescription) -> None:
        assert asked.type == 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
        asked.pixelformat = code(self.entry(list(self.formats), asked.index))

    def sizes(self, pixel_format: int):
        return next(sizes for fourcc, sizes in self.formats.items() if code(fourcc) == pixel_format)

    def describe_size(self, asked: FrameSize) -> None:
        size, _ = self.entry(self.sizes(asked.pixel_format), asked.index)
        if len(size) == 2:
            asked.type = 1
            asked.size.discrete.width, asked.size.discrete.height = size
        else:
            asked.type = 3
            step = asked.size.stepwise
            step.min_width, step.min_height, step.max_width, step.max_height = size
            step.step_width = step.step_height = 2

    def describe_interval(self, asked: FrameInterval) -> None:
        asked_size = (asked.width, asked.height)
        of_this_size = [rates for size, rates in self.sizes(asked.pixel_format) if asked_size in (size[:2], size[-2:])]
        rates = self.entry(of_this_size, 0)
        if isinstance(rates, tuple):
            self.entry([rates], asked.index)
            asked.type = 3
            asked.interval.stepwise.min = Fract(1000, round(rates[1] * 1000))
            asked.interval.stepwise.max = Fract(1000, round(rates[0] * 1000))
        else:
            asked.type = 1
            asked.interval.discrete = Fract(1000, round(self.entry(rates, asked.index) * 1000))


def test_v4l2_fixed_sizes():
    driver = Driver(
        {
            "YUYV": [((640, 480), [30, 15, 5]), ((1280, 720), [10])],
            "MJPG": [((1280, 720), [29.97, 30])],
        }
    )
    assert cameras.read_v4l2(driver) == [
        Capability(0, (640, 480), (640, 480), 5.0, 30.0, "YUYV"),
        Capability(1, (1280, 720), (1280, 720), 10.0, 10.0, "YUYV"),
        Capability(2, (1280, 720), (1280, 720), pytest.approx(29.97), 30.0, "MJPG"),
    ]


def test_v4l2_ranges():
    driver = Driver({"YU12": [((32, 24, 1920, 1080), (1, 60))]})
    assert cameras.read_v4l2(driver) == [Capability(0, (32, 24), (1920, 1080), 1.0, 60.0, "YU12")]


def test_v4l2_range_is_faster_at_its_smallest_size():
    class Slower(Driver):
        def describe_interval(self, asked):
            super().describe_interval(asked)
            small = asked.width == 32
            asked.interval.stepwise.min = Fract(1, 60 if small else 15)
            asked.interval.stepwise.max = Fract(1, 5 if small else 2)

    (capability,) = cameras.read_v4l2(Slower({"YU12": [((32, 24, 1920, 1080), (5, 60))]}))
    assert (capability.fps_min, capability.fps_max) == (2.0, 60.0)


def test_v4l2_big_endian_format_keeps_its_name():
    class BigEndian(Driver):
        def describe_format(self, asked):
            super().describe_format(asked)
            asked.pixelformat |= 1 << 31

        def sizes(self, pixel_format):
            assert pixel_format >> 31  # the driver must get back what it said
            return super().sizes(pixel_format & 0x7FFFFFFF)

    (capability,) = cameras.read_v4l2(BigEndian({"Y16 ": [((64, 48), [30])]}))
    assert capability.format == "Y16"


def test_v4l2_without_rates_or_formats():
    assert cameras.read_v4l2(Driver({})) == []
    assert cameras.read_v4l2(Driver({"GREY": [((64, 64), [])]})) == [
        Capability(0, (64, 64), (64, 64), 0.0, 0.0, "GREY")
    ]


def test_v4l2_driver_without_end():
    def endless(request, buffer):
        if request != cameras.VIDIOC_ENUM_FMT:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")

    assert cameras.read_v4l2(endless) == []


def test_v4l2_interval_of_zero_is_no_rate():
    class Broken(Driver):
        def describe_interval(self, asked):
            super().describe_interval(asked)
            asked.interval.discrete.numerator = 0

    (capability,) = cameras.read_v4l2(Broken({"YUYV": [((64, 64), [30])]}))
    assert (capability.fps_min, capability.fps_max) == (0.0, 0.0)


@pytest.mark.skipif(sys.platform == "win32", reason="opens a device file; Windows' own test is below")
def test_capabilities_of_a_device_that_is_gone():
    notes = []
    camera = Camera(7, "Gone", "/dev/no-such-camera")
    assert cameras.capabilities(camera, notes.append, platform="linux") == []
    assert len(notes) == 1 and "Gone" in notes[0] and "No such file" in notes[0]


@pytest.mark.skipif(sys.platform != "linux", reason="opens a device file of Linux")
def test_capabilities_of_a_device_that_is_no_camera():
    notes = []
    assert cameras.capabilities(Camera(7, "Null", "/dev/null"), notes.append, platform="linux") == []
    assert notes == []  # it answers that it has no formats, which is no trouble


def test_capabilities_on_macos_are_not_known():
    notes = []
    assert cameras.capabilities(Camera(0, "FaceTime"), notes.append, platform="darwin") == []
    assert len(notes) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="pygrabber may be there")
def test_capabilities_on_windows_without_pygrabber():
    notes = []
    assert cameras.capabilities(Camera(0, "Webcam"), notes.append, platform="win32") == []
    assert len(notes) == 1 and "pygrabber" in notes[0]


def test_capabilities_on_windows(monkeypatch):
    class FilterGraph:
        def get_input_devices(self):
            return ["Capture card", "Virtual camera", "Front camera", "Webcam"]

        def add_video_input_device(self, index):
            self.index = index

        def get_input_device(self):
            formats = [
                {
                    "index": 4,
                    "media_type_str": "MJPG",
                    "width": 1280,
                    "height": -720,
                    "min_framerate": 60.0,
                    "max_framerate": 30.0,
                }
            ]
            return types.SimpleNamespace(get_formats=lambda: formats if self.index == 3 else [])

    module = types.ModuleType("pygrabber.dshow_graph")
    module.FilterGraph = FilterGraph
    monkeypatch.setitem(sys.modules, "pygrabber", types.ModuleType("pygrabber"))
    monkeypatch.setitem(sys.modules, "pygrabber.dshow_graph", module)
    assert cameras.capabilities(Camera(3, "Webcam"), platform="win32") == [
        Capability(0, (1280, 720), (1280, 720), 30.0, 60.0, "MJPG")
    ]
    notes = []
    assert cameras.capabilities(Camera(4, "Gone"), notes.append, platform="win32") == []
    assert notes == ["The formats of Gone cannot be listed: it is gone."]


# --- The list ---------------------------------------------------------------------------------------------


def enumerator(monkeypatch, answer):
    """Puts this in place of cv2_enumerate_cameras.enumerate_cameras."""
    module = types.ModuleType("cv2_enumerate_cameras")
    module.enumerate_cameras = answer
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", module)


def info(index, name, path):
    return types.SimpleNamespace(index=index, name=name, path=path)


def test_list_is_sorted_and_one_line_each(monkeypatch):
    def answer(backend):
        assert backend == cv2.CAP_V4L2
        return [
            info(10, "Tenth", "/dev/video10"),
            info(2, "Two\nlines\r", "/dev/video2"),
            info(0, None, "/dev/video0"),
            info(2, "Two\nlines\r", "/dev/video2"),
        ]

    enumerator(monkeypatch, answer)
    assert cameras.list_cameras(cv2.CAP_V4L2) == [
        Camera(0, "/dev/video0", "/dev/video0"),
        Camera(2, "Two lines", "/dev/video2"),
        Camera(10, "Tenth", "/dev/video10"),
    ]


@pytest.mark.parametrize("error", [RuntimeError("COM says no"), OSError(13, "denied"), NotImplementedError()])
def test_list_when_the_system_refuses(monkeypatch, error):
    def refuse(backend):
        raise error

    notes = []
    enumerator(monkeypatch, refuse)
    assert cameras.list_cameras(report=notes.append) == []
    assert len(notes) == 1 and "cannot be listed" in notes[0]


def test_list_without_the_package(monkeypatch):
    notes = []
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", None)
    assert cameras.list_cameras(report=notes.append) == []
    assert len(notes) == 1 and "cv2-enumerate-cameras" in notes[0]


def test_list_of_this_machine():
    listed = cameras.list_cameras()
    assert [camera.index for camera in listed] == sorted({camera.index for camera in listed})
    for camera in listed:
        assert cameras.find_camera(camera.index, listed) == camera


# One webcam with a second node for metadata, then another camera.
TWO = [Camera(0, "Webcam", "/dev/video0"), Camera(2, "Card", "/dev/video2")]


@pytest.mark.parametrize(
    ("number", "path"), [(0, "/dev/video0"), (2, "/dev/video2"), (1, "/dev/video2"), (3, None), (-1, None)]
)
def test_find_by_node_and_by_line(number, path):
    found = cameras.find_camera(number, TWO)
    assert (found.path if found else None) == path


def test_find_in_nothing():
    assert cameras.find_camera(0, []) is None


# --- The printed lines ------------------------------------------------------------------------------------


def test_camera_lines():
    assert cameras.camera_lines(TWO) == ["Available cameras:", "0: Webcam", "2: Card"]
    assert cameras.camera_lines(TWO, names_only=True) == ["Webcam", "Card"]
    assert cameras.camera_lines([]) == ["Available cameras:"]
    assert cameras.camera_lines([], names_only=True) == []


CAPABILITIES = [
    Capability(0, (640, 480), (640, 480), 5.0, 30.0, "YUYV"),
    Capability(1, (32, 24), (1920, 1080), 29.97, 60.0, "MJPG"),
]
CAPABILITY_LINES = [
    "    0: Resolution: 640x480 FPS: 5.000-30.000 Format: YUYV",
    "    1: Resolution: 32x24-1920x1080 FPS: 29.970-60.000 Format: MJPG",
]


def test_capability_lines():
    assert cameras.capability_lines(CAPABILITIES) == CAPABILITY_LINES
    assert cameras.all_capability_lines([(TWO[0], CAPABILITIES), (TWO[1], [])]) == [
        "0: Webcam",
        *CAPABILITY_LINES,
        "2: Card",
    ]


def test_report_to_a_closed_standard_error(monkeypatch, capsys):
    cameras.to_stderr("heard")
    assert capsys.readouterr().err == "heard\n"
    monkeypatch.setattr(sys, "stderr", None)
    cameras.to_stderr("nobody hears")
    assert capsys.readouterr().out == ""
