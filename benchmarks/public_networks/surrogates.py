"""Surrogates of simulations: operators on grids, weather, charges, electrons, gravity."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.public_networks.registry import Built, Calling, network

PHYSICSNEMO = "nvidia-physicsnemo 2.2.2"
WELL = "the-well 1.2.0"
GRAVITY = "ml4gw 0.8.5"


@network("FNO of NVIDIA's PhysicsNeMo", PHYSICSNEMO)
def nemo_fno() -> Built:
    from physicsnemo.models.fno import FNO

    model = FNO(1, 1, latent_channels=8, num_fno_layers=2, num_fno_modes=6, padding=3)
    return model, torch.randn(1, 1, 16, 20)


@network("FNO of volumes, PhysicsNeMo", PHYSICSNEMO)
def nemo_volumes() -> Built:
    from physicsnemo.models.fno import FNO

    model = FNO(2, 1, dimension=3, latent_channels=6, num_fno_layers=2, num_fno_modes=3, padding=2)
    return model, torch.randn(1, 2, 8, 8, 8)


@network("AFNO, weather", PHYSICSNEMO)
def nemo_afno() -> Built:
    from physicsnemo.models.afno import AFNO

    model = AFNO([16, 32], 2, 2, patch_size=[4, 4], embed_dim=16, depth=2, num_blocks=4)
    return model, torch.randn(1, 2, 16, 32)


@network("AFNO modulated by the time of day", PHYSICSNEMO)
def modulated_afno() -> Built:
    from physicsnemo.models.afno import ModAFNO

    model = ModAFNO([16, 32], 2, 2, embed_dim=16, mod_dim=64, depth=2, num_blocks=2)
    return model, (torch.randn(1, 2, 16, 32), torch.rand(1, 1))


@network("DPOT", PHYSICSNEMO)
def dpot() -> Built:
    from physicsnemo.models.dpot.dpot import DPOTNet

    model = DPOTNet(
        inp_shape=16,
        patch_size=4,
        in_channels=2,
        out_channels=2,
        in_timesteps=3,
        embed_dim=16,
        depth=2,
        modes=4,
        out_layer_dim=8,
    )
    return model, torch.randn(1, 16, 16, 3, 2)


@network("gradient of a field by its spectrum", PHYSICSNEMO)
def spectral_gradient() -> Built:
    from physicsnemo.nn.functional.derivatives import spectral_grid_gradient

    return Calling(lambda x: spectral_grid_gradient(x, lengths=(1.0, 2.0))), torch.randn(16, 24)


@network("AFNO of The Well", WELL)
def well_afno() -> Built:
    from the_well.benchmark.models import AFNO

    model = AFNO(2, 2, 2, (16, 32), hidden_dim=16, n_blocks=2, cmlp_diagonal_blocks=4, patch_size=4)
    return model, torch.randn(1, 16, 32, 2)


@network("ReFNO of The Well", WELL)
def well_refno() -> Built:
    from the_well.benchmark.models import ReFNO

    return ReFNO(2, 2, 2, (16, 32), hidden_dim=8, blocks=2), torch.randn(1, 16, 32, 2)


@network("FourCastNet", "ai-models-fourcastnet 0.0.7")
def fourcastnet() -> Built:
    from ai_models_fourcastnet.afnonet import AFNONet

    model = AFNONet((32, 64), (8, 8), in_chans=3, out_chans=3, embed_dim=16, depth=2, num_blocks=4)
    return model, torch.randn(1, 3, 32, 64)


@network("FNO of points, TorchPhysics", "torchphysics 1.1.2")
def physics_fno() -> Built:
    import torchphysics
    from torchphysics.problem.spaces import Points

    taken, given = torchphysics.spaces.R1("f"), torchphysics.spaces.R1("u")
    model = torchphysics.models.FNO(taken, given, 2, hidden_channels=6, fourier_modes=8)
    return Calling(lambda x: model(Points(x, taken)).as_tensor, model), torch.randn(2, 32, 1)


@network("FNO, continuiti", "continuiti 0.2.0")
def continuous_fno() -> Built:
    from continuiti.operators import FourierNeuralOperator
    from continuiti.operators.shape import OperatorShapes, TensorShape

    grid, field = TensorShape(2, (8, 8)), TensorShape(1, (8, 8))
    model = FourierNeuralOperator(OperatorShapes(grid, field, grid, field), depth=2, width=4)
    places = torch.stack(torch.meshgrid(*[torch.linspace(0, 1, 8)] * 2, indexing="ij"))[None]
    return Calling(lambda u: model(places, u, places), model), torch.randn(1, 1, 8, 8)


def _charges(kind: str) -> Built:
    import torchpme

    potential = torchpme.CoulombPotential(smearing=0.6)
    calculator = getattr(torchpme, kind)(potential, mesh_spacing=0.5)
    cell = torch.eye(3) * 4.0
    first, second = torch.triu_indices(8, 8, offset=1)
    pairs = torch.stack([first, second], -1)

    def potentials(charges: Tensor, positions: Tensor) -> Tensor:
        apart = positions[first] - positions[second]
        apart = apart - 4.0 * torch.round(apart / 4.0)
        return calculator(charges, cell, positions, pairs, apart.norm(dim=-1))

    return Calling(potentials, calculator), (torch.randn(8, 1), torch.rand(8, 3) * 4)


@network("potentials of charges, particle-mesh Ewald", "torch-pme 0.5.0")
def particle_mesh() -> Built:
    return _charges("PMECalculator")


@network("potentials of charges, P3M", "torch-pme 0.5.0")
def optimal_particle_mesh() -> Built:
    return _charges("P3MCalculator")


@network("electrons through slices of a potential", "torch-scattering 0.6.0")
def electron_slices() -> Built:
    from torch_scattering import multislice

    return Calling(lambda v: multislice(v, 1.0, 300e3, n_slices=2).abs()), torch.rand(4, 16, 16)


@network("correlation of the shells of two maps", "torch-fourier-shell-correlation 0.6.0")
def shells() -> Built:
    from torch_fourier_shell_correlation import fsc

    return Calling(fsc), (torch.randn(12, 12, 12), torch.randn(12, 12, 12))


@network("spectral density by Welch's median", GRAVITY)
def welch() -> Built:
    from ml4gw.transforms import SpectralDensity

    layer = SpectralDensity(256, 0.5, average="median")
    return layer, torch.randn(1, 2, 1024, dtype=torch.float64)


@network("strain whitened by a density", GRAVITY)
def whitened_strain() -> Built:
    from ml4gw.transforms import SpectralDensity, Whiten

    density = SpectralDensity(256, 0.5, average="mean", fast=True)
    layer = Whiten(fduration=0.5, sample_rate=256, highpass=10)

    def white(background: Tensor, strain: Tensor) -> Tensor:
        return layer(strain, density(background.double()))

    return Calling(white, density, layer), (torch.randn(1, 2, 2048), torch.randn(1, 2, 1024))


@network("Q-transform of strain", GRAVITY)
def q_transform() -> Built:
    from ml4gw.transforms import SingleQTransform

    layer = SingleQTransform(
        duration=1.0, sample_rate=256, spectrogram_shape=(16, 32), q=8, frange=[10, 100]
    )
    return layer, torch.randn(1, 1, 256)


@network("S4D, of gravitational-wave networks", GRAVITY)
def strain_state_space() -> Built:
    from ml4gw.nn.ssm.s4d import S4D

    return S4D(4, d_state=8), torch.randn(1, 4, 100)


@network("spectrograms of several windows", GRAVITY)
def window_spectrograms() -> Built:
    from ml4gw.transforms import MultiResolutionSpectrogram

    layer = MultiResolutionSpectrogram(
        1.0, 512, n_fft=[64, 128], win_length=[64, 128], hop_length=[32, 64]
    )
    return layer, torch.randn(1, 1, 512)


@network("spectral convolutions of one axis", PHYSICSNEMO)
def nemo_spectra() -> Built:
    from physicsnemo.nn.module.spectral_layers import SpectralConv1d

    first, second = SpectralConv1d(2, 4, 8), SpectralConv1d(4, 2, 8)
    return nn.Sequential(first, nn.GELU(), second), torch.randn(1, 2, 40)
