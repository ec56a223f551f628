"""Exported artifacts that all tests of a run share, whichever worker asks for one first."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from affnet.artifact import Artifact, manifest_path

_MANIFEST = manifest_path(Path("-")).name.removeprefix("-")  # what its name ends with


class SharedArtifacts:
    """Exports each source at most once with the same options; the files are read-only.

    The workers of a run share a folder. What is found there was checked against its manifest, so
    that a test that writes into a shared file fails the next one that asks for it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of_this_run(cls, factory: pytest.TempPathFactory) -> SharedArtifacts:
        """Return those of this run of pytest, be it one process or a worker among several."""
        base = factory.getbasetemp()
        # The folder above belongs to this run only where this process is one of its workers.
        run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        return cls(run / "shared-artifacts")

    def __call__(self, source: str, format_: str, **options: Any) -> Artifact:
        """Return ``source``, a name of affnet's, ``tiny`` or ``short``, exported."""
        settings = [f"{name}={value}" for name, value in sorted(options.items())]
        folder = self._folder / "-".join((source, format_, *settings))
        self._folder.mkdir(exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if (found := _artifact_in(folder)) is None:
                found = _export(source, format_, options, folder)
        return found


def _export(source: str, format_: str, options: dict[str, Any], folder: Path) -> Artifact:
    # The process that hands tests out to workers imports this file, and needs no PyTorch.
    from affnet.export.options import ExportOptions
    from affnet.export.pipeline import export_artifact
    from affnet.model.source import load_source
    from tests.tiny import short_source, tiny_source

    ours = {"tiny": tiny_source, "short": short_source}
    with _warnings_as_errors(format_):
        network = ours[source]() if source in ours else load_source(source)
        return export_artifact(network, ExportOptions(format_, **options), folder)


def _artifact_in(folder: Path) -> Artifact | None:
    """Return the artifact whose manifest stands in ``folder``, None if there is none."""
    for path in folder.glob(f"*{_MANIFEST}"):
        return Artifact.open(path.with_name(path.name.removesuffix(_MANIFEST)))
    return None


@contextmanager
def _warnings_as_errors(format_: str) -> Iterator[None]:
    """Treat warnings alike whichever test, with filters of its own, asks first."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if format_ == "executorch":
            warnings.simplefilter("ignore")  # it warns of its own code
        yield
