"""What a landmark network is to make small."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from training import data
from training.networks import LandmarkConfig
from training.samples import GAPS, GAPS30, LIDS, LIDS30, Batch

GAP_STEADY = 0.25  # how much of the difference of two views' gaps counts
# In shares of the face's size: gap errors below it count by their square. Lids are shut or open; lips are anything
# between, and where a picture leaves doubt, the mean of what it may be follows speech better than the median.
SOFT_LIDS, SOFT_LIPS = 0.001, 0.015


class Loss(nn.Module):
    """What a landmark network is to make small, for the settings of a model."""

    def __init__(self, config: LandmarkConfig) -> None:
        super().__init__()
        self.steady = config.steady
        gaps, of_lids = (GAPS, LIDS) if config.points == data.POINTS else (GAPS30, LIDS30)
        self.register_buffer("upper", torch.from_numpy(gaps[:, 0].copy()))
        self.register_buffer("lower", torch.from_numpy(gaps[:, 1].copy()))
        weights = [config.lids] * of_lids + [config.lips] * (len(gaps) - of_lids)
        self.register_buffer("gap_weight", torch.tensor(weights))
        softness = [SOFT_LIDS] * of_lids + [SOFT_LIPS] * (len(gaps) - of_lids)
        self.register_buffer("softness", torch.tensor(softness))

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
        error = torch.sqrt((gap**2).sum(-1) + self.softness**2)
        total = total + (error * sure * self.gap_weight).sum() / faces / len(self.upper) * 5

        # Two views of a picture must have their points in the same places: that is what holds them still. Of lids and
        # lips it is rather the middle between them: what holds a gap still also keeps it from following small motion.
        places = positions * batch.boxes[:, None, 2:] + batch.boxes[:, None, :2]
        upper, lower = places.index_select(1, self.upper), places.index_select(1, self.lower)
        half = (lower - upper) * ((1 - GAP_STEADY) / 2)
        places = places.index_copy(1, self.upper, upper + half).index_copy(1, self.lower, lower - half)
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
