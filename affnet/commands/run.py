"""``affnet run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affnet import console
from affnet.commands.options import JsonOption, QuietOption, assumed_of

if TYPE_CHECKING:
    from affnet.evaluation.pictures import Picture


def run(
    artifact: Annotated[
        Path, typer.Argument(help="A file that export made.  Default: what export wrote last.")
    ] = Path(),
    images: Annotated[list[Path], typer.Argument(help="Pictures of any size.")] = [],  # noqa: B006
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for what is drawn.")
    ] = Path(),
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Smallest score of a box that is drawn.")
    ] = 0.3,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run an artifact on pictures and show what it sees: classes, an overlay or boxes.

    Example: affnet run affnet_et_deeplabv3.onnx street.jpg --output seen
    """
    from affnet.runtimes.foreign import open_file

    opened = open_file(artifact)
    with console.progress(quiet) as show:
        show(f"Loading {artifact}")
        from affnet.evaluation.pictures import look_at

        pictures = look_at(opened, images, threshold, show)
        written = _write_drawings(pictures, output)
    if not opened.proven:
        console.note(assumed_of(artifact), quiet)
    if opened.manifest.provenance.weights.startswith("random"):
        console.note(f"{opened.manifest.model} has random weights; this means nothing.", quiet)
    records = [_record(picture, path) for picture, path in zip(pictures, written, strict=True)]
    if json:
        task, name = opened.manifest.task, str(artifact)
        proven = opened.proven
        console.print_json({"artifact": name, "proven": proven, "task": task, "results": records})
        return
    for record in records:
        console.print_fields(_fields(record))


def _write_drawings(pictures: list[Picture], output: Path) -> list[Path | None]:
    """Write all drawings into a folder, or none; pictures of the same name are numbered."""
    from affnet.files import publish, staging_folder, translating_os_errors

    if all(picture.drawing is None for picture in pictures):
        return [None] * len(pictures)
    taken: set[str] = set()
    names = []
    for picture in pictures:
        name, number = f"{picture.path.stem}.seen.png", 1
        while name in taken:
            number += 1
            name = f"{picture.path.stem}-{number}.seen.png"
        taken.add(name)
        names.append(name)
    with staging_folder(output) as staging:
        with translating_os_errors(output):
            for picture, name in zip(pictures, names, strict=True):
                assert picture.drawing is not None  # all are of one task
                picture.drawing.save(staging / name)
        return [*publish([staging / name for name in names], output)]


def _record(picture: Picture, written: Path | None) -> dict[str, Any]:
    return {
        "image": str(picture.path),
        "drawing": str(written) if written else None,
        "classes": list(picture.classes),
        "objects": list(picture.objects),
    }


def _fields(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Return pairs, as a class may be called like another, or like what stands above it."""
    from affnet.units import PERCENT

    fields = [("image", record["image"])]
    if record["drawing"]:
        fields.append(("drawn", record["drawing"]))
    fields += [
        (entry["label"], PERCENT.text(entry.get("score", entry.get("share"))))
        for entry in record["classes"]
    ]
    for number, entry in enumerate(record["objects"], start=1):
        box = ", ".join(f"{side:.0f}" for side in entry["box"])
        fields.append((f"{number}. {entry['label']}", f"{PERCENT.text(entry['score'])} at {box}"))
    if record["drawing"] and not record["classes"] and not record["objects"]:
        fields.append(("objects", "none above the threshold"))
    return fields
