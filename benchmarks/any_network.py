"""Time the files of networks full of transforms against eager PyTorch.

    python benchmarks/any_network.py --keep after
    python benchmarks/any_network.py "STFT 4096" --beside before

Each network is exported, which also proves its file, and then file and eager PyTorch run in turns
in one process, on one thread.  What is counted is the CPU time of the process, which other work on
the machine disturbs less; a ratio is the median over turns, with its interval of 95 % from order
statistics.  ``--beside`` also times the files that another version of affnet left with ``--keep``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from fourier_networks import NETWORKS

from affnet.errors import AffnetError
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.source import load_source


def export(name: str, folder: Path) -> Path:
    """Return the ONNX file of a network of `NETWORKS`."""
    build, shape, _ = NETWORKS[name]
    torch.manual_seed(0)
    program = torch.export.export(build().eval(), (torch.randn(shape),))
    torch.export.save(program, folder / "network.pt2")
    source = load_source(str(folder / "network.pt2"))
    return export_artifact(source, ExportOptions("onnx"), folder).path


def session_run(path: Path, x: np.ndarray) -> Callable[[], object]:
    """Return a call of the file on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x}
    return lambda: session.run(None, feed)


def in_turns(calls: list[Callable[[], object]], turns: int) -> np.ndarray:
    """Return the CPU milliseconds of each of ``calls`` (columns) in each turn (rows)."""
    for call in calls * 2:
        call()
    times = np.zeros((turns, len(calls)))
    for turn in range(turns):
        for index, call in enumerate(calls):
            begin = time.process_time()
            call()
            times[turn, index] = 1e3 * (time.process_time() - begin)
    return times


def described(ratios: np.ndarray) -> str:
    """Return the median and the order statistics between which it lies with 95 %."""
    ordered, count = np.sort(ratios), len(ratios)
    reach = 0.98 * np.sqrt(count)  # 1.96 standard deviations of the heads of a fair coin
    low = ordered[max(0, int(count / 2 - reach))]
    high = ordered[min(count - 1, int(np.ceil(count / 2 + reach)) - 1)]
    return f"{np.median(ratios):.2f} [{low:.2f}, {high:.2f}]"


def row(name: str, arguments: argparse.Namespace, folder: Path) -> str:
    """Export and time one network."""
    build, shape, goal = NETWORKS[name]
    path = export(name, folder)
    kept = name.replace(" ", "_") + ".onnx"
    if arguments.keep:
        arguments.keep.mkdir(exist_ok=True)
        shutil.copy(path, arguments.keep / kept)
    torch.manual_seed(0)
    network, x = build().eval(), torch.randn(shape)
    weights = sum(t.numel() * t.element_size() for t in network.state_dict().values()) / 1e6
    before = arguments.beside and arguments.beside / kept
    files = [path, before] if before and before.exists() else [path]
    calls = [lambda: network(x), *(session_run(file, x.numpy()) for file in files)]
    with torch.no_grad():
        times = in_turns(calls, arguments.turns)
    eager, new = np.median(times[:, :2], axis=0)
    cells = [name, f"{eager:.2f}", f"{new:.2f}", described(times[:, 1] / times[:, 0]), f"{goal}"]
    cells += [described(times[:, 2] / times[:, 0]) if len(files) > 1 else "-"]
    sizes = " / ".join(f"{file.stat().st_size / 1e6:.1f}" for file in files[::-1])
    return f"| {' | '.join([*cells, sizes, f'{weights:.1f}'])} |"


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", default=list(NETWORKS), help="of networks")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--keep", type=Path, help="folder to leave the files in")
    parser.add_argument("--beside", type=Path, help="folder of files to time beside these")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| network | eager ms | file ms | file / eager [95 %] | goal | before | MB | weights |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in arguments.names:
        with tempfile.TemporaryDirectory() as folder:
            try:
                print(row(name, arguments, Path(folder)), flush=True)
            except AffnetError as error:
                print(f"| {name} | failed: {error} |", flush=True)
                print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
