"""Medians and ratios of results, with their intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import Interval, percentile_interval, ratio_interval
from affnet.errors import UsageError


def median_interval(result: Result) -> Interval:
    """Return the median latency with its interval."""
    found = percentile_interval(result.samples_ns, 0.5)
    return Interval(result.summary().median, found.low, found.high)


def relate_to_peer(results: Sequence[Result], peer: str) -> list[Result]:
    """Fill in each result's ratio to the one called ``peer``, measured on the same device.

    Raises:
        UsageError: no result of that device is called so.
    """
    references = {result.device: result for result in results if result.model == peer}
    if any(result.device not in references for result in results):
        raise UsageError(f"{peer} was not measured in this run.")
    return [
        dataclasses.replace(
            result,
            peer=peer,
            ratio_to_peer=ratio_interval(result.blocks_ns, references[result.device].blocks_ns),
        )
        for result in results
    ]
