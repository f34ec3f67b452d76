# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "onnxruntime>=1.19",
#     "opencv-python>=4.10",
#     "numpy>=2.0",
#     "pillow>=10.3",
#     "cv2-enumerate-cameras>=1.1.18",
#     'pygrabber>=0.2; sys_platform == "win32"',
#     "python-osc>=1.9.0",
#     "websockets>=15.0",
# ]
# ///
"""Tracks faces in a webcam, video or raw frames and sends their data over UDP: `python facetracker.py -h`."""

from __future__ import annotations

import os
import sys

# Before anything that an older Python can't read.
if sys.version_info < (3, 10):
    sys.exit("facetracker: Python 3.10 or later is needed, this is {}.{}.".format(*sys.version_info))

import errno
from collections.abc import Sequence
from functools import partial

# Python leaves it out when it is told to be careful: -P, PYTHONSAFEPATH.
FOLDER = os.path.dirname(os.path.abspath(__file__))
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)

from cli import files
from cli.interrupts import Interrupts
from cli.options import Options
from cli.packages import missing_package
from cli.parent import end_with
from cli.parser import contradiction, parse, warnings
from cli.priority import set_priority

# What needs numpy, OpenCV or onnxruntime is imported inside the functions: these libraries read their thread
# limits while they load, and a list of cameras should not wait for the models' one.

TRACEBACK = "FACETRACKER_TRACEBACK"  # set in the environment, it shows where an unforeseen error comes from


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program with these arguments (`sys.argv` when None) and returns its exit code."""
    options = parse(arguments)
    with Interrupts() as interrupts:
        try:
            limit_threads(options.max_threads)
            return dispatch(options, interrupts)
        except ImportError as error:
            if os.environ.get(TRACEBACK):
                raise
            say(missing_package(error))
        except OSError as error:
            if os.environ.get(TRACEBACK):
                raise
            hint = " (ulimit -n allows more)" if error.errno == errno.EMFILE else ""
            what = f"{error.filename}: " if error.filename else ""
            say(f"{what}{error.strerror}{hint}." if error.strerror else str(error))
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            say(f"The tracker ends because of an error of its own ({reason}); {TRACEBACK}=1 shows where.")
    return 1


def say(text: str) -> None:
    """A line on standard error, also where what `output` needs is not there."""
    try:
        from output.console import warn
    except ImportError:
        if sys.stderr is not None:
            print(text, file=sys.stderr)
    else:
        warn(text)


def dispatch(options: Options, interrupts: Interrupts) -> int:
    """Does what the options ask for and returns the exit code."""
    from output.console import warn

    for sentence in warnings(options):
        warn(sentence)
    if options.priority is not None:
        try:
            set_priority(options.priority)
        except OSError as error:
            warn(f"The system refuses --priority {options.priority}: {error.strerror}.")
    if options.parent_pid is not None:
        try:
            end_with(options.parent_pid)
        except OSError as error:
            warn(f"--parent-pid {options.parent_pid}: {error.strerror}.")
            return 1
    if options.list_dcaps is not None:
        return list_capabilities(options.list_dcaps)
    if options.list_cameras:
        return list_cameras(names_only=options.list_cameras > 1)
    if options.list_targets:
        return list_targets()
    if options.benchmark:
        return benchmark(options, interrupts)
    if problem := contradiction(options) or files.collision(options):
        warn(problem)
        return 2
    return run(options, interrupts)


def limit_threads(limit: int) -> None:
    """Has the numeric libraries use at most so many threads."""
    for library in ("OMP", "OPENBLAS", "MKL", "VECLIB"):
        os.environ[f"{library}_NUM_THREADS"] = str(limit)
    import cv2

    cv2.setNumThreads(limit)


def list_cameras(names_only: bool) -> int:
    """`--list-cameras`."""
    from capture import cameras
    from output.console import write_line

    for line in cameras.camera_lines(cameras.list_cameras(), names_only):
        write_line(sys.stdout, line)
    return 0


def list_targets() -> int:
    """`--list-targets`."""
    from output.console import write_line
    from sending.targets import lines

    for line in lines():
        write_line(sys.stdout, line)
    return 0


def list_capabilities(number: int) -> int:
    """`--list-dcaps`: of camera `number`, or of all when it is -1."""
    from capture import cameras
    from output.console import warn, write_line

    untold: list[str] = []
    found = cameras.list_cameras(report=untold.append)
    for sentence in untold:
        warn(sentence)
    if untold and number >= 0:  # it may be there all the same
        found = [cameras.Camera(number, f"camera {number}")]
    if number == -1:
        lines = cameras.all_capability_lines((camera, cameras.capabilities(camera)) for camera in found)
    else:
        camera = cameras.find_camera(number, found)
        if camera is None:
            there = "; ".join(cameras.camera_lines(found)[1:])
            warn(f"There is no camera {number} (cameras here: {there or 'none'}).")
            return 1
        lines = cameras.capability_lines(cameras.capabilities(camera))
    for line in lines:
        write_line(sys.stdout, line)
    return 0


def benchmark(options: Options, interrupts: Interrupts) -> int:
    """`--benchmark`: a line for each model, 0 for one that can't be timed, so that lines keep their place."""
    from cli.benchmark import MODELS, frames_per_second
    from output.console import warn, write_line
    from tracking.models import ModelError
    from tracking.providers import ExecutionProvider

    provider = ExecutionProvider(options.execution_provider, warn)
    timed = 0
    for model in MODELS:
        try:
            measure = partial(
                frames_per_second, model, options.model_dir, options.max_threads, execution_provider=provider
            )
            speed = interrupts.wait_for(measure)
            timed += 1
        except ModelError as error:
            warn(str(error))
            speed = 0.0
        if speed is None:
            return 0
        write_line(sys.stdout, f"{speed:.3f}")
    return 0 if timed else 1


def run(options: Options, interrupts: Interrupts) -> int:
    """Tracks faces, which is what the program is for."""
    from cli.loop import RunError, track
    from expressions.collection import ExpressionError
    from input_reader import InputError
    from output.console import Console, warn
    from tracking.calibration import ProfileError
    from tracking.models import MissingModelError, ModelError

    with Console(bool(options.silent), options.log_output) as console:
        try:
            track(options, console, interrupts)
        except (ExpressionError, InputError, ModelError, ProfileError, RunError) as error:
            warn(str(error))
            return 2 if isinstance(error, (MissingModelError, ProfileError)) else 1
    return 0


if __name__ == "__main__":
    if getattr(sys, "frozen", False):
        import multiprocessing

        multiprocessing.freeze_support()  # --video-out starts a process, which begins here
    sys.exit(main())
