"""MNN on the CPU, in float32.

`MNN.tools`, the package's wrapper of its converter, is never imported: on import it installs a
logging SDK with pip, and it reports each conversion.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import TensorSpec
from affnet.errors import ArtifactError, require
from affnet.runtimes import Interface
from affnet.silence import silenced

#: What every session is made with.
SETTINGS = {"backend": "CPU", "precision": "high"}


class MnnRuntime:
    """Runs ``.mnn`` files with MNN's interpreter."""

    name = "mnn"
    format = "mnn"
    suffix = ".mnn"
    distribution = "MNN"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        _engine()
        from importlib import metadata

        return metadata.version(cls.distribution)

    @classmethod
    def load(cls, path: Path, *, threads: int) -> MnnSession:
        """See `Runtime.load`."""
        return MnnSession(path, threads)

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """See `Runtime.describe`; a file does not say in what width it stores weights."""
        return MnnSession(path, threads=1, several=True).interface()

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`: those of a run."""
        return MnnSession(path, threads=1, several=True).operators()


class MnnSession:
    """One interpreter with its session."""

    def __init__(self, path: Path, threads: int, *, several: bool = False) -> None:
        self._engine = _engine()
        if not path.is_file():
            raise ArtifactError(f"{path} cannot be read: it is no file.")
        with silenced() as said:
            try:
                self._interpreter = self._engine.Interpreter(str(path))
                self._session = self._interpreter.createSession({**SETTINGS, "numThread": threads})
            except Exception as error:  # it raises that very class
                raise ArtifactError(
                    f"MNN rejects {path}: {said.last_line().rstrip('.') or 'it is damaged'}."
                ) from error
        self._inputs = self._interpreter.getSessionInputAll(self._session)
        if len(self._inputs) != 1 and not several:
            raise ArtifactError(f"{path} has {len(self._inputs)} inputs, not one image.")
        self._outputs = self._interpreter.getSessionOutputAll(self._session)

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`; the outputs, in the order of their names, are copies."""
        (image,) = inputs
        self._feed(image)
        self._interpreter.runSession(self._session)
        return [self._read(tensor) for tensor in self._outputs.values()]

    def interface(self) -> Interface:
        """Return what the file takes and gives."""
        inputs = tuple(_spec(name, tensor) for name, tensor in self._inputs.items())
        outputs = tuple(_spec(name, tensor) for name, tensor in self._outputs.items())
        return Interface(inputs, outputs, "fp32")

    def operators(self) -> Mapping[str, int]:
        """Count the operators that a run executes, by type."""
        counts: collections.Counter[str] = collections.Counter()

        def begin(_: Any, operator: Any) -> bool:
            counts[operator.getType()] += 1
            return True

        self._interpreter.runSessionWithCallBackInfo(self._session, begin, lambda *_: True)
        return counts

    def _feed(self, image: NDArray[Any]) -> None:
        (tensor,) = self._inputs.values()
        # a Tensor borrows the array's memory
        array = np.ascontiguousarray(image, np.float32)
        tensor.copyFrom(self._tensor(array))

    def _tensor(self, array: NDArray[np.float32]) -> Any:
        engine = self._engine
        return engine.Tensor(
            array.shape, engine.Halide_Type_Float, array, engine.Tensor_DimensionType_Caffe
        )

    def _read(self, tensor: Any) -> NDArray[np.float32]:
        shape = tuple(tensor.getShape())
        found = self._tensor(np.zeros(shape, np.float32))
        tensor.copyToHostTensor(found)
        values: NDArray[np.float32] = np.array(found.getNumpyData(), np.float32)
        return values.reshape(-1)[: math.prod(shape)].reshape(shape)


def _spec(name: str, tensor: Any) -> TensorSpec:
    return TensorSpec(name, tuple(map(int, tensor.getShape())), "float32")


def _engine() -> Any:
    purpose, distribution = "Running MNN files", MnnRuntime.distribution
    require("_mnncengine", extra="mnn", purpose=purpose, distribution=distribution)
    with silenced():  # it says what the processor has
        import _mnncengine
    return _mnncengine
