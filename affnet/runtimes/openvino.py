"""OpenVINO on the CPU or on an accelerator of Intel's, in float32 where the unit has it.

A model is compiled for one unit by its name, so that a part of it that the unit lacks is an error:
``AUTO`` and ``HETERO``, which take the CPU without a word, are never asked for.

Left to itself OpenVINO computes in bfloat16 wherever the processor has it: an error of 1e-2 of the
largest output, and on processors without AMX more time than float32.  In float16, which its hint
offers too, convolutions of 8 bits come out wrong.
"""

from __future__ import annotations

import collections
import importlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays, TensorSpec
from affnet.errors import ArtifactError, MissingError, require
from affnet.placement import CPU, PlacedOperator, Placement
from affnet.runtimes import Interface
from affnet.silence import silenced

#: What every model is compiled with for the CPU; an app must set the first too.
CONFIGURATION = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
_BORDERS = ("Constant", "Parameter", "Result")
_NOT_EXECUTED = ("Const", "Input", "Output")  # the same of a compiled model
_DISCARDED = 2  # runs before those that are profiled
_VERSIONS = (10, 11)  # of the representation, since openvino 2020 and 2022
_VERSION = re.compile(rb'<net\b[^<>]{0,500}\bversion="(\d{1,9})"')
_HEAD = 1000  # bytes of a file, in which its version stands
_NPU = "npu"
_DRIVERS = {
    "gpu": "install Intel's driver of it (on Debian intel-opencl-icd) and join the group render",
    _NPU: "install Intel's driver of it (linux-npu-driver) and join the group render",
}


class OpenVinoRuntime:
    """Runs OpenVINO's ``.xml`` files, with the ``.bin`` beside them, on its CPU plugin."""

    name = "openvino"
    format = "openvino"
    suffix = ".xml"
    distribution = "openvino"
    accelerators = ("gpu", _NPU)

    @classmethod
    def check_accelerator(cls, accelerator: str) -> None:
        """Raise `MissingError` where OpenVINO sees no such unit here."""
        _require()
        _unit(library().Core(), accelerator)

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        _require()
        from importlib import metadata

        library()  # later it is there at once
        return metadata.version(cls.distribution)

    @classmethod
    def load(cls, path: Path, *, threads: int, accelerator: str = CPU) -> OpenVinoSession:
        """See `Runtime.load`."""
        return OpenVinoSession(path, threads, accelerator)

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """See `Runtime.describe`."""
        model = _read(path)
        operators = model.get_ordered_ops()
        types = {
            one.get_output_element_type(0).to_string()
            for one in operators
            if one.get_type_name() == "Constant"
        }
        kinds = {one.get_type_name() for one in operators}
        quantized = "FakeQuantize" in kinds or bool(types & {"i8", "u8"})
        precision = "int8" if quantized else "fp16" if "f16" in types else "fp32"
        return Interface(
            tuple(map(_spec, model.inputs)), tuple(map(_spec, model.outputs)), precision
        )

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`."""
        types = (one.get_type_name() for one in _read(path).get_ordered_ops())
        return collections.Counter(name for name in types if name not in _BORDERS)

    @classmethod
    def profile(
        cls,
        path: Path,
        *,
        threads: int,
        inputs: Sequence[NDArray[Any]],
        runs: int,
        accelerator: str = CPU,
    ) -> list[tuple[str, str, int]]:
        """Return name, type and mean time in ns of each operator, in a session of its own."""
        session = OpenVinoSession(path, threads, accelerator, profile=True)
        totals: collections.Counter[tuple[str, str]] = collections.Counter()
        for run in range(_DISCARDED + runs):
            session.run(*inputs)
            for name, kind, nanoseconds in session.times():
                totals[name, kind] += nanoseconds if run >= _DISCARDED else 0
        return [(name, kind, total // runs) for (name, kind), total in totals.items() if total]

    @classmethod
    def placement(
        cls, path: Path, *, threads: int, inputs: Arrays, accelerator: str = CPU
    ) -> Placement:
        """Return where the layers run that are left of a model once it is compiled."""
        session = OpenVinoSession(path, threads, accelerator)
        layers = [(*row, accelerator) for row in session.layers()]
        if not layers:  # an NPU's compiled model is a blob
            raise ArtifactError(f"OpenVINO lists no layers of {path} on the {accelerator.upper()}.")
        return Placement((accelerator,), tuple(PlacedOperator(*layer) for layer in layers))


class OpenVinoSession:
    """One compiled model with a request."""

    def __init__(
        self, path: Path, threads: int, accelerator: str = CPU, *, profile: bool = False
    ) -> None:
        self._compiled = compiled_model(_read(path), path, threads, accelerator, profile=profile)
        self.arithmetic = "fp16" if accelerator == _NPU else "fp32"
        self._request = self._compiled.create_infer_request()
        self._outputs = self._compiled.outputs

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`; the outputs are copies."""
        results = self._request.infer([*inputs], share_inputs=True)
        return [results[output] for output in self._outputs]

    def times(self) -> list[tuple[str, str, int]]:
        """Return name, type and time in ns of each operator of the last run."""
        return [
            (one.node_name, one.node_type, round(one.real_time.total_seconds() * 1e9))
            for one in self._request.profiling_info
        ]

    def layers(self) -> list[tuple[str, str]]:
        """Return name and type of each layer that is executed, as far as the unit lists them."""
        found = [
            (one.get_friendly_name(), str(one.get_rt_info()["layerType"].astype(str)))
            for one in self._compiled.get_runtime_model().get_ordered_ops()
            if "layerType" in one.get_rt_info()
        ]
        return [(name, kind) for name, kind in found if kind not in _NOT_EXECUTED]


def compiled_model(
    model: Any, path: Path, threads: int, accelerator: str = CPU, *, profile: bool = False
) -> Any:
    """Return OpenVINO's model, read from ``path``, compiled for the CPU or an accelerator.

    Raises:
        ArtifactError: OpenVINO refuses it, or would run it elsewhere.
        MissingError: there is no such accelerator.
    """
    core = library().Core()
    unit = _unit(core, accelerator)
    try:
        with silenced():
            compiled = core.compile_model(
                model, unit, _configuration(threads, accelerator, profile)
            )
            taken = compiled.get_property("EXECUTION_DEVICES")
    except RuntimeError as error:
        raise _rejected(path, error) from error
    if {one.partition(".")[0] for one in taken} != {unit}:
        raise ArtifactError(f"OpenVINO runs {path} on {', '.join(taken)}, not on the {unit} alone.")
    return compiled


def _unit(core: Any, accelerator: str) -> str:
    """Return OpenVINO's name of a unit; of several GPUs it means the first."""
    unit, seen = accelerator.upper(), core.available_devices
    if all(one.partition(".")[0] != unit for one in seen):
        raise MissingError(
            f"OpenVINO sees no {unit} on this machine, only {', '.join(seen) or 'nothing'}",
            f"{_DRIVERS.get(accelerator, 'reinstall openvino')}, or omit --accelerator.",
        )
    return unit


def _configuration(threads: int, accelerator: str, profile: bool) -> dict[str, Any]:
    """Return the properties to compile with: an unknown one is an error.

    An NPU has no float32, and only the CPU counts threads.
    """
    if accelerator == _NPU:
        return {"PERFORMANCE_HINT": CONFIGURATION["PERFORMANCE_HINT"], "PERF_COUNT": profile}
    counted = {"INFERENCE_NUM_THREADS": threads} if accelerator == CPU else {}
    return {**CONFIGURATION, **counted, "NUM_STREAMS": 1, "PERF_COUNT": profile}


def model_of(path: Path) -> Any:
    """Return OpenVINO's model of a file of its own or of ONNX; raise `RuntimeError` if it fails."""
    return library().Core().read_model(path)


def library() -> Any:
    """Import OpenVINO, but not the package through which each import reports to its makers.

    That one sends an event over the network, from a process that it forks (openvino 2026.4 with
    openvino-telemetry 2025.2); without it OpenVINO has a stand-in of its own.
    """
    reports = "openvino_telemetry"
    if "openvino" in sys.modules or reports in sys.modules:
        return importlib.import_module("openvino")
    sys.modules[reports] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[reports]


def _require() -> None:
    require("openvino", extra="openvino", purpose="Running OpenVINO files")


def _read(path: Path) -> Any:
    _require()
    with silenced():
        try:
            return model_of(path)
        except RuntimeError as error:
            raise _of_another_version(path) or _rejected(path, error) from error


def _of_another_version(path: Path) -> ArtifactError | None:
    """Return why a file cannot be read whose version OpenVINO does not have, and does not name."""
    with path.open("rb") as file:
        found = _VERSION.search(file.read(_HEAD))
    if found is None or int(found[1]) in _VERSIONS:
        return None
    return ArtifactError(
        f"{path} is of version {int(found[1])} of OpenVINO's representation, and openvino "
        f"{OpenVinoRuntime.version()} reads {' and '.join(map(str, _VERSIONS))}",
        "convert its source again, or install the openvino that it was made for.",
    )


def _rejected(path: Path, error: Exception) -> ArtifactError:
    return ArtifactError(f"OpenVINO rejects {path}: {reason_in(error)}.")


def reason_in(error: Exception) -> str:
    """Leave out where in OpenVINO's sources an error was found, which its first lines say."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Exception from", "Check "))]
    return (said or lines)[-1].rstrip(".")


def _spec(value: Any) -> TensorSpec:
    """Read a border of a model; an open axis gets a name."""
    name = min(value.names, default="value")
    shape = tuple(
        axis.get_length() if axis.is_static else f"axis {index}"
        for index, axis in enumerate(value.partial_shape)
    )
    return TensorSpec(name, shape, np.dtype(value.element_type.to_dtype()).name)
