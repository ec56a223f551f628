"""What works on a host at the same time, and what waits."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from affnet.cluster.quiet import ALONE, ATTACHED, COMPUTING, Quiet


class WaitsError(Exception):
    pass


def refuses(quiet: Quiet, kind: str) -> bool:
    def stop() -> None:
        raise WaitsError

    try:
        with quiet.hold(kind, stop):
            return False
    except WaitsError:
        return True


@pytest.mark.parametrize(
    ("kind", "others"),
    [
        (ALONE, {ALONE: True, ATTACHED: True, COMPUTING: True}),
        (ATTACHED, {ALONE: True, ATTACHED: False, COMPUTING: True}),
        (COMPUTING, {ALONE: True, ATTACHED: True, COMPUTING: False}),
    ],
)
def test_nothing_computes_while_anything_is_measured(kind: str, others: dict[str, bool]) -> None:
    quiet = Quiet()
    with quiet.hold(kind):
        assert {other: refuses(quiet, other) for other in others} == others
    assert not refuses(quiet, ALONE)


def test_who_waits_is_not_overtaken_for_ever() -> None:
    quiet, order = Quiet(), list[str]()
    waits = threading.Event()

    def compute() -> None:
        with quiet.hold(COMPUTING, waits.set):
            order.append(COMPUTING)

    with ExitStack() as measuring:
        measuring.enter_context(quiet.hold(ATTACHED))
        thread = threading.Thread(target=compute)
        thread.start()
        assert waits.wait(10)
        assert refuses(quiet, ATTACHED)
    thread.join(10)
    assert order == [COMPUTING]
