"""What OpenVINO makes of each precision hint on this processor: error and time.

    python -m benchmarks.openvino_precision emoji affnet_et

A network is exported to OpenVINO in float32, and compiled for the CPU with each of the hints that
the plugin takes.  A row says what the compiled model answers that it computes in, how far its
outputs are from those of the hint f32, and the CPU time of one thread, the median of runs in turns.
The last line is what bfloat16 costs the bundled network's held-out classes, by PyTorch's autocast.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HINTS = ("f32", "bf16", "f16")


def compiled(path: Path) -> dict[str, Any]:
    """Return the file compiled with each hint."""
    from affnet.runtimes.openvino import CONFIGURATION, library

    core = library().Core()
    settings = {**CONFIGURATION, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    return {
        hint: core.compile_model(path, "CPU", {**settings, "INFERENCE_PRECISION_HINT": hint})
        for hint in HINTS
    }


def print_rows(network: str, path: Path, runs: int) -> None:
    """Print a row for each hint."""
    models = compiled(path)
    requests = {hint: model.create_infer_request() for hint, model in models.items()}
    shape = list(models["f32"].input(0).shape)
    image = np.random.default_rng(0).random(shape, np.float32)
    outputs = {hint: request.infer([image])[0].copy() for hint, request in requests.items()}
    times: dict[str, list[float]] = {hint: [] for hint in HINTS}
    for run in range(runs):
        for hint in HINTS if run % 2 else reversed(HINTS):
            started = time.process_time()
            requests[hint].infer([image])
            times[hint].append(time.process_time() - started)
    base = statistics.median(times["f32"])
    for hint, model in models.items():
        answer = model.get_property("INFERENCE_PRECISION_HINT").to_string()
        error = np.abs(outputs[hint] - outputs["f32"]).max() / np.abs(outputs["f32"]).max()
        median = statistics.median(times[hint])
        cells = (network, hint, answer, f"{error:.1e}", f"{1e3 * median:.2f}")
        print(f"| {' | '.join(cells)} | {median / base:.2f} |", flush=True)


def autocast() -> str:
    """Compare the bundled network's held-out classes in bfloat16 and in float32."""
    import torch

    from affnet.evaluation.held_out import held_out_images
    from affnet.model.source import load_source

    source = load_source("emoji")
    images, labels = held_out_images("emoji", source.input.image_size())
    given = torch.from_numpy(images.astype(np.float32))
    with torch.no_grad():
        exact = source.model(given).argmax(1)
        with torch.autocast("cpu", torch.bfloat16):
            coarse = source.model(given).argmax(1)
    same = int((exact == coarse).sum())
    top1, top1_exact = (100 * float((found.numpy() == labels).mean()) for found in (coarse, exact))
    return (
        f"emoji in bfloat16 by PyTorch's autocast: {same} of {len(labels)} held-out images get "
        f"float32's class, top-1 {top1:.1f} % (float32 {top1_exact:.1f} %)"
    )


def main() -> None:
    """Print the table."""
    from affnet.export.options import ExportOptions
    from affnet.export.pipeline import export_artifact
    from affnet.model.source import load_source
    from affnet.runtimes.openvino import library

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--runs", type=int, default=50)
    arguments = parser.parse_args()
    offered = library().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    print(f"This CPU offers {', '.join(offered)}.\n")
    print("| network | hint | computed in | from f32 | CPU ms | / f32 |")
    print("| --- | --- | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for network in arguments.networks:
            options = ExportOptions(format="openvino")
            made = export_artifact(load_source(network), options, Path(folder) / network)
            print_rows(network, made.path, arguments.runs)
    print(f"\n{autocast()}")


if __name__ == "__main__":
    main()
