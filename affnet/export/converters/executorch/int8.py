"""ExecuTorch in 8 bits: quantised by torchao for XNNPACK, static ranges, weights per channel."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from affnet.export.converters import ConversionRequest
from affnet.export.converters.executorch.convolutions import OfPictures
from affnet.export.converters.executorch.tensors import drop_unused_tensors
from affnet.export.quantization.layers import Kept, KeptModules, check_some_quantized
from affnet.export.quantization.own_layers import module_of, operator_of

_FINEST = 2**-40  # scale, of float32


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
    config = get_symmetric_quantization_config(is_per_channel=True)
    own = isinstance(request.keep_float, KeptModules)
    quantizer.set_global(_with_fine_scales(config) if own else config)
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
    _widen_for_each(converted)
    drop_unused_tensors(converted)
    return converted


def _with_fine_scales(config: Any) -> Any:
    """Return a quantizer's config whose scales may be as fine as values and weights are small.

    By default they are 2 ** -12 at least: weights below 0.03 lose bits, and quiet signals
    (findings/executorch-least-scale.sh).
    """
    from torchao.quantization.pt2e.observer import HistogramObserver, PerChannelMinMaxObserver

    def fine(spec: Any, observer: Any) -> Any:
        return dataclasses.replace(spec, observer_or_fake_quant_ctr=observer.with_args(eps=_FINEST))

    values = fine(config.input_activation, HistogramObserver)
    weights = fine(config.weight, PerChannelMinMaxObserver)
    return dataclasses.replace(
        config, input_activation=values, output_activation=values, weight=weights
    )


def _graph(network: nn.Module, example: tuple[Tensor, ...]) -> Any:
    if not isinstance(network, GraphModule):
        return torch.export.export(network, example).module()
    from executorch.exir.passes.constant_prop_pass import constant_prop_pass

    program = torch.export.export(OfPictures(network), example)
    return constant_prop_pass(program).module()  # weights are tensors, not what makes them


def _widen_for_each(graph: GraphModule) -> None:
    """Give each operator that takes a value of 8 bits a widening of its own, in place.

    One that a part of XNNPACK's and what comes before that part share would let the two wait for
    each other, as around attention; ExecuTorch refuses that.
    """
    for node in list(graph.graph.nodes):
        if "dequantize_per_tensor" in str(node.target):
            for user in list(node.users)[1:]:
                with graph.graph.inserting_after(node):
                    user.replace_input_with(node, graph.graph.node_copy(node))
    graph.recompile()


def _keep_concatenations(graph: Any, kept: Kept) -> None:
    """Keep XNNPACK's quantizer, of ExecuTorch 1.5, from those that stay: it asks no filter."""
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    for node in graph.graph.nodes:
        if node.target is torch.ops.aten.cat.default and is_kept(node, kept):
            node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(_annotated=True)


def is_kept(node: Any, kept: Kept) -> bool:
    """Return whether an operator of an exported program stays in float."""
    return kept.keeps((module_of(node),), _operator(node))


def _operator(node: Any) -> str:
    """Return what `part_of` calls an operator: ``conv`` for aten.conv2d.default."""
    name = operator_of(node)
    return "conv" if name.startswith("conv") else name
