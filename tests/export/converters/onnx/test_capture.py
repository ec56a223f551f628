"""Programs that torch.onnx takes as they are, and those that it has to decompose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn import functional

from affnet.artifact import TensorSpec
from affnet.export.converters import ConversionRequest
from affnet.export.converters.onnx import converter
from affnet.export.converters.onnx.capture import unread_library
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.source import Source, load_source
from affnet.runtimes.onnxruntime import OnnxRuntime
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.tiny import short_source

pytestmark = THIRD_PARTY_WARNINGS


class Normalized(nn.Module):
    """Batch norms with and without weights, after a convolution and by themselves."""

    def __init__(self, changed_in_place: bool) -> None:
        super().__init__()
        self.changed_in_place = changed_in_place
        self.conv = nn.Conv2d(3, 4, 3)
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(4, affine=affine, eps=eps) for affine, eps in ((True, 0.1), (False, 1.0))
        )
        for norm in self.norms:
            norm.running_mean = torch.randn(4)
            norm.running_var = torch.rand(4) + 0.5
        nn.init.normal_(self.norms[0].weight)
        nn.init.normal_(self.norms[0].bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norms[1](functional.dropout(self.norms[0](self.conv(x)), training=False))
        x = self.norms[1](functional.silu(x)).flatten(1).reshape(x.shape[0], 4, -1)
        return x.add_(1).relu_() if self.changed_in_place else (x + 1).relu()


def decomposed(monkeypatch: pytest.MonkeyPatch) -> list[ExportedProgram]:
    """Return a list of the programs that are decomposed from now on."""
    programs: list[ExportedProgram] = []
    decompose = ExportedProgram.run_decompositions

    def counted(program: ExportedProgram, table: object = None) -> ExportedProgram:
        programs.append(program)
        return decompose(program, table)

    monkeypatch.setattr(ExportedProgram, "run_decompositions", counted)
    return programs


@pytest.mark.parametrize("changed_in_place", [False, True])
def test_a_program_is_decomposed_only_if_need_be_and_right_either_way(
    changed_in_place: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = decomposed(monkeypatch)
    assert_right_in_file(Normalized(changed_in_place).eval(), tmp_path)
    assert len(programs) == changed_in_place


def assert_right_in_file(network: nn.Module, folder: Path) -> None:
    x = torch.randn(2, 3, 8, 8)
    expected = network(x)
    asked = ConversionRequest(
        "net",
        (TensorSpec("input", tuple(x.shape), "float32"),),
        (TensorSpec("output", tuple(expected.shape), "float32"),),
        "fp32",
        "torch.export",
        False,
    )
    path = converter.OnnxConverter().convert(network, asked, folder).path
    (actual,) = OnnxRuntime.load(path, threads=1).run(x.numpy())
    torch.testing.assert_close(torch.from_numpy(actual), expected)


def test_statistics_of_the_batch_are_decomposed_and_right(tmp_path: Path) -> None:
    assert_right_in_file(nn.BatchNorm2d(3, track_running_stats=False).eval(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [short_source, lambda: load_source("mobilevit_xxs")],
    ids=["affnet_et", "mobilevit_xxs"],
)
def test_the_networks_of_a_comparison_are_not_decomposed(
    source: Callable[[], Source], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = decomposed(monkeypatch)
    options = ExportOptions(format="onnx", image_size=(64, 64), verify=False)
    export_artifact(source(), options, tmp_path)
    assert not programs


def test_no_translation_is_read_to_list_them(monkeypatch: pytest.MonkeyPatch) -> None:
    apis = pytest.importorskip("onnxscript._framework_apis.torch_2_5")
    values = pytest.importorskip("onnxscript._internal.values")
    expected = apis.get_torchlib_ops()
    traced = [each.function for each in expected if hasattr(each.function, "func")]
    described = str(traced[0].function_ir.inputs)
    before = values.TracedOnnxFunction.function_ir
    read: list[object] = []

    def read_and_note(_: property, function: object, *__: object) -> object:
        read.append(function)
        return before.fget(function)

    with monkeypatch.context() as patched:
        noting = type("Noting", (property,), {"__get__": read_and_note})()
        patched.setattr(values.TracedOnnxFunction, "function_ir", noting)
        with unread_library():
            assert apis.get_torchlib_ops() == expected  # their domains, too
            assert not read
            assert str(traced[0].function_ir.inputs) == described
            assert read == [traced[0]]
        assert vars(values.TracedOnnxFunction)["function_ir"] is noting


def test_an_export_lists_the_translations_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    ast_utils = pytest.importorskip("onnxscript._internal.ast_utils")
    values = pytest.importorskip("onnxscript._internal.values")
    pytest.importorskip("onnxscript.function_libs.torch_lib.ops")  # which are read once
    read: list[object] = []
    monkeypatch.setattr(values.ast_utils, "get_src_and_ast", read.append)
    assert values.ast_utils is ast_utils
    taken, given = (TensorSpec(name, (1, 3, 8, 8), "float32") for name in ("input", "output"))
    request = ConversionRequest("network", (taken,), (given,), "fp32", "torch.export", False)
    converter.exported_model(nn.ReLU(), request)
    assert not read
