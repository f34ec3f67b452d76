"""The blend-shape model, models/blendshapes_opt.onnx.

    python -m training.blendshapes             train, export, evaluate; goes on from its checkpoints
    python -m training.blendshapes --improve   the same, from the file that is there, with its first layers as they are
    python -m training.blendshapes --evaluate  only the figures of the file that is there

First the part that sees points learns from points of drawn heads, which cost nothing; then all of it from drawn heads
with exact weights and from real faces with the teacher's, two views of each at a time. What is needed before is told in
training/README.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tracking.blendshapes import POINT_FEATURES, SIDE, crop_to_image, face_frame, point_features
from tracking.faces import BLENDSHAPE_NAMES
from tracking.models import BLENDSHAPES_FILE
from training import data, runner
from training.networks import model_path
from training.shapes.network import Exported, ShapeNetwork
from training.shapes.samples import Faces, PointSamples, batches, correlations, drawn_faces, real_faces

REAL_SHARE = 0.2  # of the faces in a batch
SURFACE = 1.0  # how much it counts that the network finds the skin's points in the picture, which helps it to learn
STRETCH = 1.4  # see `ends`
STEADY = 1.5  # how much the distance between the answers to two views of a face counts


class ShapeLoss:
    """Squared errors of the shapes; those that vary little count more, so that every one is learnt.

    Args:
        shapes: (n, 52) weights of the drawn heads.
    """

    def __init__(self, shapes: np.ndarray) -> None:
        weights = 1 / (shapes.var(0) + 0.01)
        self._weights = torch.from_numpy((weights / weights.mean()).astype(np.float32))
        self._mean = torch.from_numpy(255 * runner.MEAN)[:, None, None]
        self._std = torch.from_numpy(255 * runner.STD)[:, None, None]

    def of_points(self, network: ShapeNetwork, features: Tensor, shapes: Tensor) -> dict[str, Tensor]:
        """The loss of the part that sees points alone."""
        answer = torch.sigmoid(network.by_points(network.points(features)).float())
        return {"points": (self._weights * (answer - shapes) ** 2).mean()}

    def of_all(
        self, network: ShapeNetwork, pictures: Tensor, features: Tensor, shapes: Tensor, counts: Tensor,
        surfaces: Tensor, more_features: Tensor, more_shapes: Tensor,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The loss of pictures [b, SIDE, SIDE, 3] BGR uint8 with their points, two views of a face after each other;
        and of further points."""
        seen = (pictures.flip(-1).permute(0, 3, 1, 2).float() - self._mean) / self._std
        both, by_points, surface = network(seen.contiguous(memory_format=torch.channels_last), features)
        answer, by_points = torch.sigmoid(both.float()), torch.sigmoid(by_points.float())
        weights = self._weights * counts
        known = torch.isfinite(surfaces)
        away = torch.where(known, surface.float() - surfaces, 0.0)
        return {
            "surface": SURFACE * functional.smooth_l1_loss(away, torch.zeros_like(away), beta=0.03),
            "shapes": (weights * (answer - shapes) ** 2).mean(),
            "by points": 0.2 * (weights * (by_points - shapes) ** 2).mean(),
            "steady": STEADY * (self._weights * (answer[0::2] - answer[1::2]) ** 2).mean(),
            "points": 0.3 * self.of_points(network, more_features, more_shapes)["points"],
        }


def inputs_of(faces: Faces, by: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Normalised pictures and features of all faces, as landmark model number `by` of the answers had them, or by the
    truth (-1)."""
    pictures, features = [], []
    for image, points in zip(faces.images, faces.points[:, by].astype(np.float64), strict=True):
        frame = face_frame(points)
        pictures.append(cv2.warpAffine(image, crop_to_image(frame), (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE,
                                       flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP))  # fmt: skip
        features.append(point_features(points, frame, True))
    return runner.normalise(np.stack(pictures)), np.stack(features)


def ends(network: nn.Module, faces: Faces) -> tuple[Tensor, Tensor]:
    """What the network says [52] where a shape is not there, and where it is there wholly, on drawn faces; medians. Its
    answers are not stretched by more than STRETCH for that."""
    pictures, features = inputs_of(faces)
    with torch.no_grad():
        batches_ = zip(torch.from_numpy(pictures).split(200), torch.from_numpy(features).split(200), strict=True)
        answers = np.concatenate([torch.sigmoid(network(p, f)[0]).numpy() for p, f in batches_])
    low, high = np.zeros(answers.shape[1], np.float32), np.ones(answers.shape[1], np.float32)
    for k in range(len(low)):
        low[k] = np.median(answers[faces.shapes[:, k] < 0.03, k])
        high[k] = np.clip(np.median(answers[faces.shapes[:, k] > 0.85, k]), low[k] + 1 / STRETCH, low[k] + 1)
    return torch.from_numpy(low), torch.from_numpy(high)


def evaluate(path: Path, faces: Faces) -> None:
    """Print how the file's answers correlate with the truth on drawn faces; training.tables.shapes tells more."""
    session = runner.session(path)
    pictures, features = inputs_of(faces)
    rows = [session.run(None, {"picture": p[None], "points": f[None]})[0][0]
            for p, f in zip(pictures, features, strict=True)]  # fmt: skip
    found = correlations(np.stack(rows), faces.shapes)
    worst = ", ".join(f"{BLENDSHAPE_NAMES[k]} {found[k]:.2f}" for k in np.argsort(found)[:8])
    print(f"{path.name}: mean correlation {np.nanmean(found):.3f} on {len(faces)} held-out heads; lowest {worst}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--point-steps", type=int, default=8000, help="steps on points alone")
    parser.add_argument("--steps", type=int, default=6000, help="steps on pictures and points")
    parser.add_argument("--fixed-steps", type=int, default=24000, help="steps with the first layers as they are then")
    parser.add_argument("--improve", action="store_true", help="begin with the file; only the fixed steps")
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--suffix", default="", help="of the checkpoints' names")
    arguments = runner.parse(parser)
    path = arguments.output / BLENDSHAPES_FILE
    held_out = drawn_faces(held_out=True)
    if not arguments.evaluate:
        drawn, real = drawn_faces(held_out=False), real_faces()
        points = PointSamples(drawn)
        loss = ShapeLoss(drawn.shapes)
        print(f"{len(drawn)} drawn and {len(real)} real faces")
        network: nn.Module = ShapeNetwork()
        folder = data.cache_folder()
        chances = np.concatenate([np.full(len(drawn), (1 - REAL_SHARE) / len(drawn)),
                                  np.full(len(real), REAL_SHARE / len(real))])  # fmt: skip
        make = batches(drawn.joined(real), chances, arguments.batch)
        if arguments.improve:
            pictures, features = zip(*(make(np.random.default_rng(k))[:2] for k in range(4)), strict=True)
            network.go_on_from(path, torch.from_numpy(runner.normalise(np.concatenate(pictures))),
                               torch.from_numpy(np.concatenate(features)))  # fmt: skip
        else:
            network, _ = runner.train(
                network, lambda rng: points.batch(rng, 512), loss.of_points, arguments.point_steps, 2e-3,
                folder / f"shapes_points{arguments.suffix}.pt", workers=arguments.workers, half=False,
            )  # fmt: skip
            checkpoint = folder / f"shapes{arguments.suffix}.pt"
            if not checkpoint.exists():
                pictures = runner.normalise(make(np.random.default_rng(1))[0])
                network.picture.begin_with(model_path("U"), torch.from_numpy(pictures))
            network, _ = runner.train(
                network, lambda rng: (*make(rng), *points.batch(rng, 128)), loss.of_all, arguments.steps,
                arguments.rate, checkpoint, workers=arguments.workers,
            )  # fmt: skip
        network.picture.fix_beginning()
        network, _ = runner.train(
            network, lambda rng: (*make(rng), *points.batch(rng, 128)), loss.of_all, arguments.fixed_steps,
            arguments.rate, folder / f"shapes_fixed{arguments.suffix}.pt", workers=arguments.workers,
        )  # fmt: skip
        example = (torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1, POINT_FEATURES))
        exported = Exported(network, *ends(network, drawn.every(4)))
        runner.export(exported, path, example, ["picture", "points"], ["shapes"])
    evaluate(path, held_out)


if __name__ == "__main__":
    main()
