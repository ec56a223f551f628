"""Neural operators of neuraloperator, and transforms of the sphere of torch-harmonics."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.public_networks.registry import Built, Calling, network

NEURALOP, HARMONICS = "neuraloperator 2.0.0", "torch-harmonics 0.9.3"


@network("FNO, 64 x 64", NEURALOP)
def fno() -> Built:
    from neuralop.models import FNO

    built = FNO(n_modes=(16, 16), in_channels=3, out_channels=1, hidden_channels=32)
    return built, torch.randn(1, 3, 64, 64)


@network("FNO of one axis, 256", NEURALOP)
def fno_1d() -> Built:
    from neuralop.models import FNO

    built = FNO(n_modes=(8,), in_channels=2, out_channels=1, hidden_channels=16, n_layers=2)
    return built, torch.randn(1, 2, 256)


@network("FNO of three axes, 16 x 16 x 16", NEURALOP)
def fno_3d() -> Built:
    from neuralop.models import FNO

    built = FNO(n_modes=(4, 4, 4), in_channels=1, out_channels=1, hidden_channels=8, n_layers=2)
    return built, torch.randn(1, 1, 16, 16, 16)


@network("TFNO, 32 x 32", NEURALOP)
def tfno() -> Built:
    from neuralop.models import TFNO

    built = TFNO(
        n_modes=(8, 8),
        in_channels=1,
        out_channels=1,
        hidden_channels=16,
        n_layers=2,
        factorization="tucker",
        implementation="factorized",
        rank=0.2,
    )
    return built, torch.randn(1, 1, 32, 32)


@network("UNO, 32 x 32", NEURALOP)
def uno() -> Built:
    from neuralop.models import UNO

    built = UNO(
        in_channels=1,
        out_channels=1,
        hidden_channels=16,
        uno_out_channels=[16, 16, 16],
        uno_n_modes=[[4, 4]] * 3,
        uno_scalings=[[1, 1], [0.5, 0.5], [2, 2]],
        n_layers=3,
        horizontal_skips_map={2: 0},
        lifting_channels=16,
        projection_channels=16,
        channel_mlp_skip="linear",
    )
    return built, torch.randn(1, 1, 32, 32)


@network("CODANO, 32 x 32", NEURALOP)
def codano() -> Built:
    """Its norms keep no statistics, and torch.export stops at it."""
    from neuralop.models import CODANO

    built = CODANO(
        output_variable_codimension=1,
        hidden_variable_codimension=2,
        lifting_channels=4,
        use_positional_encoding=False,
        n_layers=2,
        n_heads=[1, 1],
        n_modes=[[8, 8], [8, 8]],
        attention_scaling_factors=[1, 1],
        per_layer_scaling_factors=[[1, 1], [1, 1]],
        enable_cls_token=False,
        static_channel_dim=0,
        variable_ids=["a"],
    )
    return built, torch.randn(1, 1, 32, 32)


@network("derivative by Fourier series, 64", NEURALOP)
def fourier_derivative() -> Built:
    from neuralop.losses.differentiation import FourierDiff

    return Calling(FourierDiff(dim=1, L=1.0, use_fc=False).dx), torch.randn(1, 64)


@network("SFNO, 32 x 64", HARMONICS)
def sfno() -> Built:
    from torch_harmonics.examples.models import SphericalFourierNeuralOperator

    built = SphericalFourierNeuralOperator(
        img_size=(32, 64), num_layers=2, scale_factor=2, in_chans=3, out_chans=3, embed_dim=16
    )
    return built, torch.randn(1, 3, 32, 64)


@network("spherical harmonics and back, 16 x 32", HARMONICS)
def spherical() -> Built:
    from torch_harmonics import InverseRealSHT, RealSHT

    return nn.Sequential(RealSHT(16, 32), InverseRealSHT(16, 32)), torch.randn(1, 2, 16, 32)


@network("vector spherical harmonics and back, 16 x 32", HARMONICS)
def vector_spherical() -> Built:
    from torch_harmonics import InverseRealVectorSHT, RealVectorSHT

    both = nn.Sequential(RealVectorSHT(16, 32), InverseRealVectorSHT(16, 32))
    return both, torch.randn(1, 2, 16, 32)
