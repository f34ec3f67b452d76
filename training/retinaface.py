"""The detector for small faces, models/retinaface_640x640_opt.onnx, and its priors,
models/priorbox_640x640.json.

    python -m training.retinaface             train, export, evaluate; goes on from its checkpoint
    python -m training.retinaface --improve   the same, from the file in models/ on
    python -m training.retinaface --evaluate  only the table

Single-shot detection on a feature pyramid with the contract of RetinaFace (Deng et al. 2019): two square
priors for each cell at strides 8, 16 and 32. The encoder is that of training.detector and starts from its
checkpoint, if any.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training import data, detector, restore, runner, scenes

NAME, PRIORS = "retinaface_640x640_opt.onnx", "priorbox_640x640.json"
SIZE = 640
LEVELS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))  # stride, sizes of its priors
MEAN_BGR = np.array([104, 117, 123], np.float32)
VARIANCES = (0.1, 0.2)
HARDEST = 6  # negatives that count, for each positive


class RetinaNet(nn.Module):
    """[b, 3, s, s] to boxes [b, n, 4], class logits [b, n, 2] and landmarks [b, n, 10], n = s² / 64 · 2 ·
    1.3125."""

    def __init__(
        self,
        stem: int = 16,
        widths: tuple[int, ...] = (16, 32, 64, 96),
        depths: tuple[int, ...] = (1, 2, 3, 2),
    ):
        super().__init__()
        encoder = detector.DetectorNet(stem, widths, depths)
        self.stem, self.stages = encoder.stem, encoder.stages
        self.context = runner.Residual(widths[3], widths[3], 2)  # for faces that fill the frame
        self.wide = runner.Residual(widths[3], widths[3])
        self.down = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i], 1) for i in (1, 2))
        self.merge = nn.ModuleList(runner.Residual(widths[i], widths[i]) for i in (1, 2, 3))
        self.boxes = nn.ModuleList(nn.Conv2d(widths[i], 8, 1) for i in (1, 2, 3))
        self.classes = nn.ModuleList(nn.Conv2d(widths[i], 4, 1) for i in (1, 2, 3))
        self.landmarks = nn.ModuleList(nn.Conv2d(widths[i], 20, 1) for i in (1, 2, 3))
        for layer in (*self.boxes, *self.classes, *self.landmarks):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        for layer in self.classes:
            with torch.no_grad():
                layer.bias[0::2] = 2.0  # no face, at first

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.stages[0](self.stem(x))
        eight = self.stages[1](x)
        sixteen = self.stages[2](eight)
        top = self.stages[3](sixteen)
        top = top + functional.interpolate(self.wide(self.context(top)), scale_factor=2.0)
        top = self.merge[2](top)
        sixteen = self.merge[1](sixteen + functional.interpolate(self.down[1](top), scale_factor=2.0))
        eight = self.merge[0](eight + functional.interpolate(self.down[0](sixteen), scale_factor=2.0))
        levels = (eight, sixteen, top)

        def rows(layers: nn.ModuleList, width: int) -> Tensor:
            parts = [layer(level).permute(0, 2, 3, 1) for layer, level in zip(layers, levels, strict=True)]
            return torch.cat([part.reshape(part.shape[0], -1, width) for part in parts], 1)

        return rows(self.boxes, 4), rows(self.classes, 2), rows(self.landmarks, 10)

    def start_from(self, encoder: dict[str, Tensor]) -> None:
        """Take over the encoder of a trained detector's state, its first layer turned to BGR of 0..255."""
        state = {key: value for key, value in encoder.items() if key.startswith(("stem.", "stages."))}
        scale = torch.from_numpy(255 * runner.STD).to(state["stem.0.weight"])
        state["stem.0.weight"] = (state["stem.0.weight"] / scale[:, None, None]).flip(1)
        missing, unexpected = self.load_state_dict(state, strict=False)
        if unexpected or any(key.startswith(("stem.", "stages.")) for key in missing):
            raise ValueError("the detector's checkpoint has another encoder")


class Exported(nn.Module):
    """The contract: boxes, class shares (softmax), landmarks. shift is added to the logits of faces."""

    def __init__(self, network: RetinaNet, shift: float = 0.0):
        super().__init__()
        self.network = network
        with torch.no_grad():
            for layer in network.classes:
                layer.bias[1::2] += shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        boxes, classes, landmarks = self.network(x)
        return boxes, torch.softmax(classes, 2), landmarks


def priors(size: int = SIZE) -> np.ndarray:
    """Prior boxes [n, 4] (cx, cy, w, h) in units of the picture: level by level, row by row, the smaller
    first."""
    parts = []
    for stride, sides in LEVELS:
        centre = (np.arange(size // stride) + 0.5) * stride
        y, x, side = np.meshgrid(centre, centre, sides, indexing="ij")
        parts.append(np.stack([x, y, side, side], -1).reshape(-1, 4) / size)
    return np.concatenate(parts)


def write_priors(path: Path) -> None:
    """The priors as the JSON list that the tracker reads."""
    path.write_text(json.dumps(priors().tolist()), encoding="ascii")


def prepare(image: np.ndarray) -> np.ndarray:
    """BGR uint8 [s, s, 3] to the network's input [3, s, s]."""
    return (image.astype(np.float32) - MEAN_BGR).transpose(2, 0, 1)


def face_boxes(points: np.ndarray) -> np.ndarray:
    """Boxes [n, 4] (left, top, right, bottom) from the forehead to the chin, of landmarks [n, 66, 2]."""
    up = points[:, 27:28] - points[:, 8:9]
    everything = np.concatenate([points, points[:, 17:27] + scenes.FOREHEAD * up], 1)
    return np.concatenate([everything.min(1), everything.max(1)], 1)


def five_points(points: np.ndarray) -> np.ndarray:
    """Eyes, nose and mouth corners [n, 5, 2] of landmarks [n, 66, 2]."""
    eyes = [points[:, 36:42].mean(1), points[:, 42:48].mean(1)]
    return np.stack([*eyes, points[:, 30], points[:, 58], points[:, 62]], 1)


def targets(points: np.ndarray, prior: np.ndarray, size: int) -> np.ndarray:
    """Landmarks [n, 66, 2] in a picture of `size` pixels to targets [p, 15]: kind (1 face, 0 none, -1 don't
    care), the encoded box and the five points.

    Which prior answers for a face goes by the distance of centres and sizes rather than by overlap: in a squeezed
    frame faces are so narrow that no square overlaps them well.
    """
    wanted = np.zeros((len(prior), 15), np.float32)
    if not len(points):
        return wanted
    boxes = face_boxes(points) / size
    centre, span = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    scale = np.sqrt(span.prod(1))
    away = np.linalg.norm((prior[:, None, :2] - centre) / scale[:, None], axis=2)
    cost = 1.5 * away + np.abs(np.log(prior[:, None, 2] / scale))
    face = cost.argmin(1)
    least = cost.min(1)
    kind = np.where(least < 0.55, 1.0, np.where(least < 0.95, -1.0, 0.0))
    for k in range(len(points)):
        best = np.argsort(cost[:, k])[:3]
        kind[best], face[best] = 1.0, k
    wanted[:, 0] = kind
    at = prior[:, :2], prior[:, 2:]
    wanted[:, 1:3] = (centre[face] - at[0]) / (VARIANCES[0] * at[1])
    wanted[:, 3:5] = np.log(span[face] / at[1]) / VARIANCES[1]
    five = five_points(points)[face] / size
    wanted[:, 5:] = ((five - at[0][:, None]) / (VARIANCES[0] * at[1][:, None])).reshape(-1, 10)
    return wanted


def loss(network: nn.Module, images: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Cross-entropy of positives and hardest negatives, smooth L1 of boxes and points."""
    boxes, classes, landmarks = (t.float() for t in network(images.contiguous(memory_format=torch.channels_last)))
    kind = wanted[..., 0]
    face, none = kind == 1, kind == 0
    count = face.sum().clamp(min=1)
    entropy = functional.cross_entropy(classes.transpose(1, 2), face.long(), reduction="none")
    negatives = entropy[none]
    # At least some for each picture, that those without a face teach too.
    hard = int(min(HARDEST * int(face.sum()) + 30 * len(images), negatives.numel()))
    worst = negatives.topk(hard).values
    box = functional.smooth_l1_loss(boxes[face], wanted[..., 1:5][face], reduction="sum")
    points = functional.smooth_l1_loss(landmarks[face], wanted[..., 5:][face], reduction="sum")
    return {
        "face": entropy[face].sum() / count,
        "none": worst.sum() / count,
        "box": 0.5 * box / count,
        "points": 0.05 * points / count,
    }


def batches(composer: scenes.Composer, parts: scenes.Composer, size: int):
    """A function that makes a batch: two in three of `size` small pictures, else fewer large ones as
    pixels allow."""
    prior = {c.size: priors(c.size) for c in (composer, parts)}
    whole, small = scenes.Replay(composer, keep=400), scenes.Replay(parts, keep=1600)

    def batch(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        source = small if rng.random() < 2 / 3 else whole
        side = source.composer.size
        made = source(rng, max(1, size * parts.size**2 // side**2))
        return (
            np.stack([prepare(scene.image) for scene in made]),
            np.stack([targets(scene.points, prior[side], side) for scene in made]),
        )

    return batch


def decode(boxes: np.ndarray, scores: np.ndarray, prior: np.ndarray, threshold: float = 0.4) -> np.ndarray:
    """Faces [n, 5] (left, top, right, bottom in units of the picture, score) of one picture's [p, 4] and
    [p, 2]."""
    keep = np.flatnonzero(scores[:, 1] > threshold)
    keep = keep[np.argsort(-scores[keep, 1])]
    centre = prior[keep, :2] + boxes[keep, :2] * VARIANCES[0] * prior[keep, 2:]
    span = prior[keep, 2:] * np.exp(VARIANCES[1] * boxes[keep, 2:])
    found = np.concatenate([centre - span / 2, centre + span / 2, scores[keep, 1:]], 1)
    alive: list[np.ndarray] = []
    for one in found:
        if all(overlap(one, other) < 0.4 for other in alive):
            alive.append(one)
    return np.array(alive).reshape(-1, 5)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    span = np.minimum(a[2:4], b[2:4]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.maximum(span, 0)))
    return shared / float(np.prod(a[2:4] - a[:2]) + np.prod(b[2:4] - b[:2]) - shared)


def detect(session, image: np.ndarray, threshold: float = 0.4) -> np.ndarray:
    """Faces [n, 5] of a BGR picture of any size: left, top, right, bottom in units of the picture, score."""
    squeezed = cv2.resize(image, (SIZE, SIZE))
    boxes, scores, _ = session.run(None, {"input0": prepare(squeezed)[None]})
    return decode(boxes[0], scores[0], priors(), threshold)


def calibrate(network: RetinaNet, composer: scenes.Composer, false_share: float = 0.12, count: int = 300) -> Exported:
    """Move the scores so that this share of faceless scenes, which are full of things made to be mistaken, reach the
    tracker's threshold of 0.4."""
    highest = []
    with torch.no_grad():
        for k in range(count):
            image = prepare(composer.compose(np.random.default_rng((3, k)), faces=0).image)
            _, classes, _ = network(torch.from_numpy(image[None]))
            highest.append(float((classes[..., 1] - classes[..., 0]).max()))
    edge = float(np.quantile(highest, 1 - false_share))
    print(f"edge logit {edge:.2f}")
    return Exported(network, np.log(0.4 / 0.6) - edge)


HEIGHTS = (16 / 360, 24 / 360, 40 / 360, 80 / 360, 0.5, 0.9)


def evaluate(path: Path, composer: scenes.Composer, count: int = 40) -> None:
    """Print recall by the face's height, and false boxes."""
    session = runner.session(path)
    print(f"\n{path}\nrecall (overlap over 0.4; 16:9, roll to 30°)")
    for i, height in enumerate(HEIGHTS):
        hits = 0
        for k in range(count):
            rng = np.random.default_rng((1, i, k))
            scene = composer.compose(rng, faces=1, height=height, roll=rng.uniform(-30, 30), aspect=16 / 9)
            found = detect(session, scene.image)
            hits += any(overlap(one, face_boxes(scene.points)[0] / SIZE) > 0.4 for one in found)
        print(f"  {height * 360:3.0f} of 360 px  {hits / count:.2f}")
    false = sum(len(detect(session, composer.compose(np.random.default_rng((3, k)), faces=0).image)) > 0
                for k in range(4 * count))  # fmt: skip
    print(f"faceless frames with a box: {100 * false / (4 * count):.1f} %")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch", type=int, default=12, help="pictures of half the size in a batch")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--pictures", type=Path, help="folder of pictures without faces, for backgrounds")
    parser.add_argument("--improve", action="store_true", help="start with the weights of the file that is there")
    arguments = runner.parse(parser)
    path = arguments.output / NAME
    if not arguments.evaluate:
        faces = detector.training_source()
        pictures = scenes.load_pictures(arguments.pictures)
        whole = scenes.Composer(faces, SIZE, pictures, smallest=0.025)
        parts = scenes.Composer(faces, SIZE // 2, pictures, smallest=0.05)
        network = RetinaNet()
        encoder = data.cache_folder() / "detector.pt"
        if arguments.improve:
            rng = np.random.default_rng(0)
            images = np.stack([prepare(parts.compose(rng).image) for _ in range(64)])
            restore.restore(network, path, torch.from_numpy(images))
        elif encoder.exists():
            network.start_from(torch.load(encoder, map_location="cpu")["average"])
        make = batches(whole, parts, arguments.batch)
        checkpoint = data.cache_folder() / "retinaface.pt"
        network, _ = runner.train(
            network, make, loss, arguments.steps, arguments.rate, checkpoint, workers=arguments.workers
        )
        example = torch.zeros(1, 3, SIZE, SIZE)
        names = ["boxes", "scores", "landmarks"]
        runner.export(calibrate(network, whole), path, example, ["input0"], names, dynamic_batch=False)
        write_priors(arguments.output / PRIORS)
    held_out = scenes.Composer(detector.image_source(held_out=True), SIZE)
    evaluate(path, held_out)
    reference = data.reference_folder() / "reference" / "models" / NAME
    if reference.exists():
        evaluate(reference, held_out)
        example = np.zeros((1, 3, SIZE, SIZE), np.float32)
        milliseconds, ratio = runner.time_ratio(path, reference, example, 30)
        print(f"\none pass: {milliseconds:.1f} ms, {ratio:.2f} of the reference's")


if __name__ == "__main__":
    main()
