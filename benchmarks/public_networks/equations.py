"""Solvers and operators of differential equations: weather, vorticity, four axes, Koopman."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.public_networks.registry import Built, Calling, network

PHYSICSNEMO = "nvidia-physicsnemo 2.2.2"
PINA = "pina-mathlab 0.3.2.post2610"
NEUROP = "neurop 0.0.5"
CFD = "torch-cfd 0.2.6"
NEURALOP = "neuraloperator 2.0.0"


@network("AFNO of weather, 16 x 32", PHYSICSNEMO)
def weather_operator() -> Built:
    from physicsnemo.models.afno import AFNO

    model = AFNO([16, 32], 2, 2, patch_size=[2, 2], embed_dim=32, depth=2, num_blocks=4)
    return model, torch.randn(1, 2, 16, 32)


@network("AFNO modulated by time", PHYSICSNEMO)
def modulated_operator() -> Built:
    from physicsnemo.models.afno import ModAFNO

    model = ModAFNO(
        [16, 16], 2, 2, patch_size=[2, 2], embed_dim=32, depth=2, num_blocks=4, modulate_mlp=True
    )
    return model, (torch.randn(1, 2, 16, 16), torch.rand(1, 1))


@network("FNO of four axes", PHYSICSNEMO)
def four_axes() -> Built:
    from physicsnemo.models.fno import FNO

    model = FNO(
        1,
        1,
        decoder_layers=1,
        decoder_layer_size=8,
        dimension=4,
        latent_channels=4,
        num_fno_layers=1,
        num_fno_modes=2,
        padding=0,
    )
    return model, torch.randn(1, 1, 6, 5, 4, 6)


@network("DPOT, pretrained operator transformer", PHYSICSNEMO)
def operator_transformer() -> Built:
    from physicsnemo.models.dpot import DPOTNet

    model = DPOTNet(
        inp_shape=16,
        patch_size=4,
        in_channels=2,
        out_channels=2,
        in_timesteps=3,
        out_timesteps=1,
        num_blocks=4,
        embed_dim=32,
        depth=2,
        modes=4,
    )
    return model, torch.randn(1, 16, 16, 3, 2)


@network("gradient of a grid by Fourier series", PHYSICSNEMO)
def grid_gradient() -> Built:
    from physicsnemo.nn.functional import spectral_grid_gradient

    return Calling(lambda x: spectral_grid_gradient(x, lengths=(1.0, 2.0))), torch.randn(12, 16)


@network("power spectrum by wave number", PHYSICSNEMO)
def power_spectrum() -> Built:
    from physicsnemo.metrics.general.power_spectrum import power_spectrum as by_wave_number

    return Calling(by_wave_number), torch.randn(2, 24, 24)


@network("FNO with padding, 20 x 20", PINA)
def padded_operator() -> Built:
    from pina.model import FNO

    model = FNO(
        lifting_net=nn.Linear(2, 12),
        projecting_net=nn.Linear(12, 1),
        n_modes=[5, 5],
        dimensions=2,
        inner_size=12,
        n_layers=2,
    )
    return model, torch.randn(1, 20, 20, 2)


@network("Fourier operator of one axis", NEUROP)
def fourier_operator() -> Built:
    from neurop.operators.fourier import FourierOperator

    return FourierOperator(1, 16, 1, modes=9, depth=2), torch.randn(1, 1, 32)


@network("spectral layer of three axes", NEUROP)
def volume_layer() -> Built:
    from neurop.layers.spectralconv import SpectralConvNDLayer

    return SpectralConvNDLayer(3, 4, [4, 3, 5]), torch.randn(1, 3, 8, 9, 10)


@network("a step of the vorticity equation", CFD)
def vorticity() -> Built:
    from torch_cfd.grids import Grid
    from torch_cfd.spectral import NavierStokes2DSpectral, RK4CrankNicolsonStepper

    grid = Grid((16, 16), domain=((0, 6.28), (0, 6.28)))
    equation = NavierStokes2DSpectral(1e-2, grid, drag=0.1, step_fn=RK4CrankNicolsonStepper())

    def later(x: Tensor) -> Tensor:
        return torch.fft.irfft2(equation(torch.fft.rfft2(x), 0.01, steps=2)[0])

    return Calling(later, equation), torch.randn(1, 16, 16)


@network("spectrum of the vorticity and its rate", CFD)
def vorticity_spectrum() -> Built:
    from torch_cfd.grids import Grid
    from torch_cfd.spectral import IMEXStepper, NavierStokes2DSpectral

    grid = Grid((12, 12), domain=((0, 1), (0, 1)))
    equation = NavierStokes2DSpectral(1e-2, grid, step_fn=IMEXStepper(order=2))
    vorticity = torch.fft.rfft2(torch.randn(2, 12, 12))
    return Calling(lambda x: equation(x, 1e-3), equation), vorticity


@network("Poisson's equation by FFT", CFD)
def poisson() -> Built:
    from torch_cfd.grids import Grid
    from torch_cfd.solvers import PseudoInverseRFFT

    grid = Grid((16, 24), domain=((0, 1), (0, 1.5)))
    solver = PseudoInverseRFFT(grid)
    return Calling(lambda x: solver(x, None), solver), torch.randn(2, 16, 24)


@network("LocalNO, 32 x 32", NEURALOP)
def local_operator() -> Built:
    from neuralop.models.local_no import LocalNO

    model = LocalNO(
        n_modes=(8, 8),
        in_channels=1,
        out_channels=1,
        hidden_channels=8,
        default_in_shape=(32, 32),
        disco_layers=False,
    )
    return model, torch.randn(1, 1, 32, 32)


@network("FNO of complex fields", NEURALOP)
def complex_operator() -> Built:
    from neuralop.models import FNO

    model = FNO(
        n_modes=(6, 6), in_channels=1, out_channels=1, hidden_channels=8, complex_data=True
    )
    return model, torch.randn(1, 1, 16, 16, dtype=torch.complex64)


@network("FNO on finer grids, normed, separable", NEURALOP)
def separable_operator() -> Built:
    from neuralop.models import FNO

    model = FNO(
        n_modes=(6, 6),
        in_channels=1,
        out_channels=1,
        hidden_channels=8,
        norm="instance_norm",
        separable=True,
        resolution_scaling_factor=[2, 1, 1, 0.5],
        stabilizer="tanh",
    )
    return model, torch.randn(1, 1, 16, 16)
