"""An arm64 system whose QEMU runs this machine's own Python, and a file that tells them apart."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, save

from affnet.artifact import Artifact
from affnet.devices.emulated import root
from affnet.runtimes.foreign import open_file

SCALE = 300.0  # of 1: its square is beyond float16's 65,504
#: ``-L SYSTEM -cpu MODEL PYTHON`` come before what Python is to do.
RUNS = f'[ "$1" = --version ] || shift 5; exec {sys.executable} -P "$@"'


def put_stub_root(script: str = RUNS) -> Path:
    """Put a system with a shell script in QEMU's place into the cache; return its folder."""
    folder = root.root_folder()
    fill(folder, script)
    return folder


def fill(folder: Path, script: str = RUNS) -> None:
    """Make the files of a system, and seal it."""
    (folder / "sys/usr/bin").mkdir(parents=True)
    (folder / "site").mkdir()
    qemu = folder / "qemu-aarch64"
    qemu.write_text(f"#!/bin/sh\n{script}\n")
    qemu.chmod(0o755)
    root._seal(folder, "10.0.13", root.wanted_versions(), 1.0)


def square_file(tmp_path: Path) -> Artifact:
    """Write a file of float16 that multiplies by `SCALE`, squares, and divides again."""
    half, single = TensorProto.FLOAT16, TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", ["image"], ["half"], to=half),
        helper.make_node("Mul", ["half", "scale"], ["large"]),
        helper.make_node("Mul", ["large", "large"], ["square"]),
        helper.make_node("Div", ["square", "scale"], ["small"]),
        helper.make_node("Cast", ["small"], ["result"], to=single),
    ]
    scale = helper.make_tensor("scale", half, [], [SCALE])
    taken = helper.make_tensor_value_info("image", single, [1, 3, 8, 8])
    given = helper.make_tensor_value_info("result", single, [1, 3, 8, 8])
    graph = helper.make_graph(nodes, "square", [taken], [given], [scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model)
    save(model, tmp_path / "square.onnx")
    return open_file(tmp_path / "square.onnx")


def image(largest: float) -> np.ndarray:
    return np.linspace(0, largest, 192, dtype=np.float32).reshape(1, 3, 8, 8)
