"""Random weights that exercise a network, for export and benchmarks without a checkpoint."""

from __future__ import annotations

import re
import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def randomise(model: nn.Module, seed: int = 0) -> None:
    """Overwrite every parameter and buffer of ``model`` with values drawn by name.

    Training's initial values would make a poor test: they start the frequency filters so small
    that soft shrinkage zeroes the whole mask, and a wrong DFT would go unseen.  Here every layer
    keeps its input's scale.  Values depend on the entry's name, its shape and the seed alone, not
    on torch's version (numpy's legacy generator is frozen).
    """
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.from_numpy(_draw(name, tuple(tensor.shape), seed)))


def _draw(name: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    generator = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    values = generator.standard_normal(shape)
    if name.endswith("running_var"):
        values = generator.uniform(0.5, 1.5, shape)
    elif re.search(r"\bfilter\.w\d$", name):  # 2 x blocks x in x out
        values /= np.sqrt(shape[2])
    elif name.endswith(("running_mean", "bias")) or re.search(r"\bfilter\.b\d$", name):
        values *= 0.1
    elif name.endswith("complex_weight"):  # a spectrum that multiplies another
        pass
    elif len(shape) == 1:  # the scale of a normalisation
        values = 1 + 0.1 * values
    else:
        values *= np.sqrt(2 / np.prod(shape[1:]))
    return np.asarray(values, np.float32)
