"""TFLite files of operators that litert-torch confuses beside convolutions, by both routes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.errors import ConversionError
from affnet.export.converters import ConversionRequest
from affnet.export.converters.tflite.converter import TfliteConverter
from affnet.export.operators import replace_operators
from affnet.runtimes.litert import LiteRtRuntime

pytestmark = [
    pytest.mark.converters,
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*:FutureWarning"),
]

SHAPE = (1, 4, 4, 4)  # where an axis is taken for another, its size does not show it

MASK = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 1]]).bool()

#: What stands between two convolutions.
BOTH_ROUTES: dict[str, Callable[[Tensor], Tensor]] = {
    "repeat": lambda x: x.repeat(1, 1, 2, 2),
    "repeat channels": lambda x: x + x.mean(1, keepdim=True).repeat(1, 4, 1, 1),
    "repeat columns": lambda x: x + x.mean(3, keepdim=True).repeat(1, 1, 1, 4),
    "tile": lambda x: torch.tile(x, (3, 2)),
    "expand channels": lambda x: x * x.mean(1, keepdim=True).expand(1, 4, 4, 4),
    "expand maps": lambda x: x + x.mean((2, 3), keepdim=True).expand_as(x),
    "repeat_interleave": lambda x: x.repeat_interleave(2, dim=2),
    "repeat_interleave columns": lambda x: x + x.mean(3, keepdim=True).repeat_interleave(4, 3),
    "adaptive_max_pool2d": lambda x: F.adaptive_max_pool2d(x, 3),
    "nearest": lambda x: F.interpolate(x, size=(7, 5)),
    "bilinear": lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
    "index": lambda x: x[:, torch.arange(4)[:, None], torch.arange(4) % 3],
    "fold": lambda x: F.fold(x.reshape(1, 16, 4), (4, 4), (2, 2), stride=2, padding=1, dilation=2),
    "fold signals": lambda x: F.fold(x.reshape(1, 16, 4), (4, 7), (4, 1), stride=(1, 2)),
    "windows": lambda x: x.unfold(3, 3, 1).flatten(3),
}
TORCH_EXPORT_ONLY: dict[str, Callable[[Tensor], Tensor]] = {
    "max_pool2d": lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True)[1].float(),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x, MASK),
    "flip": lambda x: x.flip(1, 3),
    "antialias": lambda x: F.interpolate(x, size=(3, 6), mode="bicubic", antialias=True),
    "topk": lambda x: sum(part.to(torch.float32) for part in x.topk(4)),
}
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "stride 2, output padding": lambda: nn.ConvTranspose2d(4, 4, 3, 2, 1, 1),
    "groups": lambda: nn.ConvTranspose2d(4, 4, 3, 2, 1, groups=2),
    "dilation": lambda: nn.ConvTranspose2d(4, 4, 2, 3, 1, dilation=2, bias=False),
    "signals": lambda: nn.Sequential(
        nn.Flatten(2), nn.ConvTranspose1d(4, 4, 5, 2, 2, 1), nn.Unflatten(2, (1, -1))
    ),
}


class Sandwiches(nn.Module):
    """Each function, and each layer, between convolutions of its own; outputs in a row."""

    def __init__(
        self,
        functions: dict[str, Callable[[Tensor], Tensor]],
        layers: dict[str, Callable[[], nn.Module]],
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.names = [*functions, *layers]
        self.functions = functions
        self.layers = nn.ModuleDict({name: make() for name, make in layers.items()})
        self.before = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in self.names)
        self.after = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in self.names)

    def outputs(self, x: Tensor) -> list[Tensor]:
        outputs = []
        for name, before, after in zip(self.names, self.before, self.after, strict=True):
            function = self.functions[name] if name in self.functions else self.layers[name]
            outputs.append(after(function(before(x))).reshape(1, -1))
        return outputs

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(self.outputs(x), dim=1)


def converted(network: nn.Module, route: str, folder: Path, *, rules: bool = True) -> Path:
    x = torch.zeros(SHAPE)
    program = torch.export.export(network, (x,))
    if rules:
        program = replace_operators(program, "tflite")
    output = TensorSpec("output", tuple(network(x).shape), "float32")
    taken = TensorSpec("input", SHAPE, "float32")
    request = ConversionRequest("net", (taken,), (output,), "fp32", route, native_fft=False)
    return TfliteConverter().convert(program.module(), request, folder).path


def errors(network: Sandwiches, path: Path) -> dict[str, float]:
    """Return the largest error of each output on three inputs, relative to its largest value."""
    session = LiteRtRuntime.load(path, threads=1)
    generator = torch.Generator().manual_seed(1)
    found = dict.fromkeys(network.names, 0.0)
    for scale in (1.0, 30.0, 0.001):
        x = scale * torch.randn(SHAPE, generator=generator)
        with torch.no_grad():
            expected = [output.numpy() for output in network.outputs(x)]
        ends = np.cumsum([output.size for output in expected])[:-1]
        given = np.split(session.run(x.numpy())[0], ends, axis=1)
        for name, a, b in zip(network.names, given, expected, strict=True):
            found[name] = max(found[name], float(np.abs(a - b).max() / np.abs(b).max()))
    return found


@pytest.mark.parametrize("route", [pytest.param("torch.export", marks=pytest.mark.slow), "ONNX"])
def test_the_files_are_right_beside_convolutions(route: str, tmp_path: Path) -> None:
    functions = BOTH_ROUTES | (TORCH_EXPORT_ONLY if route == "torch.export" else {})
    network = Sandwiches(functions, LAYERS).eval()
    found = errors(network, converted(network, route, tmp_path))
    assert {name: error for name, error in found.items() if error > 1e-5} == {}


def test_without_the_rules_values_are_wrong(tmp_path: Path) -> None:
    names = (
        "expand channels",
        "expand maps",
        "repeat_interleave columns",
        "nearest",
        "bilinear",
        "index",
    )
    network = Sandwiches({name: BOTH_ROUTES[name] for name in names}, {}).eval()
    found = errors(network, converted(network, "torch.export", tmp_path, rules=False))
    assert {name: error for name, error in found.items() if error < 0.01} == {}


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.ConvTranspose2d(4, 4, 3, 2, 1), "has margins or dilations"),
        (nn.ConstantPad2d(1, 2.0), "is not of zeros"),
        (nn.ConstantPad2d((-1, 0, 0, 0), 0.0), "cuts"),
        (nn.ReflectionPad2d(1), "is not of a constant"),
    ],
)
def test_the_route_through_onnx_names_what_it_does_not_hold(
    layer: nn.Module, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ConversionError, match=reason):
        converted(layer.eval(), "ONNX", tmp_path, rules=False)
