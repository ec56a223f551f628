"""The measuring process: loads one artifact, then runs it on request.

It is started by a device, reads one JSON request per line from stdin and answers each with one
JSON line; it ends when stdin does, so it cannot outlive its parent.  While the parent thinks or
another process is being timed it sleeps in a read.
"""

from __future__ import annotations

import base64
import gc
import json
import os
import sys
import time
from array import array
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from affnet import placement
from affnet.artifact import Arrays
from affnet.devices.worker import energy
from affnet.devices.worker.host_probes import peak_rss_bytes, pss_bytes
from affnet.devices.worker.pipeline import Pipeline
from affnet.errors import AffnetError, ArtifactError, MissingError, first_line, to_wire
from affnet.files import content_sha256
from affnet.parity import reference_inputs
from affnet.runtimes import Runtime, Session, check_measurable, get_runtime


def time_runs(session: Session, inputs: Arrays, iterations: int) -> array[int]:
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
            run(*inputs)
            samples[index] = clock() - started
    finally:
        gc.enable()
    return samples


_TIMED = ("run", "profile", "energy")  # of the commands below


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until there are no more.

    The first is made by `affnet.devices.worker.channel.describe_job`; those after it are
    ``{"command": "run", "iterations": n, "discard": m}``, ``{"command": "memory"}``,
    ``{"command": "outputs"}``, those for `reference_inputs`,
    ``{"command": "infer", "inputs": ..}``, those for arrays that `encode` wrote, or
    ``{"command": "profile", "runs": n}``, answered with null by a runtime that has no profiler, or
    ``{"command": "placement"}``, answered with null by one that never reports it, with a sentence
    where it failed to, or ``{"command": "energy"}``, answered with a sentence where nothing counts.
    After ``{"command": "pipeline", ..}`` with what `describe_pipeline` made, runs are of all of its
    stages, and are answered with ``stages_ns`` too.
    """

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    job = json.loads(requests.readline())
    path = Path(job["artifact"])
    check_content(path, job["sha256"])
    runtime = get_runtime(job["runtime"])
    version = runtime.version()  # imports the runtime, which is not part of loading a model
    how = {name: job[name] for name in ("threads", "accelerator") if name in job}
    started = time.perf_counter_ns()
    session = runtime.load(path, **how)
    load_ns = time.perf_counter_ns() - started
    inputs = reference_inputs(job["inputs"])
    first_ns = time_runs(session, inputs, 1)[0]
    arithmetic = getattr(session, "arithmetic", "fp32")
    startup = {"load_ns": load_ns, "first_inference_ns": first_ns, "runtime_version": version}
    answer(**startup, arithmetic=arithmetic)
    pipeline: Pipeline | None = None
    for line in requests:
        request = json.loads(line)
        if request["command"] in _TIMED:
            check_measurable(runtime)
        if request["command"] == "pipeline":
            pipeline = Pipeline(session, request)
            answer(stages=True)
        elif request["command"] == "run" and pipeline is not None:
            pipeline.time_runs(request["discard"])
            stages = pipeline.time_runs(request["iterations"])
            answer(samples_ns=list(map(sum, zip(*stages, strict=True))), stages_ns=stages)
        elif request["command"] == "run":
            time_runs(session, inputs, request["discard"])
            answer(samples_ns=time_runs(session, inputs, request["iterations"]).tolist())
        elif request["command"] == "outputs":
            answer(outputs=[encode(output) for output in session.run(*inputs)])
        elif request["command"] == "infer":
            given = session.run(*map(decode, request["inputs"]))
            answer(outputs=[encode(output, output.dtype.str) for output in given])
        elif request["command"] == "profile":
            profile = getattr(runtime, "profile", None)
            options = {**how, "inputs": inputs, "runs": request["runs"]}
            answer(operators=profile(path, **options) if profile else None)
        elif request["command"] == "placement":
            answer(placement=_placement(runtime, path, how, inputs))
        elif request["command"] == "energy":
            answer(energy=_energy(session, inputs))
        else:
            answer(peak_rss_bytes=peak_rss_bytes(), pss_bytes=pss_bytes("self"))


def _placement(
    runtime: type[Runtime], path: Path, how: dict[str, Any], inputs: Arrays
) -> dict[str, Any] | str | None:
    placed = getattr(runtime, "placement", None)
    if placed is None:
        return None
    try:
        return placement.to_wire(placed(path, **how, inputs=inputs))
    except (AffnetError, ValueError) as error:  # not worth losing the latencies
        return f"{runtime.name} did not report where operators run ({first_line(error)})"


def _energy(session: Session, inputs: Arrays) -> dict[str, Any] | str:
    try:
        return energy.measure(lambda: session.run(*inputs))
    except MissingError as error:  # not worth losing the latencies
        return str(error)


def encode(array: NDArray[Any], dtype: str = "<f4") -> dict[str, Any]:
    """Return an array as JSON can carry it: shape, type, and its values in base64."""
    values = np.asarray(array, dtype)  # `tobytes` makes its order that of C
    data = base64.b64encode(values.tobytes()).decode()
    return {"shape": values.shape, "dtype": dtype, "data": data}


def decode(record: dict[str, Any]) -> NDArray[Any]:
    """Return the array that `encode` wrote."""
    values = np.frombuffer(base64.b64decode(record["data"]), record["dtype"])
    return values.reshape(record["shape"])


def check_content(path: Path, sha256: str) -> None:
    """Raise `ArtifactError` unless the file is the one that was to be measured."""
    if not path.exists():
        raise ArtifactError(f"{path} does not exist where it is to be measured.")
    if content_sha256(path) != sha256:
        raise ArtifactError(f"{path} was changed after the measurement was planned.")


def main() -> None:
    """Serve on stdin and stdout, with everything a library prints sent to stderr instead."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        try:
            serve(sys.stdin, answers)
        except AffnetError as error:
            answers.write(json.dumps({"error": to_wire(error)}) + "\n")


if __name__ == "__main__":
    main()
