"""What is wrong with a source's file, found without torch, whose import takes seconds.

Nothing is unpickled, and of an archive only the directory is read.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickletools
import re
import zipfile
from pathlib import Path

from affnet.errors import CheckpointError, UsageError
from affnet.exported_program import check_archive
from affnet.files import is_path
from affnet.reading import check_inflation, check_memory, existing_file

SAFETENSORS = ".safetensors"
PROGRAM_SUFFIX = ".pt2"
_FUNCTION_OF_FILE = re.compile(r"(.+)\.py:(\w+)")
_ZIP = b"PK\x03\x04"
_LEGACY_MAGIC = bytes.fromhex("6cfc9c46f9206aa85019")  # in what torch wrote before archives
_LARGEST_PICKLE = 1 << 24  # bytes; that of a network with a thousand weights has a hundredth
_TENSOR_OBJECTS = ("torch.", "collections.OrderedDict")  # what state dicts are made of
_LEGACY_PICKLES = 5  # torch's format before archives: three of a header, the content, its keys


def check_source_file(source: str) -> None:
    """Refuse a SOURCE that is the path of a file that cannot be read as one; names pass.

    Raises:
        UsageError: there is no such file, or a function's is named instead of its module.
        CheckpointError: as `check_weight_file`.
        ArtifactError: it is no exported program.
    """
    if (of_file := _FUNCTION_OF_FILE.fullmatch(source)) and not os.path.lexists(source):
        file, function = os.path.normpath(of_file[1]), of_file[2]
        elsewhere = file.startswith((os.sep, os.pardir))
        module = Path(file).name if elsewhere else file.replace(os.sep, ".")
        raise UsageError(
            f"{source} names a file, not a module",
            f"name the function as Python imports it from {'there' if elsewhere else 'here'}: "
            f"{f'cd {Path(file).parent} and ' if elsewhere else ''}{module}:{function}.",
        )
    path = Path(source)
    if not is_path(source) or (":" in source and not os.path.lexists(source)):
        return  # a name, or a library's network or a function, in which ":" stands
    if path.suffix == PROGRAM_SUFFIX:
        check_program_file(path)
    else:
        check_weight_file(path)


def check_program_file(path: Path) -> None:
    """Refuse what is no file of an exported program; see `check_source_file`."""
    if not os.path.lexists(path):
        raise UsageError(f"{path} does not exist", "write it with torch.export.save.")
    check_archive(existing_file(path, "an exported program"))


def check_weight_file(path: Path) -> None:
    """Refuse what is no file of weights, or declares more than it can hold.

    Raises:
        UsageError: there is no such file.
        CheckpointError: it is empty, damaged, of another kind, or does not fit into memory.
    """
    existing_file(path, "a checkpoint")
    try:
        check_memory(path.stat().st_size)
        check_inflation(path)
        if path.suffix == SAFETENSORS:
            _check_safetensors(path)
        else:
            _check_pickled(path)
    except ValueError as error:
        raise CheckpointError(f"{path} cannot be loaded: {error}.") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error


def _check_safetensors(path: Path) -> None:
    """Let the library check the header: lengths, types, and that the offsets fill the file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np"):
            pass
    except SafetensorError as error:
        raise damaged_safetensors(path, error) from error


def damaged_safetensors(path: Path, error: Exception) -> CheckpointError:
    """Return what is raised for a safetensors file that is none."""
    problem = f"{path} is damaged or no safetensors file ({error})"
    return CheckpointError(problem, "fetch it again.")


def _check_pickled(path: Path) -> None:
    """Refuse what torch could not load: it reads an archive, or begins with its number."""
    with path.open("rb") as file:
        start = file.read(64)
    if not start.startswith(_ZIP):
        if _LEGACY_MAGIC not in start:
            raise unreadable(path)
        return
    if not zipfile.is_zipfile(path):
        raise unreadable(path)
    with contextlib.suppress(zipfile.BadZipFile, NotImplementedError), zipfile.ZipFile(path) as one:
        for entry in one.infolist():
            if entry.filename.endswith("data.pkl") and entry.file_size > _LARGEST_PICKLE:
                raise ValueError(f"its list of weights alone has {entry.file_size / 1e6:.0f} MB")


def unreadable(path: Path) -> CheckpointError:
    """Return what is raised for a file that torch cannot load: the reason that it shows."""
    foreign = _foreign_objects(path)
    return CheckpointError(_foreign_message(path, foreign[0]) if foreign else _damage_message(path))


def _foreign_objects(path: Path) -> list[str]:
    """Name the objects other than tensors that a pickle would build, by reading its opcodes.

    Nothing is unpickled.  ``path`` is torch's archive with a ``data.pkl``, or bare pickles.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            pickled = archive.read(member)
    except Exception:  # no archive, or a damaged one: zipfile raises many kinds
        with path.open("rb") as file:
            pickled = file.read(_LARGEST_PICKLE)
    names, stream = [], io.BytesIO(pickled)
    # a damaged pickle names nothing reliably, and what is none, such as text, nothing at all
    with contextlib.suppress(Exception):
        for _ in range(_LEGACY_PICKLES):
            names += _pickled_names(stream)
    return [name for name in names if not name.startswith(_TENSOR_OBJECTS)]


def _pickled_names(stream: io.BytesIO) -> list[str]:
    """Name all objects of one pickle, and leave ``stream`` at its end."""
    names, strings = [], [""]
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name == "GLOBAL":
            names.append(str(argument).replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL":
            names.append(".".join(strings[-2:]))
        elif isinstance(argument, str):
            strings.append(argument)
    return names


def _foreign_message(path: Path, name: str) -> str:
    return (
        f"{path} holds a pickled object besides tensors ({name}), which affnet never loads "
        "because it could run code; where you trust the file, save its weights alone: "
        "torch.save(model.state_dict(), PATH)."
    )


def _damage_message(path: Path) -> str:
    with path.open("rb") as file:
        is_zip = file.read(4) == _ZIP
    if path.stat().st_size == 0:
        return f"{path} is empty; fetch it again."
    if is_zip and not zipfile.is_zipfile(path):
        return f"{path} is truncated: the end of the archive is missing; fetch it again."
    return f"{path} is not a checkpoint that torch can read, or it is damaged."
