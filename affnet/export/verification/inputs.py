"""What a file and PyTorch are compared on.

Random numbers of one size hide most faults: a sum that overflows, a small constant that went, the
branch of an angle.  So a file sees what its users feed it: their own example and the same louder
and quieter, nothing at all, pictures of both common ranges, sounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affnet.artifact import Arrays, TensorSpec
from affnet.dynamic_axes import DynamicAxis, runs
from affnet.model.bundled import load_held_out, photographs
from affnet.model.images import Images, mosaic
from affnet.preprocessing import cut

#: So many of the images that calibrated a file are compared.
REAL_IMAGES = 32
_SEED = 20230714  # the paper's month; any number serves, but always the same one
_SCALES = {"/ 1000": 1e-3, "/ 30": 1 / 30, "x 30": 30.0, "x 255": 255.0}
_SIGNAL_RANK = 3  # N x channels x samples at most; what has more axes is no signal
_SIGNAL_LENGTH = 16  # of the last axis, at least
_SINE_CYCLES = 5.5  # between two frequencies of the transform, so that it falls on all of them
EXAMPLE, _SMALLEST, _LARGEST = "the example", "the smallest values", "the largest values"
_NOISE = "normal noise"
#: What a network is verified on that takes no floats.
_DISCRETE = (_SMALLEST, _LARGEST, *(f"random values {number}" for number in range(1, 5)))
_CHECKS = 8  # squares of the checkerboard along the longer side


@dataclass(frozen=True)
class VerificationInput:
    """What a network takes at once, or several images that are judged together."""

    name: str
    arrays: Arrays  # as the network takes them; images are N x 3 x H x W in 0..1


def usual_inputs(
    specs: Sequence[TensorSpec], example: Arrays | None = None, *, half: bool = False
) -> list[VerificationInput]:
    """Return what a network that takes ``specs`` is verified on: images, or tensors.

    ``half`` is whether it computes in float16.
    """
    if specs[0].is_image:
        return image_inputs(specs[0].image_size(), raw_pixels=half)
    return tensor_inputs(specs, example, half=half)


def image_inputs(size: tuple[int, int], *, raw_pixels: bool = False) -> list[VerificationInput]:
    """Return the images of ``size``, height and width, that a network of images is verified on.

    Their values are multiples of 1/255, so that inputs of 8 bits hold them without loss.  With
    ``raw_pixels`` there is one of values in 0..255, as apps feed them by mistake: what overflows
    float16 does so there first.
    """
    height, width = size
    shape = (1, 3, height, width)
    color = np.array([0.9, 0.3, 0.1], np.float32)[:, None, None]
    side = max(1, max(size) // _CHECKS)
    rows, columns = np.indices(size) // side
    images = {
        "black": np.zeros(shape, np.float32),
        "white": np.ones(shape, np.float32),
        "one colour": np.broadcast_to(color, shape),
        "a checkerboard": np.broadcast_to((rows + columns) % 2, shape),
        "tiles of digits": mosaic(load_held_out().images, size),
        **{f"the photograph {name}": image for name, image in _photographs(size)},
        "noise": np.random.default_rng(_SEED).random(shape),
    }
    inputs = [VerificationInput(name, (_rounded(image),)) for name, image in images.items()]
    if raw_pixels:
        *_, (name, image) = _photographs(size)
        raw = (np.round(image * 255),)
        inputs.append(VerificationInput(f"the photograph {name}, 0..255", raw))
    return inputs


def tensor_inputs(
    specs: Sequence[TensorSpec], example: Arrays | None = None, *, half: bool = False
) -> list[VerificationInput]:
    """Return what a network of the user's own is verified on, of the shapes of ``specs``.

    ``example`` is the input that came with the network, if one did.  Where it computes in float16,
    ``half``, nothing distinguishes values from a mean that is a thousand times larger, and it
    need not.  Integers and truth values are those of the example where floats are scaled, the
    smallest and the largest where floats are zeros and ones, and drawn from ``range`` elsewhere.
    """
    floats: dict[int, dict[str, NDArray[Any]]] = {}
    names: dict[str, None] = {}
    for index, spec in enumerate(specs):
        if np.dtype(spec.dtype).kind == "f":
            given = None if example is None else example[index]
            floats[index] = _float_inputs(spec, given, np.random.default_rng(_SEED + index), half)
            names |= dict.fromkeys(floats[index])
    if not floats:
        names = dict.fromkeys([EXAMPLE] * (example is not None) + [*_DISCRETE])
    inputs: list[VerificationInput] = []
    for name in names:
        arrays = []
        for index, spec in enumerate(specs):
            given = None if example is None else example[index]
            if index in floats:  # a kind that another's shape has: noise stands for it
                array = floats[index].get(name, floats[index][_NOISE])
            else:
                array = _discrete_input(spec, given, name, len(inputs) + index)
            arrays.append(np.array(array, spec.dtype, order="C"))
        inputs.append(VerificationInput(name, tuple(arrays)))
    return inputs


def sized_inputs(
    specs: Sequence[TensorSpec],
    axes: Sequence[DynamicAxis],
    example: Arrays | None = None,
    *,
    alone: bool = False,
) -> list[VerificationInput]:
    """Return inputs of the other lengths that a file of dynamic ``axes`` is verified at.

    Of each: the example, repeated or cut, and noise unless that is to stand ``alone``.
    """
    inputs = []
    own = {axis.name: axis.example for axis in axes}
    for lengths in runs(axes):
        if lengths == own:
            continue
        sized = [spec.sized(lengths) for spec in specs]
        longer = None
        if example is not None:
            pairs = zip(example, sized, strict=True)
            longer = tuple(_repeated(array, spec.static_shape()) for array, spec in pairs)
        text = ", ".join(f"{name} {length}" for name, length in lengths.items())
        inputs += [
            VerificationInput(f"{one.name}, {text}", one.arrays)
            for one in tensor_inputs(sized, longer)
            if one.name in ((EXAMPLE,) if alone else (EXAMPLE, _NOISE, _DISCRETE[-1]))
        ]
    return inputs


def _discrete_input(
    spec: TensorSpec, example: NDArray[Any] | None, name: str, draw: int
) -> NDArray[Any]:
    """Return integers or truth values for the input called ``name``."""
    shape = spec.static_shape()
    low, high = spec.range or (0, 1)
    if example is not None and name.startswith(EXAMPLE):
        return example
    if name in ("zeros", _SMALLEST):
        return np.full(shape, low)
    if name in ("ones", _LARGEST):
        return np.full(shape, high)
    return np.random.default_rng(_SEED + draw).integers(int(low), int(high), shape, endpoint=True)


def _repeated(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return ``array`` repeated from its start along each axis, or cut."""
    for axis, length in enumerate(shape):
        array = np.take(array, np.arange(length) % array.shape[axis], axis=axis)
    return array


def _float_inputs(
    spec: TensorSpec, example: NDArray[Any] | None, generator: np.random.Generator, half: bool
) -> dict[str, NDArray[Any]]:
    """Return floats of the shape of ``spec``, by what they are called."""
    shape = spec.static_shape()
    inputs: dict[str, NDArray[Any]] = {}
    if example is not None:
        inputs[EXAMPLE] = example
        inputs |= {f"{EXAMPLE} {name}": example * scale for name, scale in _SCALES.items()}
    inputs["zeros"] = np.zeros(shape)
    inputs["ones"] = np.ones(shape)
    if not half:  # a variance taken from sums of squares loses its digits here
        inputs["almost one value"] = 200.0 + generator.integers(-1, 2, shape)
    if shape[:2] == (1, 3) and len(shape) == 4:
        for name, image in _photographs((shape[2], shape[3])):
            inputs[f"the photograph {name}, 0..1"] = image
            inputs[f"the photograph {name}, 0..255"] = image * 255
    if 1 <= len(shape) <= _SIGNAL_RANK and shape[-1] >= _SIGNAL_LENGTH:
        inputs |= _signals(shape)
    inputs[_NOISE] = np.asarray(generator.standard_normal(shape))
    inputs["uniform noise"] = np.asarray(generator.random(shape))
    return inputs


def calibration_inputs(images: Images) -> list[VerificationInput]:
    """Return some of the images that calibrated a file, N x 3 x H x W, to be compared together."""
    images = images[:REAL_IMAGES]
    return [VerificationInput(f"{len(images)} images that calibrated it", (images,))]


def _signals(shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    """Return an impulse and a sine along the last axis; silence is among the others, as zeros."""
    impulse = np.zeros(shape)
    impulse[..., shape[-1] // 3] = 1
    phase = 2 * np.pi * _SINE_CYCLES * np.arange(shape[-1]) / shape[-1]
    return {"an impulse": impulse, "a sine": np.broadcast_to(np.sin(phase), shape)}


def _photographs(size: tuple[int, int]) -> Iterator[tuple[str, Images]]:
    """Yield name and pixels, 1 x 3 x H x W in 0..1, of each bundled photograph."""
    for path in photographs():
        with Image.open(path) as image:
            pixels = cut(image, size, size)
        yield path.stem, np.asarray(pixels.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def _rounded(images: NDArray[Any]) -> Images:
    return np.asarray(np.round(np.asarray(images, np.float64) * 255) / 255, np.float32)
