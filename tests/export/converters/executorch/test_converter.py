"""The export to ExecuTorch: agreement, full delegation, and reasons where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import ConversionError, MissingError, UsageError
from affnet.export.converters import ConversionRequest
from affnet.export.converters.executorch import converter, decompositions
from affnet.export.converters.executorch.converter import ExecutorchConverter
from affnet.export.fourier.plans.dense import DensePlan
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.source import load_source
from affnet.runtimes.executorch import ExecutorchRuntime
from tests.conftest import Finished
from tests.shared_artifacts import SharedArtifacts
from tests.tiny import noise, tiny_source

pytestmark = [pytest.mark.converters, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def short(shared_artifact: SharedArtifacts) -> Artifact:
    """AFFNet-ET's operators, with one block a stage."""
    return shared_artifact("short", "executorch", image_size=(64, 64))


def request(route: str = "XNNPACK") -> ConversionRequest:
    taken, given = TensorSpec("input", (2, 6), "float32"), TensorSpec("output", (2, 6), "float32")
    return ConversionRequest("tiny", (taken,), (given,), "fp32", route, native_fft=False)


def test_the_network_is_one_delegated_part_and_agrees(short: Artifact) -> None:
    parity, details = short.manifest.parity, short.manifest.details
    assert parity is not None
    assert parity.max_rel_error <= 1e-5
    assert details["undelegated"] == []
    assert (details["delegated_share"], details["delegated_parts"]) == (1.0, 1)
    assert details["delegated"]["convolution"] > 20
    assert short.manifest.fallbacks == ()
    assert ExecutorchRuntime.operators(short.path) == {"delegate::XnnpackBackend": 1}


def test_people_read_the_delegated_share(run: Callable[..., Finished], short: Artifact) -> None:
    done = run("inspect", short.path)
    assert (done.code, done.err) == (0, "")
    assert "delegated             100 %" in done.out


@pytest.mark.exhaustive  # the network with one block a stage is a sample of it
def test_the_trained_network_is_one_delegated_part_and_agrees(
    run: Callable[..., Finished], shared_artifact: SharedArtifacts
) -> None:
    digits = shared_artifact("digits", "executorch")
    assert ExecutorchRuntime.operators(digits.path) == {"delegate::XnnpackBackend": 1}
    verified = run("verify", digits.path, "--held-out", "--json", "--quiet")
    assert (verified.code, verified.err) == (0, "")
    assert verified.json["held_out"]["agreeing"] == 1000


def test_float16_is_one_delegated_part_between_two_casts(tmp_path: Path) -> None:
    options = ExportOptions("executorch", precision="fp16")
    artifact = export_artifact(tiny_source(), options, tmp_path)
    details, parity = artifact.manifest.details, artifact.manifest.parity
    assert (artifact.path.name, artifact.manifest.fallbacks) == ("tiny_fp16.pte", ())
    assert parity is not None
    assert 1e-6 < parity.max_rel_error < 1e-2  # rounded, and no more
    assert details["delegated_parts"] == 1
    assert sum(entry["count"] for entry in details["undelegated"]) == 2
    assert {entry["operator"] for entry in details["undelegated"]} == {"_to_dim_order_copy"}
    described = ExecutorchRuntime.describe(artifact.path)
    assert described.precision == "fp16"
    assert [spec.dtype for spec in (*described.inputs, *described.outputs)] == ["float32"] * 2


@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0, 1000.0])
def test_normalisations_in_float16_have_no_squares_that_overflow(size: float) -> None:
    x = (size * noise(1, 4, 6, 6)).half()
    weight, bias = noise(4, seed=1).half(), noise(4, seed=2).half()
    found = decompositions._group_norm(x, 1, weight, bias, 1e-5)
    expected = functional.group_norm(x.float(), 1, weight.float(), bias.float(), 1e-5)
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.float(), expected, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("shape", [(2, 6, 5, 5), (2, 6, 7), (1, 6)])
def test_normalisations_of_groups_and_of_several_axes(shape: tuple[int, ...]) -> None:
    x = 1e4 + noise(*shape)
    weight, bias = noise(6, seed=1), noise(6, seed=2)
    for groups in (1, 2, 3):
        found = decompositions._group_norm(x, groups, weight, bias, 1e-5)
        expected = functional.group_norm(x.double(), groups, weight.double(), bias.double(), 1e-5)
        torch.testing.assert_close(found.double(), expected, rtol=1e-2, atol=1e-2)
    axes = shape[1:]
    weight, bias = noise(*axes, seed=3), noise(*axes, seed=4)
    found = decompositions._layer_norm(x, axes, weight, bias, 1e-5)
    expected = functional.layer_norm(x.double(), axes, weight.double(), bias.double(), 1e-5)
    torch.testing.assert_close(found.double(), expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    "network",
    [
        nn.GroupNorm(2, 4),
        nn.InstanceNorm2d(4),
        nn.InstanceNorm2d(4, affine=True),
        nn.BatchNorm2d(4, track_running_stats=False),
    ],
)
def test_groups_of_almost_equal_values_agree(network: nn.Module, tmp_path: Path) -> None:
    x = 100 + 0.01 * noise(2, 4, 6, 6)
    asked = replace(
        request(),
        inputs=(TensorSpec("input", tuple(x.shape), "float32"),),
        outputs=(TensorSpec("output", tuple(x.shape), "float32"),),
    )
    conversion = ExecutorchConverter().convert(network.eval(), asked, tmp_path)
    (actual,) = ExecutorchRuntime.load(conversion.path, threads=1).run(x.numpy())
    expected = network.double()(x.double()).float()
    torch.testing.assert_close(torch.from_numpy(actual), expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    "network",
    [
        nn.GroupNorm(4, 4),
        nn.InstanceNorm2d(4),
        nn.BatchNorm2d(4, track_running_stats=False),
    ],
)
def test_channels_of_equal_values_are_zero(network: nn.Module, tmp_path: Path) -> None:
    x = noise(1, 4, 1, 1).expand(2, 4, 7, 9).contiguous()
    spec = (TensorSpec("map", tuple(x.shape), "float32"),)
    asked = replace(request(), inputs=spec, outputs=spec)
    conversion = ExecutorchConverter().convert(network.eval(), asked, tmp_path)
    (actual,) = ExecutorchRuntime.load(conversion.path, threads=1).run(x.numpy())
    assert abs(actual).max() < 1e-9


class RowsOfAConvolution(nn.Module):
    """A softmax over the last axis of a map, and the GELU by tanh, with convolutions around."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.first(x).softmax(-1)
        return self.last(functional.gelu(8 * rows - 1, approximate="tanh"))


def test_a_softmax_of_rows_and_a_gelu_by_tanh_are_right_and_delegated(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, x = RowsOfAConvolution().eval(), noise(1, 3, 6, 6)
    asked = replace(
        request(),
        inputs=(TensorSpec("input", (1, 3, 6, 6), "float32"),),
        outputs=(TensorSpec("output", (1, 4, 6, 6), "float32"),),
    )
    made = ExecutorchConverter().convert(network, asked, tmp_path)
    assert made.details["delegated_parts"] == 1
    assert {"_softmax", "tanh"} <= set(made.details["delegated"])
    assert {entry["operator"] for entry in made.details["undelegated"]} <= {"_to_dim_order_copy"}
    (actual,) = ExecutorchRuntime.load(made.path, threads=1).run(x.numpy())
    expected = network(x).detach()
    torch.testing.assert_close(torch.from_numpy(actual), expected, rtol=1e-5, atol=2e-6)


def test_an_operator_that_is_not_delegated_is_told_with_the_reason(tmp_path: Path) -> None:
    class Logarithm(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.log1p((x + x).abs())

    conversion = ExecutorchConverter().convert(Logarithm(), request(), tmp_path)
    (entry,) = conversion.details["undelegated"]
    assert (entry["operator"], entry["count"]) == ("log1p", 1)
    assert entry["reason"] == "XNNPACK has no such operator"
    assert conversion.details["delegated_share"] == pytest.approx(2 / 3, abs=1e-4)


def test_the_plan_of_a_small_map_agrees(tiny_pte: Artifact) -> None:
    assert tiny_pte.manifest.fft_plan == {"4x4": "dense"}
    assert tiny_pte.manifest.parity is not None
    assert tiny_pte.manifest.parity.max_rel_error <= 1e-5


@pytest.mark.parametrize(("fft", "side"), [("right", 256), ("separable", 32)])
def test_the_other_plans_agree(fft: str, side: int, tmp_path: Path) -> None:
    options = ExportOptions("executorch", (side, side), fft=fft)
    artifact = export_artifact(tiny_source(), options, tmp_path)
    assert artifact.manifest.fft_plan == {f"{side // 8}x{side // 8}": fft}
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error <= 1e-5


@pytest.mark.parametrize("route", ["XNNPACK", "portable"])
def test_native_takes_the_kernels_own_transform_both_ways(
    route: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ExecutorchConverter, "routes", (route,))
    options = ExportOptions("executorch", fft="native")
    artifact = export_artifact(tiny_source(), options, tmp_path)
    manifest = artifact.manifest
    assert (manifest.fft_plan, manifest.fallbacks) == ({"4x4": "native"}, ())
    assert manifest.parity is not None
    assert manifest.parity.max_rel_error <= 1e-5
    assert ExecutorchRuntime.operators(artifact.path)["_fft_r2c"] == 2
    (transform,) = (e for e in manifest.details["undelegated"] if e["operator"] == "_fft_r2c")
    assert transform["count"] == 2


def test_a_wrong_plan_falls_back_to_the_one_that_agrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planner takes the dense plan for the small map; with its sign wrong, it disagrees."""
    right = DensePlan.synthesise
    monkeypatch.setattr(DensePlan, "synthesise", lambda *args: -right(*args))
    artifact = export_artifact(tiny_source(), ExportOptions("executorch"), tmp_path)
    assert set(artifact.manifest.fft_plan.values()) == {"right"}
    (failure,) = artifact.manifest.fallbacks
    assert (failure["fft"], failure["route"]) == ("auto", "XNNPACK")
    assert "disagrees with PyTorch" in failure["reason"]


def test_without_the_delegate_portable_kernels_take_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lowered = converter._lowered

    def without(
        network: nn.Module, example: tuple[Tensor, ...], request: ConversionRequest
    ) -> object:
        if request.route == "XNNPACK":
            raise RuntimeError("planted")
        return lowered(network, example, request)

    monkeypatch.setattr(converter, "_lowered", without)
    artifact = export_artifact(tiny_source(), ExportOptions("executorch"), tmp_path)
    manifest = artifact.manifest
    assert manifest.route == "portable"
    assert manifest.fallbacks[0]["reason"] == "ExecuTorch cannot convert tiny: planted."
    assert manifest.details["delegated_share"] == 0
    assert {e["reason"] for e in manifest.details["undelegated"]} == {"nothing was to be delegated"}
    assert manifest.parity is not None
    assert manifest.parity.max_rel_error <= 1e-5


def test_what_cannot_be_converted_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    class Spectrum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.rfft(x).abs()

    with pytest.raises(ConversionError, match=r"^ExecuTorch cannot convert tiny: "):
        ExecutorchConverter().convert(Spectrum(), request(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_dynamic_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes one image at a time; drop --dynamic"):
        export_artifact(tiny_source(), ExportOptions("executorch", dynamic_batch=True), tmp_path)


def test_a_broken_installation_is_told_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "executorch.backends.xnnpack.partition", None)
    with pytest.raises(MissingError, match=r"pip install --upgrade 'affnet\[executorch\]'"):
        ExecutorchConverter().convert(nn.Identity(), request(), tmp_path)


@pytest.mark.exhaustive  # AFFNet-ET with one block a stage is a sample of them
@pytest.mark.parametrize("name", ["affnet_et", "mobilevit_xxs"])
def test_published_networks_agree(name: str, tmp_path: Path) -> None:
    artifact = export_artifact(load_source(name), ExportOptions("executorch"), tmp_path)
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error <= 1e-4
    if name == "affnet_et":
        assert artifact.manifest.details["delegated_share"] == 1.0
