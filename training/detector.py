"""The heat-map face detector, models/mnv3_detection_opt.onnx.

    python -m training.detector             train, export, evaluate; goes on from its checkpoint
    python -m training.detector --improve   the same, from the file in models/ on
    python -m training.detector --evaluate  only the tables

Input: a whole frame squeezed to 224×224, normalised RGB. Output: on a grid of 56×56 cells a score that a
face's centre is there, and the half side of its box over 112. The centre is that of the landmarks' bounding
box in the squeezed picture, the side its longer one: the box that the tracker itself would pass on from its
last landmarks. Objects as points: Zhou, Wang, Krähenbühl 2019 (CenterNet), with its focal loss.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training import data, restore, runner, scenes
from training.networks import convolution
from training.squares import CELL, GRID, SIZE, detect, squares, usable
from training.tables.detection import evaluate, highest_scores

PART = 128  # side of the pieces that training begins with
NAME = "mnv3_detection_opt.onnx"
HEADS_SHARE = 0.2  # of the faces in a scene that are synthetic: turned further than most in the pictures


class DetectorNet(nn.Module):
    """A light encoder down to 7×7 and a decoder up to 56×56. [b, 3, 224, 224] to score logit and radius
    logit."""

    def __init__(
        self,
        stem: int = 16,
        widths: tuple[int, ...] = (16, 32, 64, 96),
        depths: tuple[int, ...] = (1, 2, 3, 2),
    ):
        super().__init__()
        self.stem = convolution(3, stem, 3, 2)
        stages, before = [], stem
        for width, depth in zip(widths, depths, strict=True):
            blocks = [runner.Residual(before, width, 2)]
            blocks += [runner.Residual(width, width) for _ in range(depth)]
            stages.append(nn.Sequential(*blocks))
            before = width
        self.stages = nn.ModuleList(stages)
        self.down = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i], 1) for i in range(3))
        self.merge = nn.ModuleList(runner.Residual(widths[i], widths[i]) for i in range(3))
        self.last = runner.Residual(widths[0], widths[0])
        self.head = nn.Conv2d(widths[0], 2, 1)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.constant_(self.head.bias, -2.0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        kept = []
        for stage in self.stages:
            x = stage(x)
            kept.append(x)
        for i in (2, 1, 0):
            x = self.merge[i](kept[i] + functional.interpolate(self.down[i](x), scale_factor=2.0))
        return self.head(self.last(x))


class Exported(nn.Module):
    """The contract: output and maxpool. The score's logit is scaled and moved so that 0.6 divides faces
    from others."""

    def __init__(self, network: nn.Module, gain: float = 1.0, shift: float = 0.0):
        super().__init__()
        self.network = network
        with torch.no_grad():
            network.head.weight[0] *= gain
            network.head.bias[0] *= gain
            network.head.bias[0] += shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        output = torch.sigmoid(self.network(x))
        return output, functional.max_pool2d(output, 3, 1, 1)


def targets(faces: np.ndarray, grid: int = GRID) -> np.ndarray:
    """Squares [n, 3] to maps [3, 56, 56]: heat with a 1 in each centre's cell, half side / 112, weight of
    the latter."""
    maps = np.zeros((3, grid, grid), np.float32)
    y, x = np.mgrid[:grid, :grid]
    for cx, cy, half in faces[np.argsort(-faces[:, 2])]:
        column, row = np.clip(np.round([cx / CELL, cy / CELL]), 0, grid - 1)
        sigma = max(0.9, 0.12 * half / CELL)
        heat = np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * sigma**2))
        stronger = heat > maps[0]
        maps[0] = np.where(stronger, heat, maps[0])
        near = stronger & (heat > 0.3)
        maps[1] = np.where(near, min(half / 112, 1.0), maps[1])
        maps[2] = np.where(near, heat, maps[2])
    return maps


def loss(network: nn.Module, images: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Penalty-reduced focal loss of the scores, relative L1 of the radii. images [b, 3, 224, 224], wanted
    [b, 3, 56, 56]."""
    logits = network(images.contiguous(memory_format=torch.channels_last)).float()
    heat, radius, weight = wanted.unbind(1)
    p = torch.sigmoid(logits[:, 0])
    centre = (heat == 1).float()
    count = centre.sum().clamp(min=1)
    hit = centre * (1 - p) ** 2 * functional.logsigmoid(logits[:, 0])
    miss = (1 - centre) * (1 - heat) ** 4 * p**2 * functional.logsigmoid(-logits[:, 0])
    relative = (torch.sigmoid(logits[:, 1]) - radius).abs() / (radius + 0.05)
    return {
        "score": -(hit + miss).sum() / count,
        "radius": (relative * weight).sum() / weight.sum().clamp(min=1),
    }


def batches(composer: scenes.Composer, size: int):
    """A function that makes a batch of that many scenes: images normalised, target maps."""

    replay = scenes.Replay(composer)

    def batch(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        made = replay(rng, size)
        return (
            runner.normalise(np.stack([scene.image for scene in made])),
            np.stack([targets(squares(scene.boxes), composer.size // CELL) for scene in made]),
        )

    return batch


def calibrate(network: nn.Module, composer: scenes.Composer, false_share: float = 0.06) -> Exported:
    """Scale and move the score so that this share of faceless scenes reach 0.6, and clear faces 0.9.

    The share is large because those scenes are full of things made to be mistaken, spoilt faces above all.
    """
    plain = Exported(network).eval()

    class Session:  # the evaluation's session, without a file
        @staticmethod
        def run(_, feed):
            with torch.no_grad():
                return [t.numpy() for t in plain(torch.from_numpy(feed["input"]))]

    def logit(p):
        p = np.clip(p, 1e-6, 1 - 1e-6)
        return np.log(p / (1 - p))

    edge = logit(np.quantile(highest_scores(Session, composer, 1500), 1 - false_share))
    clear = []
    for k in range(300):
        scene = composer.compose(np.random.default_rng((4, k)), faces=1, height=0.2 + 0.6 * k / 300)
        best = detect(Session, scene.image, 0.0, 1)
        if len(best) and len(scene.points) and usable(best, squares(scene.boxes)[0]).any():
            clear.append(logit(best[0, 3]))
    typical = np.quantile(clear, 0.2)
    gain = float(np.clip((logit(0.9) - logit(0.6)) / max(typical - edge, 1e-3), 0.5, 3.0))
    print(f"edge logit {edge:.2f}, clear faces {typical:.2f}, gain {gain:.2f}")
    return Exported(network, gain, float(logit(0.6) - gain * edge))


def image_source(held_out: bool, source: str | None = None) -> scenes.FaceImages:
    """The labelled images of the training people, or of the held-out ones; only those of one source, if it is named."""
    from training import labels

    store = labels.load()
    samples = {sample.key: sample for sample in data.list_samples()}
    chosen = [
        (samples[key].path, points)
        for key, points, good in zip(store.keys, store.points, store.usable, strict=True)
        if good and key in samples and data.is_held_out(samples[key].person) == held_out
        if source in (None, samples[key].source)
    ]
    return scenes.FaceImages(chosen)


def training_source() -> scenes.FaceSource:
    """The training people's images, and some synthetic heads if there are any."""
    images, heads = image_source(held_out=False), scenes.load_heads(held_out=False)
    return images if heads is None else scenes.mixture(images, scenes.Heads(heads), HEADS_SHARE)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part-steps", type=int, default=6000, help="steps on pieces of a frame, twice the batch")
    parser.add_argument("--steps", type=int, default=3000, help="steps on whole frames")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--pictures", type=Path, help="folder of pictures without faces, for backgrounds")
    parser.add_argument("--faceless", type=Path, help="folder of other such pictures, to evaluate on")
    parser.add_argument("--improve", action="store_true", help="start with the weights of the file that is there")
    parser.add_argument("--between", type=Path, metavar="CHECKPOINT", help="do not train, but export the weights half "
                        "way between this copy of an earlier checkpoint and the present one")  # fmt: skip
    arguments = runner.parse(parser)
    path = arguments.output / NAME
    held_out = scenes.Composer(image_source(held_out=True), SIZE)
    rows, faceless = image_source(held_out=True, source="youtube_faces"), scenes.load_pictures(arguments.faceless)
    if not arguments.evaluate:
        faces = training_source()
        pictures = scenes.load_pictures(arguments.pictures)
        composer = scenes.Composer(faces, SIZE, pictures)
        parts = scenes.Composer(faces, PART, pictures, smallest=0.1)
        # What a face is, it learns on pieces of a third of the pixels, three times as many in the same time.
        network = DetectorNet()
        phases = [
            ("detector_parts.pt", parts, 2 * arguments.batch, arguments.part_steps, arguments.rate),
            ("detector.pt", composer, arguments.batch, arguments.steps, arguments.rate / 2),
        ]
        if arguments.between:
            make, rng = batches(composer, 64), np.random.default_rng(0)
            inputs = (torch.from_numpy(make(rng)[0]) for _ in range(16))
            runner.between(network, arguments.between, data.cache_folder() / phases[-1][0], 0.5, inputs)
            phases = []
        elif arguments.improve:
            images, _ = batches(composer, 128)(np.random.default_rng(0))
            restore.restore(network, path, torch.from_numpy(images))
            phases = phases[1:]
        for name, source, batch, steps, rate in phases:
            make, checkpoint = batches(source, batch), data.cache_folder() / name
            network, _ = runner.train(network, make, loss, steps, rate, checkpoint, workers=arguments.workers)
        example = torch.zeros(1, 3, SIZE, SIZE)
        runner.export(calibrate(network, composer), path, example, ["input"], ["output", "maxpool"])
    evaluate(path, held_out, rows, faceless)
    reference = data.reference_folder() / "reference" / "models" / NAME
    if reference.exists():
        evaluate(reference, held_out, rows, faceless)
        milliseconds, ratio = runner.time_ratio(path, reference, np.zeros((1, 3, SIZE, SIZE), np.float32))
        print(f"\none pass: {milliseconds:.2f} ms, {ratio:.2f} of the reference's")


if __name__ == "__main__":
    main()
