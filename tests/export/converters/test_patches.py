"""Parts of packages that are replaced for a while."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from affnet.export.converters.patches import replaced, without_stack_traces
from affnet.export.converters.tracing import decomposed


class _Whole:
    kept = 1


class _Part(_Whole):
    own = 2


def test_what_is_replaced_comes_back_inherited_or_not() -> None:
    with replaced(_Part, "kept", 3), replaced(_Part, "own", 4):
        assert (_Part.kept, _Part.own, _Whole.kept) == (3, 4, 1)
    assert (_Part.kept, _Part.own) == (1, 2)
    assert "kept" not in vars(_Part)


class _Network(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tan(x)


def _lines(program: ExportedProgram) -> list[str]:
    calls = program.graph.find_nodes(op="call_function", target=torch.ops.aten.tan.default)
    return [node.meta.get("stack_trace", "") for node in calls]


def test_no_lines_are_noted_but_those_of_a_users_program_stay() -> None:
    example = (torch.zeros(2),)
    users = torch.export.export(_Network(), example)
    with without_stack_traces():
        ours = decomposed(_Network(), example, {})
        again = decomposed(users.module(), example, {})
    assert _lines(ours) == [""]
    (line,) = _lines(again)
    assert "torch.tan(x)" in line
    assert "torch.tan(x)" in _lines(decomposed(_Network(), example, {}))[0]
