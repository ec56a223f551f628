"""Solvers and operators of differential equations: vorticity, gradients, complex fields."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.public_networks.registry import Built, Calling, network

PINA = "pina-mathlab 0.3.2.post2610"
NEUROP = "neurop 0.0.5"
CFD = "torch-cfd 0.2.6"
NEURALOP = "neuraloperator 2.0.0"


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


@network("FNO of complex fields", NEURALOP)
def complex_operator() -> Built:
    from neuralop.models import FNO

    model = FNO(n_modes=(6, 6), in_channels=1, out_channels=1, hidden_channels=8, complex_data=True)
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
