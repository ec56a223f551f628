"""ONNX files of 8 bits, computed as every processor with exact 8-bit products does.

Products of 8 bits and their sums are integers, which Arm's kernels, and those of x86 with VNNI,
compute exactly.  ONNX Runtime's for other x86 processors add two products in 16 bits and saturate
where weights have 8 bits.  Run as they stand, in float32 between Q and DQ nodes, such files give
what exact kernels give, but for a few values at the border of two steps.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from affnet.errors import ArtifactError, first_line, require
from affnet.runtimes.onnx_rounded import unoptimised_session


class ExactSession:
    """An ONNX file whose nodes run one by one, as they stand."""

    def __init__(self, path: Path, threads: int) -> None:
        require("onnxruntime", extra=None, purpose="Running ONNX files")
        import onnx

        try:
            self._session = unoptimised_session(onnx.load(path), threads)
        except Exception as error:  # neither's exceptions share a base class
            raise ArtifactError(f"ONNX Runtime rejects {path}: {first_line(error)}") from error
        self._names = [taken.name for taken in self._session.get_inputs()]

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`."""
        found: list[NDArray[Any]] = self._session.run(
            None, dict(zip(self._names, inputs, strict=True))
        )
        return found


def is_x86() -> bool:
    """Return whether kernels of this machine may saturate."""
    return platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
