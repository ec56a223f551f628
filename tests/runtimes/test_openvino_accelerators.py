"""OpenVINO on a GPU and an NPU: a double of its ``Core`` stands for the machine that has them."""

from __future__ import annotations

import inspect
import io
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.devices.host import HostDevice, HostSettings
from affnet.devices.inference import DeviceSession
from affnet.devices.ssh.device import SshDevice, SshSettings
from affnet.devices.worker.channel import describe_job
from affnet.devices.worker.serve import serve
from affnet.errors import ArtifactError, CatalogError, MissingError, UsageError
from affnet.export import pipeline
from affnet.export.options import ExportOptions
from affnet.export.verification.subject import Subject
from affnet.placement import from_wire as placement_of
from affnet.runtimes import openvino
from affnet.runtimes.openvino import OpenVinoRuntime
from tests import tiny
from tests.packages import need_openvino
from tests.runtimes.openvino_units import Core

pytestmark = pytest.mark.converters


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    need_openvino()


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("openvino")
    return pipeline.export_artifact(tiny.tiny_source(), ExportOptions(format="openvino"), folder)


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> type[Core]:
    """A machine with accelerators, anew for each test."""
    double = type("Units", (Core,), {})
    core = double()  # imports the library before it is replaced
    real = openvino.library()
    patched = SimpleNamespace(Core=lambda: core, **{"__version__": real.__version__})
    monkeypatch.setattr(openvino, "library", lambda: patched)
    return double


def served(artifact: Artifact, accelerator: str, *commands: str) -> list[dict[str, Any]]:
    job = describe_job(artifact, "openvino", 1, accelerator=accelerator)
    requests = (job, *({"command": command, "runs": 2} for command in commands))
    answers = io.StringIO()
    serve(io.StringIO("".join(json.dumps(one) + "\n" for one in requests)), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


@pytest.mark.parametrize("name", ["compile_model", "read_model"])
def test_the_double_takes_what_openvino_takes(name: str) -> None:
    real, double = (
        [(one.name, one.kind, one.default) for one in inspect.signature(found).parameters.values()]
        for found in (getattr(openvino.library().Core, name), getattr(Core, name))
    )
    assert double == real
    assert isinstance(openvino.library().Core.available_devices, property)


def test_a_gpu_is_asked_for_by_its_name_in_float32(artifact: Artifact, core: type[Core]) -> None:
    session = OpenVinoRuntime.load(artifact.path, threads=1, accelerator="gpu")
    unit, configuration = core.asked
    assert unit == "GPU"  # neither AUTO nor HETERO:GPU,CPU
    assert configuration["INFERENCE_PRECISION_HINT"] == "f32"
    assert "INFERENCE_NUM_THREADS" not in configuration
    assert session.arithmetic == "fp32"


def test_each_operator_is_placed_and_timed_on_the_gpu(artifact: Artifact, core: type[Core]) -> None:
    started, placed, timed = served(artifact, "gpu", "placement", "profile")
    found = placement_of(placed["placement"])
    assert (found.asked, set(found.units), found.share) == (("gpu",), {"gpu"}, 1.0)
    assert started["arithmetic"] == "fp32"
    assert timed["operators"]
    assert core.asked[1]["PERF_COUNT"]


def test_an_npu_computes_in_float16_and_lists_no_layers(
    artifact: Artifact, core: type[Core]
) -> None:
    started, placed = served(artifact, "npu", "placement")
    assert core.asked[0] == "NPU"
    assert started["arithmetic"] == "fp16"
    assert placed["placement"].startswith("openvino did not report where operators run (OpenVINO ")
    coarser = Subject.of(artifact).computed_in("fp16")
    assert (coarser.precision, coarser.computed_in("fp32").precision) == ("fp16", "fp16")


def test_what_runs_partly_elsewhere_is_refused(artifact: Artifact, core: type[Core]) -> None:
    core.executed = {"GPU": ("GPU.0", "CPU")}
    with pytest.raises(ArtifactError, match=r"runs .*\.xml on GPU\.0, CPU, not on the GPU alone\."):
        OpenVinoRuntime.load(artifact.path, threads=1, accelerator="gpu")


@pytest.mark.parametrize(("accelerator", "driver"), [("gpu", "intel-opencl-icd"), ("npu", "linux")])
def test_an_accelerator_that_is_not_there_is_named_with_what_is(
    artifact: Artifact, core: type[Core], accelerator: str, driver: str
) -> None:
    core.seen = ("CPU", "XPU.0")
    host = HostDevice("host", HostSettings(accelerator=accelerator))
    for call in (
        lambda: host.check_runtime("openvino"),
        lambda: served(artifact, accelerator),  # as on a board
    ):
        with pytest.raises(MissingError) as info:
            call()
        unit = accelerator.upper()
        assert info.value.problem == f"OpenVINO sees no {unit} on this machine, only CPU, XPU.0"
        assert driver in str(info.value.remedy)
        assert str(info.value.remedy).endswith("or omit --accelerator.")


@pytest.mark.parametrize(
    "device",
    [
        HostDevice("host", HostSettings(accelerator="gpu")),
        SshDevice("box", SshSettings(host="box", accelerator="gpu")),
    ],
    ids=["host", "ssh"],
)
def test_other_runtimes_have_the_cpu_only(device: HostDevice | SshDevice) -> None:
    with pytest.raises(UsageError) as info:
        device.check_runtime("onnxruntime")
    assert str(info.value) == (
        "onnxruntime computes on the CPU here, not on the GPU; "
        "choose the runtime openvino, or omit --accelerator."
    )
    assert any("on the GPU, and warm up" in step for step in device.plan(["f"], "openvino", 1))


def test_an_unknown_accelerator_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"^box: accelerator must be cpu, gpu or npu\.$"):
        SshDevice("box", SshSettings(host="box", accelerator="tpu"))


def test_what_computed_is_part_of_what_may_not_differ() -> None:
    plain = HostDevice().fingerprint()
    assert HostDevice("host", HostSettings(accelerator="gpu")).fingerprint() == {
        **plain,
        "accelerator": "gpu",
    }


def test_a_session_on_a_device_knows_its_arithmetic() -> None:
    startup = SimpleNamespace(runtime_version="1")
    process: Any = SimpleNamespace(startup=startup, arithmetic="fp16")
    assert DeviceSession(process, "openvino").arithmetic == "fp16"


@pytest.mark.usefixtures("core")
def test_outputs_are_the_same_numbers(artifact: Artifact) -> None:
    (spec,) = artifact.manifest.inputs
    image = np.random.default_rng(0).random(spec.static_shape(), np.float32)
    on_gpu = OpenVinoRuntime.load(artifact.path, threads=1, accelerator="gpu").run(image)
    on_cpu = OpenVinoRuntime.load(artifact.path, threads=1).run(image)
    # the double of a GPU is the CPU on all its cores, which add up a map in another order than one
    np.testing.assert_allclose(on_gpu[0], on_cpu[0], atol=1e-6)
