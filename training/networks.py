"""The landmark networks, and the tensor contract that their ONNX files keep.

A network reads positions off small maps: per point a softmax over the cells tells where to look, and a per-cell offset
where in the neighbourhood the point lies; their expectation is the position (integral regression), so that no arg-max
makes points jump from cell to cell. The contract's heatmaps and offset maps are then *drawn* from position and
confidence inside the exported graph (`ContractMaps`), so that decoding gives exactly the network's answer.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from training import data


@dataclass(frozen=True)
class LandmarkConfig:
    """One landmark model: its contract and its size."""

    side: int  # R, input side
    grid: int  # G, side of the exported maps
    factor: float  # L, logit factor of the exported offset maps
    points: int = data.POINTS
    stem: int = 16  # channels at side 56 (28 of the smallest model), to which every stem brings its input
    fine: bool = False  # a stem of two convolutions: it sees more of what is small, as lids
    widths: tuple[int, int, int] = (32, 64, 96)  # channels at side 28, 14 and 7
    depths: tuple[int, int, int] = (1, 2, 2)  # blocks there
    layers: int = 2  # convolutions in a block
    cells: int = 14  # side of the maps from which positions are read, 14 or 7
    lids: float = 4.0  # how much the lids' gaps count in training
    lips: float = 6.0  # how much the lips' gaps do
    steady: float = 80.0  # how much the distance between the points of two views of one picture does


# The file is models/lm_model<name>_opt.onnx. Widths are multiples of 16, in which onnxruntime computes.
LANDMARK_MODELS = {
    "4": LandmarkConfig(224, 28, 16.0, stem=32, fine=True, widths=(48, 80, 112), depths=(2, 3, 2), lids=6.0),
    "3": LandmarkConfig(224, 28, 16.0),
    "2": LandmarkConfig(224, 28, 16.0, steady=140.0),  # as 3, but trained to hold still
    "1": LandmarkConfig(224, 28, 16.0, depths=(1, 2, 1), steady=110.0),
    "0": LandmarkConfig(224, 28, 16.0, widths=(32, 48, 80), depths=(1, 1, 2), steady=130.0),
    "V": LandmarkConfig(112, 14, 16.0, depths=(1, 1, 2), steady=130.0),
    "U": LandmarkConfig(112, 14, 16.0, widths=(32, 48, 64), depths=(1, 1, 1)),
    "T": LandmarkConfig(56, 7, 8.0, points=30, widths=(16, 32, 48), depths=(0, 1, 3), layers=1, cells=7),
}


def model_path(name: str) -> Path:
    """Where a landmark model lies in the repository."""
    return data.repository() / "models" / f"lm_model{name}_opt.onnx"


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """Convolution, batch normalisation and, unless told otherwise, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if relu:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class Block(nn.Module):
    """Residual block of plain 3x3 convolutions: few, fat operations are what a CPU runs fastest."""

    def __init__(self, inputs: int, outputs: int, stride: int, layers: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*(
            convolution(outputs if k else inputs, outputs, stride=1 if k else stride, relu=k < layers - 1)
            for k in range(layers)
        ))  # fmt: skip
        # Where size or width change, there is no shortcut round them.
        self.shortcut = inputs == outputs and stride == 1
        if self.shortcut:
            nn.init.zeros_(self.body[-1][1].weight)  # a new block first passes on what it gets

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return torch.relu(x + y if self.shortcut else y)


def stage(inputs: int, outputs: int, depth: int, layers: int) -> nn.Sequential:
    """`depth` blocks, the first of which halves the side; with none, there is no stage."""
    widths = [inputs, *[outputs] * depth]
    return nn.Sequential(*(Block(widths[k], outputs, 1 if k else 2, layers) for k in range(depth)))


def stem(side: int, channels: int, fine: bool = False) -> nn.Sequential:
    """From the image to side 56 (28 from side 56): what tells the input sizes apart, so that weights of the rest can be
    shared."""
    if fine:
        return nn.Sequential(*convolution(3, 16, stride=2), *convolution(16, channels, stride=2))
    kernel, stride, padding = {224: (6, 4, 2), 112: (3, 2, 1), 56: (3, 2, 1)}[side]
    return nn.Sequential(
        nn.Conv2d(3, channels, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


def adopt(network: nn.Module, weights: dict[str, Tensor]) -> int:
    """Loads all weights that a network of the same kind has too, and says how many tensors that were.

    Of a layer that is wider there, the first channels are taken; one that is narrower there fills the first channels.
    A stem for side 112 becomes one for side 224 that at first does the same to the picture made half as large: each
    weight is spread over 2x2 pixels. The other way round, 2x2 weights are added up.
    """
    own = network.state_dict()
    taken = 0
    for key, value in weights.items():
        if key not in own or value.ndim != own[key].ndim:
            continue
        if value.ndim == 4 and value.shape[-1] == 3 and own[key].shape[-1] == 6:
            value = value.repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
        elif value.ndim == 4 and value.shape[-1] == 6 and own[key].shape[-1] == 3:
            value = 4 * nn.functional.avg_pool2d(value, 2)
        common = tuple(slice(min(a, b)) for a, b in zip(value.shape, own[key].shape, strict=True))
        own[key][common] = value[common]
        taken += 1
    network.load_state_dict(own)
    return taken


class LandmarkNetwork(nn.Module):
    """Normalised RGB crops [b, 3, R, R] -> positions [b, K, 2], confidence logits [b, K], map logits
    [b, K, cells²].

    Positions are (x, y) in shares of the crop's side: 0 is its left or top edge, 1 its right or bottom edge.
    """

    def __init__(self, config: LandmarkConfig) -> None:
        super().__init__()
        low, middle, high = config.widths
        self.points, self.cells = config.points, config.cells
        self.stem = stem(config.side, config.stem, config.fine)
        self.low = stage(config.stem, low, config.depths[0], config.layers)
        self.middle = stage(low, middle, config.depths[1], config.layers)
        self.high = stage(middle, high, config.depths[2], config.layers)
        if self.cells == 14:
            self.down = convolution(high, middle, 1, relu=False)
            self.up = nn.Upsample(scale_factor=2, mode="nearest")
            self.mix = convolution(middle, middle)
        self.maps = nn.Conv2d(middle if self.cells == 14 else high, 3 * config.points, 1)
        self.confidence = nn.Sequential(nn.Linear(high, 64), nn.ReLU(inplace=True), nn.Linear(64, config.points))
        axis = (torch.arange(self.cells) + 0.5) / self.cells
        centres = torch.stack((axis.repeat(self.cells), axis.repeat_interleave(self.cells)))  # x, y of each cell
        self.register_buffer("centres", centres.view(1, 2, 1, self.cells**2), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        positions, confidence, maps = self.answer(images)
        return positions.transpose(1, 2), confidence, maps

    def answer(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same with positions [b, 2, K], in as few operations as can be: on a CPU each of them costs, however
        little there is to do."""
        middle = self.middle(self.low(self.stem(images)))
        read = high = self.high(middle)
        if self.cells == 14:
            read = self.mix(torch.relu(middle + self.up(self.down(high))))
        with torch.autocast(images.device.type, enabled=False):  # bfloat16's steps would be seen in the positions
            maps = self.maps(read.float()).reshape(-1, 3, self.points, self.cells**2)
        attention = torch.softmax(maps[:, :1], -1)
        positions = (attention * (maps[:, 1:] + self.centres)).sum(-1)
        confidence = self.confidence(high.mean((2, 3))).float()
        return positions, confidence, maps[:, 0]


class ContractMaps(nn.Module):
    """Draws the contract's output [b, 3K, G, G] from positions [b, 2, K] (x, y in shares of the side) and confidences
    [b, K].

    The heatmap is the confidence at the cell nearest to the point, and 0 elsewhere; the offset maps hold in every cell
    what decodes to the point: p = sigmoid(L * (position - cell * (R - 1) / (G - 1)) / (R - 1)), in pixels.

    `cells` [g] says which rows and columns are drawn, 0 to G - 1 for all. The heatmap's peak is in the nearest one of
    these, so that every point can be decoded from a few: who knows this need not have the rest drawn.
    """

    def __init__(self, config: LandmarkConfig) -> None:
        super().__init__()
        self.points = config.points
        last = config.grid - 1
        self.from_share = config.side * last / (config.side - 1)  # of the crop's side, to cells
        self.to_logit = config.factor / last

    def forward(self, positions: Tensor, confidence: Tensor, cells: Tensor) -> Tensor:
        away = positions.reshape(-1, 2 * self.points, 1) * self.from_share - cells  # [b, 2K, g]: columns, then rows
        distance = away.abs()
        peak = (distance == distance.amin(-1, keepdim=True)).float()
        offset = torch.sigmoid(away * self.to_logit)
        across_peak, down_peak = peak.split(self.points, 1)
        across_offset, down_offset = offset.split(self.points, 1)
        everywhere = across_offset.clamp(min=1)  # ones: no share is larger
        # Every map is the product of a column and a row.
        down = torch.cat((confidence[..., None] * down_peak, down_offset, everywhere), 1)
        across = torch.cat((across_peak, everywhere, across_offset), 1)
        return down[..., None] * across[:, :, None]


class Exported(nn.Module):
    """Network and contract in one: what the ONNX file holds. Images [b, 3, R, R] and `ContractMaps`' cells to maps.

    `calibration` (scale, shift) is put on the confidence logits, which sets the confidences' level without changing
    their order. `own_share` is how far a point's logit keeps its distance from the face's mean logit. Both are linear
    and go into the last layer's weights, where they cost nothing.
    """

    def __init__(
        self,
        network: LandmarkNetwork,
        config: LandmarkConfig,
        calibration: tuple[float, float] = (1.0, 0.0),
        own_share: float = 1.0,
    ) -> None:
        super().__init__()
        self.network, self.draw = copy.deepcopy(network), ContractMaps(config)
        last = self.network.confidence[-1]
        scale, shift = calibration
        with torch.no_grad():
            last.weight.copy_(scale * toward_mean(last.weight.T, own_share).T)
            last.bias.copy_(scale * toward_mean(last.bias, own_share) + shift)

    def forward(self, images: Tensor, cells: Tensor) -> Tensor:
        positions, logits, _ = self.network.answer(images)
        return self.draw(positions, torch.sigmoid(logits), cells)


def toward_mean(logits: Tensor, own_share: float) -> Tensor:
    """Logits [..., K] drawn towards their mean over the points, to that share of their distance from it."""
    mean = logits.mean(-1, keepdim=True)
    return mean + own_share * (logits - mean)
