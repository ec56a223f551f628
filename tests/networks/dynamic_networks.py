"""Small networks of sound, for signals of any length."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SIZE, STEP, MELS = 64, 16, 8
LENGTH = 400


class LogMel(nn.Module):
    """A front end: a short-time transform, mel bands, their logarithm."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("window", torch.hann_window(SIZE))
        self.register_buffer("mel", torch.rand(MELS, SIZE // 2 + 1))

    def forward(self, x: Tensor) -> Tensor:
        s = torch.stft(x, SIZE, STEP, window=self.window, return_complex=True)
        return (self.mel @ s.abs().square() + 1e-6).log()


class Keyword(nn.Module):
    """A front end and a small convolutional network behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.front = LogMel()
        self.body = nn.Sequential(
            nn.Conv1d(MELS, 6, 3, padding=1), nn.ReLU(), nn.Conv1d(6, 6, 3, stride=2), nn.ReLU()
        )
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.front(x)).mean(-1))


class Denoise(nn.Module):
    """A mask on the short-time spectrum, and back to a signal."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("window", torch.hann_window(SIZE))
        self.mask = nn.Conv1d(SIZE // 2 + 1, SIZE // 2 + 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        s = torch.stft(x, SIZE, STEP, window=self.window, return_complex=True)
        s = s * torch.sigmoid(self.mask(s.abs()))
        return torch.istft(s, SIZE, STEP, window=self.window)


class DenoiseAll(Denoise):
    """The same with as many samples as it takes, those behind the last step too."""

    def forward(self, x: Tensor) -> Tensor:
        settings = (SIZE, STEP, 48, self.window[8:56])
        s = torch.stft(x, *settings, return_complex=True)
        s = s * torch.sigmoid(self.mask(s.abs()))
        first = torch.istft(s[0], *settings, length=x.shape[-1])
        return s.istft(*settings, length=x.shape[-1]) + first


class Checked(nn.Module):
    """Computes otherwise by its length."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.shape[-1] == LENGTH else x


class Whole(nn.Module):
    """A transform of the whole signal, whose length can only be fixed."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x).abs()


class Fixed(nn.Module):
    """Weights for one length of signal."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(LENGTH))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Pair(nn.Module):
    """Two inputs of the same length, and a mask of it."""

    def forward(self, left: Tensor, opts: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"sum": left + opts["right"], "last": opts["right"][..., -3:] * 2}


def log_mel() -> tuple[nn.Module, Tensor]:
    return LogMel(), torch.randn(1, LENGTH)


def keyword() -> tuple[nn.Module, Tensor]:
    return Keyword(), torch.randn(1, LENGTH)


def denoise() -> tuple[nn.Module, Tensor]:
    return Denoise(), torch.randn(1, LENGTH)


def denoise_all() -> tuple[nn.Module, Tensor]:
    return DenoiseAll(), torch.randn(1, LENGTH)


def checked() -> tuple[nn.Module, Tensor]:
    return Checked(), torch.randn(1, LENGTH)


def whole() -> tuple[nn.Module, Tensor]:
    return Whole(), torch.randn(1, LENGTH)


def fixed() -> tuple[nn.Module, Tensor]:
    return Fixed(), torch.randn(1, LENGTH)


def pair() -> tuple[nn.Module, tuple[Tensor, dict[str, Tensor]]]:
    return Pair(), (torch.randn(2, 3, 20), {"right": torch.randn(2, 3, 20)})
