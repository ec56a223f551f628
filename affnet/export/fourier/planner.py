"""Choosing a DFT plan for each map size, and putting it into a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from affnet.errors import UnknownNameError
from affnet.export.fourier.costs import PlanCosts
from affnet.export.fourier.plans import PLANS
from affnet.export.fourier.plans.base import MapSize
from affnet.export.fourier.sequence import FACTORED, replace_sequence_transforms
from affnet.model.mixer import FrequencyMixer
from affnet.units import image_size

#: What ``--fft`` takes: ``auto`` predicts which plan is fastest, ``measure`` times them, ``native``
#: leaves the transform to the runtime's own FFT operator.
FFT_CHOICES = ("auto", "measure", "native", *PLANS)


@dataclass(frozen=True)
class Candidate:
    """A plan for one map size."""

    plan: str
    microseconds: float | None  # None where it could not be measured


def rank_plans(size: MapSize, plans: Sequence[str], costs: PlanCosts) -> list[Candidate]:
    """Return ``plans`` as candidates, the fastest first; those without a cost come last."""
    candidates = [Candidate(plan, costs.microseconds(plan, size)) for plan in plans]
    return sorted(  # stable: of equals, the first in the converter's order
        candidates,
        key=lambda c: float("inf") if c.microseconds is None else c.microseconds,
    )


def replace_transforms(
    model: nn.Module, shape: Sequence[int], fft: str, plans: Sequence[str], costs: PlanCosts
) -> dict[str, str]:
    """Give each frequency filter of ``model``, in place, the transform that ``fft`` names.

    ``shape`` is that of the model's input.  ``auto`` and ``measure`` choose among ``plans``, those
    that suit the runtime, by ``costs``.

    FNet's transforms, for which there is but one plan, get it unless ``fft`` is ``native``.

    Returns the plan of each map size, ``{"32x32": "separable", ..}``; empty where the network has
    no Fourier transform.

    Raises:
        UnknownNameError: ``fft`` is none of `FFT_CHOICES`.
    """
    if fft not in FFT_CHOICES:
        raise UnknownNameError("FFT plan", fft, FFT_CHOICES)
    chosen: dict[str, str] = {}
    if fft != "native":  # first: it runs the model, whose filters are not whole until frozen
        for height, width in replace_sequence_transforms(model, torch.zeros(*shape)):
            chosen[image_size(height, width)] = FACTORED
    for mixer, size in filter_maps(model, shape).items():
        name = fft
        if fft in ("auto", "measure"):
            name = rank_plans(size, plans, costs)[0].plan
        if name != "native":
            mixer.transform = PLANS[name](size.height, size.width)
        chosen[image_size(size.height, size.width)] = name
    return chosen


def filter_maps(model: nn.Module, shape: Sequence[int]) -> dict[FrequencyMixer, MapSize]:
    """Return the maps that each frequency filter sees on inputs of ``shape``."""
    maps: dict[FrequencyMixer, MapSize] = {}

    def record(mixer: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(mixer, FrequencyMixer)
        _, channels, height, width = args[0].shape
        maps[mixer] = MapSize(channels, height, width)

    filters = [m for m in model.modules() if isinstance(m, FrequencyMixer)]
    if not filters:
        return maps
    hooks = [mixer.register_forward_pre_hook(record) for mixer in filters]
    try:
        with torch.no_grad():
            model(torch.zeros(*shape))
    finally:
        for hook in hooks:
            hook.remove()
    return maps
