"""Prints what is used of coremltools' benchmarking interface as JSON, of whichever is imported.

Run by `test_coremltools_double.py`, once with the double before the real one and once without.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import json
from typing import Any

from affnet.runtimes.coreml import quiet_coremltools

_EXPERIMENTAL = "coremltools.models.ml_program.experimental"
CALLED = [
    "coremltools.models:MLModel.__init__",
    "coremltools.models:MLModel.get_spec",
    f"{_EXPERIMENTAL}.perf_utils:MLModelBenchmarker.__init__",
    f"{_EXPERIMENTAL}.perf_utils:MLModelBenchmarker.benchmark_load",
    f"{_EXPERIMENTAL}.perf_utils:MLModelBenchmarker.benchmark_predict",
    f"{_EXPERIMENTAL}.perf_utils:MLModelBenchmarker.benchmark_operation_execution",
    f"{_EXPERIMENTAL}.async_wrapper:MLModelAsyncWrapper.from_spec_or_path",
    f"{_EXPERIMENTAL}.async_wrapper:MLModelAsyncWrapper.load",
    f"{_EXPERIMENTAL}.async_wrapper:MLModelAsyncWrapper.predict",
    f"{_EXPERIMENTAL}.async_wrapper:MLModelAsyncWrapper.unload",
    f"{_EXPERIMENTAL}.remote_device:Device.get_devices",
    f"{_EXPERIMENTAL}.remote_device:Device.prepare_for_model_debugging",
    f"{_EXPERIMENTAL}.remote_device:_AppSession.__init__",
    f"{_EXPERIMENTAL}.remote_device:_AppSession.stop",
    f"{_EXPERIMENTAL}.remote_device:_AppSession.is_alive",
]
RECORDS = [
    f"{_EXPERIMENTAL}.perf_utils:MLModelBenchmarker.Measurement",
    f"{_EXPERIMENTAL}.perf_utils:MLModelBenchmarker.OperationExecutionInfo",
    f"{_EXPERIMENTAL}.remote_device:AppSigningCredentials",
    f"{_EXPERIMENTAL}.remote_device:Device",
    f"{_EXPERIMENTAL}.model_structure_path:ModelStructurePath",
    f"{_EXPERIMENTAL}.model_structure_path:ModelStructurePath.Program.Operation",
    "coremltools.models.compute_plan:MLComputePlanDeviceUsage",
]
CHOICES = [
    "coremltools:ComputeUnit",
    f"{_EXPERIMENTAL}.remote_device:DeviceType",
    f"{_EXPERIMENTAL}.remote_device:DeviceState",
]
CLASSES = [
    f"coremltools.models.compute_device:ML{name}ComputeDevice"
    for name in ("CPU", "GPU", "NeuralEngine")
]


def found(place: str) -> Any:
    module, _, names = place.partition(":")
    value = importlib.import_module(module)
    for name in names.split("."):
        value = getattr(value, name)
    return value


def signature(function: Any) -> dict[str, Any]:
    return {
        "parameters": [
            (p.name, str(p.kind), None if p.default is p.empty else _default(p.default))
            for p in inspect.signature(function).parameters.values()
        ],
        "awaited": inspect.iscoroutinefunction(function),
    }


def _default(value: Any) -> str:
    return "a compute unit" if isinstance(value, found(CHOICES[0])) else repr(value)


def fields(record: Any) -> list[Any]:
    return [
        (f.name, None if f.default is dataclasses.MISSING else repr(f.default))
        for f in dataclasses.fields(record)
    ]


def choices(enumeration: type[enum.Enum]) -> dict[str, Any]:
    return {member.name: member.value for member in enumeration}


def main() -> None:
    with quiet_coremltools():
        told = {place: signature(found(place)) for place in CALLED}
        told |= {place: fields(found(place)) for place in RECORDS}
        told |= {place: choices(found(place)) for place in CHOICES}
        told |= {place: found(place).__name__ for place in CLASSES}
        told["from"] = str(found("coremltools:__file__"))
    print(json.dumps(told))


if __name__ == "__main__":
    main()
