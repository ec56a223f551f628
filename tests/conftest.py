"""Fixtures that all groups of tests share."""

from __future__ import annotations

import functools
import gc
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from affnet import cli, console
from affnet.artifact import Artifact
from affnet.bench.html_report import page
from affnet.bench.measurement.protocol import PRESETS
from affnet.cache import FOLDER_VARIABLE, KINDS
from affnet.devices.device_lock import FOLDER_VARIABLE as LOCKS_VARIABLE
from affnet.devices.worker import host_probes
from affnet.errors import AffnetError
from affnet.export.artifact_cache import OFF_VARIABLE
from affnet.project import last_export
from tests.brief import brief_presets
from tests.shared_artifacts import SharedArtifacts

# A shell's background jobs, and nohup, have interruption ignored, which what they start inherits:
# tests that interrupt a process would wait for it to no end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Let no test touch the user's cache, but for what is fetched: npm packages, the arm64 system.

    Artifacts are exported anew, as many tests let a converter deliver something else.
    """
    if hasattr(config, "workerinput"):
        # a worker inherits them; what each measures is no other's business
        folder = Path(os.environ[LOCKS_VARIABLE], config.workerinput["workerid"])
        folder.mkdir()
        os.environ[LOCKS_VARIABLE] = str(folder)
        return
    shared = {name: KINDS[name].location() for name in ("browser", "emulated")}
    folder = Path(tempfile.mkdtemp(prefix="affnet-tests-cache-"))
    for name, place in shared.items():
        place.mkdir(parents=True, exist_ok=True)  # a link to nothing cannot be written through
        (folder / KINDS[name].path).symlink_to(place)
    locks = folder / "locks"
    locks.mkdir()
    os.environ |= {FOLDER_VARIABLE: str(folder), LOCKS_VARIABLE: str(locks), OFF_VARIABLE: "1"}
    config.add_cleanup(lambda: shutil.rmtree(folder))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let workers start with the slow tests, lest one be alone with them at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_runtest_setup() -> None:
    """Once PyTorch's exporters are imported, spare each export what they find out anew each time.

    Those take longer than a small network: the exporter to ONNX parses the source of 500 functions,
    and whatever decomposes a program asks for all operators of all libraries that decompose
    themselves, and evaluates annotations ten thousand times to keep others from it.
    """
    _keep_imported_objects()
    module = sys.modules.get("torch.onnx._internal.exporter._registration")
    if module is not None and "affnet_tests" not in vars(module):
        module.affnet_tests = True
        module.ONNXRegistry.from_torchlib = classmethod(
            _copying(functools.cache(module.ONNXRegistry.from_torchlib))
        )
    module = sys.modules.get("torch._ops")
    if module is not None:
        module.Callable = _PlainCallable
    for name in ("torch.export.exported_program", "torch.export.decomp_utils"):
        module = sys.modules.get(name)
        if module is not None and "affnet_tests" not in vars(module):
            module.affnet_tests = True
            module._collect_all_valid_cia_ops = _while_no_library_comes(
                module._collect_all_valid_cia_ops
            )


class _Kept:
    """What `_keep_imported_objects` has seen."""

    modules = 0


def pytest_unconfigure() -> None:
    gc.unfreeze()  # lest libraries take for a leak what is there at the end


def _keep_imported_objects() -> None:
    """Have the garbage collector pass over what an import of hundreds of modules has left."""
    if len(sys.modules) > _Kept.modules + 200:
        _Kept.modules = len(sys.modules)
        gc.collect()
        gc.freeze()


class _PlainCallableType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return callable(instance)


class _PlainCallable(metaclass=_PlainCallableType):
    """`collections.abc.Callable` for annotations that nobody reads."""

    def __class_getitem__(cls, _: object) -> type:
        return cls


def _copying(original: Callable[..., Any]) -> Callable[..., Any]:
    """Give each export a registry of its own, to which it adds its translations."""

    def from_torchlib(cls: Any, *arguments: Any, **options: Any) -> Any:
        known, registry = original(*arguments, **options), cls()
        vars(registry).update(vars(known))
        registry.functions = {name: [*found] for name, found in known.functions.items()}
        return registry

    return from_torchlib


def _while_no_library_comes(original: Callable[[], set[Any]]) -> Callable[[], set[Any]]:
    """Ask again only where operators were registered since the last time."""
    import torch

    @functools.cache
    def found(*_: object) -> set[Any]:
        return original()

    def collect() -> set[Any]:
        registered = torch._C._dispatch_get_registrations_for_dispatch_key(
            "CompositeImplicitAutograd"
        )
        return set(found(*registered, *sorted(torch.ops._dir)))

    return collect


_WHOLE_PRESETS = dict(PRESETS)


@pytest.fixture(scope="session", autouse=True)
def _brief_measurements() -> Iterator[None]:
    """Measure briefly, and watch the processor for a moment before and after."""
    with pytest.MonkeyPatch.context() as patch:
        for name, protocol in brief_presets().items():
            patch.setitem(PRESETS, name, protocol)
        patch.setattr(host_probes.conditions, "__defaults__", (0.05,))
        yield


@pytest.fixture
def whole_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Presets as users have them."""
    for name, protocol in _WHOLE_PRESETS.items():
        monkeypatch.setitem(PRESETS, name, protocol)


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one sentence of an expected error; fails if there is anything but that."""
        assert "Traceback" not in self.err, self.err
        errors = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1, self.err
        return errors[0].removeprefix("Error: ")


def complaint(function: Callable[..., object], *arguments: Any, **options: Any) -> str | None:
    """Return the sentence with which a function refuses what it is given, None if it takes it."""
    try:
        function(*arguments, **options)
    except AffnetError as error:
        return str(error)
    return None


@pytest.fixture
def run(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Finished]:
    """Run the command line in this process: ``run("export", "digits", "-o", folder)``."""

    record = tmp_path_factory.mktemp("cache") / "exports.json"
    monkeypatch.setattr(last_export, "_record_path", lambda: record)

    def affnet(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["affnet", *map(str, arguments)])
        monkeypatch.setattr(console, "debug", False)
        monkeypatch.setattr(signal, "signal", lambda *_: None)  # the handlers are pytest's
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            cli.main()
        out, err = capfd.readouterr()
        return Finished(int(exit_info.value.code or 0), out, err)

    return affnet


@pytest.fixture(scope="session")
def shared_artifact(tmp_path_factory: pytest.TempPathFactory) -> SharedArtifacts:
    """Exports once for all tests: ``shared_artifact("digits", "tflite", layout="NHWC")``."""
    return SharedArtifacts.of_this_run(tmp_path_factory)


@pytest.fixture(scope="session")
def digits_onnx(shared_artifact: SharedArtifacts) -> Artifact:
    """The bundled checkpoint, exported to ONNX; treat it as read-only."""
    return shared_artifact("digits", "onnx")


@pytest.fixture(scope="session")
def digits_pt2(shared_artifact: SharedArtifacts) -> Artifact:
    """The bundled checkpoint as an exported program; treat it as read-only."""
    return shared_artifact("digits", "torch")


@pytest.fixture(scope="session")
def digits_tflite(shared_artifact: SharedArtifacts) -> Artifact:
    """The bundled checkpoint, exported to TFLite; treat it as read-only."""
    pytest.importorskip("litert_torch")
    return shared_artifact("digits", "tflite")


@pytest.fixture(scope="session")
def tiny_tflite(shared_artifact: SharedArtifacts) -> Artifact:
    """A network of one stage, exported to TFLite; treat it as read-only."""
    pytest.importorskip("litert_torch")
    return shared_artifact("tiny", "tflite")


@pytest.fixture(scope="session")
def tiny_coreml(shared_artifact: SharedArtifacts) -> Artifact:
    """A network of one stage in float16 for Core ML; treat it as read-only."""
    pytest.importorskip("coremltools")
    return shared_artifact("tiny", "coreml")


@pytest.fixture(scope="session")
def tiny_pt2(shared_artifact: SharedArtifacts) -> Artifact:
    """A network of one stage as an exported program; treat it as read-only."""
    return shared_artifact("tiny", "torch")


@pytest.fixture(scope="session")
def tiny_pte(shared_artifact: SharedArtifacts) -> Artifact:
    """A network of one stage, exported to ExecuTorch; treat it as read-only."""
    pytest.importorskip("executorch")
    return shared_artifact("tiny", "executorch")


@pytest.fixture(scope="session")
def libraries() -> str:
    """The real libraries of reports, which take seconds to bundle; skips without them."""
    pytest.importorskip("vl_convert", reason="not installed: pip install 'affnet[report]'")
    return page.libraries()
