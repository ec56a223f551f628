"""What a run's tables, sentences, records and plot say."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from affnet.bench.mixers import chart, report
from affnet.bench.mixers.delivery import check_targets, emit
from affnet.bench.mixers.grid import Grid
from affnet.errors import UnknownNameError
from tests.bench.mixers.grids import REASON, a_grid


def test_curves_have_the_exponents_and_say_where_a_mixer_is_ahead() -> None:
    curves = {curve.mixer: curve for curve in a_grid().curves()}
    found = {name: curve.latency_ns.exponent.value for name, curve in curves.items()}
    assert found == pytest.approx({"aff": 1, "attention": 2, "luna": 0.5, "pool": 0.5}, abs=1e-4)
    assert curves["attention"].ahead == ("8x8", "16x16")
    assert curves["attention"].behind == ()  # at 32 x 32 they are level
    assert curves["luna"].behind == ("8x8", "16x16")
    assert curves["luna"].sizes == ("8x8", "16x16")
    assert curves["pool"].macs is None
    assert curves["attention"].macs is not None
    assert curves["attention"].macs.exponent.value == pytest.approx(2, abs=1e-4)


def test_the_verdict_names_who_is_faster_among_those_that_do_what_aff_does() -> None:
    lines = report.notes(a_grid())
    assert lines[0] == (
        "16x8x8, onnxruntime: attention is faster than aff by 93.8 %; aff is faster than luna."
    )
    assert "16x32x32, onnxruntime: attention cannot be distinguished from aff." in lines
    assert f"No tflite file of pool (16x8x8): {REASON}" in lines
    assert "Not measured: luna on 16x32x32, onnxruntime: A measuring process ended." in lines
    assert not [line for line in lines if "pool is faster" in line]


def test_results_that_cannot_be_trusted_are_counted() -> None:
    grid = a_grid()
    first, *others = grid.cells
    assert first.result
    doubted = dataclasses.replace(first.result, validity_reasons=("the governor is powersave",))
    cells = [dataclasses.replace(first, result=doubted), *others]
    assert report.notes(dataclasses.replace(grid, cells=cells))[-1] == (
        "Not valid for publication: 1 of 11 results, such as aff-16x8x8: "
        "the governor is powersave. The reasons of each are in --json."
    )
    assert not [line for line in report.notes(grid) if "Not valid" in line]


def test_the_table_of_growth_gives_each_curve_beside_affs() -> None:
    _, growth, formats = report.tables(a_grid())
    heads = [name for name, _ in growth.header]
    rows = {row[2]: dict(zip(heads, row, strict=True)) for row in growth.rows}
    assert rows["attention"]["exponent [95 %]"] == "2.00 [2.00, 2.00]"
    assert rows["luna"]["exponent [95 %]"] == "0.50"  # of two sizes
    assert rows["attention"]["ms at 32x32, fitted"] == "2.00"
    assert rows["attention"]["x aff"] == "1.00"
    assert rows["pool"]["of MACs"] == "-"
    assert rows["attention"]["faster at"] == "8x8, 16x16"
    assert rows["luna"]["slower at"] == "all"
    assert ("pool", "1e-07", "no, see below", "PoolFormer, arXiv 4") in formats.rows


def test_terminal_markdown_and_csv_hold_the_same_cells() -> None:
    grid = a_grid()
    latency = report.tables(grid)[0]
    rows = list(csv.reader(io.StringIO(report.to_csv(grid))))
    assert rows[0] == [name or "kind" for name, _ in latency.header]
    assert [tuple(row) for row in rows[1:]] == [*latency.rows]
    markdown = report.to_markdown(grid)
    assert f"| {' | '.join(latency.rows[0])} |" in markdown
    console = Console(width=200, file=io.StringIO())
    console.print(latency.rich())
    assert isinstance(console.file, io.StringIO)
    assert "global, adaptive" in console.file.getvalue()
    assert latency.rows[0][4] == "0.125"  # ms, with three digits below one
    assert latency.rows[10][4:] == ("-",) * 6


def test_the_record_is_json_with_what_is_missing_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = tmp_path / "mixers.json"
    assert emit(a_grid(), "json", stored, None) == 0
    printed = json.loads(capsys.readouterr().out)
    assert json.loads(stored.read_text()) == printed
    assert printed["schema"] == 1
    assert len(printed["results"]) == 11
    assert [(m["mixer"], m["tokens"]) for m in printed["missing"]] == [("luna", 1024)]
    growth = {entry["mixer"]: entry for entry in printed["growth"]}
    assert growth["luna"]["exponent_interval"] == [None, None]
    assert growth["attention"]["exponent"] == pytest.approx(2, abs=1e-4)
    assert {f["mixer"]: f["holds"] for f in printed["formats"] if f["format"] == "tflite"} == {
        "aff": True,
        "pool": False,
    }


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_plot_is_a_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mixers{suffix}"
    chart.draw(a_grid(), path)
    if suffix == ".png":
        with Image.open(path) as picture:
            assert picture.width > 800
            assert len(picture.convert("L").getcolors()) > 50
    else:
        text = path.read_text()
        assert "attention" in text
        assert "onnxruntime, 16 channels" in text


def test_a_run_without_a_result_ends_with_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = a_grid()
    nothing = Grid(grid.mixers, [cell for cell in grid.cells if not cell.result], grid.support)
    assert emit(nothing, "terminal", None, tmp_path / "none.png") == 1
    assert "Not measured: luna" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_plot_of_another_kind_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"suffix of --plot '\.jpg'; valid: \.png, \.svg"):
        check_targets(None, tmp_path / "mixers.jpg")
