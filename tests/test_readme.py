"""README's figures that no machine changes are what the code gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from affnet.export.converters import get_converter
from affnet.export.fourier.costs import PredictedCosts
from affnet.export.prepare import prepare_network
from affnet.model.cost import count_macs, count_parameters
from affnet.model.source import load_source
from affnet.units import MEGABYTES, MILLIONS
from benchmarks.readme import STATIC, block, replaced, rows, with_static
from tests.shared_artifacts import SharedArtifacts

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
DEMO = rows(block(README))
MODELS = ("affnet_et", "mobilevit_xxs")


def shown(model: str) -> dict[str, str]:
    (row,) = (row for row in DEMO if row["model"] == model)
    return row


@pytest.mark.parametrize("model", MODELS)
def test_parameters_and_arithmetic_are_those_of_the_exported_networks(model: str) -> None:
    source, converter = load_source(model), get_converter("onnx")
    shape = source.input.static_shape()
    precision, costs = converter.precisions[0], PredictedCosts("onnxruntime")
    prepared = prepare_network(source, shape, converter.auto_fft, converter, precision, costs)
    assert shown(model)["MACs M"] == MILLIONS.number(
        count_macs(prepared.module, (torch.zeros(shape),))
    )
    assert shown(model)["params M"] == MILLIONS.number(count_parameters(source.model))


@pytest.mark.exhaustive
@pytest.mark.parametrize("model", MODELS)
def test_the_files_size_is_that_of_an_export(model: str, shared_artifact: SharedArtifacts) -> None:
    assert shown(model)["file MB"] == MEGABYTES.number(shared_artifact(model, "onnx").file_bytes)


def test_a_new_table_replaces_the_one_between_the_marks() -> None:
    changed = replaced(README, "| a |")
    assert block(changed).strip() == "| a |"
    assert replaced(changed, block(README)) == README


def test_only_static_columns_may_be_replaced() -> None:
    new = block(README)
    for row in DEMO:
        for name in STATIC:
            new = new.replace(f" {row[name]} ", " 1 ")
    found = rows(with_static(block(README), new.replace("8.44", "9.99")))
    for old, row in zip(DEMO, found, strict=True):
        assert {name: row[name] for name in STATIC} == dict.fromkeys(STATIC, "1")
        assert row["median ms"] == old["median ms"]
