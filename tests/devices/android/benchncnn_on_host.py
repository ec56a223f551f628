"""A stand-in for ``benchncnn``: runs ncnn here on weights of zero, and prints as the tool.

Lines are those of benchmark/benchncnn.cpp.
"""

from __future__ import annotations

import sys
import time

import ncnn
import numpy as np

WARMUP = 8


def main() -> int:
    loops, threads, powersave, gpu, cooling, *named = sys.argv[1:]
    given = dict(one.split("=", 1) for one in named)
    width, height, channels = map(int, given["shape"].strip("[]").split(","))
    print(f"loop_count = {loops}\nnum_threads = {threads}", file=sys.stderr)
    print(f"powersave = {powersave}\ngpu_device = {gpu}\ncooling_down = {cooling}", file=sys.stderr)
    net = ncnn.Net()
    net.opt.num_threads = int(threads)
    if net.load_param(given["param"]) or net.load_model(ncnn.DataReaderFromEmpty()) < 0:
        return 1
    image = ncnn.Mat(np.full((channels, height, width), 0.01, np.float32))
    costs = []
    for _ in range(WARMUP + int(loops)):
        begun = time.perf_counter()
        extractor = net.create_extractor()
        extractor.input(net.input_names()[0], image)
        for name in net.output_names():
            extractor.extract(name)
        costs.append((time.perf_counter() - begun) * 1e3)
    costs = costs[WARMUP:]
    low, high, mean = min(costs), max(costs), sum(costs) / len(costs)
    print(
        f"{given['param']:>20}  min = {low:7.2f}  max = {high:7.2f}  avg = {mean:7.2f}",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
