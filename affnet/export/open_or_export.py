"""An artifact for every model that a command names, exported if need be."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from affnet.artifact import Artifact
from affnet.errors import UsageError
from affnet.model.source_file import check_source_file
from affnet.runtimes import names_artifact, runtime_for


def open_or_export(
    model: str,
    format_: str,
    image_size: tuple[int, int] | None,
    fft: str,
    scratch: Path,
    progress: Callable[[str], None] = lambda _: None,
    weights: Path | None = None,
    settings: Mapping[str, Any] = {},
) -> Artifact:
    """Open ``model`` if it is an artifact of ``format_``, else export it into ``scratch``.

    ``weights`` are those of a peer; ``settings`` are further ones of `load_source`.

    Raises:
        UsageError: an artifact of another format.
        AffnetError: as `Artifact.open` and `affnet.export.pipeline.export_artifact`.
    """
    check_takes_weights(model, weights)
    if names_artifact(model):
        artifact = Artifact.open(Path(model))
        if artifact.manifest.format != format_:
            raise UsageError(
                f"{model} is of the format {artifact.manifest.format}, which "
                f"{runtime_for(format_).name} does not run",
                f"choose the runtime {runtime_for(artifact.manifest.format).name}.",
            )
        return artifact
    check_source_file(model)
    # torch is needed from here on, not to measure what is exported already
    from affnet.export.options import ExportOptions
    from affnet.export.pipeline import export_artifact
    from affnet.model.source import load_source

    progress(f"Loading {model}")
    folder = Path(tempfile.mkdtemp(dir=scratch))  # two checkpoints may be called alike
    options = ExportOptions(format_, image_size, fft=fft)
    source = load_source(model, image_size=image_size, weights=weights, **settings)
    return export_artifact(source, options, folder, progress)


def check_takes_weights(model: str, weights: Path | None) -> None:
    """Raise `UsageError` where ``model`` is an artifact, which has its weights."""
    if weights is not None and names_artifact(model):
        raise UsageError(f"--weights fills a peer; {model} has its weights already.")
