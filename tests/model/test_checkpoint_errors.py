"""Files that are no checkpoint of this network: one clear sentence each, and no code is run."""

from __future__ import annotations

import argparse
import contextlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from affnet.errors import CheckpointError, UsageError
from affnet.model.checkpoint import read_checkpoint
from tests.model.files import save, state_dict

NOT_READABLE = "is not a checkpoint that torch can read, or it is damaged."
REMEDY = (
    "which affnet never loads because it could run code; where you trust the file, save its "
    "weights alone: torch.save(model.state_dict(), PATH)."
)


def noise_bytes(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(4096)


def error_of(path: Path, kind: type[UsageError] = CheckpointError, **options: Any) -> str:
    with pytest.raises(kind) as error:
        read_checkpoint(path, **options)
    assert type(error.value) is kind
    return str(error.value)


class Malicious:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return exec, (f"open({str(self.marker)!r}, 'w').close()",)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "pickle of protocol 2"])
def test_code_in_a_pickle_is_named_and_never_run(form: str, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    content = {"model_state_dict": {"w": torch.ones(2)}, "args": Malicious(marker)}
    path = tmp_path / "checkpoint.pt"
    if form.startswith("pickle"):
        protocol = 2 if form.endswith("2") else pickle.HIGHEST_PROTOCOL
        path.write_bytes(pickle.dumps({"args": Malicious(marker)}, protocol))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    module = "builtins" if form == "pickle" else "__builtin__"  # its name in old protocols
    assert error_of(path) == (
        f"{path} holds a pickled object besides tensors ({module}.exec), {REMEDY}"
    )
    assert not marker.exists()
    with contextlib.suppress(RuntimeError):  # of a bare pickle, once it has been executed
        torch.load(path, weights_only=False)  # the file does run code where it is trusted
    assert marker.exists()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_namespace_among_the_weights_is_named(legacy: bool, tmp_path: Path) -> None:
    content = {"model_state_dict": state_dict(), "opts": argparse.Namespace(lr=0.1)}
    path = save(tmp_path, content, _use_new_zipfile_serialization=not legacy)
    assert error_of(path) == (
        f"{path} holds a pickled object besides tensors (argparse.Namespace), {REMEDY}"
    )


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_called_damaged(share: float, legacy: bool, tmp_path: Path) -> None:
    path = save(tmp_path, state_dict(), _use_new_zipfile_serialization=not legacy)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    truncated = f"{path} is truncated: the end of the archive is missing; fetch it again."
    assert error_of(path) == (f"{path} {NOT_READABLE}" if legacy else truncated)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty; fetch it again."),
        (b"<html><body>404 Not Found</body></html>\n", NOT_READABLE),
        (b"conv_1 weights\nof my network\n", NOT_READABLE),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 5\n", NOT_READABLE),
        (noise_bytes(0), NOT_READABLE),
        (b"\x80\x02" + noise_bytes(1), NOT_READABLE),
    ],
    ids=["empty", "html", "text", "git-lfs pointer", "random", "random after a pickle's start"],
)
def test_a_file_of_another_kind_is_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    assert error_of(path) == f"{path} {sentence}"


@pytest.mark.parametrize(
    ("offset", "value"), [(8, 1), (10, 8), (10, 99)], ids=["encrypted", "deflated", "unknown"]
)
def test_a_damaged_directory_of_the_archive_is_called_damaged(
    offset: int, value: int, tmp_path: Path
) -> None:
    path = save(tmp_path, {"w": torch.ones(2)})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + offset] = value  # of data.pkl, its first entry
    path.write_bytes(content)
    assert error_of(path) == f"{path} {NOT_READABLE}"


@pytest.mark.parametrize("content", [b"", b"no header", noise_bytes(2), None])
def test_a_damaged_safetensors_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    if content is None:
        save_file(state_dict(), path)
        content = path.read_bytes()[:-100]
    path.write_bytes(content)
    message = error_of(path)
    assert message.startswith(f"{path} is damaged or no safetensors file (")
    assert message.endswith("); fetch it again.")


@pytest.fixture(scope="module")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, bytes]]:
    folder = tmp_path_factory.mktemp("small")
    content = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}
    paths = {
        "zip": save(folder, content, "zip.pt"),
        "legacy": save(folder, content, "legacy.pt", _use_new_zipfile_serialization=False),
        "safetensors": folder / "weights.safetensors",
    }
    save_file(content, paths["safetensors"])
    return {form: (path, path.read_bytes()) for form, path in paths.items()}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    form=st.sampled_from(["zip", "legacy", "safetensors"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    kept=st.floats(0, 1),
)
def test_whatever_the_damage_the_answer_is_a_sentence(
    small_files: dict[str, tuple[Path, bytes]],
    form: str,
    changes: list[tuple[float, int]],
    kept: float,
) -> None:
    path, content = small_files[form]
    damaged = bytearray(content)
    for position, value in changes:
        damaged[int(position * len(damaged))] = value
    path.write_bytes(damaged[: round(kept * len(damaged))])
    assert str(path) in error_of(path)


def without(*keys: str) -> dict[str, Tensor]:
    return {key: value for key, value in state_dict().items() if key not in keys}


def test_missing_entries_are_named(tmp_path: Path) -> None:
    path = save(tmp_path, without("conv_1.block.conv.weight", "classifier.fc.bias"))
    assert error_of(path) == (
        f"{path} does not fit affnet_et; missing: classifier.fc.bias, conv_1.block.conv.weight."
    )


def test_only_the_first_offenders_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    entries = {k: v for k, v in state_dict().items() if not k.startswith("layer_1.")}
    path = save(tmp_path, entries)
    assert error_of(path) == (
        f"{path} does not fit affnet_et; missing: layer_1.0.block.conv_3x3.block.conv.weight, "
        "layer_1.0.block.conv_3x3.block.norm.bias, "
        "layer_1.0.block.conv_3x3.block.norm.running_mean and 12 more."
    )


def test_unexpected_and_misshapen_entries_are_named_in_one_sentence(tmp_path: Path) -> None:
    entries = {
        **without("classifier.fc.bias"),
        "classifier.fc.bias": torch.zeros(9),
        "extra": torch.tensor(1.0),
    }
    path = save(tmp_path, entries)
    assert error_of(path) == (
        f"{path} does not fit affnet_et; unexpected: extra; "
        "misshapen: classifier.fc.bias is 9 instead of 6."
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    entries = state_dict()
    entries["layer_4.1.global_rep.2.filter.w1"] = entries[
        "layer_4.1.global_rep.2.filter.w1"
    ].clone()
    entries["layer_4.1.global_rep.2.filter.w1"][0, 3, 1, 1] = value
    path = save(tmp_path, entries)
    assert error_of(path) == (
        f"{path} has values that are not finite in layer_4.1.global_rep.2.filter.w1."
    )
