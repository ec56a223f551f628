"""Filters as long as their signals: state spaces, Hyena, Toeplitz matrices, bound vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.public_networks.registry import Built, Calling, network

GATED = "gated-state-spaces-pytorch 0.1.0"
PYRO = "pyro-ppl 1.9.2"
MONAI = "monai 1.6.1"


@network("gated state space", GATED)
def gated_state_space() -> Built:
    from gated_state_spaces_pytorch import GSS

    return GSS(dim=32, dim_expansion_factor=2, dss_kernel_N=32, dss_kernel_H=32), torch.randn(
        1, 64, 32
    )


@network("language model of gated state spaces", GATED)
def gated_language_model() -> Built:
    from gated_state_spaces_pytorch import GatedDsConvLM

    model = GatedDsConvLM(num_tokens=64, dim=32, depth=2, heads=2, dim_dsconv=32)
    return model, torch.randint(0, 64, (1, 48))


@network("language model of exponential smoothing", GATED)
def smoothing_language_model() -> Built:
    from gated_state_spaces_pytorch import GatedExponentialSmoothingLM

    model = GatedExponentialSmoothingLM(num_tokens=64, dim=32, depth=2, heads=2, dim_mhesa=32)
    return model, torch.randint(0, 64, (1, 48))


@network("StripedHyena's filter by poles and residues", "stripedhyena 0.2.2")
def striped_hyena() -> Built:
    from stripedhyena.model import ParallelGatedConvBlock
    from stripedhyena.utils import dotdict

    config = dotdict(
        {
            "hidden_size": 32,
            "num_filters": 32,
            "inner_mlp_size": 64,
            "num_attention_heads": 4,
            "state_size": 2,
            "short_filter_length": 3,
            "short_filter_bias": True,
            "eps": 1e-5,
            "model_parallel_size": 1,
            "params_dtype": torch.float32,
            "hyena_block_dtype": torch.float32,
            "mlp_dtype": torch.float32,
            "column_split_hyena": False,
        }
    )
    block = ParallelGatedConvBlock(config, 0)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return Calling(lambda x: block(x)[0], block), torch.randn(1, 40, 32)


@network("depthwise convolution of images by FFT", MONAI)
def depthwise_convolution() -> Built:
    from monai.networks.blocks.hyena import DepthwiseFFTConv2d

    return DepthwiseFFTConv2d(8, 8, 7, groups=8, padding=3), torch.randn(1, 8, 24, 20)


@network("depthwise convolution of volumes by FFT, in chunks", MONAI)
def volume_convolution() -> Built:
    from monai.networks.blocks.hyena import DepthwiseFFTConv3d

    layer = DepthwiseFFTConv3d(4, 4, 3, groups=4, padding=1, fft_chunk_size=2)
    return layer, torch.randn(1, 4, 10, 12, 8)


@network("analytic signal along an axis", MONAI)
def hilbert_transform() -> Built:
    from monai.networks.layers import HilbertTransform

    return HilbertTransform(axis=2), torch.randn(1, 2, 33, 8)


@network("centered transform and back, shifts by rolls", MONAI)
def centered_transform() -> Built:
    from monai.networks.blocks.fft_utils_t import fftn_centered_t, ifftn_centered_t

    def halved(x: Tensor) -> Tensor:
        spectrum = fftn_centered_t(x, spatial_dims=2)
        return ifftn_centered_t(spectrum * 0.5, spatial_dims=2).abs()

    return Calling(halved), torch.randn(1, 2, 17, 16, 2)


@network("product by a Toeplitz matrix", "linear-operator 0.6.1")
def toeplitz_product() -> Built:
    from linear_operator.utils.toeplitz import toeplitz_matmul

    column, row = torch.randn(48), torch.randn(48)
    row[0] = column[0]
    return Calling(lambda x: toeplitz_matmul(column, row, x)), torch.randn(2, 48, 3)


@network("Gaussian process on a grid, a Toeplitz covariance", "gpytorch 1.15.2")
def grid_covariance() -> Built:
    from gpytorch.kernels import GridInterpolationKernel, RBFKernel

    kernel = GridInterpolationKernel(RBFKernel(), grid_size=32, grid_bounds=[(0.0, 1.0)])
    places = torch.linspace(0, 1, 20)[:, None]
    return Calling(lambda x: kernel(places) @ x, kernel), torch.randn(20, 2)


@network("autocorrelation of chains", PYRO)
def autocorrelation() -> Built:
    from pyro.ops.stats import autocorrelation as correlated

    return Calling(lambda x: correlated(x, dim=0)), torch.randn(60, 3)


@network("effective sample size", PYRO)
def sample_size() -> Built:
    from pyro.ops.stats import effective_sample_size

    return Calling(effective_sample_size), torch.randn(4, 50, 3)


@network("cosine transform along the second axis and back", PYRO)
def cosines_of_axis() -> Built:
    from pyro.ops.tensor_utils import dct, idct

    return Calling(lambda x: idct(dct(x, dim=1).tanh(), dim=1)), torch.randn(2, 15, 4)


@network("convolution of two batches", PYRO)
def broadcast_convolution() -> Built:
    from pyro.ops.tensor_utils import convolve

    def convolved(x: Tensor, y: Tensor) -> Tensor:
        return convolve(x[:, None], y, mode="same")

    return Calling(convolved), (torch.randn(2, 40), torch.randn(3, 9))


@network("holographic reduced representations", "torch-hd 5.8.4")
def holographic() -> Built:
    import torchhd

    roles = torchhd.random(3, 64, "HRR")

    def recalled(x: Tensor) -> Tensor:
        values = x.as_subclass(torchhd.HRRTensor)
        memory = torchhd.bind(roles, values).multibundle()
        found = torchhd.bind(memory, roles[1].exact_inverse())
        return torchhd.cosine_similarity(found, values).as_subclass(Tensor)

    return Calling(recalled), torch.randn(3, 64)


@network("classifier of bound vectors", "torch-hd 5.8.4")
def vector_classifier() -> Built:
    import torchhd
    from torchhd.embeddings import FractionalPower

    embedding = FractionalPower(4, 128, vsa="HRR")
    weights = torch.randn(5, 128)

    def classified(x: Tensor) -> Tensor:
        return torchhd.dot_similarity(embedding(x), weights.as_subclass(torchhd.HRRTensor))

    return Calling(classified, embedding), torch.randn(2, 4)
