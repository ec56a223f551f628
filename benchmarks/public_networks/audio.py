"""Networks for audio, written after their papers or as users write them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.public_networks.registry import Built, Calling, network

PAPER, USERS = "after its paper", "as users write it"


@network("iSTFTNet", PAPER)
def istftnet() -> Built:
    """Kaneko, Tanaka, Kameoka, Seki 2022: upsampling, then magnitudes and phases."""
    up, last = nn.ConvTranspose1d(16, 8, 8, 4, 2), nn.Conv1d(8, 34, 7)
    window = torch.hann_window(32)

    def vocoded(x: Tensor) -> Tensor:
        x = last(F.pad(F.leaky_relu(up(x), 0.1), (1, 0), mode="reflect"))
        z = x[:, :17].exp() * torch.exp(1j * x[:, 17:].sin())
        return torch.istft(z, 32, 8, window=window).unsqueeze(1)

    return Calling(vocoded, up, last), torch.randn(1, 16, 10)


@network("WaveNeXt, and the spectrum of what it makes", PAPER)
def wavenext() -> Built:
    """Okamoto, Yamashita, Ohtani, Toda, Kawai 2023: frames by a matrix; two outputs."""
    before = nn.Conv1d(20, 32, 7, padding=3)
    frames = nn.Sequential(nn.Linear(32, 66), nn.Linear(66, 64, bias=False))
    window = torch.hann_window(64)

    def vocoded(x: Tensor) -> tuple[Tensor, Tensor]:
        wave = frames(before(x).mT).flatten(1).clamp(-1, 1)
        return wave, torch.stft(wave, 64, 16, window=window, return_complex=True).abs()

    return Calling(vocoded, before, frames), torch.randn(1, 20, 16)


@network("DDSP: harmonics and filtered noise", PAPER)
def harmonics_and_noise() -> Built:
    """Engel, Hantrakul, Gu, Roberts 2020."""

    def synthesized(pitch: Tensor, harmonics: Tensor, noise: Tensor, bands: Tensor) -> Tensor:
        phases = torch.cumsum(2 * math.pi * pitch / 8000, 1) * torch.arange(1, 5)
        loudness = F.interpolate(harmonics.mT, size=pitch.shape[1]).mT
        responses = torch.fft.irfft(bands + 0j)
        size, frame = responses.shape[-1], noise.shape[-1]
        responses = torch.roll(responses, size // 2, -1) * torch.hann_window(size)
        product = torch.fft.rfft(noise, n=2 * frame) * torch.fft.rfft(responses, n=2 * frame)
        filtered = torch.fft.irfft(product)[..., :frame].flatten(1)
        return (phases.sin() * loudness).sum(-1) + filtered

    inputs = torch.rand(1, 256, 1) * 200 + 100, torch.rand(1, 8, 4)
    return Calling(synthesized), (*inputs, torch.randn(1, 8, 32), torch.rand(1, 8, 9))


@network("envelope and phase of the analytic signal", USERS)
def analytic_signal() -> Built:
    def envelope(x: Tensor) -> tuple[Tensor, Tensor]:
        length = x.shape[-1]
        one_sided = torch.zeros(length)
        one_sided[0] = one_sided[length // 2] = 1
        one_sided[1 : length // 2] = 2
        z = torch.fft.ifft(torch.fft.fft(x) * one_sided)
        return z.abs(), z.angle().cos()

    return Calling(envelope), torch.randn(1, 200)


class RecurrentMask(nn.Module):
    """A mask of magnitudes by a GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.linear = nn.GRU(65, 32, batch_first=True), nn.Linear(32, 65)
        self.register_buffer("window", torch.hann_window(128))

    def forward(self, x: Tensor) -> Tensor:
        """Return batch x time for the same."""
        z = torch.stft(x, 128, 64, window=self.window, return_complex=True)
        mask = self.linear(self.recurrent(z.abs().pow(0.3).mT)[0]).sigmoid().mT
        return torch.istft(z * mask, 128, 64, window=self.window, length=x.shape[-1])


@network("enhancement of speech by a GRU's mask", USERS)
def recurrent_mask() -> Built:
    return RecurrentMask(), torch.randn(1, 2048)


@network("enhancement of speech by complex LSTMs", USERS)
def complex_recurrent_mask() -> Built:
    one, other = nn.LSTM(33, 16, batch_first=True), nn.LSTM(33, 16, batch_first=True)
    linear, window = nn.Linear(16, 33), torch.hann_window(64)

    def enhanced(x: Tensor) -> Tensor:
        z = torch.stft(x, 64, 32, window=window, return_complex=True)
        real, imag = z.real.mT, z.imag.mT
        mask_real = linear(one(real)[0] - other(imag)[0]).tanh()
        mask_imag = linear(one(imag)[0] + other(real)[0]).tanh()
        mask = torch.complex(mask_real, mask_imag).mT
        return torch.istft(z * mask, 64, 32, window=window)

    return Calling(enhanced, one, other, linear), torch.randn(1, 1024)


class SincFilters(nn.Module):
    """Learned low-pass filters as SincNet has them, applied by a transform of 512 points."""

    def __init__(self) -> None:
        super().__init__()
        self.cutoffs = nn.Parameter(torch.linspace(0.02, 0.4, 8))

    def forward(self, x: Tensor) -> Tensor:
        """Return batch x filters for batch x time."""
        double = 2 * self.cutoffs[:, None]
        taps = double * torch.sinc(double * torch.arange(-32, 33.0)) * torch.hamming_window(65)
        product = torch.fft.rfft(x[:, None], 512) * torch.fft.rfft(taps, 512)
        return torch.fft.irfft(product, 512)[..., : x.shape[-1]].abs().log1p().mean(-1)


@network("filters of SincNet by FFT", PAPER)
def sinc_filters() -> Built:
    """Ravanelli, Bengio 2018."""
    return SincFilters(), torch.randn(1, 400)


@network("cepstrum", USERS)
def cepstrum() -> Built:
    def cepstral(x: Tensor) -> Tensor:
        power = torch.fft.rfft(x).abs().square()
        return torch.fft.irfft((power + 1e-3).log())[..., :20]

    return Calling(cepstral), torch.randn(1, 256)


@network("front end of speech recognition, normalized", USERS)
def normalized_log_mel() -> Built:
    window = torch.hann_window(200, periodic=False)

    def front_end(x: Tensor) -> Tensor:
        x = torch.cat([x[:, :1], x[:, 1:] - 0.97 * x[:, :-1]], 1)
        z = torch.stft(x, 256, 80, 200, window, return_complex=True, pad_mode="constant")
        power = torch.view_as_real(z).square().sum(-1)[:, :100]
        logarithms = torch.log(power + 2**-24)
        mean, deviation = (of(2, keepdim=True) for of in (logarithms.mean, logarithms.std))
        return (logarithms - mean) / (deviation + 1e-5)

    return Calling(front_end), torch.randn(1, 4000)
