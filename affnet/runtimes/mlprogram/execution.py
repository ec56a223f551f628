"""Runs the operators of a function one after the other.

**Float16.** An array that the program types as float16 is held as float32 and rounded to the
nearest float16 after each operator.  So a value is exactly what float16 storage would keep, an
overflow is an infinity and numbers below 6e-8 vanish; but within an operator the arithmetic, sums
above all, is float32.  Core ML does the same where it accumulates in float32.  The Neural
Engine's own arithmetic is not documented: its sums within reductions and normalisations may be
narrower, and it may flush subnormals, so the error measured here is a lower estimate.

**Checks.** Each result must have the shape that the program declares, so that a misread operator
is an error here and never a wrong number at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.errors import ArtifactError, UnsupportedOperatorError
from affnet.runtimes.mlprogram.constants import Value
from affnet.runtimes.mlprogram.graph import LOOP, Block, Function, Node, Reference
from affnet.runtimes.mlprogram.operators import Operator, find_operator
from affnet.runtimes.mlprogram.types import TensorType, numpy_dtype

_MOST_TURNS = 100_000
#: What numpy and torch raise on arguments that do not fit together.
_MISFITS = (ValueError, IndexError, TypeError, KeyError, RuntimeError, OverflowError, MemoryError)


class Evaluator:
    """Runs one function; what depends on constants alone is computed once and kept."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._constants: dict[str, Value] = dict(function.constants)
        self._folded = False
        self._last_use = {
            name: index for index, node in enumerate(function.nodes) for name in node.references()
        }

    def run(self, inputs: Mapping[str, NDArray[Any]], *, half: bool) -> dict[str, Value]:
        """Return the results by name; ``half`` is whether float16 values are rounded as such.

        Raises:
            UnsupportedOperatorError: an operator, or one of its parameters, is not known here.
            ArtifactError: an operator's arguments do not fit it or its declared result.
        """
        kept = {*self._function.results}
        values: dict[str, Value] = {}
        for _, computed in self.steps(inputs, half=half):
            values.update((name, computed[name]) for name in computed.keys() & kept)
        return {
            name: values[name] if name in values else self._constants[name]
            for name in self._function.results
        }

    def steps(
        self, inputs: Mapping[str, NDArray[Any]], *, half: bool
    ) -> Iterator[tuple[Node | None, dict[str, Value]]]:
        """Yield None with the inputs, then each operator with its results, as they are computed.

        A value is forgotten here once its last reader has run; see `run` for the rest.
        """
        self._refuse_unsupported()
        with np.errstate(all="ignore"):  # infinities and NaN are results like others
            self._fold()
            values: dict[str, Value] = {
                name: _convert(value, self._function.inputs[name], half=half)
                for name, value in inputs.items()
            }
            yield None, dict(values)
            for index, node in enumerate(self._function.nodes):
                if _is_constant(node):
                    continue
                results = self._results(node, values, half=half)
                yield node, results
                values.update(results)
                for name in {*node.references()}:
                    if self._last_use[name] == index:
                        values.pop(name, None)

    def _refuse_unsupported(self) -> None:
        for node in self._function.walk():
            if node.operator != LOOP:
                _known(node)

    def _fold(self) -> None:
        if self._folded:
            return
        for node in self._function.nodes:
            if _is_constant(node):
                self._constants.update(self._results(node, {}, half=True))
        self._folded = True

    def _results(self, node: Node, values: dict[str, Value], *, half: bool) -> dict[str, Value]:
        if node.operator == LOOP:
            return self._loop(node, values, half=half)
        operator = _known(node)
        arguments = self._arguments(node, operator, values)
        try:
            result = operator.function(**arguments)
            results = result if isinstance(result, (list, tuple)) else [result]
            return {
                output.name: _convert(value, output.type, half=half and not operator.exact)
                for output, value in zip(node.outputs, results, strict=True)
            }
        except _MISFITS as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise ArtifactError(
                f"The operator {node.operator} ({node.location}) does not fit its arguments: "
                f"{reason.rstrip('.')}."
            ) from error

    def _loop(self, node: Node, values: dict[str, Value], *, half: bool) -> dict[str, Value]:
        """Run a loop: its first block says whether to go on, its second computes the variables."""
        if len(node.blocks) != 2:
            raise ArtifactError(f"The loop ({node.location}) has not two blocks.")
        goes_on, body = node.blocks
        variables = [self._value(each, values) for each in node.parameters.get("loop_vars", ())]
        for _ in range(_MOST_TURNS):
            if not np.all(self._block(goes_on, variables, values, half=half)[0]):
                return {
                    output.name: _convert(value, output.type, half=half)
                    for output, value in zip(node.outputs, variables, strict=True)
                }
            variables = self._block(body, variables, values, half=half)
        raise ArtifactError(f"The loop ({node.location}) has no end within {_MOST_TURNS:,} turns.")

    def _block(
        self, block: Block, given: list[Value], around: dict[str, Value], *, half: bool
    ) -> list[Value]:
        values = {**around, **block.constants, **dict(zip(block.inputs, given, strict=True))}
        for node in block.nodes:
            values.update(self._results(node, values, half=half))
        return [self._value(Reference(name), values) for name in block.results]

    def _arguments(
        self, node: Node, operator: Operator, values: dict[str, Value]
    ) -> dict[str, Value]:
        unknown = node.parameters.keys() - operator.parameters - operator.ignored
        if unknown:
            raise UnsupportedOperatorError(
                f"The operator {node.operator} ({node.location}) has a parameter that is not "
                f"known here, {min(unknown)!r}."
            )
        missing = operator.required - node.parameters.keys()
        if missing:
            raise ArtifactError(
                f"The operator {node.operator} ({node.location}) lacks its parameter "
                f"{min(missing)!r}."
            )
        return {
            name: [self._value(argument, values) for argument in arguments]
            if name in operator.lists
            else self._value(arguments[0], values)
            for name, arguments in node.parameters.items()
            if (arguments or name in operator.lists) and name not in operator.ignored
        }

    def _value(self, argument: Value | Reference, values: dict[str, Value]) -> Value:
        if not isinstance(argument, Reference):
            return argument
        name = argument.name
        if name not in values and name not in self._constants:
            raise ArtifactError(f"The ML program computes a constant from {name!r}, which is none.")
        return values[name] if name in values else self._constants[name]


def _known(node: Node) -> Operator:
    operator = find_operator(node.operator)
    if operator is None:
        raise UnsupportedOperatorError(
            f"The operator {node.operator} ({node.location}) cannot be evaluated here",
            "run the model on a Mac, or convert it without that operator.",
        )
    return operator


def round_to_half(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return ``array`` rounded to the nearest float16, as float32."""
    import torch  # several times faster at this than numpy

    if array.ndim == 0:
        return np.asarray(array, np.float16).astype(np.float32)
    tensor = torch.from_numpy(np.ascontiguousarray(array, np.float32))
    rounded: NDArray[np.float32] = tensor.half().float().numpy()
    return rounded


def _is_constant(node: Node) -> bool:
    return node.operator.startswith("constexpr_")


def _convert(value: Value, kind: TensorType | None, *, half: bool) -> Value:
    """Bring a result to its declared type; ``half`` is whether to round float16."""
    if kind is None or kind.dtype == "string" or isinstance(value, (str, list, dict)):
        return value
    array = np.asarray(value)
    if not kind.admits(array.shape):
        raise ValueError(f"the result has shape {list(array.shape)}, declared is {kind.shape}")
    if kind.dtype == "float16":
        return round_to_half(array) if half else array.astype(np.float32, copy=False)
    return array.astype(numpy_dtype(kind.dtype), copy=False)
