"""LiteRT's own Fourier transform: the builtin operator ``RFFT2D``.

litert-torch itself lowers unscaled transforms over one axis only.  LiteRT's operator takes two, of
which the lengths must be powers of two; the inverse is written with it too, as LiteRT's is no
builtin operator.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from affnet.errors import ConversionError
from affnet.export.fourier.forward_only import ForwardOnlyFFT
from affnet.model.mixer import Spectrum
from affnet.units import image_size


class LiteRtFFT(ForwardOnlyFFT):
    """The transform that becomes ``RFFT2D``, ``REAL`` and ``IMAG``."""

    def forward_transform(self, x: Tensor) -> Spectrum:
        """See `ForwardOnlyFFT.forward_transform`."""
        height, width = x.shape[-2:]
        if height & (height - 1) or width & (width - 1) or width < 2:  # wrong at width 1
            raise ConversionError(
                "LiteRT's RFFT2D takes powers of two, the width at least 2, not maps of "
                f"{image_size(height, width)}."
            )
        return Spectrum(*_half_spectrum(x))


@torch.library.custom_op("affnet::half_spectrum", mutates_args=())
def _half_spectrum(x: Tensor) -> tuple[Tensor, Tensor]:
    spectrum = torch.fft.rfft2(x)
    return spectrum.real.contiguous(), spectrum.imag.contiguous()


@_half_spectrum.register_fake
def _(x: Tensor) -> tuple[Tensor, Tensor]:
    shape = (*x.shape[:-1], x.shape[-1] // 2 + 1)
    return x.new_empty(shape), x.new_empty(shape)


def register_lowering() -> None:
    """Tell litert-torch that the operator is a StableHLO FFT, which its passes make ``RFFT2D``."""
    from litert_converter.mlir import ir
    from litert_converter.mlir.dialects import stablehlo
    from litert_torch.backend.lowerings import registry

    def lowered(_: Any, x: Any) -> tuple[Any, Any]:
        kind = stablehlo.FftTypeAttr.get("RFFT")
        lengths = ir.DenseI64ArrayAttr.get(list(x.type.shape)[-2:])
        spectrum = stablehlo.fft(operand=x, fft_type=kind, fft_length=lengths)
        return stablehlo.real(spectrum), stablehlo.imag(spectrum)

    registry.lower(torch.ops.affnet.half_spectrum.default)(lowered)
