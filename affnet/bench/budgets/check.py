"""Checking models against their budgets: from the budget file to verdicts."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from affnet.artifact import Artifact
from affnet.bench.budgets.attribution import attribute
from affnet.bench.budgets.budget_file import Budget, Budgets, Place
from affnet.bench.budgets.comparable import check_comparable, check_same_results, check_same_work
from affnet.bench.budgets.devices import BudgetDevice
from affnet.bench.budgets.estimates import Round
from affnet.bench.budgets.metrics import METRICS
from affnet.bench.budgets.noise_floor import Sensitivity
from affnet.bench.budgets.noise_floor import calibrate as compare_with_itself
from affnet.bench.budgets.rounds import BASELINE, Rounds, protocol_of
from affnet.bench.budgets.verdicts import (
    ANALYSES,
    INCONCLUSIVE,
    Verdict,
    confidence_per_analysis,
    estimate_of_baseline,
    evaluate,
)
from affnet.bench.measurement.interleaved import Job, Progress
from affnet.bench.measurement.sweep import Keep
from affnet.bench.results.reading import read_results
from affnet.bench.results.result import Result
from affnet.devices.base import Device
from affnet.errors import BudgetError, UnknownNameError


class Opener(Protocol):
    """Opens a file, or exports a source, for a runtime; a peer as its model takes images."""

    def __call__(self, source: str, runtime: str, model: Artifact | None = None, /) -> Artifact:
        """Return the artifact."""


#: Returns the device of a name.
Finder = Callable[[str], Device]
BudgetFinder = Callable[[str], BudgetDevice]


@dataclass(frozen=True)
class CheckReport:
    """The verdicts of a check, and the results that it measured."""

    verdicts: list[Verdict]
    results: list[Result] = field(default_factory=list)  # measured by it
    seconds: dict[Place, float] = field(default_factory=dict)  # that measuring each place took


def places(budgets: Sequence[Budget]) -> dict[Place, list[Budget]]:
    """Return the budgets of each place, which are measured together."""
    found: dict[Place, list[Budget]] = {}
    for budget in budgets:
        found.setdefault(budget.place, []).append(budget)
    return found


def evaluate_files(budgets: Budgets, files: Sequence[Path], baseline: Path | None) -> CheckReport:
    """Evaluate the budgets on stored results.

    Raises:
        ResultsError: results cannot be read, or differ in what may not differ.
        BudgetError: a budget names what the results do not hold.
    """
    if baseline is not None and baseline.is_dir():
        raise BudgetError(
            f"{baseline} is a folder of artifacts, which are measured",
            "name a results file as the baseline, or omit the results.",
        )
    results = [result for path in files for result in read_results(path)]
    before = _read_baseline(baseline)
    verdicts = {}
    for place, judged in places(budgets.budgets).items():
        new, old = rounds_of(results, place), rounds_of(before or [], place)
        check_comparable(new, old if _needs_baseline(judged) else [])
        for budget in judged:
            check_same_results(budget, new, old)
            verdicts[budget.name] = evaluate(budget, new, old if before else None)
    return CheckReport([verdicts[budget.name] for budget in budgets.budgets])


def measure_and_evaluate(
    budgets: Budgets,
    baseline: Path | None,
    find: BudgetFinder,
    open_model: Opener,
    *,
    max_rounds: int,
    progress: Progress = lambda _: None,
    keep: Keep = lambda _: None,
) -> CheckReport:
    """Measure what the budgets name, in rounds until they are decided.

    Results go to ``keep`` as soon as all of a place are there; of a cluster, after each analysis.

    A ``baseline`` that is a folder holds the baseline artifacts, under the same file names;
    they are measured in the same turns.  A file holds stored results.

    Raises:
        AffnetError: as `measure_rounds`; a baseline that lacks a model.
    """
    before = _read_baseline(baseline)
    prepared = []
    for place, judged in places(budgets.budgets).items():  # what is wrong shows before any minutes
        with _blaming(budgets, judged[0]):
            device = find(place.device)
        device.check_sensitivity(judged, place)
        test = _SequentialTest(
            judged, None if before is None else rounds_of(before, place), max_rounds
        )
        in_turns = baseline is not None and baseline.is_dir()
        if not in_turns:
            test.check_baseline()
        jobs = jobs_of(judged, budgets, place, open_model)
        if baseline is not None and in_turns:
            jobs += _baseline_jobs(judged, budgets, jobs, place, baseline, open_model)
        prepared.append((place, judged, device, test, jobs))
    verdicts, results, seconds = {}, list[Result](), dict[Place, float]()
    for place, judged, device, test, jobs in prepared:
        began = time.monotonic()
        rounds = device.measure_rounds(
            jobs,
            protocol_of(place),
            threads=place.threads,
            max_rounds=max_rounds,
            enough=test.observe,
            memory_counts=any(METRICS[budget.metric].of_memory for budget in judged),
            progress=progress,
            keep=keep,
        )
        take = functools.partial(device.take_profiles, threads=place.threads)
        explained = attribute(test.verdicts, jobs, take, progress)
        verdicts.update({verdict.budget.name: verdict for verdict in explained})
        results += rounds.results()
        seconds[place] = time.monotonic() - began
    return CheckReport([verdicts[budget.name] for budget in budgets.budgets], results, seconds)


def calibrate(
    budgets: Budgets, find: Finder, open_model: Opener, *, rounds: int, progress: Progress
) -> list[Sensitivity]:
    """Measure the smallest change of each budgeted metric that can be detected at each place."""
    return [
        sensitivity
        for place, judged in places(budgets.budgets).items()
        for sensitivity in compare_with_itself(
            jobs_of(judged, budgets, place, open_model),
            list(dict.fromkeys(budget.metric for budget in judged)),
            find(place.device),
            place,
            rounds=rounds,
            progress=progress,
        )
    ]


class _SequentialTest:
    """Evaluates the budgets of one place at the interim analyses of a growing number of rounds."""

    def __init__(
        self, budgets: Sequence[Budget], baseline: list[Round] | None, max_rounds: int
    ) -> None:
        self._budgets, self._baseline = budgets, baseline
        self._analyses = {count for count in ANALYSES if count < max_rounds} | {max_rounds}
        self._level = confidence_per_analysis(len(self._analyses))
        self.verdicts: list[Verdict] = []

    def check_baseline(self) -> None:
        """Raise `BudgetError` where the stored baseline lacks what a budget needs."""
        for budget in self._budgets:
            if budget.relative_to_baseline:
                estimate_of_baseline(budget, self._baseline)

    def observe(self, rounds: Rounds) -> bool:
        """Evaluate if an analysis is due; return whether no budget is left to be decided."""
        if len(rounds.new) == 1 and not rounds.old and _needs_baseline(self._budgets):
            check_comparable(rounds.new, self._baseline or [])
            for budget in self._budgets:
                check_same_results(budget, rounds.new, self._baseline or [])
        if len(rounds.new) not in self._analyses:
            return False
        old = rounds.old or self._baseline
        self.verdicts = [
            evaluate(budget, rounds.new, old, paired=bool(rounds.old), level=self._level)
            for budget in self._budgets
        ]
        return not any(v.verdict == INCONCLUSIVE and v.interval for v in self.verdicts)


def jobs_of(
    judged: Sequence[Budget], budgets: Budgets, place: Place, open_model: Opener
) -> list[Job]:
    """Return a job for each model and peer of one place's budgets."""
    jobs: dict[str, Job] = {}
    for budget in judged:
        with _blaming(budgets, budget):
            model = jobs.get(budget.model)
            if model is None:
                artifact = open_model(budgets.source(budget.model), place.runtime)
                model = jobs[budget.model] = Job(budget.model, artifact, place.runtime)
            if budget.peer and budget.peer not in jobs:
                source = budgets.source(budget.peer)
                artifact = open_model(source, place.runtime, model.artifact)
                jobs[budget.peer] = Job(budget.peer, artifact, place.runtime)
    for budget in judged:
        if budget.peer:
            check_same_work(budget, budgets.path, jobs[budget.model], jobs[budget.peer])
    return list(jobs.values())


@contextmanager
def _blaming(budgets: Budgets, budget: Budget) -> Iterator[None]:
    """Say which line of the budgets holds a name that is unknown."""
    try:
        yield
    except UnknownNameError as error:
        raise BudgetError(f"{budgets.path}, line {budget.line}: {error}") from error


def rounds_of(results: Sequence[Result], place: Place) -> list[Round]:
    """Return the results of one place, those measured in the same turns together."""
    wanted = (place.device, place.runtime, place.threads, place.pipeline)
    rounds: dict[str, dict[str, Result]] = {}
    for number, result in enumerate(results):
        found = (result.device, result.runtime, result.threads, bool(result.stages_ns))
        if found == wanted:
            session = result.session or f"result {number} of no session"  # of an older version
            rounds.setdefault(session, {})[result.model] = result
    return list(rounds.values())


def _needs_baseline(budgets: Sequence[Budget]) -> bool:
    return any(budget.relative_to_baseline for budget in budgets)


def _baseline_jobs(
    judged: Sequence[Budget],
    budgets: Budgets,
    measured: Sequence[Job],
    place: Place,
    folder: Path,
    open_model: Opener,
) -> list[Job]:
    names = {budget.model for budget in judged if budget.relative_to_baseline}
    jobs = []
    for name, job in ((job.label, job) for job in measured if job.label in names):
        path = folder / job.artifact.path.name
        if not path.exists():
            raise BudgetError(
                f"{folder} holds no {path.name}, the baseline of {name}",
                "export it there from the baseline code.",
            )
        old = Job(BASELINE + name, open_model(str(path), place.runtime), place.runtime)
        for budget in judged:
            if budget.model == name and budget.relative_to_baseline:
                check_same_work(budget, budgets.path, job, old)
        jobs.append(old)
    return jobs


def _read_baseline(baseline: Path | None) -> list[Result] | None:
    if baseline is None or baseline.is_dir():
        return None
    return read_results(baseline)
