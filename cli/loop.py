"""The run: read a frame, track its faces, then send, print, log and draw them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cli.interrupts import Interrupts
from cli.options import Options
from input_reader import InputError, InputReader
from output.console import Console, warn
from output.data_log import DataLog
from output.shape_file import write_shape
from sending.packet import encode
from sending.targets import read_targets
from sending.udp import PacketSender
from tracker import Timings, Tracker
from tracking.faces import Face
from tracking.models import BLENDSHAPES_FILE, default_model_dir
from tracking.smoothing import PRESETS, Smoothers

# Otherwise imported where it is used: few runs draw, and all would start later for it.
if TYPE_CHECKING:
    from cli.calibrating import Calibrator
    from cli.expressing import Expressing
    from output.video import VideoSink
    from output.window import Window
    from sending.senders import Senders

ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
MAX_FAILURES = 30  # so many frames in a row that can't be tracked end the run


class RunError(RuntimeError):
    """The run can't start or go on; the message is one sentence for the user."""


def track(options: Options, console: Console, interrupts: Interrupts) -> None:
    """Tracks until the input ends, the user quits or a signal comes.

    Raises:
        InputError: the input can't be opened or breaks off.
        ModelError: a model is missing or unusable.
        ProfileError: the profile is none.
        ExpressionError: the file of expressions is none, or what was to be recorded can't be.
        RunError: the host to send to is unknown, a window can't be shown, or too many frames in a row failed.
        OSError: a file can't be written.
    """
    with ExitStack() as resources:
        sender = make_sender(options)
        if sender:
            resources.enter_context(sender)
        expressing = None
        if options.expressions:
            from cli.expressing import make_expressing

            expressing = make_expressing(options, console)
        calibrator = None
        shapes = finds_shapes(options, expressing)
        if shapes:
            from cli.calibrating import Calibrator

            calibrator = Calibrator(console, options.calibrate, options.profile)
            resources.enter_context(calibrator)
        # The window comes before everything that starts threads.
        window = resources.enter_context(make_window()) if options.visualize else None
        senders = make_senders(options, calibrator, expressing)
        if senders:
            resources.enter_context(senders)
        reader = resources.enter_context(open_reader(options))
        if expressing:
            resources.enter_context(expressing).begin(reader.is_live, shapes)
        if senders:
            senders.live = reader.is_live
        stream = frames(reader, options, interrupts, window)
        if first := next(stream, None):
            tracker = resources.enter_context(make_tracker(options, first[1], shapes))
            # Files come last: those of an earlier run are only replaced when there is something new.
            log = None
            if options.log_data:
                log = resources.enter_context(DataLog(options.log_data, shapes, options.finds_expressions))
            video = None
            if options.video_out:
                from output.video import VideoSink

                video = VideoSink(options.video_out, options.video_scale, options.video_fps, live=reader.is_live)
                resources.enter_context(video)
            preset = PRESETS[options.smooth or "off"]
            smoothers = Smoothers(preset) if preset else None
            outputs = Outputs(
                options, reader, console, sender, smoothers, senders, log, video, window, calibrator, expressing
            )
            track_frames(chain([first], stream), tracker, outputs)
        if interrupts.received == signal.SIGINT:
            console.line("Quitting")
        console.summary()
        if reader.failure:
            raise InputError(reader.failure)
        quits = bool(interrupts.received or (window and window.left))
        if not (first or quits):
            raise InputError(f"Nothing came from {reader.name}.")
        if expressing:
            expressing.finish(quits)


def make_sender(options: Options) -> PacketSender | None:
    """The way to the receivers of records that the options name."""
    if options.ip.lower() == "none":
        return None
    try:
        return PacketSender(options.ip, options.port, warn)
    except ValueError as error:
        raise RunError(str(error)) from error


def finds_shapes(options: Options, expressing: Expressing | None = None) -> bool:
    """Whether blend shapes are found: when they are asked for, or can be sent or help to tell expressions apart, which
    `--blendshapes 0` forbids. Models of others may have none."""
    folder = Path(options.model_dir) if options.model_dir else default_model_dir()
    help_to_tell = expressing and expressing.wants_shapes and "blendshapes" not in options.given
    sent = options.send and any(target.needs_shapes for target in read_targets(options.send))
    return options.wants_blendshapes or bool(sent or help_to_tell) and (folder / BLENDSHAPES_FILE).is_file()


def make_senders(options: Options, calibrator: Calibrator | None, expressing: Expressing | None) -> Senders | None:
    """The way to the programs that `--send` names."""
    if not options.send:
        return None
    from sending.senders import Senders

    try:
        neutral = calibrator.neutral if calibrator else None
        names = (lambda: expressing.names) if expressing else tuple
        preset, hotkeys = PRESETS[options.smooth or "normal"], bool(options.expression_hotkeys)
        return Senders(read_targets(options.send), preset, warn, neutral, names, hotkeys)
    except ValueError as error:
        raise RunError(str(error)) from error


def make_window() -> Window:
    """The window of `--visualize`."""
    from output.window import Window

    try:
        return Window("OpenSeeFace Visualization")  # host programs look for it by this title
    except RuntimeError as error:
        raise RunError(str(error)) from error


def open_reader(options: Options) -> InputReader:
    """The input that the options name; its notes go where the tracker's own go."""
    return InputReader(
        options.capture,
        options.raw_rgb,
        options.width,
        options.height,
        options.fps,
        use_dshowcapture=options.use_dshowcapture,
        dcap=options.dcap,
        report=warn,
    )


def make_tracker(options: Options, frame: np.ndarray, shapes: bool) -> Tracker:
    """The tracker that the options describe, for frames like this one."""
    height, width = frame.shape[:2]
    return Tracker(
        width,
        height,
        model_type=options.model,
        detection_threshold=options.detection_threshold,
        threshold=options.threshold,
        max_faces=options.faces,
        discard_after=options.discard_after,
        scan_every=options.scan_every,
        max_threads=options.max_threads,
        silent=bool(options.silent),
        model_dir=options.model_dir,
        no_gaze=not options.gaze_tracking or options.model == -1,
        use_retinaface=bool(options.scan_retinaface),
        max_feature_updates=options.max_feature_updates,
        static_model=bool(options.no_3d_adapt),
        try_hard=bool(options.try_hard),
        execution_provider=options.execution_provider,
        report=warn,
        feature_calibration=options.feature_calibration,
        blendshapes=shapes,
    )


def frames(
    reader: InputReader, options: Options, interrupts: Interrupts, window: Window | None = None
) -> Iterator[tuple[float, np.ndarray]]:
    """Time of capture (Unix seconds) and BGR frame, until the input ends or a signal comes.

    Cameras are held to `--fps`; files and raw frames come as fast as they are taken. While a camera has no frame, which
    may last a minute, the window is asked whether the user quits.
    """
    pace = Pace(options.fps if reader.is_live else 0)

    def next_frame() -> np.ndarray | None:
        pace.wait()
        return reader.read()[1]

    while True:
        frame = interrupts.wait_for(next_frame)
        captured = time.time()
        if interrupts.received:
            return
        if frame is not None:
            if options.rotate_input:
                frame = cv2.rotate(frame, ROTATIONS[options.rotate_input])
            yield captured, cv2.flip(frame, 1) if options.mirror_input else frame
        elif reader.ended and options.repeat_video:
            if not reader.restart():
                return
        elif not reader.is_open() or (window and not window.show()):
            return


def track_frames(stream: Iterator[tuple[float, np.ndarray]], tracker: Tracker, outputs: Outputs) -> None:
    """Tracks every frame and hands on what is found, until the stream ends or the user quits.

    Raises:
        RunError: too many frames in a row failed.
    """
    failures = 0
    warned = False
    for number, (captured, frame) in enumerate(stream, start=1):
        started = time.perf_counter()
        try:
            faces = tracker.predict(frame)
        except Exception as error:  # one frame that a library fails on is no reason to end a stream
            failures += 1
            reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
            if failures == MAX_FAILURES:
                raise RunError(f"{failures} frames in a row could not be tracked ({reason}).") from error
            if not warned:
                warned = True
                warn(f"Frame {number} could not be tracked ({reason}); tracking goes on.")
            continue
        failures = 0
        took = 1000 * (time.perf_counter() - started)
        if not outputs.deliver(number, captured, frame, faces, took, tracker.timings):
            return


@dataclass
class Outputs:
    """Everything that a frame's faces go to; what was not asked for is None."""

    options: Options
    reader: InputReader
    console: Console
    sender: PacketSender | None
    smoothers: Smoothers | None  # for the record
    senders: Senders | None
    log: DataLog | None
    video: VideoSink | None
    window: Window | None
    calibrator: Calibrator | None = None
    expressing: Expressing | None = None

    def deliver(
        self,
        number: int,
        captured: float,
        frame: np.ndarray,
        faces: list[Face],
        took: float,
        timings: Timings,
    ) -> bool:
        """Hands on the faces of one frame.

        Args:
            number: the frame's, from 1.
            captured: when the frame was taken, Unix seconds.
            frame: BGR uint8 (h, w, 3).
            faces: ordered by id.
            took: tracking time, ms.
            timings: its parts.

        Returns:
            False when the user wants to quit, or the run has done what it is for.
        """
        options = self.options
        height, width = frame.shape[:2]
        # First: it wants the shapes as they were found.
        goes_on = self.expressing is None or self.expressing.update(faces, self.clock(number, captured))
        if self.calibrator:
            self.calibrator.update(faces, captured, (width, height))
        if self.senders:
            self.senders.send(faces, captured, (width, height))
        if faces and self.sender:
            recorded = self.smoothers.smooth(faces, captured) if self.smoothers else faces
            self.sender.send(encode(recorded, captured, width, height, options.face_id_offset))
        if options.record is None:  # else nobody would find what to do among these lines
            self.console.frame(took, timings, faces, options.face_id_offset, options.finds_expressions)
        if self.console.abandoned:
            warn("Nobody reads the output any more, so the tracker ends (with --silent 1 it goes on).")
            return False
        if self.log:
            rate, at = self.reader.video_rate or options.fps, self.reader.video_time
            self.log.write(number, captured, width, height, rate, faces, options.face_id_offset, at)
        if not (self.video or self.window):
            return goes_on
        from output.drawing import draw

        level = max(options.visualize, 1)  # a video without a window still shows the points
        picture = draw(frame, faces, level, options.pnp_points, options.face_id_offset)
        if options.show_shapes and faces and faces[0].blendshapes is not None:
            from output.bars import draw_bars

            draw_bars(picture, faces[0].blendshapes)
        if self.expressing and (caption := self.expressing.caption_of(faces)):
            from output.caption import draw_caption

            draw_caption(picture, caption)
        if self.video:
            self.video.write(picture)
        if self.window is None or self.window.show(picture):
            if self.calibrator and self.window and self.window.pressed("c"):
                self.calibrator.restart()
            if self.expressing and self.window:
                self.expressing.key(self.window.key)
            return goes_on
        if options.dump_points and faces:
            write_shape(options.dump_points, faces[0].face_3d)
        return False

    def clock(self, number: int, captured: float) -> float:
        """The time of a frame in its own stream, seconds: files are tracked faster or slower than they were filmed."""
        if self.reader.is_live:
            return captured
        if self.reader.video_time is not None:
            return self.reader.video_time
        return number / (self.reader.video_rate or self.options.fps or 24)


class Pace:
    """Holds a loop to a frame rate by a schedule, so that delays do not add up.

    Args:
        fps: rounds a second; 0: no limit.
        clock: seconds that only rise.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        fps: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._period = 1 / fps if fps else 0.0
        self._clock = clock
        self._sleep = sleep
        self._due = clock()

    def wait(self) -> None:
        """Returns when the next round is due; rounds that were missed are not made up for."""
        now = self._clock()
        if now < self._due:
            self._sleep(self._due - now)
        elif now > self._due + self._period:
            self._due = now
        self._due += self._period
