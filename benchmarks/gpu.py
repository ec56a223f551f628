"""ONNX files on a GPU, by CUDA and TensorRT: agreement, placement and latency beside MobileViT.

    python -m benchmarks.gpu --folder gpu --export                   # anywhere
    pip install onnxruntime-gpu                                      # on the machine with the GPU
    python -m benchmarks.gpu --folder gpu

Needs neither torch nor an exporter where the GPU is: the folder brings the files, and for each the
input and what the CPU gave for it.  A provider that is not there, or that ONNX Runtime replaces
by another at load, is named and left out; with --providers cpu the script tries itself out.
Latency is of a whole run with its copies to the GPU and back, medians of rounds in turns with the
peer, one image at a time.  TF32 is off, as float32 is what was exported.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from affnet.runtimes.onnxruntime_profile import placed_operators, unit_of

PAIRS = {"affnet_et": "mobilevit_xxs", "affnet_t": "mobilevit_xs", "affnet": "mobilevit_s"}
PRECISIONS = ("fp32", "fp16")
PROVIDERS: dict[str, list[Any]] = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": [("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"],
    "tensorrt": [
        "TensorrtExecutionProvider",
        ("CUDAExecutionProvider", {"use_tf32": "0"}),
        "CPUExecutionProvider",
    ],
}
_WARM_UP, _ROUNDS, _RUNS = 20, 15, 20


def export(folder: Path, networks: list[str]) -> None:
    """Write the files, and beside each an input with the CPU's outputs."""
    from affnet.export.options import ExportOptions
    from affnet.export.pipeline import export_artifact
    from affnet.model.source import load_source

    for network in (*networks, *(PAIRS[name] for name in networks)):
        for precision in PRECISIONS:
            options = ExportOptions("onnx", precision=precision)
            made = export_artifact(load_source(network), options, folder / precision, print)
            shape = made.manifest.inputs[0].static_shape()
            image = np.random.default_rng(0).random(shape, np.float32)
            expected = opened(made.path, "cpu").run(None, {made.manifest.inputs[0].name: image})
            np.savez(made.path.with_suffix(".npz"), image=image, expected=expected[0])


def opened(path: Path, provider: str, profile: str | None = None) -> Any:
    """Return a session, or raise where ONNX Runtime computes elsewhere than it is asked to."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, profile
    wanted = PROVIDERS[provider]
    session = onnxruntime.InferenceSession(str(path), options, providers=wanted)
    name = wanted[0] if isinstance(wanted[0], str) else wanted[0][0]
    if (found := session.get_providers()[0]) != name:
        raise RuntimeError(f"{name} was asked for, and {found} computes")
    return session


def placed(path: Path, provider: str, feed: dict[str, Any]) -> str:
    """Return the share of operators on the provider's unit: ``100 % of 411``."""
    with tempfile.TemporaryDirectory() as folder:
        session = opened(path, provider, f"{folder}/profile")
        session.run(None, feed)
        trace = Path(session.end_profiling()).read_text("utf-8")
    units = [operator.unit for operator in placed_operators(trace)]
    there = units.count(unit_of(opened(path, provider).get_providers()[0]))
    return f"{100 * there / len(units):.0f} % of {len(units)}"


def medians(sessions: dict[str, Any], feeds: dict[str, dict[str, Any]]) -> dict[str, list[float]]:
    """Return each session's medians of rounds in turns, in ms."""
    found: dict[str, list[float]] = {name: [] for name in sessions}
    for name, session in sessions.items():
        for _ in range(_WARM_UP):
            session.run(None, feeds[name])
    for number in range(_ROUNDS):
        for name in list(sessions)[:: 1 if number % 2 else -1]:
            times = []
            for _ in range(_RUNS):
                started = time.perf_counter_ns()
                sessions[name].run(None, feeds[name])
                times.append(1e-6 * (time.perf_counter_ns() - started))
            found[name].append(statistics.median(times))
    return found


def rows(folder: Path, provider: str, precision: str, pair: tuple[str, str]) -> list[str]:
    """Return a line for a network and one for its peer, measured in turns."""
    paths = {name: folder / precision / f"{name}{_suffix(precision)}.onnx" for name in pair}
    kept = {name: np.load(path.with_suffix(".npz")) for name, path in paths.items()}
    sessions = {name: opened(path, provider) for name, path in paths.items()}
    feeds = {name: {sessions[name].get_inputs()[0].name: kept[name]["image"]} for name in pair}
    lines, times = [], medians(sessions, feeds)
    for name in pair:
        expected = kept[name]["expected"]
        (found,) = sessions[name].run(None, feeds[name])
        error = np.abs(found - expected).max() / np.abs(expected).max()
        ratios = [own / peer for own, peer in zip(times[name], times[pair[1]], strict=True)]
        spread = f"{statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]"
        where = placed(paths[name], provider, feeds[name])
        ms = f"{statistics.median(times[name]):.3f}"
        lines.append(
            f"| {' | '.join((name, precision, provider, f'{error:.1e}', where, ms, spread))} |"
        )
    return lines


def _suffix(precision: str) -> str:
    return "" if precision == PRECISIONS[0] else f"_{precision}"


def machine() -> str:
    """Return card, driver and versions."""
    import onnxruntime

    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        card = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        card = "no NVIDIA driver"
    return f"{card}; onnxruntime {onnxruntime.__version__}; {platform.platform()}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--export", action="store_true", help="write the files, and end")
    parser.add_argument("--providers", nargs="+", choices=PROVIDERS, default=["cuda", "tensorrt"])
    parser.add_argument("--networks", nargs="+", choices=PAIRS, default=list(PAIRS))
    given = parser.parse_args()
    if given.export:
        export(given.folder, given.networks)
        return
    print(
        f"{machine()}\n\n| network | precision | by | off the CPU | placed | ms | / peer, rounds |"
    )
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    failed = False
    for provider in given.providers:
        for precision in PRECISIONS:
            for network in given.networks:
                try:
                    lines = rows(given.folder, provider, precision, (network, PAIRS[network]))
                except Exception as error:  # ONNX Runtime's errors share no class
                    failed = True
                    print(f"{network}, {precision}, {provider}: {error}", file=sys.stderr)
                    continue
                print("\n".join(lines), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
