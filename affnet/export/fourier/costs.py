"""What a frequency filter costs on a runtime: predicted from arithmetic and data moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from affnet.export.fourier.plans import PLANS
from affnet.export.fourier.plans.base import Cost, MapSize


class PlanCosts(Protocol):
    """Says what a filter costs with a plan."""

    kind: str  # "predicted" or "measured"

    def microseconds(self, plan: str, size: MapSize) -> float | None:
        """Return the cost of one filter on maps of ``size``, None if it is not known."""
        ...


@dataclass(frozen=True)
class Speed:
    """What a runtime takes, on one thread of the machine it was calibrated on."""

    us_per_million_macs: float
    us_per_product: float
    us_per_megabyte: float
    us_per_operator: float


_ONNX_RUNTIME = Speed(18.3, us_per_product=0.14, us_per_megabyte=16, us_per_operator=2.6)
#: Fitted by ``python benchmarks/mixer.py --runtime R --calibrate`` on one core of an AMD EPYC,
#: ExecuTorch's on one of an Intel Xeon.
#: Choices depend on the ratios only; for those of another machine, measure (``--fft measure``).
SPEEDS = {
    "onnxruntime": _ONNX_RUNTIME,
    "litert": Speed(22.2, us_per_product=0.47, us_per_megabyte=10.2, us_per_operator=1.1),
    "executorch": Speed(14.5, us_per_product=1.1, us_per_megabyte=17, us_per_operator=0.4),
}  # Core ML is not among them: that takes a Mac


def speed_of(runtime: str) -> Speed:
    """Return the speed of a runtime, ONNX Runtime's for one that was not calibrated."""
    return SPEEDS.get(runtime, _ONNX_RUNTIME)


#: Runtimes whose batched products take a constant on the left as it is; the others' converters
#: would repeat or transpose it.
LEFT_PRODUCTS = ("onnxruntime",)

# Passes of the mask over the spectra, in the numbers of one real part read or written: the four
# convolutions, the sum and the activation between them, shrinkage, and the complex product.
_MASK_PASSES = 50


class PredictedCosts:
    """Costs by a linear model: arithmetic, products started, bytes moved."""

    kind = "predicted"

    def __init__(self, runtime: str) -> None:
        self.speed = speed_of(runtime)

    def microseconds(self, plan: str, size: MapSize) -> float:
        """See `PlanCosts.microseconds`."""
        cost = filter_cost(plan, size)
        return (
            cost.macs / 1e6 * self.speed.us_per_million_macs
            + cost.products * self.speed.us_per_product
            + cost.bytes / 1e6 * self.speed.us_per_megabyte
            + cost.operators * self.speed.us_per_operator
        )


def filter_cost(plan: str, size: MapSize) -> Cost:
    """Return what a whole filter costs: both transforms by ``plan``, and the mask."""
    frequencies = PLANS[plan].frequencies(size)
    mask = Cost(
        macs=size.channels * frequencies,  # 8 blocks of C / 8 channels, complex, two layers
        products=4,
        bytes=4 * _MASK_PASSES * frequencies,
        operators=0,  # the same for all plans
    )
    return PLANS[plan].cost(size) + mask
