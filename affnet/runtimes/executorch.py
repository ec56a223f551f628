"""ExecuTorch on the CPU, with its XNNPACK delegate.

A file is verified before it is loaded.  Still, 1 of 60 files with flipped bits ended the process
from inside ExecuTorch, which does not verify all: an artifact's manifest holds its hash,
which is compared first.

The threads are those of one pool for the whole process, which may not change while a session is
in use.
"""

from __future__ import annotations

import collections
import re
import struct
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from numpy.typing import NDArray

from affnet.artifact import Arrays, TensorSpec
from affnet.errors import ArtifactError, MissingError, UsageError, first_line, require
from affnet.placement import Placement
from affnet.runtimes import Interface
from affnet.runtimes.executorch_delegates import placed_operators
from affnet.runtimes.executorch_modules import reader, runtime_modules
from affnet.silence import silenced

_PURPOSE = "Running ExecuTorch programs"
_IDENTIFIER = b"ET12"  # at offset 4 of every program: the format that executorch 1 reads
_METHOD = "forward"
_NEEDED = ("_threadpool_get_thread_count", "_unsafe_reset_threadpool")
# Its scalar types in the order of their numbers.
_TYPES = ("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
#: What is printed of an operator without a kernel, and of one whose kernel refuses its tensors.
_LACKING = re.compile(r"Missing operator: \[\d+\] (\S+)")
_STOPPED = re.compile(r"KernelCall failed at instruction \S+ in operator (\S+):")
#: Before the names of delegates among the operators of a program.
DELEGATE_PREFIX = "delegate::"


class ExecutorchRuntime:
    """Runs ``.pte`` files with ExecuTorch's Python bindings."""

    name = "executorch"
    format = "executorch"
    suffix = ".pte"
    distribution = "executorch"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        _bindings()
        return metadata.version(cls.distribution)

    @classmethod
    def load(cls, path: Path, *, threads: int) -> ExecutorchSession:
        """See `Runtime.load`.

        Raises:
            UsageError: sessions with another number of threads are in use.
        """
        return ExecutorchSession(path, threads)

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """See `Runtime.describe`; tensors have no names, and those of delegates are not seen."""
        with silenced():
            try:
                method = _load_program(path).metadata(_METHOD)
                taken = [method.input_tensor_meta(i) for i in range(method.num_inputs())]
                given = [method.output_tensor_meta(i) for i in range(method.num_outputs())]
            except (RuntimeError, KeyError) as error:
                raise _rejected(path, error) from error
        inputs = tuple(_spec("input", tensor) for tensor in taken)
        outputs = tuple(_spec("output", tensor) for tensor in given)
        with _reading(path) as read:
            types = {
                _dtype(value.val.scalar_type)
                for plan in read.program_of(path.read_bytes()).execution_plan
                for value in plan.values
                if hasattr(value.val, "scalar_type")
            }
        return Interface(inputs, outputs, "fp16" if "float16" in types else "fp32")

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`; what a delegate executes is one call of it."""
        _load_program(path)  # its verifier is stricter than the reader
        counts: collections.Counter[str] = collections.Counter()
        with _reading(path) as read:
            for plan in read.program_of(path.read_bytes()).execution_plan:
                for instruction in (step for chain in plan.chains for step in chain.instructions):
                    call = instruction.instr_args
                    if isinstance(call, read.schema.KernelCall):
                        counts[plan.operators[call.op_index].name.removeprefix("aten::")] += 1
                    elif isinstance(call, read.schema.DelegateCall):
                        counts[DELEGATE_PREFIX + plan.delegates[call.delegate_index].id] += 1
        return counts

    @classmethod
    def placement(cls, path: Path, *, threads: int, inputs: Arrays) -> Placement:
        """Return which operators of the file XNNPACK runs, by the nodes of its graphs."""
        return placement_of(path)


def placement_of(path: Path) -> Placement:
    """Return where the operators of a program run, which is decided when it is exported.

    Raises:
        ArtifactError: it is damaged.
    """
    _load_program(path)  # its verifier is stricter than the reader
    with _reading(path) as read:
        program = read.deserialize_pte_binary(path.read_bytes()).program
        operators = placed_operators(program, read.schema)
    return Placement(("xnnpack",), operators)


class ExecutorchSession:
    """One loaded method, with the program it lives in."""

    def __init__(self, path: Path, threads: int) -> None:
        import torch

        self._from_numpy = torch.from_numpy
        _set_threads(threads)
        _sessions.add(self)
        # the method borrows from the program, and the delegate from its file's bytes
        self._program = _load_program(path)
        with silenced() as printed:
            try:
                self._method = self._program.load_method(_METHOD)
            except (RuntimeError, KeyError) as error:
                if lacking := _operators_in(_LACKING, printed.lines()):
                    raise ArtifactError(
                        f"ExecuTorch rejects {path}: it has no kernel of {lacking}."
                    ) from error
                raise _rejected(path, error) from error

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`; the outputs are copies."""
        given = [self._from_numpy(array) for array in inputs]
        try:
            outputs = self._method.execute(given)
        except RuntimeError as error:
            if stopped := self._stopped_at(given):
                raise RuntimeError(f"{first_line(error)} in {stopped}") from error
            raise
        return [output.numpy() for output in outputs]

    def _stopped_at(self, given: list[Any]) -> str:
        """Run it again for the operator that it stops at, which is printed and not raised."""
        with silenced() as printed:
            with suppress(RuntimeError):
                self._method.execute(given)
            return _operators_in(_STOPPED, printed.lines())


#: Whose delegates hold the pool of threads that was there when they were loaded.
_sessions: weakref.WeakSet[ExecutorchSession] = weakref.WeakSet()


def _spec(name: str, tensor: Any) -> TensorSpec:
    return TensorSpec(name, tuple(tensor.sizes()), _dtype(tensor.dtype()))


def _dtype(number: int) -> str:
    return _TYPES[number] if number < len(_TYPES) else f"scalar type {number}"


@contextmanager
def _reading(path: Path) -> Iterator[SimpleNamespace]:
    """Yield the `reader`; whatever it raises, and its caller, says that the file is damaged."""
    with silenced(), reader() as read:
        try:
            yield read
        except (struct.error, LookupError, AttributeError, TypeError, ValueError) as error:
            raise _damaged(path) from error


def _damaged(path: Path) -> ArtifactError:
    return ArtifactError(f"{path} is damaged or no ExecuTorch program.")


def _set_threads(threads: int) -> None:
    """Give the process's pool ``threads`` threads.

    A session that is in use would keep the pool that is freed here.
    """
    _, bindings = _bindings()
    with silenced():  # it announces the pool and every change of it
        before = bindings._threadpool_get_thread_count()
        if threads != before and not _sessions:
            bindings._unsafe_reset_threadpool(threads)
        now = bindings._threadpool_get_thread_count()
    if now == threads:
        return
    if _sessions:
        raise UsageError(
            f"ExecuTorch runs programs on {before} threads in this process already",
            f"close them before loading one for {threads}.",
        )
    raise UsageError(f"ExecuTorch offers {now} threads on this machine, not {threads}.")


def _load_program(path: Path) -> Any:
    _require()
    _check_header(path)  # before PyTorch is imported, which takes seconds
    runtime, bindings = _bindings()
    with silenced():
        try:
            return runtime.Runtime.get().load_program(
                path, verification=bindings.Verification.InternalConsistency
            )
        except RuntimeError as error:
            raise _rejected(path, error) from error


def _check_header(path: Path) -> None:
    """Refuse what is no program of this version; what is one may still be damaged."""
    try:
        with path.open("rb") as file:
            identifier = file.read(8)[4:]
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    if identifier == _IDENTIFIER:
        return
    if identifier[:2] == _IDENTIFIER[:2] and identifier[2:].isdigit():
        raise ArtifactError(
            f"{path} is an ExecuTorch program of the version {identifier.decode()}, but "
            f"executorch {metadata.version('executorch')} runs {_IDENTIFIER.decode()}."
        )
    raise _damaged(path)


def _operators_in(said: re.Pattern[str], lines: list[str]) -> str:
    """Return the operators, each once, that printed lines name: "aten::a.out, aten::b.out"."""
    found = (match[1] for line in lines if (match := said.search(line)))
    return ", ".join(dict.fromkeys(found))


def _rejected(path: Path, error: Exception) -> ArtifactError:
    return ArtifactError(f"ExecuTorch rejects {path}: {first_line(error)}.")


def _require() -> None:
    require("executorch", extra="executorch", purpose=_PURPOSE)


def _bindings() -> tuple[Any, Any]:
    """Return the runtime's modules, Python's and C++'s."""
    _require()
    with silenced():  # it looks for the CPU's identity where there is none, and says so
        try:
            runtime, portable_lib = runtime_modules()
        except ImportError as error:
            raise MissingError(
                f"executorch is installed but cannot be imported ({error})",
                "run: pip install --upgrade 'affnet[executorch]'",
            ) from error
    lacking = [name for name in _NEEDED if not hasattr(portable_lib, name)]
    if lacking:
        raise MissingError(
            f"executorch {metadata.version('executorch')} lacks {lacking[0]}, with which threads "
            "are chosen",
            "run: pip install --upgrade 'affnet[executorch]'",
        )
    return runtime, portable_lib
