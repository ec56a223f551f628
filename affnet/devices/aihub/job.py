"""What a job of Qualcomm AI Hub reported, as a process that has made its runs.

The service gives times in microseconds and memory in bytes, and of each layer its unit and, where
it is known, its time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Artifact
from affnet.devices.base import Memory, OperatorTime, Startup
from affnet.errors import MeasurementError, MissingError
from affnet.placement import PlacedOperator, Placement

_UNITS = {"CPU": "cpu", "GPU": "gpu", "NPU": "npu"}
_NS = 1000  # of a microsecond
_CAVEATS = (
    "Each hosted result is one job on one phone of that name, whose threads, temperature and load "
    "are unknown; no two were measured in turns, so that ratios have no interval",
    "Load is the service's first load of the file on the phone",
)


class JobProcess:
    """A finished job; see `affnet.devices.hosted.HostedDevice`."""

    def __init__(
        self,
        summary: Mapping[str, Any],
        layers: Sequence[Mapping[str, Any]],
        asked: tuple[str, ...],
        outputs: list[NDArray[np.float32]],
        version: str,
    ) -> None:
        self._outputs = outputs
        self._placed = Placement(asked, tuple(map(_placed, layers)))
        self._operators = [
            OperatorTime(one["name"], one["type"], _NS * one["execution_time"])
            for one in layers
            if "execution_time" in one
        ]
        self._peak_bytes = _peak(summary)
        estimate = _NS * _positive(summary["estimated_inference_time"])
        times = summary.get("all_inference_times") or []
        self._samples = [_NS * _positive(time) for time in times]
        self._only_estimate = not self._samples
        self._samples = self._samples or [estimate]
        load_us = _known(summary["first_load_time"])
        self.startup = Startup(load_us and _NS * load_us, None, version)
        # an NPU and a GPU compute a file's float32 in float16, unless they are told otherwise
        self.arithmetic = "fp32" if set(self._placed.units) <= {"cpu"} else "fp16"

    def run(self, iterations: int, discard: int = 0) -> Sequence[int]:
        """See `MeasuringProcess.run`: all runs of the job, whatever is asked for."""
        return self._samples

    def memory(self) -> Memory:
        """See `MeasuringProcess.memory`."""
        return Memory(self._peak_bytes)

    def outputs(self) -> list[NDArray[np.float32]] | None:
        """See `affnet.devices.base.ComputingProcess.outputs`."""
        return self._outputs

    def profile(self, runs: int) -> list[OperatorTime]:
        """See `affnet.devices.base.ProfilingProcess.profile`: of the service's own run."""
        if not self._operators:
            raise MissingError("The job reported no times of operators.")
        return self._operators

    def placement(self) -> Placement | str | None:
        """See `affnet.devices.base.PlacingProcess.placement`."""
        return self._placed if self._placed.operators else "the job reported no operators"

    def caveats(self) -> Sequence[str]:
        """See `affnet.devices.base.QualifiedProcess.caveats`."""
        return _CAVEATS

    def warnings(self) -> Sequence[str]:
        """See `affnet.devices.base.QualifiedProcess.warnings`."""
        if not self._only_estimate:
            return []
        return ["the job reported no single runs, but only an estimate of its latency"]


def read_job(
    done: Mapping[str, Any], artifact: Artifact, outputs: Path, asked: tuple[str, ...]
) -> JobProcess:
    """Read what a job's ``done`` says, and the outputs that it left in a file.

    Raises:
        MeasurementError: it is nonsense.
    """
    try:
        profile = done["profile"]
        return JobProcess(
            profile["execution_summary"],
            profile["execution_detail"],
            asked,
            _arrays(artifact, outputs),
            f"Qualcomm AI Hub {done['version']}",
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MeasurementError(
            f"The job for {artifact.path.name} reported nonsense ({error!r})"
        ) from error


def _arrays(artifact: Artifact, path: Path) -> list[NDArray[np.float32]]:
    """Return the outputs in the shapes that the manifest gives."""
    specs = artifact.manifest.outputs
    with np.load(path, allow_pickle=False) as content:
        found = [content[str(index)] for index in range(len(content.files))]
    if len(found) != len(specs):
        raise ValueError(f"{len(found)} outputs instead of {len(specs)}")
    return [
        array.reshape(spec.static_shape()).astype(np.float32)
        for array, spec in zip(found, specs, strict=True)
    ]


def _placed(layer: Mapping[str, Any]) -> PlacedOperator:
    unit = _UNITS.get(layer["compute_unit"], "other")
    return PlacedOperator(str(layer["name"]), str(layer["type"]), unit)


def _positive(time_us: Any) -> int:
    if type(time_us) is not int or time_us <= 0:
        raise ValueError(f"a time of {time_us!r} us")
    return time_us


def _peak(summary: Mapping[str, Any]) -> int | None:
    """Return the peak of inference: the upper end of its range, which newer profiles have."""
    ends = summary.get("inference_memory_peak_range")
    if isinstance(ends, list) and len(ends) == 2 and (upper := _known(ends[1])):
        return upper
    return _known(summary["estimated_inference_peak_memory"])


def _known(number: Any) -> int | None:
    """Return a number that the service gives; it gives -1 or 0 for what it does not know."""
    return number if type(number) is int and number > 0 else None
