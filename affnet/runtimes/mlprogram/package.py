"""The files of an ``.mlpackage``: its manifest, its model file and the files beside it.

Layout on disk::

    name.mlpackage/
      Manifest.json                            which item is the model
      Data/com.apple.CoreML/model.mlmodel      the Model message
      Data/com.apple.CoreML/weights/weight.bin large constants, named by the model's constants

A path in the manifest or in the model is not trusted: after every symlink is followed it must
still lie inside the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affnet.errors import ArtifactError
from affnet.reading import parse_json, read_text

#: How constants of a model name the folder of the model file.
_MODEL_FOLDER = "@model_path/"


@dataclass(frozen=True)
class Package:
    """A package whose manifest is sound: its folder and its model file."""

    root: Path
    model_file: Path

    def beside_model(self, name: str) -> Path:
        """Return the file that a constant of the model calls ``name``.

        Raises:
            ArtifactError: the file lies outside the package or does not exist.
        """
        path = _inside(self.root, self.model_file.parent / name.removeprefix(_MODEL_FOLDER), name)
        if not path.is_file():
            raise ArtifactError(f"{self.root} lacks its weight file {name}", "export it again.")
        return path


def open_package(path: Path) -> Package:
    """Read the manifest of the ``.mlpackage`` at ``path``.

    Raises:
        ArtifactError: the path is no package, or its manifest is missing, damaged or unsafe.
    """
    if path.is_file():
        raise ArtifactError(f"{path} is a file", "give a folder named *.mlpackage.")
    if not path.is_dir():
        raise ArtifactError(f"{path} does not exist", "give the path of an .mlpackage.")
    manifest_file = path / "Manifest.json"
    if not manifest_file.is_file():
        raise ArtifactError(f"{path} is not an .mlpackage: it has no Manifest.json.")
    try:
        manifest = parse_json(read_text(manifest_file))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{manifest_file} cannot be read: {error}.") from error
    return Package(path, _model_file(path, manifest))


def _model_file(root: Path, manifest: Any) -> Path:
    try:
        name = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
    except (KeyError, TypeError) as error:
        raise ArtifactError(
            f"{root / 'Manifest.json'} does not say which file is the model."
        ) from (error)
    if not isinstance(name, str):
        raise ArtifactError(f"{root / 'Manifest.json'} does not give the model's path as a string.")
    path = _inside(root, root / "Data" / name, name)
    if not path.is_file():
        raise ArtifactError(f"{root} lacks its model file {name}", "export it again.")
    return path


def _inside(root: Path, path: Path, name: str) -> Path:
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of symlinks, a NUL in the name
        raise ArtifactError(f"{root} names a path that cannot be followed, {name!r}.") from error
    if not resolved.is_relative_to(root.resolve()):
        raise ArtifactError(f"{root} points outside itself, to {name!r}; it may be unsafe.")
    return resolved
