"""A stand-in for ``onnxruntime_perf_test``: runs ONNX Runtime here, prints and writes as the tool.

Lines and the result file are those of onnxruntime/test/perftest/performance_runner.cc.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime


def main() -> int:
    parser = argparse.ArgumentParser()
    for letter in "empS":
        parser.add_argument(f"-{letter}")
    for letter in "rxy":
        parser.add_argument(f"-{letter}", type=int)
    parser.add_argument("-I", action="store_true")
    parser.add_argument("model")
    parser.add_argument("result")
    given = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = given.x, given.y
    if given.p:
        options.enable_profiling, options.profile_file_prefix = True, given.p
    print(f"Setting intra_op_num_threads to {given.x}")
    begun = time.perf_counter()
    try:
        session = onnxruntime.InferenceSession(given.model, options)
    except Exception as error:
        print(f"{error}", file=sys.stderr)
        return 255
    print(f"Session creation time cost: {time.perf_counter() - begun:g} s")
    value = session.get_inputs()[0]
    image = np.random.default_rng(int(given.S)).random(value.shape, dtype=np.float32)
    costs = []
    for _ in range(1 + given.r):
        begun = time.perf_counter()
        session.run(None, {value.name: image})
        costs.append(time.perf_counter() - begun)
    first, *costs = costs
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"First inference time cost: {int(first * 1000)} ms")
    print(f"Total inference requests: {len(costs)}")
    print(f"Peak working set size: {peak} bytes")
    with Path(given.result).open("a", encoding="utf-8") as file:
        for index, cost in enumerate(costs):
            file.write(f"model,{cost:g},{peak},99,{index}\n")
    if given.p:
        session.end_profiling()
    return 0


if __name__ == "__main__":
    sys.exit(main())
