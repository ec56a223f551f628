"""Instruments, filters and transforms: microscopes, fluids, fractional powers, wavelet trees."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.public_networks.registry import Built, Calling, network


@network("fractional Fourier transform", "torch-frft 0.8.2")
def fractional() -> Built:
    from torch_frft.layer import FrFTLayer

    layer = FrFTLayer(1.25)
    return Calling(lambda x: layer(x).abs(), layer), torch.randn(2, 32)


@network("discrete fractional Fourier transform", "torch-frft 0.8.2")
def discrete_fractional() -> Built:
    from torch_frft.layer import DFrFTLayer

    layer = DFrFTLayer(1.25)
    return Calling(lambda x: layer(x).abs(), layer), torch.randn(2, 16)


@network("a band of a spectrum, finer", "minimal-zoom-fft 0.1.0")
def zoomed() -> Built:
    from minimal_zoom_fft import zoom_fft

    return Calling(lambda x: zoom_fft(x, 64, 0.2, 0.9).abs()), torch.randn(2, 100)


@network("decimation and back", "kazane 2.0.0")
def decimation() -> Built:
    from kazane import Decimate, Upsample

    return torch.nn.Sequential(Decimate(4), Upsample(4)), torch.randn(1, 2, 4096)


@network("cosine transform of a map, shrunk", "dctorch 0.1.2")
def shrunk_cosines() -> Built:
    from dctorch.functional import dct2, idct2

    def shrunk(x: Tensor) -> Tensor:
        return idct2(torch.nn.functional.softshrink(dct2(x), 0.1))

    return Calling(shrunk), torch.randn(1, 3, 16, 16)


@network("band pass of micrographs", "torch-fourier-filter 0.6.0")
def band_pass() -> Built:
    from torch_fourier_filter.bandpass import bandpass_filter

    def passed(x: Tensor) -> Tensor:
        kept = bandpass_filter(0.1, 0.3, 0.05, (32, 32), rfft=True, fftshift=False)
        return torch.fft.irfftn(torch.fft.rfftn(x, dim=(-2, -1)) * kept, s=(32, 32), dim=(-2, -1))

    return Calling(passed), torch.randn(1, 32, 32)


@network("shift by phases", "torch-fourier-shift 0.6.0")
def phase_shift() -> Built:
    from torch_fourier_shift import fourier_shift_image_2d

    return Calling(fourier_shift_image_2d), (torch.randn(2, 16, 16), torch.randn(2, 2))


@network("rescaling of spectra", "torch-fourier-rescale 0.6.0")
def rescaling() -> Built:
    from torch_fourier_rescale import fourier_rescale_2d

    def rescaled(x: Tensor) -> Tensor:
        return fourier_rescale_2d(x, source_spacing=1.0, target_spacing=2.0)[0]

    return Calling(rescaled), torch.randn(2, 32, 32)


@network("projections of a volume", "torch-fourier-slice 0.6.0")
def projections() -> Built:
    from torch_fourier_slice import project_3d_to_2d

    turns = torch.linalg.qr(torch.randn(2, 3, 3))[0]
    return Calling(project_3d_to_2d), (torch.randn(16, 16, 16), turns)


@network("dual-tree wavelet scattering", "torchwavelets 0.1.1")
def tree_scattering() -> Built:
    from torchwavelets.scatter.network import DTCWTScattering

    return DTCWTScattering(J=2), torch.randn(1, 1, 32, 32)


@network("dual-tree wavelets and back", "torchwavelets 0.1.1")
def dual_tree() -> Built:
    from torchwavelets import DTCWT2D, IDTCWT2D

    forward, inverse = DTCWT2D(J=2), IDTCWT2D()
    return torch.nn.Sequential(forward, inverse), torch.randn(1, 1, 16, 16)


@network("a step of Burgers' equation", "torchfsm 0.0.6")
def burgers() -> Built:
    from torchfsm.mesh import MeshGrid
    from torchfsm.pde import Burgers

    equation, mesh = Burgers(0.01), MeshGrid([(0, 1, 32)])
    return Calling(lambda u: equation(u, mesh=mesh)), torch.randn(1, 1, 32)


@network("a block of S5", "s5-pytorch 0.2.1")
def scanned_state_space() -> Built:
    from s5 import S5Block

    return S5Block(8, 16, bidir=False), torch.randn(1, 32, 8)


@network("harmonic constant-Q transform", "pesto-pitch 2.0.1")
def harmonic_constant_q() -> Built:
    from pesto.utils import HarmonicCQT

    built = HarmonicCQT((1,), sr=8000, hop_length=128, fmin=110.0, n_bins=36)
    return built, torch.randn(1, 4000)


@network("centroid of spectra", "torchaudio 2.11.0")
def centroid() -> Built:
    from torchaudio.transforms import SpectralCentroid

    return SpectralCentroid(8000, 200), torch.randn(1, 2000)


@network("time delays between microphones", "speechbrain 1.1.2")
def delays() -> Built:
    from speechbrain.processing.features import STFT
    from speechbrain.processing.multi_mic import Covariance, GccPhat

    stft, covariance, phat = STFT(16000), Covariance(), GccPhat()
    return Calling(lambda x: phat(covariance(stft(x))), stft), torch.randn(1, 1600, 2)
