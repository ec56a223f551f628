"""Core AI: on a Mac of macOS 27 Apple's framework; elsewhere the interpreter of coreai-core.

The interpreter is Apple's own, of the same programs, and so proves files.  It takes tens of times
what ONNX Runtime takes, which says nothing of a device.
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
import sys
import time
import traceback
import weakref
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from importlib import import_module, metadata
from pathlib import Path
from types import FrameType
from typing import Any, TypeVarTuple

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import TensorSpec
from affnet.errors import ArtifactError, MissingError, UntimedError, reason_of, require
from affnet.runtimes import Interface
from affnet.silence import silenced

_MOMENT_S = 1e-4
_Values = TypeVarTuple("_Values")
_BORDERS = ("constant", "input", "output")
_OF_8_BITS_OR_FEWER = ("Int8", "UInt8", "Int4", "UInt4", "Int2", "UInt2", "UInt1")


class CoreAiRuntime:
    """Runs ``.aimodel`` folders of one function without a state."""

    name = "coreai"
    format = "coreai"
    suffix = ".aimodel"
    distribution = "coreai-core"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`; it also says whether Core AI itself runs the model."""
        engine = f"Core AI of macOS {platform.mac_ver()[0]}" if _of_system() else "interpreter"
        return f"coreai-core {metadata.version(cls.distribution)} ({engine})"

    @classmethod
    def check_measurable(cls) -> None:
        """See `affnet.runtimes.check_measurable`."""
        if platform.system() != "Darwin" or not _of_system():
            raise UntimedError(
                "Core AI is timed on a Mac of macOS 27 only: here its files run in an interpreter, "
                "tens of times slower than ONNX Runtime, whose time says nothing about a device",
                "measure on a Mac of macOS 27, or choose another runtime.",
            )

    @classmethod
    def load(cls, path: Path, *, threads: int) -> CoreAiSession:
        """See `Runtime.load`; Core AI lets nobody choose its threads."""
        return CoreAiSession(path)

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """See `Runtime.describe`."""
        inputs, outputs = CoreAiSession(path).borders()
        summary = _summary(path)
        stored = {kind for kind, _ in summary.storage_types}
        quantized = not stored.isdisjoint(_OF_8_BITS_OR_FEWER)
        precision = (
            "int8" if quantized else "fp16" if "Float16" in summary.compute_types else "fp32"
        )
        return Interface(inputs, outputs, precision)

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`; those of functions that the program calls are among them."""
        counts = dict(_summary(path).operation_distribution)
        return {name: count for name, count in counts.items() if name not in _BORDERS}


class CoreAiSession:
    """The function of a loaded program."""

    def __init__(self, path: Path) -> None:
        asset, runtime = _asset(path), _runtime()
        self._array = runtime.NDArray
        self._loop = WokenLoop()
        weakref.finalize(self, self._loop.close)
        with silenced():  # it says which function it loads
            try:
                self._function = self._awaited(_loaded(asset))
            except ArtifactError:
                raise
            except Exception as error:  # of its own kinds
                raise _rejected(path, error) from error
        self._description = self._function.desc
        if self._description.state_names:
            raise ArtifactError(f"{path} keeps a state from run to run, which none does here.")

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`; the outputs are copies."""
        feed = {
            name: self._array(np.ascontiguousarray(array))
            for name, array in zip(self._description.input_names, inputs, strict=True)
        }
        found = self._awaited(self._function(feed))
        return [np.array(found[name].numpy()) for name in self._description.output_names]

    def borders(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """Return what the function takes and gives; an open axis gets a name."""
        known = self._description
        return (
            tuple(_spec(name, known.input_descriptor(name)) for name in known.input_names),
            tuple(_spec(name, known.output_descriptor(name)) for name in known.output_names),
        )

    def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end; a notebook's thread has a loop of its own running already."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._loop.result(coroutine)
        with ThreadPoolExecutor(1) as other:
            return other.submit(self._loop.result, coroutine).result()


class WokenLoop(asyncio.SelectorEventLoop):
    """A loop that threads of Core AI wake, and that waits until they have left Python again.

    One that is still in there when the interpreter ends is unwound by it, which Swift answers with
    an abort: the process would have done its work, and fail (coreai-core 1.0.0b3, Python 3.11).
    """

    def call_soon_threadsafe(
        self,
        callback: Callable[[*_Values], object],
        *args: *_Values,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """See `asyncio.loop.call_soon_threadsafe`; it gives the interpreter away while it wakes."""
        return super().call_soon_threadsafe(callback, *args, context=context)

    def result(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end, and return what it gives."""
        try:
            return self.run_until_complete(coroutine)
        finally:
            while any(map(_wakes, sys._current_frames().values())):
                time.sleep(_MOMENT_S)


def _wakes(frame: FrameType) -> bool:
    waking = WokenLoop.call_soon_threadsafe.__code__
    return any(caller.f_code is waking for caller, _ in traceback.walk_stack(frame))


async def _loaded(asset: Any) -> Any:
    async with asset.executable() as model:
        names = model.function_names
        if len(names) != 1:
            raise ArtifactError(
                f"{asset.path} has {len(names)} functions ({', '.join(names)}), and only files of "
                "one can be run here."
            )
        return model.load_function(names[0])


def load_coreai() -> Any:
    """Return the module ``coreai.authoring``; raise `MissingError` where there is none."""
    require("coreai", extra="coreai", purpose="Running Core AI files", distribution="coreai-core")
    try:
        return import_module("coreai.authoring")
    except ImportError as error:  # its libraries ask for those of a newer system
        raise MissingError(
            f"coreai-core is installed but cannot be imported ({reason_of(error)})",
            "use a system with glibc 2.34 or newer, or run: pip install --upgrade 'affnet[coreai]'",
        ) from error


def _runtime() -> Any:
    load_coreai()
    return import_module("coreai.runtime")


def _of_system() -> bool:
    """Return whether Core AI itself runs models here, not the package's interpreter."""
    return bool(_runtime()._use_os_coreai)


def _asset(path: Path) -> Any:
    asset = load_coreai().AIModelAsset
    try:
        if not asset.is_valid(path):
            raise ArtifactError(
                f"{path} is no Core AI model: it must be a folder with main.mlirb and "
                "metadata.json in it."
            )
        _check_whole(path)
        return asset.load(path)
    except RuntimeError as error:
        raise _rejected(path, error) from error


def _check_whole(path: Path) -> None:
    """Compare the program with the hash beside it, as a damaged one would end the process."""
    program, stated = path / "main.mlirb", path / "main.hash"
    try:
        if hashlib.sha256(program.read_bytes()).digest() != stated.read_bytes():
            raise ArtifactError(
                f"{path} is damaged: main.mlirb is not the program whose hash main.hash has",
                "write it again.",
            )
    except FileNotFoundError:  # compiled for one device, or of a tool that writes no hash
        return


def _summary(path: Path) -> Any:
    try:
        summary = _asset(path).summary()
    except RuntimeError as error:
        raise _rejected(path, error) from error
    if summary is None:
        raise ArtifactError(f"{path} is compiled for one device; give the .aimodel it comes from.")
    return summary


def _rejected(path: Path, error: Exception) -> ArtifactError:
    return ArtifactError(f"Core AI rejects {path}: {reason_of(error)}.")


def _spec(name: str, value: Any) -> TensorSpec:
    # an open axis is None by its documentation, and -1 in fact
    shape = tuple(
        f"axis {i}" if size is None or size < 0 else size for i, size in enumerate(value.shape)
    )
    return TensorSpec(name, shape, value.dtype)
