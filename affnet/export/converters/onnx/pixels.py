"""Preprocessing inside an ONNX file: one Resize, which resamples 8 bits as Pillow does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from affnet.export.passes.graph_pixels import PICTURE, GraphPixels

if TYPE_CHECKING:
    import onnx

_OPSET, _IR_VERSION = 18, 8  # the first Resize with antialiasing
_MODES = {"bicubic": "cubic", "bilinear": "linear"}


def with_pixels(model: onnx.ModelProto, pixels: GraphPixels) -> onnx.ModelProto:
    """Return ``model``, which takes an image of floats, for pictures of 8 bits."""
    graph = model.graph
    nodes, constants = _steps(pixels, graph.input[0].name)
    network = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *network])
    graph.initializer.extend(constants)
    graph.input[0].CopyFrom(_value(pixels))
    return model


def pixels_alone(pixels: GraphPixels) -> onnx.ModelProto:
    """Return the model of the preprocessing only."""
    from onnx import TensorProto, helper

    nodes, constants = _steps(pixels, "image")
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, *pixels.contract.crop])
    graph = helper.make_graph(nodes, "pixels", [_value(pixels)], [given], constants)
    opset = helper.make_opsetid("", _OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)


def _value(pixels: GraphPixels) -> onnx.ValueInfoProto:
    from onnx import TensorProto, helper

    shape = pixels.spec(PICTURE).static_shape()
    return helper.make_tensor_value_info(PICTURE, TensorProto.UINT8, shape)


def _steps(pixels: GraphPixels, result: str) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return nodes and constants that make ``result``, values in 0..1, of the picture."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    value = PICTURE

    def constant(name: str, values: Any, dtype: type = np.int64) -> str:
        constants.append(numpy_helper.from_array(np.array(values, dtype), f"pixels.{name}"))
        return f"pixels.{name}"

    def step(kind: str, *more: str, **attributes: Any) -> None:
        nonlocal value
        nodes.append(helper.make_node(kind, [value, *more], [f"pixels.{len(nodes)}"], **attributes))
        value = nodes[-1].output[0]

    if pixels.layout == "NHWC":
        step("Transpose", perm=[0, 3, 1, 2])
    contract = pixels.contract
    if contract.interpolation == "bilinear":  # ONNX Runtime's of 8 bits is 2 of 255 off
        step("Cast", to=TensorProto.FLOAT)
    step(
        "Resize",
        "",
        "",
        constant("sizes", [1, 3, *pixels.resized]),
        mode=_MODES[contract.interpolation],
        antialias=1,
        cubic_coeff_a=-0.5,
        exclude_outside=1,
        coordinate_transformation_mode="half_pixel",
    )
    ends = [a + b for a, b in zip(pixels.origin, contract.crop, strict=True)]
    step("Slice", constant("begin", pixels.origin), constant("end", ends), constant("axes", [2, 3]))
    step("Cast", to=TensorProto.FLOAT)
    step("Div", constant("white", 255, np.float32))
    if contract.normalizes:
        step("Sub", constant("mean", np.reshape(contract.mean, (1, 3, 1, 1)), np.float32))
        step("Div", constant("std", np.reshape(contract.std, (1, 3, 1, 1)), np.float32))
    nodes[-1].output[0] = result
    return nodes, constants
