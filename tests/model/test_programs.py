"""Networks of the user's own as SOURCE: what is taken, and what is refused in one sentence."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from affnet.errors import ConversionError, UsageError
from affnet.model.source import load_source, reload_source
from affnet.model.source_file import check_source_file
from affnet.model.stack_traces import source_line
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.networks.fourier_networks import make

pytestmark = THIRD_PARTY_WARNINGS


def saved(path: Path, network: nn.Module, *inputs: Tensor, **options: Any) -> Path:
    torch.export.save(torch.export.export(network, inputs, **options), path)
    return path


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Write a module called after the folder into the working directory."""
    monkeypatch.chdir(folder)
    (folder / f"{folder.name}.py").write_text(textwrap.dedent(text))


class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, 2 * x


class Spectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x)


def test_a_saved_program_is_a_source(tmp_path: Path) -> None:
    model, x = make("gfnet")
    path = saved(tmp_path / "mine.pt2", model, x)
    source = load_source(str(path))
    assert (source.name, source.input.shape, source.outputs[0].shape) == ("mine", x.shape, x.shape)
    assert source.provenance.weights == "as given"
    assert torch.allclose(source.model(x), model(x), atol=1e-6)
    assert reload_source(source.provenance).input == source.input
    path.write_bytes(b"other")
    with pytest.raises(UsageError, match="has changed since the artifact was exported from it"):
        reload_source(source.provenance)


def test_a_function_is_a_source_whose_random_weights_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        import torch
        def build():
            return torch.nn.Linear(3, 2), torch.zeros(1, 3)
    """
    module(tmp_path, monkeypatch, text)
    name = f"{tmp_path.name}:build"
    first, second = load_source(name), load_source(name)
    assert first.name == tmp_path.name  # of the module
    x = torch.ones(1, 3)
    assert torch.equal(first.model(x), second.model(x))
    assert not first.model.training


def test_operators_of_a_function_s_network_know_the_helper_that_made_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        import torch
        def helper(x):
            return torch.tan(x)
        class Net(torch.nn.Module):
            def forward(self, x):
                return helper(x)
        def build():
            return Net(), torch.zeros(1, 3)
    """
    module(tmp_path, monkeypatch, text)
    program = load_source(f"{tmp_path.name}:build").program
    assert program is not None
    (node,) = program.graph.find_nodes(op="call_function", target=torch.ops.aten.tan.default)
    assert source_line(node) == f"{tmp_path.name}.py:4 `return torch.tan(x)`"


def test_a_function_that_changes_the_working_directory_is_brought_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moving.py").write_text(
        "import os\nimport torch\n"
        "def build():\n    os.chdir('/')\n    return torch.nn.Linear(3, 2), torch.ones(1, 3)\n"
    )
    load_source("moving:build")
    assert Path.cwd() == tmp_path


def test_complex_borders_become_real_and_it_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pt2", Spectrum(), torch.zeros(2, 8))
    source = load_source(str(path))
    assert source.outputs[0].shape == (2, 5, 2)
    (note,) = source.notes
    assert note.startswith("net.pt2's output is complex; in the file it is real")
    x = torch.randn(2, 8)
    assert torch.allclose(source.model(x), torch.view_as_real(torch.fft.rfft(x)))


def test_several_outputs_are_described(tmp_path: Path) -> None:
    source = load_source(str(saved(tmp_path / "net.pt2", Pair(), torch.zeros(2))))
    assert [output.name for output in source.outputs] == ["output_0", "output_1"]


@pytest.mark.parametrize(
    ("network", "inputs", "sentence"),
    [
        (
            Double(),
            (torch.zeros(2, dtype=torch.bfloat16),),
            "input is of the type bfloat16, which files do not hold; give an example in float32",
        ),
        (
            nn.BatchNorm2d(3),
            (torch.zeros(2, 3, 4, 4),),
            "in training mode, as its batch_norm shows",
        ),
    ],
    ids=["bfloat16", "training"],
)
def test_what_cannot_be_exported_is_refused(
    network: nn.Module, inputs: tuple[Tensor, ...], sentence: str, tmp_path: Path
) -> None:
    path = saved(tmp_path / "net.pt2", network, *inputs)
    with pytest.raises(UsageError) as error:
        load_source(str(path))
    assert sentence in str(error.value)


def test_dynamic_shapes_are_refused(tmp_path: Path) -> None:
    shapes = ({0: torch.export.Dim("batch")},)
    path = saved(tmp_path / "net.pt2", Double(), torch.zeros(2, 3), dynamic_shapes=shapes)
    with pytest.raises(
        UsageError, match=r"dynamic shape s\d+ x 3; call torch\.export again without"
    ):
        load_source(str(path))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("raise ValueError('no weights')", r"fails with ValueError: no weights \(.*\.py, line 2\)"),
        ("return 3", r"returns int; let it return \(network, example\)"),
        ("return torch.nn.Identity(), 3", "returns its arguments as int; let it return"),
    ],
)
def test_a_function_that_gives_no_network_is_refused(
    body: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, monkeypatch, f"def build():\n    {body}\nimport torch\n")
    with pytest.raises(UsageError, match=sentence):
        load_source(f"{tmp_path.name}:build")


def test_a_module_or_function_that_does_not_exist_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, monkeypatch, "")
    with pytest.raises(UsageError, match="names a file, not a module") as refused:
        check_source_file("./models/nets.py:build")
    assert refused.value.remedy == (
        "name the function as Python imports it from here: models.nets:build."
    )
    with pytest.raises(UsageError, match="There is no module 'nowhere'"):
        load_source("nowhere:build")
    with pytest.raises(UsageError, match="has no function 'build'"):
        load_source(f"{tmp_path.name}:build")


def test_a_network_that_torch_cannot_export_is_a_conversion_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        import torch
        class Branch(torch.nn.Module):
            def forward(self, x):
                return x if x.sum() > 0 else -x
        def build():
            return Branch(), torch.zeros(1, 3)
    """
    module(tmp_path, monkeypatch, text)
    with pytest.raises(ConversionError) as error:
        load_source(f"{tmp_path.name}:build")
    message = str(error.value)
    assert message.startswith(
        f"What {tmp_path.name}:build computes depends on the values of its input at "
        f"{tmp_path.name}.py:5 `return x if x.sum() > 0 else -x`, and a file holds one fixed "
        "sequence of operators (tried: torch.export: Could not guard on data-dependent expression"
    )
    assert "; recording: off by " in message
    assert "torch.where" in message and "unhinted" not in message


def test_options_of_checkpoints_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    with pytest.raises(UsageError, match="does not exist; write it with torch"):
        load_source(str(path))
    with pytest.raises(UsageError, match="--activation does not apply to"):
        load_source(str(path), activation="relu")
