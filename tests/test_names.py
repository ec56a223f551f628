"""Lists of names, as users write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from affnet.names import split_names
from tests.conftest import Finished


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["host"], ["host"]),
        (["host, rpi"], ["host", "rpi"]),
        (["b,a,,b,"], ["b", "a"]),
        (["a", "b,a"], ["a", "b"]),
        ([" , "], []),
        ([], []),
    ],
)
def test_names_are_split_at_commas_each_once_in_their_order(
    texts: list[str], names: list[str]
) -> None:
    assert split_names(*texts) == names


@pytest.mark.parametrize(
    ("only", "sentence"),
    [
        ("affnet_et,nope", "Unknown network of the zoo 'nope'"),
        (" , ", "--only names no network."),
    ],
)
def test_the_zoo_takes_a_list(run: Callable[..., Finished], only: str, sentence: str) -> None:
    done = run("bench", "zoo", "--only", only, "--device", "fake")
    assert done.code == 2
    assert done.error.startswith(sentence)
