"""What preprocessing costs: inside the file, or outside by Pillow, beside the network itself.

    python benchmarks/preprocessing.py --source emoji --format onnx --input-size 480x640

Files are run in turns on one thread, so that a machine that slows down slows all alike; medians are
printed, and the bar: inside at most 1.15 times the network and the fastest way outside.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from affnet.commands.options import parse_size
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.layouts import as_input
from affnet.model.source import load_source
from affnet.runtimes import runtime_for

BAR = 1.15


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--source", default="emoji")
    arguments.add_argument("--format", default="onnx", choices=["onnx", "tflite"])
    arguments.add_argument("--input-size", default="480x640")
    arguments.add_argument("--turns", type=int, default=40)
    given = arguments.parse_args()
    size = parse_size(given.input_size, "--input-size")
    assert size is not None
    source = load_source(given.source)
    with tempfile.TemporaryDirectory() as folder:
        plain = export_artifact(source, ExportOptions(given.format), Path(folder, "spec"))
        options = ExportOptions(given.format, preprocess="graph", input_size=size)
        inside = export_artifact(source, options, Path(folder, "graph"))
        runtime = runtime_for(given.format)
        network, whole = (runtime.load(one.path, threads=1) for one in (plain, inside))
    picture = Image.effect_noise(size[::-1], 80).convert("RGB")
    pixels = np.asarray(picture)[None]
    contract, spec = plain.pixel_contract(), plain.manifest.inputs[0]

    def outside() -> np.ndarray:
        return as_input(contract(picture)[None], spec)

    image = outside()
    rows: dict[str, Callable[[], object]] = {
        "Pillow": outside,
        "network": lambda: network.run(image),
        "inside": lambda: whole.run(pixels),
    }
    times: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(given.turns):
        for name, step in rows.items():
            start = time.perf_counter()
            step()
            if turn >= 2:
                times[name].append(1e3 * (time.perf_counter() - start))
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, median in medians.items():
        print(f"{name:8} {median:8.2f} ms")
    ratio = medians["inside"] / (medians["Pillow"] + medians["network"])
    print(f"inside / (Pillow + network): {ratio:.3f}, {BAR} is the bar")


if __name__ == "__main__":
    main()
