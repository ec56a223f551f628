"""A device's outputs against this machine's, on the real file and runtime."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from affnet.artifact import Artifact
from affnet.bench.measurement.interleaved import Job, measure
from affnet.bench.measurement.output_parity import check_outputs
from affnet.bench.measurement.protocol import get_protocol
from affnet.devices.base import Capabilities, Startup
from affnet.devices.host import HostDevice, HostSettings
from affnet.errors import MissingError
from affnet.parity import Parity
from affnet.runtimes import runtime_for
from tests.bench.fakes import MS, FakeDevice, FakeProcess, an_artifact

Outputs = list[NDArray[np.float32]]


@dataclasses.dataclass
class Computing(FakeProcess):
    """Says what it is told to have computed."""

    computed: Outputs | None = None
    arithmetic: str = "fp32"

    def outputs(self) -> Outputs | None:
        return self.computed


class Elsewhere(FakeDevice):
    capabilities = Capabilities(("onnxruntime",), ("cpu",), home_runtimes=("onnxruntime",))


@pytest.fixture(scope="module")
def right(digits_onnx: Artifact) -> Outputs:
    with HostDevice().start(digits_onnx, "onnxruntime", 1) as process:
        return process.outputs()


def proven(artifact: Artifact, outputs: Outputs | None, arithmetic: str = "fp32") -> Any:
    process = Computing("m", 0, lambda _: MS, [], Startup(1, 1, "1"), 0, outputs, arithmetic)
    return check_outputs(process, artifact, Elsewhere({}))


def test_a_measuring_process_s_outputs_are_this_machine_s(
    digits_onnx: Artifact, right: Outputs
) -> None:
    (logits,) = right
    assert logits.shape == (1, 10)
    assert np.ptp(logits) > 0.1
    parity = proven(digits_onnx, right)
    assert parity.passed
    assert parity.max_rel_error < 1e-6


def test_outputs_that_are_wrong_by_a_thousandth_fail(digits_onnx: Artifact, right: Outputs) -> None:
    wrong = [right[0] + 1e-3 * np.abs(right[0]).max()]
    parity = proven(digits_onnx, wrong)
    assert not parity.passed
    assert parity.max_rel_error == pytest.approx(1e-3, rel=0.01)
    assert proven(digits_onnx, wrong, "fp16").passed  # 60 dB


def test_outputs_that_are_not_told_are_a_limit(digits_onnx: Artifact) -> None:
    assert proven(digits_onnx, None) == "fake does not report its outputs, which were not compared"


def test_a_runtime_that_is_missing_here_is_a_limit(
    digits_onnx: Artifact, right: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> Any:
        raise MissingError("LiteRT is needed; run: pip install ai-edge-litert")

    monkeypatch.setattr(runtime_for("onnx"), "load", missing)
    assert proven(digits_onnx, right) == (
        "outputs were not compared with this machine's: "
        "LiteRT is needed; run: pip install ai-edge-litert"
    )


def test_this_machine_is_not_proven_against_itself(digits_onnx: Artifact) -> None:
    host = HostDevice()
    with host.start(digits_onnx, "onnxruntime", 1) as process:
        assert check_outputs(process, digits_onnx, host) is None
        assert check_outputs(process, digits_onnx, host, "onnxruntime") is None
        compared = check_outputs(process, digits_onnx, host, "tract")  # a second runtime of ONNX
        assert isinstance(compared, Parity)


def test_an_accelerator_of_this_machine_is_compared_with_its_cpu(
    digits_onnx: Artifact, right: Outputs
) -> None:
    process = Computing("m", 0, lambda _: MS, [], Startup(1, 1, "1"), 0, right, "fp16")
    host = HostDevice("host", HostSettings(accelerator="npu"))
    compared = check_outputs(process, digits_onnx, host)
    assert isinstance(compared, Parity)
    assert (compared.passed, compared.tolerance) == (True, 5e-2)


def test_a_result_whose_outputs_are_wrong_is_not_valid(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failed = Parity(0.2, 3.2e-2, 30.0, 0.0, 1, 1e-4, False)
    monkeypatch.setattr("affnet.bench.measurement.interleaved.check_outputs", lambda *_: failed)
    job = Job("one", an_artifact("one", tmp_path), "onnxruntime")
    device = FakeDevice({"one": lambda run: 5 * MS + run})
    (result,) = measure([job], device, get_protocol("quick"), threads=1)
    assert result.validity_reasons == (
        "outputs differ from this machine's by 3.2e-02 of the largest (at most 1e-04), PSNR 30 dB",
    )
    assert result.to_json()["parity"]["max_rel_error"] == 3.2e-2
