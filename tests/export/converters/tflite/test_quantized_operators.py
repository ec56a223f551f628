"""Which operators of a TFLite file are quantised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.export.converters import ConversionRequest
from affnet.export.converters.tflite.converter import TfliteConverter
from affnet.export.quantization.layers import KeptModules
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.tiny import noise

pytestmark = [*THIRD_PARTY_WARNINGS, pytest.mark.converters]


class My_Layer(nn.Linear):  # noqa: N801
    """A class whose name has an underscore, as those of modules have."""


class Lists(nn.Module):
    """Layers of lists, which are not called themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.en_coder = nn.ModuleList([nn.Linear(8, 8), My_Layer(8, 8)])
        self.decoder = nn.ModuleList([nn.Linear(8, 8), My_Layer(8, 8)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in (*self.en_coder, *self.decoder):
            x = torch.sin(layer(x))
        return x


@pytest.mark.parametrize("chosen", ["en_coder.0", "en_coder.1", "decoder.0", "decoder.1"])
def test_layers_are_known_by_their_paths(chosen: str, tmp_path: Path) -> None:
    network = Lists().eval()
    graph = torch.export.export(network, (noise(1, 8),)).module()
    borders = TensorSpec("x", (1, 8), "float32"), TensorSpec("output", (1, 8), "float32")
    request = ConversionRequest(
        name="lists", inputs=borders[:1], outputs=borders[1:], precision="int8-weights",
        route="torch.export", native_fft=False, keep_float=KeptModules((), frozenset({chosen})),
    )  # fmt: skip
    path = TfliteConverter().convert(graph, request, tmp_path).path
    interpreter = Interpreter(str(path))
    found = [
        (tensor["index"], tensor["quantization_parameters"]["scales"])
        for tensor in interpreter.get_tensor_details()
        if tensor["dtype"] is np.int8
    ]
    ((index, scales),) = found
    weights = interpreter.get_tensor(index) * scales[:, None]
    expected = network.get_submodule(chosen).weight.detach().numpy()
    np.testing.assert_allclose(weights, expected, atol=float(scales.max()))
