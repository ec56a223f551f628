"""Non-maximum suppression at the end of an ONNX graph, as `decode_detections` does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from affnet.detections import Suppression

if TYPE_CHECKING:
    import onnx

_SCORES, _BOXES = "raw_scores", "raw_boxes"


def append_suppression(model: onnx.ModelProto, outputs: list[str]) -> None:
    """Replace a detection network's ``outputs``, scores and boxes, by its detections, in place.

    Before, for A anchors and K classes::

        scores, 1 x A x K;  boxes, 1 x A x 4

    After, with C = K - 1 classes as the batch of one NonMaxSuppression, so that each box may be
    several classes'::

        candidates = TopK(softmax(scores) without class 0, transposed to C x A)
        kept = NonMaxSuppression(boxes of the candidates, C x 400 x 4; their scores, C x 1 x 400)
        boxes, scores, classes = TopK(kept, filled with scores of 0)

    ``TopK`` and ``NonMaxSuppression`` put the lower index first where scores are equal.
    """
    from onnx import TensorProto, helper

    graph, rule = model.graph, Suppression()
    anchors, classes = (axis.dim_value for axis in graph.output[0].type.tensor_type.shape.dim[1:])
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name in outputs:
                    names[index] = (_SCORES, _BOXES)[outputs.index(name)]
    build = _Builder(graph)
    add, count = build.add, rule.detections
    probabilities = add("Softmax", _SCORES, axis=-1)
    objects = add("Slice", probabilities, build.ints([1]), build.ints([classes]), build.ints([2]))
    by_class = add("Transpose", add("Squeeze", objects, build.ints([0])), perm=[1, 0])
    limit = build.ints([min(rule.candidates, anchors)])
    best, index = add("TopK", by_class, limit, axis=-1, results=2)
    boxes = add("Gather", add("Squeeze", _BOXES, build.ints([0])), index, axis=0)
    kept = add(
        "NonMaxSuppression", boxes, add("Unsqueeze", best, build.ints([1])), limit,
        build.floats([rule.iou_threshold]), build.floats([rule.score_threshold]),
    )  # fmt: skip
    place = add("Gather", kept, build.ints([0, 2]), axis=1)
    label = add("Add", add("Gather", kept, build.ints(0), axis=1), build.ints(1))
    filled = {
        "boxes": add(
            "Concat", add("GatherND", boxes, place), build.floats(np.zeros((count, 4))), axis=0
        ),
        "scores": add(
            "Concat", add("GatherND", best, place), build.floats(np.zeros(count)), axis=0
        ),
        "classes": add("Concat", label, build.ints(np.zeros(count)), axis=0),
    }
    scores, order = add("TopK", filled["scores"], build.ints([count]), axis=0, results=2)
    found = {
        "boxes": add("Gather", filled["boxes"], order, axis=0),
        "scores": scores,
        "classes": add(
            "Cast", add("Gather", filled["classes"], order, axis=0), to=TensorProto.INT32
        ),
    }
    shapes = {"boxes": [1, count, 4], "scores": [1, count], "classes": [1, count]}
    del graph.output[:]
    for name, value in found.items():
        add("Unsqueeze", value, build.ints([0]), name=name)
        kind = TensorProto.INT32 if name == "classes" else TensorProto.FLOAT
        graph.output.append(helper.make_tensor_value_info(name, kind, shapes[name]))


class _Builder:
    """Adds nodes and constants to a graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._count = 0

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"suppression/{kind}_{self._count}"

    def add(
        self, kind: str, *inputs: str, results: int = 1, name: str = "", **settings: Any
    ) -> Any:
        """Add a node; return the name of its result, or a list of several."""
        from onnx import helper

        made = [name or self._name(kind) for _ in range(results)]
        self._graph.node.append(helper.make_node(kind, inputs, made, name=made[0], **settings))
        return made[0] if results == 1 else made

    def ints(self, values: Any) -> str:
        """Add a constant of int64."""
        return self._constant(np.asarray(values, np.int64))

    def floats(self, values: Any) -> str:
        """Add a constant of float32."""
        return self._constant(np.asarray(values, np.float32))

    def _constant(self, values: Any) -> str:
        from onnx import numpy_helper

        name = self._name("constant")
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name
