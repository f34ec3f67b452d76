"""The window that shows the picture, and whether there is a display for one."""

import contextlib
import os
import signal
import sys
import time

import cv2
import numpy as np


class Window:
    """A window on the desktop.

    Make it before threads are started: on Linux a display is tried in a forked process first, as the toolkit
    inside OpenCV aborts the whole program when it can't use one.

    Attributes:
        left: the person pressed q in it or closed it.
        key: which key was pressed when the last picture was shown, a small letter if it is a letter.

    Raises:
        RuntimeError: there is no display that can be used (one sentence).
    """

    def __init__(self, title: str) -> None:
        if not _has_windows():
            raise RuntimeError(
                "No window can be shown: this OpenCV has none (opencv-python-headless is installed, perhaps beside "
                f'opencv-python): "{sys.executable}" -m pip uninstall -y opencv-python-headless, then '
                f'"{sys.executable}" -m pip install --force-reinstall opencv-python.'
            )
        if sys.platform == "linux":
            _find_display()
        self._title = title
        self.left = False
        self.key = ""
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
                self.key = chr(cv2.waitKey(1) & 0xFF).lower()
                self.left = self.key == "q"
        except cv2.error:  # how some toolkits answer for a window that was closed
            self.left = True
        return not self.left

    def pressed(self, key: str) -> bool:
        """Whether that key (a small letter) was pressed when the last picture was shown."""
        return self.key == key

    def close(self) -> None:
        """Remove the window; a second time does nothing."""
        with contextlib.suppress(cv2.error):
            cv2.destroyWindow(self._title)

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _has_windows() -> bool:
    """Whether this OpenCV was built with a toolkit for windows."""
    try:
        return cv2.currentUIFramework() != ""
    except (AttributeError, cv2.error):  # how one without a toolkit answers
        return False


def _find_display() -> None:
    """Raise RuntimeError when a window would abort the program; choose X11 where only that works."""
    display, platform = os.environ.get("DISPLAY"), os.environ.get("QT_QPA_PLATFORM")
    if not (display or os.environ.get("WAYLAND_DISPLAY") or platform):
        raise RuntimeError("No window can be shown: there is no display (DISPLAY is not set).")
    if _display_works():
        return
    if display and platform != "xcb":  # OpenCV brings Qt without its part for Wayland
        os.environ["QT_QPA_PLATFORM"] = "xcb"
        if _display_works():
            return
        os.environ.pop("QT_QPA_PLATFORM") if platform is None else os.environ.update(QT_QPA_PLATFORM=platform)
    if display:
        raise RuntimeError(f"No window can be shown: the display '{display}' can't be used.")
    raise RuntimeError("No window can be shown: OpenCV's need X11 or XWayland, and DISPLAY is not set.")


def _display_works(seconds: float = 10.0) -> bool:
    child = os.fork()
    if child == 0:
        _open_and_exit()
    deadline = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        time.sleep(0.005)


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
