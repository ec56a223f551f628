"""A ``torch.export`` program, to measure PyTorch itself beside the other runtimes.

What it cannot hold: nothing.  It is also the one form that keeps torch's own FFT.
"""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from affnet.errors import ConversionError, reason_of
from affnet.export.converters import Conversion, ConversionRequest
from affnet.export.converters.tracing import exported
from affnet.files import write_and_sync
from affnet.silence import silenced


class TorchConverter:
    """Writes the exported program as ``.pt2``."""

    format = "torch"
    precisions = ("fp32",)
    computes_in_half = ()
    keeps_float = ()
    layouts = ("NCHW",)
    routes = ("torch.export",)
    auto_fft = "native"  # the network as it was trained
    plans = ()
    operators = None
    packages = ("torch",)
    extra = None
    options = ()
    heads = ("softmax", "argmax")
    usual_heads = ()
    border_types: ClassVar[dict[str, str | None]] = {}
    scalar_inputs = True
    fixed_shapes = None
    tools = ("torch",)

    def convert(self, network: nn.Module, request: ConversionRequest, folder: Path) -> Conversion:
        """See `Converter.convert`."""
        logging.getLogger("torch.export").setLevel(logging.ERROR)
        try:
            with silenced():
                program = exported(network, request)
                buffer = io.BytesIO()
                torch.export.save(program, buffer)
        except Exception as error:  # torch.export raises nearly every kind
            raise ConversionError(
                f"torch.export fails on {request.name}: {reason_of(error)}."
            ) from error
        path = folder / f"{request.name}.pt2"
        write_and_sync(path, buffer.getvalue())
        return Conversion(path)
