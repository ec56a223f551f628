"""What the report's sections hold: numbers, marks, and why they are empty."""

from __future__ import annotations

import dataclasses

import pytest

from affnet.bench.budgets.budget_file import Budget, Place
from affnet.bench.html_report.accuracies import accuracies
from affnet.bench.html_report.data import DOUBTFUL
from affnet.bench.html_report.distributions import distributions
from affnet.bench.html_report.history import history
from affnet.bench.html_report.mixers import mixers
from affnet.bench.html_report.operators import operators
from affnet.bench.html_report.results import quoted, results, validity
from affnet.bench.html_report.section import Figure, Section
from affnet.bench.html_report.sections import SECTIONS
from affnet.bench.html_report.tradeoffs import accuracy, size
from affnet.bench.statistics.intervals import ratio_interval
from affnet.devices.base import BlockStatistics, OperatorTime
from affnet.evidence import MeasuredAccuracy
from tests.bench.fakes import MS, a_result
from tests.bench.html_report.pages import data_of, runs, samples
from tests.bench.store.test_database import run_of

pytest.importorskip("altair", reason="altair is not installed: pip install 'affnet[report]'")

PLACE = Place("fake", "onnxruntime", 1)


def a_budget(**changes: object) -> Budget:
    """One of 9 ms."""
    budget = Budget("b", "mine", "median", PLACE, 9.0 * MS, "9 ms", None, False, 1)
    return dataclasses.replace(budget, **changes)  # type: ignore[arg-type]


def figures(section: Section | None) -> list[Figure]:
    assert section is not None
    return [part for part in section.parts if isinstance(part, Figure)]


def test_each_result_has_its_percentiles_and_its_samples() -> None:
    (figure,) = figures(distributions(data_of(runs([1]))))
    mine, peer = figure.rows["summaries"]
    assert (mine["median"], peer["median"]) == (pytest.approx(8.075), pytest.approx(10.075))
    assert (mine["text"], mine["beyond"], mine["runs"]) == ("8.07 ms", "", 40)
    assert mine["fastest"] == 8 and mine["slowest"] == pytest.approx(8.15)
    drawn = sorted(row["ms"] for row in figure.rows["samples"] if row["result"] == 0)
    assert drawn == pytest.approx(sorted(ns / MS for turn in samples(8.0) for ns in turn))
    assert figure.note == ""


def test_samples_are_thinned_by_rank_and_that_is_said() -> None:
    many = tuple(tuple(MS + 10 * (25 * turn + run) for run in range(25)) for turn in range(40))
    (figure,) = figures(distributions(data_of(runs([1], blocks_ns=many))))
    drawn = [row["ms"] for row in figure.rows["samples"] if row["result"] == 0]
    assert len(drawn) == 240 and drawn == sorted(drawn)
    assert (drawn[0], drawn[-1]) == (1.0, pytest.approx(1.00999))
    assert figure.note == (
        "Of each result at most 240 of up to 1000 samples are drawn, evenly spaced by rank; "
        "percentiles are those of all."
    )


def test_samples_far_off_are_told_in_words() -> None:
    late = (*samples(8.0)[:-1], (40 * MS, 8 * MS, 90 * MS, 8 * MS, 8 * MS))
    (figure,) = figures(distributions(data_of(runs([1], blocks_ns=late))))
    assert figure.rows["summaries"][0]["beyond"] == "2 up to 90.00 ms \N{RIGHTWARDS ARROW}"
    assert max(row["ms"] for row in figure.rows["samples"]) < 9


def test_constant_and_single_samples_can_be_drawn() -> None:
    for blocks in (((MS,),), ((MS, MS, MS), (MS, MS, MS))):
        results = [*runs([1], blocks_ns=blocks)]
        results += [run_of(1, model=f"aff-8x{n}x{n}", blocks_ns=blocks) for n in (4, 8)]
        for make in SECTIONS:
            for figure in figures(make(data_of(results))):
                assert figure.chart.to_dict()["width"] == "container"


def test_of_block_statistics_no_tail_is_drawn() -> None:
    blocks = (BlockStatistics(9, 9 * MS, MS, MS, 9 * MS, 3 * MS, 5, None, 2 * MS, None),) * 8
    (figure,) = figures(distributions(data_of(runs([1], block_statistics=blocks))))
    summary = figure.rows["summaries"][0]
    assert [summary[name] for name in ("p90", "p99", "slowest")] == [None, None, None]


def test_accuracy_says_how_it_is_known_and_names_its_source() -> None:
    section = accuracy(data_of(runs()))
    (figure,) = figures(section)
    assert [(row["y"], row["known"], row["source"]) for row in figure.rows["points"]] == [
        (73.0, "quoted", "a paper")
    ] * 2
    newest = data_of(runs()).entries[figure.rows["points"][0]["result"]]
    assert newest.result.git_commit == "c3"
    assert list(accuracies(a_result(published={"top1_percent": "<b>"}))) == []


def test_what_was_measured_on_other_images_stands_in_charts_of_its_own() -> None:
    measured = MeasuredAccuracy("digits", "f1", 100, 0.98, (0.93, 1.0), None, "onnxruntime 1.2")
    others = dataclasses.replace(measured, fingerprint="f2", top1=0.5)
    section = accuracy(data_of(runs([1], accuracy=(measured, others))))
    assert [figure.heading for figure in figures(section)] == [
        "measured on digits", "measured on digits", "quoted from papers",
    ]  # fmt: skip
    row = figures(section)[0].rows["points"][0]
    assert [row[name] for name in ("y", "from", "to", "known", "source")] == [
        98.0, 93.0, 100.0, "measured", "100 images, onnxruntime 1.2",
    ]  # fmt: skip


def test_size_is_that_of_the_file() -> None:
    (figure,) = figures(size(data_of(runs([1], file_bytes=5_200_000))))
    assert [row["y"] for row in figure.rows["points"]] == [5.2, 5.2]
    assert figure.rows["points"][0]["median"] == pytest.approx(8.075)


def test_results_that_may_not_be_mixed_stand_in_figures_of_their_own() -> None:
    found = data_of([*runs([1]), *runs([1], threads=4, session="other")])
    for section in (distributions(found), accuracy(found), size(found)):
        assert [figure.heading.split(", ")[1] for figure in figures(section)] == [
            "1 thread", "4 threads",
        ]  # fmt: skip
    assert [len(listing.table.rows) for listing in results(found).parts] == [2, 2]  # type: ignore[union-attr]


def test_history_goes_over_commits_with_the_lines_of_budgets() -> None:
    budgets = [
        a_budget(),
        a_budget(peer="peer", limit=0.9, text="0.9 x peer"),
        a_budget(metric="p90", peer="peer", limit=0.9, text="0.9 x peer"),
        a_budget(metric="file_size", limit=5e6, text="5 MB"),
        a_budget(place=Place("pixel", "onnxruntime", 1)),
        a_budget(model="other"),
        a_budget(name="relative", relative_to_baseline=True, limit=1.05),
    ]
    section = history(data_of(runs(), budgets))
    median, ratio, tail, file = figures(section)
    assert "Not drawn, as their baseline is not part of the results: relative." in (
        section.explanation
    )
    assert [row["run"] for row in median.rows["runs"]] == ["c1", "c1", "c2", "c2", "c3", "c3"]
    assert [row["value"] for row in median.rows["runs"]] == pytest.approx([8.075, 10.075] * 3)
    assert [(row["limit"], row["budget"]) for row in median.rows["budgets"]] == [
        (9.0, "mine, onnxruntime: 9 ms")
    ]
    assert [row["value"] for row in ratio.rows["runs"]] == [0.8] * 3
    assert [row["limit"] for row in ratio.rows["budgets"]] == [0.9]
    expected = ratio_interval(samples(8.0), samples(10.0), 0.9)
    assert [row["value"] for row in tail.rows["runs"]] == [pytest.approx(expected.value)] * 3
    assert [row["limit"] for row in file.rows["budgets"]] == [5.0]


def test_several_runs_of_a_commit_stay_apart() -> None:
    again = runs([1, 2], git_commit="abc")
    names = [row["run"] for row in figures(history(data_of(again)))[0].rows["runs"]]
    assert names == ["abc", "abc", "abc (2)", "abc (2)"]


def test_one_run_has_a_history_only_beside_a_budget() -> None:
    once = runs([1])
    assert history(data_of(once)).empty.startswith("No model was measured more than once")
    assert figures(history(data_of(once))) == []
    (figure,) = figures(history(data_of(once, [a_budget()])))
    assert [row["result"] for row in figure.rows["runs"]] == [0]  # not the peer


def test_operators_are_summed_by_module_in_the_order_of_execution() -> None:
    mine, peer = figures(operators(data_of(runs([1]))))
    assert "watched by the profiler of onnxruntime" in mine.heading
    assert [(row["module"], row["text"]) for row in mine.rows["parts"]] == [
        ("stem.conv", "2.00 ms, 25.0 %"),
        ("stage.0.gate", "1.00 ms, 12.5 %"),
        ("stage.0.conv", "5.00 ms, 62.5 %"),
    ]
    assert [(row["part"], row["operator"], row["ms"]) for row in mine.rows["times"]] == [
        (0, "Conv", 2.0), (1, "Mul", 1.0), (2, "Conv", 5.0),
    ]  # fmt: skip
    assert sum(row["ms"] for row in peer.rows["times"]) == 8.0


def test_many_types_of_operators_end_in_others_and_modules_may_be_unknown() -> None:
    profile = tuple(OperatorTime(str(n), f"Op{n:02}", (20 - n) * MS) for n in range(12))
    figure = figures(operators(data_of(runs([1], operators=profile))))[0]
    assert [row["operator"] for row in figure.rows["times"]] == [
        *(f"Op{n:02}" for n in range(7)), "others",
    ]  # fmt: skip
    assert figure.rows["times"][-1]["ms"] == sum(20 - n for n in range(7, 12))
    assert [row["module"] for row in figure.rows["parts"]] == ["(the whole network)"]


def test_sections_say_why_they_are_empty() -> None:
    bare = data_of(runs([1], published=None, operators=(), file_bytes=0))
    told = {section.title: section.empty for make in SECTIONS if (section := make(bare))}
    assert told["Latency against accuracy"] == (
        "No result has an accuracy, measured (affnet eval) or quoted."
    )
    assert told["Latency against size"] == "No result has the size of its file."
    assert told["Operators"] == (
        "No result holds a profile; take one with: affnet bench MODEL --profile"
    )
    assert "Quoted numbers" not in told


def test_token_mixers_are_drawn_over_tokens_and_their_growth_is_fitted() -> None:
    found = [
        run_of(
            1, model=f"{mixer}-64x{side}x{side}", blocks_ns=(((factor * side**power) * MS,),) * 8
        )
        for mixer, factor, power in (("aff", 1, 2), ("attention", 2, 4))
        for side in (4, 8, 16)
    ]
    alone = run_of(1, model="luna-64x4x4")
    section = mixers(data_of([*found, alone, *runs([1])]))
    (figure,) = figures(section)
    assert figure.heading == "64 channels, onnxruntime, fp32"
    rows = {(row["mixer"], row["tokens"]): row["median"] for row in figure.rows["points"]}
    assert len(rows) == 6
    assert rows["attention", 64] == pytest.approx(2 * 8**4)
    assert section is not None
    listing = section.parts[1]
    assert [*listing.table.rows] == [  # type: ignore[union-attr]
        ["aff", "1.00 [1.00, 1.00]", "1.02e+03", "1.00"],
        ["attention", "2.00 [2.00, 2.00]", "2.1e+06", "2048.00"],
    ]
    assert mixers(data_of([alone, *runs([1])])) is None


def test_validity_is_marked_and_its_reasons_are_told() -> None:
    found = data_of(runs([1], validity_reasons=("too warm", "too busy")))
    assert [entry.name for entry in found.entries] == [
        f"mine \N{MIDDLE DOT} {DOUBTFUL}", f"peer \N{MIDDLE DOT} {DOUBTFUL}",
    ]  # fmt: skip
    (listing,) = validity(found).parts
    assert [cells[1] for cells in listing.table.rows] == ["too warm; too busy"] * 2  # type: ignore[union-attr]
    assert validity(data_of(runs())).empty == "Nothing speaks against any of these results."


def test_quoted_numbers_name_their_source() -> None:
    section = quoted(data_of(runs()))
    assert section is not None
    (listing,) = section.parts
    assert [*listing.table.rows] == [  # type: ignore[union-attr]
        ["mine", "73", "1.4", "-", "a paper"], ["peer", "73", "1.4", "-", "a paper"],
    ]  # fmt: skip


def test_names_tell_what_differs_and_the_run_where_there_are_several() -> None:
    one = data_of([*runs([1]), *runs([1], runtime="litert", format="tflite", session="x")])
    assert [entry.name for entry in one.entries][:2] == [
        "mine \N{MIDDLE DOT} litert", "mine \N{MIDDLE DOT} onnxruntime",
    ]  # fmt: skip
    assert [entry.name for entry in data_of(runs([1, 2])).entries][:2] == [
        "mine \N{MIDDLE DOT} c1", "mine \N{MIDDLE DOT} c2",
    ]  # fmt: skip
