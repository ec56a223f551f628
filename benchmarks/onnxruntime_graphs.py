"""What ONNX Runtime's rewrites of a graph gain on this machine, all files in the turns of one run.

    python -m benchmarks.onnxruntime_graphs layout --networks affnet_et mobilevit_xxs
    python -m benchmarks.onnxruntime_graphs gelu --networks deit_tiny convnextv2_atto

``layout``: x86 has a layout of blocked channels (NCHWc), which ONNX Runtime for Arm has not.  Each
network is timed with it and without, and divided by the last one, which shows how much of a ratio
is the layout's.

``gelu``: each network is exported at opset 18, where a GELU is written out, and at 20, where it is
one operator.

Times are CPU time of one thread, medians of rounds; in brackets the least and the largest ratio of
a round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

from affnet.export.converters import ConversionRequest, get_converter
from affnet.export.converters.onnx.converter import exported_model
from affnet.export.fourier.costs import PredictedCosts
from affnet.export.passes.folding import fold_batch_norms
from affnet.export.prepare import prepare_network
from affnet.model.source import load_source
from affnet.runtimes import runtime_for
from affnet.units import MILLISECONDS

BLOCKED = "NchwcTransformer"
_DISCARDED = 2  # runs of a block: the caches are another session's

Run = Callable[[], Any]


def model_bytes(name: str, opset: int) -> bytes:
    """Return a network's ONNX file in float32."""
    source = load_source(name)
    shape = source.input.static_shape()
    costs = PredictedCosts(runtime_for("onnx").name)
    network = prepare_network(source, shape, "auto", get_converter("onnx"), "fp32", costs).module
    fold_batch_norms(network)
    outputs = source.outputs_for(source.input)
    request = ConversionRequest(name, source.inputs, outputs, "fp32", "torch.export", False)
    return exported_model(network, request, opset).SerializeToString()


def session(content: bytes, without: Sequence[str] = ()) -> Run:
    """Return a run of a session on one thread, on noise."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    made = onnxruntime.InferenceSession(
        content, options, providers=["CPUExecutionProvider"], disabled_optimizers=list(without)
    )
    taken = made.get_inputs()[0]
    feed = {taken.name: np.random.default_rng(0).random(taken.shape, np.float32)}
    return lambda: made.run(None, feed)


def time_in_turns(runs: Mapping[str, Run], rounds: int, block: int) -> dict[str, list[float]]:
    """Return the median ns of each session's block in each round; the order turns around."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs)[:: 1 if number % 2 == 0 else -1]:
            samples = []
            for _ in range(_DISCARDED + block):
                started = time.thread_time_ns()
                runs[name]()
                samples.append(time.thread_time_ns() - started)
            found[name].append(statistics.median(samples[_DISCARDED:]))
    return found


def ratio_text(times: Sequence[float], others: Sequence[float]) -> str:
    """Return the median of the rounds' ratios, and their range."""
    ratios = [mine / other for mine, other in zip(times, others, strict=True)]
    return f"{statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]"


def layout(networks: Sequence[str], rounds: int, block: int) -> list[str]:
    """Return a table of networks with and without blocked channels."""
    runs: dict[str, Run] = {}
    for name in networks:
        content = model_bytes(name, 18)
        runs |= {name: session(content), f"{name} plain": session(content, [BLOCKED])}
    found, last = time_in_turns(runs, rounds, block), networks[-1]
    lines = [
        "| network | blocked ms | plain ms | plain / blocked | "
        f"/ {last} blocked | / {last} plain |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in networks:
        blocked, plain = found[name], found[f"{name} plain"]
        cells = [
            name,
            *(MILLISECONDS.number(statistics.median(times)) for times in (blocked, plain)),
            ratio_text(plain, blocked),
            ratio_text(blocked, found[last]),
            ratio_text(plain, found[f"{last} plain"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def gelu(networks: Sequence[str], rounds: int, block: int) -> list[str]:
    """Return a table of networks at opset 18 and at 20."""
    lines = ["| network | opset 18 ms | opset 20 ms | 18 / 20 |", "| --- | ---: | ---: | ---: |"]
    for name in networks:
        runs = {str(opset): session(model_bytes(name, opset)) for opset in (18, 20)}
        found = time_in_turns(runs, rounds, block)
        medians = [MILLISECONDS.number(statistics.median(times)) for times in found.values()]
        lines.append("| " + " | ".join([name, *medians, ratio_text(*found.values())]) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=("layout", "gelu"))
    parser.add_argument("--networks", nargs="+", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--block", type=int, default=12, help="runs that count in a round")
    arguments = parser.parse_args()
    table = layout if arguments.kind == "layout" else gelu
    print("\n".join(table(arguments.networks, arguments.rounds, arguments.block)))


if __name__ == "__main__":
    main()
