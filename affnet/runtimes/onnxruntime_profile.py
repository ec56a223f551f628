"""The trace that ONNX Runtime's profiler writes: a JSON list of events.

A run is an event ``model_run``; each operator in it is one of the category ``Node`` whose name is
the node's and ends with ``_kernel_time``, with its type in ``args.op_name`` and what ran it, such
as CPUExecutionProvider, in ``args.provider``.  Times are whole microseconds.  The nodes are those
of the optimised graph, so some are no nodes of the file.
"""

from __future__ import annotations

import json

from affnet.placement import PlacedOperator

_RUN = "model_run"
_SUFFIX = "_kernel_time"
_PROVIDER = "ExecutionProvider"
#: The units of execution providers, which are named before `_PROVIDER`; others are their own.
_UNITS = {
    "CPU": "cpu",
    "CUDA": "gpu",
    "CoreML": "ane",
    "NvTensorRTRTX": "gpu",
    "QNN": "npu",
    "ROCM": "gpu",
    "Tensorrt": "gpu",
    "WebGpu": "webgpu",
    "Xnnpack": "xnnpack",
}


def operator_times(trace: str, runs: int) -> list[tuple[str, str, int]]:
    """Return name, type and mean time in ns of each operator in the last ``runs`` runs.

    Raises:
        ValueError: it is no such trace, or one of fewer runs.
    """
    totals: dict[tuple[str, str], int] = {}
    try:
        events = json.loads(trace)
        begun = sorted(event["ts"] for event in events if event["name"] == _RUN)
        if len(begun) < runs:
            raise ValueError(f"it holds {len(begun)} runs, not {runs}")
        for event in events:
            name = event["name"]
            if (
                event.get("cat") == "Node"
                and name.endswith(_SUFFIX)
                and event["ts"] >= begun[-runs]
            ):
                key = (name.removesuffix(_SUFFIX), str(event["args"]["op_name"]))
                totals[key] = totals.get(key, 0) + int(event["dur"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"an event lacks {error}") from error
    return [(name, kind, round(1000 * total / runs)) for (name, kind), total in totals.items()]


def unit_of(provider: str) -> str:
    """Return the unit that an execution provider is, or ``js``'s and others' own name."""
    name = provider.removesuffix(_PROVIDER)
    return _UNITS.get(name, name.lower())


def placed_operators(trace: str) -> tuple[PlacedOperator, ...]:
    """Return which unit ran each operator, in their order.

    Raises:
        ValueError: it is no such trace.
    """
    found: dict[tuple[str, str], PlacedOperator] = {}
    try:
        for event in json.loads(trace):
            if event.get("cat") == "Node" and event["name"].endswith(_SUFFIX):
                name, kind = event["name"].removesuffix(_SUFFIX), str(event["args"]["op_name"])
                unit = unit_of(str(event["args"]["provider"]))
                found[name, kind] = PlacedOperator(name, kind, unit)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"an event lacks {error}") from error
    return tuple(found.values())
