"""ExecuTorch in 8 bits: quantised by torchao for XNNPACK, static ranges, weights per channel."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from affnet.export.converters import ConversionRequest
from affnet.export.converters.executorch.tensors import drop_unused_tensors
from affnet.export.quantization.layers import part_of


def in_int8(network: nn.Module, example: tuple[Tensor, ...], request: ConversionRequest) -> Any:
    """Return ``network`` as a graph in 8 bits but for the parts that are kept in float32.

    Quantised are convolutions, linear layers, additions, products and concatenations; XNNPACK's
    quantizer takes no product of matrices, so that the DFT of the plan ``dense`` stays in float32.
    """
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    assert request.calibration is not None  # the pipeline sees to it
    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True))
    quantizer.set_filter_function(lambda node: part_of_node(node) not in request.keep_float)
    logging.getLogger("torchao").setLevel(logging.ERROR)  # it lists what it was built without
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = torch.export.export(network, example).module()
        prepared = prepare_pt2e(graph, quantizer)
        with torch.inference_mode():
            for image in torch.from_numpy(request.calibration):
                prepared(image[None])
        converted = convert_pt2e(prepared)
    drop_unused_tensors(converted)
    return converted


def part_of_node(node: Any) -> str:
    """Return the part of the network that an operator of an exported program belongs to."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    module = str(stack[-1][0]) if stack else ""
    return part_of(module, _operator(node))


def _operator(node: Any) -> str:
    """Return ``conv`` for aten.conv2d.default."""
    name = str(getattr(node.target, "__name__", node.target)).split(".")[0]
    return "conv" if name.startswith("conv") else name
