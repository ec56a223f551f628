"""PyTorch's ONNX files in the runtimes that read them: ONNX Runtime, its page, and tract."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fft_support.columns import Column, Steps, installed, run
from benchmarks.fft_support.columns.kept import torch_onnx

OPSETS = (18, 20)  # the DFT of 17 is that of 18
_TIMEOUT_S = 120
_PROGRAM = """
const ort = require(process.argv[1]), fs = require("fs"), [model, shape] = process.argv.slice(2)
ort.env.wasm.numThreads = 1
async function main() {
  const dims = JSON.parse(shape), bytes = fs.readFileSync(model + ".in")
  const data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  const options = {executionProviders: ["wasm"], logSeverityLevel: 4}
  const session = await ort.InferenceSession.create(model, options)
  console.log("LOADED")
  const given = {[session.inputNames[0]]: new ort.Tensor("float32", data, dims)}
  const output = (await session.run(given))[session.outputNames[0]]
  fs.writeFileSync(model + ".out", Buffer.from(output.data.buffer, output.data.byteOffset,
                                              output.data.byteLength))
  console.log(JSON.stringify(output.dims))
}
main().catch(error => { console.error(String(error.message ?? error)); process.exit(1) })
"""


def _in_python(runtime: str, opset: int) -> Callable[..., Steps]:
    def steps(network: Any, x: Any, folder: Path) -> Steps:
        yield "torch.onnx"
        path = torch_onnx(network, x, folder, opset)
        return (yield from run(runtime, path, x))

    return steps


def _in_page(opset: int) -> Callable[..., Steps]:
    """In WebAssembly, as a page runs it, by Node."""

    def steps(network: Any, x: Any, folder: Path) -> Steps:
        from affnet.devices.browser.npm_packages import installed_folder

        yield "torch.onnx"
        path = torch_onnx(network, x, folder, opset)
        Path(f"{path}.in").write_bytes(x.numpy().tobytes())
        yield "load"
        package, node = installed_folder() / "onnxruntime-web", shutil.which("node")
        assert node is not None  # `_page_versions` sees to it
        done = subprocess.run(
            [node, "-e", _PROGRAM, str(package), str(path), json.dumps(list(x.shape))],
            capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
        )  # fmt: skip
        if "LOADED" in done.stdout:
            yield "run"
        if done.returncode != 0:
            raise RuntimeError((done.stderr.strip().splitlines() or ["it says nothing"])[-1])
        shape = json.loads(done.stdout.splitlines()[-1])
        return np.frombuffer(Path(f"{path}.out").read_bytes(), np.float32).reshape(shape)

    return steps


def _page_versions() -> dict[str, str]:
    from affnet.devices.browser.npm_packages import PACKAGES, Installer, versions

    if shutil.which("node") is None or shutil.which("npm") is None:
        raise LookupError("node or npm is not installed")
    Installer().install()
    return {
        PACKAGES["onnxruntime"]: versions()["onnxruntime"],
        **installed("onnxscript")(),
    }


COLUMNS = {
    **{
        f"torch.onnx opset {opset}, onnxruntime": Column(
            _in_python("onnxruntime", opset), installed("onnxscript", "onnxruntime")
        )
        for opset in OPSETS
    },
    **{
        f"torch.onnx opset {opset}, onnxruntime-web (wasm)": Column(_in_page(opset), _page_versions)
        for opset in OPSETS
    },
    **{
        f"torch.onnx opset {opset}, tract": Column(
            _in_python("tract", opset), installed("onnxscript", "tract")
        )
        for opset in OPSETS
    },
}
