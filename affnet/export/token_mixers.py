"""Exporting token mixers alone, and which formats can hold them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from affnet.artifact import Artifact
from affnet.errors import AffnetError, MissingError, OutputError
from affnet.export.converters import get_converter
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.mixers.alone import mixer_source


def export_mixer(
    name: str,
    channels: int,
    size: tuple[int, int],
    format_: str,
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> Artifact | str:
    """Export a mixer for maps of ``size``, or return why the format cannot hold it.

    Raises:
        MissingError: what the format needs is not installed.
        OutputError: the file could not be written.
    """
    channels_last = "NHWC" in get_converter(format_).layouts
    try:
        source = mixer_source(name, channels, size, channels_last=channels_last)
        return export_artifact(source, ExportOptions(format_, precision="fp32"), folder, progress)
    except (MissingError, OutputError):
        raise
    except AffnetError as error:
        return str(error)
