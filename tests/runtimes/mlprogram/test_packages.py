"""Damaged, unsafe and unsuitable packages; wrong inputs; each gives one clear sentence."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from affnet.errors import (
    AffnetError,
    ArtifactError,
    MissingError,
    UnsupportedOperatorError,
    UsageError,
)
from affnet.runtimes.mlprogram import load_program, unsupported_operators
from affnet.runtimes.mlprogram.protobuf import read_model

ct = pytest.importorskip("coremltools")
mb = pytest.importorskip("coremltools.converters.mil.mil").Builder

X = np.ones((1, 64), np.float32)
WEIGHT = np.arange(1024, dtype=np.float32).reshape(16, 64)


@pytest.fixture
def package(saved):
    return saved(lambda a: mb.linear(x=a, weight=WEIGHT, bias=np.ones(16, np.float32)), [X])


def data(package, name):
    return package / "Data" / "com.apple.CoreML" / name


def edit_manifest(package, change):
    path = package / "Manifest.json"
    manifest = json.loads(path.read_text())
    for item in manifest["itemInfoEntries"].values():
        change(manifest, item)
    path.write_text(json.dumps(manifest))


def edit_weights(package, offset, *values, form="<I"):
    path = data(package, "weights/weight.bin")
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, offset, *values)
    path.write_bytes(content)


def test_sound_package(package):
    program = load_program(package)
    assert program.deployment_target == "iOS17"
    assert program.specification_version == 8
    assert program.operator_counts() == {"linear": 1}
    assert unsupported_operators(program) == []
    assert [(f.name, f.kind, f.shape, f.dtype) for f in program.inputs] == [
        ("a", "tensor", (1, 64), "float32")
    ]
    assert program.outputs[0].shape == (1, 16)
    (result,) = program.predict({"a": X}).values()
    np.testing.assert_allclose(result[0], WEIGHT.sum(1) + 1)


BREAKS = {
    "a file": (lambda p: data(p, "model.mlmodel"), "is a file"),
    "nothing": (lambda p: p / "absent", "does not exist"),
    "no manifest": (lambda p: (p / "Manifest.json").unlink(), "no Manifest.json"),
    "no JSON": (lambda p: (p / "Manifest.json").write_text("{"), "cannot be read"),
    "other JSON": (lambda p: (p / "Manifest.json").write_text("[1]"), "which file is the model"),
    "odd path": (
        lambda p: edit_manifest(p, lambda _, item: item.update(path=3)),
        "as a string",
    ),
    "no root": (
        lambda p: edit_manifest(p, lambda m, _: m.update(rootModelIdentifier="x")),
        "which file is the model",
    ),
    "escape": (
        lambda p: edit_manifest(p, lambda _, item: item.update(path="../../elsewhere")),
        "points outside itself",
    ),
    "absolute": (
        lambda p: edit_manifest(p, lambda _, item: item.update(path="/etc/hostname")),
        "points outside itself",
    ),
    "no model": (lambda p: data(p, "model.mlmodel").unlink(), "lacks its model file"),
    "damaged model": (lambda p: data(p, "model.mlmodel").write_bytes(b"\xff" * 99), "is damaged"),
    "empty model": (lambda p: data(p, "model.mlmodel").write_bytes(b""), "not an ML program"),
    "no weights": (lambda p: data(p, "weights/weight.bin").unlink(), "lacks its weight file"),
    "empty weights": (
        lambda p: data(p, "weights/weight.bin").write_bytes(b""),
        "cannot be read",
    ),
    "short header": (
        lambda p: data(p, "weights/weight.bin").write_bytes(b"1234"),
        "is truncated",
    ),
    "truncated": (
        lambda p: os.truncate(data(p, "weights/weight.bin"), 2000),
        "point outside the weight file",
    ),
    "truncated more": (
        lambda p: os.truncate(data(p, "weights/weight.bin"), 100),
        "point outside the weight file",
    ),
    "version": (lambda p: edit_weights(p, 4, 1), "is of version 1"),
    "sentinel": (lambda p: edit_weights(p, 64, 0), "holds no weights at byte 64"),
    "type": (lambda p: edit_weights(p, 68, 1), "are float16, the model says float32"),
    "unknown type": (lambda p: edit_weights(p, 68, 99), "are unknown type 99"),
    "size": (lambda p: edit_weights(p, 72, 4092, form="<Q"), "4092 bytes, the model says 4096"),
    "offset": (lambda p: edit_weights(p, 80, 1 << 60, form="<Q"), "point outside the weight file"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_broken_package(package, name):
    damage, message = BREAKS[name]
    path = damage(package)
    with pytest.raises(ArtifactError, match=message) as caught:
        load_program(path if hasattr(path, "parts") else package)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["model.mlmodel", "weights/weight.bin"])
def test_symlink_out_of_the_package(package, tmp_path, name):
    outside = tmp_path / "outside"
    data(package, name).rename(outside)
    data(package, name).symlink_to(outside)
    with pytest.raises(ArtifactError, match="points outside itself"):
        load_program(package)


def test_neural_network_is_refused(package):
    from coremltools.proto import Model_pb2

    model = Model_pb2.Model(specificationVersion=4)
    model.neuralNetwork.SetInParent()
    data(package, "model.mlmodel").write_bytes(model.SerializeToString())
    with pytest.raises(ArtifactError, match="not an ML program but a model of the kind neuralNet"):
        load_program(package)


WRONG_INPUTS = {
    "unknown": ({"a": X, "b": X}, "no input 'b'; its inputs: a"),
    "missing": ({}, "input 'a' is missing"),
    "shape": ({"a": X[0]}, "takes shape 1 x 64, not 64"),
    "size": ({"a": X[:, :3]}, "takes shape 1 x 64, not 1 x 3"),
    "type": ({"a": X.astype(np.int32)}, "takes float32, not int32"),
}


@pytest.mark.parametrize("name", WRONG_INPUTS)
def test_wrong_input(package, name):
    inputs, message = WRONG_INPUTS[name]
    with pytest.raises(UsageError, match=message):
        load_program(package).predict(inputs)


def test_wrong_precision_and_function(package):
    with pytest.raises(UsageError, match="precision must be"):
        load_program(package).predict({"a": X}, precision="half")
    with pytest.raises(UsageError, match="no function 'other'; it has: main"):
        load_program(package, function="other")


def test_unknown_operator_is_named_and_placed(saved):
    def function(a):
        choice = mb.greater(x=mb.reduce_sum(x=a), y=0.0)
        return mb.cond(
            pred=choice, _true_fn=lambda: mb.add(x=a, y=1.0), _false_fn=lambda: mb.exp(x=a)
        )

    program = load_program(saved(function, [X]))
    assert unsupported_operators(program) == ["cond"]
    assert program.operator_counts()["exp"] == 1
    with pytest.raises(
        UnsupportedOperatorError, match=r"operator cond \(operator \d+ of"
    ) as caught:
        program.predict({"a": X})
    assert caught.value.exit_code == 1


def test_contradicting_program_is_an_error_not_a_wrong_number(package):
    path = data(package, "model.mlmodel")
    from coremltools.proto import Model_pb2

    model = Model_pb2.Model.FromString(path.read_bytes())
    block = model.mlProgram.functions["main"].block_specializations["CoreML7"]
    block.operations[-1].outputs[0].type.tensorType.dimensions[1].constant.size = 17
    path.write_bytes(model.SerializeToString())
    with pytest.raises(
        ArtifactError, match=r"linear .* has shape \[1, 16\], declared is \(1, 17\)"
    ):
        load_program(package).predict({"a": X})


def test_contradicting_input_is_an_error(package):
    from coremltools.proto import Model_pb2

    path = data(package, "model.mlmodel")
    model = Model_pb2.Model.FromString(path.read_bytes())
    model.description.input[0].type.multiArrayType.shape[1] = 65
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ArtifactError, match="disagree on the shape of the input 'a'"):
        load_program(package).predict({"a": np.ones((1, 65), np.float32)})
    model.description.input[0].name = "b"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ArtifactError, match="disagree on the input 'a'"):
        load_program(package)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), cut=st.booleans())
@example(place=0.25, value=10, cut=False)  # a line break in the name of a function
@example(place=0.4375, value=10, cut=False)  # and of a weight file
def test_any_damage_to_the_model_is_an_affnet_error_or_harmless(package, place, value, cut):
    path = data(package, "model.mlmodel")
    original = path.read_bytes()
    content = bytearray(original)
    content[int(place * len(content))] = value
    if cut:
        del content[int(place * len(content)) :]
    try:
        path.write_bytes(content)
        program = load_program(package)
        program.operator_counts()
        program.predict({feature.name: X for feature in program.inputs})
    except AffnetError as error:
        assert "\n" not in str(error)
    finally:
        path.write_bytes(original)


def test_reading_needs_coremltools(package, monkeypatch):
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(MissingError, match=r"pip install 'affnet\[coreml\]'"):
        load_program(package)


def test_reading_is_silent_and_imports_neither_coremltools_nor_torch(package):
    script = (
        "import sys; from affnet.runtimes.mlprogram import load_program;"
        f"program = load_program({str(package)!r}); program.operator_counts();"
        "assert not {'coremltools', 'torch'} & set(sys.modules), 'heavy import'"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_messages_are_one_class_beside_those_of_coremltools(package, monkeypatch):
    from coremltools.proto import Model_pb2

    for name in [name for name in sys.modules if name.startswith("coremltools.proto.")]:
        monkeypatch.delitem(sys.modules, name)
    model = read_model(data(package, "model.mlmodel"))
    assert isinstance(model, Model_pb2.Model)


@pytest.mark.slow
def test_coremltools_can_be_imported_afterwards(package):
    """Of coremltools its messages, whose descriptors exist once in a process, are enough."""
    script = (
        "import importlib.util, sys, warnings; warnings.simplefilter('ignore');"
        "package = importlib.util.module_from_spec(importlib.util.find_spec('coremltools'));"
        "sys.modules['coremltools'] = package;"
        f"from affnet.runtimes.mlprogram import load_program; load_program({str(package)!r});"
        "from coremltools.proto import Model_pb2; Model_pb2.Model();"
        f"load_program({str(package)!r})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
