"""Choosing a DFT plan for each map size, and putting it into a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from affnet.errors import UnknownNameError
from affnet.export.fourier.plans.base import DFTPlan
from affnet.export.fourier.plans.channels_last import ChannelsLastPlan
from affnet.export.fourier.plans.dense import DensePlan
from affnet.export.fourier.plans.right_products import RightProductsPlan
from affnet.export.fourier.plans.separable import SeparablePlan
from affnet.model.mixer import AdaptiveFrequencyFilter
from affnet.units import image_size as size_text

PLANS: dict[str, type[DFTPlan]] = {
    plan.name: plan for plan in (SeparablePlan, RightProductsPlan, DensePlan, ChannelsLastPlan)
}
#: What ``--fft`` takes: ``native`` leaves the transform to the runtime's own FFT operator.
FFT_CHOICES = ("auto", "native", *PLANS)

# Starting one product costs a CPU runtime about as much as this many multiply-accumulates
# (benchmarks/mixer.py shows how well its choices do on a machine).
_MACS_PER_PRODUCT = 10_000


def choose_plan(channels: int, height: int, width: int, candidates: Sequence[str]) -> type[DFTPlan]:
    """Return the plan among ``candidates`` with the least predicted cost for C x H x W maps."""

    def predicted(plan: type[DFTPlan]) -> int:
        cost = plan.cost(channels, height, width)
        return cost.macs + cost.products * _MACS_PER_PRODUCT

    return min((PLANS[name] for name in candidates), key=predicted)


def replace_transforms(
    model: nn.Module, image_size: tuple[int, int], fft: str, candidates: Sequence[str]
) -> dict[str, str]:
    """Give each frequency filter of ``model``, in place, the transform that ``fft`` names.

    ``auto`` chooses among ``candidates``, the plans that suit the runtime.

    Returns the plan of each map size, ``{"32x32": "separable", ..}``; empty where the network has
    no Fourier transform.

    Raises:
        UnknownNameError: ``fft`` is none of `FFT_CHOICES`.
    """
    if fft not in FFT_CHOICES:
        raise UnknownNameError("FFT plan", fft, FFT_CHOICES)
    chosen: dict[str, str] = {}
    for mixer, (channels, height, width) in _filter_maps(model, image_size).items():
        name = size_text(height, width)
        if fft == "native":
            chosen[name] = "native"
            continue
        plan = choose_plan(channels, height, width, candidates) if fft == "auto" else PLANS[fft]
        mixer.transform = plan(height, width)
        chosen[name] = plan.name
    return chosen


def _filter_maps(
    model: nn.Module, image_size: tuple[int, int]
) -> dict[AdaptiveFrequencyFilter, tuple[int, int, int]]:
    """Return the C x H x W that each frequency filter sees on images of ``image_size``."""
    maps: dict[AdaptiveFrequencyFilter, tuple[int, int, int]] = {}

    def record(mixer: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(mixer, AdaptiveFrequencyFilter)
        _, channels, height, width = args[0].shape
        maps[mixer] = (channels, height, width)

    filters = [m for m in model.modules() if isinstance(m, AdaptiveFrequencyFilter)]
    if not filters:
        return maps
    hooks = [mixer.register_forward_pre_hook(record) for mixer in filters]
    try:
        with torch.no_grad():
            model(torch.zeros(1, 3, *image_size))
    finally:
        for hook in hooks:
            hook.remove()
    return maps
