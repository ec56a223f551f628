"""Front ends: spectrograms, mel, cepstra, constant-Q, and gates of noise."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.public_networks.registry import Built, Calling, network

NNAUDIO, TORCHAUDIO = "nnAudio 0.3.4", "torchaudio 2.11.0"


@network("log-mel of 512", "torchlibrosa 0.1.0")
def log_mel() -> Built:
    from torchlibrosa.stft import LogmelFilterBank, Spectrogram

    built = nn.Sequential(
        Spectrogram(n_fft=512, hop_length=160), LogmelFilterBank(sr=16000, n_fft=512, n_mels=40)
    )
    return built, torch.randn(1, 8000)


@network("magnitudes of 256", NNAUDIO)
def magnitudes() -> Built:
    from nnAudio.features import STFT

    built = STFT(n_fft=256, hop_length=64, output_format="Magnitude", verbose=False)
    return built, torch.randn(1, 2000)


@network("gammatone spectrogram", NNAUDIO)
def gammatone() -> Built:
    from nnAudio.features import Gammatonegram

    built = Gammatonegram(sr=8000, n_fft=256, n_bins=16, hop_length=64, verbose=False)
    return built, torch.randn(1, 2000)


@network("CQT1992v2", NNAUDIO)
def constant_q() -> Built:
    from nnAudio.features import CQT1992v2

    return CQT1992v2(sr=8000, n_bins=24, fmin=200, verbose=False), torch.randn(1, 8000)


@network("VQT", NNAUDIO)
def variable_q() -> Built:
    """Short octaves are padded with zeros, as reflection is refused there."""
    from nnAudio.features import VQT

    return VQT(sr=16000, n_bins=36, verbose=False), torch.randn(1, 16000)


@network("MFCC", TORCHAUDIO)
def cepstra() -> Built:
    from torchaudio.transforms import MFCC

    built = MFCC(8000, 13, melkwargs={"n_fft": 256, "hop_length": 80, "n_mels": 23})
    return built, torch.randn(1, 4000)


@network("mel in decibels", TORCHAUDIO)
def mel_decibels() -> Built:
    from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

    built = nn.Sequential(MelSpectrogram(8000, n_fft=256, n_mels=20), AmplitudeToDB(top_db=80))
    return built, torch.randn(1, 4000)


@network("Kaldi's filter bank", TORCHAUDIO)
def kaldi() -> Built:
    from torchaudio.compliance.kaldi import fbank

    return Calling(lambda x: fbank(x, num_mel_bins=23, dither=0.0)), torch.randn(1, 4000)


@network("filter bank", "speechbrain 1.1.2")
def filter_bank() -> Built:
    from speechbrain.lobes.features import Fbank

    return Fbank(sample_rate=8000, n_mels=20, n_fft=200), torch.randn(1, 4000)


@network("Whisper's log-mel, filters of its feature extractor", "transformers 5.23.0")
def whisper() -> Built:
    from transformers import WhisperFeatureExtractor

    filters = torch.tensor(WhisperFeatureExtractor(feature_size=40).mel_filters).float().T
    window = torch.hann_window(400)

    def front_end(x: torch.Tensor) -> torch.Tensor:
        power = torch.stft(x, 400, 160, window=window, return_complex=True)[..., :-1].abs() ** 2
        logarithms = (filters @ power).clamp(min=1e-10).log10()
        floor = logarithms.amax((1, 2), keepdim=True) - 8
        return (torch.maximum(logarithms, floor) + 4) / 4

    return Calling(front_end), torch.randn(1, 8000)


@network("gate of noise", "torchgating 0.1.3b0")
def gate() -> Built:
    from torchgating import TorchGating

    return TorchGating(sr=8000, n_fft=256, nonstationary=True), torch.randn(1, 4000)


@network("gate of stationary noise", "noisereduce 3.0.3")
def stationary_gate() -> Built:
    from noisereduce.torchgate import TorchGate

    return TorchGate(sr=8000, n_fft=256), torch.randn(1, 4000)


@network("phase vocoder", TORCHAUDIO)
def phase_vocoder() -> Built:
    from torchaudio.transforms import Spectrogram, TimeStretch

    spectrogram, stretch = Spectrogram(128, power=None), TimeStretch(64, 65, 1.3)
    built = Calling(lambda x: stretch(spectrogram(x)).abs(), spectrogram, stretch)
    return built, torch.randn(1, 2000)


@network("shift of pitch", TORCHAUDIO)
def pitch_shift() -> Built:
    from torchaudio.transforms import PitchShift

    return PitchShift(8000, 2, n_fft=128), torch.randn(1, 2000)


@network("Griffin-Lim", TORCHAUDIO)
def griffin_lim() -> Built:
    from torchaudio.transforms import GriffinLim

    built = GriffinLim(n_fft=64, n_iter=2, rand_init=False, momentum=0.0)
    return built, torch.randn(1, 33, 20).abs()


@network("MVDR beamformer", TORCHAUDIO)
def beamformer() -> Built:
    from torchaudio.transforms import MVDR, Spectrogram

    spectrogram, mvdr = Spectrogram(64, power=None), MVDR(solution="ref_channel")
    built = Calling(lambda x, mask: mvdr(spectrogram(x), mask, 1 - mask).abs(), spectrogram, mvdr)
    return built, (torch.randn(1, 3, 1000), torch.rand(1, 33, 32))
