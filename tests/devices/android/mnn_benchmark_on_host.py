"""A stand-in for MNN's ``benchmark.out``: runs MNN here, and prints as the tool.

Lines are those of benchmark/benchmark.cpp.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import _mnncengine as engine


def main() -> int:
    folder, loops, warmup, _, threads, precision = sys.argv[1:]
    kind = {"0": "normal", "1": "high", "2": "low"}[precision]
    print("MNN benchmark")
    print(f"Forward type: **CPU** thread={threads}** precision={precision}** sparsity=0")
    print(f"--------> Benchmarking... loop = {loops}, warmup = {warmup}")
    for path in sorted(Path(folder).iterdir()):
        interpreter = engine.Interpreter(str(path))
        session = interpreter.createSession(
            {"backend": "CPU", "numThread": int(threads), "precision": kind}
        )
        costs = []
        for _ in range(int(warmup) + int(loops)):
            begun = time.perf_counter()
            interpreter.runSession(session)
            costs.append((time.perf_counter() - begun) * 1e3)
        costs = costs[int(warmup) :]
        mean = sum(costs) / len(costs)
        print(
            f"[ - ] {path.name:<24}    max = {max(costs):8.3f} ms  min = {min(costs):8.3f} ms"
            f"  avg = {mean:8.3f} ms"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
