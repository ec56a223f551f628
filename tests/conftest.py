"""Fixtures that all groups of tests share."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from affnet import cli, console
from affnet.artifact import Artifact
from affnet.bench.html_report import page
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.source import load_source
from affnet.project import last_export


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
def digits_onnx(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The bundled checkpoint, exported to ONNX; treat it as read-only."""
    return _exported("onnx", tmp_path_factory)


@pytest.fixture(scope="session")
def digits_pt2(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The bundled checkpoint as an exported program; treat it as read-only."""
    return _exported("torch", tmp_path_factory)


@pytest.fixture(scope="session")
def libraries() -> str:
    """The real libraries of reports, which take seconds to bundle; skips without them."""
    pytest.importorskip("vl_convert", reason="not installed: pip install 'affnet[report]'")
    return page.libraries()


def _exported(format_: str, factory: pytest.TempPathFactory) -> Artifact:
    folder: Path = factory.mktemp(format_)
    return export_artifact(load_source("digits"), ExportOptions(format_), folder)
