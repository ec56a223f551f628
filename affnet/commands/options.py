"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affnet import console
from affnet.errors import UsageError


def _reserve_stdout(context: typer.Context, asked: bool) -> bool:
    """Let nothing but the JSON object reach stdout, from now until the command has ended."""
    if asked:
        context.with_resource(console.stdout_reserved())
    return asked


JsonOption = Annotated[
    bool,
    typer.Option("--json", callback=_reserve_stdout, help="Print one JSON object on stdout."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]
RuntimesOption = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        help="onnxruntime, litert, executorch, coreml (on a Mac) or torch, several of them, or "
        "all; default: those that the device is at home in.",
    ),
]
SizeOption = Annotated[
    str | None, typer.Option("--image-size", metavar="HxW", help="Default: the source's own.")
]
DevicesFileOption = Annotated[
    Path | None, typer.Option("--devices-file", help="Instead of ~/.config/affnet/devices.toml.")
]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", envvar="AFFNET_STORE", help="A SQLite file or URL that keeps results."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Training config (YAML) of a checkpoint.")
]
LabelsOption = Annotated[
    Path | None, typer.Option("--labels", help="Class names, one a line, instead of its own.")
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="PATH",
        help="Of a peer: a safetensors file, or its folder, as save_pretrained writes it.",
    ),
]
VerifyOnOption = Annotated[
    Path | None,
    typer.Option(
        "--verify-on",
        metavar="PATH",
        help="Verify also on these inputs: a folder of pictures or .npy files, or an .npz file.",
    ),
]


def parse_size(text: str | None, option: str = "--image-size") -> tuple[int, int] | None:
    """Parse ``HxW``, or one number for both sides."""
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise UsageError(f"{option} {text!r} is not HxW, such as 256x256 or 192x320.")
    return int(sides[0]), int(sides[-1])
