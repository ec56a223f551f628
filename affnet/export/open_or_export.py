"""An artifact for every model that a command names, exported if need be."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from affnet.artifact import Artifact
from affnet.errors import UsageError
from affnet.export import artifact_cache
from affnet.model.source_file import check_source_file
from affnet.runtimes import get_runtime, names_artifact, runtime_for
from affnet.runtimes.foreign import open_file


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

    What was exported before is taken from `artifact_cache`.

    ``weights`` are those of a peer; ``settings`` are further ones of `load_source`.

    Raises:
        UsageError: an artifact of another format.
        AffnetError: as `Artifact.open` and `affnet.export.pipeline.export_artifact`.
    """
    check_takes_weights(model, weights)
    if names_artifact(model):
        return open_of_format(model, format_, image_size)
    check_source_file(model)
    folder = Path(tempfile.mkdtemp(dir=scratch))  # two checkpoints may be called alike
    loading = {"image_size": image_size, "weights": weights, **settings}
    choices = {"format": format_, "image_size": image_size, "fft": fft}
    on = artifact_cache.is_on()
    key = artifact_cache.artifact_key(model, choices, loading) if on else None
    if key is not None and (found := artifact_cache.take(key, folder)):
        progress(f"{found.path.name} is taken from the cache")
        return found
    # torch is needed from here on, not to measure what is exported already
    from affnet.export.options import ExportOptions
    from affnet.export.pipeline import export_artifact
    from affnet.model.source import load_source

    progress(f"Loading {model}")
    source = load_source(model, **loading)
    if on and key is None:
        key = artifact_cache.program_key(source, choices)
        if key is not None and (found := artifact_cache.take(key, folder)):
            progress(f"{found.path.name} is taken from the cache")
            return found
    artifact = export_artifact(source, ExportOptions(**choices), folder, progress)  # type: ignore[arg-type]
    if key is not None:
        artifact_cache.keep(key, artifact)
    return artifact


def open_or_export_peer(
    peer: str,
    model: Artifact,
    fft: str,
    scratch: Path,
    progress: Callable[[str], None] = lambda _: None,
    **rest: Any,
) -> Artifact:
    """Open a peer, or export it for images of the size that ``model`` takes, if it can take it.

    Where it cannot, it is exported at its own size, and its ratio is marked as one of other work.

    Raises:
        AffnetError: as `open_or_export`.
    """
    spec, form = model.manifest.inputs[0], model.manifest.format
    if spec.is_image and not names_artifact(peer):
        try:
            return open_or_export(peer, form, spec.image_size(), fft, scratch, progress, **rest)
        except UsageError as error:
            progress(f"{peer} is exported at its own size: {error}")
    return open_or_export(peer, form, None, fft, scratch, progress, **rest)


def open_of_format(model: str, format_: str, image_size: tuple[int, int] | None = None) -> Artifact:
    """Open an artifact, or a file of another tool, that must be of ``format_``.

    Raises:
        UsageError: it is of another.
        AffnetError: as `affnet.runtimes.foreign.open_file`.
    """
    artifact = open_file(Path(model), image_size)
    if artifact.manifest.format != format_:
        raise UsageError(
            f"{model} is of the format {artifact.manifest.format}, which "
            f"{runtime_for(format_).name} does not run",
            f"choose the runtime {runtime_for(artifact.manifest.format).name}.",
        )
    return artifact


def check_takes_weights(model: str, weights: Path | None) -> None:
    """Raise `UsageError` where ``model`` is an artifact, which has its weights."""
    if weights is not None and names_artifact(model):
        raise UsageError(f"--weights fills a peer; {model} has its weights already.")


class ModelOpener:
    """Opens a file, or exports a source once, for a runtime.

    ``settings`` are what loading a source takes, ``size`` is that of all images.
    """

    def __init__(
        self,
        settings: Mapping[str, Mapping[str, Any]],
        size: tuple[int, int] | None,
        folder: Path,
        progress: Callable[[str], None],
    ) -> None:
        self._settings, self._size = settings, size
        self._folder, self._progress = folder, progress
        self._opened: dict[tuple[str, str, tuple[int, int] | None], Artifact] = {}

    def __call__(self, source: str, runtime: str, model: Artifact | None = None, /) -> Artifact:
        """Return the artifact; that of a peer takes images of the size that ``model`` takes."""
        like = None
        if model is not None and model.manifest.inputs[0].is_image and self._size is None:
            like = model.manifest.inputs[0].image_size()
        key = (source, runtime, like)
        if key not in self._opened:
            rest = dict(self._settings.get(source, {}))
            given: dict[str, Any] = {"weights": rest.pop("weights", None), "settings": rest}
            more = ("auto", self._folder, self._progress)
            if model is None or like is None:
                form = get_runtime(runtime).format
                self._opened[key] = open_or_export(source, form, self._size, *more, **given)
            else:
                self._opened[key] = open_or_export_peer(source, model, *more, **given)
        return self._opened[key]
