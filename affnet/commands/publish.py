"""``affnet publish``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affnet import console
from affnet.commands.options import JsonOption, QuietOption
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.artifact import Artifact

CARD = "README.md"
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")


def publish(
    file: Annotated[Path, typer.Argument(help="An exported artifact.")],
    *,
    to: Annotated[
        str, typer.Option("--to", metavar="hf://USER/NAME", help="A repository of Hugging Face's.")
    ],
    upload: Annotated[
        bool,
        typer.Option("--upload", help="Do it; otherwise show what would be uploaded, offline."),
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="A repository that is created is seen by you only.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="The repository may exist; its card is replaced.")
    ] = False,
    licence: Annotated[
        str | None,
        typer.Option(
            "--license", metavar="ID", help="Of the weights, such as apache-2.0; default: unknown."
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Results of affnet bench, whose latencies the card shows."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Upload an artifact, its manifest and signature, with a model card made from the manifest.

    Example: affnet publish emoji.onnx --to hf://me/emoji
    Then, after hf auth login: affnet publish emoji.onnx --to hf://me/emoji --upload
    """
    from affnet.artifact import Artifact
    from affnet.publishing import hub
    from affnet.publishing.card import model_card
    from affnet.publishing.contents import contents

    repository = hub.Repository.parse(to)
    if licence is not None and not _LICENCE.fullmatch(licence):
        raise UsageError(
            f"--license {licence!r} is no identifier of a licence", "name one, such as apache-2.0."
        )
    artifact = Artifact.open(file)
    card = model_card(artifact, repository.id, licence, _latencies(results, artifact))
    files: dict[str, Path | bytes] = {**contents(artifact), CARD: card.encode()}
    url = None
    if upload:
        with console.progress(quiet) as show:
            message = f"Publish {artifact.path.name}"
            url = hub.upload(repository, files, message, private=private, update=update, show=show)
    if json:
        console.print_json(_record(repository, files, card, url))
        return
    console.print_fields(_fields(repository, files, url))
    if not upload:
        console.print_text(f"\n{card}")
        console.note(f"Nothing was uploaded; add --upload to publish to {repository}.", quiet)
    if artifact.manifest.parity is None or not artifact.manifest.parity.passed:
        console.note("The card says that this file was not found to agree with PyTorch.", quiet)


def _latencies(results: Path | None, artifact: Artifact) -> str:
    """Return the table of the results that are of this very file, and of what stands beside it."""
    if results is None:
        return ""
    from affnet.bench.reporting.latency_table import to_markdown
    from affnet.bench.results.reading import read_results

    found = read_results(results)
    if not any(one.artifact_sha256 == artifact.manifest.sha256 for one in found):
        raise UsageError(
            f"{results} has no result of {artifact.path}",
            f"measure it with: affnet bench {artifact.path} -o {results}",
        )
    return to_markdown(found)


def _sizes(files: dict[str, Path | bytes]) -> dict[str, int]:
    return {
        name: len(content) if isinstance(content, bytes) else content.stat().st_size
        for name, content in files.items()
    }


def _record(
    repository: object, files: dict[str, Path | bytes], card: str, url: str | None
) -> dict[str, Any]:
    listed = [{"name": name, "bytes": size} for name, size in _sizes(files).items()]
    return {"repository": str(repository), "url": url, "files": listed, "card": card}


def _fields(
    repository: object, files: dict[str, Path | bytes], url: str | None
) -> list[tuple[str, str]]:
    listed = [("file", f"{name} ({size:,} bytes)") for name, size in _sizes(files).items()]
    return [("repository" if url is None else "published", url or str(repository)), *listed]
