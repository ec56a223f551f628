"""Lists of names, as users write them."""

from __future__ import annotations

import pytest

from affnet.commands.options import each_name
from affnet.names import split_names


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


def test_an_option_that_may_be_repeated_takes_commas_too() -> None:
    assert each_name(["affnet_et,affnet_t", "affnet"]) == ["affnet_et", "affnet_t", "affnet"]
    assert each_name(None) is None
    assert each_name([]) is None
