"""What maps images to logits: a PyTorch network, or a file in its runtime.

`as_input` and `from_output` know how a file holds what its network takes and gives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from affnet.artifact import TensorSpec
from affnet.runtimes import Session

Images = NDArray[np.float32]  # N x 3 x H x W, RGB in 0..1
#: Maps images to N x classes logits, or to what ranks the classes like them.
Predict = Callable[[Images], NDArray[np.float32]]


def network_predictor(model: nn.Module) -> Predict:
    """Run a PyTorch network, whatever the size of a batch."""

    def predict(images: Images) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits: NDArray[np.float32] = model(torch.from_numpy(images)).numpy()
        return logits

    return predict


def session_predictor(session: Session, spec: TensorSpec) -> Predict:
    """Run a file that takes images of ``spec``, in batches of the size it wants."""

    def predict(images: Images) -> NDArray[np.float32]:
        feed = as_input(images, spec)
        step = len(feed) if spec.dynamic_batch else spec.static_shape()[0]
        outputs = []
        for start in range(0, len(feed), step):
            batch = feed[start : start + step]
            if len(batch) < step:  # the last one, repeated to fill it
                batch = np.concatenate((batch, np.repeat(batch[-1:], step - len(batch), axis=0)))
            outputs.append(session.run(batch)[0])
        return np.asarray(np.concatenate(outputs)[: len(feed)], np.float32)

    return predict


def as_input(images: Images, spec: TensorSpec) -> NDArray[Any]:
    """Turn N x 3 x H x W images in 0..1 into what an input spec asks for; else change nothing."""
    if not spec.is_image:
        array = images.astype(spec.dtype)
        return (
            array if array.ndim else array.reshape(spec.static_shape())
        )  # some formats hold no scalars
    low, high = spec.range or (0.0, 1.0)
    values = low + images * (high - low)
    if spec.layout == "NHWC":
        values = values.transpose(0, 2, 3, 1)
    dtype = np.dtype(spec.dtype)
    if dtype.kind in "iu":
        values = values.round()
    return np.ascontiguousarray(values.astype(dtype))


def from_output(array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """Turn an output of ``spec`` into what the network gives: channels first, not quantized."""
    if spec.range is not None:
        low, high = spec.range
        array = (array.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return array.transpose(0, 3, 1, 2) if spec.layout == "NHWC" else array
