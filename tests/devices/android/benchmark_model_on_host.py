"""A stand-in for ``benchmark_model``: runs LiteRT here, prints the tool's own output.

Flags and lines are those of tflite/tools/benchmark/benchmark_model.cc and, of the two tools that
share it, of TensorFlow Lite's (benchmark_tflite_model.cc), which knows files, unless the first
argument is ``litert``.  Its profile has one row, for the delegate: Python is told no more.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

_SHARED = {
    "graph", "num_threads", "num_runs", "min_secs", "warmup_runs", "warmup_min_secs", "use_gpu",
    "report_peak_memory_footprint", "memory_footprint_check_interval_ms",
}  # fmt: skip
_KNOWN = {
    "tflite": _SHARED | {"use_xnnpack", "input_layer", "input_layer_shape",
                         "input_layer_value_files", "output_filepath", "enable_op_profiling"},
    "litert": _SHARED | {"use_profiler"},
}  # fmt: skip


def main() -> int:
    kind = "litert" if sys.argv[1:2] == ["litert"] else "tflite"
    given = [argument for argument in sys.argv[1:] if argument.startswith("--")]
    unknown = [a for a in given if a.removeprefix("--").split("=")[0] not in _KNOWN[kind]]
    flags = dict(a.removeprefix("--").split("=", 1) for a in given if a not in unknown)
    print("INFO: STARTING!")
    if unknown:
        print(f"WARN: Unconsumed cmdline flags: {' '.join(unknown)}")
    print(f"INFO: Graph: [{flags['graph']}]")
    begun = time.monotonic_ns()
    try:
        interpreter = Interpreter(flags["graph"], num_threads=int(flags["num_threads"]))
    except ValueError as error:
        print(f"ERROR: {error}\nERROR: Benchmarking failed.")
        return 1
    interpreter.allocate_tensors()
    print(f"INFO: Initialized session in {(time.monotonic_ns() - begun) / 1e6:.3f}ms.")
    names = flags.get("input_layer", "").split(",")
    shapes = flags.get("input_layer_shape", "").split(":")
    files = dict(
        pair.replace("::", "\0").split(":", 1)
        for pair in filter(None, flags.get("input_layer_value_files", "").split(","))
    )
    for index, entry in enumerate(interpreter.get_input_details()):
        values = np.random.default_rng(0).random(entry["shape"]).astype(entry["dtype"])
        if files:
            file = files[names[index]]
            content = Path(file.replace("\0", ":")).read_bytes()
            if len(content) != values.nbytes:
                print(f"ERROR: The size of {file} is {len(content)} bytes. It should be "
                      f"{values.nbytes} bytes.")  # fmt: skip
                return 1
            shape = [int(axis) for axis in shapes[index].split(",")]
            values = np.frombuffer(content, entry["dtype"]).reshape(shape)
        interpreter.set_tensor(entry["index"], values)
    series(interpreter, int(flags["warmup_runs"]), float(flags["warmup_min_secs"]))
    average = series(interpreter, int(flags["num_runs"]), float(flags["min_secs"]))
    print(f"INFO: Inference timings in us: Init: 1, First inference: 1, Warmup (avg): 1, "
          f"Inference (avg): {average:g}")  # fmt: skip
    if flags.get("report_peak_memory_footprint") == "true":
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"INFO: Overall peak memory footprint (MB) via periodic monitoring: {peak:g}")
    if "true" in (flags.get("enable_op_profiling"), flags.get("use_profiler")):
        profile(interpreter, average / 1000, kind)
    if file := flags.get("output_filepath"):
        outputs = [interpreter.get_tensor(o["index"]) for o in interpreter.get_output_details()]
        Path(file).write_bytes(b"".join(output.tobytes() for output in outputs))
    return 0


def profile(interpreter: Interpreter, mean_ms: float, kind: str) -> None:
    if kind == "tflite":
        print("INFO: Operator-wise Profiling Info for Regular Benchmark Runs:")
    print("============================== Run Order ==============================")
    print("\t [node type]\t [first]\t [avg ms]\t [%]\t [cdf%]\t [mem KB]\t[times called]\t[Name]")
    # what was delegated is listed too, but not run; here that is every other node
    for node in interpreter._get_ops_details():
        if node["op_name"] == "DELEGATE":
            name = f"[{'output' if kind == 'tflite' else 'Builtin'}]:{node['index']}"
            print(f"\t   TfLiteXNNPackDelegate\t{mean_ms:9.3f}\t{mean_ms:9.3f}"
                  f"\t{100:7.3f}%\t{100:7.3f}%\t{0:10.3f}\t{1:9d}\t{name}")  # fmt: skip
    print()


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
