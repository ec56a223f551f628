"""PyTorch's ONNX files in onnxruntime-web: by WebAssembly in Node, by WebGPU in a page of Chromium.

WebGPU needs no GPU: Chromium brings SwiftShader, which computes as one on the CPU.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.fft_support.columns import OPSETS, Column, Steps, installed
from benchmarks.fft_support.columns.kept import torch_onnx

if TYPE_CHECKING:
    from affnet.devices.browser.worker import MeasuringPage

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
_SUBJECT = "net.onnx"
_BROWSER = {
    "executable": None,  # Playwright's own, or the system's
    "flags": "--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader",
}


def _by_wasm(opset: int) -> Callable[..., Steps]:
    def steps(network: Any, x: Any, folder: Path) -> Steps:
        from affnet.devices.browser.npm_packages import installed_folder

        yield "torch.onnx"
        path = torch_onnx(network, x, folder, opset)
        Path(f"{path}.in").write_bytes(x.numpy().tobytes())
        yield "load"
        package, node = installed_folder() / "onnxruntime-web", shutil.which("node")
        assert node is not None  # `_wasm_versions` sees to it
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


def _by_webgpu(opset: int) -> Callable[..., Steps]:
    page = _Page()

    def steps(network: Any, x: Any, folder: Path) -> Steps:
        yield "torch.onnx"
        path = torch_onnx(network, x, folder, opset)
        yield "load or run"  # the page loads a model by its first run
        return page.compute(path, x.numpy())

    return steps


class _Page:
    """affnet's measuring page in a browser that stays open, until a row fails in it."""

    def __init__(self) -> None:
        self._files: dict[str, Path | bytes] = {}  # that are served
        self._opened: MeasuringPage | None = None

    def compute(self, path: Path, x: NDArray[np.float32]) -> NDArray[Any]:
        """Load a file, and return its output for ``x``."""
        return self._runner.run(self._compute(path, x))

    @functools.cached_property
    def _runner(self) -> asyncio.Runner:
        runner = asyncio.Runner()
        atexit.register(lambda: (runner.run(self._close()), runner.close()))
        return runner

    async def _compute(self, path: Path, x: NDArray[np.float32]) -> NDArray[Any]:
        from affnet.devices.worker.serve import decode
        from affnet.errors import MeasurementError

        self._files |= {"model": path, "input 0": x.tobytes()}
        taken = {"dtype": "float32", "shape": list(x.shape)}
        job = {"runtime": "onnxruntime", "threads": 1, "accelerator": "webgpu", "inputs": [taken]}
        page = self._opened or await self._open()
        try:
            await page.ask({"command": "load", **job})
            answer = await page.ask({"command": "outputs"})
        except MeasurementError as error:
            await self._close()
            said = str(error).removeprefix(f"The page that measures {_SUBJECT} failed: ")
            raise RuntimeError(said) from None  # the reason, and not the cause, is what is shown
        (output,) = answer["outputs"]
        return decode(output)

    async def _open(self) -> MeasuringPage:
        from affnet.devices.browser.npm_packages import installed_folder
        from affnet.devices.browser.page_server import serving
        from affnet.devices.browser.worker import open_page

        self._stack = AsyncExitStack()
        url = self._stack.enter_context(serving(self._files, installed_folder()))
        opening = open_page(_BROWSER, url, _SUBJECT)
        _, self._opened = await self._stack.enter_async_context(opening)
        return self._opened

    async def _close(self) -> None:
        if self._opened is not None:
            self._opened = None
            await self._stack.aclose()


def _packages() -> dict[str, str]:
    from affnet.devices.browser.npm_packages import PACKAGES, Installer, versions
    from affnet.errors import AffnetError

    try:
        Installer().install()
    except AffnetError as error:
        raise LookupError(str(error)) from error
    return {PACKAGES["onnxruntime"]: versions()["onnxruntime"], **installed("onnxscript")()}


def _wasm_versions() -> dict[str, str]:
    if shutil.which("node") is None:
        raise LookupError("node is not installed")
    return _packages()


def _webgpu_versions() -> dict[str, str]:
    return {**_packages(), **asyncio.run(_browser())}


async def _browser() -> dict[str, str]:
    """Return the browser's version, and the GPU that it offers."""
    from affnet.devices.browser.page_server import serving
    from affnet.devices.browser.worker import open_page
    from affnet.errors import AffnetError

    try:
        with serving({}, None) as url:
            async with open_page(_BROWSER, url, "nothing") as (browser, page):
                gpu = (await page.ask({"command": "look"}))["gpu"]
    except (AffnetError, ImportError) as error:
        raise LookupError(str(error)) from error
    if gpu is None:
        raise LookupError(f"Chromium {browser.version} offers no WebGPU here")
    return {"Chromium": browser.version, "GPU": gpu}


COLUMNS = {
    f"torch.onnx opset {opset}, onnxruntime-web ({unit})": Column(steps(opset), versions)
    for unit, steps, versions in (
        ("wasm", _by_wasm, _wasm_versions),
        ("WebGPU", _by_webgpu, _webgpu_versions),
    )
    for opset in OPSETS
}
