"""The models of ``affnet bench``: what is named or taken, exported for each runtime."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affnet.errors import UsageError

if TYPE_CHECKING:
    import typer

    from affnet.artifact import Artifact
    from affnet.bench.measurement.interleaved import Job
    from affnet.bench.measurement.runtimes import Place, RuntimePlan
    from affnet.project.default_models import Comparison


def choose_models(
    context: typer.Context,
    models: list[str] | None,
    against: list[str] | None,
    image_size: tuple[int, int] | None,
    weights: Path | None,
) -> Comparison:
    """Return what is named, or else what the project or this folder has.

    Raises:
        UsageError: ``weights`` fill none or several of the models.
        AffnetError: as `affnet.project.default_models.choose_comparison`.
    """
    from affnet.project.default_models import pair_with_peers

    if models:
        chosen = pair_with_peers(list(dict.fromkeys(models)), against or [])
        settings = {name: {"weights": weights} for name in _filled(chosen.names, weights)}
        return dataclasses.replace(chosen, image_size=image_size, settings=settings)
    if weights is not None:
        raise UsageError("--weights fills a peer, such as mobilevit_xxs; name it among MODELS.")
    comparison: Comparison = context.obj.take_comparison(image_size, against)
    context.obj.note(comparison.sentence)
    return comparison


def runtimes_of(
    chosen: Comparison, text: str | None, places: Sequence[Place], *, exporting: bool
) -> RuntimePlan:
    """Return the runtimes of each device; see `affnet.bench.measurement.runtimes.plan_runtimes`."""
    from affnet.bench.measurement.runtimes import plan_runtimes
    from affnet.runtimes import file_format, get_runtime, names_artifact

    def check(runtime: str) -> None:
        from affnet.export.converters import check_installed, get_converter

        check_installed(get_converter(get_runtime(runtime).format))

    format_ = file_format(chosen.names)
    must_export = exporting and not all(map(names_artifact, chosen.names))
    return plan_runtimes(text, places, format_, check if must_export else lambda _: None)


def check_models(chosen: Comparison, runtimes: Sequence[str]) -> None:
    """Refuse what `export_jobs` would refuse before it converts anything; write nothing.

    Raises:
        AffnetError: as `affnet.model.source.check_source` and `open_of_format`.
    """
    from affnet.export.open_or_export import check_takes_weights, open_of_format
    from affnet.model.source_file import check_source_file
    from affnet.runtimes import get_runtime, names_artifact

    for name in chosen.names:
        settings = _split(chosen.settings.get(name, {}))
        check_takes_weights(name, settings["weights"])
        if names_artifact(name):
            for runtime in runtimes:
                open_of_format(name, get_runtime(runtime).format, chosen.image_size)
        else:
            check_source_file(name)
            from affnet.model.source import check_source

            check_source(
                name,
                image_size=chosen.image_size,
                weights=settings["weights"],
                **settings["settings"],
            )


def export_jobs(
    chosen: Comparison,
    runtimes: Sequence[str],
    fft: str,
    folder: Path,
    show: Callable[[str], None],
) -> dict[str, list[Job]]:
    """Open or export what is measured, for each runtime; peers at their models' image sizes."""
    from affnet.bench.measurement.interleaved import label_jobs
    from affnet.export.open_or_export import open_or_export, open_or_export_peer
    from affnet.runtimes import get_runtime

    jobs = {}
    for runtime in runtimes:
        form = get_runtime(runtime).format
        found: dict[str, Artifact] = {}
        for name in sorted(chosen.names, key=chosen.sized_like.__contains__):  # models first
            rest = _split(chosen.settings.get(name, {}))
            if name not in chosen.sized_like or chosen.image_size is not None:
                made = open_or_export(name, form, chosen.image_size, fft, folder, show, **rest)
            else:
                like = found[chosen.sized_like[name]]
                made = open_or_export_peer(name, like, fft, folder, show, **rest)
            found[name] = made
        jobs[runtime] = label_jobs([found[name] for name in chosen.names], runtime)
    return jobs


def related(chosen: Comparison, jobs: dict[str, list[Job]]) -> dict[str, str] | None:
    """Return the row that each row's ratio is to, None where nothing is compared."""
    peers = chosen.peers | {peer: peer for peer in chosen.peers.values()}
    found: dict[str, str] = {}
    for entries in jobs.values():
        labels = {name: job.label for name, job in zip(chosen.names, entries, strict=True)}
        found |= {labels[name]: labels[peer] for name, peer in peers.items()}
    return found or None


def peers(chosen: Comparison, jobs: dict[str, list[Job]]) -> list[str]:
    """Return the rows of all peers."""
    found: dict[str, None] = {}
    for entries in jobs.values():
        labels = {name: job.label for name, job in zip(chosen.names, entries, strict=True)}
        found |= dict.fromkeys(labels[name] for name in chosen.names if name in chosen.sized_like)
    return list(found)


def _split(settings: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in settings.items() if key != "weights"}
    return {"weights": settings.get("weights"), "settings": rest}


def _filled(names: list[str], weights: Path | None) -> list[str]:
    """Return the only peer among ``names``, which ``--weights`` is for."""
    if weights is None:
        return []
    from affnet.model.source import is_peer

    peers = [name for name in names if is_peer(name)]
    if not peers:
        raise UsageError("--weights fills a peer, such as mobilevit_xxs, and here is none.")
    if len(peers) > 1:
        raise UsageError(
            f"--weights fills one peer, and these are {len(peers)}: {', '.join(peers)}; export "
            "each with its own and name the files."
        )
    return peers
