"""onnx2tf, from PyTorch's ONNX files, and LiteRT.

It needs Python 3.12 and packages of other versions than affnet, so it is a program of its own:
``python3.12 -m venv FOLDER``, ``FOLDER/bin/pip install onnx2tf``, and ``FOLDER/bin`` on ``PATH``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import onnx

from benchmarks.fft_support.columns import Column, Steps, installed, run
from benchmarks.fft_support.columns.kept import torch_onnx

_TIMEOUT_S = 900


def _steps(network: Any, x: Any, folder: Path) -> Steps:
    yield "torch.onnx"
    model = torch_onnx(network, x, folder, 18)
    (name,) = (value.name for value in onnx.load(model).graph.input)
    yield "conversion"
    # -kat: inputs of three or four axes keep their order
    command = [_program(), "-i", str(model), "-o", str(folder / "out"), "-kat", name, "-n"]
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"  # onnxsim, too, is its own
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=_TIMEOUT_S, env={**os.environ, "PATH": path},
    )  # fmt: skip
    made = folder / "out" / "net_float32.tflite"
    if done.returncode != 0 or not made.exists():
        lines = (done.stderr.strip() or done.stdout.strip() or "it says nothing").splitlines()
        raise RuntimeError(lines[-1])
    return (yield from run("litert", made, x))


def _program() -> str:
    found = shutil.which("onnx2tf")
    if found is None:
        raise LookupError("onnx2tf is not on PATH")
    return found


def _versions() -> dict[str, str]:
    python = Path(_program()).resolve().parent / "python"
    code = "from importlib.metadata import version; print(version('onnx2tf'))"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return {"onnx2tf": said.stdout.strip(), **installed("onnxscript", "ai-edge-litert")()}


COLUMNS = {"torch.onnx opset 18, onnx2tf, LiteRT": Column(_steps, _versions)}
