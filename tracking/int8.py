"""Int8 files: networks that compute in bytes what takes most of the time.

Beside `lm_model3_opt.onnx`, the contract's file, may lie `lm_model3_int8.onnx`, the same network in bytes. It is taken
in place of the other one when all of this is so:

- It says that it was made from that very file: who puts another model under the contract's name gets that one.
- The networks run on the processor.
- This processor multiplies bytes faster than floats, and rightly. Those without instructions for it (as AVX-512 VNNI)
  do not: with AVX2 alone, sums of two products are cut off at 16 bits. A small network is run both ways to see that,
  which takes two or three milliseconds.
"""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime

from .models import ModelError, load
from .providers import CPU, ExecutionProvider, Session

#: The small network, beside the models: one convolution of bytes.
PROBE_FILE = "probe_int8.onnx"
#: How often it is run each way, and what share of floats' time bytes may take.
PROBE_RUNS, WORTH_IT = 7, 0.8


def load_int8(
    path: Path,
    threads: int,
    inputs: Sequence[Sequence[int]],
    outputs: Sequence[Sequence[int]],
    provider: ExecutionProvider | None = None,
) -> Session | None:
    """Make a session for the int8 file beside a model's file, if that is to be used; else None.

    Args:
        path: the contract's file, which may be missing.
        threads: how many threads one run may use.
        inputs, outputs: shapes that the int8 file must have; its inputs are bytes.
        provider: where the networks run; None: on the CPU.
    """
    beside = path.with_name(path.name.replace("_opt.onnx", "_int8.onnx"))
    if (provider is not None and provider.name != CPU) or not (path.is_file() and beside.is_file()):
        return None
    # What is wrong with it does not matter: there is the other file.
    with contextlib.suppress(ModelError, OSError):
        if made_from(path).encode() in beside.read_bytes() and is_faster(path.with_name(PROBE_FILE)):
            return load(beside, threads, inputs, outputs, provider, input_type="tensor(uint8)")
    return None


def made_from(path: Path) -> str:
    """What an int8 file says about the contract's file that it stands for, in its metadata."""
    return f"{path.name} crc32 {zlib.crc32(path.read_bytes()):08x}"


@cache
def is_faster(probe: Path) -> bool:
    """Whether this processor computes the small network in bytes as in floats, but in less time."""
    try:
        sessions = [_probe_session(probe, in_floats) for in_floats in (False, True)]
        described = sessions[0].get_inputs()[0]
        # Bytes so large that the sum of two products needs more than 16 bits.
        feed = {described.name: np.full(described.shape, 255, np.uint8)}
        times: list[list[float]] = [[], []]
        answers = [np.empty(0)] * 2
        for _ in range(PROBE_RUNS):
            for number, session in enumerate(sessions):  # in turn, so that other programs slow both alike
                began = time.perf_counter()
                [answer] = session.run(None, feed)
                times[number].append(time.perf_counter() - began)
                answers[number] = answer.astype(np.float32)
    except Exception:  # onnxruntime's exceptions share no base class of their own
        return False
    as_bytes, as_floats = map(min, times)
    return bool(np.abs(answers[0] - answers[1]).max() <= 1 and as_bytes < WORTH_IT * as_floats)


def _probe_session(probe: Path, in_floats: bool) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_quant_qdq", str(int(in_floats)))
    return onnxruntime.InferenceSession(str(probe), options, providers=[CPU], enable_fallback=0)
