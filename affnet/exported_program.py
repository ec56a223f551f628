"""Loading ``torch.export`` programs without ever running code from the file."""

from __future__ import annotations

import io
import logging
import re
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from affnet.errors import ArtifactError
from affnet.reading import check_inflation, parse_json

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_PAYLOADS = re.compile(r"[^/]+/data/(weights|constants)/[^/]+_config\.json")
# What torch wrote before the payload configs, and what it loads as pickles still.
_LEGACY = re.compile(r"[^/]+/data/(weights|constants)/[^/]+\.pt")
_SAMPLES = re.compile(r"[^/]+/data/sample_inputs/[^/]+")
_OBJECTS = ("custom_obj_", "opaque_obj_")


def load_exported_program(path: Path) -> ExportedProgram:
    """Load a ``.pt2`` file.

    `torch.export.load` unpickles, with code, whatever the archive's payload configs ask it to.
    They are read first, and so are the sample inputs, which it would unpickle with code if that
    fails without; a file is refused unless all it holds are plain tensors.

    Raises:
        ArtifactError: the file is damaged, no exported program, or holds pickled objects.
    """
    check_archive(path)
    _refuse_pickles(path)
    import torch

    # torch logs a traceback before it raises; the sentence below is what the user needs
    logging.getLogger("torch.export").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(path)
    except Exception as error:  # torch raises nearly every kind here
        raise ArtifactError(f"PyTorch cannot load {path}; it is damaged or too new.") from error


def check_archive(path: Path) -> None:
    """Refuse what is no archive of an exported program, by its directory alone.

    Raises:
        ArtifactError: it is another file, or declares more than weights can be.
    """
    try:
        check_inflation(path)
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ArtifactError(f"{path} is damaged or no exported program.") from error
    except ValueError as error:
        raise ArtifactError(f"{path} cannot be loaded: {error}.") from error
    weights = [name for name in names if _PAYLOADS.fullmatch(name)]
    if not any(name.endswith("/archive_format") for name in names) or len(weights) < 2:
        raise ArtifactError(f"{path} is no exported program of torch 2.9 or later.")


def _refuse_pickles(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            configs = {name: archive.read(name) for name in names if _PAYLOADS.fullmatch(name)}
            samples = {name: archive.read(name) for name in names if _SAMPLES.fullmatch(name)}
    except (OSError, zipfile.BadZipFile, NotImplementedError, zlib.error) as error:
        raise ArtifactError(f"{path} is damaged or no exported program.") from error
    pickled = [name for name in names if _LEGACY.fullmatch(name)]
    try:
        for content in configs.values():
            pickled += [
                entry
                for entry, payload in parse_json(content)["config"].items()
                if payload["use_pickle"] or payload["path_name"].startswith(_OBJECTS)
            ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path} is damaged: its list of weights cannot be read.") from error
    pickled += [name for name, content in samples.items() if not _is_plain(content)]
    if pickled:
        raise ArtifactError(
            f"{path} holds pickled objects ({pickled[0]}), which affnet never loads because they "
            "could run code",
            "export the program again with plain tensors only.",
        )


def _is_plain(pickled: bytes) -> bool:
    """Return whether torch can load ``pickled`` without running code from it."""
    import torch

    try:
        torch.load(io.BytesIO(pickled), weights_only=True)
    except Exception:  # whatever is wrong with it, torch.export must not see it
        return False
    return True
