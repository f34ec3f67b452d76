"""Endless batches of training samples for the landmark networks, and what a batch is."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from training import augment, crops, data, lids, lips
from training.labels import MEAN, STD
from training.networks import LandmarkConfig

# Upper and lower point of each lid and lip gap: their distances are what blinks and speech are read from.
GAPS = np.array([(37, 41), (38, 40), (43, 47), (44, 46), *data.LIPS_OF_66])
LIDS = 4  # that many of them are the lids'
# The same of lm_modelT's points, of which one stands for the lid or the lip.
GAPS30, LIDS30 = data.POINTS30_OF_66[GAPS[[0, 2, 4]]], 2
NO_FACE_SHARE = 0.12
CLOSED_SHARE = 0.2  # of the pictures of faces get their eyes closed
LIPS_SHARE = 0.3  # ... and their mouths, where those are open


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
                if which == 0 and rng.random() < LIPS_SHARE:
                    image, truth = lips.random_lips(image, truth, rng)
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
