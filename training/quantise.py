"""Makes the int8 files of landmark models: the same networks, which compute in bytes what takes most of the time.

    python -m training.quantise 4 3 2 1

Nothing is trained. The weights are those of the float32 file beside; what is lost by rounding is measured on held-out
faces and printed. What comes after side 14 stays float32: places are told there by small differences of few numbers.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from tracking.int8 import PROBE_FILE, made_from
from training import augment, crops, data, export, runner
from training.labels import MEAN, STD, decode, grown_box, normalise
from training.networks import LANDMARK_MODELS, Block, Exported, LandmarkConfig, LandmarkNetwork, model_path
from training.restore import LAYERS, called_modules, stored_layers
from training.samples import Samples, to_input

ZERO = 116  # what is beyond the edges of the picture, whose bytes go into the first convolution as they are
FLOAT32 = ("/high/", "/down/", "/mix/", "/maps/")  # convolutions that stay as they are, by how their names begin
FACE = 0.6  # what the float32 model must believe for a picture to count as a face's
EQUAL = 0.6  # how far the channels' ranges are made equal: 0 not at all, 1 wholly
LEAST_RANGE, MOST_SCALE = 1 / 64, 16.0  # of a channel, as shares of the widest one; how much one is scaled at the most
SYNTHETIC = 0.2  # share of drawn heads in what is looked at
BLOCK = 4  # pixels of a row that the first convolution takes as one: then it reads whole words of bytes


def int8_path(name: str) -> Path:
    """Where a landmark model's int8 file lies in the repository."""
    return model_path(name).with_name(model_path(name).name.replace("_opt", "_int8"))


def folded(name: str) -> LandmarkNetwork:
    """Model `name` with the weights of its float32 file, in which normalisations are part of the convolutions."""
    config = LANDMARK_MODELS[name]
    network = LandmarkNetwork(config)
    for parent in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for key, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, key, nn.Identity())
            elif isinstance(child, nn.Conv2d) and child.bias is None:
                child.bias = nn.Parameter(torch.zeros(child.out_channels))
    network.eval()
    called = called_modules(network, torch.zeros(1, 3, config.side, config.side))
    layers = [module for module in called if isinstance(module, LAYERS)]
    with torch.no_grad():
        for layer, (weight, bias) in zip(layers, stored_layers(model_path(name)), strict=True):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
    return network


# --- equal channels ---------------------------------------------------------------------------------------------


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    """The convolutions in a part of a network, in order."""
    return [part for part in module.modules() if isinstance(part, nn.Conv2d)]


def joints(network: LandmarkNetwork) -> list[tuple[list[nn.Conv2d], list[nn.Module]]]:
    """Layers that make some channels, and the layers that take them, wherever only ReLUs and sums lie between."""
    low, middle, high = ([block for block in stage if isinstance(block, Block)]
                         for stage in (network.low, network.middle, network.high))  # fmt: skip
    chains = [convolutions(network.stem), *(convolutions(block.body) for block in (*low, *middle, *high))]
    inner = [([a], [b]) for chain in chains for a, b in zip(chain, chain[1:], strict=False)]
    first = {id(block): convolutions(block.body)[0] for block in (*low, *middle, *high)}

    def streams(stage: list[Block]) -> tuple[list[nn.Conv2d], list[nn.Module]]:
        return [convolutions(block.body)[-1] for block in stage], [first[id(block)] for block in stage[1:]]

    (from_low, to_low), (from_middle, to_middle), (from_high, to_high) = map(streams, (low, middle, high))
    down, mix = convolutions(network.down)[0], convolutions(network.mix)[0]
    return [
        *inner,
        ([chains[0][-1]], [first[id(low[0])]]),
        (from_low, [*to_low, first[id(middle[0])]]),
        ([*from_middle, down], [*to_middle, first[id(high[0])], mix]),
        (from_high, [*to_high, down, network.confidence[0]]),
        ([mix], [network.maps]),
    ]


@torch.no_grad()
def equalise(network: LandmarkNetwork, images: Tensor) -> None:
    """Makes the channels' ranges more alike, without changing what the network answers: a channel is divided by what
    the next layers multiply it with. All channels of a tensor share one scale as bytes, and the narrow ones lose least
    that way (M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019).

    images: [n, 3, R, R] normalised.
    """
    groups = joints(network)
    widest: dict[int, Tensor] = {}

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        reach = inputs[0].abs().transpose(0, 1).flatten(1).amax(1)
        widest[id(module)] = torch.maximum(reach, widest.get(id(module), reach))

    takers = [taker for _, all_takers in groups for taker in all_takers if isinstance(taker, nn.Conv2d)]
    hooks = [taker.register_forward_pre_hook(look) for taker in takers]
    for part in images.split(32):
        network(part)
    for hook in hooks:
        hook.remove()
    for makers, all_takers in groups:
        reach = torch.stack([widest[id(taker)] for taker in all_takers if id(taker) in widest]).amax(0)
        reach = reach.clamp(min=float(reach.max()) * LEAST_RANGE)
        share = 1.0 if all_takers == [network.maps] else EQUAL  # the maps' weights are not rounded
        scale = ((reach / reach.log().mean().exp()) ** share).clamp(1 / MOST_SCALE, MOST_SCALE)
        for maker in makers:
            maker.weight /= scale.view(-1, 1, 1, 1)
            maker.bias /= scale
        for taker in all_takers:
            taker.weight *= scale.view(1, -1, *[1] * (taker.weight.ndim - 2))


@torch.no_grad()
def take_bytes(network: LandmarkNetwork) -> None:
    """Makes the first convolution take B, G, R bytes, less `ZERO`, in place of normalised R, G, B."""
    first = convolutions(network.stem)[0]
    scale, shift = torch.from_numpy(1 / (255 * STD)), torch.from_numpy((ZERO / 255 - MEAN) / STD)
    first.bias += (first.weight * shift.view(1, 3, 1, 1)).sum((1, 2, 3))
    first.weight.copy_((first.weight * scale.view(1, 3, 1, 1)).flip(1))


# --- the file ---------------------------------------------------------------------------------------------------


class Pictures:
    """Pictures, as onnxruntime's calibration asks for them; the first one is of black and white pixels.

    images: [n, R, R, 3] BGR uint8.
    """

    def __init__(self, images: np.ndarray) -> None:
        extremes = np.zeros_like(images[:1])
        extremes[:, ::2] = 255
        self._pictures = iter([*extremes, *images])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """One picture, or none."""
        picture = next(self._pictures, None)
        return None if picture is None else {"input": picture.transpose(2, 0, 1)[None].astype(np.float32) - ZERO}


def quantise(name: str, images: np.ndarray, path: Path) -> None:
    """Writes the int8 file of model `name`, calibrated on images [n, R, R, 3] BGR uint8: `input` uint8
    [batch, R, R, 3] BGR -> `output` as in the float32 file; also `cells`."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    CalibrationDataReader.register(Pictures)
    config = LANDMARK_MODELS[name]
    network = folded(name)
    equalise(network, to_input(torch.from_numpy(images)))
    take_bytes(network)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "float32.onnx"
        export.write(Exported(network, config), config, whole)
        nodes = onnx.load(whole).graph.node
        in_bytes = [node for node in nodes if node.op_type == "Conv" and not node.name.startswith(FLOAT32)]
        ends = {name for node in in_bytes for name in (node.input[0], node.output[0])}
        in_bytes += [node for node in nodes if node.op_type == "Relu" and ends & {node.input[0], node.output[0]}]
        quantize_static(
            whole, path, Pictures(images), quant_format=QuantFormat.QDQ, per_channel=True,
            op_types_to_quantize=["Conv", "Relu"], nodes_to_quantize=[node.name for node in in_bytes],
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
    model = onnx.load(path)
    read_pictures(model, config)
    onnx.save(model, path)
    centre(model, name, path, images)
    helper.set_model_props(model, {"made_from": made_from(model_path(name))})
    onnx.checker.check_model(model)
    onnx.save(model, path)


def centre(model: onnx.ModelProto, name: str, path: Path, images: np.ndarray) -> None:
    """Takes off what the points of the quantised file are off by on average, which rounded weights add to all alike."""
    difference, _, _ = compare(name, path, images)
    offset = difference.mean(0)
    [layer] = [node for node in model.graph.node if node.op_type == "Conv" and node.name.startswith("/maps/")]
    [bias] = [tensor for tensor in model.graph.initializer if tensor.name == layer.input[2]]
    values = numpy_helper.to_array(bias).copy()
    values[LANDMARK_MODELS[name].points :] -= offset.T.ravel()
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))


def compare(name: str, path: Path, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the faces among images [n, R, R, 3]: how far the int8 file's points are from the float32 file's, x and y in
    shares of the side [m, K, 2]; the distance of the outer eye corners [m]; how far their confidences are apart [m].

    Raises:
        ValueError: there is no face.
    """
    config = LANDMARK_MODELS[name]
    whole, ours = runner.session(model_path(name)), runner.session(path)
    takes_bytes = ours.get_inputs()[0].type == "tensor(uint8)"
    apart, eyes, surer = [], [], []
    for image in images:
        (wanted,) = whole.run(None, {"input": normalise(image[None])})
        (answer,) = ours.run(None, {"input": image[None] if takes_bytes else normalise(image[None])})
        (points, sure), (found, confidence) = (
            (maps[0][0] / config.side, float(maps[1][0].mean()))
            for maps in (decode(output, config.side, config.factor) for output in (wanted, answer))
        )
        if sure > FACE:
            apart.append(found - points)
            eyes.append(data.eye_distance(points))
            surer.append(confidence - sure)
    if not apart:
        raise ValueError("None of the pictures shows a face.")
    return np.stack(apart), np.array(eyes), np.array(surer)


def read_pictures(model: onnx.ModelProto, config: LandmarkConfig) -> None:
    """Has a quantised file take pictures as they lie in memory, [batch, R, R, 3] uint8, where it took [batch, 3, R, R].

    The first convolution gets blocks of pixels of a row for pixels, which in memory is the same: its channels are then
    whole words, with which onnxruntime computes in half the time. Where it makes several columns of a block, they come
    out as channels, which in memory is the same again.
    """
    graph, side = model.graph, config.side
    constants = {tensor.name: tensor for tensor in graph.initializer}

    def node(kind: str, **wanted: str) -> onnx.NodeProto:
        """The first node of a kind with that first input or output."""
        return next(node for node in graph.node if node.op_type == kind and wanted.items() <= {
            "input": node.input[0], "output": node.output[0]}.items())  # fmt: skip

    def change(name: str, values: np.ndarray) -> None:
        constants[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))

    def shape(*sizes: int) -> str:
        name = "shape_" + "_".join(map(str, sizes))
        graph.initializer.append(numpy_helper.from_array(np.array([0, *sizes], np.int64), name))
        return name

    quantiser = node("QuantizeLinear", input="input")
    scale, zero = (numpy_helper.to_array(constants[key]) for key in quantiser.input[1:])
    if (float(scale), int(zero)) != (1.0, ZERO):
        raise ValueError(f"The pictures' bytes became others: times {scale}, from {zero} on.")
    in_bytes = quantiser.output[0]
    graph.node.remove(quantiser)
    first = node("Conv", input=node("DequantizeLinear", input=in_bytes).output[0])
    stored = node("DequantizeLinear", output=first.input[1])
    weights = numpy_helper.to_array(constants[stored.input[0]])
    makes, _, kernel, _ = weights.shape
    stride = next(attribute.ints[0] for attribute in first.attribute if attribute.name == "strides")
    columns = BLOCK // stride  # that come of a block
    padding = (kernel - 1) // 2
    wide = np.zeros((columns, makes, 3, kernel, 2 * BLOCK), np.int8)  # over the block before and the block itself
    for column in range(columns):
        begin = BLOCK - padding + column * stride
        wide[column, ..., begin : begin + kernel] = weights
    wide = wide.reshape(columns * makes, 3, kernel, 2, BLOCK).transpose(0, 4, 1, 2, 3)
    change(stored.input[0], wide.reshape(columns * makes, 3 * BLOCK, kernel, 2))
    for key in (*stored.input[1:], *node("DequantizeLinear", output=first.input[2]).input):
        values = numpy_helper.to_array(constants[key])
        change(key, np.tile(values, columns))
    del first.attribute[:]
    first.attribute.extend(
        helper.make_node("Conv", [], [], kernel_shape=[kernel, 2], strides=[stride, 1], pads=[padding, 1, padding, 0])
        .attribute
    )  # fmt: skip
    before = [
        helper.make_node("Reshape", ["input", shape(side, side // BLOCK, 3 * BLOCK)], ["blocks"]),
        helper.make_node("Transpose", ["blocks"], [in_bytes], perm=[0, 3, 1, 2]),
    ]
    after = []
    if columns > 1:
        made = node("QuantizeLinear", input=first.output[0])
        name, made.output[0] = made.output[0], "columns_as_channels"
        after = [
            made,
            helper.make_node("Transpose", [made.output[0]], ["channels_last"], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", ["channels_last", shape(side // stride, side // stride, makes)], ["columns"]),
            helper.make_node("Transpose", ["columns"], [name], perm=[0, 3, 1, 2]),
        ]
    rest = [node for node in graph.node if node not in after[:1]]
    begin = 1 + rest.index(first)
    del graph.node[:]
    graph.node.extend([*before, *rest[:begin], *after, *rest[begin:]])
    graph.input[0].CopyFrom(helper.make_tensor_value_info("input", TensorProto.UINT8, ["batch", side, side, 3]))


def write_probe(path: Path, side: int = 14, channels: int = 64) -> None:
    """Writes the small network by which the tracker tells whether a processor is good at bytes: one convolution, whose
    weights are so large that two products do not fit into 16 bits."""
    weights = np.random.default_rng(0).integers(100, 128, (channels, channels, 3, 3)).astype(np.int8)
    scales = {"one": 1.0, "small": 9 * channels * 255 * 114 / 230}
    constants = [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in scales.items()]
    constants += [numpy_helper.from_array(np.array(0, kind), f"zero_{kind.__name__}") for kind in (np.uint8, np.int8)]
    nodes = [
        helper.make_node("Transpose", ["input"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("DequantizeLinear", ["planes", "one", "zero_uint8"], ["values"]),
        helper.make_node("DequantizeLinear", ["weights", "one", "zero_int8"], ["weight_values"]),
        helper.make_node("Conv", ["values", "weight_values"], ["sums"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("QuantizeLinear", ["sums", "small", "zero_uint8"], ["output"]),
    ]
    shapes = {"input": [1, side, side, channels], "output": [1, channels, side, side]}
    ends = [helper.make_tensor_value_info(name, TensorProto.UINT8, shape) for name, shape in shapes.items()]
    constants.append(numpy_helper.from_array(weights, "weights"))
    graph = helper.make_graph(nodes, "probe", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", export.OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def held_out_crops(side: int, count: int) -> np.ndarray:
    """Crops [n, R, R, 3] of held-out faces, as the tracker cuts them from a box that moves a little."""
    faces, rng = crops.load(), np.random.default_rng(0)
    images = []
    for i in rng.choice(np.flatnonzero(faces.held_out), count):
        box = grown_box(faces.points[i].astype(np.float64))
        box += rng.normal(0, 0.02, 4) * np.tile(box[2:] - box[:2], 2)
        images.append(augment.warp(faces.image(i), np.eye(2), box, side, cv2.BORDER_REPLICATE, (0, 0, 0))[0])
    return np.stack(images)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write the int8 files of landmark models.")
    parser.add_argument("names", nargs="+", choices=sorted(set(LANDMARK_MODELS) - {"T"}))
    parser.add_argument("--count", type=int, default=256, help="samples to calibrate with (default 256)")
    parser.add_argument("--folder", type=Path, help="where to (default: models/)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    logging.disable(logging.WARNING)  # onnxruntime's advice on a step that changes nothing here
    write_probe((arguments.folder or data.repository() / "models") / PROBE_FILE)
    for name in arguments.names:
        config = LANDMARK_MODELS[name]
        images, *_ = next(iter(Samples(config, arguments.count, seed=1, synthetic=SYNTHETIC)))
        path = arguments.folder / int8_path(name).name if arguments.folder else int8_path(name)
        quantise(name, images, path)
        apart, eyes, surer = compare(name, path, held_out_crops(config.side, arguments.count))
        distance = 100 * float(np.sqrt(((apart / eyes[:, None, None]) ** 2).sum(-1).mean()))
        print(f"{path}: points {distance:.3f} % of the eye distance from the float32 file's (root of the mean square), "
              f"confidence {surer.mean():+.4f} ± {surer.std():.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
