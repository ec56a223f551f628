"""ExecuTorch, for phones and microcontrollers: a program whose operators XNNPACK executes.

What it cannot hold: products of complex tensors, hence any FFTs but a filter's own, which
``--fft native`` writes with the forward transform of its optimised kernels; an image count chosen
at run time, which XNNPACK would accept only as an upper bound; class names and the input's range,
for which a program has no place.  What XNNPACK does not take is computed by portable kernels, which
are slow and cut the delegated part in two each time: the details of a conversion say how many
operators that are, and why.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from affnet.errors import ConversionError, MissingError, UsageError, reason_of
from affnet.export.converters import Conversion, ConversionRequest
from affnet.export.converters.executorch.decompositions import decompositions
from affnet.export.converters.executorch.delegation import Delegation, reasons_for_refusals
from affnet.export.converters.executorch.float16 import in_float16
from affnet.export.converters.executorch.int8 import in_int8
from affnet.export.converters.executorch.lowering import partitioner_for, without_idle_passes
from affnet.export.converters.executorch.tensors import own_storage
from affnet.export.converters.tracing import decomposed, dynamic_shapes
from affnet.export.fourier.forward_only import ForwardOnlyFFT, replace_native_transforms
from affnet.export.passes.folding import fold_batch_norms
from affnet.files import write_and_sync
from affnet.silence import silenced


class ExecutorchConverter:
    """Converts through ``torch.export``, delegates to XNNPACK and counts what was delegated."""

    format = "executorch"
    precisions = ("fp32", "fp16", "int8")
    computes_in_half = ("fp16",)
    keeps_float = ("fp16", "int8")
    layouts = ("NCHW",)
    routes = ("XNNPACK", "portable")
    auto_fft = "auto"
    plans = ("right", "dense")  # others leave expansions to portable kernels
    options = ()
    heads = ("softmax", "argmax")
    usual_heads = ()
    operators = "executorch"
    border_types: ClassVar = {"float64": None}  # half of its kernels take no doubles
    scalar_inputs = True
    fixed_shapes = None
    packages = ("executorch", "torchao")
    extra = "executorch"
    tools = ("torch", "executorch")

    def convert(self, network: nn.Module, request: ConversionRequest, folder: Path) -> Conversion:
        """See `Converter.convert`."""
        if request.input.is_image and request.dynamic:
            raise UsageError("An ExecuTorch program takes one image at a time; drop --dynamic.")
        if request.dynamic and request.precision != self.precisions[0]:
            raise UsageError(
                f"ExecuTorch programs in {request.precision} have fixed shapes here",
                f"drop --dynamic, or add --precision {self.precisions[0]}.",
            )
        content, details = _converted(network, request)
        path = folder / f"{request.name}.pte"
        write_and_sync(path, content)
        return Conversion(path, details)

    @staticmethod
    def in_precision(
        network: nn.Module, request: ConversionRequest
    ) -> tuple[nn.Module, dict[str, Any]]:
        """See `CompilingConverter.in_precision`."""
        if request.native_fft:
            replace_native_transforms(network, ForwardOnlyFFT())
        if request.precision == "int8":
            fold_batch_norms(network)
        own_storage(network)
        if request.precision == "int8":
            return in_int8(network, request.example(), request), {}
        if request.precision == "fp32":
            return network, {}
        graph, choice = in_float16(network, request.example(), request.samples, request.keep_float)
        found = choice.details()
        return graph, {"float16": found} if found else {}


def _converted(network: nn.Module, request: ConversionRequest) -> tuple[bytes, dict[str, Any]]:
    with silenced() as printed:
        try:
            network, details = ExecutorchConverter.in_precision(network, request)
            content, delegation = _lowered(network, request.example(), request)
        except (MissingError, ConversionError):
            raise
        except Exception as error:  # torch.export and ExecuTorch raise nearly every kind
            reason = (not str(error).strip() and printed.last_line()) or reason_of(error)
            raise ConversionError(f"ExecuTorch cannot convert {request.name}: {reason}.") from error
    return content, delegation.details() | details


def _lowered(
    network: nn.Module, example: tuple[Tensor, ...], request: ConversionRequest
) -> tuple[bytes, Delegation]:
    exir, partitioner = _import_executorch()
    delegate, shapes = request.route == "XNNPACK", dynamic_shapes(network, request)
    chosen = [partitioner_for(partitioner.XnnpackPartitioner)] if delegate else []
    if delegate:
        program = decomposed(network, example, decompositions(), shapes)
    else:
        program = torch.export.export(network, example, dynamic_shapes=shapes)
    with reasons_for_refusals() as reasons, without_idle_passes(program):
        edge = exir.to_edge_transform_and_lower(program, partitioner=chosen)
    known = frozenset(name for each in chosen for name in each.target_partitioner_configs)
    delegation = Delegation.of(edge.exported_program(), reasons, known)
    return bytes(edge.to_executorch().buffer), delegation


def _import_executorch() -> tuple[Any, Any]:
    try:
        from executorch import exir
        from executorch.backends.xnnpack.partition import xnnpack_partitioner
    except ImportError as error:
        raise MissingError(
            f"executorch is installed but cannot be imported ({error}); "
            "run: pip install --upgrade 'affnet[executorch]'"
        ) from error
    return exir, xnnpack_partitioner
