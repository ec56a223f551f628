"""Budgets on runs that begin with a picture's file: what they are measured by."""

from __future__ import annotations

from pathlib import Path

from affnet.bench.budgets.budget_file import Place, read_budgets
from affnet.bench.budgets.rounds import protocol_of

TEXT = """
[[budget]]
model = "net.onnx"
metric = "pipeline_p90"
at_most = "5 ms"
[[budget]]
model = "net.onnx"
at_most = "1 ms"
"""


def test_a_metric_of_the_pipeline_makes_a_place_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "budgets.toml"
    path.write_text(TEXT)
    whole, alone = read_budgets(path).budgets
    assert whole.place == Place(pipeline=True)
    assert alone.place == Place()
    assert protocol_of(whole.place).picture
    assert protocol_of(whole.place).name.startswith("check, from picture ")
    assert protocol_of(alone.place).picture is None
