"""Which parts 8 bits hurt, and how a bound on accuracy decides what is spared."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from affnet.errors import AccuracyError
from affnet.export.autotuning import accuracy_bound
from affnet.export.autotuning.accuracy_bound import export_bounded
from affnet.export.passes.folding import fold_batch_norms
from affnet.export.pipeline import ExportOptions
from affnet.export.quantization import sensitivity
from affnet.export.quantization.accuracy import Accuracy, accuracy_drop
from affnet.export.quantization.calibration import Calibration, load_calibration
from affnet.export.quantization.sensitivity import KeptFloat, Sensitivity, measure_sensitivity
from affnet.export.quantization.simulation import Simulation
from affnet.export.reporting.artifact import precision_fields
from tests.tiny import TinyNet, tiny_net, tiny_source

FILTER = "stage.global_rep.0.filter"


def network() -> TinyNet:
    net = tiny_net()
    fold_batch_norms(net)
    return net


def images(count: int = 8) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_every_part_of_a_filter_is_told_apart() -> None:
    simulation = Simulation(network(), images())
    assert {
        "stem", "conv", f"{FILTER}: mask", f"{FILTER}: shrinkage", f"{FILTER}: product",
        "stage.global_rep.0.mlp", "stage.fusion", "fc",
    } <= set(simulation.parts)  # fmt: skip


def test_nothing_in_8_bits_changes_nothing_and_all_does_a_little() -> None:
    simulation = Simulation(net := network(), sample := images())
    with torch.inference_mode():
        exact = net(sample)
    assert torch.equal(simulation.outputs(sample, frozenset()), exact)
    error = simulation.outputs(sample, frozenset(simulation.parts)) - exact
    assert 1e-3 < float(error.abs().max() / exact.abs().max()) < 0.2


class Doubled(nn.Module):
    """A network that writes into what a layer gave."""

    def __init__(self, network: TinyNet) -> None:
        super().__init__()
        self.network, self.last = network, nn.Linear(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.network(x)
        y.mul_(2)
        return self.last(y)


@pytest.mark.parametrize("writes", [False, True])
def test_what_is_remembered_of_an_exact_run_changes_no_output(writes: bool) -> None:
    net: nn.Module = Doubled(network()) if writes else network()
    simulation, sample = Simulation(net, images()), images(4)
    parts = [frozenset({part}) for part in simulation.parts]
    parts += [frozenset(), frozenset(simulation.parts)]
    computed = [simulation.outputs(sample, chosen) for chosen in parts]
    counts = [operators_for(simulation, sample, chosen) for chosen in parts]
    assert torch.equal(simulation.remember(sample), computed[-2])
    for chosen, output, count in zip(parts, computed, counts, strict=True):
        assert torch.equal(simulation.outputs(sample, chosen), output)
        spares = not writes and "stem" not in chosen
        assert (operators_for(simulation, sample, chosen) < count) == spares


class Counter(TorchDispatchMode):
    """Counts the operators that are really computed."""

    count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def operators_for(simulation: Simulation, sample: torch.Tensor, parts: frozenset[str]) -> int:
    with Counter() as counter:
        simulation.outputs(sample, parts)
    return counter.count


def test_the_part_with_an_outlier_is_ranked_first() -> None:
    net = network()
    sample = images(16)
    sample[0, 0, 0, 0] = 100.0  # one pixel in 3000: the scale suits nothing else
    calibration = Calibration(sample.numpy(), None, "noise")
    found = measure_sensitivity(net, calibration, max_drop=100.0)
    first, second = found.worst(2)
    assert first.part == "stem"
    assert first.error > 3 * second.error
    assert found.needed == 0  # anything is allowed


def test_a_bound_that_needs_it_spares_the_worst() -> None:
    sample = images(16)
    sample[0, 0, 0, 0] = 300.0
    loose = measure_sensitivity(network(), Calibration(sample.numpy(), None, "noise"), 100.0)
    strict = measure_sensitivity(network(), Calibration(sample.numpy(), None, "noise"), 0.0)
    assert loose.needed == 0
    assert strict.needed > 0


def test_a_part_that_hurts_the_logits_is_spared_where_no_image_tells() -> None:
    sample = images(16)
    sample[0, 0, 0, 0] = 100.0
    nobody = np.full(16, -1)  # a class that no output is: PyTorch gets nothing right to lose
    calibration = Calibration(sample.numpy(), nobody, "noise")
    found = measure_sensitivity(network(), calibration, 100.0)
    errors = [kept.error for kept in found.worst(found.count)]
    bound = (errors[0] + errors[1]) / 2 / 0.015  # between those of the two worst parts
    assert measure_sensitivity(network(), calibration, bound).needed == 1
    assert measure_sensitivity(network(), calibration, 100.0).needed == 0
    most = measure_sensitivity(network(), calibration, 0.0).needed
    assert 1 < most < len(errors)  # no bound makes a file of float32


def test_halves_find_the_same_parts_as_each_part_alone_in_fewer_runs() -> None:
    sample = images(16)
    sample[0, 0, 0, 0] = 100.0
    calibration = Calibration(sample.numpy(), np.full(16, -1), "noise")
    said = list[str]()
    found = measure_sensitivity(network(), calibration, 100.0)
    every = found.worst(found.count)
    bound = (every[0].error + every[1].error) / 2 / 0.015
    few = measure_sensitivity(network(), calibration, bound, said.append)
    assert few.worst(1) == every[:1]
    runs = [line for line in said if ", run " in line]
    assert len(runs) < found.count
    assert few.worst(found.count) == every  # the rest is ranked once it matters
    assert len([line for line in said if ", run " in line]) == len(runs) + found.count - 1


def test_where_most_parts_are_harmful_each_is_simulated_once() -> None:
    runs = list[frozenset[str]]()

    def error_of(parts: frozenset[str]) -> float:
        runs.append(parts)
        return sum(0.0 if part == "p3" else 0.02**2 for part in parts) ** 0.5

    parts = [f"p{index}" for index in range(64)]
    harmful = sensitivity._harmful(parts, 0.015, error_of)
    assert [kept.part for kept in harmful] == [part for part in parts if part != "p3"]
    assert len(runs) == 1 + len(parts)


def test_the_drop_counts_labels_where_they_are_known() -> None:
    expected = np.eye(4, dtype=np.float32)  # predicts 0, 1, 2, 3
    actual = np.eye(4, dtype=np.float32)[[0, 1, 2, 2]]
    pictures = np.zeros((4, 3, 1, 1), np.float32)
    assert accuracy_drop(expected, actual, Calibration(pictures, None, "")) == 25.0
    right = Calibration(pictures, np.array([0, 1, 2, 2]), "")
    assert accuracy_drop(expected, actual, right) == 0.0  # it is better than PyTorch


def test_two_of_200_images_are_one_point() -> None:
    drops = {Accuracy(200, right - 2, right).drop_points for right in range(2, 201)}
    assert drops == {1.0}  # differences of shares are 1 + 2e-14, too


def test_of_many_parts_kept_the_worst_are_told() -> None:
    kept = [{"part": f"conv{index}", "error": 0.5 / 2**index} for index in range(9)]
    few = precision_fields({"calibration": "4 images", "float_parts": kept[:1]})
    assert few["kept in float32"] == "conv0 (50.0%): the logits' error with each alone in 8 bits"
    many = precision_fields({"calibration": "4 images", "float_parts": kept})["kept in float32"]
    assert "conv5 (1.6%) and 3 more (see the manifest): the" in many
    assert "conv6" not in many


def options(**changes) -> ExportOptions:
    calibration = load_calibration(tiny_source(), "bundled", 4)
    chosen = ExportOptions("onnx", precision="int8", calibration=calibration, max_accuracy_drop=1.0)
    return dataclasses.replace(chosen, **changes)


def ranked_as(ranked: Sequence[KeptFloat], needed: int) -> Sensitivity:
    errors = {frozenset({kept.part}): kept.error for kept in ranked}
    return Sensitivity([], needed, [kept.part for kept in ranked], errors.__getitem__)


def test_more_is_spared_until_the_file_holds_the_bound(tmp_path, monkeypatch) -> None:
    ranked = tuple(KeptFloat(f"part {index}", 0.1) for index in range(5))
    monkeypatch.setattr(accuracy_bound, "measure_sensitivity", lambda *_: ranked_as(ranked, 1))
    asked = []

    def export(_source, chosen, _output, _progress, _reference):
        asked.append(len(chosen.kept_float))
        if len(chosen.kept_float) < 4:
            raise AccuracyError("It loses 3.0 points.")
        return "artifact"

    monkeypatch.setattr(accuracy_bound, "export_once", export)
    assert export_bounded(tiny_source(), options(), tmp_path) == "artifact"
    assert asked == [1, 2, 4]


def test_a_bound_out_of_reach_writes_nothing(tmp_path: Path, monkeypatch) -> None:
    def worthless(*_):
        return Accuracy(images=4, right=1, right_pytorch=3)

    ranked = (KeptFloat("stem", 0.2), KeptFloat("fc", 0.1))  # one stays in 8 bits
    monkeypatch.setattr(accuracy_bound, "measure_sensitivity", lambda *_: ranked_as(ranked, 2))
    monkeypatch.setattr("affnet.export.verification.accuracy_gate.compare_accuracy", worthless)
    with pytest.raises(AccuracyError, match=r"loses more than 1 points .* in int8") as caught:
        export_bounded(tiny_source(), options(), tmp_path)
    assert caught.value.attempts == ((1, 50.0),)
    assert list(tmp_path.iterdir()) == []
