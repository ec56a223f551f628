"""DFT plans: one file each, and one entry here."""

from affnet.export.fourier.plans.base import DFTPlan
from affnet.export.fourier.plans.channels_last import ChannelsLastPlan
from affnet.export.fourier.plans.dense import DensePlan
from affnet.export.fourier.plans.folded import FoldedPlan
from affnet.export.fourier.plans.folded_channels_last import FoldedChannelsLastPlan
from affnet.export.fourier.plans.mixed_radix import MixedRadixPlan
from affnet.export.fourier.plans.mixed_radix_channels_last import MixedRadixChannelsLastPlan
from affnet.export.fourier.plans.right_products import RightProductsPlan
from affnet.export.fourier.plans.separable import SeparablePlan

PLANS: dict[str, type[DFTPlan]] = {
    plan.name: plan
    for plan in (
        SeparablePlan,
        FoldedPlan,
        RightProductsPlan,
        DensePlan,
        ChannelsLastPlan,
        FoldedChannelsLastPlan,
        MixedRadixPlan,
        MixedRadixChannelsLastPlan,
    )
}
