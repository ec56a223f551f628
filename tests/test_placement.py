"""The record of where operators run."""

from __future__ import annotations

from typing import Any

import pytest

from affnet.placement import PlacedOperator, Placement, from_wire, to_wire


def placed(**units: int) -> tuple[PlacedOperator, ...]:
    return tuple(
        PlacedOperator(f"{unit}{i}", "Conv", unit) for unit, n in units.items() for i in range(n)
    )


@pytest.mark.parametrize(
    ("asked", "units", "share", "text"),
    [
        (("gpu",), {"gpu": 4}, 1.0, "100 % gpu"),
        (("gpu",), {"gpu": 96, "cpu": 4}, 0.96, "96 % gpu, 4 on CPU"),
        (("gpu",), {"gpu": 999, "cpu": 1}, 0.999, "99 % gpu, 1 on CPU"),  # never rounded to all
        (("gpu",), {"cpu": 3}, 0.0, "CPU, not gpu"),
        (("ane", "gpu"), {"ane": 1, "gpu": 1, "cpu": 2}, 0.5, "50 % ane/gpu, 2 on CPU"),
        (("xnnpack",), {"xnnpack": 1, "cpu": 1}, 0.5, "50 % xnnpack, 1 on CPU"),
        ((), {"ane": 2, "cpu": 1}, None, "2 on ane, 1 on CPU"),
        (("gpu",), {}, None, ""),
    ],
)
def test_a_fallback_is_named_and_never_rounded_away(
    asked: tuple[str, ...], units: dict[str, int], share: float | None, text: str
) -> None:
    found = Placement(asked, placed(**units))
    assert found.share == (None if share is None else pytest.approx(share))
    assert found.text() == text
    assert found.units == dict(sorted(units.items(), key=lambda item: -item[1]))


def test_what_fell_back_is_grouped_with_its_reasons() -> None:
    kinds = [("DFT", "no kernel")] * 2 + [(name, "") for name in "ABCD"]
    operators = [PlacedOperator("n", kind, "cpu", reason) for kind, reason in kinds]
    found = Placement(("gpu",), (*placed(gpu=1), *operators, PlacedOperator("", "", "cpu")))
    assert found.fallen_text(2) == "2 DFT on CPU (no kernel); 1 A on CPU; 4 more kind(s)"
    assert found.fallen_text(9).endswith("1 D on CPU; 1 operator(s) on CPU")


def test_only_an_accelerator_that_was_asked_for_warns_of_the_cpu() -> None:
    mixed = placed(gpu=1, cpu=1)
    warning = "1 of 2 operators did not run on gpu: 1 Conv on CPU"
    assert Placement(("gpu",), mixed).warning() == warning
    assert Placement(("xnnpack",), placed(xnnpack=1, cpu=1)).warning() is None
    assert Placement(("gpu",), placed(gpu=1)).warning() is None
    plan = (*placed(gpu=1), PlacedOperator("a", "cast", "cpu", "", ("cpu",), 3))
    assert Placement(("gpu",), plan).warning() is None  # a plan that may be left


def test_it_goes_through_a_channel() -> None:
    found = Placement(("gpu",), (PlacedOperator("a", "Conv", "gpu"), PlacedOperator("", "", "cpu")))
    assert from_wire(to_wire(found)) == found


@pytest.mark.parametrize(
    "record",
    [
        {},
        3,
        {"asked": ["gpu"], "operators": [["a", "b", "c"]]},
        {"asked": ["gpu"], "operators": [["a", "b", "c", 4]]},
        {"asked": "gpu", "operators": []},
        {"asked": ["gpu"], "operators": ["abcd"]},
    ],
)
def test_nonsense_is_refused(record: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_wire(record)
