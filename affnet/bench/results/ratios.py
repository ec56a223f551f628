"""Medians and ratios of results, with their intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from affnet.bench.results.result import Result
from affnet.bench.results.workload import ratio_doubts
from affnet.bench.statistics.intervals import Interval, percentile_interval, ratio_interval
from affnet.errors import UsageError


def median_interval(result: Result) -> Interval:
    """Return the median latency with its interval."""
    found = percentile_interval(result.samples_ns, 0.5)
    return Interval(result.summary().median, found.low, found.high)


def relate_to_peer(
    results: Sequence[Result], peer: str | Mapping[str, str], *, partial: bool = False
) -> list[Result]:
    """Fill in each result's ratio to its peer, measured on the same device by the same runtime.

    ``peer`` is that of all, or gives each model its own; a model without one has no ratio.
    Nor has one of ``partial`` results, those of a run that failed, whose peer is not among them.

    Raises:
        UsageError: the peer was not measured there.
    """
    places = {(result.device, result.runtime, result.model): result for result in results}
    related = []
    for result in results:
        name = peer if isinstance(peer, str) else peer.get(result.model)
        reference = places.get((result.device, result.runtime, name or ""))
        if name is None or (partial and reference is None):
            related.append(result)
            continue
        if reference is None:
            raise UsageError(f"{name} was not measured in this run.")
        related.append(relate(result, reference))
    return related


def relate_to_every(results: Sequence[Result], peers: Sequence[str]) -> list[Result]:
    """Fill in each result's ratios to all of ``peers`` that were measured in its place."""
    places = {(result.device, result.runtime, result.model): result for result in results}
    related = []
    for result in results:
        found = {name: places.get((result.device, result.runtime, name)) for name in peers}
        ratios = {
            name: ratio_interval(result.blocks_ns, peer.blocks_ns)
            for name, peer in found.items()
            if peer is not None and peer is not result
        }
        related.append(dataclasses.replace(result, ratios=ratios))
    return related


def relate(result: Result, peer: Result) -> Result:
    """Fill in a result's ratio to a peer of the same turns, and what speaks against it."""
    return dataclasses.replace(
        result,
        peer=peer.model,
        ratio_to_peer=ratio_interval(result.blocks_ns, peer.blocks_ns),
        ratio_doubts=ratio_doubts(result, peer),
    )


def unrelated(result: Result) -> Result:
    """Return a result without its ratio."""
    return dataclasses.replace(result, peer=None, ratio_to_peer=None, ratio_doubts=())


def ratio_in_words(result: Result) -> str:
    """Say whether a result is faster or slower than its peer, as far as its interval shows it."""
    ratio = result.ratio_to_peer
    if ratio is None or result.ratio_doubts:
        return "not comparable"
    if ratio.high < 1:
        return f"faster: {100 * (1 - ratio.value):.0f} % less time"
    if ratio.low > 1:
        return f"slower: {100 * (ratio.value - 1):.0f} % more time"
    return "no difference shown"
