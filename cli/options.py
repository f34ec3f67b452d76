"""Every option once, with its spelling, type, default and meaning; `cli.parser` reads them from the command line.

Host programs and batch files start the tracker with exactly these options. The parser is built from the
fields of `Options`, so an option is added or looked up in one place. Nothing heavy is imported here: the
thread limits must be known before numpy, OpenCV and onnxruntime load.
"""

from __future__ import annotations

from dataclasses import dataclass

from cli.fields import Joined, checked, not_empty, number, option
from sending.targets import read_targets

INPUT = "camera, video and raw frames"
TRACKING = "tracking"
SENDING = "sending"
SHOWING = "showing, saving and logging"
LISTING = "listing and measuring (the program ends afterwards)"
PROCESS = "the process"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for, checked."""

    capture: str = option(
        "-c",
        default="0",
        group=INPUT,
        metavar="CAMERA",
        help="camera id (0, 1, ...), device path (/dev/video1), video or picture file, address of a camera on the "
        "network (http://..., rtsp://...), or - for a video on standard input",
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
    rotate_input: int = option(
        default=0,
        group=INPUT,
        type=int,
        choices=(0, 90, 180, 270),
        metavar="0|90|180|270",
        help="turn the picture clockwise by so many degrees first, for a camera on its side or upside down",
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
    feature_calibration: str = option(
        default="balanced",
        group=TRACKING,
        choices=("balanced", "original"),
        metavar="balanced|original",
        help="balanced: features begin with what people do in general and adapt to the person; original: exactly "
        "OpenSeeFace's",
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

    blendshapes: int = option(
        default=0,
        group=TRACKING,
        type=int,
        metavar="0|1",
        help="1: find ARKit's 52 blend shapes; whatever needs them does so too",
    )
    calibrate: float = option(
        default=0.0,
        group=TRACKING,
        type=number(float, 0, 60),
        metavar="SECONDS",
        help="take the face that is there in the first seconds for neutral: look into the camera and do nothing; "
        "c in the window does the same later",
    )
    profile: str | None = option(
        default=None,
        group=TRACKING,
        metavar="FILE",
        help="keep there what your neutral face is like, and begin with it the next time",
    )

    expressions: str | None = option(
        default=None, group=TRACKING, type=not_empty, metavar="FILE|simple",
        help="tell which expression of this file a face makes; simple: neutral, fun, angry, surprise, without teaching",
    )  # fmt: skip
    expression_threshold: float = option(
        default=0.4, group=TRACKING, type=number(float, 0, 1), metavar="0...1",
        help="how sure that has to be; else it is none of them",
    )  # fmt: skip
    record: str | None = option(
        default=None, group=TRACKING, metavar="NAME",
        help="record the expression of this name into the file of --expressions, and end",
    )  # fmt: skip
    record_seconds: float = option(
        default=20.0, group=TRACKING, type=number(float, 1, 100), metavar="SECONDS", help="how long"
    )  # fmt: skip

    ip: str = option(
        "-i",
        default="127.0.0.1",
        group=SENDING,
        metavar="HOST",
        help="where tracking data is sent: an IPv4 or IPv6 address or a name; several, separated by commas; "
        "none: nowhere",
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

    send: str = option(
        default="", group=SENDING, action=Joined, type=checked(read_targets), metavar="TARGET",
        help="also send to these programs, each in its own way: names or addresses of --list-targets, such as warudo "
        "or vmc://192.168.0.5:39540; several: separated by commas, or the option again",
    )  # fmt: skip
    expression_hotkeys: int = option(
        default=0, group=SENDING, type=int, metavar="0|1",
        help="1: have VTube Studio press its hotkey of the same name when an expression comes",
    )  # fmt: skip
    smooth: str | None = option(
        default=None, group=SENDING, choices=("off", "light", "normal", "strong"), metavar="HOW",
        help="smooth movements: off, light, normal, strong; without it: normal for --send, off for --ip",
    )  # fmt: skip

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
    show_shapes: int = option(
        default=0,
        group=SHOWING,
        type=int,
        metavar="0|1",
        help="1: show the first face's blend shapes as bars, in the window and the video",
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
    silent: int = option(
        "-s",
        default=0,
        group=SHOWING,
        type=int,
        metavar="0|1",
        help="1: nothing on standard output; warnings and errors still come on standard error",
    )

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
    list_targets: int = option(
        default=0, group=LISTING, type=int, metavar="0|1", help="1: list what --send takes, and what to switch on there"
    )  # fmt: skip
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

    parent_pid: int | None = option(
        default=None,
        group=PROCESS,
        type=number(int, 1, 2**31 - 1),
        metavar="PID",
        help="end when the process with this id has ended, as the host program that started the tracker",
    )

    given: frozenset[str] = frozenset()
    """Names of the fields that the command line set."""

    @property
    def wants_blendshapes(self) -> bool:
        """Whether anything needs the blend shapes."""
        return bool(self.blendshapes or self.show_shapes or self.calibrate or self.profile)

    @property
    def finds_expressions(self) -> bool:
        """Whether faces get expressions."""
        return self.expressions is not None and self.record is None
