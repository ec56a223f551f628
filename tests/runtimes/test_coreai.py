"""Core AI: the package's interpreter here, Core AI of macOS 27 by what the package says of it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import shutil
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from affnet.artifact import Artifact, TensorSpec
from affnet.devices.host import HostDevice
from affnet.devices.inference import check_runs
from affnet.errors import (
    ArtifactError,
    ConversionError,
    MissingError,
    UnknownNameError,
    UntimedError,
    UsageError,
)
from affnet.export import pipeline
from affnet.export.conversion import ANY_BATCH
from affnet.export.converters import ConversionRequest
from affnet.export.options import ExportOptions
from affnet.runtimes import check_measurable, coreai
from affnet.runtimes.foreign import open_file
from tests import tiny

pytest.importorskip("coreai", reason="needs coreai-core (pip install 'affnet[coreai]')")
pytest.importorskip("coreai_torch", reason="needs coreai-torch (pip install 'affnet[coreai]')")

from affnet.export.converters.coreai import CoreAiConverter
from affnet.runtimes.coreai import CoreAiRuntime, CoreAiSession

pytestmark = pytest.mark.converters


class Sums(nn.Module):
    """Takes two vectors; gives one of them, a sum, and the sum again."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        total = x + 2 * y
        return x, total, total


def converted(
    network: nn.Module, folder: Path, inputs: list[str], outputs: list[str], **options: Any
) -> Path:
    """Convert a network of vectors of four numbers."""
    taken, given = (
        tuple(TensorSpec(name, (1, 4), "float32") for name in names) for names in (inputs, outputs)
    )
    request = ConversionRequest(
        "net", taken, given, "fp32", "torch.export", native_fft=False, **options
    )
    return CoreAiConverter().convert(network.eval(), request, folder).path


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("tiny")
    options = ExportOptions(format="coreai", deployment_target="macOS27")
    return pipeline.export_artifact(tiny.tiny_source(), options, folder)


def test_an_export_is_proven_by_the_interpreter(artifact: Artifact) -> None:
    manifest = artifact.manifest
    assert manifest.parity is not None
    assert manifest.parity.passed
    assert manifest.details["deployment_target"] == "OS 27"
    described = CoreAiRuntime.describe(artifact.path)
    assert described.precision == "fp32"
    assert described.inputs == (TensorSpec("image", (1, 3, 32, 32), "float32"),)
    assert described.outputs == (TensorSpec("logits", (1, tiny.CLASSES), "float32"),)
    assert CoreAiRuntime.operators(artifact.path)["conv2d"] >= 4
    assert CoreAiRuntime.version().endswith("(interpreter)")


def test_a_file_of_another_tool_is_described(artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / artifact.path.name
    shutil.copytree(artifact.path, path)
    opened = open_file(path)
    assert (opened.manifest.format, opened.proven) == ("coreai", False)
    assert opened.manifest.inputs[0].is_image


def test_outputs_come_in_their_order_and_are_copies(tmp_path: Path) -> None:
    path = converted(Sums(), tmp_path, ["left", "right"], ["same", "sum", "again"])
    session = CoreAiRuntime.load(path, threads=1)
    x, y = np.ones((1, 4), np.float32), np.arange(4, dtype=np.float32)[None]
    found = session.run(x, y)
    for value, expected in zip(found, (x, x + 2 * y, x + 2 * y), strict=True):
        np.testing.assert_array_equal(value, expected)
    session.run(y, x)
    np.testing.assert_array_equal(found[0], x)


def test_types_that_it_holds(tmp_path: Path) -> None:
    class Doubled(nn.Module):
        def forward(self, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(~x if x.dtype == torch.bool else x + x for x in values)

    held = ("bool", "float16", "float32", "int8", "int16", "int32", "uint8")
    taken, given = (
        tuple(TensorSpec(f"{letter}_{kind}", (3,), kind) for kind in held) for letter in "xy"
    )
    request = ConversionRequest("types", taken, given, "fp32", "torch.export", native_fft=False)
    path = CoreAiConverter().convert(Doubled(), request, tmp_path).path
    arrays = [np.array([0, 1, 5], kind) for kind in held]
    found = CoreAiRuntime.load(path, threads=1).run(*arrays)
    for kind, array, result in zip(held, arrays, found, strict=True):
        assert result.dtype == kind
        np.testing.assert_array_equal(result, ~array if kind == "bool" else array + array)
    assert CoreAiRuntime.describe(path).precision == "fp16"  # by the widest tolerance


def test_a_result_waits_until_its_thread_has_left_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = threading.Event()
    wake = asyncio.SelectorEventLoop.call_soon_threadsafe

    def slowly(*arguments: Any, **options: Any) -> asyncio.Handle:
        handle = wake(*arguments, **options)
        time.sleep(0.2)
        left.set()
        return handle

    async def woken() -> int:
        future = loop.create_future()
        arguments = (future.set_result, 5)
        threading.Thread(target=loop.call_soon_threadsafe, args=arguments, daemon=True).start()
        return int(await future)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "call_soon_threadsafe", slowly)
    with contextlib.closing(coreai.WokenLoop()) as loop:
        assert loop.result(woken()) == 5
        assert left.is_set()


def test_it_runs_where_a_loop_runs_already(tmp_path: Path) -> None:
    path = converted(nn.ReLU(), tmp_path, ["x"], ["y"])

    async def as_in_a_notebook() -> Any:
        return CoreAiRuntime.load(path, threads=1).run(np.full((1, 4), -1, np.float32))

    np.testing.assert_array_equal(asyncio.run(as_in_a_notebook())[0], np.zeros((1, 4)))


def test_an_open_batch(tmp_path: Path) -> None:
    taken, given = (TensorSpec(name, ("batch", 4), "float32") for name in ("x", "y"))
    asked = partial(
        ConversionRequest, "net", (taken,), (given,),
        route="torch.export", native_fft=False, dynamic=(ANY_BATCH,),
    )  # fmt: skip
    path = CoreAiConverter().convert(nn.Softmax(1).eval(), asked(precision="fp32"), tmp_path).path
    assert CoreAiRuntime.describe(path).inputs[0].dynamic_batch
    for batch in (1, 3):
        (found,) = CoreAiRuntime.load(path, threads=1).run(np.zeros((batch, 4), np.float32))
        np.testing.assert_allclose(found, np.full((batch, 4), 0.25))
    with pytest.raises(UsageError, match="drop --dynamic, or add --precision fp32"):
        CoreAiConverter().convert(nn.Softmax(1), asked(precision="fp16"), tmp_path)


def test_labels_and_texts_are_in_the_metadata(tmp_path: Path) -> None:
    path = converted(nn.ReLU(), tmp_path, ["x"], ["y"], labels=("cat", "élan"))
    metadata = json.loads((path / "metadata.json").read_text(encoding="utf-8"))
    assert metadata["creatorDefinedMetadata"] == {"labels": ["cat", "élan"]}
    assert metadata["author"].startswith("affnet ")


def test_a_deployment_target_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"'iOS18'; valid: iOS27, macOS27"):
        converted(nn.ReLU(), tmp_path, ["x"], ["y"], deployment_target="iOS18")


def test_what_coreai_torch_lacks_is_refused_by_name(tmp_path: Path) -> None:
    class Transform(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.fft.rfft(x).abs()

    with pytest.raises(ConversionError, match=r"^coreai-torch cannot convert net: .*_fft_r2c"):
        converted(Transform(), tmp_path, ["x"], ["y"])


@pytest.mark.parametrize("damage", ["short", "empty", "no program", "file", "absent"])
def test_a_damaged_file_is_refused(artifact: Artifact, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "net.aimodel"
    if damage == "file":
        path.write_bytes(b"no folder")
    elif damage != "absent":
        shutil.copytree(artifact.path, path)
        program = path / "main.mlirb"
        content = program.read_bytes()
        program.write_bytes(content[: len(content) // 2] if damage == "short" else b"")
        if damage == "no program":
            program.unlink()
    with pytest.raises(ArtifactError, match=r"(is damaged: main.mlirb|is no Core AI model: ).*\.$"):
        CoreAiRuntime.load(path, threads=1)


def test_the_interpreter_is_not_timed(run: Any, artifact: Artifact) -> None:
    with pytest.raises(MissingError):
        check_measurable(CoreAiRuntime)
    done = run("bench", artifact.path)
    assert (done.code, done.out) == (3, "")
    assert "Core AI is timed on a Mac of macOS 27 only" in done.error


def test_the_interpreter_proves_what_it_does_not_time(artifact: Artifact) -> None:
    device = HostDevice()
    assert check_runs(device, "coreai") == "coreai"
    image = np.zeros((1, 3, 32, 32), np.float32)
    with device.session("coreai"), device.start(artifact, "coreai", 1) as process:
        (given,) = process.infer(image)
        assert np.array_equal(given, *CoreAiRuntime.load(artifact.path, threads=1).run(image))
        with pytest.raises(UntimedError):
            process.run(1)


def test_a_mac_of_macos_27_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    import coreai.runtime

    monkeypatch.setattr(coreai.runtime, "_use_os_coreai", True)
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.mac_ver", lambda: ("27.1", ("", "", ""), "arm64"))
    check_measurable(CoreAiRuntime)
    assert CoreAiRuntime.version().endswith("(Core AI of macOS 27.1)")


def test_elsewhere_the_refusal_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coreai", None)
    with pytest.raises(MissingError, match="Core AI is timed on a Mac of macOS 27 only"):
        check_measurable(CoreAiRuntime)


def test_missing_and_broken_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_symbol(name: str) -> Any:
        raise ImportError(f"{name}: version `GLIBC_2.34' not found")

    monkeypatch.setattr("affnet.runtimes.coreai.import_module", no_symbol)
    with pytest.raises(MissingError, match=r"cannot be imported .*GLIBC.*glibc 2.34 or newer"):
        CoreAiRuntime.load(Path("net.aimodel"), threads=1)
    monkeypatch.setitem(sys.modules, "coreai", None)
    with pytest.raises(MissingError, match=r"pip install 'affnet\[coreai\]'$"):
        CoreAiRuntime.load(Path("net.aimodel"), threads=1)


class Function:
    """Takes and gives what ``coreai.runtime.InferenceFunction`` does on a Mac."""

    def __init__(self, description: Any) -> None:
        self.desc = description

    async def __call__(self, inputs: Any = None, state: Any = None) -> Any:
        return {"y": inputs["x"]}


class Model:
    """Takes and gives what ``coreai.runtime.AIModel`` does."""

    function_names = ("main",)

    def load_function(
        self, function_name: str, intermediate_logger: Any = None, profiler: Any = None
    ) -> Function:
        description = type("Description", (), {"input_names": ["x"], "output_names": ["y"]})
        description.state_names = ["cache"] if function_name == "stateful" else []
        return Function(description)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("main",), None),
        (("encode", "decode"), r"has 2 functions \(encode, decode\)"),
        (("stateful",), "keeps a state from run to run"),
    ],
)
def test_what_one_function_of_a_model_gives(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], said: str | None
) -> None:
    from contextlib import asynccontextmanager

    import coreai.authoring

    @asynccontextmanager
    async def executable(*_: Any) -> Any:
        yield Model()

    monkeypatch.setattr(Model, "function_names", names)
    monkeypatch.setattr(coreai.authoring.AIModelAsset, "executable", executable)
    if said:
        with pytest.raises(ArtifactError, match=said):
            CoreAiSession(artifact.path)
        return
    x = np.arange(4, dtype=np.float32)
    np.testing.assert_array_equal(CoreAiSession(artifact.path).run(x)[0], x)


def test_the_doubles_have_the_signatures_of_the_real_ones() -> None:
    from coreai.authoring import AIModelAsset
    from coreai.runtime import AIModel, InferenceFunction

    def names(function: Any) -> list[str]:
        return [*inspect.signature(function).parameters]

    assert names(InferenceFunction.__call__) == names(Function.__call__)
    assert names(AIModel.load_function) == names(Model.load_function)
    assert names(AIModelAsset.executable) == ["self", "specialization_options"]
    assert isinstance(AIModel.function_names, property)
    assert isinstance(InferenceFunction.desc, property)
