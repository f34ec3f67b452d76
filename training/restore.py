"""Takes the weights of an exported model back into its network, so that training goes on from a file in models/.

An export folds every batch normalisation into the convolution before it. Here the convolution gets the folded weights,
and the normalisation the statistics of its inputs on some images and such a scale and shift that it passes them on
unchanged: the network answers as the file does, and can be trained as any other.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import onnx

LAYERS = (nn.Conv2d, nn.Linear)


def stored_layers(path: Path) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of the file's convolutions and fully connected layers, in the order in which they run."""
    import onnx

    graph = onnx.load(str(path)).graph
    known = _tensors(graph)
    nodes = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    return [(known[node.input[1]], known[node.input[2]]) for node in nodes]


def stored_tensors(path: Path, prefix: str) -> dict[str, Tensor]:
    """The file's tensors whose names begin with the prefix, by the rest of the name."""
    import onnx

    known = _tensors(onnx.load(str(path)).graph)
    return {name[len(prefix) :]: tensor for name, tensor in known.items() if name.startswith(prefix)}


def _tensors(graph: onnx.GraphProto) -> dict[str, Tensor]:
    from onnx import numpy_helper

    return {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}


def called_modules(network: nn.Module, images: Tensor) -> list[nn.Module]:
    """The layers and batch normalisations of a network, in the order in which they run."""
    called: list[nn.Module] = []
    watched = [module for module in network.modules() if isinstance(module, (*LAYERS, nn.BatchNorm2d))]
    hooks = [module.register_forward_hook(lambda module, *_: called.append(module)) for module in watched]
    network(images)
    for hook in hooks:
        hook.remove()
    return called


@torch.no_grad()
def restore(network: nn.Module, path: Path, images: Tensor) -> None:
    """Loads an exported file's weights into a network of the same kind.

    Args:
        network: of the configuration that the file was exported from.
        path: the ONNX file.
        images: [n, 3, R, R] normalised, for the statistics of the batch normalisations: some hundred training samples.

    Raises:
        ValueError: the file has other layers.
    """
    was_training = network.training
    network.eval()
    called = called_modules(network, images[:2])
    layers = [module for module in called if isinstance(module, LAYERS)]
    stored = stored_layers(path)
    if [tuple(layer.weight.shape) for layer in layers] != [tuple(weight.shape) for weight, _ in stored]:
        raise ValueError(f"{path} has other layers than the network.")
    waiting = iter(stored)
    hooks = []
    bias = torch.empty(0)
    for number, module in enumerate(called):
        if isinstance(module, LAYERS):
            weight, bias = next(waiting)
            module.weight.copy_(weight)
            if module.bias is not None:
                module.bias.copy_(bias)
        else:
            assert isinstance(called[number - 1], nn.Conv2d), "a normalisation without a convolution before it"
            hooks.append(module.register_forward_pre_hook(partial(_measure, bias=bias)))
    network(images)
    for hook in hooks:
        hook.remove()
    network.train(was_training)


def _measure(normalisation: nn.Module, inputs: tuple[Tensor, ...], bias: Tensor) -> None:
    """Sets a batch normalisation to its input's statistics, and so that it only adds the bias."""
    assert isinstance(normalisation, nn.BatchNorm2d)
    mean, variance = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3))
    normalisation.running_mean.copy_(mean)
    normalisation.running_var.copy_(variance)
    normalisation.weight.copy_(torch.sqrt(variance + normalisation.eps))
    normalisation.bias.copy_(bias + mean)
