"""Which parts of a network 8 bits hurt, and which therefore stay in float32.

A part is put into 8 bits alone, in a simulation; its error is that of the logits.  Errors of parts
add up nearly, as they are small and independent, so that the parts of the largest errors are those
to keep: as few of them as the bound on accuracy needs (the ranking of Nagel et al., "A white paper
on neural network quantization", arXiv 2106.08295, section 4.6).  For the same reason many parts
together show by their error that none of them is harmful, or that many are: parts are halved until
either shows, and only where a file misses its bound are all of them ranked.

A few hundred images estimate a drop of a point badly: one of 200 is half a point, and those of
calibration were often trained on.  The error of the logits has no such grain, so that a part whose
error alone is large for the bound is spared too, whatever the images say.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from affnet.export.quantization.accuracy import accuracy_drop
from affnet.export.quantization.calibration import Calibration
from affnet.export.quantization.simulation import Simulation

# Enough to rank parts, whose errors lie decades apart: of the bundled networks' larger errors, 8
# images give 0.7 to 1.4 of what 32 give.  Ranges come from as many as a batch has.
_IMAGES = 8
_BATCH = 32
# Of the logits' deviation, for each point of accuracy that may be lost: what a part may do to them.
# The bundled network's first blocks lie above it, all else below (docs/accuracy.md).
_ERROR_PER_POINT = 0.015
_TOGETHER = 0.8  # of that, from which on parts that are simulated together are halved
_LEAST_POINTS = 0.5  # a bound of none would ask for a file of float32


@dataclass(frozen=True)
class KeptFloat:
    """A part that stays in float32, and why."""

    part: str
    error: float  # of the logits with this part alone in 8 bits: RMS over the logits' deviation


class Sensitivity:
    """The parts of a network by the harm that 8 bits do them, and how many should be spared."""

    def __init__(
        self,
        harmful: Sequence[KeptFloat],
        needed: int,
        parts: Sequence[str],
        error_of: Callable[[frozenset[str]], float],
    ) -> None:
        """Know the parts that are ``harmful``, the others of ``parts`` only once they matter."""
        self._ranked = sorted(harmful, key=lambda kept: -kept.error)
        self._parts, self._error_of = parts, error_of
        self.needed = needed  # so many must stay in float32, by their errors and by the simulation

    @property
    def count(self) -> int:
        """How many parts there are."""
        return len(self._parts)

    def worst(self, count: int) -> tuple[KeptFloat, ...]:
        """Return so many parts, the largest error first."""
        if count > len(self._ranked):
            known = {kept.part for kept in self._ranked}
            rest = [part for part in self._parts if part not in known]
            self._ranked += [KeptFloat(part, self._error_of(frozenset({part}))) for part in rest]
            self._ranked.sort(key=lambda kept: -kept.error)
        return tuple(self._ranked[:count])


def measure_sensitivity(
    network: nn.Module,
    calibration: Calibration,
    max_drop: float,
    progress: Callable[[str], None] = lambda _: None,
) -> Sensitivity:
    """Find the parts of ``network`` that 8 bits harm, and how few to spare for ``max_drop``.

    Args:
        network: in eval mode; its batch norms folded, as the converters fold them.
        calibration: the ranges come from its images, and the accuracy from all of them.
        max_drop: points of top-1 accuracy.
        progress: called with each simulation.
    """
    images = torch.from_numpy(calibration.images)
    sample = images[:_IMAGES]
    simulation = Simulation(network, images[:_BATCH])
    exact = simulation.remember(sample)
    runs = itertools.count(1)

    def error_of(parts: frozenset[str]) -> float:
        which = next(iter(parts)) if len(parts) == 1 else f"{len(parts)} parts at once"
        progress(f"Simulating 8 bits, run {next(runs)}: {which}")
        error = simulation.outputs(sample, parts) - exact
        return float(error.std(correction=0) / exact.std(correction=0))

    noticeable = _ERROR_PER_POINT * max(max_drop, _LEAST_POINTS)
    harmful = _harmful(simulation.parts, noticeable, error_of)
    found = Sensitivity(harmful, len(harmful), simulation.parts, error_of)
    progress("Simulating 8 bits in all parts")
    reference = _outputs(simulation, images, frozenset())
    while found.needed < found.count:
        kept = {one.part for one in found.worst(found.needed)}
        quantised = _outputs(simulation, images, frozenset(simulation.parts) - kept)
        if accuracy_drop(reference, quantised, calibration) <= max_drop:
            break
        found.needed = min(2 * found.needed or 1, found.count)
    return found


def _harmful(
    parts: Sequence[str], noticeable: float, error_of: Callable[[frozenset[str]], float]
) -> list[KeptFloat]:
    """Return the parts whose error alone is noticeable, by halving those that show some together.

    Errors of several may cancel each other in part, so that they count from a little less on.  As
    their squares add up, so many that are noticeable on average hold too many for halves to help.
    """
    error = error_of(frozenset(parts))
    if len(parts) == 1:
        return [KeptFloat(parts[0], error)] if error > noticeable else []
    if error <= _TOGETHER * noticeable:
        return []
    if error > math.sqrt(len(parts)) * noticeable:
        alone = [KeptFloat(part, error_of(frozenset({part}))) for part in parts]
        return [kept for kept in alone if kept.error > noticeable]
    middle = len(parts) // 2
    return [
        *_harmful(parts[:middle], noticeable, error_of),
        *_harmful(parts[middle:], noticeable, error_of),
    ]


def _outputs(
    simulation: Simulation, images: torch.Tensor, parts: frozenset[str]
) -> NDArray[np.float32]:
    batches = [simulation.outputs(batch, parts).numpy() for batch in torch.split(images, _BATCH)]
    return np.concatenate(batches)
