"""Ratios, and when they compare different work."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import pytest

from affnet.artifact import TensorSpec
from affnet.bench.reporting.latency_table import ratio_cell, table
from affnet.bench.reporting.notes import table_notes
from affnet.bench.results.ratios import ratio_in_words, relate_to_every, relate_to_peer
from affnet.bench.results.result import Result, Workload
from affnet.bench.results.workload import workload_of
from affnet.bench.statistics.intervals import Interval
from tests.bench.fakes import a_result, an_artifact

IMAGE = Workload(("1x3x256x256 float32",), "NCHW", ("1xC float32",), "classification")
DENSE = dataclasses.replace(IMAGE, task="segmentation", outputs=("1xCx32x32 float32",))


def related(one: Workload | None, other: Workload | None) -> Result:
    results = [a_result(model="mine", workload=one), a_result(model="peer", workload=other)]
    return relate_to_peer(results, "peer")[0]


@pytest.mark.parametrize(
    ("one", "other", "sentence"),
    [
        (
            dataclasses.replace(IMAGE, inputs=("1x3x288x288 float32",)),
            IMAGE,
            "the input of mine is 1x3x288x288 float32, that of peer 1x3x256x256 float32",
        ),
        (
            dataclasses.replace(IMAGE, inputs=("8x3x256x256 float32",)),
            IMAGE,
            "the input of mine is 8x3x256x256 float32, that of peer 1x3x256x256 float32",
        ),
        (DENSE, IMAGE, "the task of mine is segmentation, that of peer classification"),
        (
            dataclasses.replace(DENSE, outputs=("1x256x256 int64",)),
            DENSE,
            "the output of mine is 1x256x256 int64, that of peer 1xCx32x32 float32",
        ),
    ],
)
def test_a_ratio_of_different_work_is_marked_and_explained(
    one: Workload, other: Workload, sentence: str
) -> None:
    result = related(one, other)
    assert result.ratio_doubts == (sentence,)
    assert ratio_cell(result) == "1.000 [1.000, 1.000] (*)"
    assert any(
        note.startswith("(*) This ratio compares different work: ") and sentence in note
        for note in table_notes([result])
    )
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


@pytest.mark.parametrize(
    "other",
    [
        IMAGE,
        dataclasses.replace(IMAGE, layout="NHWC"),  # a choice for the same work
        dataclasses.replace(IMAGE, task="other"),  # of a file of another tool
        None,  # a result of an older version
    ],
)
def test_a_ratio_of_the_same_work_is_not(other: Workload | None) -> None:
    assert related(IMAGE, other).ratio_doubts == ()
    assert "(*)" not in " ".join(table_notes([related(IMAGE, other)]))


def test_a_workload_is_of_the_manifest(tmp_path: Path) -> None:
    image = TensorSpec("image", ("batch", 288, 256, 3), "float32", "NHWC", (0.0, 1.0))
    scores = TensorSpec("scores", ("batch", 37), "float32", class_axis=1)
    manifest = an_artifact("mine", tmp_path, inputs=(image,), outputs=(scores,)).manifest
    assert workload_of(manifest) == dataclasses.replace(
        IMAGE, inputs=("1x3x288x256 float32",), layout="NHWC"
    )


def test_a_model_that_takes_half_the_time_has_the_ratio_one_half() -> None:
    fast, slow = (
        a_result(model=name, blocks_ns=((milliseconds * 10**6,) * 5,) * 4)
        for name, milliseconds in (("fast", 2), ("slow", 4))
    )
    one, other = relate_to_peer([fast, slow], "slow")
    assert one.ratio_to_peer is not None
    assert one.ratio_to_peer.value == 0.5
    assert one.ratio_to_peer.low == one.ratio_to_peer.high == 0.5
    assert other.ratio_to_peer is not None
    assert other.ratio_to_peer.value == 1.0


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (Interval(0.8, 0.79, 0.81), "faster: 20 % less time"),
        (Interval(1.21, 1.1, 1.3), "slower: 21 % more time"),
        (Interval(1.02, 0.97, 1.06), "no difference shown"),
        (Interval(0.8, 0.0, float("inf")), "no difference shown"),
    ],
)
def test_a_ratio_in_words(ratio: Interval, words: str) -> None:
    assert ratio_in_words(a_result(ratio_to_peer=ratio)) == words
    assert ratio_in_words(a_result(ratio_to_peer=ratio, ratio_doubts=("why",))) == "not comparable"


def test_every_peer_has_a_column_where_asked_for() -> None:
    results = [
        a_result(model="mine", blocks_ns=((10,) * 4,) * 4),
        a_result(model="one", blocks_ns=((5,) * 4,) * 4),
        a_result(model="two", blocks_ns=((20,) * 4,) * 4),
        a_result(model="two", runtime="litert"),
    ]
    related = relate_to_every(relate_to_peer(results[:3], "one") + results[3:], ["one", "two"])
    assert {name: ratio.value for name, ratio in related[0].ratios.items()} == {
        "one": 2,
        "two": 0.5,
    }
    assert related[3].ratios == {}  # nothing was measured beside it
    assert Result.from_json(json.loads(json.dumps(related[0].to_json()))) == related[0]
    header, mine, _, two, _ = csv.reader(io.StringIO(table(related).csv()))
    first, second = (header.index(f"x {name} [95 %]") for name in ("one", "two"))
    assert (mine[first], mine[second]) == ("2.000 [2.000, 2.000]", "0.500 [0.500, 0.500]")
    assert (two[first], two[second]) == ("4.000 [4.000, 4.000]", "1")
