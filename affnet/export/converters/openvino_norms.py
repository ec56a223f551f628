"""Normalizations over whole maps, in the layout that OpenVINO's convolutions give them.

ONNX has no normalization over the channels and both axes of a map, so that its files flatten the
map to normalize it as one instance, and bring it back::

    x [N, C, H, W] -> Reshape [N, 1, CHW] -> MVN over the last axis -> Reshape [N, C, H, W]

A flattened map must stand in memory as ``[N, C, H, W]``, and the convolutions around it keep their
channels last: two copies of the map for each normalization.  OpenVINO's own operator takes all
three axes at once, in either layout.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_MAP_AXES = np.array([1, 2, 3])
_AFFINE = ("Multiply", "Add")  # an instance's scale and shift


def normalize_maps(model: Any) -> int:
    """Take the reshapes from around such normalizations, in place, and return how many there were.

    ``model`` is an `openvino.Model`; one of open axes keeps them.
    """
    found = [one for one in model.get_ordered_ops() if one.get_type_name() == "MVN"]
    rewritten = [_normalize(one) for one in found]
    model.validate_nodes_and_infer_types()
    return sum(rewritten)


def _normalize(norm: Any) -> bool:
    from openvino import opset13

    before = norm.input_value(0).get_node()
    if before.get_type_name() != "Reshape":
        return False
    maps = before.input_value(0)
    chain = _to_reshape(norm)
    if chain is None or not _flattens(maps, norm):
        return False
    *affine, after = chain
    if after.output(0).get_partial_shape() != maps.get_partial_shape():
        return False
    given = norm.get_attributes()
    node = opset13.mvn(
        maps,
        opset13.constant(_MAP_AXES),
        given["normalize_variance"],
        given["eps"],
        given["eps_mode"],
    )
    for one in affine:
        value = _number(one)
        if value != (1.0 if one.get_type_name() == "Multiply" else 0.0):
            make = opset13.multiply if one.get_type_name() == "Multiply" else opset13.add
            node = make(node, opset13.constant(np.float32(value)))
    node.set_friendly_name(after.get_friendly_name())
    after.output(0).replace(node.output(0))
    return True


def _flattens(maps: Any, norm: Any) -> bool:
    """Return whether a normalization is of each image's maps as one row, over all of that row."""
    axes = norm.input_value(1).get_node()
    if maps.get_partial_shape().is_dynamic or axes.get_type_name() != "Constant":
        return False
    shape, row = list(maps.get_shape()), list(norm.input_value(0).get_shape())
    last = [axis % len(row) for axis in np.asarray(axes.data).reshape(-1).tolist()] == [2]
    return len(shape) == 4 and row == [shape[0], 1, int(np.prod(shape[1:]))] and last


def _to_reshape(norm: Any) -> list[Any] | None:
    """Return what stands after a normalization up to a reshape, if that is one number at a time."""
    chain, node = [], norm
    while True:
        targets = node.output(0).get_target_inputs()
        if len(targets) != 1:
            return None
        node = next(iter(targets)).get_node()
        chain.append(node)
        if node.get_type_name() == "Reshape":
            return chain
        if node.get_type_name() not in _AFFINE or _number(node) is None:
            return None


def _number(node: Any) -> float | None:
    """Return the constant operand of a sum or product if it is a single number."""
    for value in node.input_values():
        operand = value.get_node()
        if operand.get_type_name() == "Constant" and operand.data.size == 1:
            return float(operand.data.reshape(-1)[0])
    return None
