"""The cameras of this machine and what they deliver: behind `--list-cameras`, `--list-dcaps`, `--dcap`.

Names come from cv2-enumerate-cameras on every system. Capabilities come from V4L2 on Linux and from
pygrabber (DirectShow) on Windows; macOS gives names only. Nothing here raises because a system refuses to
tell: the list is empty then, and the reason is reported.

What `-c N` means: on Windows and macOS, line N of the list. On Linux the index of a camera is the number of
its node (/dev/video2 is camera 2), as OpenCV and other programs count. One webcam often has two nodes of
which only the first gives pictures, so a second camera is /dev/video2 though it is line 1 of the list.
`find_camera` therefore takes N as node number first and, where node N gives no pictures, as line number: a
program that counts lines finds its camera too, unless three or more cameras make a line number meet another
camera's node.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2

# The first backend of a system is the one whose order of cameras counts.
BACKENDS = {
    "linux": (cv2.CAP_V4L2,),
    "win32": (cv2.CAP_DSHOW, cv2.CAP_MSMF),
    "darwin": (cv2.CAP_AVFOUNDATION,),
}

Report = Callable[[str], None]


@dataclass(frozen=True)
class Camera:
    """A camera that gives pictures.

    Attributes:
        index: its number for `-c`.
        name: as its driver calls it, one line; two cameras of one make share it.
        path: what identifies the device to the system (Linux: its node), None where there is no such thing.
    """

    index: int
    name: str
    path: str | None = None


@dataclass(frozen=True)
class Capability:
    """One format of a camera.

    Attributes:
        id: its number for `--dcap`, counted from 0 for each camera.
        min_size, max_size: (width, height) in pixels; the same for a fixed size, else any size between them.
        fps_min, fps_max: frames per second; 0 when the camera does not say.
        format: FourCC of the pixel format, for example MJPG or YUYV.
    """

    id: int
    min_size: tuple[int, int]
    max_size: tuple[int, int]
    fps_min: float
    fps_max: float
    format: str


def to_stderr(message: str) -> None:
    """Write one line to standard error; a host that has closed it is no reason to stop."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(message, file=sys.stderr, flush=True)


def backends(platform: str = sys.platform) -> tuple[int, ...]:
    """OpenCV's camera backends of a system (`sys.platform`), best first."""
    return BACKENDS.get(platform, (cv2.CAP_ANY,))


def list_cameras(backend: int | None = None, report: Report = to_stderr) -> list[Camera]:
    """The cameras that can be opened, in the order of their index.

    Args:
        backend: OpenCV's number of the backend whose indices are wanted; None: the first of this system.
        report: gets one sentence when the system does not tell; the list is empty then.
    """
    try:
        from cv2_enumerate_cameras import enumerate_cameras

        found = enumerate_cameras(backends()[0] if backend is None else backend)
    except ImportError:
        report(
            "Cameras cannot be listed: that needs the package cv2-enumerate-cameras "
            f'("{sys.executable}" -m pip install cv2-enumerate-cameras).'
        )
        return []
    except Exception as error:  # the libraries of each system raise what they like
        report(f"Cameras cannot be listed: {error or type(error).__name__}.")
        return []
    cameras = {
        camera.index: Camera(camera.index, _one_line(camera.name or camera.path or "unnamed camera"), camera.path)
        for camera in found
    }
    return [cameras[index] for index in sorted(cameras)]


def find_camera(number: int, cameras: Sequence[Camera]) -> Camera | None:
    """The camera that `-c NUMBER` means: that index, else that line of the list (see the module's text)."""
    for camera in cameras:
        if camera.index == number:
            return camera
    return cameras[number] if 0 <= number < len(cameras) else None


def capabilities(camera: Camera, report: Report = to_stderr, platform: str = sys.platform) -> list[Capability]:
    """What a camera can deliver, in the order its driver tells it.

    Args:
        camera: one of `list_cameras`.
        report: gets one sentence when this is not known; the list is empty then.
        platform: `sys.platform`.
    """
    try:
        if platform == "linux":
            return _v4l2_capabilities(camera)
        if platform == "win32":
            return _directshow_capabilities(camera)
    except ImportError as error:
        report(f"The formats of {camera.name} cannot be listed: a package is missing ({error}).")
        return []
    except Exception as error:  # drivers and COM raise what they like
        report(f"The formats of {camera.name} cannot be listed: {error or type(error).__name__}.")
        return []
    report("The formats of a camera cannot be listed on this system.")
    return []


def camera_lines(cameras: Iterable[Camera], names_only: bool = False) -> list[str]:
    """The text of `--list-cameras`: `names_only` is its value 2, one name a line and nothing else."""
    if names_only:
        return [camera.name for camera in cameras]
    return ["Available cameras:", *(f"{camera.index}: {camera.name}" for camera in cameras)]


def capability_lines(listed: Iterable[Capability]) -> list[str]:
    """The text of `--list-dcaps N`: a line for each capability of one camera."""
    return [_capability_line(capability) for capability in listed]


def all_capability_lines(listed: Iterable[tuple[Camera, Iterable[Capability]]]) -> list[str]:
    """The text of `--list-dcaps -1`: every camera, each followed by its capabilities."""
    lines = []
    for camera, camera_capabilities in listed:
        lines += [f"{camera.index}: {camera.name}", *capability_lines(camera_capabilities)]
    return lines


def _capability_line(capability: Capability) -> str:
    size = "{}x{}".format(*capability.min_size)
    if capability.max_size != capability.min_size:
        size += "-{}x{}".format(*capability.max_size)
    return (
        f"    {capability.id}: Resolution: {size} "
        f"FPS: {capability.fps_min:.3f}-{capability.fps_max:.3f} Format: {capability.format}"
    )


def _one_line(name: str) -> str:
    # A host program counts lines, so a driver's name must not hold a line break.
    return " ".join(str(name).split())


# --- Linux: the enumeration calls of <linux/videodev2.h> --------------------------------------------------
# (The packages that wrap them, linuxpy and v4l2-python3, are under the GPL, which this program is not.)

VIDIOC_ENUM_FMT = 0xC0405602
VIDIOC_ENUM_FRAMESIZES = 0xC02C564A
VIDIOC_ENUM_FRAMEINTERVALS = 0xC034564B

# struct v4l2_fmtdesc: index, type, flags, description, pixelformat, mbus_code
_FORMAT = struct.Struct("=3I32s2I12x")
# struct v4l2_frmsizeenum: index, pixel_format, type, then width, height (discrete)
# or min_width, max_width, step_width, min_height, max_height, step_height
_FRAME_SIZE = struct.Struct("=3I6I8x")
# struct v4l2_frmivalenum: index, pixel_format, width, height, type, then numerator, denominator (discrete)
# or those of the shortest, the longest and the step
_FRAME_INTERVAL = struct.Struct("=5I6I8x")

_VIDEO_CAPTURE = 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
_DISCRETE = 1  # V4L2_FRMSIZE_TYPE_DISCRETE and V4L2_FRMIVAL_TYPE_DISCRETE
_MOST_ENTRIES = 1000  # a driver that never says "no more" must not hold the program

Ioctl = Callable[[int, bytearray], object]


def read_v4l2(ioctl: Ioctl) -> list[Capability]:
    """The capabilities of an open V4L2 device.

    Args:
        ioctl: `ioctl(request, buffer)` fills the buffer or raises OSError.

    Raises:
        OSError: the device went away or is none.

    Source: https://docs.kernel.org/userspace-api/media/v4l/vidioc-enum-fmt.html and the pages
    vidioc-enum-framesizes and vidioc-enum-frameintervals beside it.
    """
    found: list[Capability] = []
    for _, _, _, _, pixel_format, _ in _entries(ioctl, VIDIOC_ENUM_FMT, _FORMAT, _VIDEO_CAPTURE):
        for _, _, kind, *size in _entries(ioctl, VIDIOC_ENUM_FRAMESIZES, _FRAME_SIZE, pixel_format):
            if kind == _DISCRETE:
                smallest = largest = (size[0], size[1])
            else:
                smallest, largest = (size[0], size[3]), (size[1], size[4])
            rates = [rate for corner in {smallest, largest} for rate in _frame_rates(ioctl, pixel_format, *corner)]
            found.append(
                Capability(
                    len(found),
                    smallest,
                    largest,
                    min(rates, default=0.0),
                    max(rates, default=0.0),
                    _fourcc_name(pixel_format),
                )
            )
    return found


def _frame_rates(ioctl: Ioctl, pixel_format: int, width: int, height: int) -> Iterator[float]:
    key = (pixel_format, width, height)
    for entry in _entries(ioctl, VIDIOC_ENUM_FRAMEINTERVALS, _FRAME_INTERVAL, *key):
        kind, interval = entry[4], entry[5:]
        fractions = [interval[0:2]] if kind == _DISCRETE else [interval[0:2], interval[2:4]]
        yield from (denominator / numerator for numerator, denominator in fractions if numerator)


def _entries(ioctl: Ioctl, request: int, layout: struct.Struct, *key: int) -> Iterator[tuple]:
    """Ask for entry 0, 1, 2 … until the driver answers that there is none."""
    for index in range(_MOST_ENTRIES):
        buffer = bytearray(layout.size)
        struct.pack_into(f"={1 + len(key)}I", buffer, 0, index, *key)
        try:
            ioctl(request, buffer)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):  # no more entries; not known to this driver
                return
            raise
        yield layout.unpack(buffer)


def _fourcc_name(code: int) -> str:
    # Bit 31 marks big-endian formats and is no part of the four letters.
    return struct.pack("<I", code & 0x7FFFFFFF).decode("ascii", "replace").strip()


def _v4l2_capabilities(camera: Camera) -> list[Capability]:
    import fcntl

    device = os.open(camera.path or f"/dev/video{camera.index}", os.O_RDWR | os.O_NONBLOCK)
    try:
        return read_v4l2(lambda request, buffer: fcntl.ioctl(device, request, buffer))
    finally:
        os.close(device)


# --- Windows ---------------------------------------------------------------------------------------------


def _directshow_capabilities(camera: Camera) -> list[Capability]:
    from pygrabber.dshow_graph import FilterGraph

    graph = FilterGraph()
    if camera.index >= len(graph.get_input_devices()):
        raise OSError("it is gone")
    graph.add_video_input_device(camera.index)
    return from_directshow(graph.get_input_device().get_formats())


def from_directshow(formats: Iterable[dict]) -> list[Capability]:
    """Capabilities from pygrabber's `VideoInput.get_formats`.

    Its rates are the inverse of the shortest and the longest frame interval, so the one called the least is
    the greatest.
    """
    found: list[Capability] = []
    for entry in formats:
        rates = sorted((float(entry["min_framerate"]), float(entry["max_framerate"])))
        size = (entry["width"], abs(entry["height"]))  # a top-down bitmap has a negative height
        found.append(Capability(len(found), size, size, rates[0], rates[1], entry["media_type_str"]))
    return found
