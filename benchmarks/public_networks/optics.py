"""Waves, lenses and images: holograms, ptychography, steerable pyramids, spheres."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.public_networks.registry import Built, Calling, network

SVETLANNA = "svetlanna 2.0.2"
ODAK = "odak 0.2.7"
CDTOOLS = "cdtools-py 0.3.2"
PLENOPTIC = "plenoptic 2.1.1"
E3NN = "e3nn 0.6.0"


def _diffractive(method: str) -> Built:
    from svetlanna import LinearOpticalSetup, SimulationParameters, Wavefront
    from svetlanna.elements import DiffractiveLayer, FreeSpace

    axis = torch.linspace(-1e-3, 1e-3, 32)
    where = SimulationParameters({"W": axis, "H": axis, "wavelength": 5e-7})
    system = LinearOpticalSetup(
        [
            FreeSpace(where, distance=0.1, method=method),
            DiffractiveLayer(where, mask=torch.rand(32, 32) * 6),
            FreeSpace(where, distance=0.1, method=method),
        ]
    )

    def seen(x: Tensor) -> Tensor:
        return system(Wavefront(x.to(torch.complex64))).intensity

    return Calling(seen, system.net), torch.rand(1, 32, 32)


@network("diffractive network, angular spectrum", SVETLANNA)
def diffractive_spectrum() -> Built:
    return _diffractive("zpASM")


@network("diffractive network, Rayleigh and Sommerfeld's convolution", SVETLANNA)
def diffractive_convolution() -> Built:
    return _diffractive("zpRSC")


@network("hologram, band-limited angular spectrum", ODAK)
def hologram() -> Built:
    from odak.learn.wave import propagate_beam, wavenumber

    def seen(phase: Tensor) -> Tensor:
        field = torch.polar(torch.ones_like(phase), phase)
        far = propagate_beam(
            field,
            wavenumber(5.15e-7),
            0.005,
            8e-6,
            5.15e-7,
            propagation_type="Bandlimited Angular Spectrum",
            zero_padding=[True, False, True],
        )
        return far.abs() ** 2

    return Calling(seen), torch.randn(24, 32)


@network("hologram, Fresnel's transfer function", ODAK)
def fresnel_hologram() -> Built:
    from odak.learn.wave import propagate_beam, wavenumber

    def seen(amplitude: Tensor, phase: Tensor) -> Tensor:
        field = amplitude * torch.exp(1j * phase)
        far = propagate_beam(
            field,
            wavenumber(5.15e-7),
            0.01,
            8e-6,
            5.15e-7,
            propagation_type="Transfer Function Fresnel",
            zero_padding=[False, False, False],
        )
        return torch.angle(far)

    return Calling(seen), (torch.rand(16, 16) + 0.5, torch.randn(16, 16))


@network("diffraction pattern of a sample and a probe", CDTOOLS)
def ptychography() -> Built:
    from cdtools.tools.interactions import ptycho_2D_sinc
    from cdtools.tools.propagators import far_field

    probe = torch.randn(12, 12, dtype=torch.complex64)

    def pattern(sample: Tensor, shift: Tensor) -> Tensor:
        waves = ptycho_2D_sinc(probe, torch.view_as_complex(sample), shift, shift_probe=True)
        return far_field(waves).abs() ** 2

    return Calling(pattern), (torch.randn(32, 32, 2), torch.rand(3, 2) * 8 + 2)


@network("wave near a sample, and back", CDTOOLS)
def near_field() -> Built:
    from cdtools.tools import propagators

    spectrum = propagators.generate_angular_spectrum_propagator(
        (20, 24), (1e-6, 1e-6), 5e-7, 1e-4, bandlimit=0.8
    ).to(torch.complex64)

    def there(x: Tensor) -> Tensor:
        far = propagators.near_field(x, spectrum)
        return propagators.inverse_near_field(far * far.abs().gt(0.5), spectrum)

    return Calling(there), torch.randn(2, 20, 24, dtype=torch.complex64)


@network("steerable pyramid", PLENOPTIC)
def steerable_pyramid() -> Built:
    from plenoptic.process import SteerablePyramidFreq

    pyramid = SteerablePyramidFreq((32, 32), height=2, order=3, is_complex=True)
    return Calling(lambda x: list(pyramid(x).values()), pyramid), torch.randn(1, 1, 32, 32)


@network("steerable pyramid and back", PLENOPTIC)
def steerable_reconstruction() -> Built:
    from plenoptic.process import SteerablePyramidFreq

    pyramid = SteerablePyramidFreq((32, 32), height=2, order=1, downsample=False)

    def shrunk(x: Tensor) -> Tensor:
        bands = {k: torch.nn.functional.softshrink(v, 0.05) for k, v in pyramid(x).items()}
        return pyramid.recon_pyr(bands)

    return Calling(shrunk, pyramid), torch.randn(1, 1, 32, 32)


@network("statistics of textures", PLENOPTIC)
def texture_statistics() -> Built:
    from plenoptic.models import PortillaSimoncelli

    return PortillaSimoncelli((32, 32), n_scales=2, n_orientations=2), torch.rand(1, 1, 32, 32)


@network("activation on a sphere", E3NN)
def sphere_activation() -> Built:
    from e3nn.nn import S2Activation
    from e3nn.o3 import Irreps

    layer = S2Activation(Irreps("0e + 1o + 2e"), torch.tanh, res=16)
    return layer, torch.randn(3, 9)


@network("signals on a sphere and back", E3NN)
def sphere_signals() -> Built:
    from e3nn.o3 import FromS2Grid, ToS2Grid

    there, back = ToS2Grid(lmax=4, res=(10, 11)), FromS2Grid(res=(10, 11), lmax=4)
    return Calling(lambda x: back(there(x).relu()), there, back), torch.randn(2, 25)


@network("fractional transform of images, several angles", "torch-frft2d 0.1.0")
def fractional_images() -> Built:
    from torch_frft2d import frft2d_multi

    def turned(x: Tensor, angles: Tensor) -> Tensor:
        return frft2d_multi(x.to(torch.complex64), angles).abs()

    return Calling(turned), (torch.randn(1, 16, 16), torch.tensor([[0.3, 0.8, 1.2]]))


@network(
    "non-uniform transform by a kernel of the exponential of a semicircle", "torchesnufft 0.1.2"
)
def exponential_nonuniform() -> Built:
    from torchesnufft import functional

    places = torch.rand(1, 30) * 6 - 3

    def there(x: Tensor) -> Tensor:
        return functional.nufft2(places, x.to(torch.complex64))

    return Calling(there), torch.randn(1, 1, 16)
