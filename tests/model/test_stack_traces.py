"""Which line an operator of a program is attributed to."""

from __future__ import annotations

from traceback import FrameSummary

import pytest
import torch
from torch import Tensor, nn
from torch.fx.proxy import TracerBase

from affnet.model import stack_traces
from affnet.model.stack_traces import helpers_noted, place_of, source_line, users_frames
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS

pytestmark = THIRD_PARTY_WARNINGS


def helper(x: Tensor) -> Tensor:
    return torch.tan(x)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return helper(self.linear(x))


def line_of(program: torch.export.ExportedProgram, operator: str) -> str:
    (node,) = (node for node in program.graph.nodes if operator in str(node.target))
    return source_line(node)


@pytest.mark.parametrize("decomposed", [False, True])
def test_an_operator_is_attributed_to_the_helper_that_made_it(decomposed: bool) -> None:
    before = TracerBase._filter_traceback_frames
    with helpers_noted():
        program = torch.export.export(Net().eval(), (torch.ones(1, 4),))
    assert TracerBase._filter_traceback_frames is before
    if decomposed:
        program = program.run_decompositions({})
    assert line_of(program, "aten.tan.").endswith("`return torch.tan(x)`")
    if not decomposed:
        assert line_of(program, "aten.linear.").endswith("`return helper(self.linear(x))`")


def test_a_program_exported_without_names_the_line_of_forward() -> None:
    program = torch.export.export(Net().eval(), (torch.ones(1, 4),))
    assert line_of(program, "aten.tan.").endswith("`return helper(self.linear(x))`")
    # torch itself noted its own line last
    assert line_of(program, "aten.linear.").endswith("`return helper(self.linear(x))`")


def test_a_torch_that_cannot_be_asked_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_traces, "_FILTER", "no_such_method")
    with helpers_noted():
        assert not hasattr(TracerBase, "no_such_method")


def test_frames_of_torch_python_and_what_called_affnet_are_not_the_users() -> None:
    site = "/venv/lib/python3.11/site-packages"
    files = [
        "/home/me/call.py",
        f"{stack_traces._AFFNET}/model/programs.py",
        f"{site}/torch/export/_trace.py",
        "<string>",
        f"{stack_traces._LIBRARY}/contextlib.py",
        "/home/me/net.py",
        f"{site}/timm/layers/mlp.py",
        "C:\\venv\\Lib\\site-packages\\torch\\functional.py",
    ]
    frames = [FrameSummary(file, 1, "f", lookup_line=False) for file in files]
    assert [frame.filename for frame in users_frames(frames)] == files[5:7]


def test_long_lines_are_cut() -> None:
    code = "return " + " + ".join(map(str, range(100)))
    line = place_of([FrameSummary("net.py", 7, "forward", lookup_line=False, line=code)])
    assert line == f"net.py:7 `{code[:160]}..`"
