"""Trains the landmark networks.

    python -m training.landmarks V U --minutes 60              # from nothing, both on the same samples
    python -m training.landmarks 3 --minutes 20 --init V       # from another model's weights, as far as they fit
    python -m training.landmarks 3 2 --minutes 20 --improve    # from their own checkpoints; without, from models/

Checkpoints go to the cache folder every few minutes; the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from training import augment, crops, data, restore
from training.labels import grown_box
from training.loss import Loss
from training.networks import LANDMARK_MODELS, LandmarkConfig, LandmarkNetwork, adopt, model_path
from training.samples import Batch, Samples, group_points, mirror_order, to_input

CHECKPOINT_SECONDS = 180
RECORD_AFTER = 6  # steps after which a GPU's kernels are chosen and its memory is laid out


@torch.no_grad()
def validation(network: LandmarkNetwork, config: LandmarkConfig, count: int = 320) -> float:
    """Mean error in % of the outer eye distance on held-out faces, in the tracker's own crops."""
    faces = crops.load()
    chosen = np.flatnonzero(faces.held_out)
    chosen = chosen[np.linspace(0, len(chosen) - 1, count).astype(int)]
    network.eval()
    errors = []
    for part in np.array_split(chosen, max(1, count // 64)):
        images, truth = [], []
        for i in part:
            points = faces.points[i].astype(np.float64)
            box = grown_box(points)
            image = faces.image(i)
            crop, to_share = augment.warp(image, np.eye(2), box, config.side, cv2.BORDER_REPLICATE, (0, 0, 0))
            images.append(crop)
            truth.append((points @ to_share[:, :2].T + to_share[:, 2], box[2:] - box[:2]))
        device = next(network.parameters()).device
        positions, _, _ = network(to_input(torch.from_numpy(np.stack(images)).to(device)))
        for answer, (shares, size) in zip(positions.cpu().numpy(), truth, strict=True):
            distance = np.linalg.norm((answer - group_points(shares, config.points)) * size, axis=-1).mean()
            errors.append(distance / data.eye_distance(shares * size))
    network.train()
    return 100 * float(np.mean(errors))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, step: int, decay: float = 0.999) -> None:
    """Moves an exponential moving average of the weights on by a step. The average is what is exported.

    torch.optim.swa_utils.AveragedModel does the same, but reads its step from the device each time: a GPU would wait.
    """
    share = 1 - min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), share)
    torch._foreach_copy_(list(average.buffers()), list(network.buffers()))


def checkpoint_path(name: str) -> Path:
    """Where a model's checkpoint lies."""
    return data.cache_folder() / f"landmarks_{name}.pt"


def known_weights(name: str) -> dict[str, Tensor]:
    """The averaged weights of a model's checkpoint; without one, those of its file in models/."""
    if checkpoint_path(name).exists():
        return torch.load(checkpoint_path(name), map_location="cpu")["average"]
    config = LANDMARK_MODELS[name]
    network = LandmarkNetwork(config)
    images, *_ = next(iter(Samples(config, 256, seed=1, synthetic=0.2)))
    restore.restore(network, model_path(name), to_input(torch.from_numpy(images)))
    return network.state_dict()


class Trainee:
    """A network in training: its weights, their average, its optimiser and its checkpoint.

    On a GPU a step is recorded once and replayed: it is some hundred short kernels, and to start them one by one would
    take longer than to run them. Each trainee has a stream of its own there, so that they run beside each other.
    """

    def __init__(
        self, name: str, path: Path, config: LandmarkConfig, device: str, teach_maps: bool, frozen: tuple[str, ...] = ()
    ) -> None:
        self.name, self.path, self.config = name, path, config
        self.network = LandmarkNetwork(self.config).to(device, memory_format=torch.channels_last)
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.02  # the default's few batches make noisy statistics
            if isinstance(module, nn.BatchNorm2d) and "norms" in frozen:
                module.eval()
        for part in set(frozen) - {"norms"}:
            self.network.get_submodule(part).requires_grad_(False)
        self.average = copy.deepcopy(self.network)
        self.loss = Loss(self.config).to(device)
        on_gpu = device == "cuda"
        rate = torch.zeros((), device=device)
        learning = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(learning, rate, weight_decay=0.02, fused=True, capturable=on_gpu)
        # What changes from step to step lies on the device too: in a recorded step it could not change elsewhere.
        self.map_share = torch.zeros((), device=device) if teach_maps else None
        self.running = torch.zeros((), device=device)  # the loss; asking for it each step would make a GPU wait
        self.stream = torch.cuda.Stream() if on_gpu else None
        self.recorded: torch.cuda.CUDAGraph | None = None
        self.unrecorded = self.step = 0
        self.seconds = 0.0

    def adopt(self, weights: dict[str, Tensor]) -> int:
        """Begins with other weights, as far as they fit; returns how many tensors did."""
        taken = adopt(self.network, weights)
        self.average.load_state_dict(self.network.state_dict())
        return taken

    def resume(self) -> None:
        """Goes on from the checkpoint."""
        stored = torch.load(self.path, map_location=self.running.device)
        self.network.load_state_dict(stored["network"])
        self.average.load_state_dict(stored["average"])
        self.optimizer.load_state_dict(stored["optimizer"])
        for group in self.optimizer.param_groups:
            group["capturable"] = self.stream is not None  # the checkpoint may be from a machine with a GPU
        self.step, self.seconds = stored["step"], stored["seconds"]

    def learn(self, images: Tensor, batch: Batch, rate: float, map_share: float, bfloat16: bool) -> None:
        """One step on a batch; images: its own as network input. On a GPU both must always lie in the same memory."""
        if self.stream:
            self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):  # does nothing without one
            for group in self.optimizer.param_groups:
                group["lr"].fill_(rate)
            if self.map_share is not None:
                self.map_share.fill_(map_share)
            if self.recorded:
                self.recorded.replay()
            elif self.stream and self.unrecorded >= RECORD_AFTER:
                self.optimizer.zero_grad()
                self.recorded = torch.cuda.CUDAGraph()
                # The thread that fetches batches goes on allocating meanwhile.
                with torch.cuda.graph(self.recorded, stream=self.stream, capture_error_mode="thread_local"):
                    self._learn(images, batch, bfloat16)
                self.recorded.replay()
            else:
                self.optimizer.zero_grad()
                self._learn(images, batch, bfloat16)
                self.unrecorded += 1
            follow(self.average, self.network, self.step)
        self.step += 1

    def _learn(self, images: Tensor, batch: Batch, bfloat16: bool) -> None:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bfloat16, cache_enabled=False):
            output = self.network(images)
        loss = self.loss(output, batch, self.map_share)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.running.lerp_(loss.detach(), 0.02)

    def save(self) -> str:
        """Writes the checkpoint; a line about how it goes."""
        state = {"step": self.step, "seconds": self.seconds, "network": self.network.state_dict(),
                 "average": self.average.state_dict(), "optimizer": self.optimizer.state_dict()}  # fmt: skip
        torch.save(state, self.path.with_suffix(".tmp"))
        self.path.with_suffix(".tmp").replace(self.path)
        error = validation(self.average, self.config)
        return (f"{time.strftime('%H:%M')} {self.name} step {self.step} loss {self.running.item():.3f} "
                f"held-out error {error:.2f} %")  # fmt: skip


def train(arguments: argparse.Namespace) -> None:
    """Trains models on the same samples for some minutes, with checkpoints; their averaged weights are the result."""
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    torch.backends.cudnn.benchmark = True  # the batches never change their size
    device = "cuda" if torch.cuda.is_available() else "cpu"
    knowing = bool(arguments.init or arguments.improve)
    trainees = []
    for name in arguments.names:
        config = LANDMARK_MODELS[name]
        if arguments.steady is not None:
            config = replace(config, steady=arguments.steady)
        path = checkpoint_path(name + arguments.suffix)
        trainees.append(Trainee(name, path, config, device, not knowing, tuple(arguments.freeze)))
    config = trainees[0].config
    if len({(each.config.side, each.config.points) for each in trainees}) > 1:
        raise SystemExit("Models that are trained together must have one input side and one number of points.")
    for each in trainees:
        if each.path.exists() and not arguments.restart:
            each.resume()
            print(f"{each.name}: going on at step {each.step}, after {each.seconds / 60:.0f} minutes")
        elif arguments.init or arguments.improve:
            origin = arguments.init or each.name
            print(f"{each.name}: {each.adopt(known_weights(origin))} tensors from {origin}")

    spent = min(each.seconds for each in trainees)
    seed = arguments.seed + sum(each.step for each in trainees)
    samples = Samples(config, arguments.batch, seed, arguments.synthetic)
    loader = iter(DataLoader(samples, batch_size=None, num_workers=arguments.workers, prefetch_factor=4,
                             pin_memory=device == "cuda"))  # fmt: skip
    order = torch.from_numpy(mirror_order(config.points)).to(device)
    first = next(loader)
    batch = Batch(*(t.to(device) for t in first))  # the memory that every batch is learnt from
    loader = chain([first], loader)
    images = to_input(batch.images)
    total, saved, last = arguments.minutes * 60, spent, time.monotonic()
    bar = tqdm(total=round(total), initial=round(spent), unit="s", mininterval=10, desc=" ".join(arguments.names))
    while spent < total:
        # Cosine in time, not steps: what a processor shared with others will do in an hour isn't known before.
        warm = min(1.0, (trainees[0].step + 1) / 200)
        rate = arguments.rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * spent / total)))
        map_share = 0.1 * max(0.0, 1 - 2 * spent / total)  # where the maps look is taught at first only
        made = Batch(*(t.to(device, non_blocking=True) for t in next(loader)))
        # To make a sample takes as long as to learn it. So each is learnt twice, the second time mirrored.
        for view in (made, made.mirrored(order)):
            batch.copy_(view)
            images.copy_(to_input(batch.images))
            for each in trainees:
                each.learn(images, batch, rate, map_share, arguments.bfloat16)
            for each in trainees:
                if each.stream:
                    torch.cuda.current_stream().wait_stream(each.stream)
        now = time.monotonic()
        took = min(now - last, 2.0)  # a process that was stopped did not train
        bar.update(round(spent + took) - round(spent))
        spent, last = spent + took, now
        bar.set_postfix(step=trainees[0].step, refresh=False)
        if spent - saved > CHECKPOINT_SECONDS or spent >= total:
            saved = spent
            for each in trainees:
                each.seconds = spent
                tqdm.write(each.save())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train landmark models.")
    parser.add_argument("names", nargs="+", choices=sorted(LANDMARK_MODELS),
                        help="the models; several learn from the same samples")  # fmt: skip
    parser.add_argument("--minutes", type=float, default=60, help="training time (default 60)")
    parser.add_argument("--batch", type=int, default=64, help="faces in a batch (default 64)")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate (default 2e-3)")
    parser.add_argument("--synthetic", type=float, default=0.2, help="share of synthetic heads (default 0.2)")
    parser.add_argument("--steady", type=float, help="weight of the two views' distance (default: each model's own)")
    parser.add_argument("--init", help="start from the weights of this model's checkpoint, or without one of its file, "
                        "as far as they fit")  # fmt: skip
    parser.add_argument("--improve", action="store_true", help="start from each model's own checkpoint or file")
    parser.add_argument("--freeze", nargs="*", default=[], choices=("stem", "low", "middle", "high", "norms"),
                        help="parts of the networks that stay as they are, which saves time: the first ones; or what "
                        "the normalisations know, which small batches would blur")  # fmt: skip
    parser.add_argument("--suffix", default="", help="what comes after a model's name in the name of its checkpoint")
    parser.add_argument("--restart", action="store_true", help="do not go on from the checkpoint of the same name")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (default 1)")
    parser.add_argument("--workers", type=int, default=1, help="processes making samples (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bfloat16", action="store_true", help="faster where the processor has AVX-512 BF16")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
