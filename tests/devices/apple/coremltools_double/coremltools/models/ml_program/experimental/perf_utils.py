from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from coremltools.models import compute_device
from coremltools.models.compute_plan import MLComputePlanDeviceUsage
from coremltools.models.ml_program.experimental.async_wrapper import MLModelAsyncWrapper
from coremltools.models.ml_program.experimental.model_structure_path import ModelStructurePath
from coremltools.scenario import SCENARIO, log, play

LOAD_MS = 12.25
PREDICT_MS = 2.5


class MLModelBenchmarker:
    @dataclass(frozen=True)
    class Measurement:
        statistics: Any
        samples: list[float]

    @dataclass
    class OperationExecutionInfo:
        spec: Any
        path: ModelStructurePath
        compute_device_usage: MLComputePlanDeviceUsage | None
        measurement: Any

    def __init__(self, model, device=None) -> None:
        self.model = model
        self.device = device
        self._loaded_model = None
        self._runs = 0

    async def benchmark_load(self, iterations=1):
        wrapper = MLModelAsyncWrapper(self.device)
        await wrapper.load()
        self._loaded_model = wrapper
        return self.Measurement(None, [LOAD_MS] * iterations)

    async def benchmark_predict(self, inputs=None, iterations=1, warmup=False):
        assert inputs is not None
        assert self._loaded_model is not None
        ((name, value),) = inputs.items()
        log("predict", iterations=iterations, input=name, type=type(value).__name__)
        play("predict", self.device.session if self.device else None)
        first, self._runs = self._runs, self._runs + iterations
        runs = range(first, self._runs)
        return self.Measurement(None, [PREDICT_MS + run % 7 / 1000 for run in runs])

    async def benchmark_operation_execution(self, inputs=None, iterations=1, warmup=False):
        await self.benchmark_predict(inputs, iterations, warmup)
        play("plan", self.device.session if self.device else None)
        return [self._info(*told) for told in SCENARIO["operators"]]

    def _info(self, name, kind, unit, supported, milliseconds):
        usage = unit and MLComputePlanDeviceUsage(
            getattr(compute_device, unit)(), [getattr(compute_device, one)() for one in supported]
        )
        return self.OperationExecutionInfo(
            spec=SimpleNamespace(type=kind),
            path=ModelStructurePath((ModelStructurePath.Program.Operation(name),)),
            compute_device_usage=usage,
            measurement=self.Measurement(None, [] if milliseconds is None else [milliseconds]),
        )
