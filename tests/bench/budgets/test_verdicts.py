"""Verdicts at the edges, and how often they are wrong."""

from __future__ import annotations

import dataclasses

import pytest

from affnet.bench.budgets.sentences import sentence
from affnet.bench.budgets.verdicts import (
    ANALYSES,
    FAIL,
    INCONCLUSIVE,
    PASS,
    Verdict,
    confidence_per_analysis,
    evaluate,
    overall,
)
from affnet.bench.statistics.intervals import Interval
from affnet.errors import BudgetError
from affnet.placement import PlacedOperator
from tests.bench.checks import NO_SLOWER, Simulation, a_budget, steady_rounds
from tests.bench.fakes import MS, a_result


def test_an_interval_that_touches_the_limit_keeps_it() -> None:
    assert evaluate(a_budget(), steady_rounds(12, 12)).verdict == PASS
    assert evaluate(a_budget(limit=12.0 * MS - 1), steady_rounds(12, 12)).verdict == FAIL


def test_a_limit_within_the_interval_decides_nothing() -> None:
    found = evaluate(a_budget(), steady_rounds(11, 13, 12))
    assert (found.verdict, found.rounds) == (INCONCLUSIVE, 3)
    assert found.reason == "the limit is within the interval"


def test_a_size_at_its_limit_passes_and_one_byte_more_fails() -> None:
    for size in (3_600_000, 25_000_000, 999_999):
        rounds = steady_rounds(10, file_bytes=size)
        assert evaluate(a_budget(metric="file_size", limit=float(size)), rounds).verdict == PASS
        assert evaluate(a_budget(metric="file_size", limit=size - 1.0), rounds).verdict == FAIL


def test_a_fallback_misses_its_budget_and_is_named() -> None:
    placed = [PlacedOperator(f"c{i}", "CONV_2D", "gpu") for i in range(9)]
    fallen = PlacedOperator("d", "GATHER_ND", "cpu", "Operation is not supported")
    rounds = steady_rounds(10, 10, placed=(*placed, fallen), asked_units=("gpu",))
    assert evaluate(a_budget(metric="placement", limit=0.9), rounds).verdict == PASS
    found = evaluate(a_budget(metric="placement", limit=0.95, text="95 %"), rounds)
    assert found.verdict == FAIL
    assert sentence(found) == (
        "placement of one is 90.0 % [90.0 to 90.0 %, 95 %], allowed is 95 %: the limit is missed: "
        "1 GATHER_ND on CPU (Operation is not supported)"
    )
    worse = steady_rounds(10, placed=(placed[0], fallen), asked_units=("gpu",))
    both = evaluate(a_budget(metric="placement", limit=0.9), [*rounds, *worse])
    assert both.verdict == FAIL  # the least of all rounds counts
    unknown = evaluate(a_budget(metric="placement", limit=0.9), steady_rounds(10))
    assert unknown.reason == "the results do not include placement"
    none = steady_rounds(10, placed=(fallen,), asked_units=("gpu",))
    assert evaluate(a_budget(metric="placement", limit=0.01), none).verdict == FAIL


def test_one_value_asks_for_several_rounds() -> None:
    found = evaluate(a_budget(metric="load"), steady_rounds(10))
    assert found.verdict == INCONCLUSIVE
    assert found.reason == "one value has no interval; measure in several rounds"
    assert found.to_json()["interval"] is None


BUSY = {"cpu": "Imagined 9000", "before": {"busy_cores": 1.5}}
DOUBT = "other processes kept 1.5 cores busy before the run"


def test_a_busy_machine_fails_no_absolute_budget_and_is_told_of_in_any() -> None:
    slow = steady_rounds(13, 13, environment=BUSY, validity_reasons=(DOUBT,))
    found = evaluate(a_budget(), slow)
    assert found.verdict == INCONCLUSIVE
    assert found.reason.startswith(f"the whole interval is above the limit, but {DOUBT}; measure")
    assert found.warnings == (f"{DOUBT} (one)",)
    assert found.to_json()["doubts"] == [f"{DOUBT} (one)"]
    quick = evaluate(a_budget(), steady_rounds(9, 9, environment=BUSY, validity_reasons=(DOUBT,)))
    assert (quick.verdict, quick.warnings) == (PASS, (f"{DOUBT} (one)",))
    size = a_budget(metric="file_size", limit=1.0)
    assert evaluate(size, slow).verdict == FAIL  # which no other process changes


def test_a_busy_machine_does_not_excuse_what_is_slower_in_the_same_turns() -> None:
    pairs = zip(steady_rounds(13, 13), steady_rounds(10, 10, model="two"), strict=True)
    rounds = [
        {name: dataclasses.replace(found, environment=BUSY) for name, found in {**a, **b}.items()}
        for a, b in pairs
    ]
    assert evaluate(a_budget(peer="two", limit=1.2), rounds).verdict == FAIL


def test_a_single_process_is_told_to_be_one() -> None:
    noisy = a_result(blocks_ns=((10 * MS, 11 * MS, 12 * MS),) * 10)
    found = evaluate(a_budget(limit=20.0 * MS), [{"one": noisy}])
    assert found.verdict == PASS
    assert found.reason.endswith(
        "from a single process, though processes differ by more than its samples"
    )
    before = [{"one": dataclasses.replace(noisy, session="before")}]
    assert "from a single process" in evaluate(NO_SLOWER, [{"one": noisy}], before).reason
    several = evaluate(NO_SLOWER, steady_rounds(10, 10.1), steady_rounds(10, 10.1))
    assert "alone" not in several.reason


def test_a_model_that_was_not_run_is_named() -> None:
    with pytest.raises(BudgetError, match="one is not among the results for onnxruntime on fake"):
        evaluate(a_budget(), steady_rounds(10, model="two"))
    with pytest.raises(BudgetError, match="there are: none"):
        evaluate(a_budget(), [])
    with pytest.raises(BudgetError, match="two is not among the results"):
        evaluate(a_budget(peer="two", limit=0.8), steady_rounds(10))


def test_models_of_different_turns_are_not_compared() -> None:
    rounds = [*steady_rounds(10), *steady_rounds(12, model="two")]
    found = evaluate(a_budget(peer="two", limit=0.8), rounds)
    assert (found.verdict, found.rounds) == (INCONCLUSIVE, 0)
    assert found.reason == "one and two were never measured in the same turns"


def test_a_baseline_is_asked_for() -> None:
    with pytest.raises(BudgetError, match="name one with --baseline"):
        evaluate(NO_SLOWER, steady_rounds(10))
    with pytest.raises(BudgetError, match="one is not in the baseline"):
        evaluate(NO_SLOWER, steady_rounds(10), steady_rounds(10, model="two"))


def test_the_error_is_divided_among_the_looks() -> None:
    assert confidence_per_analysis(1) == pytest.approx(0.99)
    assert confidence_per_analysis(4) == pytest.approx(0.9975)


def test_the_worst_verdict_is_that_of_all() -> None:
    one = {
        kind: Verdict(a_budget(), kind, Interval(1, 1, 1), 4, "")
        for kind in (PASS, FAIL, INCONCLUSIVE)
    }
    assert overall([one[PASS], one[INCONCLUSIVE], one[FAIL]]) == FAIL
    assert overall([one[PASS], one[INCONCLUSIVE]]) == INCONCLUSIVE
    assert overall([one[PASS]]) == PASS


def test_one_giant_sample_is_no_slow_down() -> None:
    """Such as of a clock that steps: medians do not see it."""
    clean = ((10 * MS,) * 20,)
    jumped = ((10 * MS,) * 19 + (10**15,),)
    rounds = [{"one": a_result(blocks_ns=clean)} for _ in range(11)]
    rounds.append({"one": a_result(blocks_ns=jumped)})
    before = [{"one": a_result(blocks_ns=clean)} for _ in range(12)]
    assert evaluate(NO_SLOWER, rounds, before, paired=True).verdict == PASS
    assert evaluate(a_budget(limit=11.0 * MS), rounds).verdict == PASS


def checked(seed: int, noise: float, factor: float) -> str:
    """One simulated check of "+5 %" against a baseline in the same turns, look by look."""
    simulation = Simulation(seed, noise)
    rounds = [simulation.round(10 * factor, 10) for _ in range(ANALYSES[-1])]
    new = [{"one": found["one"]} for found in rounds]
    old = [{"one": found["two"]} for found in rounds]
    verdict = INCONCLUSIVE
    for look in ANALYSES:
        verdict = evaluate(
            NO_SLOWER,
            new[:look],
            old[:look],
            paired=True,
            level=confidence_per_analysis(len(ANALYSES)),
        ).verdict
        if verdict != INCONCLUSIVE:
            break
    return verdict


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_the_same_model_twice_fails_in_one_of_a_hundred_checks_at_most(noise: float) -> None:
    verdicts = [checked(seed, noise, 1.0) for seed in range(500)]
    assert verdicts.count(FAIL) <= 5
    assert verdicts.count(PASS) >= (450 if noise == 0.01 else 1)


def test_a_slow_down_by_a_tenth_fails_in_95_of_100_checks() -> None:
    verdicts = [checked(seed, 0.01, 1.1) for seed in range(200)]
    assert verdicts.count(FAIL) >= 190
    assert verdicts.count(PASS) == 0


def test_a_baseline_of_one_process_does_not_pass_for_certain() -> None:
    """Its own spread is not seen; that of the rounds stands for it, or 3 % of noise fail."""
    failed = 0
    for seed in range(500):
        simulation = Simulation(seed, 0.03)
        old = [simulation.round(10)]
        rounds = [simulation.round(10) for _ in range(ANALYSES[-1])]
        failed += evaluate(NO_SLOWER, rounds, old, level=confidence_per_analysis(4)).verdict == FAIL
    assert failed <= 5
