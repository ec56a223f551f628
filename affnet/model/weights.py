"""Weights out of a file and into a network, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from affnet.errors import CheckpointError

SAFETENSORS = ".safetensors"
_SHOWN = 3


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        CheckpointError: it is damaged or none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged or no safetensors file ({error})", "fetch it again."
        ) from error


def fill(path: Path, name: str, model: nn.Module, entries: Mapping[str, Tensor]) -> None:
    """Copy the entries of the file ``path`` into the network called ``name``.

    Raises:
        CheckpointError: as `check_fit`, or a value is not finite.
    """
    check_fit(path, name, model.state_dict(), entries)
    check_finite(path, entries)
    model.load_state_dict(entries, strict=False)


def check_finite(path: Path, entries: Mapping[str, Tensor]) -> None:
    """Raise `CheckpointError` that names the first entries with values that are not finite."""
    broken = [key for key, value in entries.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise CheckpointError(f"{path} has values that are not finite in {first_names(broken)}.")


def check_fit(
    path: Path, name: str, expected: Mapping[str, Tensor], entries: Mapping[str, Tensor]
) -> None:
    """Raise `CheckpointError` that names the first entries that ``name`` has not, or otherwise."""
    misshapen = [
        (key, value.shape, expected[key].shape)
        for key, value in entries.items()
        if key in expected and value.shape != expected[key].shape
    ]
    refuse_misfits(
        path, name, expected.keys() - entries.keys(), entries.keys() - expected.keys(), misshapen
    )


def refuse_misfits(
    path: Path,
    name: str,
    missing: Iterable[str],
    unexpected: Iterable[str],
    misshapen: Iterable[tuple[str, Sequence[int], Sequence[int]]],
) -> None:
    """Raise `CheckpointError` if there are any; ``misshapen`` has the shape found and expected."""
    # a counter of training steps; converters to other file formats drop it
    missing = sorted(key for key in missing if not key.endswith("num_batches_tracked"))
    found = {
        "missing": missing,
        "unexpected": sorted(unexpected),
        "misshapen": [
            f"{key} is {_shape(one)} instead of {_shape(other)}" for key, one, other in misshapen
        ],
    }
    problems = [f"{what}: {first_names(names)}" for what, names in found.items() if names]
    if problems:
        raise CheckpointError(f"{path} does not fit {name}; {'; '.join(problems)}.")


def first_names(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _shape(axes: Sequence[int]) -> str:
    return "x".join(map(str, axes)) or "a scalar"
