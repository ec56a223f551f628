"""The record of a run: every promised field, of its type, and raw samples kept."""

from __future__ import annotations

import json

import pytest

from affnet.bench.statistics.intervals import Interval
from tests.bench.fakes import MS, a_result

#: The promised fields of one result, of a run with a peer.
FIELDS = {
    "model": str,
    "artifact": str,
    "format": str,
    "runtime": str,
    "device": str,
    "threads": int,
    "precision": str,
    "samples_ns": list,
    "median_ns": float,
    "p90_ns": float,
    "p99_ns": float,
    "load_ns": int,
    "first_inference_ns": int,
    "peak_rss_bytes": int,
    "file_bytes": int,
    "parameters": int,
    "macs": int,
    "ratio_to_peer": float,
    "valid": bool,
    "validity_reasons": list,
    "git_commit": str,
    "recorded_at": str,
    "session": str,
    "environment": dict,
}


def test_every_promised_field_is_there_with_its_type() -> None:
    result = a_result(peer="one", ratio_to_peer=Interval(1.0, 0.9, 1.1))
    record = json.loads(json.dumps(result.to_json()))
    assert {name: type(record[name]) for name in FIELDS} == FIELDS
    assert record["ratio_interval"] == [0.9, 1.1]


def test_samples_are_kept_in_order_and_can_be_split_into_blocks_again() -> None:
    record = a_result().to_json()
    assert record["samples_ns"] == [1 * MS, 2 * MS, 3 * MS, 4 * MS, 5 * MS]
    assert record["block_lengths"] == [3, 2]
    assert record["warmup_ns"] == (6 * MS,)


def test_statistics_are_derived_from_the_samples() -> None:
    record = a_result().to_json()
    assert (record["median_ns"], record["minimum_ns"], record["mean_ns"]) == (3e6, 1e6, 3e6)
    assert record["p90_ns"] == pytest.approx(4.6e6)
    assert record["p99_ns"] == pytest.approx(4.96e6)


def test_without_a_peer_there_is_no_ratio() -> None:
    record = a_result().to_json()
    assert (record["ratio_to_peer"], record["ratio_interval"], record["peer"]) == (None,) * 3


def test_a_result_is_valid_only_without_reasons_against_it() -> None:
    assert a_result().to_json()["valid"] is True
    assert a_result(validity_reasons=("too warm",)).to_json()["valid"] is False
