"""The measuring process: loads one artifact, then runs it as often as it is told.

It is started by a device, reads one JSON request per line from stdin and answers each with one
JSON line; it ends when stdin does, so it cannot outlive its parent.  While the parent thinks or
another process is being timed it sleeps in a read.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from array import array
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from affnet.artifact import Artifact
from affnet.devices.probes import peak_rss_bytes
from affnet.errors import AffnetError
from affnet.runtimes import Session, check_measurable, get_runtime

_SEED = 0


def time_runs(session: Session, image: Any, iterations: int) -> array[int]:
    """Return the duration of each of ``iterations`` runs, in ns.

    The loop itself allocates nothing but what the runtime's binding does: the samples' memory is
    made before, the garbage collector is off.
    """
    samples = array("q", bytes(8 * iterations))
    run, clock = session.run, time.perf_counter_ns
    gc.disable()
    try:
        for index in range(iterations):
            started = clock()
            run(image)
            samples[index] = clock() - started
    finally:
        gc.enable()
    return samples


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until there are no more.

    The first names the artifact, the runtime and the threads; those after it are
    ``{"command": "run", "iterations": n, "discard": m}`` or ``{"command": "peak_rss"}``.
    """

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    job = json.loads(requests.readline())
    artifact = Artifact.open(Path(job["artifact"]))
    runtime = get_runtime(job["runtime"])
    check_measurable(runtime)
    version = runtime.version()  # imports the runtime, which is not part of loading a model
    started = time.perf_counter_ns()
    session = runtime.load(artifact.path, threads=job["threads"])
    load_ns = time.perf_counter_ns() - started
    spec = artifact.manifest.inputs[0]
    generator = np.random.default_rng(_SEED)
    low, high = spec.range or (0.0, 1.0)
    values = low + (high - low) * generator.random(spec.static_shape(), dtype=np.float32)
    image = values.astype(spec.dtype)
    first_ns = time_runs(session, image, 1)[0]
    answer(load_ns=load_ns, first_inference_ns=first_ns, runtime_version=version)
    for line in requests:
        request = json.loads(line)
        if request["command"] == "run":
            time_runs(session, image, request["discard"])
            answer(samples_ns=time_runs(session, image, request["iterations"]).tolist())
        else:
            answer(peak_rss_bytes=peak_rss_bytes())


def main() -> None:
    """Serve on stdin and stdout, with everything a library prints sent to stderr instead."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        try:
            serve(sys.stdin, answers)
        except AffnetError as error:
            answers.write(json.dumps({"error": str(error), "exit_code": error.exit_code}) + "\n")


if __name__ == "__main__":
    main()
