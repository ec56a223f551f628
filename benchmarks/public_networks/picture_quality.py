"""Pictures restored, filled in and judged."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.public_networks.registry import Built, Calling, network

PIQ = "piq 0.8.0"
PYIQA = "pyiqa 0.1.16"
SPANDREL = "spandrel 0.4.2"


def _two() -> tuple[Tensor, Tensor]:
    return torch.rand(1, 3, 48, 48), torch.rand(1, 3, 48, 48)


@network("similarity of phase congruency and gradients", PIQ)
def feature_similarity() -> Built:
    import piq

    return Calling(piq.fsim), _two()


@network("similarity of spectral residuals", PIQ)
def residual_similarity() -> Built:
    import piq

    return Calling(piq.srsim), _two()


@network("similarity of saliency", PIQ)
def saliency_similarity() -> Built:
    import piq

    return Calling(piq.vsi), _two()


@network("feature similarity, PIQA", "piqa 1.3.2")
def piqa_similarity() -> Built:
    from piqa import FSIM

    return FSIM(), _two()


@network("feature similarity, IQA-PyTorch", PYIQA)
def iqa_similarity() -> Built:
    from pyiqa.archs.fsim_arch import FSIM

    return FSIM(), _two()


@network("similarity of complex wavelets", PYIQA)
def wavelet_similarity() -> Built:
    from pyiqa.archs.ssim_arch import CW_SSIM

    return CW_SSIM(level=2, ori=4), _two()


@network("apparent distortion", PYIQA)
def apparent_distortion() -> Built:
    from pyiqa.archs.mad_arch import MAD

    x, y = _two()
    return MAD(), (torch.nn.functional.interpolate(x, 64), torch.nn.functional.interpolate(y, 64))


@network("FFTformer", SPANDREL)
def fft_former() -> Built:
    from spandrel.architectures.FFTformer.__arch.fftformer_arch import FFTformer

    return FFTformer(dim=8, num_blocks=[1, 1, 1], num_refinement_blocks=1), torch.rand(1, 3, 32, 32)


@network("LaMa, with its residual blocks", SPANDREL)
def big_lama() -> Built:
    from spandrel.architectures.LaMa.__arch.LaMa import FFCResNetGenerator

    ratios = {"ratio_gin": 0, "ratio_gout": 0, "enable_lfu": False}
    model = FFCResNetGenerator(
        4,
        3,
        ngf=8,
        n_downsampling=2,
        n_blocks=2,
        init_conv_kwargs=ratios,
        downsample_conv_kwargs=ratios,
        resnet_conv_kwargs={"ratio_gin": 0.75, "ratio_gout": 0.75, "enable_lfu": False},
    )
    return model, (torch.rand(1, 3, 32, 32), (torch.rand(1, 1, 32, 32) > 0.8).float())


@network("FFC with local Fourier units, of FcF", "IOPaint 1.6.0")
def local_fourier_units() -> Built:
    from iopaint.model.fcf import FFCBlock

    block = FFCBlock(16, 3, padding=1, ratio_gin=0.5, ratio_gout=0.5)

    def both(x: Tensor) -> Tensor:
        return block(x, None)

    return Calling(both, block), torch.rand(1, 16, 16, 16)
