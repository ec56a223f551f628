"""Networks that no file can hold: refused in one sentence with what to do."""

from __future__ import annotations

import textwrap
import warnings
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.errors import AffnetError, MissingError, UsageError
from affnet.model.arguments import in_eval_mode
from affnet.model.capture import check_program, check_runs
from affnet.model.source import load_source
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS

pytestmark = THIRD_PARTY_WARNINGS


class Dropout(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x)  # on by default, in eval mode too


class Dither(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1e-6 * torch.randn_like(x)


class UnusedNoise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 0 * torch.rand(())


class Previous(nn.Module):
    """The difference from the input of the run before."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("previous", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        y = x - self.previous
        self.previous.copy_(x)
        return y


class Counts(nn.Module):
    """A counter that no output depends on, and an input that is written to."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("runs", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        y = torch.zeros_like(x)
        y[:] = x
        return y


class Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.ones(x.shape)


class ThroughViews(nn.Module):
    """An output that the graph connects with the input by a write alone."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros(3)
        y[1:].copy_(x[1:])
        return y


def program(network: nn.Module, *shape: int) -> torch.export.ExportedProgram:
    return torch.export.export(network.eval(), (torch.ones(shape or 3),))


@pytest.mark.parametrize(
    ("network", "line"),
    [(Dropout(), "`return F.dropout(x)"), (Dither(), "`return x + 1e-6 * torch.randn_like(x)`")],
)
def test_random_outputs_are_refused_by_their_line(network: nn.Module, line: str) -> None:
    # Two draws of three elements' dropout are equal once in eight times.
    with pytest.raises(UsageError) as caught:
        check_runs("nets:build", network.eval(), (torch.ones(100),))
    assert "gives another output for the same input each time" in caught.value.problem
    assert "test_behavior.py:" in caught.value.problem and line in caught.value.problem
    assert caught.value.remedy is not None and "training=self.training" in caught.value.remedy


def test_random_numbers_without_effect_are_none() -> None:
    check_runs("nets:build", UnusedNoise(), (torch.ones(3),))


def test_another_device_is_refused() -> None:
    with torch.device("meta"):
        network = nn.Linear(3, 3)
    with pytest.raises(UsageError, match=r"is on the device meta: weight; .* \.cpu\(\)"):
        check_runs("nets:build", network, (torch.ones(3),))


def test_a_norm_without_running_statistics_is_not_in_training() -> None:
    """What neuralop's CODANO has: instance norm, recorded as a batch norm of a batch of one."""

    class Norms(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.ops.aten.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5)[0]

    given = program(Norms(), 1, 3, 4)
    assert check_program("nets:build", given) == (given, ())


def test_a_call_to_a_gpu_that_is_not_there_has_its_remedy() -> None:
    class OnGpu(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError("Torch not compiled with CUDA enabled")

    with pytest.raises(UsageError, match=r"CUDA enabled; files are made on the CPU: build"):
        check_runs("nets:build", OnGpu(), (torch.ones(3),))


def test_state_that_an_output_depends_on_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        check_program("nets:build", program(Previous()))
    assert caught.value.problem.startswith("nets:build changes its buffer 'previous' when it runs")
    assert (
        caught.value.remedy == "make 'previous' an input of forward, and its new value an output."
    )


class Last(nn.Module):
    """The difference from the input of the run before, kept as an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.last = torch.zeros(3)

    def forward(self, x: Tensor) -> Tensor:
        y, self.last = x - self.last, x
        return y


@pytest.mark.parametrize(
    ("network", "what"), [(Last(), "attribute 'last'"), (Previous(), "buffer 'previous'")]
)
def test_what_one_input_leaves_for_the_next_is_refused_by_its_name(
    network: nn.Module, what: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check_runs("nets:build", network, (torch.ones(3),))
    assert caught.value.problem.startswith(f"The network of nets:build changes its {what} when")


def test_layers_that_were_left_in_training_are_noted() -> None:
    layers = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.1), nn.Dropout(0.0), nn.BatchNorm1d(3))
    (note,) = in_eval_mode("nets:build", layers)
    assert note.endswith("in eval mode, in which 1 (Dropout) and 1 more differs.")
    assert not layers.training
    assert in_eval_mode("nets:build", layers) == ()
    assert in_eval_mode("nets:build", nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.0))) == ()


def test_changes_are_looked_for_without_warnings_of_torchs_own() -> None:
    given = program(Counts())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_program("nets:build", given)


@pytest.mark.parametrize("returns", ["what it wrote", "another tensor"])
def test_a_change_of_the_input_stays_in_the_network(returns: str) -> None:
    """As ``nn.ReLU(inplace=True)`` at its head does, or ``x.sub_(mean)``."""

    class Centers(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x[1:].sub_(1)
            return x if returns == "what it wrote" else 2 * x

    kept, (note,) = check_program("nets:build", program(Centers()))
    assert note == "nets:build changes its input 'x' in place; the file leaves it as is."
    assert [spec.kind.name for spec in kept.graph_signature.output_specs] == ["USER_OUTPUT"]
    given = torch.arange(3.0)
    result = kept.module()(given)
    assert torch.equal(given, torch.arange(3.0))
    assert torch.equal(result, Centers()(torch.arange(3.0)))


def test_a_buffer_that_is_stored_as_it_was_is_no_change() -> None:
    class Moves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("window", torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            self.window = self.window.to(x.device, x.dtype).clone()
            return x * self.window

    kept, notes = check_program("nets:build", program(Moves()))
    assert notes == ()
    assert [spec.kind.name for spec in kept.graph_signature.output_specs] == ["USER_OUTPUT"]


def test_state_that_no_output_depends_on_is_dropped_with_a_note() -> None:
    kept, (note,) = check_program("nets:build", program(Counts()))
    assert note.startswith("nets:build changes its buffer 'runs' when it runs; the file does not")
    assert [spec.kind.name for spec in kept.graph_signature.output_specs] == ["USER_OUTPUT"]
    module = kept.module()
    assert torch.equal(module(torch.arange(3.0)), torch.arange(3.0))
    assert int(dict(module.named_buffers())["runs"]) == 0


def test_an_output_that_does_not_depend_on_the_input_is_refused() -> None:
    with pytest.raises(UsageError, match="The output of nets:build does not depend on its input; "):
        check_program("nets:build", program(Constant()))


def test_a_buffer_that_outputs_follow_is_named() -> None:
    class Adds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("total", torch.zeros(3))

        def forward(self, x: Tensor) -> Tensor:
            self.total = self.total + x
            return self.total * 1.0

    with pytest.raises(UsageError, match="changes its buffer 'total' when it runs") as refused:
        check_runs("nets:build", Adds(), (torch.ones(3),))
    assert "make 'total' an input of forward" in str(refused.value)


def test_a_network_without_a_tensor_as_output_is_refused() -> None:
    class Says(nn.Module):
        def forward(self, x: Tensor) -> str:
            return "yes"

    with pytest.raises(UsageError, match="nets:build returns no tensor"):
        check_program("nets:build", program(Says()))


class WrittenBehindViews(nn.Module):
    """A tensor that two views write into, one after the other, and a third is returned of."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros(2, 3)
        first, second = y.unbind()
        first.add_(1)[1:].mul_(2)
        second[:].copy_(x)
        return y.view(6)[2:].clone()


class ReadBefore(nn.Module):
    """What is written after it was read is not in the output."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros(3)
        z = y + 1
        y.copy_(x)
        return z


@pytest.mark.parametrize("network", [ThroughViews(), WrittenBehindViews()])
def test_an_output_that_is_written_into_depends_on_the_input(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen in the graph as it is: functional form of thousands of operators takes long."""

    def decomposed(*_: object) -> None:
        raise AssertionError("the program was brought into functional form")

    given = program(network)
    monkeypatch.setattr(torch.export.ExportedProgram, "run_decompositions", decomposed)
    assert check_program("nets:build", given) == (given, ())


def test_what_is_written_after_it_was_read_is_no_dependence() -> None:
    with pytest.raises(UsageError, match="does not depend on its input"):
        check_program("nets:build", program(ReadBefore()))


def build(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> AffnetError:
    monkeypatch.chdir(folder)
    (folder / f"{folder.name}.py").write_text(textwrap.dedent(text))
    with pytest.raises(AffnetError) as caught:
        load_source(f"{folder.name}:build")
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        (
            "import no_such_package_xyz\ndef build(): pass",
            MissingError,
            "needs the package 'no_such_package_xyz', which is not installed; install it",
        ),
        ("import torch.no_such\ndef build(): pass", MissingError, "needs the package 'torch.no"),
        ("def build(size): pass", UsageError, "takes no arguments from affnet"),
        ("build = 3", UsageError, "is of the type int and no function"),
        ("def built(): pass", UsageError, "has no function 'build'; name one"),
        ("def build(:", UsageError, "SyntaxError"),
        ("import torch\ndef build(): return torch.nn.ReLU, 1", UsageError, "returns (type, int)"),
        ("import sys\ndef build(): sys.exit(3)", UsageError, "ends the process (SystemExit: 3;"),
        ("def build(): raise KeyError('w')", UsageError, "fails with KeyError: 'w'"),
        ("def build(): return None", UsageError, "returns NoneType; let it return"),
    ],
)
def test_a_function_that_builds_nothing_is_refused(
    text: str,
    kind: type[AffnetError],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = build(tmp_path, monkeypatch, text)
    assert type(error) is kind
    assert sentence in str(error)
