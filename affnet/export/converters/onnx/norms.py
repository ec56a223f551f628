"""Layer norms behind a sum, kept apart from it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

_FUSED_AXES = 3  # of other tensors ONNX Runtime does not fuse the two
_SAME = "shape.as.given"


def part_norms(model: onnx.ModelProto) -> None:
    """Put a Reshape to the same shape between a sum of three axes and the layer norm behind it.

    Before and after::

        Add -> LayerNormalization        Add -> Reshape -> LayerNormalization

    ONNX Runtime fuses the two where nothing else reads the sum, and on x86 takes several times as
    long for SkipLayerNormalization as for both since 1.30 (findings/onnxruntime-skip-norm.sh).
    """
    import onnx
    from onnx import helper, numpy_helper

    inferred = onnx.shape_inference.infer_shapes(model).graph
    known = [*inferred.value_info, *inferred.output, *inferred.input]
    axes = {value.name: len(value.type.tensor_type.shape.dim) for value in known}
    sums = {node.output[0] for node in model.graph.node if node.op_type == "Add"}
    reads = Counter(name for node in model.graph.node for name in node.input)
    reads.update(output.name for output in model.graph.output)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        x = node.input[0] if node.input else ""
        is_fused = node.op_type == "LayerNormalization" and x in sums and reads[x] == 1
        if is_fused and axes.get(x) == _FUSED_AXES:
            parted = f"{x}_parted"
            nodes.append(helper.make_node("Reshape", [x, _SAME], [parted], parted))
            node.input[0] = parted
        nodes.append(node)
    if len(nodes) == len(model.graph.node):
        return
    shape = numpy_helper.from_array(np.zeros(_FUSED_AXES, np.int64), _SAME)  # 0: as it is
    model.graph.initializer.append(shape)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
