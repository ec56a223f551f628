"""Convolutions and filters by Fourier transforms."""

from __future__ import annotations

import torch

from benchmarks.public_networks.registry import Built, Calling, network


@network("convolution by FFT, 1,025 taps", "fft-conv-pytorch 1.2.0")
def convolution() -> Built:
    from fft_conv_pytorch import FFTConv1d

    return FFTConv1d(3, 2, 1025, bias=True), torch.randn(1, 3, 4096)


@network("convolution by FFT of images, 9 x 9 taps", "fft-conv-pytorch 1.2.0")
def convolution_2d() -> Built:
    from fft_conv_pytorch import FFTConv2d

    return FFTConv2d(3, 4, 9, padding=4), torch.randn(1, 3, 32, 32)


@network("convolution by FFT in two groups", "torch-fftconv 1.0.0")
def grouped_convolution() -> Built:
    from torch_fftconv import FFTConv1d

    return FFTConv1d(4, 4, 65, padding=32, groups=2), torch.randn(1, 4, 500)


@network("transposed convolution by FFT", "torch-fftconv 1.0.0")
def transposed_convolution() -> Built:
    from torch_fftconv import FFTConvTranspose2d

    return FFTConvTranspose2d(3, 2, 5, stride=2), torch.randn(1, 3, 12, 12)


@network("convolution by FFT, overlap-add", "julius 0.2.8")
def overlap_add() -> Built:
    from julius import FFTConv1d

    return FFTConv1d(2, 2, 200), torch.randn(1, 2, 1500)


@network("bank of low-pass filters", "julius 0.2.8")
def low_pass() -> Built:
    from julius import LowPassFilters

    return LowPassFilters([0.05, 0.1, 0.2], fft=True), torch.randn(1, 1, 1500)


@network("convolution of two signals", "torchaudio 2.11.0")
def signal_convolution() -> Built:
    from torchaudio.transforms import FFTConvolve

    return FFTConvolve("same"), (torch.randn(1, 500), torch.randn(1, 65))


@network("convolution by FFT of images, fixed kernel", "kornia 0.9.0")
def blur() -> Built:
    from kornia.filters import fft_conv

    kernel = torch.rand(1, 9, 9) / 40.0
    return Calling(lambda x: fft_conv(x, kernel)), torch.randn(1, 3, 32, 32)


@network("reverberation by FFT", "speechbrain 1.1.2")
def reverberation() -> Built:
    from speechbrain.processing.signal_processing import convolve1d

    response = torch.randn(1, 101, 1)
    return Calling(lambda x: convolve1d(x, response, use_fft=True)), torch.randn(1, 800, 1)


@network("recursive filter by frequency sampling", "dasp-pytorch 0.0.1")
def recursive_filter() -> Built:
    from dasp_pytorch.signal import lfilter_via_fsm

    b, a = torch.tensor([[0.2, 0.3, 0.1]]), torch.tensor([[1.0, -0.5, 0.2]])
    return Calling(lambda x: lfilter_via_fsm(x, b, a)), torch.randn(1, 1, 500)


@network("moving-average gated attention", "mega-pytorch 0.1.0")
def mega() -> Built:
    from mega_pytorch import MegaLayer

    built = MegaLayer(dim=16, ema_heads=4, attn_dim_qk=8, attn_dim_value=16)
    return built, torch.randn(1, 32, 16)
