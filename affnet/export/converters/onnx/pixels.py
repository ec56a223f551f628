"""Preprocessing inside an ONNX file: products with constant matrices, one for each axis.

``Resize`` with antialiasing would be one operator, which ONNX Runtime computes right, for bicubic
more slowly than these products.  OpenVINO and MNN leave the antialiasing out and tract gives other
pixels, all without a message.  A matrix is a band, so that it is cut into blocks, each for the few
values that it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from affnet.export.passes.graph_pixels import PICTURE, Band, GraphPixels

if TYPE_CHECKING:
    import onnx

_OPSET, _IR_VERSION = 18, 8


def with_pixels(model: onnx.ModelProto, pixels: GraphPixels) -> onnx.ModelProto:
    """Return ``model``, which takes an image of floats, for pictures of 8 bits."""
    graph = model.graph
    steps = _Steps(pixels, graph.input[0].name)
    network = list(graph.node)
    del graph.node[:]
    graph.node.extend([*steps.nodes, *network])
    graph.initializer.extend(steps.constants)
    graph.input[0].CopyFrom(_value(pixels))
    return model


def pixels_alone(pixels: GraphPixels) -> onnx.ModelProto:
    """Return the model of the preprocessing only."""
    from onnx import TensorProto, helper

    steps = _Steps(pixels, "image")
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, *pixels.contract.crop])
    graph = helper.make_graph(steps.nodes, "pixels", [_value(pixels)], [given], steps.constants)
    opset = helper.make_opsetid("", _OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)


def _value(pixels: GraphPixels) -> onnx.ValueInfoProto:
    from onnx import TensorProto, helper

    shape = pixels.spec(PICTURE).static_shape()
    return helper.make_tensor_value_info(PICTURE, TensorProto.UINT8, shape)


class _Steps:
    """The nodes and constants that make ``result``, values in 0..1, of the picture."""

    def __init__(self, pixels: GraphPixels, result: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        contract = pixels.contract
        value = self._rounded(self._of_width(pixels))
        value = self._rounded(self._of_height(value, pixels))
        value = self._step("Div", value, self._floats(255))
        if contract.normalizes:
            for kind, numbers in (("Sub", contract.mean), ("Div", contract.std)):
                value = self._step(kind, value, self._floats(np.reshape(numbers, (1, 3, 1, 1))))
        self.nodes[-1].output[0] = result

    def _of_width(self, pixels: GraphPixels) -> str:
        """Resample the picture's rows; of its floats only one part is in memory at a time."""
        from onnx import TensorProto

        parts, last = [], pixels.layout == "NHWC"
        for band in pixels.bands(1):
            part = self._part(PICTURE, band, 2 if last else 3)
            if last:
                part = self._step("Transpose", part, perm=[0, 3, 1, 2])
            part = self._step("Cast", part, to=TensorProto.FLOAT)
            parts.append(self._step("MatMul", part, self._floats(band.matrix.T)))
        return self._joined(parts, 3)

    def _of_height(self, value: str, pixels: GraphPixels) -> str:
        parts = [
            self._step("MatMul", self._floats(band.matrix), self._part(value, band, 2))
            for band in pixels.bands(0)
        ]
        return self._joined(parts, 2)

    def _part(self, value: str, band: Band, axis: int) -> str:
        end = band.begin + band.matrix.shape[1]
        places = [self._constant(np.array([one], np.int64)) for one in (band.begin, end, axis)]
        return self._step("Slice", value, *places)

    def _joined(self, parts: list[str], axis: int) -> str:
        return parts[0] if len(parts) == 1 else self._step("Concat", *parts, axis=axis)

    def _rounded(self, value: str) -> str:
        """Round to whole numbers in 0..255, halves up, as fixed point does."""
        value = self._step("Floor", self._step("Add", value, self._floats(0.5)))
        return self._step("Clip", value, self._floats(0), self._floats(255))

    def _step(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"pixels.{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _floats(self, numbers: Any) -> str:
        return self._constant(np.ascontiguousarray(numbers, np.float32))

    def _constant(self, array: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"pixels.constant.{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name
