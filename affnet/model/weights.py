"""Weights out of a file and into a network, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from affnet.errors import CheckpointError
from affnet.model.source_file import damaged_safetensors

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
        raise damaged_safetensors(path, error) from error


def fill(path: Path, name: str, model: nn.Module, entries: Mapping[str, Tensor]) -> None:
    """Copy the entries of the file ``path`` into the network called ``name``.

    Raises:
        CheckpointError: as `check_fit`, `check_kinds` and `check_finite`.
    """
    expected = model.state_dict()
    check_fit(path, name, expected, entries)
    check_kinds(path, name, expected, entries)
    check_finite(path, entries)
    model.load_state_dict(entries, strict=False)


def check_plain(path: Path, entries: Mapping[str, Tensor]) -> None:
    """Raise `CheckpointError` that names the first entries that are no ordinary tensors.

    One is ordinary that holds every value it has, one after the other, as the numbers they are.
    """
    odd = {key: kind for key, value in entries.items() if (kind := _oddity(value))}
    if odd:
        kind = next(iter(odd.values()))
        raise CheckpointError(
            f"{path} holds {kind} in {first_names([key for key in odd if odd[key] == kind])}",
            "save ordinary tensors, which hold all their values.",
        )


def _oddity(value: Tensor) -> str | None:
    """Say what a tensor is instead of an ordinary one."""
    if value.is_nested:
        return "nested tensors"
    if value.layout != torch.strided:
        return "sparse tensors"
    if value.is_quantized:
        return "quantized tensors"
    if value.is_meta:
        return "tensors without values (of the device meta)"
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return "tensors that repeat the values they hold"
    return None


def check_kinds(
    path: Path, name: str, expected: Mapping[str, Tensor], entries: Mapping[str, Tensor]
) -> None:
    """Raise `CheckpointError` that names the first entries whose numbers are of another kind.

    Copying would drop an imaginary part, and take the integers of a quantized network for weights.
    """
    other = {
        key: f"{str(value.dtype).removeprefix('torch.')} numbers"
        for key, value in entries.items()
        if key in expected and not _holds(expected[key].dtype, value.dtype)
    }
    if other:
        kind = next(iter(other.values()))
        raise CheckpointError(
            f"{path} does not fit {name}: it holds {kind} in "
            f"{first_names([key for key in other if other[key] == kind])}."
        )


def _holds(own: torch.dtype, other: torch.dtype) -> bool:
    """Return whether numbers of one type can be copied into the other and mean the same."""
    if own.is_complex or not own.is_floating_point:  # the latter are counters
        return not other.is_complex or own.is_complex
    return other.is_floating_point


def check_finite(path: Path, entries: Mapping[str, Tensor]) -> None:
    """Raise `CheckpointError` that names the first entries with values beyond float32's."""
    broken = [key for key, value in entries.items() if not _is_finite(value)]
    if broken:
        raise CheckpointError(f"{path} has values that are not finite in {first_names(broken)}.")


def _is_finite(value: Tensor) -> bool:
    """Return whether float32 holds all values; some narrow types know no `torch.isfinite`."""
    value = torch.view_as_real(value.resolve_conj()) if value.is_complex() else value
    return bool(torch.isfinite(value.float()).all())


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
