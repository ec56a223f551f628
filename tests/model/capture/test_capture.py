"""Networks that torch.export stops at: captured all the same, or refused by the user's line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.errors import ConversionError, UsageError
from affnet.model.arguments import check_built
from affnet.model.capture import Captured, capture, check_runs
from affnet.model.capture.recording import record
from affnet.silence import silenced
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.networks.stubborn_networks import CAPTURED, REFUSED, make_stubborn

pytestmark = THIRD_PARTY_WARNINGS

#: What torch.export lets through, and what is then found.
FAILS_LATER = {
    "pads as it can": "Padding size should be less",
    "writes by mask": "a mask of constants",
    "repeated mask": "a mask of constants",
    "mapped constants": "a tensor of a torch.vmap that has ended",
    "sparse kernel": "kernel is a sparse tensor, which no file holds",
}
WITHOUT_ASSERTIONS = ("assertion about a window", "assertion about the input", "allclose and item")


def captured(network: nn.Module, x: Tensor) -> Captured:
    check_runs("nets:build", network, (x,))
    return capture("nets:build", network, (x,))


@pytest.mark.parametrize("name", CAPTURED)
def test_it_is_captured_and_computes_the_same(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    network, x = make_stubborn(name)
    found = captured(network, x)
    by = "torch.export without assertions" if name in WITHOUT_ASSERTIONS else "recording"
    assert found.by == by
    assert found.attempts[0]["by"] == "torch.export"
    reason = found.attempts[0]["reason"]
    expected_reason = FAILS_LATER.get(name, "stubborn_networks.py:")
    assert expected_reason in reason
    other = torch.randn_like(x)
    with torch.no_grad():
        actual, expected = found.program.module()(other), network(other)
    assert torch.allclose(actual, expected, rtol=1e-4, atol=1e-5)
    assert capfd.readouterr() == ("", "")


def test_notes_name_dropped_assertions_and_numbers_taken_from_the_input() -> None:
    (dropped,) = captured(*make_stubborn("assertion about a window")).notes
    assert dropped.startswith("The file does not check what stubborn_networks.py:")
    assert "`assert (envelope > 1e-11).all()`" in dropped
    (taken,) = captured(*make_stubborn("check of the input")).notes
    assert "`if x.abs().max() > 1e6:` takes a number from the values of the input" in taken
    assert taken.endswith("agreed with the network on 7 other inputs.")
    assert captured(*make_stubborn("lazily made window")).notes == ()


def test_operators_of_a_recording_know_the_line_that_made_them() -> None:
    program = captured(*make_stubborn("lazily made window")).program
    (node,) = program.graph.find_nodes(op="call_function", target=torch.ops.aten._fft_r2c.default)
    assert "return torch.fft.rfft(x).abs()" in node.meta["stack_trace"]


def test_constants_are_stored_without_what_repeats() -> None:
    class Accumulates(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            both = torch.zeros(2, 1000, 16)
            both[..., ::2] = x
            ramp = torch.linspace(0, 1, 16).expand(2, 1000, 16).contiguous()
            return (both + ramp) / torch.tensor([-0.0, 0.0]).view(2, 1, 1)

    x = torch.randn(2, 1000, 8)
    with silenced():  # torch warns that this machine has no GPU of Intel's
        network = record(Accumulates(), (x,), {}).network
    shapes = {tuple(tensor.shape) for tensor in network.buffers()}
    assert shapes == {(1, 1, 1), (1, 1, 16), (2, 1, 1)}
    assert torch.equal(network(x), Accumulates()(x))


class Filtered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Conv1d(1, 2, 3)

    def forward(self, x: Tensor, gain: float = 2.0) -> Tensor:
        return torch.fft.rfft(self.filter(x)).abs() * gain


@pytest.mark.parametrize(
    "compiled",
    [
        lambda network, x: torch.jit.trace(network, x),
        lambda network, _: torch.jit.script(network),
        lambda network, _: torch.jit.freeze(torch.jit.script(network)),
    ],
    ids=["traced", "scripted", "frozen"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_recorded(compiled: Callable[[nn.Module, Tensor], nn.Module]) -> None:
    torch.manual_seed(0)
    network = Filtered().eval()
    script = compiled(network, torch.randn(2, 1, 16))
    check_built("nets:build", (script, torch.randn(2, 1, 16)))
    found = captured(script, torch.randn(2, 1, 16))
    assert found.program.graph_signature.user_inputs[0] == "x"
    with pytest.raises(UsageError, match=r"does not fit its network's forward\(.*x"):
        check_built("nets:build", (script, (torch.randn(2, 1, 16), 1.0, 2.0)))
    x = torch.randn(2, 1, 16)
    with torch.no_grad():
        torch.testing.assert_close(found.program.module()(x), network(x))


def test_weights_keep_their_names() -> None:
    network, x = make_stubborn("recurrent layers")
    names = captured(network, x).program.state_dict
    assert {name for name, _ in network.named_parameters()} <= set(names)


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("delays by data", "`return sum(torch.roll(", "recording: off by 1"),
        ("scale by data", "`scale = max(1.0", "recording: off by"),
        ("size by data", "`return torch.fft.fft(x[x > 0])", "they decide the size of a result"),
        ("numpy", "`return x + torch.from_numpy(", "recording: off by"),
    ],
)
def test_what_depends_on_data_is_refused_by_its_line(name: str, line: str, reason: str) -> None:
    network, x = make_stubborn(name)
    with pytest.raises(ConversionError) as caught:
        captured(network, x)
    message = str(caught.value)
    assert message.startswith("What nets:build computes depends on the values of its input at ")
    assert "stubborn_networks.py:" in message and line in message
    assert reason in message and "torch.where" in message
    assert "\n" not in message


class ExactWithoutTurn(nn.Module):
    """Leaves a signal as it is where it is not turned, in a branch that the example does not take.

    With zeros for both inputs the result is zero in either branch.
    """

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        turned = torch.fft.ifft(torch.fft.fft(x) * torch.exp(1j * angles)).real * 0.9
        exact = angles == 0
        return torch.where(exact, x, turned) if bool(exact.any()) else turned


def test_a_branch_that_zeros_of_one_input_take_is_refused() -> None:
    network, inputs = ExactWithoutTurn(), (torch.randn(2, 16), torch.rand(2, 1))
    with pytest.raises(ConversionError) as caught:
        capture("nets:build", network, inputs)
    message = str(caught.value)
    assert "`return torch.where(exact, x, turned) if bool(exact.any()) else turned`" in message
    assert "on its example with zeros for input 2" in message


class FitsLeastSquares(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.rfft(x).abs()
        return torch.linalg.lstsq(z[:, :-1], z[:, 1:]).solution


def test_least_squares_are_refused_with_what_to_do() -> None:
    with pytest.raises(ConversionError) as caught:
        capture("nets:build", FitsLeastSquares(), (torch.randn(2, 4, 8),))
    message = str(caught.value)
    assert "`return torch.linalg.lstsq(z[:, :-1], z[:, 1:]).solution`" in message
    assert "torch.linalg.solve" in message and "depends on the values" not in message


class FoldsByPeriod(nn.Module):
    """Folds a series by its strongest period, which torch.export takes with an open length."""

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        (strongest,) = torch.fft.rfft(x).abs().sum(0)[1:].topk(1).indices.tolist()
        rows = -(-length // (strongest + 1))
        padded = F.pad(x, (0, rows * (strongest + 1) - length))
        return padded.unflatten(1, (rows, strongest + 1)).cumsum(1).flatten(1)[:, :length]


class KeepsPositive(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x)[x > 0].real


@pytest.mark.parametrize(
    ("network", "line"),
    [(FoldsByPeriod(), "topk(1).indices.tolist()`"), (KeepsPositive(), "[x > 0].real`")],
)
def test_outputs_whose_size_the_values_decide_are_refused_by_their_line(
    network: nn.Module, line: str
) -> None:
    with pytest.raises(ConversionError, match="depends on the values of its input at ") as caught:
        captured(network, torch.randn(2, 16, generator=torch.Generator().manual_seed(0)))
    assert "test_capture.py:" in str(caught.value) and line in str(caught.value)


def test_every_refused_network_is_tried() -> None:
    assert set(REFUSED) == {"delays by data", "scale by data", "size by data", "numpy"}


def test_assertions_are_back_after_a_capture() -> None:
    network, x = make_stubborn("assertion about a window")
    code = type(network).forward.__code__
    captured(network, x)
    assert type(network).forward.__code__ is code


def test_a_recording_that_is_finite_where_the_network_is_not_is_said_in_words() -> None:
    class Overflows(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.rfft(x).abs() / float(x[0, 0] == 0)

    with pytest.raises(ConversionError, match="recording: not finite alike on "):
        captured(Overflows(), torch.cat((torch.zeros(1, 1), torch.ones(1, 15)), 1))
