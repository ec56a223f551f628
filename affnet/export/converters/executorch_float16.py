"""ExecuTorch in float16: operators that XNNPACK computes in half, with float32 at the borders."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def in_float16(network: nn.Module, example: Tensor) -> nn.Module:
    """Return ``network`` as a graph in float16 but for its input and outputs, which stay float32.

    Types that the network names itself, as an FFT's neighbours do, become float16 too.  XNNPACK
    keeps the weights of convolutions in float32 in the file and rounds them when it loads it, so
    that the file hardly shrinks; what shrinks are activations.
    """
    graph: Any = torch.export.export(network, (example,)).module()
    for node in graph.graph.nodes:
        node.args = torch.fx.node.map_aggregate(node.args, _halved)
        node.kwargs = torch.fx.node.map_aggregate(node.kwargs, _halved)
    graph.recompile()
    return _Float32Borders(graph.half())


def _halved(value: Any) -> Any:
    return torch.float16 if value is torch.float32 else value


class _Float32Borders(nn.Module):
    """A network in float16 that takes and gives float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:
        """Map what the network takes to what it gives, an output or several."""
        result = self.network(x.half())
        return result.float() if isinstance(result, Tensor) else tuple(y.float() for y in result)
