"""From budgets to verdicts, on a device whose latencies are scripted, and from stored results."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest

from affnet.artifact import Artifact, TensorSpec
from affnet.bench.budgets.budget_file import Budgets, read_budgets
from affnet.bench.budgets.check import CheckReport, evaluate_files, measure_and_evaluate, rounds_of
from affnet.bench.budgets.devices import AttachedDevice
from affnet.bench.budgets.verdicts import FAIL, INCONCLUSIVE, PASS
from affnet.bench.reporting.output import write
from affnet.bench.results.result import Workload
from affnet.devices.base import Capabilities, Device
from affnet.errors import AffnetError, BudgetError, MeasurementError, ResultsError
from tests.bench.checks import FAKE
from tests.bench.fakes import MS, FakeDevice, FakeProcess, a_result, an_artifact

Script = Callable[[int], int]


class ReachableDevice(FakeDevice):
    """A scripted device that a check can open."""

    capabilities = Capabilities(
        ("onnxruntime",), ("cpu",), home_runtimes=("onnxruntime",), remote=False
    )

    def address(self) -> str:
        return "fake"

    def session(self, *_: Any) -> nullcontext[None]:
        return nullcontext()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFNET_CACHE_DIR", str(tmp_path / "cache" / "affnet"))
    monkeypatch.setenv("HOME", str(tmp_path))


def budgets_of(folder: Path, *lines: str) -> Budgets:
    """A file with a budget for each text of lines, on the fake device."""
    path = folder / "budgets.toml"
    path.write_text("".join(f'[[budget]]\ndevice = "fake"\n{line}\n' for line in lines))
    return read_budgets(path)


def around(latency_ms: float) -> Script:
    """Three latencies in turn, 1 % apart: noise without chance."""
    return lambda index: round(latency_ms * MS * (1, 1.01, 0.99)[index % 3])


def measured(
    folder: Path, budgets: Budgets, baseline: Path | None = None, **scripts: Script
) -> tuple[CheckReport, ReachableDevice]:
    device = ReachableDevice(scripts)

    def open_model(source: str, _runtime: str, _model: Artifact | None = None) -> Artifact:
        path = Path(source)
        return an_artifact("old" if path.parent.name == "before" else path.stem, folder)

    outcome = measure_and_evaluate(
        budgets, baseline, lambda _: AttachedDevice(cast(Device, device)), open_model, max_rounds=12
    )
    return outcome, device


def test_clear_verdicts_end_at_the_first_look(tmp_path: Path) -> None:
    budgets = budgets_of(
        tmp_path,
        'model = "one"\nat_most = "12 ms"',
        'model = "one"\nat_most = "9 ms"',
        'model = "one"\npeer = "two"\nat_most = 0.6',
        'model = "one"\nmetric = "file_size"\nat_most = "1 kB"',
    )
    outcome, _ = measured(tmp_path, budgets, one=around(10), two=around(20))
    assert [v.verdict for v in outcome.verdicts] == [PASS, FAIL, PASS, PASS]
    assert {v.rounds for v in outcome.verdicts} == {4}
    assert len(outcome.results) == 8


def test_a_folder_of_artifacts_is_measured_in_the_same_turns(tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    (before / "one.onnx").touch()
    budgets = budgets_of(tmp_path, 'model = "one"\nat_most = "+5 %"')
    slower, _ = measured(tmp_path, budgets, before, one=around(11), old=around(10))
    assert slower.verdicts[0].verdict == FAIL
    assert slower.verdicts[0].interval is not None
    assert slower.verdicts[0].interval.value == pytest.approx(1.1, rel=0.01)
    same, _ = measured(tmp_path, budgets, before, one=around(10), old=around(10))
    assert same.verdicts[0].verdict == PASS


def test_a_folder_without_the_model_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    budgets = budgets_of(tmp_path, 'model = "one"\nat_most = "+5 %"')
    with pytest.raises(BudgetError, match=r"holds no one.onnx, the baseline of one"):
        measured(tmp_path, budgets, tmp_path / "before", one=around(10))


def test_a_missing_baseline_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    budgets = budgets_of(tmp_path, 'model = "one"\nat_most = "+5 %"')
    with pytest.raises(BudgetError, match="name one with --baseline"):
        measured(tmp_path, budgets)  # there is no script: any run would be a KeyError


def test_memory_that_counts_is_measured_in_each_round(tmp_path: Path) -> None:
    budgets = budgets_of(tmp_path, 'model = "one"\nmetric = "peak_memory"\nat_most = "60 MB"')
    outcome, device = measured(tmp_path, budgets, one=around(10))
    assert outcome.verdicts[0].verdict == PASS
    assert device.started == 8
    assert len({result.peak_rss_bytes for result in outcome.results}) == 4
    other = budgets_of(tmp_path, 'model = "one"\nat_most = "60 ms"')
    assert measured(tmp_path, other, one=around(10))[1].started == 5


def test_rounds_take_the_jobs_both_ways_round(tmp_path: Path) -> None:
    budgets = budgets_of(tmp_path, 'model = "one"\npeer = "two"\nat_most = 2.0')
    _, device = measured(tmp_path, budgets, one=around(10), two=around(10))
    first = {request.process: request.model for request in device.log}
    assert [first[number] for number in sorted(first)][2:] == ["one", "two", "two", "one"] * 2


def test_a_killed_run_ends_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any) -> list[int]:
        raise MeasurementError("Measuring one ended with signal 9: it said nothing")

    monkeypatch.setattr(FakeProcess, "run", killed)
    with pytest.raises(MeasurementError, match="signal 9"):
        measured(tmp_path, budgets_of(tmp_path, 'model = "one"\nat_most = "9 ms"'), one=around(1))


def stored(folder: Path, name: str, *results: Any) -> Path:
    write(results, folder / name)
    return folder / name


STEADY = ((10 * MS,) * 5,) * 4


def test_stored_results_are_judged_and_compared(tmp_path: Path) -> None:
    budgets = budgets_of(
        tmp_path, 'model = "one"\nat_most = "+5 %"', 'model = "one"\nat_most = "12 ms"'
    )
    new = stored(tmp_path, "new.json", a_result(blocks_ns=STEADY, session="n"))
    old = stored(tmp_path, "old.json", a_result(blocks_ns=STEADY, session="o"))
    assert [v.verdict for v in evaluate_files(budgets, [new], old).verdicts] == [PASS, PASS]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"protocol": "default"}, "the protocol is quick here, and default there"),
        ({"environment": {"cpu": "Other"}}, "the processor is Imagined 9000 here, and Other"),
    ],
)
def test_a_baseline_from_elsewhere_is_refused_wherever_it_stands(
    tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    budgets = budgets_of(tmp_path, 'model = "one"\nat_most = "+5 %"')
    fine, odd = a_result(session="a"), a_result(session="b", **changes)
    new = stored(tmp_path, "new.json", fine)
    with pytest.raises(ResultsError, match=f"baseline cannot be compared: {what}"):
        evaluate_files(budgets, [new], stored(tmp_path, "old.json", fine, odd))
    with pytest.raises(ResultsError, match="results cannot be evaluated together"):
        evaluate_files(budgets, [new, stored(tmp_path, "odd.json", odd)], new)


def test_a_baseline_of_another_device_holds_nothing_for_this_one(tmp_path: Path) -> None:
    budgets = budgets_of(tmp_path, 'model = "one"\nat_most = "+5 %"')
    new = stored(tmp_path, "new.json", a_result())
    old = stored(tmp_path, "old.json", a_result(device="pixel"))
    with pytest.raises(BudgetError, match="one is not in the baseline for onnxruntime on fake"):
        evaluate_files(budgets, [new], old)


def test_a_folder_is_no_baseline_of_stored_results(tmp_path: Path) -> None:
    budgets = budgets_of(tmp_path, 'model = "one"\nat_most = "+5 %"')
    with pytest.raises(AffnetError, match="is a folder of artifacts, which are measured"):
        evaluate_files(budgets, [stored(tmp_path, "new.json", a_result())], tmp_path)


def test_a_place_without_results_is_told(tmp_path: Path) -> None:
    budgets = budgets_of(tmp_path, 'model = "one"\nthreads = 4\nat_most = "12 ms"')
    new = stored(tmp_path, "new.json", a_result())
    with pytest.raises(BudgetError, match=r"with 4 thread\(s\); there are: none"):
        evaluate_files(budgets, [new], None)


def test_sessions_are_rounds_and_results_without_one_stay_apart() -> None:
    one, two = a_result(session="a"), a_result(model="two", session="a")
    assert rounds_of([one, two, one], FAKE) == [{"one": one, "two": two}]
    assert len(rounds_of([a_result(), a_result()], FAKE)) == 2


def test_what_chance_leaves_open_stays_open(tmp_path: Path) -> None:
    budgets = budgets_of(tmp_path, 'model = "one"\nmetric = "p90"\nat_most = "10 ms"')
    calls = iter(range(10**9))
    noisy: Script = lambda _: round(MS * (10 + (next(calls) // 60 % 5 - 2)))  # noqa: E731
    outcome, _ = measured(tmp_path, budgets, one=noisy)
    assert (outcome.verdicts[0].verdict, outcome.verdicts[0].rounds) == (INCONCLUSIVE, 12)


def test_a_model_and_a_peer_or_baseline_of_another_size_are_refused_before_measuring(
    tmp_path: Path,
) -> None:
    large = TensorSpec("image", (1, 3, 288, 288), "float32", "NCHW", (0.0, 1.0))
    device = AttachedDevice(cast(Device, ReachableDevice({})))
    asked = list[tuple[str, str | None]]()

    def open_model(source: str, _runtime: str, model: Artifact | None = None) -> Artifact:
        asked.append((source, model and model.manifest.model))
        changes = {"inputs": (large,)} if source == "one" else {}
        return an_artifact(source.replace("/", "-"), tmp_path, **changes)

    def refusal(text: str, baseline: Path | None = None) -> str:
        with pytest.raises(BudgetError) as found:
            measure_and_evaluate(
                budgets_of(tmp_path, text), baseline, lambda _: device, open_model,
                max_rounds=4,
            )  # fmt: skip
        return str(found.value)

    assert refusal('model = "one"\npeer = "two"\nat_most = 1.1') == (
        f"{tmp_path / 'budgets.toml'}, line 3: the input of one is 1x3x288x288 float32, that of "
        "two 1x3x64x64 float32, and so their ratio says nothing; export both alike, for images "
        "with --image-size."
    )
    assert asked == [("one", None), ("two", "one")]  # a source is exported at the model's size
    before = tmp_path / "before"
    before.mkdir()
    (before / "one.onnx").touch()
    assert "of baseline of one 1x3x64x64 float32" in refusal(
        'model = "one"\nat_most = "+5 %"', before
    )


def test_stored_results_of_another_size_are_refused(tmp_path: Path) -> None:
    small = Workload(("1x3x64x64 float32",), "NCHW", ("1xC float32",), "classification")
    large = dataclasses.replace(small, inputs=("1x3x96x96 float32",))
    budgets = budgets_of(
        tmp_path,
        'model = "one"\nmetric = "file_size"\nat_most = "+5 %"',
        'model = "one"\nat_most = "+5 %"',
    )
    files = [tmp_path / "new.json", tmp_path / "old.json"]
    for file, workload in zip(files, (large, small), strict=True):
        write([a_result(device="fake", workload=workload)], file)
    with pytest.raises(ResultsError, match="the input of one is 1x3x96x96 float32, that of base"):
        evaluate_files(budgets, files[:1], files[1])
    size_only = dataclasses.replace(budgets, budgets=budgets.budgets[:1])
    assert evaluate_files(size_only, files[:1], files[1]).verdicts[0].budget.metric == "file_size"
