"""The names of the axes that an ONNX file leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from affnet.artifact import TensorSpec

if TYPE_CHECKING:
    import onnx


def name_axes(model: onnx.ModelProto, specs: Sequence[TensorSpec]) -> None:
    """Name the axes of inputs and outputs as ``specs`` do, in place of torch's ``s27``.

    Shapes of what is between, which go by torch's names too, are left to the reader's inference.
    """
    del model.graph.value_info[:]
    known = {spec.name: spec.shape for spec in specs}
    for value in (*model.graph.input, *model.graph.output):
        if value.name not in known:
            continue
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for axis in known[value.name]:
            if isinstance(axis, str):
                shape.dim.add().dim_param = axis
            else:
                shape.dim.add().dim_value = axis
