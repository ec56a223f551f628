"""The table of FFT support: what a cell says, and how a column is added."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.fft_support import cells, columns
from benchmarks.fft_support.cells import TIMEOUT_S, Cell, Result, fill, judge
from benchmarks.fft_support.columns import Column, Steps, installed
from benchmarks.fft_support.columns.iree import diagnosis
from benchmarks.fft_support.page import page
from benchmarks.fft_support.rows import network_of, rows

IREE_REFUSES = (
    "loc(\"rows.py\":28:0): error: failed to legalize operation 'torch.operator' that was "
    'explicitly marked illegal: %4 = "torch.operator"(%arg0, %0) <{name = "torch.aten.fft_rfft2"}>'
    " : (!torch.vtensor<[1,6,8,8],f32>, !torch.none) -> !torch.vtensor<[1,6,8,5],complex<f32>>"
)
ROW = (lambda x: x * 2.0, (1, 4))


def computing(scale: float, refused: str = "") -> Column:
    """A column whose converter doubles, or does otherwise."""

    def steps(_: Any, x: Any, folder: Path) -> Iterator[str]:
        yield "conversion"
        yield "run"
        if refused:
            raise RuntimeError(f"{folder}/net: {refused}")
        return x.numpy() * scale

    return Column(steps, lambda: {"converter": "1.0"})


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        (computing(2.0), Cell("right, 0e+00")),
        (computing(3.0), Cell("WRONG, 5e-01")),
        (computing(2.0, "no FFT"), Cell("refused, run", "FOLDER/net: no FFT")),
    ],
)
def test_a_cell_says_what_became_of_a_network(column: Column, cell: Cell) -> None:
    assert fill(column, ROW) == cell


def test_a_converter_without_end_is_no_refusal() -> None:
    def steps(_: Any, x: Any, _folder: Path) -> Steps:
        yield "conversion"
        subprocess.run(["sleep", "600"], timeout=0.01)
        return x.numpy()

    assert fill(Column(steps, dict), ROW) == Cell("no end, conversion", "ended after 0 s")


def test_only_the_row_without_end_loses_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second row hangs: started with the first, then by itself."""
    right, late = Cell("right, 0e+00"), subprocess.TimeoutExpired
    last = len(rows()) - 2
    line = json.dumps(right) + "\n"
    answers = iter([line, "", line * last])
    started = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        started.append(command[command.index("--first") + 1])
        said = next(answers)
        if len(started) < 3:
            raise late(command, TIMEOUT_S, said.encode() or None)
        return subprocess.CompletedProcess(command, 0, said, "")

    monkeypatch.setattr(cells.subprocess, "run", run)
    no_end = Cell("no end", f"ended after {TIMEOUT_S} s")
    assert cells.cells("a column", Path()) == [right, no_end, *[right] * last]
    assert started == ["0", "1", "2"]


def test_another_shape_and_no_number_are_wrong() -> None:
    expected = np.ones((2, 3))
    assert judge(np.ones((2, 1, 3)), expected) == Cell("WRONG, shape (2, 1, 3) for (2, 3)")
    assert judge(np.full((2, 3), np.nan), expected) == Cell("WRONG, nan")


def test_a_column_is_one_file_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("seventh")
    module.COLUMNS = {"a seventh": computing(2.0)}
    monkeypatch.setitem(sys.modules, f"{columns.__name__}.seventh", module)
    before = columns.columns()
    monkeypatch.setattr(columns, "MODULES", (*columns.MODULES, "seventh"))
    assert list(columns.columns()) == [*before, "a seventh"]


def test_a_missing_tool_is_told() -> None:
    with pytest.raises(LookupError, match="no-such-tool is not installed"):
        installed("numpy", "no-such-tool")()


def test_the_page_numbers_each_message_once() -> None:
    shown = {"one": computing(2.0), "affnet, one": computing(2.0)._replace(rewritten=True)}
    refused, right = Cell("refused, run", "no | FFT"), Cell("right, 1e-07")
    versions = {"converter": "1.0"}
    results = {"one": Result(versions, [refused] * 2), "affnet, one": Result(versions, [right] * 2)}
    text = page(["rfft", "stft"], shown, results)
    assert text.count("| refused, run [1] |") == 2
    assert text.count("| right, 1e-07 |") == 2
    assert text.index("## With affnet") < text.index("| network | affnet, one |")
    assert "- one: converter 1.0" in text
    assert text.endswith("1. `no | FFT`\n")


def test_every_row_is_a_network_of_one_batch_and_of_real_numbers() -> None:
    for function, shape in rows().values():
        assert shape[0] == 1
        found = network_of(function)(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
        assert found.dtype == torch.float32
        assert found.isfinite().all()


def test_a_column_yields_its_stages() -> None:
    running: Steps = computing(2.0).steps(None, torch.ones(1), Path())
    assert [next(running), next(running)] == ["conversion", "run"]


def test_iree_refuses_an_operator_by_its_name_and_no_shape() -> None:
    text = "failed to legalize operation 'torch.operator' that was explicitly marked illegal"
    assert diagnosis(["warning: slow", IREE_REFUSES]) == f"{text}: torch.aten.fft_rfft2"


def test_another_error_of_iree_stays_as_it_is() -> None:
    assert diagnosis(["x.mlir:1:2: error: 'math.absf' op must be float"]) == (
        "'math.absf' op must be float"
    )
    assert diagnosis(["nothing to say"]) is None
