"""Files that resize pictures themselves, next to Pillow and then next to PyTorch.

The steps before the network are compared with Pillow alone, in their runtime, pixel by pixel.  The
file is then compared with PyTorch on the pixels that these steps give: a pixel that is one of 255
off, which is allowed, is no error of the network.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from affnet.artifact import Manifest, TensorSpec, image_spec
from affnet.errors import VerificationError
from affnet.export.converters import PixelConverter, get_converter
from affnet.export.passes.graph_pixels import PICTURE, GraphPixels
from affnet.export.verification.inputs import image_inputs
from affnet.files import scratch_folder
from affnet.layouts import as_input
from affnet.model.dense.base import DenseNetwork
from affnet.model.source import Source
from affnet.runtimes import Session, get_runtime, runtime_for

_ALLOWED = 1.001  # of 255; the rest is float32's rounding


@dataclass(frozen=True)
class PixelAgreement:
    """How far a file's preprocessing is from Pillow's."""

    largest: float  # difference, of 255
    equal: float  # share of the values that are the same of 8 bits, 0..1


class OnPictures(nn.Module):
    """A network behind a file's own preprocessing, for images of the pictures' size."""

    def __init__(
        self, network: nn.Module, session: Session, pixels: GraphPixels, *, channels_last: bool
    ) -> None:
        super().__init__()
        self.network = network
        self._session, self._taken = session, pixels.spec(PICTURE)
        self._size, self._channels_last = pixels.contract.crop, channels_last

    def forward(self, x: Tensor) -> Any:
        """Map N x 3 x H x W pictures in 0..1 to what the network gives."""
        return self.network(torch.from_numpy(self.pixels(x.float().numpy())).to(x.dtype))

    def __deepcopy__(self, memo: dict[int, Any]) -> OnPictures:
        """Copy the network; the session, which holds no state, is shared, as none can be copied."""
        copied = copy.copy(self)
        copied._modules = copy.deepcopy(self._modules, memo)
        return copied

    def pixels(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the network sees, N x 3 x rows x columns."""
        parts = [self._session.run(as_input(image[None], self._taken))[0] for image in images]
        joined = np.concatenate(parts)
        return np.ascontiguousarray(joined.transpose(0, 3, 1, 2) if self._channels_last else joined)


class DenseOnPictures(OnPictures, DenseNetwork):
    """The same of a network whose outputs belong to places."""

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        """Return those of the network, whose size is not the pictures'."""
        return cast(DenseNetwork, self.network).output_specs(*self._size)


def on_pictures(
    source: Source, manifest: Manifest, runtime: str | None = None
) -> tuple[Source, PixelAgreement]:
    """Return a source of pictures, for a file that resizes them, and how near Pillow it does so.

    The pixels are those that ``runtime`` makes of the file's steps, by default the format's own.

    Raises:
        VerificationError: a pixel differs by more than 1 of 255.
        ArtifactError: the runtime rejects the steps.
    """
    contract, spec = manifest.preprocessing, manifest.inputs[0]
    assert contract is not None
    assert contract.picture is not None
    pixels = GraphPixels(
        dataclasses.replace(contract, picture=None), contract.picture, spec.layout or "NHWC"
    )
    converter = cast(type[PixelConverter], get_converter(manifest.format))
    with scratch_folder() as folder:
        path = converter.write_pixels(pixels, folder)
        computing = get_runtime(runtime) if runtime else runtime_for(manifest.format)
        session = computing.load(path, threads=1)
    kind = DenseOnPictures if isinstance(source.model, DenseNetwork) else OnPictures
    channels_last = converter.layouts[0] == "NHWC"
    model = kind(source.model, session, pixels, channels_last=channels_last).eval()
    agreement = _compared(model, pixels)
    return dataclasses.replace(source, model=model, inputs=(image_spec(*pixels.size),)), agreement


def _compared(model: OnPictures, pixels: GraphPixels) -> PixelAgreement:
    """Compare with Pillow on what images are verified on."""
    largest, equal = 0.0, []
    for one in image_inputs(pixels.size):
        (images,) = one.arrays
        given = model.pixels(images)[0].transpose(1, 2, 0) * 255
        wanted = _expected(pixels, images[0])
        difference = np.abs(given - wanted)
        largest = max(largest, float(difference.max()))
        equal.append(float((difference < 0.5).mean()))
        if largest > _ALLOWED:
            raise VerificationError(
                f"The preprocessing in the file differs from Pillow's by {largest:.1f} of 255 on "
                f"{one.name}, 1 is allowed."
            )
    return PixelAgreement(round(largest, 3), round(float(np.mean(equal)), 6))


def _expected(pixels: GraphPixels, image: NDArray[np.float32]) -> NDArray[np.float32]:
    picture = np.round(image.transpose(1, 2, 0) * 255).astype(np.uint8)
    return np.asarray(pixels.contract.pixels(Image.fromarray(picture)), np.float32)
