"""``affnet run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affnet import console
from affnet.commands.options import JsonOption, QuietOption, assumed_of
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.evaluation.pictures import Picture


def run(
    artifact: Annotated[
        Path, typer.Argument(help="A file that export made.  Default: what export wrote last.")
    ] = Path(),
    images: Annotated[list[Path], typer.Argument(help="Pictures of any size.")] = [],  # noqa: B006
    inputs: Annotated[
        list[str],
        typer.Option(
            "--input",
            metavar="NAME=FILE",
            help="An input as an array, tokens=words.npy, or an .npz file with all.  Repeat.",
        ),
    ] = [],  # noqa: B006
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for what is drawn, or comes out.")
    ] = Path(),
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Smallest score of a box that is drawn.")
    ] = 0.3,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run an artifact on pictures and show what it sees: classes, an overlay or boxes.

    Example: affnet run affnet_et_deeplabv3.onnx street.jpg --output seen
    On arrays, whose outputs are written: affnet run net.onnx --input tokens=words.npy
    """
    if inputs and images:
        raise UsageError("Pictures and --input exclude each other; give either.")
    from affnet.runtimes.foreign import open_file

    if inputs:
        _run_on_tensors(artifact, inputs, output, json, quiet)
        return
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


def _run_on_tensors(path: Path, inputs: list[str], output: Path, json: bool, quiet: bool) -> None:
    """Run an artifact on arrays, write what comes out into one file, and describe it."""
    from affnet.evaluation.tensors import run_on_tensors
    from affnet.files import publish, staging_folder, translating_os_errors, write_arrays
    from affnet.runtimes.foreign import open_file

    opened = open_file(path)
    with console.progress(quiet) as show:
        show(f"Running {path}")
        found = run_on_tensors(opened, inputs)
        with staging_folder(output) as staging:
            file = staging / f"{path.stem}.outputs.npz"
            with translating_os_errors(output):
                write_arrays(file, found)
            (written,) = publish([file], output)
    if not opened.proven:
        console.note(assumed_of(path), quiet)
    records: list[dict[str, Any]] = [
        {
            "name": name,
            "shape": list(array.shape),
            "dtype": array.dtype.name,
            "min": float(array.min()) if array.size else None,
            "max": float(array.max()) if array.size else None,
        }
        for name, array in found.items()
    ]
    if json:
        given = {"artifact": str(path), "proven": opened.proven, "written": str(written)}
        console.print_json(given | {"outputs": records})
        return
    fields = [("written", str(written))]
    for record in records:
        shape = "x".join(map(str, record["shape"])) or "a scalar"
        bounds = "" if record["min"] is None else f", {record['min']:.4g} .. {record['max']:.4g}"
        fields.append((record["name"], f"{shape} {record['dtype']}{bounds}"))
    console.print_fields(fields)


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
