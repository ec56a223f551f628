"""Inputs as users feed them, to say without verification whether two networks differ.

None is taken from verification's own list: these are drawn here.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affnet.parity import Tolerance

Run = Callable[[Tensor], Tensor]

_SEED = 4711
_OWN_ERROR = 0.1  # of the tolerance: what PyTorch's float32 may differ by from its float64
_PERTURBATION = 1e-6  # relative: a dozen roundings of float32
_SMALLEST = float(np.finfo(np.float32).tiny)  # below it, runtimes may flush to zero
VISIBLE = 10  # tolerances: what a fault has to make at least


def held_out_inputs(domain: str, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """Return inputs of ``shape`` by what they are, in float32."""
    generator = np.random.default_rng(_SEED)
    inputs = _pictures(shape, generator) if domain == "image" else _sounds(shape, generator, domain)
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in inputs.items()}


def _pictures(shape: tuple[int, ...], generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    batch, channels, height, width = shape
    rows, columns = np.mgrid[:height, :width]
    rows, columns = rows / max(height - 1, 1), columns / max(width - 1, 1)
    sky = np.stack([0.9 - 0.5 * rows, 0.6 + 0.2 * columns, 0.3 + 0.6 * rows * columns])
    disc = (rows - 0.4) ** 2 + (columns - 0.6) ** 2 < 0.06
    photo = np.where(disc, np.array([0.8, 0.1, 0.05])[:, None, None], sky)[:channels]
    photo = photo + 0.05 * generator.standard_normal((batch, channels, height, width))
    bytes_ = np.round(255 * np.clip(photo, 0, 1))
    wall = 200 + generator.integers(-1, 2, shape)
    night = np.where(rows + columns > 1.2, bytes_, 0)
    return {
        "photograph, 0..1": bytes_ / 255,
        "photograph, 0..255": bytes_,
        "photograph, normalised": (bytes_ / 255 - 0.45) / 0.226,
        "black": np.zeros(shape),
        "dark, 0..1": np.round(0.02 * bytes_) / 255,
        "a wall, 199..201": wall,
        "half black, 0..255": night,
        "half black, 0..1": night / 255,
    }


def _sounds(
    shape: tuple[int, ...], generator: np.random.Generator, domain: str
) -> dict[str, NDArray[Any]]:
    batch, samples = shape
    time = np.arange(samples) / 8000
    pitch = generator.uniform(100, 300, (batch, 1))
    harmonics = sum(np.sin(2 * np.pi * k * pitch * time + k) / k for k in range(1, 8))
    voice = 0.3 * harmonics + 0.002 * generator.standard_normal(shape)
    pause = np.where(np.arange(samples) < samples // 2, 0, voice)
    click = np.zeros(shape)
    click[:, samples // 3] = 0.9
    sounds = {
        "speech": voice,
        "silence": np.zeros(shape),
        "whisper": 3e-4 * voice,
        "speech after silence": pause,
        "click": click,
        "clipped": np.clip(5 * voice, -1, 1),
        "speech on a negative offset": 0.3 * voice - 0.4,
    }
    if domain == "audio":
        return sounds
    return {name: np.round(32767 * np.clip(sound, -1, 1)) for name, sound in sounds.items()}


@dataclass(frozen=True)
class Reference:
    """What PyTorch gives for one input, and where that is determined."""

    values: NDArray[np.float64]
    determined: NDArray[np.bool_]  # float32 agrees with float64
    stable: NDArray[np.bool_]  # and remains when the input changes by rounding
    peak: float  # the largest determined value
    tolerance: Tolerance

    def error(self, given: NDArray[Any], *, stable: bool) -> float:
        """Return how many tolerances ``given`` is away; infinitely many where it is not finite."""
        where = self.determined & self.stable if stable else self.determined
        if given.shape != self.values.shape:
            return math.inf
        if not where.any():
            return 0.0
        with np.errstate(invalid="ignore", over="ignore"):
            difference = np.abs(given.astype(np.float64) - self.values)[where]
        if not np.isfinite(difference).all():
            return math.inf
        if difference.max() <= _SMALLEST:
            return 0.0
        if self.peak == 0:
            return math.inf
        largest = difference.max() / self.peak / self.tolerance.max_rel_error
        psnr_db = -20 * math.log10(np.sqrt(np.mean(difference**2)) / self.peak)
        return float(max(largest, 10 ** ((self.tolerance.min_psnr_db - psnr_db) / 20)))


def references(
    network: nn.Module, inputs: dict[str, Tensor], tolerance: Tolerance
) -> dict[str, Reference]:
    """Return what ``network`` gives for each input, by the inputs' names."""
    double = copy.deepcopy(network).double()
    return {name: _reference(network, double, x, tolerance) for name, x in inputs.items()}


def _reference(network: Run, double: Run, x: Tensor, tolerance: Tolerance) -> Reference:
    own, exact = run(network, x), run(double, x.double())
    finite = np.isfinite(exact) & np.isfinite(own)
    peak = float(np.abs(exact[finite]).max()) if finite.any() else 0.0

    def near(other: NDArray[Any], share: float) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):
            allowed = share * tolerance.max_rel_error * peak + _SMALLEST
            return finite & (np.abs(other - exact) <= allowed)

    determined = stable = near(own, _OWN_ERROR)
    generator = torch.Generator().manual_seed(_SEED)
    for _ in range(3):
        relative, added = torch.randn((2, *x.shape), generator=generator, dtype=torch.float64)
        wide = x.double()
        noise = wide * relative + wide.square().mean().sqrt() * added  # silence stays silence
        stable = stable & near(run(double, wide + _PERTURBATION * noise), _OWN_ERROR)
    return Reference(own.astype(np.float64), determined, stable, peak, tolerance)


def run(network: Run, x: Tensor) -> NDArray[Any]:
    """Return what a network gives, complex numbers as their parts on a last axis of 2."""
    with torch.inference_mode():
        y = network(x)
        return (torch.view_as_real(y.resolve_conj()) if y.is_complex() else y).numpy()


def visible_on(right: dict[str, Reference], outputs: dict[str, NDArray[Any]]) -> str | None:
    """Return the input on which ``outputs`` differ most from the right ones, if they visibly do."""
    errors = {name: right[name].error(outputs[name], stable=False) for name in right}
    name = max(errors, key=lambda each: errors[each])
    return name if errors[name] > VISIBLE else None
