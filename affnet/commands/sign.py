"""``affnet sign``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from affnet import console
from affnet.commands.options import JsonOption

PASSWORD_VARIABLE = "AFFNET_KEY_PASSWORD"  # noqa: S105


def sign(
    file: Annotated[Path, typer.Argument(help="An exported artifact.")],
    *,
    key: Annotated[
        Path, typer.Option("--key", help="A private key of an elliptic curve, in a PEM file.")
    ],
    json: JsonOption = False,
) -> None:
    """Sign a file and its manifest, offline; affnet verify --signed-by checks the signature.

    The password of the key, if it has one, is taken from AFFNET_KEY_PASSWORD.

    Example: affnet sign emoji.onnx --key key.pem
    """
    from affnet.publishing import signature

    made = signature.sign(file, key, os.environ.get(PASSWORD_VARIABLE))
    if json:
        console.print_json({"signature": str(made.path), "files": list(made.files)})
    else:
        console.print_fields({"signature": str(made.path), "signed": ", ".join(made.files)})
