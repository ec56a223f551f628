"""Artifacts that commands exported for themselves, kept for the next run.

An artifact's key holds all that it depends on: its source to the byte, the options, affnet's code
and the versions of all tools.  What a network of the user's own is made of cannot be known from its
name, so that it is loaded, and its program is the key.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affnet import __version__
from affnet.artifact import Artifact, manifest_path
from affnet.cache import KINDS, FolderCache, code_hash
from affnet.errors import AffnetError, UsageError
from affnet.files import all_files, content_sha256
from affnet.units import parse_quantity

if TYPE_CHECKING:
    from affnet.model.source import Source

#: Of the environment: whether exports are made anew, and how much is kept.
OFF_VARIABLE, SIZE_VARIABLE = "AFFNET_NO_CACHE", "AFFNET_CACHE_SIZE"
_DEFAULT_SIZE = "2 GB"
#: Packages whose versions decide what a network is, and what an exported file holds.
TOOLS = (
    "ai-edge-litert", "ai-edge-quantizer", "coreai-core", "coreai-torch", "coremltools",
    "executorch", "litert-quantizer", "litert-torch", "MNN", "ncnn", "numpy", "onnx", "onnxruntime",
    "onnxscript", "onnxsim", "openvino", "pnnx", "safetensors", "timm", "torch", "torchvision",
    "transformers",
)  # fmt: skip
_PACKAGE = Path(__file__).parents[1]
#: affnet's code that decides them; none of it is in `commands`, `bench` or `devices`.
_CODE = ("export", "model", "runtimes", "artifact.py", "exported_program.py", "parity.py")
#: What is read beside a checkpoint, and beside a peer's weights.
_BESIDE_CHECKPOINT, _BESIDE_WEIGHTS = ("*.yaml", "*.yml", "labels.txt"), ("*.json",)
_off: ContextVar[bool] = ContextVar("_off", default=False)


@contextmanager
def switched_off() -> Iterator[None]:
    """Neither take from the cache nor keep anything in it."""
    token = _off.set(True)
    try:
        yield
    finally:
        _off.reset(token)


def is_on() -> bool:
    """Return whether artifacts are taken and kept."""
    return not _off.get() and os.environ.get(OFF_VARIABLE, "") in ("", "0")


def artifact_key(
    model: str, options: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return what an artifact of a source depends on; None where the source has to be loaded.

    ``settings`` are those of `affnet.model.source.load_source`.
    """
    path = Path(model)
    if path.is_file():
        origin = [model, _hashes(path, _BESIDE_CHECKPOINT)]
    elif ":" in model and not model.startswith(("timm:", "torchvision:")):
        return None  # module:function
    else:
        origin = [model]
    given = {
        name: _hashes(value, _BESIDE_WEIGHTS) if isinstance(value, Path) else value
        for name, value in settings.items()
    }
    return _key(origin, options, given)


def program_key(source: Source, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what an artifact of a network of the user's own depends on; None where unknown."""
    import torch

    program = source.program
    if program is None:
        return None
    digest = hashlib.sha256(str(program).encode())
    for node in program.graph.nodes:
        digest.update(repr((node.name, list(node.meta.get("nn_module_stack", ())))).encode())
    for name, value in sorted({**program.state_dict, **program.constants}.items()):
        if not isinstance(value, torch.Tensor):
            return None  # an object, of which a hash says nothing
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(
            value.detach().contiguous().cpu().view(-1).view(torch.uint8).numpy().tobytes()
        )
    for array in source.example or ():
        digest.update(array.tobytes())
    return _key([source.name, source.provenance.location, digest.hexdigest()], options, {})


def _key(
    origin: list[Any], options: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "source": origin,
        "options": dict(options),
        "settings": dict(settings),
        "affnet": [__version__, code_hash(*(_PACKAGE / part for part in _CODE))],
        "data": _data(origin[0]),
        "tools": tool_versions(),
        "python": sys.version.split()[0],
        # a home folder may be shared: what one architecture has proven says nothing of another
        "machine": [platform.system(), platform.machine()],
    }


def take(key: dict[str, Any], folder: Path) -> Artifact | None:
    """Copy the artifact of ``key`` into ``folder`` if the cache has it, whole."""
    cache = _cache()
    with contextlib.suppress(AffnetError):
        if cache.take(_digest(key), folder):
            for path in folder.iterdir():
                if manifest_path(path).exists():
                    return Artifact.open(path)
    return None


def keep(key: dict[str, Any], artifact: Artifact) -> None:
    """Keep an artifact; a cache that cannot be written is no error."""
    cache = _cache()
    with contextlib.suppress(AffnetError):
        cache.keep(_digest(key), [*all_files(artifact.path), manifest_path(artifact.path)])


def limit_bytes() -> float:
    """Return how much the cache keeps.

    Raises:
        UsageError: ``AFFNET_CACHE_SIZE`` is no size.
    """
    text = os.environ.get(SIZE_VARIABLE) or _DEFAULT_SIZE
    try:
        return parse_quantity(text, "bytes")
    except ValueError as error:
        raise UsageError(
            f"{SIZE_VARIABLE} is {text!r}", "set it to a size such as '500 MB' or '2 GB'."
        ) from error


def _cache() -> FolderCache:
    return FolderCache(KINDS["artifacts"].location(), limit_bytes())


def _digest(key: dict[str, Any]) -> str:
    text = json.dumps(key, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _hashes(path: Path, beside: tuple[str, ...]) -> list[str]:
    """Return where a file or folder is, and the hashes of it and of what is read beside it."""
    folder = path if path.is_dir() else path.parent
    others = sorted({p for pattern in beside for p in folder.glob(pattern) if p.is_file()})
    return [str(path.resolve()), *(f"{p.name} {content_sha256(p)}" for p in [path, *others])]


def _data(model: str) -> str | None:
    """Return the hash of a bundled source, whose weights are no code."""
    folder = _PACKAGE / "data" / model
    return content_sha256(folder) if folder.is_dir() and "/" not in model else None


def tool_versions() -> dict[str, str | None]:
    """Return the versions of `TOOLS`, None of one that is not installed."""
    return {tool: _version(tool) for tool in TOOLS}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
