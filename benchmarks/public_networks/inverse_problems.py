"""Images from what instruments measure: MRI, radio telescopes, microscopes, ptychography."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.public_networks.registry import Built, Calling, network

DEEPINV = "deepinv 0.5.0"
FASTMRI = "fastmri 0.3.0"
MPOL = "mpol 0.2.0"
SDECONV = "sdeconv 1.0.4"
WAVEORDER = "waveorder 3.0.2"
PSF = "psf-generator 0.1.0"
PTYCHI = "ptychi 2.2.0"


def _columns(width: int, center: int) -> Tensor:
    """Return a mask of every second column and the ones of low frequencies."""
    mask = (torch.arange(width) % 2 == 0).float()
    mask[(width - center) // 2 : (width + center) // 2] = 1
    return mask


@network("Wiener's filter with the Laplacian of the image", DEEPINV)
def laplacian_wiener() -> Built:
    from deepinv.models import WienerDeconvolution
    from deepinv.physics import BlurFFT
    from deepinv.physics.blur import gaussian_blur

    blur = BlurFFT(img_size=(1, 24, 24), filter=gaussian_blur(sigma=(1.0, 1.0)))
    filter_ = WienerDeconvolution(lambda_reg=0.01)
    return Calling(lambda y: filter_(y, blur), filter_), torch.rand(1, 1, 24, 24)


@network("MoDL: unrolled MRI with steps of data consistency", DEEPINV)
def unrolled_mri() -> Built:
    from deepinv.models import MoDL, UNet
    from deepinv.physics import MRI

    mask = _columns(16, 4).expand(1, 2, 16, 16)
    physics = MRI(mask=mask, img_size=(1, 2, 16, 16))
    model = MoDL(UNet(2, 2, scales=2, residual=False), num_iter=2)
    return Calling(lambda y: model(y, physics), model), torch.randn(1, 2, 16, 16)


@network("MRI of several coils, there and back", DEEPINV)
def coils() -> Built:
    from deepinv.physics import MultiCoilMRI

    maps = torch.randn(1, 3, 16, 16, dtype=torch.complex64)
    mask = _columns(16, 4).expand(1, 2, 16, 16)
    physics = MultiCoilMRI(mask=mask, coil_maps=maps, img_size=(1, 2, 16, 16))
    return Calling(lambda x: physics.A_adjoint(physics.A(x)), physics), torch.randn(1, 2, 16, 16)


@network("phase retrieval by random diagonals and transforms", DEEPINV)
def structured_phases() -> Built:
    from deepinv.physics import StructuredRandomPhaseRetrieval

    shape = (1, 12, 12)
    physics = StructuredRandomPhaseRetrieval(shape, shape, n_layers=2, device="cpu")
    return Calling(physics.A, physics), torch.randn(1, 1, 12, 12, dtype=torch.complex64)


@network("end-to-end variational network", FASTMRI)
def variational_network() -> Built:
    from fastmri.models import VarNet

    model = VarNet(num_cascades=2, sens_chans=2, sens_pools=2, chans=2, pools=2)
    mask = _columns(32, 8).bool().reshape(1, 1, 1, 32, 1)

    def image(kspace: Tensor) -> Tensor:
        return model(kspace * mask, mask, num_low_frequencies=8)

    return Calling(image, model), torch.randn(1, 2, 32, 32, 2)


@network("a U-Net of what coils see together", FASTMRI)
def zero_filled_unet() -> Built:
    import fastmri
    from fastmri.models import Unet

    model = Unet(1, 1, chans=4, num_pool_layers=2)

    def image(kspace: Tensor) -> Tensor:
        coils = fastmri.complex_abs(fastmri.ifft2c(kspace))
        return model(fastmri.rss(coils, dim=1)[:, None])

    return Calling(image, model), torch.randn(1, 3, 16, 20, 2)


@network("visibilities of an image of the sky", MPOL)
def visibilities() -> Built:
    from mpol.coordinates import GridCoords
    from mpol.fourier import FourierCube

    layer = FourierCube(GridCoords(cell_size=0.05, npix=32))
    return layer, torch.rand(2, 32, 32)


@network("visibilities at places off the grid", MPOL)
def loose_visibilities() -> Built:
    import numpy as np
    from mpol.coordinates import GridCoords
    from mpol.fourier import NuFFT

    generator = np.random.default_rng(0)
    u, v = generator.uniform(-1e6, 1e6, (2, 40))
    layer = NuFFT(GridCoords(cell_size=0.05, npix=32), u, v, nchan=1)
    return layer, torch.rand(1, 32, 32, dtype=torch.float64)


@network("Wiener's deconvolution of a micrograph", SDECONV)
def micrograph_wiener() -> Built:
    from sdeconv.deconv import SWiener
    from sdeconv.psfs import SPSFGaussian

    filter_ = SWiener(SPSFGaussian((1.5, 1.5), (13, 13))(), beta=0.005, pad=6)
    return Calling(filter_), torch.rand(20, 20)


@network("Richardson and Lucy's deconvolution, five steps", SDECONV)
def richardson_lucy() -> Built:
    from sdeconv.deconv import SRichardsonLucy
    from sdeconv.psfs import SPSFGaussian

    filter_ = SRichardsonLucy(SPSFGaussian((1.5, 1.5), (13, 13))(), niter=5, pad=6)
    return Calling(filter_), torch.rand(20, 20)


@network("phase of a thick sample, by Tikhonov's filter", WAVEORDER)
def thick_phase() -> Built:
    from waveorder.models import phase_thick_3d as thick

    real, imaginary = thick.calculate_transfer_function((6, 16, 16), 0.1, 0.25, 0.5, 1, 1.3)

    def phase(stack: Tensor) -> Tensor:
        return thick.apply_inverse_transfer_function(
            stack, real, imaginary, z_padding=1, regularization_strength=1e-2
        )

    return Calling(phase), torch.rand(6, 16, 16)


@network("absorption and phase of a thin sample", WAVEORDER)
def thin_phase() -> Built:
    from waveorder.models import isotropic_thin_3d as thin

    transfer = thin.calculate_transfer_function((16, 16), 0.1, [-0.5, 0.0, 0.5], 0.5, 1.3, 0.9, 1.2)
    system = thin.calculate_singular_system(*transfer)

    def both(stack: Tensor) -> tuple[Tensor, Tensor]:
        return thin.apply_inverse_transfer_function(stack, system, regularization_strength=1e-2)

    return Calling(both), torch.rand(3, 16, 16)


def _focus(kind: str) -> Built:
    from psf_generator import propagators

    propagator = getattr(propagators, kind)(n_pix_pupil=17, n_pix_psf=16, pix_size=40)

    def focus(phase: Tensor) -> Tensor:
        field = propagator.get_input_field() * torch.polar(torch.ones_like(phase), phase)
        propagator.get_input_field, kept = lambda: field, propagator.get_input_field
        seen = propagator.compute_focus_field()
        propagator.get_input_field = kept
        return seen.abs().square()

    return Calling(focus), torch.randn(17, 17) * 0.3


@network("focus of a lens, chirp z-transform", PSF)
def scalar_focus() -> Built:
    return _focus("ScalarCartesianPropagator")


@network("focus of a polarized wave", PSF)
def polarized_focus() -> Built:
    return _focus("VectorialCartesianPropagator")


@network("wave and back, angular spectrum of synchrotron light", PTYCHI)
def xray_spectrum() -> Built:
    from ptychi.propagate import AngularSpectrumPropagator, WavefieldPropagatorParameters

    where = WavefieldPropagatorParameters.create_simple(1e-9, 16, 16, 1e-7, 1e-7, 1e-5)
    layer = AngularSpectrumPropagator(where)

    def there(amplitude: Tensor, phase: Tensor) -> Tensor:
        far = layer.propagate_forward(torch.polar(amplitude, phase))
        return layer.propagate_backward(far * far.abs()).angle().cos()

    return Calling(there, layer), (torch.rand(2, 16, 16) + 0.5, torch.randn(2, 16, 16))


@network("wave by Fresnel's transform", PTYCHI)
def fresnel_transform() -> Built:
    from ptychi.propagate import FresnelTransformPropagator, WavefieldPropagatorParameters

    where = WavefieldPropagatorParameters.create_simple(1e-9, 16, 16, 1e-7, 1e-7, 1e-3)
    layer = FresnelTransformPropagator(where)
    return Calling(lambda x: layer(x).abs(), layer), torch.randn(2, 16, 16, dtype=torch.complex64)


@network("diffraction by slices, several modes of the probe", "ptyrad 1.0.0")
def slices() -> Built:
    from ptyrad.core.forward import multislice_forward
    from ptyrad.core.functional import near_field_evolution_torch

    probe = torch.randn(1, 2, 16, 16, dtype=torch.complex64)
    steps = near_field_evolution_torch((16, 16), 0.2, 10.0, 0.02, device="cpu")[None]

    def pattern(amplitude: Tensor, phase: Tensor) -> Tensor:
        return multislice_forward(amplitude, phase, probe, steps)

    return Calling(pattern), (torch.rand(3, 1, 2, 16, 16) + 0.5, torch.randn(3, 1, 2, 16, 16))


@network("deflection of light by a map of mass", "caustics 1.7.1")
def deflection() -> Built:
    from caustics import FlatLambdaCDM, PixelatedConvergence

    lens = PixelatedConvergence(
        pixelscale=0.1, cosmology=FlatLambdaCDM(), z_l=0.5, z_s=1.0, x0=0.0, y0=0.0, shape=(16, 16)
    )
    y, x = torch.meshgrid(*[torch.linspace(-0.7, 0.7, 12)] * 2, indexing="ij")

    def angles(mass: Tensor) -> tuple[Tensor, Tensor]:
        return lens.reduced_deflection_angle(x, y, [mass])

    return Calling(angles), torch.rand(16, 16)
