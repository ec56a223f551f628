"""Core ML programs with fewer bits for each weight, by coremltools; what they compute is float16.

A runtime widens such weights when it loads the program, or the Neural Engine while it computes.
Left as they are: weights of few elements, which weigh nothing but are hurt most, and the Fourier
transforms' matrices, the only constants that are operands of ``matmul``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch.export import ExportedProgram

from affnet.errors import ConversionError, reason_of
from affnet.export.converters import ConversionRequest
from affnet.export.quantization.layers import check_some_quantized
from affnet.export.quantization.own_layers import module_of

#: Precisions that this module makes of a program in float16.
COMPRESSED = ("int8-weights", "palette4")
_LEAST = 512  # elements of a weight that 8 bits, with a scale for each output channel, are for
# A table of 16 values for a whole tensor needs many elements to pay; coremltools finds the best
# table, by exact k-means in one dimension, from so many on.
_LEAST_OF_PALETTE = 10_000
_HALF, _CAST = "_to_fp16", "_cast_fp16"  # what coremltools adds to names of weights and operators


def compressed(model: Any, program: ExportedProgram, request: ConversionRequest) -> Any:
    """Return ``program`` converted, in float16, with the weights of the precision asked for.

    ``int8-weights`` stores 8 bits and a scale for each output channel, ``palette4`` 4 bits: the
    place in a table of 16 values.  Weights too small for a table get 8 bits there, too.

    Raises:
        ConversionError: coremltools fails on the program.
    """
    optimize = import_module("coremltools.optimize.coreml")
    try:
        but_for = _left_out(optimize, model, program, request)
        if request.precision == "palette4":
            palette = optimize.OpPalettizerConfig(
                mode="kmeans", nbits=4, weight_threshold=_LEAST_OF_PALETTE
            )
            model = optimize.palettize_weights(model, _config(optimize, palette, but_for))
        scales = optimize.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=_LEAST)
        return optimize.linear_quantize_weights(model, _config(optimize, scales, but_for))
    except OSError:
        raise
    except Exception as error:  # coremltools raises every kind, assertions included
        raise ConversionError(
            f"coremltools cannot compress the weights: {reason_of(error)}."
        ) from error


def _config(optimize: Any, config: Any, but_for: list[str]) -> Any:
    return optimize.OptimizationConfig(
        global_config=config,
        op_type_configs={"matmul": None},
        op_name_configs=dict.fromkeys(but_for),
    )


def _left_out(
    optimize: Any, model: Any, program: ExportedProgram, request: ConversionRequest
) -> list[str]:
    """Return the names of the weights that stay as they are.

    A weight is of the module that has the parameter, or that calls an operator which takes it.
    """
    signature = program.graph_signature
    modules = {
        name: parameter.rpartition(".")[0]
        for name, parameter in signature.inputs_to_parameters.items()
    }
    modules |= {
        node.name: module_of(node) for node in program.graph.nodes if node.op != "placeholder"
    }
    weights = optimize.get_weights_metadata(model, weight_threshold=_LEAST)
    left = []
    for weight, known in weights.items():
        names = [
            weight.removesuffix(_HALF),
            *(op.name.removesuffix(_CAST) for op in known.child_ops),
        ]
        of = [modules[name] for name in names if name in modules]
        if request.keep_float.keeps(of, "conv"):
            left.append(weight)
    check_some_quantized(request.name, len(left) < len(weights))
    return left
