"""The operators of MIL, one file per family; importing this registers them all.

Their meaning is that of coremltools' operator definitions
(``coremltools/converters/mil/mil/ops/defs``), the published reference of MIL.
"""

from affnet.runtimes.mlprogram.operators import (  # noqa: F401 - importing registers
    activation,
    arrangement,
    blocks,
    combination,
    compression,
    convolution,
    creation,
    detection,
    elementwise,
    gathering,
    linear,
    normalization,
    pooling,
    quantization,
    recurrent,
    reduction,
    resizing,
    scattering,
    selection,
    slicing,
)
from affnet.runtimes.mlprogram.operators.registry import Operator
from affnet.runtimes.mlprogram.operators.registry import registered as find_operator
from affnet.runtimes.mlprogram.operators.registry import registered_names as operator_names

__all__ = ["Operator", "find_operator", "operator_names"]
