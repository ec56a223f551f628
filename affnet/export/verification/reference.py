"""What PyTorch computes, and how far float32 determines it.

Near the cut of an angle, at 0 / 0 or where everything cancels, another order of the same float32
additions gives another result, and a file that differs there is not wrong.  How far that goes is
found by running the network again in float64, once as it is and a few times with what each
operator rounds or sums changed by about the rounding of float32, as Monte Carlo arithmetic does
(D. S. Parker, "Monte Carlo Arithmetic: exploiting randomness in floating-point arithmetic", UCLA
CSD-970002, 1997).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affnet.artifact import Arrays, TensorSpec
from affnet.errors import UsageError, first_line
from affnet.export.passes.heads import AnchorBoxes, ClassMap, Detector, Probabilities
from affnet.export.verification.arithmetic import Arithmetic, Magnitudes, wide
from affnet.export.verification.inputs import EXAMPLE, VerificationInput, usual_inputs
from affnet.export.verification.subject import Outputs, split_outputs
from affnet.model.source import Source

#: How often to run again with other roundings: few times, and more where that explains nothing.
RERUNS = (6, 16)

#: So many inputs a network must take, its example among them.
_FEWEST = 3


def outputs_of(result: Any) -> tuple[Tensor, ...]:
    """Return a network's outputs, one or several, as a tuple."""
    return result if isinstance(result, tuple) else (result,)


def reference_outputs(source: Source, arrays: Arrays) -> Outputs:
    """Return what PyTorch gives, one array for each output.

    ``arrays`` are what the network takes: images, N x 3 x H x W in 0..1, whose outputs are joined
    on the first axis, or an array for each input.

    Raises:
        UsageError: a network of the user's own fails on them.
    """
    if not source.input.is_image:
        try:
            with torch.no_grad():  # a forward may ask for gradients of its own
                # copies, as a network may write to what it is given
                outputs = outputs_of(source.model(*map(torch.tensor, arrays)))
                return [output.detach().numpy() for output in outputs]
        except Exception as error:  # the user's own code
            raise UsageError(
                f"{source.name} fails on an input that it is verified on "
                f"({type(error).__name__}: {first_line(error)})",
                "let build() return an example whose numbers span all that it takes.",
            ) from error
    (images,) = arrays
    step = 1 if source.task in ("segmentation", "detection") else 50  # maps take memory
    with torch.inference_mode():
        batches = [
            outputs_of(source.model(batch)) for batch in torch.split(torch.from_numpy(images), step)
        ]
    return [torch.cat(parts).numpy() for parts in zip(*batches, strict=True)]


class Reference:
    """PyTorch's side of a comparison: each input's outputs, computed once for all files."""

    def __init__(self, source: Source) -> None:
        network = source.model
        # what follows it in a file is compared apart
        if isinstance(network, AnchorBoxes | ClassMap | Detector | Probabilities):
            network = network.network
        self.network = network
        self.source = dataclasses.replace(source, model=network)  # without a head
        #: Inputs of `usual_inputs` that the network raises on, and how.
        self.rejected: dict[str, str] = {}
        self._usual: dict[tuple[tuple[TensorSpec, ...], bool], list[VerificationInput]] = {}
        self._outputs: dict[tuple[int, ...], tuple[Arrays, Outputs]] = {}  # by arrays' ids

    def usual_inputs(self, taken: tuple[TensorSpec, ...], *, half: bool) -> list[VerificationInput]:
        """Return `affnet.export.verification.inputs.usual_inputs`, the same ones each time.

        Without those that a network of the user's own raises on, which are then in `rejected`: a
        measure of pictures takes numbers of 0..1, a system of equations no zeros.

        Raises:
            UsageError: it raises on its example, or on most of them.
        """
        key = (taken, half)
        if key not in self._usual:
            found = usual_inputs(taken, self.source.example, half=half)
            self._usual[key] = found if self.source.input.is_image else self._taken(found)
        return self._usual[key]

    def not_compared(self) -> str:
        """Return what to say of the inputs that were left out, of which there are some."""
        name, reason = next(iter(self.rejected.items()))
        return f"Not compared on {len(self.rejected)} inputs that it raises on: {name} ({reason})"

    def _taken(self, inputs: list[VerificationInput]) -> list[VerificationInput]:
        taken, last = [], None
        for one in inputs:
            try:
                self.outputs([one.arrays])
                taken.append(one)
            except UsageError as error:
                if one.name == EXAMPLE:
                    raise
                last = error
                self.rejected[one.name] = first_line(error.__cause__ or error)
        if last is not None and len(taken) < _FEWEST:
            raise last
        return taken

    def outputs(self, inputs: Sequence[Arrays]) -> list[Outputs]:
        """Return the outputs for each of ``inputs``; images may be several, N x 3 x H x W."""
        new = [arrays for arrays in inputs if _key(arrays) not in self._outputs]
        for arrays, outputs in zip(new, self._computed(new), strict=True):
            self._outputs[_key(arrays)] = (arrays, outputs)  # alive, so that no other gets its id
        return [self._outputs[_key(arrays)][1] for arrays in inputs]

    def _computed(self, inputs: Sequence[Arrays]) -> list[Outputs]:
        if not inputs:
            return []
        if not self.source.input.is_image:
            return [reference_outputs(self.source, arrays) for arrays in inputs]
        images = np.concatenate([images for (images,) in inputs])
        return split_outputs(reference_outputs(self.source, (images,)), inputs)


def _key(arrays: Arrays) -> tuple[int, ...]:
    return tuple(map(id, arrays))


def uncertainties(
    network: nn.Module, arrays: Arrays, outputs: Outputs
) -> Iterator[list[NDArray[np.float64]]]:
    """Yield how far float32 leaves each value of ``outputs`` open, from ever more runs.

    Args:
        network: what gave them, in eval mode and `widened`.
        arrays: its inputs.
        outputs: what it gave in float32.

    Yields:
        After each number of `RERUNS`, for each output the largest distance, value by value, of its
        float32 result and of results with other roundings from that in float64; infinity where one
        of them is no finite number.
    """
    exact = _run(network, arrays, Arithmetic(None))
    if exact is None:  # an operator that float64 lacks: nothing is known, and nothing open
        yield [np.zeros(output.shape) for output in outputs]
        return
    spreads = list(map(_distance, outputs, exact))
    magnitudes: Magnitudes = {}
    for seed in range(RERUNS[-1]):
        found = _run(network, arrays, Arithmetic(seed, magnitudes)) or outputs
        spreads = list(map(np.maximum, spreads, map(_distance, found, exact)))
        if seed + 1 in RERUNS:
            yield spreads


def outputs_in_float64(network: nn.Module, arrays: Arrays) -> list[NDArray[np.float64]] | None:
    """Return what a network written for float32 gives in float64, None if it does not run so."""
    return _run(widened(network), arrays, Arithmetic(None))


def widened(network: nn.Module) -> nn.Module:
    """Return a copy of a network with its weights in float64."""
    network = copy.deepcopy(network)
    network._apply(wide)  # type: ignore[no-untyped-call]  # some operators ask for types first
    return network


def _distance(value: NDArray[Any], centre: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        distance = np.abs(np.asarray(value, np.float64) - centre)
    return np.where(np.isnan(distance), np.inf, distance)


def _run(network: nn.Module, arrays: Arrays, mode: Arithmetic) -> list[NDArray[np.float64]] | None:
    """Return the outputs under ``mode``, None where the network does not run so."""
    try:
        with torch.no_grad(), mode:
            outputs = outputs_of(network(*map(wide, map(torch.tensor, arrays))))
        return [output.double().numpy() for output in outputs]
    except Exception:  # of any kind: it was written for float32
        return None
