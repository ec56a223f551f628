"""Deterministic weights and inputs: each tensor is drawn from a generator seeded by its name.

So a network is filled with the same numbers on every machine, without a stored file, and its
activations keep the size that those of a trained network have.
"""

from __future__ import annotations

import zlib
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

M = TypeVar("M", bound=nn.Module)


def reference_tensor(name: str, shape: tuple[int, ...]) -> NDArray[np.float32 | np.int64]:
    """Return the value of the state-dict entry ``name``."""
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    draw = rng.standard_normal(shape)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var"):
        return np.asarray(rng.uniform(0.5, 1.5, shape), np.float32)
    if name.endswith(("running_mean", "bias")) or ".filter.b" in name:
        scale, centre = 0.1, 0.0
    elif ".filter.w" in name:  # 2 x blocks x in x out
        scale, centre = 1 / np.sqrt(shape[2]), 0.0
    elif len(shape) == 1:  # the scale of a normalisation
        scale, centre = 0.1, 1.0
    else:
        scale, centre = np.sqrt(2.0 / np.prod(shape[1:])), 0.0
    return np.asarray(centre + scale * draw, np.float32)


def fill(module: M) -> M:
    """Give ``module`` the reference weights and return it, in evaluation mode."""
    module.load_state_dict(
        {
            name: torch.from_numpy(np.asarray(reference_tensor(name, tuple(value.shape))))
            for name, value in module.state_dict().items()
        }
    )
    return module.eval()


def reference_image(height: int, width: int, batch: int = 1) -> NDArray[np.float32]:
    """Return the reference input, batch x 3 x height x width, standard normal."""
    draw = np.random.RandomState(0).standard_normal((batch, 3, height, width))
    return np.asarray(draw, np.float32)


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest difference over the largest expected value."""
    difference = (actual.detach().double() - expected.detach().double()).abs().max()
    return float(difference / expected.detach().abs().max())
