"""All that touches coremltools' benchmarking interface, which only a Mac can run.

It is thin on purpose: no decision is made here.  The interface is asynchronous, gives durations
in milliseconds, and is tested against a double of the same signatures.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

_EXPERIMENTAL = "coremltools.models.ml_program.experimental"
_UNITS = {  # coremltools' classes of processors and what affnet calls them
    "MLCPUComputeDevice": "cpu",
    "MLGPUComputeDevice": "gpu",
    "MLNeuralEngineComputeDevice": "ane",
}


def list_devices() -> list[dict[str, str]]:
    """Return what is known of each device that Xcode has paired, this Mac perhaps included."""
    remote = importlib.import_module(f"{_EXPERIMENTAL}.remote_device")
    return [
        {
            "name": device.name,
            "type": device.type.value,
            "identifier": device.identifier,
            "udid": device.udid,
            "os_version": device.os_version,
            "os_build": device.os_build_number,
            "developer_mode": device.developer_mode_state,
            "state": device.state.value,
        }
        for device in remote.Device.get_devices()
    ]


async def prepare(
    identifier: str,
    folder: Path,
    development_team: str | None,
    provisioning_profile: str | None,
    bundle_identifier: str | None,
) -> Any | None:
    """Build the model runner, install and launch it; return the device in use, None if gone."""
    remote = importlib.import_module(f"{_EXPERIMENTAL}.remote_device")
    credentials = remote.AppSigningCredentials(
        development_team=development_team or "",
        provisioning_profile_uuid=provisioning_profile,
        bundle_identifier=bundle_identifier,
    )
    for device in remote.Device.get_devices():
        if device.identifier == identifier:
            return await device.prepare_for_model_debugging(
                credentials=credentials, working_directory=folder
            )
    return None


class Benchmark:
    """One model on one device, this Mac if ``device`` is None."""

    def __init__(self, path: Path, compute_units: str, device: Any | None) -> None:
        coremltools = importlib.import_module("coremltools")
        perf_utils = importlib.import_module(f"{_EXPERIMENTAL}.perf_utils")
        self._device = device
        self._model = coremltools.models.MLModel(
            str(path),
            skip_model_load=True,
            compute_units=coremltools.ComputeUnit[compute_units.upper()],
        )
        self._benchmarker = perf_utils.MLModelBenchmarker(self._model, device)

    async def load(self) -> int:
        """Load the model for the runs to come; return how long that took, in ns."""
        measurement = await self._benchmarker.benchmark_load(iterations=1)
        return _ns(measurement)[0]

    async def run(self, inputs: dict[str, Any], iterations: int) -> list[int]:
        """Return the duration of each of ``iterations`` predictions, in ns."""
        return _ns(await self._benchmarker.benchmark_predict(inputs, iterations, warmup=False))

    async def outputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return the outputs of a prediction; the benchmarker drops them, so it loads anew."""
        wrappers = importlib.import_module(f"{_EXPERIMENTAL}.async_wrapper")
        wrapper = wrappers.MLModelAsyncWrapper.from_spec_or_path(
            spec_or_path=self._model.get_spec(),
            weights_dir=self._model.weights_dir,
            compute_units=self._model.compute_unit,
            device=self._device,
        )
        await wrapper.load()
        try:
            found: dict[str, Any] = await wrapper.predict(inputs, None)
            return found
        finally:
            await wrapper.unload()

    async def placement(self, inputs: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the operators that the compute plan places, the most expensive first."""
        infos = await self._benchmarker.benchmark_operation_execution(inputs, 1, warmup=False)
        return [
            {
                "name": info.path.components[-1].output_name,
                "operator": info.spec.type,
                "unit": _unit(info.compute_device_usage.preferred_compute_device),
                "supported": [*map(_unit, info.compute_device_usage.supported_compute_devices)],
                "estimated_ns": next(iter(_ns(info.measurement)), None),
            }
            for info in infos
            if info.compute_device_usage is not None  # constants run nowhere
        ]

    async def unload(self) -> None:
        """Free the model; the benchmarker has no way to, and on a phone its end frees nothing."""
        loaded = getattr(self._benchmarker, "_loaded_model", None)
        if loaded is not None:
            await loaded.unload()


def _ns(measurement: Any) -> list[int]:
    return [round(milliseconds * 1e6) for milliseconds in measurement.samples]


def _unit(processor: Any) -> str:
    return _UNITS.get(type(processor).__name__, "other")
