"""Scattering, wavelets, optics, non-uniform transforms, networks of complex numbers, and losses."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.public_networks.registry import Built, Calling, network

TORCHCVNN, KBNUFFT = "torchcvnn 0.10.0", "torchkbnufft 1.5.2"


@network("scattering of signals", "kymatio 0.3.0")
def scattering_1d() -> Built:
    _add_sph_harm()
    from kymatio.torch import Scattering1D

    return Scattering1D(J=4, shape=512, Q=4), torch.randn(1, 512)


@network("scattering of images", "kymatio 0.3.0")
def scattering_2d() -> Built:
    _add_sph_harm()
    from kymatio.torch import Scattering2D

    return Scattering2D(J=2, shape=(32, 32)), torch.randn(1, 1, 32, 32)


def _add_sph_harm() -> None:
    """Give scipy a name that kymatio imports for scattering of volumes, and scipy 1.17 dropped."""
    import scipy.special

    if not hasattr(scipy.special, "sph_harm"):
        scipy.special.sph_harm = scipy.special.sph_harm_y


@network("wavelets of Mexican hats", "ptwt 1.0.1")
def mexican_hats() -> Built:
    import numpy as np
    import ptwt

    return Calling(lambda x: ptwt.cwt(x, np.arange(1, 9), "mexh")[0].real), torch.randn(1, 256)


@network("wavelets of Morlet", "torchcwt 0.1.1")
def morlet() -> Built:
    from torchcwt import cwt_torch

    return Calling(lambda x: cwt_torch(x, 100.0, 4.0, 40.0, 8)[0].abs()), torch.randn(1, 200)


@network("constant-Q of a block and back", "cqt-pytorch 0.0.5")
def block_constant_q() -> Built:
    from cqt_pytorch import CQT

    cqt = CQT(num_octaves=3, num_bins_per_octave=8, sample_rate=2000, block_length=1024)
    return Calling(lambda x: cqt.decode(cqt.encode(x)), cqt), torch.randn(1, 1, 1024)


@network("cosine transform and back", "torch-dct 0.1.6")
def cosine_transform() -> Built:
    import torch_dct

    both = Calling(lambda x: torch_dct.idct_2d(torch_dct.dct_2d(x) * 0.5))
    return both, torch.randn(1, 3, 24, 32)


@network("STFT of learned windows", "dstft 3.0.0")
def learned_windows() -> Built:
    from dstft import DSTFT

    stft = DSTFT(n_fft=64, win_length=50.0, hop_length=16)
    x = torch.randn(1, 1000)
    stft.initialize(x)
    return stft, x


@network("optical system of a lens", "torchoptics 1.0.2")
def lens() -> Built:
    import torchoptics
    from torchoptics import Field, System
    from torchoptics.elements import Lens

    torchoptics.set_default_spacing(1e-5)
    torchoptics.set_default_wavelength(7e-7)
    system = System(Lens((32, 32), 0.02, z=0.02))
    intensity = Calling(lambda x: system.measure_at_z(Field(x + 0j), 0.04).intensity(), system)
    return intensity, torch.randn(32, 32)


@network("non-uniform transform", KBNUFFT)
def nonuniform() -> Built:
    from torchkbnufft import KbNufft

    nufft, places = KbNufft(im_size=(16, 16)), (torch.rand(2, 60) - 0.5) * 6
    return Calling(lambda x: nufft(x + 0j, places).abs(), nufft), torch.randn(1, 1, 16, 16)


@network("non-uniform transform and back by a Toeplitz kernel", KBNUFFT)
def toeplitz() -> Built:
    from torchkbnufft import ToepNufft, calc_toeplitz_kernel

    nufft = ToepNufft()
    kernel = calc_toeplitz_kernel((torch.rand(2, 60) - 0.5) * 6, (16, 16))
    return Calling(lambda x: nufft(x + 0j, kernel).abs(), nufft), torch.randn(1, 1, 16, 16)


@network("complex convolutions", TORCHCVNN)
def complex_convolutions() -> Built:
    import torchcvnn.nn as complex_nn

    layers = nn.Sequential(
        nn.Conv2d(1, 4, 3, dtype=torch.complex64),
        complex_nn.modReLU(),
        complex_nn.AvgPool2d(2, 2),
        nn.Conv2d(4, 4, 3, dtype=torch.complex64),
        complex_nn.Cardioid(),
    )
    built = Calling(lambda x: layers(torch.fft.fft2(x)).abs().mean((2, 3)), layers)
    return built, torch.randn(1, 1, 20, 20)


@network("complex layer norm and GELU", TORCHCVNN)
def complex_norm() -> Built:
    import torchcvnn.nn as complex_nn

    linear = nn.Linear(16, 16, dtype=torch.complex64)
    layers = nn.Sequential(complex_nn.LayerNorm(16), linear, complex_nn.CGELU())
    built = Calling(lambda x: torch.fft.ifft(layers(torch.fft.fft(x))).real, layers)
    return built, torch.randn(1, 8, 16)


@network("complex batch norm between spectra", "complexPyTorch 0.4")
def complex_batch_norm() -> Built:
    from complexPyTorch.complexFunctions import complex_relu
    from complexPyTorch.complexLayers import ComplexBatchNorm2d, ComplexConv2d

    first, norm = ComplexConv2d(1, 4, 3, padding=1), ComplexBatchNorm2d(4)
    last = ComplexConv2d(4, 1, 3, padding=1)

    def filtered(x: torch.Tensor) -> torch.Tensor:
        return torch.fft.ifft2(last(complex_relu(norm(first(torch.fft.fft2(x)))))).real

    return Calling(filtered, first, norm, last), torch.randn(1, 1, 16, 16)


@network("focal frequency loss", "focal-frequency-loss 0.3.0")
def focal_loss() -> Built:
    from focal_frequency_loss import FocalFrequencyLoss

    return Calling(FocalFrequencyLoss()), (torch.randn(1, 3, 16, 16), torch.randn(1, 3, 16, 16))


@network("loss of spectra at two resolutions", "auraloss 0.4.0")
def spectral_loss() -> Built:
    from auraloss.freq import MultiResolutionSTFTLoss

    loss = MultiResolutionSTFTLoss(fft_sizes=[128, 64], hop_sizes=[32, 16], win_lengths=[128, 64])
    return Calling(loss, loss), (torch.randn(1, 1, 1000), torch.randn(1, 1, 1000))


@network("FNet, 64 tokens", "transformers 5.23.0")
def fnet() -> Built:
    from transformers import FNetConfig, FNetModel

    config = FNetConfig(hidden_size=96, num_hidden_layers=2, intermediate_size=128, vocab_size=200)
    return FNetModel(config), torch.randint(0, 200, (1, 64))


@network("Autoformer's attention", "transformers 5.23.0")
def autoformer() -> Built:
    from transformers.models.autoformer.modeling_autoformer import AutoformerAttention

    attention = AutoformerAttention(16, 2, autocorrelation_factor=1)
    return Calling(lambda x: attention(x)[0], attention), torch.randn(1, 24, 16)
