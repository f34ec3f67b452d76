"""All targets of a run: builds a sender for each, and feeds them in a thread of their own.

The loop only hands over a frame's faces, which takes microseconds. Turning them into avatars, smoothing, encoding and
sending happen while the next frame's networks run, and no trouble there can hold up or end the tracking.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from sending.avatar import BEFORE_CAMERA, Avatar, Avatars, NeutralHead, Wearer
from sending.targets import Target
from sending.udp import destination
from tracking.faces import Face
from tracking.smoothing import Preset

#: Faces, time and size of a frame.
_Frame = tuple[Sequence[Face], float, tuple[float, float]]
#: Frames of a camera that may wait; more of them would be older than anybody wants.
MOST_WAITING = 100
#: Frames of a file that may wait: the tracker waits, too, so that none of them is left out.
MOST_OF_A_FILE = 20
#: Seconds in which what still waits at the end is sent.
LAST_SECONDS = 2.0
#: Seconds after which the thread that sends lets the tracker's own go on, if that waits for the interpreter. By default
#: it may hold it up for 5 ms, several times a frame.
SWITCH_INTERVAL = 2e-5


class Sender(Protocol):
    """What carries faces to one target."""

    def send(self, avatars: Sequence[Avatar], time: float) -> None:
        """Send those of a frame (by id, none if no face is there) that was taken at `time`, Unix seconds."""

    def close(self) -> None:
        """Let go of sockets and threads."""


def make_sender(target: Target, report: Callable[[str], None], hotkeys: bool = False) -> Sender:
    """The sender for a target.

    Args:
        target: where to.
        report: gets a line for each kind of trouble.
        hotkeys: see `Senders`.

    Raises:
        ValueError: its host is unknown, or can't be listened at (one sentence).
    """
    wearer = Wearer(target.face, target.on("mirror", False))
    # Each protocol is imported only where it is used: few runs need more than one.
    if target.protocol == "vts":
        from sending.vtubestudio import VTubeStudioSender

        return VTubeStudioSender(target.host, target.port, wearer, report, hotkeys=hotkeys)
    if target.protocol == "vtsphone":
        from sending.vtsphone import VtsPhoneSender

        try:
            return VtsPhoneSender(target.host, target.port, wearer, report)
        except OSError as error:
            reason = error.strerror or error
            raise ValueError(f"{target.text}: {target.host}:{target.port} can't be listened at ({reason}).") from error
    host = f"[{target.host}]" if ":" in target.host else target.host
    place = destination(f"{host}:{target.port}", target.port, report)
    if target.protocol == "vmc":
        from sending.vmc import FrameLayout, VmcSender

        settings = target.settings
        layout = FrameLayout(
            target.on("bones", True), settings.get("names") == "pascal", settings.get("presets", "none")
        )
        return VmcSender(place, wearer, layout)
    if target.protocol == "ifacialmocap":
        from sending.ifacialmocap import IFacialMocapSender

        return IFacialMocapSender(place, wearer)
    if target.protocol == "livelink":
        from sending.livelink import SUBJECT, LiveLinkSender

        return LiveLinkSender(place, wearer, target.settings.get("subject", SUBJECT))
    from sending.opentrack import OpentrackSender

    return OpentrackSender(place, wearer)


class Senders:
    """Sends every frame to all targets.

    Args:
        targets: where to.
        preset: how movements are smoothed; None: not at all.
        report: gets a line for each kind of trouble.
        neutral: gives the neutral head that counts now; called from the thread. None: before the camera.
        expressions: gives the names of the expressions that are looked for now; called from the thread.
        hotkeys: have VTube Studio press its hotkey of the same name when an expression comes.

    Attributes:
        live: frames come from a camera, which does not wait: one that finds too many waiting is left out. False: `send`
            waits instead, so that a file's frames are all sent.

    Raises:
        ValueError: see `make_sender`.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        preset: Preset | None,
        report: Callable[[str], None],
        neutral: Callable[[], NeutralHead] | None = None,
        expressions: Callable[[], Sequence[str]] = tuple,
        hotkeys: bool = False,
    ) -> None:
        self.live = True
        self._report = report
        shapes = any(target.needs_shapes for target in targets)
        self._avatars = Avatars(preset, report, neutral or (lambda: BEFORE_CAMERA), shapes, expressions)
        self._senders: list[Sender] = []
        try:
            for target in targets:
                self._senders.append(make_sender(target, report, hotkeys))
        except ValueError:
            for sender in self._senders:
                sender.close()
            raise
        self._failed: set[str] = set()
        # Frames; an event is set when its turn comes, and None is the end.
        self._frames: queue.SimpleQueue[_Frame | threading.Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="senders", daemon=True)
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._thread.start()

    def send(self, faces: Sequence[Face], time: float, size: tuple[float, float]) -> None:
        """Hand over the faces of a frame, also when there are none.

        Args:
            faces: ordered by id; nobody may change them afterwards.
            time: when the frame was taken, Unix seconds.
            size: its width and height, pixels.
        """
        if not self.live and self._frames.qsize() >= MOST_OF_A_FILE:
            self.wait_until_sent()
        if self._frames.qsize() < MOST_WAITING:
            self._frames.put((faces, time, size))

    def wait_until_sent(self, seconds: float = LAST_SECONDS) -> bool:
        """Wait for what was handed over; False when that takes longer than so many seconds."""
        done = threading.Event()
        self._frames.put(done)
        return done.wait(seconds)

    def close(self) -> None:
        """Send what still waits, and end."""
        self._frames.put(None)
        self._thread.join(LAST_SECONDS)
        sys.setswitchinterval(self._switch_interval)
        for sender in self._senders:
            sender.close()

    def __enter__(self) -> Senders:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self) -> None:
        while (frame := self._frames.get()) is not None:
            if isinstance(frame, threading.Event):
                frame.set()
                continue
            faces, time, size = frame
            try:
                avatars = self._avatars.of(faces, time, size)
            except Exception as error:  # one frame that a library fails on is no reason to end a stream
                self._say_once("faces", error)
                continue
            for sender in self._senders:
                try:
                    sender.send(avatars, time)
                except Exception as error:
                    self._say_once(type(sender).__name__, error)

    def _say_once(self, who: str, error: Exception) -> None:
        if who not in self._failed:
            self._failed.add(who)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self._report(f"A frame could not be sent by {who} ({reason}); tracking goes on.")
