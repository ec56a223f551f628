"""What converters and runtimes make of Fourier transforms: ``docs/fft-support.md``.

    python -m benchmarks.fft_support [--columns NAME ...]

Each row is a small network, each column a converter with its runtime, as installed here; affnet's
rewrite is in the last columns only, which export the same networks with affnet.  Every cell was
run: its network was converted, loaded and run on random numbers, and compared with PyTorch in
float64.  A column runs in a process of its own, so that one which crashes costs one cell.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "fft-support.md"
WRONG = 1e-3  # of the largest output: float32 loses less in any of these
TIMEOUT_S = 900
Steps = Generator[str, None, NDArray[Any]]


def rows() -> dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]]:
    """Return each row's function, of a real tensor of the shape beside it to a real one."""
    import torch
    from torch import fft

    real = torch.view_as_real
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(6, 8, 5, dtype=torch.complex64, generator=generator)
    window = torch.hann_window(16)

    def filtered(x: Any) -> Any:
        return fft.irfft2(fft.rfft2(x, norm="ortho") * weight, s=(8, 8), norm="ortho")

    def stft(x: Any) -> Any:
        return torch.stft(x, 16, 8, window=window, return_complex=True)

    image, signal = (1, 6, 8, 8), (2, 16)
    return {
        "rfft": (lambda x: real(fft.rfft(x)), signal),
        "rfft, norm='ortho'": (lambda x: real(fft.rfft(x, norm="ortho")), signal),
        "rfft, length 14": (lambda x: real(fft.rfft(x)), (2, 14)),
        "rfft, length 7": (lambda x: real(fft.rfft(x)), (2, 7)),
        "rfft over axis 1 of 3": (lambda x: real(fft.rfft(x, dim=1)), (2, 6, 6)),
        "rfft, n= pads": (lambda x: real(fft.rfft(x, n=24)), signal),
        "rfft, n= cuts": (lambda x: real(fft.rfft(x, n=10)), signal),
        "abs(rfft)": (lambda x: fft.rfft(x).abs(), signal),
        "irfft(rfft)": (lambda x: fft.irfft(fft.rfft(x) * 2.0, n=x.shape[-1]), signal),
        "irfft, n= pads the spectrum": (lambda x: fft.irfft(fft.rfft(x), n=24), signal),
        "rfft2": (lambda x: real(fft.rfft2(x)), image),
        "rfft2, 14 x 14": (lambda x: real(fft.rfft2(x)), (1, 4, 14, 14)),
        "irfft2(rfft2), 7 x 7": (lambda x: fft.irfft2(fft.rfft2(x), s=(7, 7)), (1, 4, 7, 7)),
        "rfft2 x complex parameter, irfft2": (filtered, image),
        "fft of a real signal": (lambda x: real(fft.fft(x)), signal),
        "ifft(fft), c2c": (lambda x: real(fft.ifft(fft.fft(x))), (2, 12)),
        "fft of torch.complex": (lambda x: real(fft.fft(torch.complex(x, x * 0.5))), (2, 12)),
        "slice of a spectrum": (lambda x: real(fft.rfft(x)[..., :4]), signal),
        "slice of torch.complex": (lambda x: real(torch.complex(x, x * x)[..., :4]), signal),
        "cat of torch.complex": (
            lambda x: real(torch.cat([torch.complex(x, x * x), torch.complex(x * x, x)])),
            signal,
        ),
        "product of torch.complex": (
            lambda x: real(torch.complex(x, x * x) * torch.complex(x * x, x)),
            signal,
        ),
        "stft": (lambda x: real(stft(x)), (1, 64)),
        "istft(stft)": (lambda x: torch.istft(stft(x), 16, 8, window=window), (1, 64)),
    }


def network_of(function: Callable[[Any], Any]) -> Any:
    """Return a module that computes ``function``."""
    from torch import nn

    class Network(nn.Module):
        def forward(self, x: Any) -> Any:
            return function(x)

    return Network().eval()


class Kept:
    """Where ONNX files are kept for the columns that read them, and of which row they are."""

    folder: Path
    row: str = ""

    @classmethod
    def file(cls, kind: str, folder: Path, make: Callable[[], bytes]) -> Path:
        """Copy what ``make`` returned for this row, in whichever column, or raise as it did."""
        name = hashlib.sha256(f"{cls.row}-{kind}".encode()).hexdigest()
        path, failed = cls.folder / f"{name}.onnx", cls.folder / f"{name}.error"
        if not path.exists() and not failed.exists():
            try:
                path.write_bytes(make())
            except Exception as error:  # of every kind
                from affnet.errors import reason_of

                failed.write_text(reason_of(error))
        if failed.exists():
            raise RuntimeError(failed.read_text())
        return Path(shutil.copy(path, folder / "net.onnx"))


def torch_onnx(network: Any, x: Any, folder: Path, opset: int) -> Path:
    """Export with PyTorch's own exporter."""
    import torch

    def export() -> bytes:
        program = torch.onnx.export(network, (x,), dynamo=True, opset_version=opset, verbose=False)
        content: bytes = program.model_proto.SerializeToString()
        return content

    return Kept.file(f"torch {opset}", folder, export)


def affnet_onnx(network: Any, x: Any, folder: Path) -> Path:
    """Export with affnet."""
    import torch

    from affnet.export.options import ExportOptions
    from affnet.export.pipeline import export_artifact
    from affnet.model.source import load_source

    def export() -> bytes:
        torch.export.save(torch.export.export(network, (x,)), folder / "net.pt2")
        options = ExportOptions(format="onnx", verify=False)
        source = load_source(str(folder / "net.pt2"))
        return export_artifact(source, options, folder / "out").path.read_bytes()

    return Kept.file("affnet", folder, export)


def onnx_in(runtime: str, opset: int) -> Callable[..., Steps]:
    """Return the column of PyTorch's ONNX file in a runtime that reads ONNX, or made for it."""

    def steps(network: Any, x: Any, folder: Path) -> Steps:
        from affnet.runtimes import get_runtime

        yield "torch.onnx"
        path = torch_onnx(network, x, folder, opset)
        yield "conversion"
        if runtime in ("openvino", "mnn", "ncnn"):
            path = translated(runtime, path, x, folder)
        yield "load"
        session = get_runtime(runtime).load(path, threads=1)
        yield "run"
        return session.run(x.numpy())[0]

    return steps


def translated(format_: str, path: Path, x: Any, folder: Path) -> Path:
    """Have the format's own tool convert an ONNX file; affnet only starts it."""
    import onnx

    from affnet.artifact import TensorSpec
    from affnet.export.converters import ConversionRequest, get_converter

    (output,) = (value.name for value in onnx.load(path).graph.output)
    taken, given = (TensorSpec(name, tuple(x.shape), "float32") for name in ("x", output))
    request = ConversionRequest("net", (taken,), (given,), "fp32", "", native_fft=False)
    return get_converter(format_)().translate(path, request, folder).path  # type: ignore[attr-defined]


def openvino_from_torch(network: Any, x: Any, folder: Path) -> Steps:
    """OpenVINO's own reader of PyTorch modules."""
    import openvino

    from affnet.runtimes import get_runtime

    yield "conversion"
    model = openvino.convert_model(network, example_input=x, input=list(x.shape))
    path = folder / "net.xml"
    openvino.save_model(model, path, compress_to_fp16=False)
    yield "load"
    session = get_runtime("openvino").load(path, threads=1)
    yield "run"
    return session.run(x.numpy())[0]


def ncnn_from_torch(network: Any, x: Any, folder: Path) -> Steps:
    """A TorchScript trace, by pnnx."""
    import torch

    from affnet.export.converters.ncnn import _program
    from affnet.runtimes import get_runtime

    yield "conversion"
    torch.jit.trace(network, x).save(str(folder / "net.pt"))
    shape = ",".join(map(str, x.shape))
    command = [_program(), "net.pt", f"inputshape=[{shape}]f32", "fp16=0"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    yield "load"
    session = get_runtime("ncnn").load(folder / "net.ncnn.param", threads=1)
    yield "run"
    return session.run(x.numpy())[0]


def coreml(network: Any, x: Any, folder: Path) -> Steps:
    """coremltools, run by affnet's evaluator where there is no Mac."""
    import coremltools
    import torch

    from affnet.runtimes import get_runtime

    yield "conversion"
    program = torch.export.export(network, (x,)).run_decompositions({})
    precision = coremltools.precision.FLOAT32
    model = coremltools.convert(program, compute_precision=precision, skip_model_load=True)
    path = folder / "net.mlpackage"
    model.save(str(path))
    yield "load"
    session = get_runtime("coreml").load(path, threads=1)
    yield "run"
    return session.run(x.numpy())[0]


def litert(network: Any, x: Any, folder: Path) -> Steps:
    """litert-torch and LiteRT."""
    import litert_torch

    from affnet.runtimes import get_runtime

    yield "conversion"
    path = folder / "net.tflite"
    litert_torch.convert(network, (x,)).export(str(path))
    yield "load"
    session = get_runtime("litert").load(path, threads=1)
    yield "run"
    return session.run(x.numpy())[0]


def executorch(network: Any, x: Any, folder: Path) -> Steps:
    """ExecuTorch's edge program, with the kernels of its Python package."""
    import torch
    from executorch.exir import EdgeCompileConfig, to_edge

    from affnet.runtimes import get_runtime

    yield "conversion"
    config = EdgeCompileConfig(_check_ir_validity=False)
    program = to_edge(torch.export.export(network, (x,)), compile_config=config).to_executorch()
    path = folder / "net.pte"
    path.write_bytes(program.buffer)
    yield "load"
    session = get_runtime("executorch").load(path, threads=1)
    yield "run"
    return session.run(x.numpy())[0]


def by_affnet(format_: str, runtime: str) -> Callable[..., Steps]:
    """Return the column of affnet's rewrite in a runtime."""

    def steps(network: Any, x: Any, folder: Path) -> Steps:
        from affnet.runtimes import get_runtime

        yield "export"
        path = affnet_onnx(network, x, folder)
        if format_ != "onnx":
            path = translated(format_, path, x, folder)
        yield "load"
        session = get_runtime(runtime).load(path, threads=1)
        yield "run"
        return session.run(x.numpy())[0]

    return steps


#: Of each column: its steps, and the packages whose versions it depends on.
COLUMNS: dict[str, tuple[Callable[..., Steps], tuple[str, ...]]] = {
    "ONNX opset 18, onnxruntime": (onnx_in("onnxruntime", 18), ("onnxscript", "onnxruntime")),
    "ONNX opset 20, onnxruntime": (onnx_in("onnxruntime", 20), ("onnxscript", "onnxruntime")),
    "ONNX opset 18, tract": (onnx_in("tract", 18), ("tract",)),
    "ONNX opset 20, tract": (onnx_in("tract", 20), ("tract",)),
    "ONNX opset 18, OpenVINO": (onnx_in("openvino", 18), ("openvino",)),
    "ONNX opset 20, OpenVINO": (onnx_in("openvino", 20), ("openvino",)),
    "OpenVINO from torch": (openvino_from_torch, ("openvino",)),
    "ONNX opset 18, MNN": (onnx_in("mnn", 18), ("MNN",)),
    "pnnx + ncnn": (ncnn_from_torch, ("pnnx", "ncnn")),
    "coremltools, evaluator": (coreml, ("coremltools",)),
    "litert-torch + LiteRT": (litert, ("litert-torch", "ai-edge-litert")),
    "ExecuTorch": (executorch, ("executorch",)),
    "affnet, onnxruntime": (by_affnet("onnx", "onnxruntime"), ("onnxruntime",)),
    "affnet, tract": (by_affnet("onnx", "tract"), ("tract",)),
    "affnet, OpenVINO": (by_affnet("openvino", "openvino"), ("openvino",)),
    "affnet, MNN": (by_affnet("mnn", "mnn"), ("MNN",)),
    "affnet, ncnn": (by_affnet("ncnn", "ncnn"), ("ncnn",)),
}


def cell(steps: Callable[..., Steps], function: Any, shape: tuple[int, ...]) -> dict[str, str]:
    """Convert, load and run; return a verdict and what was said."""
    import torch

    from affnet.errors import reason_of
    from affnet.silence import silenced

    generator = torch.Generator().manual_seed(1)
    x = torch.randn(shape, generator=generator)
    network, stage = network_of(function), ""
    expected = network(x.double()).numpy()
    with tempfile.TemporaryDirectory() as folder, silenced():
        running = steps(network, x, Path(folder).resolve())
        try:
            while True:
                stage = next(running)
        except StopIteration as end:
            found = np.array(end.value)
        except Exception as error:  # of every kind
            return {
                "verdict": f"refused, {stage}",
                "said": reason_of(error).replace(folder, "FOLDER"),
            }
    if found.shape != expected.shape:
        return {"verdict": f"WRONG, shape {found.shape} for {expected.shape}", "said": ""}
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    verdict = "right" if error <= WRONG else "WRONG"
    return {"verdict": f"{verdict}, {error:.0e}", "said": ""}


def run_column(name: str, first: int, kept: Path) -> None:
    """Print a line of JSON for each row from ``first`` on."""
    steps, _ = COLUMNS[name]
    Kept.folder = kept
    for Kept.row, (function, shape) in list(rows().items())[first:]:
        print(json.dumps(cell(steps, function, shape)), flush=True)


def column(name: str, count: int, kept: Path) -> list[dict[str, str]]:
    """Run a column, starting anew after a row that ends the process."""
    found: list[dict[str, str]] = []
    while len(found) < count:
        command = [sys.executable, "-m", "benchmarks.fft_support", "--column", name]
        done = subprocess.run(
            [*command, "--first", str(len(found)), "--kept", str(kept)],
            cwd=ROOT, capture_output=True, text=True, check=False,
            timeout=TIMEOUT_S,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        found += [json.loads(line) for line in lines]
        if len(found) < count:
            if not lines and done.returncode == 1:
                raise SystemExit(done.stderr)
            found.append({"verdict": f"the process ends, {done.returncode}", "said": ""})
    return found


def document(names: list[str], columns: dict[str, list[dict[str, str]]]) -> str:
    """Return the page."""
    from affnet.escaping import for_markdown

    notes: dict[str, int] = {}
    text = [
        "# FFT support",
        "",
        "Which converter and runtime computes which Fourier transform. Written by",
        "`python -m benchmarks.fft_support`: every cell was converted, loaded and run, on one",
        "thread of a CPU, and compared with PyTorch in float64.",
        "",
        "- *right*: the largest error relative to the largest output.",
        f"- *WRONG*: no message at all, and an error above {WRONG:.0e} or another shape.",
        "- *refused*: an error, where it came; the number is that of its message below.",
        "",
    ]
    if any(name.startswith("affnet") for name in columns):
        text += [
            "The columns `affnet` export the same networks with affnet, which writes the",
            "transforms as matrix products, but without its verification, which refuses what is",
            "wrong. Elsewhere affnet only starts the tools.",
        ]
    for group in (
        [name for name in columns if not name.startswith("affnet")],
        [name for name in columns if name.startswith("affnet")],
    ):
        for start in range(0, len(group), 4):
            shown = group[start : start + 4]
            text += ["", "| network | " + " | ".join(shown) + " |"]
            text += ["| --- |" + " --- |" * len(shown)]
            for index, name in enumerate(names):
                cells = [_cell(columns[one][index], notes) for one in shown]
                text.append(f"| `{name}` | " + " | ".join(map(for_markdown, cells)) + " |")
    versions = {
        package: metadata.version(package)
        for package in ("torch", *(p for name in columns for p in COLUMNS[name][1]))
    }
    text += ["", "Versions: " + ", ".join(f"{k} {v}" for k, v in sorted(versions.items())) + "."]
    text += ["", "## Messages", ""]
    text += [f"{number}. `{said.replace('`', chr(39))}`" for said, number in notes.items()]
    return "\n".join(text) + "\n"


def _cell(found: dict[str, str], notes: dict[str, int]) -> str:
    said = found["said"]
    if not said:
        return found["verdict"]
    return f"{found['verdict']} [{notes.setdefault(said, len(notes) + 1)}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", nargs="*", default=list(COLUMNS), choices=list(COLUMNS))
    parser.add_argument("--column", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--kept", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=DOCUMENT)
    given = parser.parse_args()
    if given.column:
        run_column(given.column, given.first, given.kept)
        return
    names = list(rows())
    columns = {}
    with tempfile.TemporaryDirectory() as kept:
        for name in given.columns:
            print(name, flush=True)
            columns[name] = column(name, len(names), Path(kept))
    given.output.write_text(document(names, columns), encoding="utf-8")


if __name__ == "__main__":
    main()
