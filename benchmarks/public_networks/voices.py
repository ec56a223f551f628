"""Voices: generators that end in an inverse STFT, lapped transforms, augmentations, measures."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.public_networks.registry import Built, Calling, network

STYLETTS = "styletts2 0.1.6"
LAPPED = "torch-mdct 0.5.0"
METRICS = "torchmetrics 1.9.0"


@network("HiFTNet: a filter of sources that ends in an inverse STFT", "chatterbox-tts 0.1.7")
def source_filter() -> Built:
    from chatterbox.models.s3gen.hifigan import HiFTGenerator

    model = HiFTGenerator(
        in_channels=8,
        base_channels=32,
        upsample_rates=[4, 2],
        upsample_kernel_sizes=[8, 4],
        source_resblock_kernel_sizes=[7, 11],
    )
    return Calling(model.decode, model), (torch.randn(1, 8, 20), torch.randn(1, 1, 640) * 0.1)


@network("iSTFTNet's generator without its noise", STYLETTS)
def style_generator() -> Built:
    from styletts2.Modules.istftnet import Generator

    model = Generator(8, [3, 7], [4, 2], 32, [[1, 3, 5], [1, 3, 5]], [8, 4], 16, 4)

    def excitation(f0: Tensor) -> tuple[Tensor, None, None]:
        return torch.sin(torch.cumsum(f0 / 24000, dim=1) * 6.2831855), None, None

    model.m_source.forward = excitation
    return model, (torch.randn(1, 32, 10), torch.randn(1, 8), torch.rand(1, 10) * 200)


@network("iSTFTNet's generator, which draws noise", STYLETTS)
def noisy_generator() -> Built:
    from styletts2.Modules.istftnet import Generator

    model = Generator(8, [3, 7], [4, 2], 32, [[1, 3, 5], [1, 3, 5]], [8, 4], 16, 4)
    return model, (torch.randn(1, 32, 10), torch.randn(1, 8), torch.rand(1, 10) * 200)


@network("MDCT and back", LAPPED)
def lapped_transform() -> Built:
    import torch_mdct

    return nn.Sequential(torch_mdct.MDCT(64), nn.Tanh(), torch_mdct.IMDCT(64)), torch.randn(1, 1000)


@network("phases turned at random, given", "phaseaug 1.0.1")
def turned_phases() -> Built:
    from phaseaug.phaseaug import PhaseAug

    layer = PhaseAug(nfft=256, hop=64)
    return layer, (torch.randn(1, 1, 1024), torch.randn(1, 129))


@network("impulse response of a room, applied", "torch-audiomentations 0.12.0")
def room() -> Built:
    from torch_audiomentations.utils.convolution import convolve

    return Calling(lambda x, y: convolve(x, y, mode="same")), (
        torch.randn(1, 1, 800),
        torch.randn(1, 1, 300),
    )


@network("signal-to-distortion ratio, by a Toeplitz system", METRICS)
def distortion_ratio() -> Built:
    from torchmetrics.functional.audio import signal_distortion_ratio

    def ratio(x: Tensor, y: Tensor) -> Tensor:
        return signal_distortion_ratio(x, y, filter_length=16)

    return Calling(ratio), (torch.randn(2, 400), torch.randn(2, 400))


@network("envelope and energy of bands, for dereverberation", "julius 0.2.8")
def split_bands() -> Built:
    from julius import SplitBands

    return SplitBands(8000, n_bands=4), torch.randn(1, 2, 1000)


@network("log-mel of a text-to-speech model", "chatterbox-tts 0.1.7")
def speech_mel() -> Built:
    from chatterbox.models.s3gen.utils.mel import mel_spectrogram

    def mel(x: Tensor) -> Tensor:
        return mel_spectrogram(
            x, n_fft=512, num_mels=20, sampling_rate=8000, hop_size=128, win_size=512, fmax=4000
        )

    return Calling(mel), torch.randn(1, 2048) * 0.1
