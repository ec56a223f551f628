"""What maps images to logits: a PyTorch network, or a file in its runtime."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from affnet.artifact import TensorSpec
from affnet.layouts import as_input
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
