"""``affnet bench --require-placement``: a fallback fails the run and is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.bench.results.placement import shortfalls
from affnet.placement import PlacedOperator
from tests.bench.fakes import a_result
from tests.conftest import Finished

Run = Callable[..., Finished]


def test_shortfalls_name_operators_a_few_of_many() -> None:
    gpu = PlacedOperator("c", "CONV_2D", "gpu")
    cpu = [PlacedOperator(f"d{i}", "DFT", "cpu", "no kernel") for i in range(12)]
    result = a_result(placed=(gpu, *cpu), asked_units=("gpu",))
    (found,) = shortfalls([result], 100)
    assert found.startswith(
        "one on onnxruntime on fake: 7 % gpu, 12 on CPU, but --require-placement wants 100 % on "
        "gpu; what fell back: DFT d0 (no kernel), DFT d1 (no kernel), "
    )
    assert found.endswith("DFT d9 (no kernel), and 2 more.")
    assert shortfalls([result], 7) == []
    unnamed = a_result(placed=(gpu, PlacedOperator("", "", "cpu")), asked_units=("gpu",))
    assert shortfalls([unnamed], 51)[0].endswith("what fell back: one without a name.")
    unknown = "one on onnxruntime on fake did not report where its operators ran."
    assert shortfalls([a_result()], 0) == [unknown]


@pytest.mark.converters
def test_a_run_with_a_fallback_fails_and_shows_its_results(run: Run, tmp_path: Path) -> None:
    from tests.runtimes.tflite_files import write_chain

    file = write_chain(tmp_path / "chain.tflite", ["RELU", "LOG_SOFTMAX", "NEG"])
    options = ("bench", file, "--runtime", "litert", "--preset", "quick", "--markdown", "--quiet")
    done = run(*options, "--require-placement", 100)
    assert done.code == 1
    assert "66 % xnnpack, 1 on CPU" in done.out
    assert "what fell back: LOG_SOFTMAX t2 (XNNPACK did not take it)." in " ".join(done.err.split())
    assert run(*options, "--require-placement", 60).code == 0


def test_percentages_are_checked(run: Run, digits_onnx: Artifact) -> None:
    assert run("bench", digits_onnx.path, "--require-placement", 101).code == 2
