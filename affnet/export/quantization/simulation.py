"""What a network computes with some of its parts in 8 bits, simulated in PyTorch.

Each operator that has weights, or combines activations, gets its operands rounded to 8 bits: a
constant with a scale for each output channel or row, an activation with one for all, between the
smallest and the largest value that calibration met (as Jacob et al., arXiv 1712.05877, section 3).
Normalisations stay in float32, as the converters leave them.

Of images that were run exactly once, `Simulation.remember`, what comes before the first part in 8
bits is not computed again: most parts lie behind the large maps, which cost most.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from affnet.export.quantization.layers import part_of

_OPERATORS = {
    "conv2d": "conv", "linear": "linear", "matmul": "matmul", "mul": "mul", "add": "add",
    "sub": "sub", "clamp": "clamp",
}  # fmt: skip
_STEPS = 255


#: What results of an exact run may take in memory; what comes after is computed again each time.
_REMEMBERED_BYTES = 2**29


class Simulation:
    """A network whose parts can be put into 8 bits one by one."""

    def __init__(self, network: nn.Module, images: Tensor) -> None:
        """Calibrate on ``images``, N x 3 x H x W."""
        self._network = network
        self._constants = {id(t) for t in (*network.parameters(), *network.buffers())}
        self._module = ""
        self._calls: list[tuple[str, list[tuple[float, float] | None]]] = []
        self._remembered: tuple[Tensor, list[_Result]] | None = None
        with self._names(), torch.inference_mode(), _Mode(self._observe):
            network(images)

    @property
    def parts(self) -> list[str]:
        """Return the parts, in the order of their first operator."""
        return list(dict.fromkeys(part for part, _ in self._calls))

    def remember(self, images: Tensor) -> Tensor:
        """Return what the network gives exactly, and spare `outputs` of ``images`` its beginning.

        Nothing is spared where the network writes into its own results.
        """
        results: list[_Result] = []
        with torch.no_grad(), _Mode(lambda _, operands: operands, record=results):
            exact: Tensor = self._network(images)
        written = any(result.version != _version(result.value) for result in results)
        self._remembered = None if written else (images, results)
        return exact

    def outputs(self, images: Tensor, parts: frozenset[str]) -> Tensor:
        """Return what the network gives with ``parts`` in 8 bits."""
        known = self._before(images, parts)
        calls = iter(self._calls[sum(result.is_operator for result in known) :])

        def round_operands(_: str, operands: list[Any]) -> list[Any]:
            part, ranges = next(calls)
            if part not in parts:
                return operands
            pairs = zip(operands, ranges, strict=True)
            return [self._rounded(operand, bounds) for operand, bounds in pairs]

        with torch.inference_mode(), _Mode(round_operands, replay=known):
            result: Tensor = self._network(images)
        return result

    def _before(self, images: Tensor, parts: frozenset[str]) -> list[_Result]:
        """Return the remembered results up to the first operator of ``parts``."""
        if self._remembered is None or self._remembered[0] is not images:
            return []
        affected = (i for i, (part, _) in enumerate(self._calls) if part in parts)
        first = next(affected, len(self._calls))
        operators = itertools.count()
        return list(
            itertools.takewhile(
                lambda result: not result.is_operator or next(operators) < first,
                self._remembered[1],
            )
        )

    def _observe(self, operator: str, operands: list[Any]) -> list[Any]:
        ranges = [
            None if self._is_constant(x) else (min(float(x.min()), 0.0), max(float(x.max()), 0.0))
            for x in operands
        ]
        self._calls.append((part_of(self._module, operator), ranges))
        return operands

    def _is_constant(self, operand: Any) -> bool:
        return not isinstance(operand, Tensor) or id(operand) in self._constants

    def _rounded(self, operand: Any, bounds: tuple[float, float] | None) -> Any:
        if not isinstance(operand, Tensor):
            return operand
        if bounds is None:
            return _rounded_weights(operand)
        low, high = bounds
        scale = max(high - low, 1e-12) / _STEPS
        zero = round(-low / scale)
        steps = (operand / scale).round() + zero
        return (steps.clamp(0, _STEPS) - zero) * scale

    @contextmanager
    def _names(self) -> Iterator[None]:
        """Know the path of the innermost module that runs, while this is active."""
        stack: list[str] = []
        handles = []
        for name, module in self._network.named_modules():

            def enter(*_: Any, name: str = name) -> None:
                stack.append(name)
                self._module = name

            def leave(*_: Any) -> None:
                stack.pop()
                self._module = stack[-1] if stack else ""

            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


@dataclass(frozen=True)
class _Result:
    """What one function of torch gave, and whether it is one of `_OPERATORS`."""

    value: Any
    is_operator: bool
    version: int  # which grows with each time that anything is written into the value


def _version(value: Any) -> int:
    return value._version if isinstance(value, Tensor) else 0


class _Mode(TorchFunctionMode):
    """Passes the operands of each operator of `_OPERATORS` through a function.

    ``replay`` holds the results of the first functions, which are not called; ``record`` takes the
    results of all, up to `_REMEMBERED_BYTES`.
    """

    def __init__(
        self,
        change: Callable[[str, list[Any]], list[Any]],
        *,
        replay: Sequence[_Result] = (),
        record: list[_Result] | None = None,
    ) -> None:
        super().__init__()
        self._change = change
        self._replay = iter(replay)
        self._record = record
        self._room = _REMEMBERED_BYTES

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call ``func``, a function or method of torch."""
        if (known := next(self._replay, None)) is not None:
            return known.value
        name = str(getattr(func, "__name__", "")).partition(".")[0].strip("_")
        operator = _OPERATORS.get(name.removeprefix("r").removeprefix("i"), _OPERATORS.get(name))
        if operator is not None:
            count = 1 if operator == "clamp" else 2
            operands = self._change(operator, list(args[:count]))
            args = (*operands, *args[count:])
        result = func(*args, **(kwargs or {}))
        if self._record is not None:
            self._room -= result.nbytes if isinstance(result, Tensor) else 0
            if self._room >= 0:
                self._record.append(_Result(result, operator is not None, _version(result)))
        return result


def _rounded_weights(weights: Tensor) -> Tensor:
    """Round to 8 signed bits with a scale per output channel, or row of a matrix.

    Biases and what has one number per channel are added in higher precision, so they stay.
    """
    if weights.ndim < 2:
        return weights
    axes = tuple(range(1, weights.ndim)) if weights.ndim == 4 else (-1,)
    scale = weights.abs().amax(axes, keepdim=True).clamp(min=1e-12) / 127
    return (weights / scale).round() * scale
