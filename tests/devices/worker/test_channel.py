"""The parent's end of a channel: answers, errors of a worker, and nonsense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from affnet.devices.worker.channel import ask
from affnet.errors import (
    AffnetError,
    ArtifactError,
    ConnectionLostError,
    MeasurementError,
    MissingError,
    UsageError,
    to_wire,
)
from affnet.processes import TooMuchOutputError

WITHOUT_FIELDS = {"kinds": ["AffnetError"], "message": "No.", "fields": "ab"}


class OneAnswer:
    """A channel whose process answers each request with one line."""

    def __init__(self, line: str) -> None:
        self._line = line

    def send(self, line: str) -> None:
        pass

    def receive(self, timeout_s: float, largest: int) -> str:
        return self._line

    def how_it_ended(self) -> str:
        return "exit code 1: it said nothing"


class Flooding(OneAnswer):
    """A channel whose process never ends its line."""

    def receive(self, timeout_s: float, largest: int) -> str:
        raise TooMuchOutputError(largest)


def test_an_answer_beyond_all_bounds_is_a_sentence() -> None:
    with pytest.raises(MeasurementError) as caught:
        ask(Flooding(""), "Measuring m", {}, (), 1.0)
    assert str(caught.value) == (
        "Measuring m answered with over 16 MB in one line; it was stopped."
    )


def asked(answer: Any) -> dict[str, Any]:
    return ask(OneAnswer(json.dumps(answer)), "Measuring m", {}, ("samples_ns",), 1.0)


def test_an_answer_with_what_is_expected_is_returned() -> None:
    assert asked({"samples_ns": [1]}) == {"samples_ns": [1]}


@pytest.mark.parametrize(
    "kind", [UsageError, ArtifactError, MissingError, MeasurementError, ConnectionLostError]
)
def test_an_error_of_the_worker_is_raised_as_what_it_is(kind: type[AffnetError]) -> None:
    with pytest.raises(kind) as caught:
        asked({"error": to_wire(kind("It is wrong", "make it right."))})
    assert type(caught.value) is kind
    assert str(caught.value) == "It is wrong; make it right."


@pytest.mark.parametrize(
    "answer", [[], {}, {"error": "No."}, {"error": {"message": "No."}}, {"error": WITHOUT_FIELDS}]
)
def test_what_is_no_answer_and_no_error_is_nonsense(answer: Any) -> None:
    with pytest.raises(MeasurementError, match="Measuring m answered with nonsense: "):
        asked(answer)
