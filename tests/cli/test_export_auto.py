"""``affnet export --precision auto``, and bounds on the accuracy that nothing holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from affnet.export import run as run_module
from affnet.export.converters.onnx.converter import OnnxConverter
from affnet.export.quantization.accuracy import Accuracy
from tests.cli.conftest import contents
from tests.conftest import Finished

Run = Callable[..., Finished]
BOUND = ("--max-accuracy-drop", "0.5", "--calibration-samples", "20")


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two precisions whose files are the same, and no timer: what tests can rely on."""

    @contextmanager
    def timer(*_: Any) -> Iterator[tuple[None, str]]:
        yield None, "Nothing can be timed here."

    monkeypatch.setattr(run_module, "_timer", timer)
    monkeypatch.setattr(OnnxConverter, "precisions", ("fp32", "fp16"))


@pytest.fixture
def worthless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file loses 40 points."""
    lost = Accuracy(images=10, right=5, right_pytorch=9)
    monkeypatch.setattr(
        "affnet.export.verification.accuracy_gate.compare_accuracy", lambda *_: lost
    )


@pytest.mark.usefixtures("instant_conversion", "untimed")
def test_what_was_tried_stands_above_what_was_taken(run: Run, workspace: Path) -> None:
    done = run("export", "digits", "--precision", "auto", *BOUND)
    assert done.code == 0
    caption, header, *rows = done.out.splitlines()[:4]
    assert caption.startswith("top-1: 20 images of bundled digits, PyTorch ")
    assert header.split()[0] == "precision"
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [
        ("fp32", "taken"),
        ("fp16", "larger"),
    ]
    assert "Note: The smallest file is taken: Nothing can be timed here." in done.err
    assert " of 20 images of bundled digits (0.5 points may be lost)" in done.out
    assert "warning" not in done.out
    assert sorted(contents(workspace)) == ["digits.onnx", "digits.onnx.manifest.json"]


@pytest.mark.usefixtures("instant_conversion", "untimed", "worthless")
def test_a_bound_that_nothing_holds_shows_the_table_and_writes_nothing(
    run: Run, workspace: Path
) -> None:
    done = run("export", "digits", "--precision", "auto", *BOUND)
    assert done.code == 1
    assert done.error.startswith("No precision loses 0.5 points of top-1 at most, so nothing was")
    assert done.out.count("40.0") == 2
    record = run("export", "digits", "--precision", "auto", *BOUND, "--json").json
    assert record["artifact"] is None
    assert [row["holds"] for row in record["tried"]] == [False, False]
    assert contents(workspace) == {}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (BOUND, "--max-accuracy-drop is for precisions that cost accuracy; add --precision int8"),
        (("--calibration-data", "x"), "--calibration-data is for precisions that cost accuracy"),
        (("--precision", "auto", "--format", "all"), "--precision auto times files, which exp"),
        (("--precision", "auto", "--no-verify"), "--precision auto compares files by running them"),
        (("--precision", "int8", "--max-accuracy-drop", "nan"), "must be 0 to 100 points, not nan"),
        (("--device", "board"), "add --fft measure or --precision auto, or --repair to make"),
    ],
)
def test_what_does_not_go_together(
    refused: Callable[..., str], options: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refused("export", "digits", *options)


@pytest.mark.usefixtures("instant_conversion", "untimed", "workspace")
def test_a_network_that_guesses_is_warned_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    guessing = Accuracy(images=37, right=1, right_pytorch=1, classes=37)
    monkeypatch.setattr(
        "affnet.export.verification.accuracy_gate.compare_accuracy", lambda *_: guessing
    )
    done = run("export", "digits", "--precision", "auto", *BOUND)
    assert done.code == 0
    assert "top-1 2.7 %, 1 (PyTorch 2.7 %, 1) of 20 images of bundled digits" in done.out
    sentence = "PyTorch itself has the right class of 1 of 20 images of bundled digits, as guessing"
    assert f"Note: {sentence}" in done.err
    assert any(line.startswith("warning") and sentence in line for line in done.out.splitlines())
