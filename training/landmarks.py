"""Trains the landmark networks.

    python -m training.landmarks V U --minutes 60              # from nothing, both on the same samples
    python -m training.landmarks 3 --minutes 20 --init V       # from another model's weights, as far as they fit
    python -m training.landmarks 3 2 --minutes 20 --improve    # from their own checkpoints; without, from models/

Checkpoints go to the cache folder every few minutes; the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import copy
import functools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm

from training import augment, crops, data, lids, restore
from training.labels import MEAN, STD, grown_box
from training.networks import LANDMARK_MODELS, LandmarkConfig, LandmarkNetwork, adopt, model_path

# Upper and lower point of each lid and lip gap: their distances are what blinks and speech are read from.
GAPS = np.array([(37, 41), (38, 40), (43, 47), (44, 46), (59, 65), (60, 64), (61, 63)])
LIDS = 4  # that many of them are the lids'
# The same of lm_modelT's points, of which one stands for the lid or the lip.
GAPS30, LIDS30 = data.POINTS30_OF_66[GAPS[[0, 2, 4]]], 2
NO_FACE_SHARE = 0.12
CLOSED_SHARE = 0.2  # of the pictures of faces get their eyes closed
CHECKPOINT_SECONDS = 180
RECORD_AFTER = 6  # steps after which a GPU's kernels are chosen and its memory is laid out


# --- samples ----------------------------------------------------------------------------------------------------


def group_points(points: np.ndarray, count: int) -> np.ndarray:
    """The 66 points [..., 66, 2] as a model's `count` points: themselves, or what lm_modelT's 30 stand for."""
    if count == data.POINTS:
        return points
    return np.stack([points[..., members, :].mean(-2) for members in data.MEMBERS_OF_30], -2)


def sampling_weights(faces: crops.Crops) -> np.ndarray:
    """How often each face is drawn [n]: rare poses and expressions more often, people with many pictures less."""
    p = faces.points
    right, left = p[:, data.RIGHT_OUTER_CORNER], p[:, data.LEFT_OUTER_CORNER]
    axis = (left - right) / np.linalg.norm(left - right, axis=-1, keepdims=True)
    width = np.linalg.norm(p[:, 15] - p[:, 1], axis=-1)
    turn = np.abs(((p[:, 30] - (p[:, 1] + p[:, 15]) / 2) * axis).sum(-1)) / width
    eyes = data.eye_distance(p)
    gaps = np.linalg.norm(p[:, GAPS[:, 0]] - p[:, GAPS[:, 1]], axis=-1) / eyes[:, None]
    lids, lips = gaps[:, :LIDS].mean(1), gaps[:, LIDS:].mean(1)
    wink = np.abs(gaps[:, :2].mean(1) - gaps[:, 2:4].mean(1))
    weight = 1 + 2.0 * (turn > 0.2) + 2.0 * (turn > 0.35) + 1.0 * (lids < 0.06) + 1.0 * (lips > 0.12)
    weight += 1.0 * (wink > 0.04)
    _, person, count = np.unique(faces.persons, return_inverse=True, return_counts=True)
    weight /= np.sqrt(count[person])
    weight[faces.held_out] = 0
    return weight / weight.sum()


def mirror_order(count: int) -> np.ndarray:
    """For each of a model's `count` points, the number of the one it becomes in a mirror [count]."""
    if count == data.POINTS:
        return data.MIRROR
    return np.array([data.POINTS30_OF_66[data.MIRROR[members[0]]] for members in data.MEMBERS_OF_30])


@dataclass
class Batch:
    """Tensors of one batch."""

    images: Tensor  # [b, R, R, 3] uint8 BGR
    points: Tensor  # [b, K, 2] shares of the crop's side
    weight: Tensor  # [b, K] certainty of the label; 0 without a face
    boxes: Tensor  # [b, 4] x, y, width, height of the crop; neighbours (0 1, 2 3, ...) are two views of one sample

    @property
    def is_face(self) -> Tensor:
        """[b] 1 for faces, 0 for anything else."""
        return (self.weight.sum(1) > 0).float()

    def mirrored(self, order: Tensor) -> Batch:
        """The batch as mirrors would show it; `order` [K]: which point each one becomes."""
        shares, boxes = self.points[:, order].clone(), self.boxes.clone()
        shares[..., 0] = 1 - shares[..., 0]
        boxes[:, 0] = -boxes[:, 0] - boxes[:, 2]
        return Batch(self.images.flip(2), shares, self.weight[:, order], boxes)

    def copy_(self, other: Batch) -> None:
        """Takes over another batch of the same size, in the same memory."""
        self.images.copy_(other.images)
        self.points.copy_(other.points)
        self.weight.copy_(other.weight)
        self.boxes.copy_(other.boxes)


class Samples(IterableDataset):
    """Endless augmented batches, (images, points, weight, boxes) as numpy arrays; see Batch.

    `synthetic` is the share of synthetic heads, where training.crops has made them.
    """

    def __init__(self, config: LandmarkConfig, batch: int, seed: int, synthetic: float = 0.0) -> None:
        self.config, self.batch, self.seed, self.synthetic = config, batch, seed, synthetic

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        cv2.setNumThreads(1)
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        sources = [crops.load()]
        if self.synthetic and (data.cache_folder() / "synthetic.npz").exists():
            sources.append(crops.load("synthetic"))
        cumulatives = [np.cumsum(sampling_weights(faces)) for faces in sources]
        side, count = self.config.side, self.config.points
        while True:
            images = np.empty((self.batch, side, side, 3), np.uint8)
            points = np.zeros((self.batch, count, 2), np.float32)
            weight = np.zeros((self.batch, count), np.float32)
            boxes = np.zeros((self.batch, 4), np.float32)
            for b in range(0, self.batch, 2):
                which = int(len(sources) > 1 and rng.random() < self.synthetic)
                faces, cumulative = sources[which], cumulatives[which]
                i = min(int(np.searchsorted(cumulative, rng.random())), len(cumulative) - 1)
                image, truth = faces.image(i), faces.points[i].astype(np.float64)
                if which == 0 and rng.random() < CLOSED_SHARE:
                    image, truth = lids.random_lids(image, truth, rng)
                face = (image, truth, side, faces.backgrounds, rng)
                if rng.random() < NO_FACE_SHARE:
                    images[b], images[b + 1] = (augment.no_face_sample(*face) for _ in range(2))
                    continue
                certainty = 0.02 / (0.01 + faces.spread[i])
                certainty = np.clip(group_points(np.repeat(certainty[:, None], 2, 1), count)[:, 0], 0.1, 1.5)
                for k, view in enumerate(augment.face_sample(*face, views=2), b):
                    images[k], points[k], boxes[k] = view.image, group_points(view.shares, count), view.box
                    weight[k] = certainty
            yield images, points, weight, boxes


def to_input(images: Tensor) -> Tensor:
    """BGR uint8 [b, h, w, 3] -> the networks' input, RGB float32 [b, 3, h, w]."""
    scale, shift = _normalisation(images.device)
    return images.flip(-1).permute(0, 3, 1, 2).float().mul_(scale).sub_(shift)


@functools.cache
def _normalisation(device: torch.device) -> tuple[Tensor, Tensor]:
    """Scale and shift [1, 3, 1, 1] of RGB; kept, as to bring them to a GPU makes it wait."""
    return tuple(torch.from_numpy(v).to(device).view(1, 3, 1, 1) for v in (1 / (255 * STD), MEAN / STD))


# --- loss -------------------------------------------------------------------------------------------------------


class Loss(nn.Module):
    """What a landmark network is to make small, for the settings of a model."""

    def __init__(self, config: LandmarkConfig) -> None:
        super().__init__()
        self.steady = config.steady
        gaps, of_lids = (GAPS, LIDS) if config.points == data.POINTS else (GAPS30, LIDS30)
        self.register_buffer("upper", torch.from_numpy(gaps[:, 0].copy()))
        self.register_buffer("lower", torch.from_numpy(gaps[:, 1].copy()))
        self.register_buffer("gap_weight", torch.tensor([config.lids] * of_lids + [1.0] * (len(gaps) - of_lids)))

    def forward(
        self, output: tuple[Tensor, Tensor, Tensor], batch: Batch, map_share: Tensor | float | None = None
    ) -> Tensor:
        """Position error in shares of the face size, gap error, distance of the two views' points, confidence, and,
        `map_share` times, how far the maps look from the points."""
        positions, logits, maps = output
        count = positions.shape[1]
        is_face = batch.is_face
        faces = is_face.sum().clamp(min=1)
        span = batch.points.amax(1) - batch.points.amin(1)
        size = torch.sqrt(span[:, 0] * span[:, 1]).clamp(min=0.05)[:, None]
        difference = (positions - batch.points) / size[..., None]
        distance = torch.sqrt((difference**2).sum(-1) + 1e-8)
        softened = torch.sqrt(distance**2 + 0.004**2)
        total = (softened * batch.weight).sum() / faces / count * 20

        gap = difference.index_select(1, self.upper) - difference.index_select(1, self.lower)
        sure = torch.minimum(batch.weight.index_select(1, self.upper), batch.weight.index_select(1, self.lower))
        error = torch.sqrt((gap**2).sum(-1) + 1e-6)
        total = total + (error * sure * self.gap_weight).sum() / faces / len(self.upper) * 5

        # Two views of a picture must have their points in the same places: that is what holds them still.
        places = positions * batch.boxes[:, None, 2:] + batch.boxes[:, None, :2]
        apart = torch.sqrt(((places[0::2] - places[1::2]) ** 2).sum(-1) + 1e-6)
        total = total + (apart * is_face[0::2, None]).sum() / faces / count * self.steady

        if map_share is not None:
            cells = math.isqrt(maps.shape[-1])
            axis = (torch.arange(cells, device=positions.device) + 0.5) / cells
            near = torch.exp(-(((batch.points[..., None] - axis) * cells) ** 2) / (2 * 0.8**2))  # [b, K, 2, cells]
            target = (near[:, :, 1, :, None] * near[:, :, 0, None, :]).flatten(2)
            inside = target.sum(-1)
            target = target / inside.clamp(min=1e-6)[..., None]
            cross_entropy = -(target * torch.log_softmax(maps, -1)).sum(-1)
            total = total + map_share * (cross_entropy * batch.weight * (inside > 0.5)).sum() / faces / count

        # A point deserves confidence when it is within some percent of the face's size.
        right = ((0.14 - distance.detach()) / 0.08).clamp(0, 1) * is_face[:, None]
        return total + 0.5 * functional.binary_cross_entropy_with_logits(logits, right)


# --- loop -------------------------------------------------------------------------------------------------------


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

    def __init__(self, name: str, path: Path, config: LandmarkConfig, device: str, teach_maps: bool) -> None:
        self.name, self.path, self.config = name, path, config
        self.network = LandmarkNetwork(self.config).to(device, memory_format=torch.channels_last)
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.02  # the default's few batches make noisy statistics
        self.average = copy.deepcopy(self.network)
        self.loss = Loss(self.config).to(device)
        on_gpu = device == "cuda"
        rate = torch.zeros((), device=device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), rate, weight_decay=0.02, fused=True,
                                           capturable=on_gpu)  # fmt: skip
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
        trainees.append(Trainee(name, checkpoint_path(name + arguments.suffix), config, device, not knowing))
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
    batch = Batch(*(t.to(device) for t in next(loader)))
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
    parser.add_argument("--suffix", default="", help="what comes after a model's name in the name of its checkpoint")
    parser.add_argument("--restart", action="store_true", help="do not go on from the checkpoint of the same name")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (default 1)")
    parser.add_argument("--workers", type=int, default=1, help="processes making samples (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bfloat16", action="store_true", help="faster where the processor has AVX-512 BF16")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
