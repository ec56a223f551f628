"""ExecuTorch on a board: its C++ libraries, which need no torch, through a library of ours.

Boards get this module as ``affnet.runtimes.executorch`` (`affnet.devices.worker.bundle`), and
beside the runner the library (`affnet.devices.worker.executorch_library`) that calls what the
package executorch holds.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.errors import ArtifactError, MeasurementError, MissingError
from affnet.silence import silenced

#: The library's file, which stands beside the one that runs.
LIBRARY = "executorch_session.so"
#: Of the package, each after those that it needs; loading some of them registers operators.
_LIBRARIES = ("", "_threadpool", "_kernels_optimized", "_kernels_quantized", "_backend_xnnpack")
# Its scalar types in the order of their numbers.
_TYPES = ("u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8", None, None, None, "?")
_MOST_AXES = 16


class ExecutorchRuntime:
    """Runs ``.pte`` files; of `affnet.runtimes.Runtime` only what a measuring process calls."""

    name = "executorch"
    format = "executorch"
    suffix = ".pte"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        _library()
        return metadata.version("executorch")

    @classmethod
    def load(cls, path: Path, *, threads: int) -> ExecutorchSession:
        """See `Runtime.load`."""
        return ExecutorchSession(path, threads)


class ExecutorchSession:
    """One loaded program."""

    def __init__(self, path: Path, threads: int) -> None:
        self._library = _library()
        error = ctypes.c_int()
        with silenced():
            self._session = ctypes.c_void_p(
                self._library.affnet_load(str(path).encode(), threads, ctypes.byref(error))
            )
        if not self._session:
            raise ArtifactError(f"ExecuTorch rejects {path}: error {error.value:#x}.")

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`; the outputs are copies."""
        held = [np.ascontiguousarray(array) for array in inputs]
        pointers = (ctypes.c_void_p * len(held))(*(array.ctypes.data for array in held))
        sizes = (ctypes.c_size_t * len(held))(*(array.nbytes for array in held))
        if error := self._library.affnet_run(self._session, pointers, sizes, len(held)):
            raise MeasurementError(f"ExecuTorch does not run the program: error {error:#x}.")
        return [self._output(i) for i in range(self._library.affnet_outputs(self._session))]

    def _output(self, index: int) -> NDArray[Any]:
        sizes, kind = (ctypes.c_int * _MOST_AXES)(), ctypes.c_int()
        values = ctypes.c_void_p()
        axes = self._library.affnet_output(
            self._session, index, sizes, ctypes.byref(kind), ctypes.byref(values)
        )
        shape, dtype = tuple(sizes[:axes]), np.dtype(_TYPES[kind.value])
        size = int(np.prod(shape)) * dtype.itemsize
        content = ctypes.string_at(values, size) if size else b""
        return np.frombuffer(content, dtype).reshape(shape)


def _library() -> ctypes.CDLL:
    """Load the package's libraries, and ours, which finds them loaded."""
    found = importlib.util.find_spec("executorch")
    if found is None or not found.submodule_search_locations:
        raise MissingError("executorch is not installed", "run: pip install --no-deps executorch")
    folder = Path(next(iter(found.submodule_search_locations))) / "lib"
    try:
        for name in _LIBRARIES:
            ctypes.CDLL(str(folder / f"libexecutorch{name}.so"), ctypes.RTLD_GLOBAL)
        library = ctypes.CDLL(str(Path(sys.argv[0]).resolve().with_name(LIBRARY)))
    except OSError as error:
        raise MissingError(f"ExecuTorch's libraries cannot be loaded: {error}.") from error
    library.affnet_load.restype = ctypes.c_void_p
    return library
