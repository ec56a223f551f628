"""The message classes of Core ML's format, without importing coremltools.

The classes that coremltools generates from Core ML's ``.proto`` files are plain modules beside
each other, but ``import coremltools.proto`` runs the initialiser of coremltools first: many
seconds in which it loads torch and scikit-learn and prints warnings.  Here the same files are
imported under a package name of our own, so that initialiser never runs: it takes less than a
tenth of a second and prints nothing.  It is safe beside a real import of coremltools, in either
order, because protobuf registers identical descriptors once and hands out the same classes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from affnet.errors import ArtifactError, MissingError, require

_ALIAS = "_affnet_coreml_proto"


def read_model(path: Path) -> Any:
    """Read the ``Model`` message in the file at ``path``.

    Raises:
        ArtifactError: the file cannot be read or holds something else.
        MissingError: coremltools is not installed, or keeps its messages elsewhere.
    """
    message_class = _module("Model_pb2").Model
    failure = importlib.import_module("google.protobuf.message").DecodeError
    try:
        return message_class.FromString(path.read_bytes())
    except failure as error:
        raise ArtifactError(
            f"{path} is damaged: it is no Core ML model", "export it again."
        ) from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error}.") from error


def _module(name: str) -> ModuleType:
    require("coremltools", extra="coreml", purpose="Reading Core ML models")
    loaded = sys.modules.get(f"coremltools.proto.{name}")
    if loaded is not None:
        return loaded
    if _ALIAS not in sys.modules:
        package = ModuleType(_ALIAS)
        package.__path__ = [str(_folder())]
        sys.modules[_ALIAS] = package
    return importlib.import_module(f"{_ALIAS}.{name}")


def _folder() -> Path:
    spec = importlib.util.find_spec("coremltools")
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location, "proto")
        if (folder / "Model_pb2.py").is_file():
            return folder
    raise MissingError(
        "The installed coremltools does not hold Core ML's message classes",
        "run: pip install 'affnet[coreml]'",
    )
