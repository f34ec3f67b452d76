"""Writes trained landmark models as ONNX files.

    python -m training.export 3 V
    python -m training.export 1 --between _steady    # between two trainings, which --suffix told apart

The confidences are calibrated on held-out faces: their level is part of the models' contract.
"""

from __future__ import annotations

import argparse
import warnings
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from onnx import numpy_helper

from training import augment, crops, runner
from training.labels import grown_box
from training.landmarks import checkpoint_path
from training.networks import LANDMARK_MODELS, Exported, LandmarkConfig, LandmarkNetwork, model_path, toward_mean
from training.samples import Samples, to_input

OPSET = 17  # the newest that onnxruntime 1.17 reads without doubt
# Mean confidence that nine in ten good faces pass, and that 99 in 100 non-faces stay under. Models for small inputs
# are used with a higher threshold, to which faces in profile come near; and of lm_modelT the three lowest count.
GOOD_FACE = {224: 0.90, 112: 0.975, 56: 0.998}
NO_FACE = {224: 0.20, 112: 0.35, 56: 0.30}
# How far a point's confidence may leave the face's. Of lm_modelT the three lowest replace the mean when they are low,
# and its jaw is always less sure than the rest.
OWN_SHARE = {224: 1.0, 112: 1.0, 56: 0.25}


def load_network(name: str, suffix: str | None = None, share: float = 0.5) -> LandmarkNetwork:
    """Model `name` with the averaged weights of its checkpoint, ready to use.

    With the suffix of another checkpoint, of a training that went on from this one, its weights lie between the two, at
    `share` of the way.
    """
    network = LandmarkNetwork(LANDMARK_MODELS[name])
    if suffix is None:
        network.load_state_dict(torch.load(checkpoint_path(name), map_location="cpu")["average"])
        return network.eval()
    samples = islice(Samples(LANDMARK_MODELS[name], 64, seed=5, synthetic=0.25), 24)
    inputs = (to_input(torch.from_numpy(images)) for images, *_ in samples)
    runner.between(network, checkpoint_path(name), checkpoint_path(name + suffix), share, inputs)
    return network


@torch.no_grad()
def confidence_logits(network: LandmarkNetwork, side: int, count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Confidence logits [count, K] on held-out faces in the tracker's crops, and on non-faces."""
    faces, rng = crops.load(), np.random.default_rng(0)
    chosen = np.flatnonzero(faces.held_out)
    results = []
    for is_face in (True, False):
        logits = []
        for i in rng.choice(chosen, count):
            points = faces.points[i].astype(np.float64)
            if is_face:
                box = grown_box(points)
                crop, _ = augment.warp(faces.image(i), np.eye(2), box, side, cv2.BORDER_REPLICATE, (0, 0, 0))
            else:
                crop = augment.no_face_sample(faces.image(i), points, side, faces.backgrounds, rng)
            logits.append(network(to_input(torch.from_numpy(crop[None])))[1][0].numpy())
        results.append(np.stack(logits))
    return results[0], results[1]


def calibrate(faces: np.ndarray, others: np.ndarray, good: float, bad: float) -> tuple[float, float]:
    """Scale and shift of the logits [n, K] that put the 10th percentile of faces' mean confidence at `good` and the
    99th of other things' at `bad` (or under it, where even the unscaled logits are)."""

    def level(logits: np.ndarray, percentile: float, scale: float, shift: float) -> float:
        return float(np.percentile((1 / (1 + np.exp(-(logits * scale + shift)))).mean(1), percentile))

    def shift_for(scale: float) -> float:
        low, high = -30.0, 30.0
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if level(faces, 10, scale, middle) < good else (low, middle)
        return (low + high) / 2

    for scale in np.arange(0.5, 4.01, 0.1):
        shift = shift_for(scale)
        if level(others, 99, scale, shift) <= bad:
            break
    return round(float(scale), 4), round(float(shift), 4)


def write(network: Exported, config: LandmarkConfig, path: Path) -> None:
    """The ONNX file: `input` -> `output`, any batch size.

    It also takes `cells`, which nobody has to give: left out, all cells of the maps are drawn, as the contract says.
    """
    cells = torch.arange(config.grid, dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(), (torch.zeros(1, 3, config.side, config.side), cells), str(path), dynamo=False,
            opset_version=OPSET, input_names=["input", "cells"], output_names=["output"],
            dynamic_axes={"input": {0: "batch"}, "cells": {0: "cells"}, "output": {0: "batch", 2: "cells", 3: "cells"}},
        )  # fmt: skip
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(cells.numpy(), "cells"))  # an input's default
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write trained landmark models as ONNX files.")
    parser.add_argument("names", nargs="+", choices=sorted(LANDMARK_MODELS))
    parser.add_argument("--between", metavar="SUFFIX", help="take weights between each model's checkpoint and the one "
                        "whose name ends so, see training.landmarks --suffix")  # fmt: skip
    parser.add_argument("--share", type=float, default=0.5, help="... at this share of the way (default 0.5)")
    parser.add_argument("--folder", type=Path, help="where to (default: models/)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.names:
        config = LANDMARK_MODELS[name]
        network = load_network(name, arguments.between, arguments.share)
        share = OWN_SHARE[config.side]
        logits = confidence_logits(network, config.side)
        faces, others = (toward_mean(torch.from_numpy(x), share).numpy() for x in logits)
        calibration = calibrate(faces, others, GOOD_FACE[config.side], NO_FACE[config.side])
        path = arguments.folder / model_path(name).name if arguments.folder else model_path(name)
        write(Exported(network, config, calibration, share), config, path)
        before = [(1 / (1 + np.exp(-x))).mean() for x in (faces, others)]
        print(f"{path}: confidence x * {calibration[0]} + {calibration[1]}; before it faces {before[0]:.3f}, "
              f"others {before[1]:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
