"""Models whose outputs are constants, written byte by byte: for contracts and values that no trained model has.

An ONNX file is a protocol buffer; what is written here are the few fields of onnx.proto that such a model needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

FLOAT, DOUBLE = 1, 11
Shape = Sequence[int | str]


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _value_info(name: str, shape: Shape, kind: int) -> bytes:
    dimensions = b"".join(
        _bytes(1, _bytes(2, size) if isinstance(size, str) else _number(1, size)) for size in shape
    )
    tensor = _number(1, kind) + _bytes(2, dimensions)
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


def constant_model(
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, np.ndarray],
    operator: str = "Identity",
    kind: int = FLOAT,
) -> bytes:
    """A model that takes tensors and gives arrays that do not depend on them.

    Args:
        inputs: names and shapes; a name as a size leaves it open.
        outputs: names and values (float32, or float64 with `kind` DOUBLE).
        operator: what is between each constant and its output.
        kind: type of all tensors.
    """
    nodes = constants = declared = b""
    for name, value in outputs.items():
        nodes += _bytes(1, _bytes(1, f"{name}_value") + _bytes(2, name) + _bytes(3, name) + _bytes(4, operator))
        raw = np.asarray(value, "<f8" if kind == DOUBLE else "<f4")
        sizes = b"".join(_number(1, size) for size in raw.shape)
        constants += _bytes(5, sizes + _number(2, kind) + _bytes(8, f"{name}_value") + _bytes(9, raw.tobytes()))
        declared += _bytes(12, _value_info(name, raw.shape, kind))
    taken = b"".join(_bytes(11, _value_info(name, shape, kind)) for name, shape in inputs.items())
    graph = nodes + _bytes(2, "constant") + constants + taken + declared
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 13))


def external_model(location: str, key: bytes = b"\x0a\x08location") -> bytes:
    """A landmark model whose output is read from another file, with the key of its place encoded like this."""
    shape = (1, 198, 28, 28)
    node = _bytes(1, _bytes(1, "kept") + _bytes(2, "output") + _bytes(3, "n") + _bytes(4, "Identity"))
    sizes = b"".join(_number(1, size) for size in shape)
    elsewhere = _bytes(13, key + _bytes(2, location)) + _number(14, 1)
    constant = _bytes(5, sizes + _number(2, FLOAT) + _bytes(8, "kept") + elsewhere)
    taken = _bytes(11, _value_info("input", [1, 3, 224, 224], FLOAT))
    graph = node + _bytes(2, "external") + constant + taken + _bytes(12, _value_info("output", shape, FLOAT))
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 13))


def landmark_maps(points: np.ndarray, side: int, map_side: int, logit_factor: float = 16.0) -> np.ndarray:
    """Maps (1, 3k, G, G) from which points (k, 3) are read: row and column in the model's input, confidence."""
    cells = np.clip(np.rint(points[:, :2] * (map_side - 1) / (side - 1)), 0, map_side - 1).astype(int)
    offsets = points[:, :2] - cells * ((side - 1) / (map_side - 1))
    maps = np.zeros((3, len(points), map_side, map_side), np.float32)
    index = np.arange(len(points)), cells[:, 0], cells[:, 1]
    maps[0][index] = points[:, 2]
    for axis in (0, 1):
        maps[1 + axis][index] = 1 / (1 + np.exp(-offsets[:, axis] * logit_factor / (side - 1)))
    return maps.reshape(1, -1, map_side, map_side)


def landmark_model(maps: np.ndarray, side: int) -> bytes:
    return constant_model({"input": ["batch", 3, side, side]}, {"output": maps})


def detector(faces: Sequence[tuple[int, int, float, float]] = ()) -> bytes:
    """A face detector that finds faces given as row and column of the cell, score, radius."""
    maps = np.zeros((1, 2, 56, 56), np.float32)
    for row, column, score, radius in faces:
        maps[0, :, row, column] = score, radius
    return constant_model({"input": [1, 3, 224, 224]}, {"output": maps, "maxpool": maps})


def gaze_model(value: float = 0.0) -> bytes:
    """A pupil model that sees both pupils in the middle of the crop with confidence 0.9, or gives one value only."""
    maps = np.full((2, 3, 8, 8), value, np.float32)
    if not value:
        maps[:, 0, 4, 4], maps[:, 1:] = 0.9, 0.5
    return constant_model(
        {"input": [2, 3, 32, 32]}, {"output": maps, "blink": np.zeros((2, 2, 1, 1), np.float32)}
    )


def retinaface(scores: Mapping[int, float] | None = None, priors: int = 16800) -> bytes:
    """A RetinaFace with these scores at some priors, and no offsets."""
    values = np.zeros((1, priors, 2), np.float32)
    for prior, score in (scores or {}).items():
        values[0, prior, 1] = score
    outputs = {
        "boxes": np.zeros((1, priors, 4)),
        "scores": values,
        "landmarks": np.zeros((1, priors, 10)),
    }
    return constant_model({"input0": [1, 3, 640, 640]}, outputs)


def priors(count: int = 16800) -> str:
    """Priors as JSON: a grid over the image, each a tenth of it."""
    places = np.arange(count)
    table = np.column_stack(
        [places % 120 / 120, places // 120 / 140, np.full(count, 0.1), np.full(count, 0.1)]
    )
    return json.dumps(table.round(4).tolist())


def write(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """Put files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder
