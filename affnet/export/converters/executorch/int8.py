"""ExecuTorch in 8 bits: quantised by torchao for XNNPACK, static ranges, weights per channel."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from affnet.export.converters import ConversionRequest
from affnet.export.converters.executorch.convolutions import OfPictures
from affnet.export.converters.executorch.tensors import drop_unused_tensors
from affnet.export.quantization.layers import Kept, check_some_quantized


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
    quantizer.set_filter_function(  # which is asked for weights, too
        lambda node: node.op == "get_attr" or not is_kept(node, request.keep_float)
    )
    logging.getLogger("torchao").setLevel(logging.ERROR)  # it lists what it was built without
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = _graph(network, example)
        _keep_concatenations(graph, request.keep_float)
        prepared = prepare_pt2e(graph, quantizer)
        with torch.inference_mode():
            for sample in request.calibration:
                prepared(*map(torch.from_numpy, sample))
        converted = convert_pt2e(prepared)
    weights = any("quantize_per_channel" in str(node.target) for node in converted.graph.nodes)
    check_some_quantized(request.name, weights)
    drop_unused_tensors(converted)
    return converted


def _graph(network: nn.Module, example: tuple[Tensor, ...]) -> Any:
    if not isinstance(network, GraphModule):
        return torch.export.export(network, example).module()
    from executorch.exir.passes.constant_prop_pass import constant_prop_pass

    program = torch.export.export(OfPictures(network), example)
    return constant_prop_pass(program).module()  # weights are tensors, not what makes them


def _keep_concatenations(graph: Any, kept: Kept) -> None:
    """Keep XNNPACK's quantizer, of ExecuTorch 1.5, from those that stay: it asks no filter."""
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    for node in graph.graph.nodes:
        if node.target is torch.ops.aten.cat.default and is_kept(node, kept):
            node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(_annotated=True)


def is_kept(node: Any, kept: Kept) -> bool:
    """Return whether an operator of an exported program stays in float."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    module = str(stack[-1][0]) if stack else ""
    return kept.keeps((module,), _operator(node))


def _operator(node: Any) -> str:
    """Return ``conv`` for aten.conv2d.default."""
    name = str(getattr(node.target, "__name__", node.target)).split(".")[0]
    return "conv" if name.startswith("conv") else name
