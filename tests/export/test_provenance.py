"""What torch notes of a node's origin."""

from __future__ import annotations

import copy

import pytest
from torch import fx
from torch.fx.traceback import NodeSource

from affnet.export.provenance import shared_provenance


def source() -> NodeSource:
    node = fx.Graph().placeholder("x")
    return NodeSource(node, "a pass")


def test_histories_are_shared_while_it_is_active_and_copied_afterwards() -> None:
    history = [source()]
    with shared_provenance(), shared_provenance():
        copied = copy.deepcopy(history)
        assert copied is not history
        assert copied[0] is history[0]
    assert copy.deepcopy(history)[0] is not history[0]


def test_errors_do_not_leave_it_active() -> None:
    def fail() -> None:
        with shared_provenance():
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert not hasattr(NodeSource, "__deepcopy__")
