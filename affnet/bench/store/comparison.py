"""Comparing results of many runs: what may stand in one table, and what may be divided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affnet.bench.results.comparability import MeasurementConditions
from affnet.bench.results.ratios import relate, unrelated
from affnet.bench.results.result import Result
from affnet.bench.store.database import Query, Store
from affnet.errors import ResultsError


@dataclass(frozen=True)
class Group:
    """Results whose numbers may be compared, as far as different sessions allow."""

    conditions: MeasurementConditions
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Comparison:
    """What was found, in groups."""

    groups: tuple[Group, ...]
    peer: str | None  # the ratios are to it
    notes: tuple[str, ...] = ()

    @property
    def results(self) -> list[Result]:
        """All results."""
        return [result for group in self.groups for result in group.results]


def compare(store: Store, query: Query, against: str | None, where: str) -> Comparison:
    """Return what a store, called ``where``, holds for a query, with ratios to a peer.

    Raises:
        ResultsError: there is nothing, or not of a model or device; or no ratio can be computed.
    """
    _check_names(store, query, against, where)
    results = store.find(query)
    if not results:
        listed = " or ".join(query.models)
        raise ResultsError(f"{where}: no result of {listed} is of {' or '.join(query.devices)}.")
    notes: list[str] = []
    if against is not None:
        results, notes = _relate(results, store, against)
    elif len(peers := sorted({result.peer for result in results if result.peer})) > 1:
        results = [unrelated(result) for result in results]
        notes = [f"There are ratios to {', '.join(peers)}; choose one with --against."]
    else:
        against = peers[0] if peers else None
    groups: dict[MeasurementConditions, list[Result]] = {}
    for result in results:
        groups.setdefault(MeasurementConditions.of(result), []).append(result)
    ordered = sorted(groups.items(), key=lambda item: item[0].title())
    return Comparison(
        tuple(Group(conditions, tuple(found)) for conditions, found in ordered),
        against,
        tuple(notes),
    )


def _check_names(store: Store, query: Query, against: str | None, where: str) -> None:
    models = store.models()
    if not models:
        raise ResultsError(
            f"{where} holds no results", "measure some with: affnet bench MODEL --output or --store"
        )
    for name in (*query.models, *([against] if against else [])):
        if name not in models:
            raise ResultsError(f"{where} holds no result of {name!r}; it has: {', '.join(models)}.")
    devices = store.devices()
    for name in query.devices:
        if name not in devices:
            raise ResultsError(
                f"{where} holds no result of the device {name!r}; it has: {', '.join(devices)}."
            )


def _relate(results: Sequence[Result], store: Store, peer: str) -> tuple[list[Result], list[str]]:
    """Fill in ratios to the peer where it was measured in the same turns; say where it was not."""
    partners = {r.session: r for r in store.of_sessions((r.session for r in results), peer)}
    related, refusals = [], dict[str, None]()
    for result in results:
        if result.peer == peer and result.ratio_to_peer:
            related.append(result)
            continue
        partner = partners.get(result.session)
        if partner is None or MeasurementConditions.of(partner) != MeasurementConditions.of(result):
            related.append(unrelated(result))
            if result.model != peer:
                refusals[_refusal(result, partner, store, peer)] = None
            continue
        related.append(relate(result, partner))
    if refusals and not any(r.ratio_to_peer for r in related if r.model != peer):
        raise ResultsError(next(iter(refusals)))
    return related, list(refusals)


def _refusal(result: Result, partner: Result | None, store: Store, peer: str) -> str:
    """Say why a result cannot be divided by the peer's: what differs from the nearest of them."""
    mine = MeasurementConditions.of(result)
    others = [partner] if partner else store.find(Query(models=(peer,), last=1))
    differences = [
        mine.difference(theirs)
        for theirs in sorted(map(MeasurementConditions.of, others), key=mine.distance)
    ]
    why = differences[0] or "they were measured in different sessions, and machines drift"
    return (
        f"There is no ratio of {result.model} to {peer}: {why}; "
        "measure both in one run, with --against."
    )
