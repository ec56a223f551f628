"""What ``--dynamic`` says, placed on a network's inputs."""

from __future__ import annotations

import pytest

from affnet.dynamic_axes import DynamicAxis, check_lengths, parse_dynamic, place, runs
from affnet.errors import UsageError

SHAPES = {"x": (1, 3, 400), "mask": (1, 400), "scale": ()}


def placed(text: str) -> tuple[dict[str, dict[int, str]], tuple[DynamicAxis, ...]]:
    found = place(parse_dynamic(text), SHAPES, ["x", "scale"])
    return {name: dict(axes) for name, axes in found.names.items() if axes}, found.axes


def test_batch_is_the_first_axis_of_all_and_time_the_last_of_signals() -> None:
    names, axes = placed("batch,time")
    assert names == {"x": {0: "batch", 2: "time"}, "mask": {0: "batch"}}
    assert axes == (DynamicAxis("batch", 1, 1, 4), DynamicAxis("time", 400, 200, 800))


def test_axes_may_be_named_one_by_one_with_a_range() -> None:
    names, axes = placed("x:-1=length:300..500, mask:1=length")
    assert names == {"x": {2: "length"}, "mask": {1: "length"}}
    assert axes == (DynamicAxis("length", 400, 300, 500),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names no axis"),
        ("height", "'height' names no axis"),
        ("x:time", "names no axis"),
        ("time:9..3", "the range 9 to 3"),
        ("time:0..9", "the range 0 to 9"),
        ("y:0=batch", "no input 'y'; there are x"),
        ("x:3=depth", "'x' has no axis 3"),
        ("scale:0=a", "'scale' has no axis 0"),
        ("batch,x:0=b", "names axis 0 of x twice"),
        ("x:1=a,x:2=a", "a is 3 in one input of the example and 400 in another"),
        ("time:10..20", "time is 400 in the example, outside 10 to 20"),
    ],
)
def test_what_names_no_axis_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as refused:
        placed(text)
    assert refused.value.remedy


def test_without_a_signal_there_is_no_time() -> None:
    with pytest.raises(UsageError, match="no input that is a signal"):
        place(parse_dynamic("time"), {"words": (1, 64)}, [])


def test_three_lengths_are_verified() -> None:
    axes = (DynamicAxis("batch", 1, 1, 4), DynamicAxis("time", 400, 200, 800))
    assert runs(axes) == [
        {"batch": 1, "time": 200}, {"batch": 2, "time": 400}, {"batch": 4, "time": 800}
    ]  # fmt: skip
    assert runs((DynamicAxis("n", 2, 2, 3),)) == [{"n": 2}, {"n": 3}]


def test_lengths_outside_the_range_or_that_differ_are_refused() -> None:
    axes = (DynamicAxis("time", 400, 200, 800),)
    check_lengths({"x": ((1, "time"), (1, 800))}, axes)
    with pytest.raises(UsageError, match="time of 'x' is 801; the file is made for 200 to 800"):
        check_lengths({"x": ((1, "time"), (1, 801))}, axes)
    with pytest.raises(UsageError, match="time is 300 in 'x' and 400 in 'y'"):
        check_lengths({"x": (("time",), (300,)), "y": (("time",), (400,))}, axes)
