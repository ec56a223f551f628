"""What is said where ``torch.export`` fails: the user's line, the reason, what to write instead."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from affnet.model.export_failures import export_failure


def largest(x: Tensor) -> Tensor:
    return torch.zeros(int(x.abs().max().item()))


class Item(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return largest(x) + x.sum()


class Numpy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * float(x.numpy().max())


class Copied(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.new_tensor([1.0, x[0]])


class NoGradient(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_exporting():
            raise RuntimeError("not while exporting")
        return x


def failure(network: nn.Module) -> str:
    example = torch.tensor([3.0, 4.0])
    try:
        torch.export.export(network, (example,))
    except Exception as error:  # torch.export raises nearly every kind
        return str(export_failure("nets:build", error))
    pytest.fail("it was exported")


@pytest.mark.parametrize(
    ("network", "line", "reason", "remedy"),
    [
        (Item(), "`return torch.zeros(int(", "data-dependent expression", ".item() out of forward"),
        (Copied(), "`return x * x.new_tensor(", "not allocated", "a number or a buffer."),
        (Numpy(), "`return x * float(", ".numpy() is not supported", "Use torch's functions"),
        (NoGradient(), "`raise RuntimeError", "not while exporting", "torch.export.draft_export"),
    ],
    ids=["item in a helper", "values", "numpy", "something else"],
)
def test_line_reason_and_remedy_are_named(
    network: nn.Module, line: str, reason: str, remedy: str
) -> None:
    message = failure(network)
    assert message.startswith("torch.export fails on nets:build at test_export_failures.py:")
    where, _, said = message.partition("`: ")
    assert line in where
    assert reason in said and remedy in said
    assert message.endswith(".") and "\n" not in message and "unhinted" not in message
