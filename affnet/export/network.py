"""The network that a converter gets: real-valued, with what can be folded beforehand folded."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from affnet.export.folding import fold_linear_maps, freeze_anchors
from affnet.export.fourier.costs import PlanCosts
from affnet.export.fourier.planner import replace_transforms
from affnet.export.fourier.rewrite import rewrite_program
from affnet.model.source import Source


@dataclass(frozen=True)
class PreparedNetwork:
    """A network to convert, and how its Fourier transforms are computed."""

    module: nn.Module
    fft_plan: dict[str, str]  # map size, or "graph", to the plan; empty where there is no FFT


def prepare_network(
    source: Source, shape: tuple[int, ...], fft: str, plans: Sequence[str], costs: PlanCosts
) -> PreparedNetwork:
    """Return ``source``'s network for inputs of ``shape``, its transforms computed as ``fft`` says.

    A network of this package gets a DFT plan in each of its filters; a program of the user's own
    is rewritten operator by operator.

    Raises:
        ConversionError: the program has an operator that the rewrite cannot express.
    """
    if source.program is None:
        network = copy.deepcopy(source.model).eval()
        fft_plan = replace_transforms(network, shape, fft, plans, costs)
        freeze_anchors(network, shape)
        fold_linear_maps(network)
        return PreparedNetwork(network, fft_plan)
    with warnings.catch_warnings():  # torch's, about its own deprecated parts
        warnings.simplefilter("ignore")
        rewritten = rewrite_program(source.program).program
        if rewritten is source.program:
            return PreparedNetwork(source.program.module(), {})
        if fft == "native":
            return PreparedNetwork(source.program.module(), {"graph": "native"})
        return PreparedNetwork(rewritten.module(), {"graph": "rewritten"})
