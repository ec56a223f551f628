"""``affnet package``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affnet import console
from affnet.commands.options import JsonOption, QuietOption
from affnet.errors import UsageError


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
        int, typer.Option(min=1, help="Threads of the model unless the app sets others.")
    ] = 1,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a folder that an app takes in: model, labels, code, runtime dependency, golden test.

    Example: affnet package emoji.onnx --for web
    """
    from affnet.package.build import build, default_folder, find_target

    find_target(target)
    folders = [default_folder(path, target) for path in artifacts]
    if output is not None:
        folders = [output] if len(artifacts) == 1 else [output / name for name in folders]
    if twice := sorted({str(one) for one in folders if folders.count(one) > 1}):
        raise UsageError(f"Several files would become {twice[0]}; make one after the other.")
    made = []
    with console.progress(quiet) as show:
        for path, folder in zip(artifacts, folders, strict=True):
            show(f"Packaging {path} for {target}")
            made.append(build(path, target, folder, threads))
    if json:
        console.print_json({"packages": [one.to_record() for one in made]})
        return
    for one in made:
        console.print_fields(
            {"package": str(one.folder), "runtime": one.runtime, "golden test": one.command}
        )
