"""The picture of what was tracked: drawn, shown in a window, saved as a video."""

import atexit
import contextlib
import math
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np

from output.console import warn
from tracking.faces import Face
from tracking.pose import project

Point = Sequence[float] | np.ndarray  # x, y in pixels
Colour = Sequence[float]  # blue, green, red

_SURE, _UNSURE = np.array([80, 220, 40]), np.array([40, 60, 255])  # a point of confidence 1 and of 0
_PUPIL = (255, 220, 40)
_SHAPE = (255, 80, 255)
_AXES = ((60, 60, 255), (70, 230, 70), (255, 140, 60))  # x red, y green, z blue
_TEXT = (255, 255, 255)
_OUTLINE = (20, 20, 20)
_SUBPIXEL = 4  # fractional bits of the coordinates of lines
_AXIS_LENGTH = 0.5  # in units of the shape, whose head is about 0.9 wide


def draw(
    frame: np.ndarray, faces: Sequence[Face], level: int, pnp_points: int = 0, face_id_offset: int = 0
) -> np.ndarray:
    """Draw what was tracked over a copy of the frame.

    Landmarks are green where the model is sure and red where it is not, pupils are rings.

    Args:
        frame: (height, width, 3) BGR, uint8.
        faces: what was found in it. Points that are not finite or lie outside are left out.
        level: 1 points; 2 also face ids; 3 also confidence; 4 also the points' numbers. 0: none of these.
        pnp_points: 1 the projected points that the pose was fitted to, 2 all 66, and the head's axes
            (x to the person's right red, y up green, z forward blue); 0 nothing.
        face_id_offset: added to the ids shown.

    Returns:
        A new picture of the same size.
    """
    canvas = _Canvas(frame)
    for face in faces:
        # Points, lines and letters grow with the face, but stay visible on a small one.
        size = float(np.nan_to_num(max(face.bbox[2:])))
        unit = max(0.7, min(size / 140, min(frame.shape[:2]) / 200))
        if pnp_points:
            _draw_pose(canvas, face, range(66) if pnp_points > 1 else face.contour, unit, frame.shape)
        if level >= 1:
            _draw_points(canvas, face, unit)
        if level >= 4:
            for i, (row, column) in enumerate(face.lms[:, :2]):
                canvas.text(str(i), (column + 3 * unit, row - 2 * unit), max(0.25, 0.22 * unit))
        if level >= 2:
            label = f"{face.id + face_id_offset}"
            if level >= 3:
                label += f"  {face.conf:.2f}"
            x, y, width, _ = face.bbox
            canvas.text(label, (x + width / 2, y - 12 * unit), 0.6 * unit, centred=True)
    return canvas.picture()


class Window:
    """A window on the desktop.

    Make it before threads are started: on Linux a display is tried in a forked process first, as the toolkit
    inside OpenCV aborts the whole program when it can't use one.

    Attributes:
        left: the person pressed q in it or closed it.

    Raises:
        RuntimeError: there is no display that can be used (one sentence).
    """

    def __init__(self, title: str) -> None:
        if sys.platform == "linux":
            _try_display()
        self._title = title
        self.left = False
        try:
            cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise RuntimeError(f"This OpenCV can't show a window ({error.err}).") from error

    def show(self, frame: np.ndarray | None = None) -> bool:
        """Show a picture, (height, width, 3) BGR, or let the last one stay. False when the person wants to leave.

        Call it several times a second also while there is nothing new: keys and clicks are only taken here.
        """
        try:
            self.left = self.left or cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
            if not self.left:
                if frame is not None:
                    cv2.imshow(self._title, frame)
                self.left = cv2.waitKey(1) & 0xFF in (ord("q"), ord("Q"))
        except cv2.error:  # how some toolkits answer for a window that was closed
            self.left = True
        return not self.left

    def close(self) -> None:
        """Remove the window; a second time does nothing."""
        with contextlib.suppress(cv2.error):
            cv2.destroyWindow(self._title)

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class VideoSink:
    """An AVI file (FFV1, lossless), written by a process of its own.

    The encoder keeps the last 256 KB and the index in memory until the file is closed. Host programs end the
    tracker by killing it; the other process then sees the end of its input and still closes the file,
    so that nothing is lost. It also takes the encoding off the tracker's thread.

    The file is begun with the first frame, which sets its size; frames of another size are fitted into it
    with black bars. When the disk is nearly full the file is closed, with one warning.
    A program that uses this needs the usual `if __name__ == "__main__":` (see `multiprocessing`).

    Args:
        path: an existing file is overwritten. Its ending tells the container: `.avi`.
        scale: 1 to 4: each pixel becomes so many in both directions (nearest neighbour).
        fps: frame rate of the file.

    Raises:
        OSError: the file can't be written, or OpenCV has no writer for its ending (one sentence).
        ValueError: scale or frame rate out of range.
    """

    def __init__(self, path: str | os.PathLike[str], scale: int = 1, fps: float = 24.0) -> None:
        if scale not in (1, 2, 3, 4):
            raise ValueError(f"The video scale is 1, 2, 3 or 4, not {scale}.")
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"The video frame rate must be above 0, not {fps}.")
        self._path = Path(path).absolute()
        self._scale = scale
        self._fps = fps
        self._size: tuple[int, int] | None = None  # width, height of the first frame
        self._encoder: multiprocessing.process.BaseProcess | None = None
        self._frames: Connection | None = None
        _try_codec(self._path.suffix)
        self._path.open("ab").close()  # raises OSError now, when the person still looks

    def write(self, frame: np.ndarray) -> None:
        """Append a frame, (height, width, 3) BGR, uint8. Never raises for trouble with the file."""
        if self._size is None:
            self._size = frame.shape[1], frame.shape[0]
            self._start()
        if self._frames is None:
            return
        if shutil.disk_usage(self._path.parent).free < 2 * frame.nbytes * self._scale**2 + 2**20:
            warn(f"The disk is nearly full: the video {self._path} ends here. Tracking goes on.")
            self.close()
            return
        try:
            self._frames.send_bytes(np.ascontiguousarray(_fit(frame, self._size)).data.cast("B"))
        except OSError:
            warn(f"The video {self._path} ends here: the process that writes it has ended. Tracking goes on.")
            self.close()

    def close(self) -> None:
        """Finish the file and wait until it can be read; a second time does nothing."""
        if self._frames is not None:
            self._frames.close()
            self._frames = None
        if self._encoder is not None:
            self._encoder.join()
            self._encoder = None
            atexit.unregister(self.close)
        elif self._size is None:
            self._size = 0, 0
            if self._path.stat().st_size == 0:  # nothing was written and nothing was there
                self._path.unlink()

    def __enter__(self) -> "VideoSink":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._encoder = context.Process(
            target=_encode, args=(theirs, str(self._path), self._size, self._scale, self._fps), daemon=True
        )
        with _signals_held():
            self._encoder.start()
        theirs.close()
        self._frames = ours
        atexit.register(self.close)


class _Canvas:
    """Draws in a frame's own coordinates, x and y in pixels, on an enlarged copy.

    OpenCV turns small dots and letters into crosses, so that small frames are enlarged, drawn on and shrunk
    again, which leaves the pixels between as they were.
    """

    def __init__(self, frame: np.ndarray) -> None:
        self._size = frame.shape[1], frame.shape[0]
        self._factor = int(np.clip(round(800 / frame.shape[0]), 1, 4))
        enlarged = frame.shape[1] * self._factor, frame.shape[0] * self._factor
        self._image = cv2.resize(frame, enlarged, interpolation=cv2.INTER_NEAREST)

    def picture(self) -> np.ndarray:
        """The frame with what was drawn."""
        return cv2.resize(self._image, self._size, interpolation=cv2.INTER_AREA)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """A dot."""
        if self._near(centre):
            self._circle(centre, radius, colour, -1)

    def ring(self, centre: Point, radius: float, colour: Colour, thickness: float) -> None:
        """A ring."""
        if self._near(centre):
            self._circle(centre, radius, colour, self._pixels(thickness))

    def line(self, start: Point, end: Point, colour: Colour, thickness: float) -> None:
        """A line with a dark edge."""
        if self._near(start) and self._near(end):
            for width, paint in ((1.6 * thickness, _OUTLINE), (thickness, colour)):
                ends = self._fixed(start), self._fixed(end)
                cv2.line(self._image, *ends, paint, self._pixels(width), cv2.LINE_AA, _SUBPIXEL)

    def text(self, text: str, corner: Point, scale: float, centred: bool = False) -> None:
        """Text with its lower left corner, or the middle of its lower edge, there; moved into the frame."""
        if not self._near(corner):
            return
        font, scale = cv2.FONT_HERSHEY_SIMPLEX, scale * self._factor
        thick = max(1, round(2 * scale))
        (width, height), _ = cv2.getTextSize(text, font, scale, thick)
        x, y = corner[0] * self._factor, corner[1] * self._factor
        if centred:
            x -= width / 2
        at = (
            round(max(1, min(x, self._image.shape[1] - width - 1))),
            round(max(height + 1, min(y, self._image.shape[0] - 2))),
        )
        cv2.putText(self._image, text, at, font, scale, _OUTLINE, 2 * thick + 1, cv2.LINE_AA)
        cv2.putText(self._image, text, at, font, scale, _TEXT, thick, cv2.LINE_AA)

    def _circle(self, centre: Point, radius: float, colour: Colour, thickness: int) -> None:
        fixed = round(radius * self._factor * 2**_SUBPIXEL)
        cv2.circle(self._image, self._fixed(centre), fixed, colour, thickness, cv2.LINE_AA, _SUBPIXEL)

    def _near(self, point: Point) -> bool:
        """Whether it is finite and not far outside, where OpenCV's integers would overflow."""
        return bool((np.abs(point) < 3 * max(self._size)).all())

    def _fixed(self, point: Point) -> tuple[int, int]:
        """OpenCV's fixed-point coordinates; a pixel's centre has whole numbers, in both sizes."""
        x, y = ((at + 0.5) * self._factor - 0.5 for at in point)
        return round(x * 2**_SUBPIXEL), round(y * 2**_SUBPIXEL)

    def _pixels(self, thickness: float) -> int:
        return max(1, round(thickness * self._factor))


def _draw_points(canvas: _Canvas, face: Face, unit: float) -> None:
    confidence = np.clip(np.nan_to_num(face.lms[:, 2:]), 0, 1)
    colours = (_UNSURE + confidence * (_SURE - _UNSURE)).tolist()
    for row, column in face.lms[:66, :2]:
        canvas.disc((column, row), 2.4 * unit, _OUTLINE)
    for (row, column), colour in zip(face.lms[:66, :2], colours, strict=False):
        canvas.disc((column, row), 1.7 * unit, colour)
    for row, column, sureness in face.lms[66:]:
        if sureness > 0:  # 0: not looked for
            canvas.ring((column, row), 3.2 * unit, _PUPIL, 1.3 * unit)


def _draw_pose(
    canvas: _Canvas, face: Face, points: Sequence[int] | np.ndarray, unit: float, size: tuple[int, ...]
) -> None:
    """The shape where the pose puts it, and the head's axes from the tip of its nose."""
    tip = face.face_3d[30]
    shape = np.concatenate([face.face_3d[list(points)], [tip], tip + _AXIS_LENGTH * np.eye(3)])
    with np.errstate(all="ignore"):
        seen = project(shape, face.rotation, face.translation, size[1], size[0])[:, ::-1]
    for point in seen[:-4]:
        canvas.ring(point, 2.9 * unit, _SHAPE, unit)
    for end, colour in zip(seen[-3:], _AXES, strict=True):
        canvas.line(seen[-4], end, colour, 2.2 * unit)


def _fit(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The frame, shrunk or enlarged to fit into (width, height), in the middle of black."""
    height, width = frame.shape[:2]
    if (width, height) == size:
        return frame
    ratio = min(size[0] / width, size[1] / height)
    inner = max(1, round(width * ratio)), max(1, round(height * ratio))
    x, y = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[y : y + inner[1], x : x + inner[0]] = cv2.resize(frame, inner, interpolation=cv2.INTER_AREA)
    return picture


def _open_writer(path: str, fps: float, size: tuple[int, int]) -> cv2.VideoWriter:
    return cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), fps, size)


def _encode(frames: Connection, path: str, size: tuple[int, int], scale: int, fps: float) -> None:
    """The other process of `VideoSink`: writes frames of `size` until their sender closes, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tracker, which then closes the file
    frame = np.empty((size[1], size[0], 3), np.uint8)
    writer = _open_writer(path, fps, (size[0] * scale, size[1] * scale))
    try:
        while writer.isOpened():
            frames.recv_bytes_into(frame.data.cast("B"))
            writer.write(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST))
    except (EOFError, OSError):  # OSError: the end came in mid-frame
        pass
    finally:
        writer.release()


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Signals that end a program wait meanwhile; a process started here never gets them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # else the start below starts it, and unblocks the signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _try_codec(suffix: str) -> None:
    """Raise OSError when OpenCV can't write FFV1 into files with that ending."""
    with tempfile.TemporaryDirectory() as folder:
        writer = _open_writer(os.path.join(folder, "try" + suffix), 24.0, (64, 64))
        opened = writer.isOpened()
        writer.release()
    if not opened:
        raise OSError(f"OpenCV can't write an FFV1 video into a file ending in '{suffix}': name it '.avi'.")


def _try_display(seconds: float = 10.0) -> None:
    """Raise RuntimeError when a window would abort the program."""
    display = os.environ.get("DISPLAY")
    if not (display or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("QT_QPA_PLATFORM")):
        raise RuntimeError("No window can be shown: there is no display (DISPLAY is not set).")
    child = os.fork()
    if child == 0:
        _open_and_exit()
    deadline = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
        time.sleep(0.005)
    if status != 0:
        raise RuntimeError(f"No window can be shown: the display '{display or ''}' can't be used.")


def _open_and_exit() -> None:
    """In a forked process: exit with 0 when a window can be made; else with 1, or by the toolkit's abort."""
    import resource  # POSIX only

    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        cv2.namedWindow("try")
        code = 0
    finally:
        os._exit(code)
