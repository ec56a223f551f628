"""Random weights that exercise a network, for export and benchmarks without a checkpoint."""

from __future__ import annotations

import re
import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

#: What predicts scores and boxes in SSDLite.  A box's size is the exponential of a prediction: at
#: the scale of other layers the largest would be millions of images wide, which float16 cannot
#: hold, and next to which no error in another box would be seen.
_PREDICTOR = re.compile(r"\.loc_cls_layer\.(pw_conv\.)?block\.conv\.weight$")


def randomise(model: nn.Module, seed: int = 0) -> None:
    """Overwrite every parameter and buffer of ``model`` with values drawn by name.

    Training's initial values would make a poor test: they start the frequency filters so small
    that soft shrinkage zeroes the whole mask, and a wrong DFT would go unseen.  Here every layer
    keeps its input's scale, but for those that predict boxes, which have a tenth of it.  Values
    depend on the entry's name, its shape and the seed alone, not on torch's version (numpy's legacy
    generator is frozen).
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
        if _PREDICTOR.search(name):
            values *= 0.1
    return np.asarray(values, np.float32)
