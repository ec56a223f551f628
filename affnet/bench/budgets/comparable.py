"""What budgets refuse to compare: results of other conditions, and models that do other work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from affnet.bench.budgets.budget_file import Budget
from affnet.bench.budgets.estimates import Round
from affnet.bench.budgets.metrics import METRICS
from affnet.bench.budgets.rounds import BASELINE
from affnet.bench.measurement.interleaved import Job
from affnet.bench.results.result import Result, Workload
from affnet.bench.results.workload import differences, workload_of
from affnet.errors import BudgetError, ResultsError


def check_same_work(budget: Budget, path: Path, model: Job, other: Job) -> None:
    """Raise `BudgetError` where a budget on two artifacts would compare different work.

    ``other`` is the peer, or the baseline's artifact; the budget stands in the file ``path``.
    """
    pair = [workload_of(job.artifact.manifest) for job in (model, other)]
    if why := _other_work(budget, model.label, other.label, *pair):
        raise BudgetError(
            f"{path}, line {budget.line}: {why}",
            "export both alike, for images with --image-size.",
        )


def check_same_results(budget: Budget, new: Sequence[Round], old: Sequence[Round]) -> None:
    """Raise `ResultsError` where a budget on results would compare different work."""
    for result, other, name in _compared(budget, new, old):
        if why := _other_work(budget, budget.model, name, result.workload, other.workload):
            raise ResultsError(
                f"{budget.name}: {why}", "measure both alike, for images with --image-size."
            )


def _compared(
    budget: Budget, new: Sequence[Round], old: Sequence[Round]
) -> Iterator[tuple[Result, Result, str]]:
    """Yield the results that a budget divides by each other, and what the second one is."""
    for found in new:
        if budget.peer and budget.model in found and budget.peer in found:
            yield found[budget.model], found[budget.peer], budget.peer
    if budget.relative_to_baseline:
        before = [found[budget.model] for found in old if budget.model in found]
        for found in new:
            if budget.model in found and before:
                yield found[budget.model], before[0], BASELINE + budget.model


def _other_work(
    budget: Budget, model: str, other: str, one: Workload | None, two: Workload | None
) -> str:
    """Say in what two models differ that makes a budget's ratio meaningless; "" if in nothing."""
    if METRICS[budget.metric].exact:  # a file has its size whatever it is given
        return ""
    worst = next((found for found in differences(one, two) if found.excluding), None)
    return f"{worst.sentence(model, other)}, and so their ratio says nothing" if worst else ""


def _conditions(result: Result) -> dict[str, object]:
    """Return what may not differ between results that are compared."""
    return {
        "the protocol": result.protocol,
        "the processor": result.environment.get("cpu"),
        "the device": result.environment.get("model"),
        "the kind of samples": result.sample_kind,
    }


def check_comparable(new: Sequence[Round], old: Sequence[Round]) -> None:
    """Raise `ResultsError` where results were measured elsewhere or otherwise than others."""
    first: dict[str, object] = {}
    of_before = "The baseline cannot be compared"
    for rounds, problem in ((new, "The results cannot be evaluated together"), (old, of_before)):
        for result in (result for found in rounds for result in found.values()):
            conditions = _conditions(result)
            first = first or conditions
            for what, found in conditions.items():
                if found != first[what]:
                    raise ResultsError(
                        f"{problem}: {what} is {first[what]} here, and {found} there",
                        "measure all on one machine by the protocol of affnet "
                        "check, or name a folder of artifacts as the baseline, which is measured "
                        "in the same turns.",
                    )
