"""Vocoders, separators, enhancement and discriminators of audio."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.public_networks.registry import Built, network

VOCOS, DEMUCS = "vocos 0.1.0", "demucs 4.1.0"


@network("Vocos' head, same padding", VOCOS)
def vocos_head() -> Built:
    from vocos.heads import ISTFTHead

    return ISTFTHead(dim=64, n_fft=1024, hop_length=256, padding="same"), torch.randn(1, 20, 64)


@network("Vocos' head, centered", VOCOS)
def centered_vocos_head() -> Built:
    from vocos.heads import ISTFTHead

    return ISTFTHead(dim=32, n_fft=256, hop_length=64, padding="center"), torch.randn(1, 20, 32)


@network("Vocos' head by MDCT", VOCOS)
def mdct_head() -> Built:
    import scipy.signal

    scipy.signal.cosine = scipy.signal.windows.cosine  # where vocos looks, as of old
    from vocos.heads import IMDCTSymExpHead

    return IMDCTSymExpHead(dim=32, mdct_frame_len=128), torch.randn(1, 20, 32)


@network("Vocos", VOCOS)
def vocos() -> Built:
    from vocos.heads import ISTFTHead
    from vocos.models import VocosBackbone

    built = nn.Sequential(VocosBackbone(20, 32, 64, 2), ISTFTHead(32, 256, 64))
    return built, torch.randn(1, 20, 30)


@network("HDemucs", DEMUCS)
def hdemucs() -> Built:
    from demucs.hdemucs import HDemucs

    built = HDemucs(["a", "b"], channels=8, depth=4, nfft=1024, hybrid=True, dconv_mode=0)
    return built, torch.randn(1, 2, 16384)


@network("HTDemucs", DEMUCS)
def htdemucs() -> Built:
    from demucs.htdemucs import HTDemucs

    built = HTDemucs(
        ["a", "b"],
        channels=4,
        depth=2,
        nfft=512,
        t_layers=1,
        t_heads=2,
        bottom_channels=0,
        samplerate=8000,
        segment=0.5,
        dconv_mode=0,
        use_train_segment=False,
    )
    return built, torch.randn(1, 2, 4096)


@network("Open-Unmix", "openunmix 1.3.0")
def open_unmix() -> Built:
    from openunmix.model import OpenUnmix, Separator

    targets = {name: OpenUnmix(129, 2, 16, 1) for name in ("a", "b")}
    return Separator(targets, niter=0, n_fft=256, n_hop=64), torch.randn(1, 2, 2000)


@network("band-split RoFormer", "bs-roformer 1.2.4")
def roformer() -> Built:
    from bs_roformer import BSRoformer

    built = BSRoformer(
        16,
        depth=1,
        time_transformer_depth=1,
        freq_transformer_depth=1,
        freqs_per_bands=(1,) * 9 + (8,) * 7,
        dim_head=8,
        heads=2,
        flash_attn=False,
        num_residual_streams=1,
        dim_freqs_in=65,
        stft_n_fft=128,
        stft_hop_length=32,
        stft_win_length=128,
    )
    return built, torch.randn(1, 1024)


@network("encoder and decoder of spectra", "asteroid-filterbanks 0.4.0")
def filterbanks() -> Built:
    from asteroid_filterbanks import STFTFB, Decoder, Encoder

    encoder, decoder = Encoder(STFTFB(128, 128, 64)), Decoder(STFTFB(128, 128, 64))
    return nn.Sequential(encoder, nn.ReLU(), decoder), torch.randn(1, 1, 2000)


@network("DCUNet", "asteroid 0.7.0")
def dcunet() -> Built:
    from asteroid.models import DCUNet

    return DCUNet("DCUNet-10", fix_length_mode="pad"), torch.randn(1, 8000)


@network("discriminator of spectra", "encodec 0.1.1")
def discriminator() -> Built:
    from encodec.msstftd import DiscriminatorSTFT

    built = DiscriminatorSTFT(filters=4, n_fft=128, hop_length=32, win_length=128)
    return built, torch.randn(1, 1, 1500)


@network("Xcodec2's head", "transformers 5.23.0")
def xcodec2_head() -> Built:
    from transformers import Xcodec2Config
    from transformers.models.xcodec2 import modeling_xcodec2

    heads = (value for name, value in vars(modeling_xcodec2).items() if "ISTFTHead" in name)
    config = Xcodec2Config(hidden_size=32)
    return next(heads)(config), torch.randn(1, 20, config.hidden_size)
