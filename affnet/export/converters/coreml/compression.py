"""Core ML programs with fewer bits for each weight, by coremltools; what they compute is float16.

A runtime widens such weights when it loads the program, or the Neural Engine while it computes.
Left as they are: weights of few elements, which weigh nothing but are hurt most, and the Fourier
transforms' matrices, the only constants that are operands of ``matmul``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from affnet.errors import ConversionError, reason_of

#: Precisions that this module makes of a program in float16.
COMPRESSED = ("int8-weights", "palette4")
_LEAST = 512  # elements of a weight that 8 bits, with a scale for each output channel, are for
# A table of 16 values for a whole tensor needs many elements to pay; coremltools finds the best
# table, by exact k-means in one dimension, from so many on.
_LEAST_OF_PALETTE = 10_000


def compressed(model: Any, precision: str) -> Any:
    """Return a program in float16 with the weights of ``precision``, one of `COMPRESSED`.

    ``int8-weights`` stores 8 bits and a scale for each output channel, ``palette4`` 4 bits: the
    place in a table of 16 values.  Weights too small for a table get 8 bits there, too.

    Raises:
        ConversionError: coremltools fails on the program.
    """
    optimize = import_module("coremltools.optimize.coreml")
    try:
        if precision == "palette4":
            palette = optimize.OpPalettizerConfig(
                mode="kmeans", nbits=4, weight_threshold=_LEAST_OF_PALETTE
            )
            model = optimize.palettize_weights(model, _but_for_transforms(optimize, palette))
        scales = optimize.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=_LEAST)
        return optimize.linear_quantize_weights(model, _but_for_transforms(optimize, scales))
    except OSError:
        raise
    except Exception as error:  # coremltools raises every kind, assertions included
        raise ConversionError(
            f"coremltools cannot compress the weights: {reason_of(error)}."
        ) from error


def _but_for_transforms(optimize: Any, config: Any) -> Any:
    return optimize.OptimizationConfig(global_config=config, op_type_configs={"matmul": None})
