"""The blend-shape network: landmarks first, and a small convolutional network for what only the picture shows."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tracking.blendshapes import POINT_FEATURES, SIDE
from tracking.faces import BLENDSHAPE_NAMES
from training.networks import LANDMARK_MODELS, LandmarkConfig, LandmarkNetwork, convolution, stage, stem
from training.restore import restore, stored_tensors
from training.shapes.surface import COUNT

SHAPES = len(BLENDSHAPE_NAMES)
ENCODER = LANDMARK_MODELS["U"]  # the landmark model whose encoder looks at the picture


class PointNetwork(nn.Module):
    """Point features [b, POINT_FEATURES] to what is seen in them [b, width]: layers that each add to the last."""

    def __init__(self, width: int = 256, depth: int = 3) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(POINT_FEATURES)
        self.first = nn.Linear(POINT_FEATURES, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))

    def forward(self, points: Tensor) -> Tensor:
        seen = torch.relu(self.first(self.norm(points)))
        for layer in self.layers:
            seen = seen + torch.relu(layer(seen))
        return seen


class PictureNetwork(nn.Module):
    """Pictures [b, 3, SIDE, SIDE] of aligned faces to what is seen in them [b, features].

    The encoder is that of a landmark network, whose weights it can begin with. The face lies at the same place in every
    picture, so its maps are read where they are, not averaged.
    """

    def __init__(self, features: int = 160, config: LandmarkConfig = ENCODER) -> None:
        super().__init__()
        low, middle, high = config.widths
        self.stem = stem(config.side, config.stem)
        self.low = stage(config.stem, low, config.depths[0], config.layers)
        self.middle = stage(low, middle, config.depths[1], config.layers)
        self.high = stage(middle, high, config.depths[2], config.layers)
        self.narrow_middle, self.narrow_high = convolution(middle, 12, 1), convolution(high, 24, 1)
        self.read = nn.Linear(12 * (SIDE // 8) ** 2 + 24 * (SIDE // 16) ** 2, features)

    def forward(self, pictures: Tensor) -> Tensor:
        middle = self.middle(self.low(self.stem(pictures)))
        maps = [self.narrow_middle(middle), self.narrow_high(self.high(middle))]
        return torch.relu(self.read(torch.cat([m.flatten(1) for m in maps], 1)))

    def fix_beginning(self) -> None:
        """The layers at the larger sides learn no more, which makes a step twice as fast; their normalisations become
        part of the convolutions."""
        for part in (self.stem, self.low):
            part.eval()
            for module in list(part.modules()):
                if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[1], nn.BatchNorm2d):
                    module[0], module[1] = fuse_conv_bn_eval(module[0], module[1]), nn.Identity()
            part.requires_grad_(False)

    def begin_with(self, path: Path, pictures: Tensor, config: LandmarkConfig = ENCODER) -> None:
        """Take the encoder of the landmark model in a file; pictures: some hundred, normalised, for the statistics of
        the batch normalisations."""
        landmarks = LandmarkNetwork(config)
        restore(landmarks, path, nn.functional.interpolate(pictures, (config.side, config.side), mode="bilinear"))
        for name in ("stem", "low", "middle", "high"):
            getattr(self, name).load_state_dict(getattr(landmarks, name).state_dict())


class ShapeNetwork(nn.Module):
    """Pictures and point features to the logits of the shapes [b, 52], to those of the points alone, and to where the
    skin's points lie [b, surface, 2] in the face's frame, which only training asks for.

    At first the picture adds nothing: a network that has learnt from points alone goes on from there.
    """

    def __init__(self, width: int = 256, features: int = 160, surface: int = 68 + COUNT) -> None:
        super().__init__()
        self.points = PointNetwork(width)
        self.picture = PictureNetwork(features)
        self.by_points = nn.Linear(width, SHAPES)
        self.mix = nn.Linear(width + features, 192)
        self.by_both = nn.Linear(192, SHAPES)
        nn.init.zeros_(self.by_both.weight)
        nn.init.zeros_(self.by_both.bias)
        self.surface = nn.Linear(features, 2 * surface)

    def forward(self, pictures: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen, shown = self.points(points), self.picture(pictures)
        by_points = self.by_points(seen)
        return self._both(seen, shown, by_points), by_points, self.surface(shown).unflatten(1, (-1, 2))

    def logits(self, pictures: Tensor, points: Tensor) -> Tensor:
        """The logits of the shapes alone [b, 52]."""
        seen, shown = self.points(points), self.picture(pictures)
        return self._both(seen, shown, self.by_points(seen))

    def _both(self, seen: Tensor, shown: Tensor, by_points: Tensor) -> Tensor:
        return by_points + self.by_both(torch.relu(self.mix(torch.cat([seen, shown], 1))))

    def go_on_from(self, path: Path, pictures: Tensor, points: Tensor) -> None:
        """Take the weights of an exported file, all but those that find the skin's points, which it does not hold.

        Args:
            path: the ONNX file.
            pictures, points: some hundred inputs, for the statistics of the batch normalisations.
        """
        restore(_OnPictures(self, points), path, pictures)
        self.points.norm.load_state_dict({
            **self.points.norm.state_dict(),
            **stored_tensors(path, "network.points.norm."),
        })  # fmt: skip


class _OnPictures(nn.Module):
    """The network as one of pictures alone: their points are given beforehand."""

    def __init__(self, network: ShapeNetwork, points: Tensor) -> None:
        super().__init__()
        self.network = network
        self._points = points

    def forward(self, pictures: Tensor) -> Tensor:
        return self.network.logits(pictures, self._points[: len(pictures)])


class Exported(nn.Module):
    """What the ONNX file holds: `picture` [b, 3, SIDE, SIDE] and `points` [b, POINT_FEATURES] to `shapes` [b, 52].

    low, high [52]: the network's answers that are to become 0 and 1. Learnt with squared errors it is careful, and says
    less than it sees.
    """

    def __init__(self, network: ShapeNetwork, low: Tensor | None = None, high: Tensor | None = None) -> None:
        super().__init__()
        self.network = network
        low = torch.zeros(SHAPES) if low is None else low
        gain = torch.ones(SHAPES) if high is None else 1 / (high - low)
        self.register_buffer("gain", gain)
        self.register_buffer("shift", -low * gain)

    def forward(self, picture: Tensor, points: Tensor) -> Tensor:
        return (torch.sigmoid(self.network.logits(picture, points)) * self.gain + self.shift).clamp(0, 1)
