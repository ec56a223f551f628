"""Where a page's runtime runs the operators of a model."""

from __future__ import annotations

from pathlib import Path

from affnet.errors import AffnetError
from affnet.placement import CPU, PlacedOperator, Placement
from affnet.runtimes import litert, onnxruntime
from affnet.runtimes.onnxruntime_log import read_placement


def page_placement(
    model: Path, runtime: str, accelerator: str, log: str, accelerated: bool | None
) -> Placement | str:
    """Return where operators run, or a sentence without its full stop why that is not known.

    ``log`` is what the page wrote on its console while it loaded the model, ``accelerated`` whether
    LiteRT.js says that its accelerator runs all of it, which is all that it says.
    """
    asked = CPU if accelerator == "wasm" else accelerator
    try:
        if runtime == "onnxruntime":
            found = read_placement(log, asked, onnxruntime.file_nodes(model))
            return found or "onnxruntime-web did not log where operators run"
        if asked == CPU or accelerated:
            nodes = litert.file_nodes(model)
            return Placement((asked,), tuple(PlacedOperator(*node, asked) for node in nodes))
    except AffnetError as error:  # not worth losing the latencies
        return f"where operators run is not known ({error.problem})"
    return "LiteRT.js runs some operators on the CPU, and does not report which"
