"""The command line: every option once, with its spelling, type, default and meaning.

Host programs and batch files start the tracker with exactly these options. The parser is built from the
fields of `Options`, so an option is added or looked up in one place. Nothing heavy is imported here: the
thread limits must be known before numpy, OpenCV and onnxruntime load.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

INPUT = "camera, video and raw frames"
TRACKING = "tracking"
SENDING = "sending"
SHOWING = "showing, saving and logging"
LISTING = "listing and measuring (the program ends afterwards)"
PROCESS = "the process"

SYSTEMS = {"win32": "Windows", "darwin": "macOS", "linux": "Linux"}


def number(kind: type, low: float, high: float = float("inf")) -> Callable[[str], Any]:
    """A parser of numbers of this kind (int or float) from low to high, both included."""

    def parse_number(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a {'whole ' if kind is int else ''}number"
            ) from None
        if not low <= value <= high or value == float("inf"):  # the first is also true of NaN
            limits = f"between {low:g} and {high:g}" if high != float("inf") else f"{low:g} or more"
            raise argparse.ArgumentTypeError(f"{text} is out of range: it must be {limits}")
        return value

    return parse_number


def option(
    *short: str,
    default: Any,
    group: str,
    help: str,
    only_on: str | None = None,
    **settings: Any,
) -> Any:
    """A dataclass field that is also a command-line option; its long name is the field's.

    Args:
        short: the short spelling, if it has one.
        default: what the field holds when the option is not given.
        group: the heading in `-h`.
        help: one line for `-h`; the default is added.
        only_on: the `sys.platform` of the only system on which the option does anything.
        settings: passed on to `ArgumentParser.add_argument`.
    """
    metadata = {"short": short, "group": group, "help": help, "only_on": only_on, "settings": settings}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for, checked."""

    capture: str = option(
        "-c",
        default="0",
        group=INPUT,
        metavar="CAMERA",
        help="camera id (0, 1, ...), device path (/dev/video1), or video or picture file",
    )
    width: int = option(
        "-W",
        default=640,
        group=INPUT,
        type=number(int, 1, 16384),
        metavar="PIXELS",
        help="width of the camera picture or raw RGB frame",
    )
    height: int = option(
        "-H",
        default=360,
        group=INPUT,
        type=number(int, 1, 16384),
        metavar="PIXELS",
        help="height of the camera picture or raw RGB frame",
    )
    fps: int = option(
        "-F",
        default=24,
        group=INPUT,
        type=number(int, 0, 1000),
        metavar="N",
        help="frames per second to ask the camera for and to track at; 0: as fast as possible; "
        "video files are always tracked as fast as possible",
    )
    dcap: int | None = option(
        "-D",
        default=None,
        group=INPUT,
        type=number(int, -1),
        metavar="N",
        help="use the camera's capability line N of --list-dcaps; -1: the camera's own default settings",
    )
    mirror_input: bool = option(
        "-M", default=False, group=INPUT, action="store_true", help="track the mirror image"
    )
    raw_rgb: int = option(
        default=0,
        group=INPUT,
        type=int,
        metavar="0|1",
        help="1: read frames of --width by --height, 3 bytes a pixel (R, G, B), from standard input",
    )
    repeat_video: int = option(
        default=0, group=INPUT, type=int, metavar="0|1", help="1: repeat the video file until interrupted"
    )
    use_dshowcapture: int = option(
        default=1,
        group=INPUT,
        type=int,
        metavar="0|1",
        only_on="win32",
        help="Windows only: 1: capture through DirectShow, 0: through Media Foundation",
    )
    blackmagic: int = option(
        "-B",
        default=0,
        group=INPUT,
        type=int,
        metavar="0|1",
        only_on="win32",
        help="Windows only: 1: use a Blackmagic device",
    )
    blackmagic_options: str | None = option(
        default=None, group=INPUT, metavar="TEXT", only_on="win32", help="Windows only: its settings"
    )

    model: int = option(
        default=3,
        group=TRACKING,
        type=int,
        choices=range(-3, 5),
        metavar="-3...4",
        help="landmark model: 3 is the best, 0 the fastest of the large ones, 4 is tuned for winks; -1 is "
        "for very slow machines, -2 about as good as 1 but faster, -3 between 0 and -1",
    )
    model_dir: str | None = option(
        default=None,
        group=TRACKING,
        metavar="FOLDER",
        help="folder with the .onnx files; without it: 'models' beside the program, else '../models'",
    )
    threshold: float | None = option(
        "-t",
        default=None,
        group=TRACKING,
        type=number(float, 0, 1),
        metavar="0...1",
        help="least landmark confidence of a tracked face; without it: 0.6, or 0.87 for models below 0",
    )
    detection_threshold: float = option(
        "-d",
        default=0.6,
        group=TRACKING,
        type=number(float, 0, 1),
        metavar="0...1",
        help="least confidence of the face detector",
    )
    faces: int = option(
        default=1, group=TRACKING, type=number(int, 1), metavar="N", help="most faces tracked at a time"
    )
    scan_every: int = option(
        default=3,
        group=TRACKING,
        type=number(int, 0),
        metavar="N",
        help="frames between two looks for further faces",
    )
    scan_retinaface: int = option(
        default=0,
        group=TRACKING,
        type=int,
        metavar="0|1",
        help="1: look for further faces with RetinaFace, in the background",
    )
    try_hard: int = option(
        default=0,
        group=TRACKING,
        type=int,
        metavar="0|1",
        help="1: look for faces with both detectors and in the whole frame",
    )
    discard_after: int = option(
        default=10,
        group=TRACKING,
        type=number(int, 0),
        metavar="N",
        help="frames in which a lost face is still sought at its old place",
    )
    max_feature_updates: int = option(
        default=900,
        group=TRACKING,
        type=number(int, 0),
        metavar="SECONDS",
        help="a face's feature ranges stop adapting after this time; 0: never, but they start over when the "
        "face is lost",
    )
    no_3d_adapt: int = option(
        default=1, group=TRACKING, type=int, metavar="0|1", help="0: adapt the 3D face shape to the person"
    )
    gaze_tracking: int = option(
        default=1,
        group=TRACKING,
        type=int,
        metavar="0|1",
        help="0: do not track the pupils (nor does --model -1)",
    )

    ip: str = option(
        "-i",
        default="127.0.0.1",
        group=SENDING,
        metavar="HOST",
        help="where tracking data is sent: an IPv4 or IPv6 address or a name; several, separated by commas",
    )
    port: int = option(
        "-p",
        default=11573,
        group=SENDING,
        type=number(int, 1, 65535),
        metavar="PORT",
        help="UDP port it is sent to",
    )
    face_id_offset: int = option(
        default=0,
        group=SENDING,
        type=number(int, -2_000_000_000, 2_000_000_000),
        metavar="N",
        help="added to every face id that is sent",
    )

    visualize: int = option(
        "-v",
        default=0,
        group=SHOWING,
        type=int,
        metavar="0...4",
        help="1: show a window with the tracked points, 2: and the face ids, 3: and the confidence, 4: and "
        "the point numbers; q in the window quits",
    )
    pnp_points: int = option(
        "-P",
        default=0,
        group=SHOWING,
        type=int,
        metavar="0...2",
        help="1: also draw the projected points of the pose, 2: all 66 projected points",
    )
    video_out: str | None = option(
        default=None, group=SHOWING, metavar="FILE", help="save the visualisation as an AVI (FFV1)"
    )
    video_scale: int = option(
        default=1,
        group=SHOWING,
        type=int,
        choices=range(1, 5),
        metavar="1...4",
        help="enlarge its picture so many times",
    )
    video_fps: float = option(
        default=24.0, group=SHOWING, type=number(float, 0.01, 1000), metavar="N", help="its frame rate"
    )
    log_data: str = option(default="", group=SHOWING, metavar="FILE", help="write all tracking data as CSV")
    log_output: str = option(
        default="", group=SHOWING, metavar="FILE", help="write a copy of the console output"
    )
    dump_points: str = option(
        default="",
        group=SHOWING,
        metavar="FILE",
        help="on q in the window: write the first face's 3D shape, made symmetric, as CSV",
    )
    silent: int = option("-s", default=0, group=SHOWING, type=int, metavar="0|1", help="1: no text output")

    list_cameras: int = option(
        "-l",
        default=0,
        group=LISTING,
        type=int,
        metavar="0...2",
        help="1: list the cameras with their ids, 2: only their names, one a line",
    )
    list_dcaps: int | None = option(
        "-a",
        default=None,
        group=LISTING,
        type=number(int, -1),
        metavar="N",
        help="list what camera N can deliver; -1: what every camera can",
    )
    benchmark: int = option(
        default=0,
        group=LISTING,
        type=int,
        metavar="0|1",
        help="1: time the models 3, 2, 1, 0, -1, -2, -3 on one face and print frames per second, one a line",
    )

    max_threads: int = option(
        "-m", default=1, group=PROCESS, type=number(int, 1, 1024), metavar="N", help="most threads used"
    )
    execution_provider: str = option(
        default="cpu",
        group=PROCESS,
        metavar="NAME",
        help="where the networks run: cpu, or cuda, tensorrt, directml, openvino, coreml ... where the onnxruntime "
        "package that is installed has it; the CPU is used in place of one that is not there or fails",
    )
    priority: int | None = option(
        default=None,
        group=PROCESS,
        type=int,
        choices=range(6),
        metavar="0...5",
        help="process priority: idle, below normal, normal, above normal, high, realtime",
    )

    given: frozenset[str] = frozenset()
    """Names of the fields that the command line set."""


class _Parser(argparse.ArgumentParser):
    """Answers a wrong option with one sentence instead of the whole usage, which is longer than a screen."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"facetracker: {message}; -h lists the options\n")


def build_parser() -> argparse.ArgumentParser:
    """The argument parser; options that are not given are left out of its result."""
    parser = _Parser(
        prog="facetracker",
        description="Tracks faces in a camera, video or raw frames and sends what they do over UDP.",
        argument_default=argparse.SUPPRESS,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=32, width=110),
        usage="%(prog)s [options]",
    )
    groups: dict[str, argparse._ArgumentGroup] = {}
    for setting in fields(Options):
        if not setting.metadata:
            continue
        group = setting.metadata["group"]
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        default = "off" if setting.default is False else setting.default
        shown = f" (default: {default})" if default not in (None, "") else " (default: none)"
        groups[group].add_argument(
            *setting.metadata["short"],
            "--" + setting.name.replace("_", "-"),
            help=setting.metadata["help"] + shown,
            **setting.metadata["settings"],
        )
    return parser


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Reads the command line (`sys.argv` when None); a wrong option ends the program with exit code 2."""
    given = vars(build_parser().parse_args(arguments))
    return Options(**given, given=frozenset(given))


def warnings(options: Options, platform: str = sys.platform) -> list[str]:
    """One sentence for each thing asked for that will not be had."""
    system = SYSTEMS.get(platform, platform)
    sentences = [
        f"--{setting.name.replace('_', '-')} does nothing on {system}."
        for setting in fields(Options)
        if setting.name in options.given and setting.metadata["only_on"] not in (None, platform)
    ]
    if options.faces >= 40:
        sentences.append(
            f"--faces {options.faces}: the data of 40 or more faces fits no UDP packet and is not sent."
        )
    return sentences
