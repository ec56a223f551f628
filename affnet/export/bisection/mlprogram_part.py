"""Some operators of an ML program as a package of their own, with the weights that they read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from affnet.runtimes.mlprogram.package import Package, open_package
from affnet.runtimes.mlprogram.protobuf import read_model
from affnet.runtimes.mlprogram.types import TensorType, tensor_type
from affnet.runtimes.mlprogram.weights import WeightFile

#: What Core ML takes and gives, with their numbers in its ``ArrayFeatureType``.
VALUE_TYPES = {"float32": 65568, "float16": 65552, "int32": 131104}
_FIRST_OF_HALF = 7  # the specification whose arrays may be float16: iOS 16
_NAME = "main"


def write_part(
    source: Path, made: Collection[str], reads: Sequence[str], writes: Sequence[str], path: Path
) -> None:
    """Write a package of those operators of another, a sound one, that make the values ``made``.

    ``reads`` and ``writes`` name what it takes and gives.
    """
    package = open_package(source)
    model = read_model(package.model_file)
    function, features = _only_function(model)
    block = function.block_specializations[function.opset]
    known = {value.name: value.type for value in function.inputs}
    known |= {out.name: out.type for one in block.operations for out in one.outputs}
    kept = list(_needed(block.operations, made, reads))
    del block.operations[:]
    block.operations.extend(kept)
    block.outputs[:] = writes
    _declare(function, features, known, reads, writes)
    if any(_kind(known[name]).dtype == "float16" for name in (*reads, *writes)):
        model.specificationVersion = max(model.specificationVersion, _FIRST_OF_HALF)
    _save(package, model, block.operations, path)


def _save(original: Package, model: Any, operations: Any, path: Path) -> None:
    file = path / original.model_file.relative_to(original.root.resolve())
    file.parent.mkdir(parents=True)
    (path / "Manifest.json").write_bytes((original.root / "Manifest.json").read_bytes())
    (file.parent / "weights").mkdir()  # an item of the manifest, whether it holds any or not
    _move_weights(original, operations, file.parent)
    file.write_bytes(model.SerializeToString())


def _only_function(model: Any) -> tuple[Any, Any]:
    """Let a model have one function; return it, and the message that describes its features."""
    description, program = model.description, model.mlProgram
    name = description.defaultFunctionName or _NAME
    described = next((one for one in description.functions if one.name == name), description)
    features = type(description)(input=described.input, metadata=description.metadata)
    kept = type(program.functions[name])()
    kept.CopyFrom(program.functions[name])
    program.ClearField("functions")  # what `functions` was before is no part of the message now
    program.functions[_NAME].CopyFrom(kept)
    description.CopyFrom(features)
    return program.functions[_NAME], description


def _needed(operations: Any, made: Collection[str], reads: Sequence[str]) -> Iterator[Any]:
    """Yield, in their order, what makes the values and the constants that this reads."""
    wanted, outside = {*made}, {*reads}
    needed = []
    for operation in reversed(operations):
        names = {output.name for output in operation.outputs}
        if names.isdisjoint(wanted) or not names.isdisjoint(outside):
            continue
        needed.append(operation)
        wanted.update(_references(operation))
    yield from reversed(needed)


def _references(operation: Any) -> Iterator[str]:
    for argument in operation.inputs.values():
        for binding in argument.arguments:
            if binding.WhichOneof("binding") == "name":
                yield binding.name
    for block in operation.blocks:
        for inner in block.operations:
            yield from _references(inner)
        yield from block.outputs


def _declare(
    function: Any, features: Any, known: Any, reads: Sequence[str], writes: Sequence[str]
) -> None:
    """Say what a function takes and gives, in the program and in the model's description."""
    described = {}
    for feature in features.input:
        described[feature.name] = copy = type(feature)()
        copy.CopyFrom(feature)
    features.ClearField("input")
    function.ClearField("inputs")
    for name in reads:
        function.inputs.add(name=name, type=known[name])
        feature = features.input.add(name=name)
        if name in described:
            feature.CopyFrom(described[name])
            continue
        array, kind = feature.type.multiArrayType, _kind(known[name])
        array.dataType = VALUE_TYPES[kind.dtype]
        array.shape.extend(size or 0 for size in kind.shape or ())
    for name in writes:
        array = features.output.add(name=name).type.multiArrayType
        array.dataType = VALUE_TYPES[_kind(known[name]).dtype]


def _kind(message: Any) -> TensorType:
    kind = tensor_type(message)
    assert kind is not None  # `CoremlGraph.write` has looked
    return kind


def _move_weights(package: Package, operations: Any, folder: Path) -> None:
    """Write the weights that operators name, and let them name their new places."""
    messages: dict[str, list[Any]] = {}
    for operation in operations:
        for message in _stored(operation):
            messages.setdefault(message.fileName, []).append(message)
    for name, found in messages.items():
        content, places = WeightFile(package.beside_model(name)).only(
            {message.offset for message in found}
        )
        path = folder / package.beside_model(name).relative_to(package.model_file.parent)
        path.write_bytes(content)
        for message in found:
            message.offset = places[message.offset]


def _stored(operation: Any) -> Iterator[Any]:
    """Yield the values of an operator that stand in a weight file."""
    values = [*operation.attributes.values()]
    for argument in operation.inputs.values():
        values += [one.value for one in argument.arguments if one.WhichOneof("binding") == "value"]
    for value in values:
        if value.WhichOneof("value") == "blobFileValue":
            yield value.blobFileValue
    for block in operation.blocks:
        for inner in block.operations:
            yield from _stored(inner)
