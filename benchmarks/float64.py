"""Compare runtimes, and PyTorch in float32, with PyTorch in float64, on each input of a proof.

    affnet export affnet --format onnx
    python -m benchmarks.float64 affnet affnet.onnx tract:affnet.onnx

A proof compares a file with PyTorch in float32, whose own error is in the result.  Here all stand
beside what float64 gives: the largest difference over the largest output.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from numpy.typing import NDArray

from affnet.export.verification.inputs import usual_inputs
from affnet.export.verification.reference import outputs_in_float64
from affnet.model.source import load_source
from benchmarks.runtimes import opened


def error(found: NDArray[np.floating], truth: NDArray[np.float64]) -> str:
    return f"{np.abs(found - truth).max() / np.abs(truth).max():.1e}"


def main() -> None:
    """Print one row per input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", metavar="SOURCE", help="a network of images with one output")
    parser.add_argument("files", nargs="+", metavar="[RUNTIME:]FILE")
    arguments = parser.parse_args()
    sessions, shapes = zip(*map(opened, arguments.files), strict=True)
    source = load_source(arguments.source, image_size=shapes[0][2:])
    print("| input |", " | ".join(["PyTorch", *arguments.files]), "|")
    print("| --- |" + " ---: |" * (1 + len(sessions)))
    for one in usual_inputs(source.inputs):
        (image,) = one.arrays
        exact = outputs_in_float64(source.model, one.arrays)
        assert exact is not None
        with torch.inference_mode():
            found = [source.model(torch.from_numpy(image)).numpy()]
        found += [session.run(image)[0] for session in sessions]
        print(
            f"| {one.name} |", " | ".join(error(each, exact[0]) for each in found), "|", flush=True
        )


if __name__ == "__main__":
    main()
