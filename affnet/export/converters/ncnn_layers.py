"""What pnnx leaves open in ncnn's ``.param`` files, written down: sizes, and where a batch is.

A line is a layer: type, name, numbers of inputs and outputs, their names, and its parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from affnet.errors import ArtifactError
from affnet.runtimes.ncnn import MAGIC, NcnnSession, layers_of

Sizes = Sequence[int]  # of a value's axes, the slowest first
Layer = list[str]

_KEYS = {1: ("0",), 2: ("1", "0"), 3: ("2", "1", "0"), 4: ("2", "11", "1", "0")}
_EXPRESSION = "6="  # begins the parameter of a reshape by other values' sizes
_NO_BATCH = "233"
_BATCH = re.compile(r'input\("(\w+)".*batch_index=(\d+)|(\w+)\.numpy\(batch_index=(\d+)\)')


def values_with_batch(script: str) -> frozenset[str]:
    """Return the inputs and outputs in which ncnn keeps the batch axis, by pnnx's own script.

    It leaves out that of networks in which it knows the batch, by a convolution among others.
    """
    found = [match.groups() for match in _BATCH.finditer(script)]
    pairs = [(a or c, b or d) for a, b, c, d in found]
    return frozenset(name for name, index in pairs if index == _NO_BATCH)


def complete(path: Path, shape: Sizes, with_batch: frozenset[str]) -> None:
    """Write sizes into a file, in place, and let it take and give everything without its batch.

    A reshape whose sizes are computed at every run costs 30 times as much in packed layouts, ncnn's
    default: half of the time of AFFNet-ET.  A file that does not run stays as it is.
    """
    layers = layers_of(path)
    outputs = _outputs(layers)
    computed = [layer for layer in layers if _is_computed(layer)]
    array = np.zeros(shape if "in0" in with_batch else shape[1:], np.float32)
    asked = [_out(layer) for layer in computed] + outputs
    try:
        sizes = NcnnSession(path, threads=1).sizes(array, asked)
    except ArtifactError:  # the reason is told by whoever loads the file
        return
    for layer in computed:
        _fix(layer, layers, sizes[_out(layer)])
    if "in0" in with_batch:
        _add_batch(layers, shape)
    if any(name in with_batch for name in outputs):
        _drop_batch(layers, outputs, with_batch, sizes)
    for layer in layers:
        if layer[0] == "Input" and len(layer) == 5:
            layer += _parameters(shape[1:])
    path.write_text(_text(layers))


def _text(layers: Sequence[Layer]) -> str:
    values = sum(int(layer[3]) for layer in layers)
    lines = [MAGIC, f"{len(layers)} {values}", *map(" ".join, layers)]
    return "\n".join(lines) + "\n"


def _parameters(sizes: Sizes) -> list[str]:
    return [f"{key}={size}" for key, size in zip(_KEYS[len(sizes)], sizes, strict=True)][::-1]


def _inputs(layer: Layer) -> list[str]:
    return layer[4 : 4 + int(layer[2])]


def _results(layer: Layer) -> list[str]:
    start = 4 + int(layer[2])
    return layer[start : start + int(layer[3])]


def _out(layer: Layer) -> str:
    (name,) = _results(layer)
    return name


def _outputs(layers: Sequence[Layer]) -> list[str]:
    taken = {name for layer in layers for name in _inputs(layer)}
    return [name for layer in layers for name in _results(layer) if name not in taken]


def _is_computed(layer: Layer) -> bool:
    return layer[0] == "Reshape" and any(field.startswith(_EXPRESSION) for field in layer[4:])


def _fix(layer: Layer, layers: Sequence[Layer], sizes: Sizes) -> None:
    """Write the sizes into a reshape, and take back the copies of values that it measured."""
    taken, *measured = _inputs(layer)
    splits = {name: one for one in layers if one[0] == "Split" for name in _results(one)}
    if any(name not in splits for name in measured):  # it would become an output
        return
    for name in measured:
        split = splits[name]
        del split[split.index(name, 4 + int(split[2]))]
        split[3] = str(int(split[3]) - 1)
    layer[2:] = ["1", "1", taken, _out(layer), *_parameters(sizes)]


def _reshape(name: str, taken: str, given: str, sizes: Sizes) -> Layer:
    return ["Reshape", name, "1", "1", taken, given, *_parameters(sizes)]


def _add_batch(layers: list[Layer], shape: Sizes) -> None:
    """Give the input its batch axis inside."""
    for layer in layers:
        count = 4 + int(layer[2])
        layer[4:count] = ["in0_batch" if name == "in0" else name for name in layer[4:count]]
    place = next(i for i, layer in enumerate(layers) if layer[0] == "Input") + 1
    layers.insert(place, _reshape("batch_in0", "in0", "in0_batch", shape))


def _drop_batch(
    layers: list[Layer], outputs: Sequence[str], kept: frozenset[str], sizes: Mapping[str, Sizes]
) -> None:
    """Take the batch axis from outputs; all are made last, in their order."""
    for layer in layers:
        start = 4 + int(layer[2])
        end = start + int(layer[3])
        layer[start:end] = [f"{n}_batch" if n in outputs else n for n in layer[start:end]]
    for name in outputs:
        bare = sizes[name][1:] if name in kept and len(sizes[name]) > 1 else sizes[name]
        layers.append(_reshape(f"batch_{name}", f"{name}_batch", name, bare))
