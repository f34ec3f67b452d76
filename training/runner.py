"""What the detectors' and the pupil model's training share: a resumable loop, averaged weights, export and
its check."""

from __future__ import annotations

import argparse
import copy
import math
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from training import data
from training.networks import convolution

MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # RGB, of values in 0..1
STD = np.array([0.229, 0.224, 0.225], np.float32)
OPSET = 13  # every operator used here is in it, and onnxruntime 1.17 reads it


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line with the options that all trainings have, and set the threads it names."""
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes that make the pictures")
    parser.add_argument("--evaluate", action="store_true", help="only evaluate what is there")
    parser.add_argument("--output", type=Path, default=data.repository() / "models")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    return arguments


def device() -> torch.device:
    """The GPU when there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def normalise(images: np.ndarray) -> np.ndarray:
    """BGR uint8 [n, h, w, 3] to RGB float32 [n, 3, h, w] of mean 0 and deviation about 1."""
    rgb = images[..., ::-1].astype(np.float32) / 255
    return np.ascontiguousarray(((rgb - MEAN) / STD).transpose(0, 3, 1, 2))


class Residual(nn.Module):
    """A 3×3 convolution with a way past it where the shapes allow. Dense ones train fastest on a CPU, and are
    no slower to run than depthwise ones at these few channels."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.skip = stride == 1 and inputs == outputs
        self.body = convolution(inputs, outputs, 3, stride, relu=not self.skip)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x)) if self.skip else self.body(x)


class Batches(Dataset):
    """A training step's batch, by the step's number; its generator is seeded by it."""

    def __init__(self, batch: Callable[[np.random.Generator], Sequence[np.ndarray]], seed: int):
        self.batch = batch
        self.seed = seed

    def __getitem__(self, step: int) -> list[Tensor]:
        arrays = self.batch(np.random.default_rng((self.seed, step)))
        return [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]


def train(
    network: nn.Module,
    batch: Callable[[np.random.Generator], Sequence[np.ndarray]],
    loss: Callable[..., dict[str, Tensor]],
    steps: int,
    rate: float,
    checkpoint: Path | None = None,
    seed: int = 0,
    save_minutes: float = 3.0,
    decay: float = 0.998,
    half: bool = True,
    workers: int = 0,
) -> tuple[nn.Module, list[float]]:
    """Train with AdamW and a cosine schedule; gives the network with averaged weights, and each step's loss.

    batch(rng) gives a batch's arrays, loss(network, *tensors) its named terms, which are added. The generator is
    seeded by step, so that a resumed run goes on with new pictures. half: convolutions in bfloat16, twice as
    fast where the processor knows it. workers: processes that make batches ahead.
    """
    torch.manual_seed(seed)
    where = device()
    network = network.to(where, memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval()
    decayed = [p for p in network.parameters() if p.ndim > 1 and p.requires_grad]
    plain = [p for p in network.parameters() if p.ndim <= 1 and p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0}], rate
    )
    first = 0
    if checkpoint and checkpoint.exists():
        state = torch.load(checkpoint, map_location=where)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]

    def save(step: int) -> None:
        if checkpoint is None:
            return
        state = {"network": network.state_dict(), "average": average.state_dict(),
                 "optimiser": optimiser.state_dict(), "step": step}  # fmt: skip
        torch.save(state, checkpoint.with_suffix(".part"))
        checkpoint.with_suffix(".part").replace(checkpoint)

    losses: list[float] = []
    smooth: dict[str, float] = {}
    saved = time.monotonic()
    warm = min(200, steps // 10 + 1)
    loader = DataLoader(
        Batches(batch, seed), None, sampler=range(first, steps), num_workers=workers,
        multiprocessing_context="fork" if workers else None, prefetch_factor=4 if workers else None,
    )  # fmt: skip
    bar = tqdm(loader, initial=first, total=steps, mininterval=10, dynamic_ncols=True)
    for step, tensors in enumerate(bar, first):
        share = min(1.0, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = rate * max(share, 0.005)
        tensors = [tensor.to(where) for tensor in tensors]
        network.train()
        with torch.autocast(where.type, torch.bfloat16, enabled=half):
            terms = loss(network, *tensors)
        total = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        keep = min(decay, (step + 1) / (step + 10))
        with torch.no_grad():
            for mine, its in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
                if mine.is_floating_point():
                    mine.lerp_(its, 1 - keep)
                else:
                    mine.copy_(its)
        losses.append(float(total.detach()))
        for name, value in terms.items():
            smooth[name] = 0.98 * smooth.get(name, float(value.detach())) + 0.02 * float(value.detach())
        if step % 20 == 0:
            bar.set_postfix({name: f"{value:.4f}" for name, value in smooth.items()}, refresh=False)
        if time.monotonic() - saved > 60 * save_minutes:
            save(step + 1)
            saved = time.monotonic()
    save(max(steps, first))
    return average.to("cpu", memory_format=torch.contiguous_format), losses


def between(network: nn.Module, first: Path, second: Path, share: float, inputs: Iterable[Tensor]) -> nn.Module:
    """Load weights between those of two checkpoints of one training, at `share` of the way; ready to use.

    They can be better than both (model soups: Wortsman et al. 2022). What the normalisations see is measured on these
    batches of inputs, if they do not know the same at both ends.
    """
    one, other = (torch.load(path, map_location="cpu")["average"] for path in (first, second))
    network.load_state_dict(
        {key: torch.lerp(v, other[key], share) if v.is_floating_point() else v for key, v in one.items()}
    )
    if not all(torch.equal(one[key], other[key]) for key in one if key.endswith("running_var")):
        update_bn(inputs, network)
    return network.eval()


def export(
    network: nn.Module,
    path: Path,
    example: Tensor | tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    dynamic_batch: bool = True,
) -> float:
    """Write a network as ONNX and compare it with PyTorch on an example of each input; the largest difference. Raises
    ValueError over 1e-4."""
    network = network.cpu().eval()
    examples = example if isinstance(example, tuple) else (example,)
    axes = {name: {0: "batch_size"} for name in (*inputs, *outputs)} if dynamic_batch else None
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The older exporter: the newer one wants another package and writes an IR that onnxruntime 1.17
        # can't read.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(network, examples, str(path), input_names=list(inputs), output_names=list(outputs),
                          opset_version=OPSET, dynamic_axes=axes, dynamo=False)  # fmt: skip
    onnx.checker.check_model(onnx.load(path))
    with torch.no_grad():
        wanted = network(*examples)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    got = session(path).run(None, {name: value.numpy() for name, value in zip(inputs, examples, strict=True)})
    error = max(float(np.abs(g - w.numpy()).max()) for g, w in zip(got, wanted, strict=True))
    if error > 1e-4:
        raise ValueError(f"{path.name} differs from PyTorch by {error:.2g}")
    return error


def session(path: Path) -> ort.InferenceSession:
    """A session with one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def time_ratio(ours: Path, theirs: Path, example: np.ndarray, runs: int = 200) -> tuple[float, float]:
    """One forward pass each in turn, one thread: (ours in ms, ours / theirs), of medians."""
    sessions = [session(ours), session(theirs)]
    times: list[list[float]] = [[], []]
    for _ in range(runs):
        for s, record in zip(sessions, times, strict=True):
            start = time.perf_counter()
            s.run(None, {s.get_inputs()[0].name: example})
            record.append(time.perf_counter() - start)
    ours_ms, theirs_ms = (1e3 * float(np.median(record)) for record in times)
    return ours_ms, ours_ms / theirs_ms
