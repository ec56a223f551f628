"""AFNO, the adaptive Fourier neural operator."""

from __future__ import annotations

from torch import Tensor

from affnet.model.mixer import FrequencyMLP


class AdaptiveFourierOperator(FrequencyMLP):
    """Replace the spectrum by the output of a complex channel MLP, frequency by frequency.

    ``y = irfft2(shrink(W2 relu(W1 X + b1) + b2)) + x`` with X = rfft2(x), in 8 blocks of channels,
    soft shrinkage with threshold 0.01, and all modes kept, as in the published code.
    AFF differs in that it multiplies X by the outcome.
    """

    source = "AFNO, arXiv 2111.13587, section 4"
    complexity = "N log N C + N C^2 / 8"

    def __init__(self, channels: int) -> None:
        super().__init__(channels, activation="relu")

    def _filter(self, x: Tensor) -> Tensor:
        spectrum = self.shrunk(self.transform.analyse(x))
        return self.transform.synthesise(spectrum, x.shape[-1]) + x
