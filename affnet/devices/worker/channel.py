"""The parent's end of a measuring process: one JSON line for a question, one for its answer.

The process may run anywhere; a `Channel` carries the lines.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from affnet import placement
from affnet.artifact import Artifact
from affnet.devices.base import Memory, OperatorTime, Startup
from affnet.devices.worker.pipeline import STAGES, describe_pipeline
from affnet.devices.worker.serve import decode, encode
from affnet.energy import Energy, EnergyWindow
from affnet.errors import MeasurementError, MissingError, from_wire
from affnet.placement import CPU, Placement
from affnet.processes import LARGEST_OUTPUT, TooMuchOutputError
from affnet.reading import parse_json

LARGEST_OUTPUTS = 256_000_000  # bytes of an answer with outputs: maps of 21 classes of 1024 x 1024
ANSWER_TIMEOUT_S = 300.0  # the longest, loading a large program in torch, takes seconds
RUN_TIMEOUT_S = 600.0


class Channel(Protocol):
    """Carries lines to a process and back."""

    def send(self, line: str) -> None:
        """Send a line; raise `BrokenPipeError` if the process has ended."""
        ...

    def receive(self, timeout_s: float, largest: int) -> str:
        """Return the next line, "" if the process has ended.

        Raises:
            TimeoutError: there was none in time.
            TooMuchOutputError: it has more than ``largest`` bytes.
        """
        ...

    def how_it_ended(self) -> str:
        """Say how the process ended: ``signal 6: its last line on stderr``."""
        ...


def describe_job(
    artifact: Artifact,
    runtime: str,
    threads: int,
    path: PurePath | None = None,
    accelerator: str = CPU,
) -> dict[str, Any]:
    """Return the first request: what to load, how, what to feed it.  ``path`` is where it stands.

    It holds all of the manifest that measuring needs, so that the process needs none.
    """
    return {
        **({} if accelerator == CPU else {"accelerator": accelerator}),
        "artifact": str(path or artifact.path.resolve()),
        "sha256": artifact.manifest.sha256,
        "runtime": runtime,
        "threads": threads,
        "inputs": artifact.manifest.described_inputs(),
    }


class Conversation:
    """Questions to a process at the other end of a channel, and their answers."""

    def __init__(self, channel: Channel, label: str) -> None:
        self._channel = channel
        self._label = label

    def _ask(
        self,
        request: dict[str, Any],
        expected: tuple[str, ...],
        timeout_s: float,
        largest: int = LARGEST_OUTPUT,
    ) -> dict[str, Any]:
        doing = f"Measuring {self._label}"
        return ask(self._channel, doing, request, expected, timeout_s, largest)

    def _nonsense(self, line: str) -> MeasurementError:
        return _nonsense(f"Measuring {self._label}", line)


def ask(
    channel: Channel,
    doing: str,
    request: dict[str, Any],
    expected: tuple[str, ...],
    timeout_s: float,
    largest: int = LARGEST_OUTPUT,
) -> dict[str, Any]:
    """Return the answer to a request: one of our errors is raised, else it has ``expected``."""
    try:
        channel.send(json.dumps(request) + "\n")
        line = channel.receive(timeout_s, largest)
    except TooMuchOutputError as flood:
        raise MeasurementError(
            f"{doing} answered with {flood} in one line; it was stopped."
        ) from None
    except TimeoutError:
        raise MeasurementError(
            f"{doing} gave no answer for {timeout_s:.0f} s; it was stopped."
        ) from None
    except BrokenPipeError:
        line = ""
    if not line:
        raise MeasurementError(f"{doing} ended with {channel.how_it_ended()}")
    try:
        answer = parse_json(line)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and "error" in answer:  # one of our own, raised there
        try:
            error = from_wire(answer["error"])
        except (KeyError, TypeError):
            raise _nonsense(doing, line) from None
        raise error
    if not isinstance(answer, dict) or not answer.keys() >= {*expected}:
        raise _nonsense(doing, line)
    return answer


def _nonsense(doing: str, line: str) -> MeasurementError:
    return MeasurementError(f"{doing} answered with nonsense: {line.strip()[:80]!r}.")


class RemoteProcess(Conversation):
    """A `affnet.devices.base.ComputingProcess` at the other end of a channel."""

    def __init__(self, channel: Channel, job: dict[str, Any], label: str) -> None:
        super().__init__(channel, label)
        self._runtime = job["runtime"]
        self._stages: Any = None
        expected = ("load_ns", "first_inference_ns", "runtime_version")
        answer = self._ask(job, expected, ANSWER_TIMEOUT_S)
        self.startup = Startup(**{name: answer[name] for name in expected})
        self.arithmetic = "fp16" if answer.get("arithmetic") == "fp16" else "fp32"

    def run(self, iterations: int, discard: int = 0) -> Sequence[int]:
        """See `MeasuringProcess.run`."""
        request = {"command": "run", "iterations": iterations, "discard": discard}
        answer = self._ask(request, ("samples_ns",), RUN_TIMEOUT_S)
        samples, self._stages = answer["samples_ns"], answer.get("stages_ns")
        if not isinstance(samples, list) or not all(map(_is_count, samples)):
            raise self._nonsense(json.dumps(samples))
        if samples and min(samples) <= 0:
            raise MeasurementError(
                f"Measuring {self._label} reported a run of {min(samples)} ns: the clock "
                "did not advance",
                "measure again, or on another device.",
            )
        if len(samples) != iterations:
            raise MeasurementError(
                f"Measuring {self._label} gave {len(samples)} samples for {iterations} runs."
            )
        return samples

    def begin_pipeline(self, artifact: Artifact, picture: bytes) -> None:
        """See `affnet.devices.base.PipelineProcess.begin_pipeline`."""
        request = {"command": "pipeline", **describe_pipeline(artifact, picture)}
        self._ask(request, ("stages",), ANSWER_TIMEOUT_S)

    def last_stages(self) -> dict[str, tuple[int, ...]]:
        """See `affnet.devices.base.PipelineProcess.last_stages`."""
        try:
            rows = {name: (*row,) for name, row in zip(STAGES, self._stages, strict=True)}
        except (TypeError, ValueError):
            raise self._nonsense(json.dumps(self._stages)) from None
        if not all(_is_count(value) for row in rows.values() for value in row):
            raise self._nonsense(json.dumps(self._stages))
        return rows

    def memory(self) -> Memory:
        """See `MeasuringProcess.memory`."""
        answer = self._ask({"command": "memory"}, ("peak_rss_bytes",), ANSWER_TIMEOUT_S)
        found = [answer.get(field.name) for field in dataclasses.fields(Memory)]
        if not all(value is None or (_is_count(value) and value > 0) for value in found):
            raise self._nonsense(json.dumps(answer))
        return Memory(*found)

    def outputs(self) -> list[NDArray[np.float32]]:
        """See `affnet.devices.base.ComputingProcess.outputs`."""
        return self._arrays({"command": "outputs"})

    def infer(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `affnet.devices.base.InferringProcess.infer`."""
        given = [encode(array, array.dtype.str) for array in inputs]
        return self._arrays({"command": "infer", "inputs": given})

    def _arrays(self, request: dict[str, Any]) -> list[NDArray[Any]]:
        answer = self._ask(request, ("outputs",), RUN_TIMEOUT_S, LARGEST_OUTPUTS)["outputs"]
        try:
            return [decode(one) for one in answer]
        except (KeyError, TypeError, ValueError):
            raise self._nonsense(json.dumps(answer)) from None

    def placement(self) -> Placement | str | None:
        """See `affnet.devices.base.PlacingProcess.placement`."""
        found = self._ask({"command": "placement"}, ("placement",), RUN_TIMEOUT_S)["placement"]
        if found is None or isinstance(found, str):
            return found
        try:
            return placement.from_wire(found)
        except (KeyError, TypeError, ValueError):
            raise self._nonsense(json.dumps(found)) from None

    def profile(self, runs: int) -> list[OperatorTime]:
        """See `affnet.devices.base.ProfilingProcess.profile`."""
        request = {"command": "profile", "runs": runs}
        answer = self._ask(request, ("operators",), RUN_TIMEOUT_S)["operators"]
        if answer is None:
            raise MissingError(
                f"{self._runtime} has no profiler here",
                "choose the runtime onnxruntime, or a phone for TFLite files, whose tool has one.",
            )
        try:
            return [OperatorTime(str(name), str(kind), int(time)) for name, kind, time in answer]
        except (TypeError, ValueError):
            raise self._nonsense(json.dumps(answer)) from None

    def energy(self) -> Energy | str:
        """See `affnet.energy.EnergyProcess`."""
        found = self._ask({"command": "energy"}, ("energy",), RUN_TIMEOUT_S)["energy"]
        if isinstance(found, str):
            return found
        try:
            windows = tuple(EnergyWindow(**window) for window in found["windows"])
            counts = [count for one in windows for count in vars(one).values()]
            if not counts or not all(map(_is_count, counts)):
                raise ValueError
            if any(min(one.idle_ns, one.load_ns, one.runs) <= 0 for one in windows):
                raise ValueError
            return Energy(str(found["source"]), windows)
        except (KeyError, TypeError, ValueError):
            raise self._nonsense(json.dumps(found)) from None


def _is_count(value: object) -> bool:
    """Return whether a process gave a whole number that can be computed with."""
    return type(value) is int and abs(value) < 1 << 63


def ending(code: int, stderr: str) -> str:
    """Say how a process ended, from its exit code (negative: a signal) and what it wrote."""
    lines = stderr.strip().splitlines()
    reason = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"{reason}: {lines[-1] if lines else 'it said nothing'}"
