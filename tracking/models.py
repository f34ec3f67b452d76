"""Model files: where they lie, what they must look like, and how they are loaded.

Sessions are made by the steps when they are first needed, so that a run loads only what it uses.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from .providers import ExecutionProvider, Session, cpu_session

#: A larger model file is not opened: those of this family have a few megabytes each.
MAX_FILE_SIZE = 512 * 1024 * 1024
#: What stands in an ONNX file that has onnxruntime read others: the key of a tensor that is kept elsewhere (field 1,
#: eight bytes; both numbers may be written longer than need be), or a network compiled for one execution provider.
NEEDS_OTHER_FILES = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location|EPContext")


class ModelError(RuntimeError):
    """A model is unreadable or has another contract than its file name promises; the message is one sentence."""


class MissingModelError(ModelError):
    """A model's file is not there."""


@dataclass(frozen=True)
class LandmarkSpec:
    """Contract of a landmark model.

    Attributes:
        file: name of the model's file.
        side: width and height of the input, pixels.
        map_side: width and height of the output maps, cells.
        points: how many points the model gives.
        logit_factor: scale of the offset maps.
    """

    file: str
    side: int
    map_side: int
    points: int = 66
    logit_factor: float = 16.0


#: By `--model` number.
LANDMARK_MODELS = {
    **{number: LandmarkSpec(f"lm_model{number}_opt.onnx", 224, 28) for number in range(5)},
    -1: LandmarkSpec("lm_modelT_opt.onnx", 56, 7, points=30, logit_factor=8.0),
    -2: LandmarkSpec("lm_modelV_opt.onnx", 112, 14),
    -3: LandmarkSpec("lm_modelU_opt.onnx", 112, 14),
}
DETECTOR_FILE = "mnv3_detection_opt.onnx"
GAZE_FILE = "mnv3_gaze32_split_opt.onnx"
RETINAFACE_FILE = "retinaface_640x640_opt.onnx"
PRIORS_FILE = "priorbox_640x640.json"
BLENDSHAPES_FILE = "blendshapes_opt.onnx"


def default_model_dir() -> Path:
    """`models` beside the program (the executable, when frozen), else `../models`."""
    if getattr(sys, "frozen", False):
        program = Path(sys.executable).resolve().parent
        bundled = [Path(getattr(sys, "_MEIPASS", program)) / "models"]
    else:
        program = Path(__file__).resolve().parent.parent
        bundled = []
    candidates = [program / "models", program.parent / "models", *bundled]
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def available_landmark_models(model_dir: Path) -> list[int]:
    """`--model` numbers whose files are in a folder, rising."""
    return sorted(number for number, spec in LANDMARK_MODELS.items() if (model_dir / spec.file).is_file())


def require(path: Path) -> Path:
    """Return the path of a model's file; MissingModelError, which names what is there, when it is not."""
    if path.is_file():
        return path
    if not path.parent.is_dir():
        raise MissingModelError(f"The model folder {path.parent} does not exist.")
    there = ", ".join(map(str, available_landmark_models(path.parent)))
    raise MissingModelError(
        f"The model file {path.name} is not in {path.parent}; "
        + (f"landmark models there: {there}." if there else "there are no landmark models there.")
    )


def load(
    path: Path,
    threads: int,
    inputs: Sequence[Sequence[int]],
    outputs: Sequence[Sequence[int]],
    provider: ExecutionProvider | None = None,
    input_type: str = "tensor(float)",
) -> Session:
    """Make a session for a model and check its contract.

    Args:
        path: the .onnx file.
        threads: how many threads one run may use.
        inputs, outputs: shapes that the model must have, in order; its own dynamic dimensions fit anything.
        provider: where it runs; None: on the CPU.
        input_type: what its inputs hold, as onnxruntime calls it; its outputs are float32.

    Raises:
        ModelError: the file is missing, unreadable, asks for what this onnxruntime lacks, or has other shapes.
    """
    require(path)
    if path.stat().st_size > MAX_FILE_SIZE:
        raise ModelError(f"The model {path} is too large to be one ({path.stat().st_size} bytes).")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model {path} can't be read: {error.strerror}.") from error
    if NEEDS_OTHER_FILES.search(content):
        raise ModelError(f"The model {path} needs other files or holds compiled code, which is not read.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4
    # Threads that wait must not spin: the processor belongs to the game beside us.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = cpu_session(path, options) if provider is None else provider.session(path, options)
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"The model {path} can't be loaded: {reason}") from error
    for kind, expected, type, found in (
        ("input", inputs, input_type, session.get_inputs()),
        ("output", outputs, "tensor(float)", session.get_outputs()),
    ):
        shapes = [tensor.shape for tensor in found]
        if len(shapes) != len(expected) or not all(map(_fits, shapes, expected)):
            raise ModelError(
                f"The model {path} has another contract: its {kind} shapes are {shapes}, "
                f"not {[list(shape) for shape in expected]}."
            )
        if any(tensor.type != type for tensor in found):
            name = {"tensor(float)": "float32"}.get(type, type)
            raise ModelError(f"The model {path} has another contract: its {kind}s are not all {name}.")
    return session


def _fits(shape: Sequence[int | str | None], expected: Sequence[int]) -> bool:
    return len(shape) == len(expected) and all(
        not isinstance(size, int) or size == wanted for size, wanted in zip(shape, expected, strict=True)
    )
