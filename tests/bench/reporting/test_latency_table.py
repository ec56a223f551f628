"""Tables: what their cells and notes say, and that they can be read back."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import pytest
from rich.console import Console

from affnet.bench.html_report.accuracies import accuracies
from affnet.bench.reporting.latency_table import table, to_markdown
from affnet.bench.reporting.notes import table_notes
from affnet.bench.results.result import Result, Workload
from affnet.bench.statistics.intervals import Interval
from affnet.evidence import MeasuredAccuracy
from affnet.placement import PlacedOperator
from tests.bench.fakes import MS, a_result

PAPER = {"top1_percent": 73.0, "source": "arXiv 2307.14008, ImageNet-1K, 256 px"}
PEER_PAPER = {"top1_percent": 69.0, "source": "arXiv 2110.02178, ImageNet-1K, 256 px"}
PAIR = [
    a_result(
        model="affnet_et",
        weights="random (seed 0)",
        published=PAPER,
        peer="mobilevit_xxs",
        ratio_to_peer=Interval(0.8126, 0.8004, 0.8249),
    ),
    a_result(
        model="mobilevit_xxs",
        weights="random (seed 0)",
        published=PEER_PAPER,
        peer="mobilevit_xxs",
        ratio_to_peer=Interval(1.0, 1.0, 1.0),
    ),
    a_result(model="digits", peer="mobilevit_xxs"),
]
HEADERS = [
    "model", "runtime", "median ms", "p90 ms", "p99 ms", "x mobilevit_xxs [95 %]", "load ms",
    "first ms", "memory MB", "file MB", "params M", "MACs M", "top-1 % (quoted)",
]  # fmt: skip
FIRST_ROW = [
    "affnet_et", "onnxruntime", "3.00", "4.60", "4.96", "0.813 [0.800, 0.825]", "7.00", "9.00",
    "50.0", "3.6", "1.50", "400", "73.0",
]  # fmt: skip


def test_csv_parses_back() -> None:
    rows = list(csv.reader(io.StringIO(table(PAIR).csv())))
    assert rows[:2] == [HEADERS, FIRST_ROW]
    assert rows[2][5] == "1"  # the peer itself
    assert (rows[3][5], rows[3][-1]) == ("-", "-")


def test_markdown_parses_back() -> None:
    shown, _, below = to_markdown(PAIR).partition("\n\n")
    rows = [line.strip("| ").split(" | ") for line in shown.splitlines()]
    assert rows[0] == HEADERS
    assert rows[1] == ["---"] * 2 + ["---:"] * 11
    assert rows[2] == FIRST_ROW
    assert [line.removeprefix("- ") for line in below.splitlines()] == table_notes(PAIR)


def test_a_bar_in_a_name_does_not_break_markdown() -> None:
    assert "| a\\|b |" in to_markdown([a_result(model="a|b")])


def test_the_terminal_shows_the_same_cells() -> None:
    stream = io.StringIO()
    Console(file=stream, width=250).print(table(PAIR).rich())
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert all(header in lines[0] for header in HEADERS)
    assert all(cell in lines[1] for cell in FIRST_ROW)


def test_columns_that_no_result_fills_are_left_out() -> None:
    header = table([a_result()]).csv().splitlines()[0]
    assert "x " not in header
    assert "quoted" not in header


def test_notes_tell_the_conditions_the_random_weights_and_the_quoted_sources() -> None:
    measured, random, quoted = table_notes(PAIR)
    assert measured == (
        "Measured on fake (Imagined 9000), onnxruntime 1.2, 1 thread(s), protocol quick: "
        "5 runs or more each, in turns. "
        "Memory is the peak of a whole process, runtime included."
    )
    assert random == (
        "Random weights: affnet_et, mobilevit_xxs; latency does not depend on them, "
        "the quoted accuracy is that of the published weights."
    )
    assert quoted == (
        f"Quoted, not measured: top-1 of affnet_et from {PAPER['source']}; "
        f"of mobilevit_xxs from {PEER_PAPER['source']}."
    )


def test_each_quoted_metric_has_its_own_column() -> None:
    voc = {"top1_percent": None, "miou_percent": 80.5, "source": "arXiv 2307.14008, Pascal VOC"}
    results = [a_result(model="one", published=PAPER), a_result(model="two", published=voc)]
    header, *rows = csv.reader(io.StringIO(table(results).csv()))
    assert header[-2:] == ["top-1 % (quoted)", "mIoU % (quoted)"]
    assert [row[-2:] for row in rows] == [["73.0", "-"], ["-", "80.5"]]
    assert "top-1" not in table(results[1:]).csv()
    assert table_notes(results)[-2:] == [
        f"Quoted, not measured: top-1 of one from {PAPER['source']}.",
        f"Quoted, not measured: mIoU of two from {voc['source']}.",
    ]
    (found,) = accuracies(results[1])
    assert (found.metric, found.percent, found.known) == ("mIoU", 80.5, "quoted")
    assert Result.from_json(json.loads(json.dumps(results[1].to_json()))).published == voc


def test_the_fewest_runs_of_any_row_are_told() -> None:
    few, many = a_result(), a_result(blocks_ns=((MS,) * 50,))
    assert "5 runs or more each" in table_notes([many, few])[0]


def test_doubts_are_told_once() -> None:
    doubtful = a_result(validity_reasons=("too warm", "too busy"))
    assert table_notes([doubtful, doubtful])[-1] == "Not valid for publication: too busy; too warm."


def test_a_doubt_names_the_models_that_it_is_about() -> None:
    one = a_result(model="one", validity_reasons=("too warm", "latency drifted by -10 %"))
    other = a_result(model="other", validity_reasons=("too warm", "latency drifted by -11 %"))
    assert table_notes([one, other])[-1] == (
        "Not valid for publication: latency drifted by -10 % (one); "
        "latency drifted by -11 % (other); too warm."
    )


def test_ratios_of_groups_are_said_to_compare_only_within_a_runtime() -> None:
    fields = {"peer": "one", "ratio_to_peer": Interval(1.0, 1.0, 1.0)}
    grouped = [a_result(session=session, **fields) for session in "ab"]
    assert "ratios compare all," in " ".join(table_notes(grouped))
    other = [dataclasses.replace(result, runtime="litert") for result in grouped]
    assert "ratios compare those of one runtime," in " ".join(table_notes([*grouped, *other]))


def test_what_makes_rows_differ_has_a_column() -> None:
    small = Workload(("1x3x256x256 float32",), "NCHW", ("1xC float32",), "classification")
    large = dataclasses.replace(small, inputs=("1x3x288x288 float32",), layout="NHWC")
    results = [a_result(workload=small), a_result(workload=large, precision="fp16")]
    header, *rows = csv.reader(io.StringIO(table(results).csv()))
    assert header[2:5] == ["precision", "input", "layout"]
    assert [row[2:5] for row in rows] == [
        ["fp32", "1x3x256x256 float32", "NCHW"],
        ["fp16", "1x3x288x288 float32", "NHWC"],
    ]


@pytest.mark.parametrize(
    ("latency_ns", "cell"), [(950_400, "0.95"), (12_345_678, "12.35"), (123_456_789, "123")]
)
def test_latencies_have_at_least_three_digits_from_one_ms_on(latency_ns: int, cell: str) -> None:
    row = table([a_result(blocks_ns=((latency_ns,),))]).csv().splitlines()[1]
    assert row.split(",")[2] == cell


def test_memory_that_is_not_told_has_a_dash() -> None:
    results = [a_result(peak_rss_bytes=None)]
    header, row = csv.reader(io.StringIO(table(results).csv()))
    assert dict(zip(header, row, strict=True))["memory MB"] == "-"
    assert table_notes(results)[0].endswith("Memory is not available on this device.")


def test_the_row_says_what_fell_back_and_a_note_why() -> None:
    gpu = tuple(PlacedOperator(f"c{i}", "CONV_2D", "gpu") for i in range(299))
    cpu = PlacedOperator("d", "GATHER_ND", "cpu", "Operation is not supported")
    results = [
        a_result(placed=(*gpu, cpu), asked_units=("gpu",)),
        a_result(model="two", placed=(cpu,), asked_units=("gpu",)),
        a_result(model="three", placed=gpu, asked_units=("gpu",)),
        a_result(model="four"),
    ]
    header, *rows = csv.reader(io.StringIO(table(results).csv()))
    cells = [dict(zip(header, row, strict=True))["placed"] for row in rows]
    assert cells == ["99 % gpu, 1 on CPU", "CPU, not gpu", "100 % gpu", "unknown"]
    assert [line for line in table_notes(results) if line.startswith("Operators of ")] == [
        "Operators of one: 99 % gpu, 1 on CPU: 1 GATHER_ND on CPU (Operation is not supported).",
        "Operators of two: CPU, not gpu: 1 GATHER_ND on CPU (Operation is not supported).",
    ]


def test_what_was_to_run_on_the_cpu_needs_no_column() -> None:
    placed = (PlacedOperator("c", "Conv", "cpu"),)
    header = table([a_result(placed=placed, asked_units=("cpu",)), a_result()]).csv()
    assert "placed" not in header


def test_measured_accuracy_stands_beside_the_quoted_one() -> None:
    on_emoji = MeasuredAccuracy("emoji/heldout", "ab12", 1216, 0.7512, (0.72, 0.78), 0.97, "x 1")
    other = dataclasses.replace(on_emoji, fingerprint="cd34", images=50, top1=0.5)
    results = [
        a_result(model="one", published=PAPER, accuracy=(on_emoji,)),
        a_result(model="two", accuracy=(other,)),
    ]
    rows = list(csv.reader(io.StringIO(table(results).csv())))
    measured = "top-1 % (measured on emoji/heldout)"
    assert rows[0][-3:] == [measured, measured, "top-1 % (quoted)"]  # two sets of the same name
    assert [row[-3:] for row in rows[1:]] == [["75.1", "-", "73.0"], ["-", "50.0", "-"]]
    told = "Measured accuracy on emoji/heldout: 1216 images, of this very file."
    assert told in table_notes(results)
    assert Result.from_json(json.loads(json.dumps(results[0].to_json()))) == results[0]
