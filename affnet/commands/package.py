"""``affnet package``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affnet import console
from affnet.commands.options import JsonOption, QuietOption
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.bench.results.fastest import Fastest
    from affnet.bench.results.result import Result


def package(
    artifacts: Annotated[list[Path], typer.Argument(help="Files that export made.")],
    *,
    target: Annotated[
        str,
        typer.Option(
            "--for", metavar="TARGET", help="What takes it in: python, web, cpp, android or ios."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The new folder; of several files, the folder of theirs.  "
            "Default: NAME-FORMAT-TARGET in this one.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads of the model unless the app sets others; default: 1."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Results of affnet bench: threads and accelerator of the fastest are taken."
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a folder that an app takes in: model, labels, code, runtime dependency, golden test.

    Example: affnet package emoji.onnx --for web
    """
    from affnet.bench.results.reading import read_results
    from affnet.package.build import build, default_folder, find_target

    kinds = find_target(target).kinds
    if threads is not None and results is not None:
        raise UsageError("--threads and --results both choose the threads", "give one of them.")
    measured = read_results(results) if results is not None else []
    folders = [default_folder(path, target) for path in artifacts]
    if output is not None:
        folders = [output] if len(artifacts) == 1 else [output / name for name in folders]
    if twice := sorted({str(one) for one in folders if folders.count(one) > 1}):
        raise UsageError(f"Several files would become {twice[0]}; make one after the other.")
    made = []
    with console.progress(quiet) as show:
        for path, folder in zip(artifacts, folders, strict=True):
            show(f"Packaging {path} for {target}")
            best = _fastest(path, measured, results, kinds) if results is not None else None
            if best is None:
                made.append(build(path, target, folder, threads or 1))
                continue
            how = {"accelerator": best.accelerator, "measured": best.sentence}
            made.append(build(path, target, folder, best.threads, **how))
    if json:
        console.print_json({"packages": [one.to_record() for one in made]})
        return
    for one in made:
        console.print_fields(
            {"package": str(one.folder), "runtime": one.runtime, "golden test": one.command}
        )


def _fastest(
    path: Path, measured: Sequence[Result], results: Path, kinds: tuple[str, ...]
) -> Fastest:
    """Return what the results say of a file on devices of a package's kinds."""
    from affnet.artifact import Artifact
    from affnet.bench.results.fastest import fastest

    if found := fastest(measured, Artifact.open(path).manifest.sha256, kinds):
        return found
    raise UsageError(
        f"{results} has no valid result of {path} on a device of the kind {' or '.join(kinds)}",
        f"measure it there with each number of threads: affnet bench {path} --device NAME "
        "--threads 2 -o results.jsonl",
    )
