"""Which parts of a network 8 bits hurt, and which therefore stay in float32.

Each part is put into 8 bits alone, in a simulation; its error is that of the logits.  Errors of
parts add up nearly, as they are small and independent, so that the parts of the largest errors are
those to keep: as few of them as the bound on accuracy needs (the ranking of Nagel et al., "A white
paper on neural network quantization", arXiv 2106.08295, section 4.6).

A few hundred images estimate a drop of a point badly: one of 200 is half a point, and those of
calibration were often trained on.  The error of the logits has no such grain, so that a part whose
error alone is large for the bound is spared too, whatever the images say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from affnet.export.quantization.accuracy import accuracy_drop
from affnet.export.quantization.calibration import Calibration
from affnet.export.quantization.simulation import Simulation

# Enough to rank parts: their errors lie decades apart.
_IMAGES = 32
_BATCH = 32
# Of the logits' deviation, for each point of accuracy that may be lost: what a part may do to them.
# The bundled network's first blocks lie above it, all else below (docs/accuracy.md).
_ERROR_PER_POINT = 0.015
_LEAST_POINTS = 0.5  # a bound of none would ask for a file of float32


@dataclass(frozen=True)
class KeptFloat:
    """A part that stays in float32, and why."""

    part: str
    error: float  # of the logits with this part alone in 8 bits: RMS over the logits' deviation


@dataclass(frozen=True)
class Sensitivity:
    """The parts of a network by the harm that 8 bits do them, and how many should be spared."""

    ranked: tuple[KeptFloat, ...]  # the largest error first
    needed: int  # so many must stay in float32, by their errors and by the simulation


def measure_sensitivity(
    network: nn.Module,
    calibration: Calibration,
    max_drop: float,
    progress: Callable[[str], None] = lambda _: None,
) -> Sensitivity:
    """Rank the parts of ``network``, and find how few must be spared to lose at most ``max_drop``.

    Args:
        network: in eval mode; its batch norms folded, as the converters fold them.
        calibration: the ranges come from its images, and the accuracy from all of them.
        max_drop: points of top-1 accuracy.
        progress: called with each part.
    """
    images = torch.from_numpy(calibration.images)
    sample = images[:_IMAGES]
    simulation = Simulation(network, sample)
    exact = simulation.outputs(sample, frozenset())
    ranked = []
    parts = simulation.parts
    for number, part in enumerate(parts, start=1):
        progress(f"Simulating 8 bits, part {number} of {len(parts)}: {part}")
        error = simulation.outputs(sample, frozenset({part})) - exact
        ranked.append(KeptFloat(part, float(error.std(correction=0) / exact.std(correction=0))))
    ranked.sort(key=lambda kept: -kept.error)
    progress("Simulating 8 bits in all parts")
    reference = _outputs(simulation, images, frozenset())
    noticeable = _ERROR_PER_POINT * max(max_drop, _LEAST_POINTS)
    needed = sum(kept.error > noticeable for kept in ranked)
    while needed < len(ranked):
        quantised = frozenset(kept.part for kept in ranked[needed:])
        if (
            accuracy_drop(reference, _outputs(simulation, images, quantised), calibration)
            <= max_drop
        ):
            break
        needed = 2 * needed or 1
    return Sensitivity(tuple(ranked), min(needed, len(ranked)))


def _outputs(
    simulation: Simulation, images: torch.Tensor, parts: frozenset[str]
) -> NDArray[np.float32]:
    batches = [simulation.outputs(batch, parts).numpy() for batch in torch.split(images, _BATCH)]
    return np.concatenate(batches)
