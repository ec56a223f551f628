"""Which modules of a network became slower: its operators' times beside the baseline's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from affnet.artifact import Manifest
from affnet.bench.budgets.metrics import METRICS
from affnet.bench.budgets.rounds import BASELINE
from affnet.bench.budgets.verdicts import FAIL, ModuleRegression, Verdict
from affnet.bench.measurement.interleaved import Job, Progress
from affnet.bench.measurement.profiling import by_module, informative_depth, take_profile
from affnet.bench.results.workload import differences, workload_of
from affnet.devices.base import Device, OperatorTime
from affnet.devices.device_lock import measuring
from affnet.errors import AffnetError, first_line
from affnet.units import MILLIONS, MILLISECONDS

_PASSES = 2  # of each: before, after, after, before
_MOST = 3  # modules that are named
_WORTH_NAMING = 0.2  # of all that grew
_NOTABLE = 0.05  # of all time, of a module that must have grown like the whole
_LEAST_GROWTH = 1.05

#: The times of an artifact's operators, or why they are not known, a sentence without full stop.
Profile = tuple[OperatorTime, ...] | str
#: Returns the profile of each of some jobs, in their order; one that is not known is the last.
TakeProfiles = Callable[[Sequence[Job]], Sequence[Profile]]


@dataclass(frozen=True)
class _Versions:
    """A network's artifacts."""

    new: Job
    old: Job


def attribute(
    verdicts: Sequence[Verdict],
    jobs: Sequence[Job],
    take: TakeProfiles,
    progress: Progress = lambda _: None,
) -> list[Verdict]:
    """Name the modules that became slower for each broken latency budget; verdicts stay the same.

    That needs the baseline artifacts among the ``jobs``, and a runtime with a profiler.
    """
    labelled = {job.label: job for job in jobs}
    known: dict[str, list[ModuleRegression] | str] = {}
    explained = []
    for verdict in verdicts:
        model, metric = verdict.budget.model, METRICS[verdict.budget.metric]
        old = labelled.get(BASELINE + model)
        if verdict.verdict != FAIL or metric.quantile is None or old is None:
            explained.append(verdict)
            continue
        if model not in known:
            progress(f"Looking for what became slower in {model}")
            known[model] = _regressions(_Versions(labelled[model], old), take)
        explained.append(_with_regressions(verdict, known[model]))
    return explained


def _with_regressions(verdict: Verdict, found: list[ModuleRegression] | str) -> Verdict:
    if isinstance(found, str):
        return dataclasses.replace(verdict, reason=f"{verdict.reason}; {found}")
    parts = [
        f"{regression.module} {MILLISECONDS.text(regression.after_ns - regression.before_ns)}"
        for regression in found
    ]
    reason = f"{verdict.reason}; slower by module: {', '.join(parts) or 'none stands out'}"
    return dataclasses.replace(verdict, reason=reason, slower_modules=tuple(found))


def take_profiles(jobs: Sequence[Job], device: Device, threads: int) -> list[Profile]:
    """Return the profiles of jobs of one runtime in one session; see `TakeProfiles`."""
    found: list[Profile] = []
    with measuring(device, jobs[0].runtime):
        for job in jobs:
            found.append(take_profile(job.artifact, job.runtime, device, threads))
            if isinstance(found[-1], str):
                break
    return found


def _regressions(versions: _Versions, take: TakeProfiles) -> list[ModuleRegression] | str:
    """Return the modules that make up most of what grew, the largest regression first."""
    pair = [versions.old, versions.new]
    order = [job for number in range(_PASSES) for job in (pair, pair[::-1])[number % 2]]
    try:
        found = take(order)
    except AffnetError as error:  # the verdict must not be lost with its explanation
        return f"which module became slower is not known: {first_line(error)}"
    times: dict[str, list[dict[str, int]]] = {"old": [], "new": []}
    depth = 0  # the same for all, so that modules can be compared
    for job, profile in zip(order, found, strict=False):
        if isinstance(profile, str):
            return profile
        depth = depth or informative_depth(profile)
        times["old" if job is versions.old else "new"].append(by_module(profile, depth))
    old, new = (_fastest(times[which]) for which in ("old", "new"))
    if grew_alike(old, new):
        return _of_all(versions, sum(new.values()) / sum(old.values()))
    regressions = [
        ModuleRegression(module, old.get(module, 0), new.get(module, 0))
        for module in old.keys() | new.keys()
    ]
    regressions = sorted(regressions, key=lambda g: g.before_ns - g.after_ns)
    total = sum(max(0, g.after_ns - g.before_ns) for g in regressions)
    return [
        g for g in regressions[:_MOST] if g.after_ns - g.before_ns > max(0, _WORTH_NAMING * total)
    ]


def grew_alike(old: Mapping[str, int], new: Mapping[str, int]) -> bool:
    """Whether all modules that matter became slower by about the same factor."""
    whole = sum(new.values()) / max(1, sum(old.values()))
    totals = sum(old.values()), sum(new.values())
    notable = {name for name in old if old[name] > _NOTABLE * totals[0]}
    notable |= {name for name in new if new[name] > _NOTABLE * totals[1]}
    factors = [new.get(name, 0) / max(1, old.get(name, 0)) for name in notable]
    return (
        whole >= _LEAST_GROWTH
        and len(notable) >= _MOST
        and all(whole**0.5 <= factor <= whole**1.5 for factor in factors)
    )


def _count_text(count: int | None) -> str:
    return "unknown" if count is None else MILLIONS.text(count)


def _of_all(versions: _Versions, factor: float) -> str:
    """Say that no module stands out, and what the manifests know that could explain it."""
    new, old = (job.artifact.manifest for job in (versions.new, versions.old))
    pairs = [(d.what, d.first, d.second) for d in differences(workload_of(new), workload_of(old))]
    pairs += [
        ("the precision", new.precision, old.precision),
        ("the DFT plan", _plan_text(new), _plan_text(old)),
        ("the route of conversion", new.route, old.route),
        ("the number of multiply-accumulates", _count_text(new.macs), _count_text(old.macs)),
        *(
            (tool, version, old.tools.get(tool, "none"))
            for tool, version in sorted(new.tools.items())
        ),
    ]
    causes = [
        f"{what} is {after}, was {before}" for what, after, before in pairs if after != before
    ]
    known = "; ".join(causes) or "nothing that the manifests hold"
    return f"all modules became slower alike, {factor:.2f} times; what differs: {known}"


def _plan_text(manifest: Manifest) -> str:
    return ", ".join(f"{size} {plan}" for size, plan in sorted(manifest.fft_plan.items())) or "none"


def _fastest(passes: Sequence[dict[str, int]]) -> dict[str, int]:
    """Return each module's time in the pass that disturbed it least."""
    return {
        module: min(found.get(module, 0) for found in passes)
        for module in {name for found in passes for name in found}
    }
