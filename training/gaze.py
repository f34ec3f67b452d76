"""The pupil model, models/mnv3_gaze32_split_opt.onnx.

    python -m training.gaze             train, export, evaluate; goes on from its checkpoint
    python -m training.gaze --evaluate  only the table

Two eye crops in (the right eye, the left one mirrored), columns before rows. A crop spans 0..32 both ways, the centre
of its pixel (i, j) lying at (i + 0.5, j + 0.5). The network finds the pupil's position as the mean of a learned
distribution over 8×8 cells (integral regression: Sun et al. 2018), and how open the eye is; the contract's maps are
then drawn round them inside the graph: whichever cell is the highest, it decodes to the same position.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training import data, runner, scenes
from training.eyes import (
    RADII,
    SIDE,
    Eyes,
    batches,
    exact_to_patch,
    head_eyes,
    image_eyes,
    inverse,
    jitter,
    to_network,
    warp,
)  # fmt: skip
from training.networks import convolution

NAME = "mnv3_gaze32_split_opt.onnx"
CELLS, CELL = 8, 4
STEADY = 1.0  # how much it counts that two views of an eye give the same place: that holds the pupils still


class GazeNet(nn.Module):
    """[b, 3, 32, 32] (columns before rows) to position [b, 2] (x, y in 0..32), logit that the eye is open
    [b]."""

    def __init__(self, widths: tuple[int, int, int] = (16, 32, 64)):
        super().__init__()
        a, b, c = widths
        self.fine = nn.Sequential(convolution(3, a, 3, 2), runner.Residual(a, a), runner.Residual(a, b, 2))
        self.coarse = nn.Sequential(runner.Residual(b, c, 2), runner.Residual(c, c))
        self.context = nn.Conv2d(c, b, 1)
        self.merge = runner.Residual(b, b)
        self.share = nn.Conv2d(b, 1, 1)
        self.shift = nn.Linear(c, 2)
        self.open = nn.Linear(c, 1)
        # The cells' centres in crop pixels, for columns (axis 2) and rows (axis 3).
        centre = (torch.arange(CELLS) + 0.5) * CELL
        self.register_buffer("centres", torch.stack(torch.meshgrid(centre, centre, indexing="ij"), -1).reshape(-1, 2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        position, pooled = self.look(x)
        return position, self.open(pooled)[:, 0]

    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Position [b, 2], and what it is seen from that the eye is open [b, c]."""
        fine = self.fine(x)
        coarse = self.coarse(fine)
        # Enlarged before it is convolved: so onnxruntime adds up in the convolution.
        fine = self.merge(fine + self.context(functional.interpolate(coarse, scale_factor=2.0)))
        pooled = coarse.mean((2, 3))
        share = torch.softmax(self.share(fine).flatten(1).float(), 1)
        return share @ self.centres + self.shift(pooled), pooled


class Exported(nn.Module):
    """The contract: output [b, 3, 8, 8] and blink [b, 2, 1, 1] (shares that the eye is closed, and open), in as few
    operations as can be: each costs, however little it works on."""

    def __init__(self, network: GazeNet):
        super().__init__()
        self.network = network
        self.closed_open = nn.Linear(network.open.in_features, 2)
        with torch.no_grad():
            self.closed_open.weight.copy_(torch.cat((-network.open.weight, network.open.weight)))
            self.closed_open.bias.copy_(torch.cat((-network.open.bias, network.open.bias)))
        at = torch.arange(CELLS, dtype=torch.float32) * CELL  # what the decoder adds an offset to
        grid = torch.stack(torch.meshgrid(at, at, indexing="ij"))  # [2, 8, 8]: x runs along axis 0
        self.register_buffer("grid", grid[None])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        position, pooled = self.network.look(x)
        blink = torch.sigmoid(self.closed_open(pooled))[:, :, None, None]
        offset = position[:, :, None, None] - self.grid
        distance = (offset * offset).sum(1, keepdim=True)
        heat = blink[:, 1:] * (distance == distance.amin((2, 3), keepdim=True)).float()
        # Decoded: 4·cell + 32·logit(p)/8, so logit(p) = offset / 4.
        return torch.cat([heat, torch.sigmoid(offset / 4)], 1), blink


def decode(maps: np.ndarray) -> np.ndarray:
    """Maps [b, 3, 8, 8] to pupils [b, 3]: x, y in the crop's 0..32, confidence."""
    flat = maps.reshape(len(maps), 3, -1)
    cell = flat[:, 0].argmax(1)
    heat, x, y = flat[np.arange(len(maps)), :, cell].T
    p = np.clip(np.stack([x, y]), 1e-7, 1 - 1e-7)
    place = np.stack(np.divmod(cell, CELLS)) * CELL + SIDE / 8 * np.log(p / (1 - p))
    return np.stack([*place, heat], 1)


def loss(
    network: nn.Module, crops: Tensor, pupils: Tensor, opened: Tensor, sure: Tensor, back: Tensor
) -> dict[str, Tensor]:
    """Smooth L1 of the position in pixels of the crop, distance between the positions in two views of an eye,
    cross-entropy of openness."""
    position, logit = network(crops.contiguous(memory_format=torch.channels_last))
    position = position.float()
    away = functional.smooth_l1_loss(position, pupils, beta=1.0, reduction="none").sum(1)
    place = (back[:, :, :2] @ position[..., None])[..., 0] + back[:, :, 2]
    apart = torch.sqrt(((place[0::2] - place[1::2]) ** 2).sum(1) + 1e-4)
    both = torch.minimum(sure[0::2], sure[1::2])
    return {
        "pupil": (away * sure).sum() / sure.sum().clamp(min=1),
        "steady": STEADY * (apart * both).sum() / both.sum().clamp(min=1),
        "open": functional.binary_cross_entropy_with_logits(logit.float(), opened),
    }


# --- Evaluation -----------------------------------------------------------------------------------


def crops_of(eyes: Eyes, amount: float = 0.03, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Crops of all eyes with jittered corners, for the network, and the pupils' positions in them."""
    base = np.vstack([exact_to_patch(), [0, 0, 1]])
    crops, pupils = [], []
    for i in range(len(eyes)):
        back = np.vstack([jitter(np.random.default_rng((seed, i)), amount), [0, 0, 1]])
        crops.append(warp(eyes.patches[i], (base @ back)[:2], SIDE))
        pupils.append(inverse(back[:2], eyes.pupils[i]))
    return to_network(np.stack(crops)), np.array(pupils)


def find(session, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pupils [n, 3] and blink values [n, 2] of crops [n, 3, 32, 32], two at a time."""
    found, blink = [], []
    for i in range(0, len(crops) - 1, 2):
        maps, shares = session.run(None, {"input": crops[i : i + 2]})
        found.append(decode(maps))
        blink.append(shares[:, :, 0, 0])
    return np.concatenate(found), np.concatenate(blink)


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a positive one's value is over a negative one's."""
    ranks = np.argsort(np.argsort(np.concatenate([positive, negative]))) + 1.0
    n, m = len(positive), len(negative)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m)) if n and m else float("nan")


def percent_of_width(offsets: np.ndarray) -> np.ndarray:
    """Offsets [..., 2] in a crop's pixels, in % of the distance of the eye's corners."""
    return offsets * [1.0, RADII[1] / RADII[0]] * RADII[0] / SIDE * 100


def trembling(session, eyes: Eyes, looks: int = 20, noise: float = 4.0, amount: float = 0.012) -> float:
    """Standard deviation of the pupils' places, % of the eye's width: every twentieth open eye is looked at so many
    times, with camera noise of that deviation and corners jittered by that amount, see `jitter`."""
    chosen = np.flatnonzero(eyes.opened > 0.7)[::20]
    some = Eyes(*(getattr(eyes, f)[chosen] for f in eyes.__dataclass_fields__))
    rng, places = np.random.default_rng(0), []
    for look in range(looks):
        crops, pupils = crops_of(some, amount, seed=100 + look)
        scale = (noise / 255 / runner.STD)[:, None, None]
        found, _ = find(session, crops + (rng.normal(0, 1, crops.shape) * scale).astype(np.float32))
        places.append(percent_of_width(found[:, :2] - pupils[: len(found)]))
    return float(np.sqrt(np.var(places, axis=0).sum(-1)).mean())


def evaluate(path: Path, eyes: Eyes, name: str) -> None:
    """Print a model's distances to the known pupils, in % of the corners' distance, how they tremble, and what
    openness it sees."""
    crops, pupils = crops_of(eyes)
    session = runner.session(path)
    found, blink = find(session, crops)
    n = len(found)
    away = percent_of_width(found[:, :2] - pupils[:n])
    opened = eyes.opened[:n] > 0.7
    distance = np.linalg.norm(away, axis=1)[opened]
    centred = np.linalg.norm(away[opened] - away[opened].mean(0), axis=1)
    shut = eyes.opened[:n] < 0.05
    sure = area_under_curve(found[opened, 2], found[shut, 2])
    shares = area_under_curve(blink[opened, 1], blink[shut, 1])
    print(
        f"  {name:9s} {opened.sum():5d} open eyes: mean {distance.mean():5.2f}, median {np.median(distance):5.2f}, "
        f"constant offset taken off {centred.mean():5.2f}, trembling {trembling(session, eyes):4.2f}\n"
        f"{'':12s}confidence {found[opened, 2].mean():.2f} open, "
        f"{found[shut, 2].mean():.2f} closed ({shut.sum()}), AUC {sure:.3f}; blink's AUC {shares:.3f}"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    arguments = runner.parse(parser)
    path = arguments.output / NAME
    example = torch.zeros(2, 3, SIDE, SIDE)
    if not arguments.evaluate:
        eyes = image_eyes(held_out=False)
        heads = scenes.load_heads(held_out=False)
        if heads is not None:
            eyes = eyes.joined(head_eyes(heads))
        print(f"{len(eyes)} eyes")
        make, checkpoint = batches(eyes, arguments.batch), data.cache_folder() / "gaze.pt"
        network, _ = runner.train(
            GazeNet(), make, loss, arguments.steps, arguments.rate, checkpoint, workers=arguments.workers
        )
        runner.export(Exported(network), path, example, ["input"], ["output", "blink"])
    reference = data.reference_folder() / "reference" / "models" / NAME
    sets = {"pictures": image_eyes(held_out=True)}
    heads = scenes.load_heads(held_out=True)
    if heads is not None:
        sets["heads"] = head_eyes(heads)
    for model in (path, reference):
        if model.exists():
            print(f"\n{model}: pupils' distance in % of the eye's width")
            for name, eyes in sets.items():
                evaluate(model, eyes, name)
    if reference.exists():
        milliseconds, ratio = runner.time_ratio(path, reference, example.numpy(), 1000)
        print(f"\none pass: {milliseconds:.2f} ms, {ratio:.2f} of the reference's")


if __name__ == "__main__":
    main()
