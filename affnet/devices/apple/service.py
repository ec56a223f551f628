"""The process that measures by coremltools, on this Mac or on a device attached to it.

It reads one JSON request per line from stdin and answers each with one JSON line; it ends when
stdin does.  A device has one such process in a session, because its model runner is one program
that a second launch would end; this Mac has a fresh one for each model.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from affnet.devices.apple import coreml_benchmarker
from affnet.devices.apple.coreml_benchmarker import Benchmark
from affnet.devices.worker.host_probes import peak_rss_bytes
from affnet.devices.worker.serve import check_content, encode
from affnet.errors import (
    AffnetError,
    ArtifactError,
    ConnectionLostError,
    MeasurementError,
    UnreachableError,
    to_wire,
)
from affnet.parity import reference_inputs
from affnet.runtimes.coreml import as_picture, output_arrays, quiet_coremltools
from affnet.runtimes.mlprogram import Feature

# what a device or Xcode complains of, by a word of the complaint, and what to do about it
_REMEDIES = {
    "locked": "unlock it and leave its screen on",
    "developer mode": "switch it on there: Settings, Privacy & Security, Developer Mode",
    "trust": "trust the developer there: Settings, General, VPN & Device Management",
    "not paired": "unlock it and confirm 'Trust This Computer' there",
    "provisioning": "sign in to the team's account in Xcode: Settings, Accounts",
    "signing": "name a team that may sign: development_team in devices.toml",
}

# coremltools does not say why a launch failed
_AT_LAUNCH = f"{_REMEDIES['locked']}, and {_REMEDIES['trust']}"


class CoreMlService:
    """Answers requests: ``devices``, ``prepare``, and of a model ``load``, ``run`` and so on."""

    def __init__(self) -> None:
        self._device: Any = None
        self._has_run = False
        self._models: dict[int, tuple[Benchmark, dict[str, Any], dict[str, Any]]] = {}

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            UnreachableError: the device does not take part.
            ConnectionLostError: it did, and does no longer.
            ArtifactError: Core ML refuses the model.
            MeasurementError: anything else that coremltools complains of.
        """
        command = request["command"]
        try:
            found: dict[str, Any] = await getattr(self, f"_{command}")(request)
        except AffnetError:
            raise
        except Exception as error:  # coremltools raises whatever it likes
            raise self._fault(command, request, error) from error
        return found

    def stop(self) -> None:
        """End the model runner."""
        if self._device is not None:
            self._device.session.stop()

    async def _devices(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"devices": coreml_benchmarker.list_devices()}

    async def _prepare(self, request: dict[str, Any]) -> dict[str, Any]:
        self._device = await coreml_benchmarker.prepare(
            request["identifier"],
            Path(request["folder"]),
            request["development_team"],
            request["provisioning_profile"],
            request["bundle_identifier"],
        )
        if self._device is None:
            raise ConnectionLostError(f"{request['device']} was detached", "attach it again.")
        return {"prepared": True}

    async def _load(self, request: dict[str, Any]) -> dict[str, Any]:
        path = Path(request["artifact"])
        check_content(path, request["sha256"])
        arrays = reference_inputs(request["inputs"])
        inputs = {
            name: as_picture(array) if name in request["images"] else array
            for name, array in zip(request["names"], arrays, strict=True)
        }
        benchmark = Benchmark(path, request["compute_units"], self._device)
        load_ns = await benchmark.load()
        self._models[request["model"]] = (benchmark, inputs, request)
        self._has_run = True
        (first_ns,) = await benchmark.run(inputs, 1)
        return {
            "load_ns": load_ns,
            "first_inference_ns": first_ns,
            "runtime_version": f"coremltools {metadata.version('coremltools')} "
            f"({request['engine']})",
        }

    async def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        benchmark, inputs, _ = self._models[request["model"]]
        discard = request["discard"]
        samples = await benchmark.run(inputs, discard + request["iterations"])
        return {"samples_ns": samples[discard:]}

    async def _outputs(self, request: dict[str, Any]) -> dict[str, Any]:
        benchmark, inputs, job = self._models[request["model"]]
        found = await benchmark.outputs(inputs)
        described = [Feature(**one) for one in job["outputs"]]
        arrays = output_arrays(described, job["labels"], found)
        return {"outputs": [encode(array) for array in arrays]}

    async def _placement(self, request: dict[str, Any]) -> dict[str, Any]:
        benchmark, inputs, _ = self._models[request["model"]]
        try:
            return {"operators": await benchmark.placement(inputs)}
        except Exception as error:  # a plan is not worth losing the latencies
            return {"operators": None, "reason": complaint(error)}

    async def _memory(self, request: dict[str, Any]) -> dict[str, Any]:
        # a device does not report what the model runner takes
        return {"peak_rss_bytes": None if self._device is not None else peak_rss_bytes()}

    async def _unload(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["model"] in self._models:
            await self._models.pop(request["model"])[0].unload()
        return {"unloaded": True}

    def _fault(self, command: str, request: dict[str, Any], error: Exception) -> AffnetError:
        reason = complaint(error)
        remedy = next((_REMEDIES[word] for word in _REMEDIES if word in reason.lower()), None)
        lost = self._device is not None and not self._device.session.is_alive()
        if lost and not self._has_run:
            return UnreachableError(
                f"{request['device']} ended the model runner at its launch ({reason})",
                f"{remedy or _AT_LAUNCH}.",
            )
        if lost:
            return ConnectionLostError(
                f"{request['device']} was lost while it was in use ({reason})",
                f"{remedy or 'attach it again, and keep it unlocked'}.",
            )
        if command == "devices":
            return UnreachableError(f"Xcode cannot list the attached devices: {reason}.")
        if command == "prepare":
            return UnreachableError(
                f"{request['device']} cannot run the model runner: {reason}.", remedy
            )
        # devicectl's exit codes are positive, those that Core ML's program answers negative
        if command == "load" and not (getattr(error, "error_code", None) or 0) > 0:
            return ArtifactError(
                f"Core ML on {request['device']} rejects {request['artifact']}: {reason}."
            )
        return MeasurementError(f"Measuring on {request['device']} failed: {reason}.")


def complaint(error: BaseException) -> str:
    """Return what a command complained of, else the error's own words, without a full stop.

    coremltools keeps a command's output as bytes, or loses it and leaves it in the error that its
    own one took the place of.
    """
    for found in filter(None, (error, error.__context__)):
        for name in ("message", "stderr", "output"):
            text = getattr(found, name, None)
            text = text.decode(errors="replace") if isinstance(text, bytes) else text
            if not isinstance(text, str) or not text.strip():
                continue
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            line = next((line for line in lines if "error:" in line.lower()), lines[-1])
            return line[:200].removeprefix("ERROR: ").removeprefix("error: ").rstrip(".")
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")


async def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until there are no more, then end the model runner."""
    service = CoreMlService()
    try:
        for line in requests:  # nothing else is going on while this waits
            try:
                answer = await service.answer(json.loads(line))
            except AffnetError as error:
                answer = {"error": to_wire(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    finally:
        service.stop()


def main() -> None:
    """Serve on stdin and stdout, with everything a library prints sent to stderr instead."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        with quiet_coremltools(without=["torch"]):  # three quarters of the import; nothing converts
            asyncio.run(serve(sys.stdin, answers))


if __name__ == "__main__":
    main()
