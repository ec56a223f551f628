"""A stand-in for LiteRT's ``benchmark_model``: runs LiteRT here, prints the tool's own output.

Flags and lines are those of tflite/tools/benchmark/benchmark_model.cc.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main() -> int:
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
    print("INFO: STARTING!")
    print(f"INFO: Graph: [{flags['graph']}]")
    begun = time.monotonic_ns()
    try:
        interpreter = Interpreter(flags["graph"], num_threads=int(flags["num_threads"]))
    except ValueError as error:
        print(f"ERROR: {error}\nERROR: Benchmarking failed.")
        return 1
    interpreter.allocate_tensors()
    print(f"INFO: Initialized session in {(time.monotonic_ns() - begun) / 1e6:.3f}ms.")
    for entry in interpreter.get_input_details():
        values = np.random.default_rng(0).random(entry["shape"]).astype(entry["dtype"])
        interpreter.set_tensor(entry["index"], values)
    series(interpreter, int(flags["warmup_runs"]), float(flags["warmup_min_secs"]))
    average = series(interpreter, int(flags["num_runs"]), float(flags["min_secs"]))
    print(f"INFO: Inference timings in us: Init: 1, First inference: 1, Warmup (avg): 1, "
          f"Inference (avg): {average:g}")  # fmt: skip
    if flags.get("report_peak_memory_footprint") == "true":
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"INFO: Overall peak memory footprint (MB) via periodic monitoring: {peak:g}")
    return 0


def series(interpreter: Interpreter, runs: int, seconds: float) -> float:
    print(f"INFO: Running benchmark for at least {runs} iterations and at least {seconds:g} "
          "seconds but terminate if exceeding 150 seconds.")  # fmt: skip
    samples: list[int] = []
    end = time.monotonic() + seconds
    while len(samples) < runs or time.monotonic() < end:
        begun = time.monotonic_ns()
        interpreter.invoke()
        samples.append((time.monotonic_ns() - begun) // 1000)
    ordered = sorted(samples)
    tail = "".join(
        f" {name}={ordered[min(len(samples) - 1, round(share * (len(samples) - 1)))]}"
        for name, share in (("p5", 0.05), ("median", 0.5), ("p95", 0.95))
    )
    if ordered[0] == ordered[-1]:
        same = "(all same)" if len(samples) > 1 else ""
        print(f"INFO: count={len(samples)} curr={samples[-1]}{same}{tail}\n")
    else:
        head = f"count={len(samples)} first={samples[0]} curr={samples[-1]} min={ordered[0]}"
        body = f"max={ordered[-1]} avg={np.mean(samples):g} std={int(np.std(samples))}"
        print(f"INFO: {head} {body}{tail}\n")
    return float(np.mean(samples))


if __name__ == "__main__":
    sys.exit(main())
