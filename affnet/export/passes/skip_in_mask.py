"""The frequency filter with its skip connection inside the mask."""

from __future__ import annotations

from torch import Tensor, nn

from affnet.export.fourier.plans.base import DFTPlan
from affnet.model.mixer import AdaptiveFrequencyFilter, Spectrum, complex_product


class SkipInMask(nn.Module):
    """A frozen `AdaptiveFrequencyFilter` that adds its input by adding 1 to its mask.

    The inverse transform of the input's own spectrum X is the input x, and it is linear::

        irfft2(M X) + x = irfft2(M X) + irfft2(X) = irfft2((M + 1) X)

    That saves the pass over the map that adds x, for half a pass over the spectrum: with the 1 / 2
    in the bias of the MLP's last layer, soft shrinkage of m with threshold t and the 1 together
    are::

        max(m + 1/2, 1/2 + t) + min(m + 1/2, 1/2 - t) = m - clip(m, -t, t) + 1
    """

    def __init__(self, mixer: AdaptiveFrequencyFilter) -> None:
        super().__init__()
        assert mixer.frozen is not None  # `fold_linear_maps` comes first
        *_, real_bias, _ = mixer.frozen.buffers()
        real_bias += 0.5
        self.mixer = mixer

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape, in float32."""
        transform, threshold = self.mixer.transform, self.mixer.THRESHOLD
        spectrum = transform.analyse(x)
        mask = self.mixer.mix_channels(spectrum)
        mask = Spectrum(shrink_plus_one(mask.real, threshold), self.mixer.shrink(mask.imag))
        return transform.synthesise(complex_product(mask, spectrum), x.shape[-1])


def shrink_plus_one(shifted: Tensor, threshold: float) -> Tensor:
    """Return 1 plus the soft shrinkage of ``shifted`` - 1 / 2; see `SkipInMask`."""
    return shifted.clamp(min=0.5 + threshold) + shifted.clamp(max=0.5 - threshold)


def merge_skips(model: nn.Module) -> None:
    """Put the skip of each filter that has a DFT plan into its mask, in place."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, AdaptiveFrequencyFilter) and isinstance(child.transform, DFTPlan):
                setattr(module, name, SkipInMask(child))
