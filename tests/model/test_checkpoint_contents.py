"""Checkpoints of more, or of other numbers, than a network's weights: refused, never converted."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from affnet import reading
from affnet.errors import ArtifactError, CheckpointError
from affnet.model import source_file
from affnet.model.checkpoint import read_checkpoint
from affnet.model.source_file import check_source_file, check_weight_file
from affnet.model.weights import check_kinds
from affnet.processes import module_environment
from tests.model.files import save, state_dict

KEY = "classifier.fc.weight"
NOT_ORDINARY = "; save ordinary tensors, which hold all their values."

ODD: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "sparse": (Tensor.to_sparse, "sparse tensors"),
    "compressed rows": (Tensor.to_sparse_csr, "sparse tensors"),
    "quantized": (
        lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8),
        "quantized tensors",
    ),
    "nested": (lambda value: torch.nested.nested_tensor([value, value]), "nested tensors"),
    "meta": (lambda value: value.to("meta"), "tensors without values (of the device meta)"),
    "expanded": (
        lambda value: torch.ones(1, 1).expand(10**6, value.shape[1]),  # a petabyte of classes
        "tensors that repeat the values they hold",
    ),
}
OTHER_NUMBERS = (torch.complex64, torch.int8, torch.bool)


@pytest.mark.filterwarnings(
    "ignore:Sparse CSR|The PyTorch API of nested|torch.quantize:UserWarning"
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_ordinary_tensor_is_refused_by_its_kind(kind: str, tmp_path: Path) -> None:
    make, named = ODD[kind]
    entries = state_dict()
    entries[KEY] = make(entries[KEY])
    path = save(tmp_path, entries)
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(path)
    assert str(error.value) == f"{path} holds {named} in {KEY}{NOT_ORDINARY}"


@pytest.mark.parametrize("form", ["torch", "safetensors"])
@pytest.mark.parametrize("dtype", OTHER_NUMBERS, ids=str)
def test_numbers_that_copying_would_change_are_refused(
    dtype: torch.dtype, form: str, tmp_path: Path
) -> None:
    entries = state_dict()
    entries[KEY] = entries[KEY].to(dtype)
    if form == "torch":
        path = save(tmp_path, entries)
    else:
        path = tmp_path / "weights.safetensors"
        try:
            save_file(entries, path)
        except KeyError:
            pytest.skip(f"this release of safetensors writes no {dtype}")
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(path)
    name = str(dtype).removeprefix("torch.")
    assert str(error.value) == (f"{path} does not fit affnet_et: it holds {name} numbers in {KEY}.")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.float8_e4m3fn], ids=str)
def test_floats_of_any_width_are_taken(dtype: torch.dtype, tmp_path: Path) -> None:
    entries = state_dict()
    entries[KEY] = entries[KEY].to(dtype)
    filled = read_checkpoint(save(tmp_path, entries)).model
    assert torch.equal(filled.state_dict()[KEY], entries[KEY].float())


def test_a_float64_that_float32_cannot_hold_is_refused(tmp_path: Path) -> None:
    entries = state_dict()
    entries[KEY] = torch.full_like(entries[KEY], 1e200, dtype=torch.float64)
    path = save(tmp_path, entries)
    with pytest.raises(CheckpointError, match=f"has values that are not finite in {KEY}"):
        read_checkpoint(path)


def test_complex_numbers_stay_where_the_network_has_them() -> None:
    own = {"w": torch.zeros(2, dtype=torch.complex64), "steps": torch.tensor(1)}
    check_kinds(Path("x"), "net", own, {"w": torch.ones(2, dtype=torch.complex128)})
    check_kinds(Path("x"), "net", own, {"w": torch.ones(2), "steps": torch.tensor(2.0)})
    with pytest.raises(CheckpointError, match="x does not fit net: it holds complex64 numbers"):
        check_kinds(Path("x"), "net", own, {"steps": torch.tensor(1j)})


def bomb(path: Path, declared: int, member: str = "archive/data/0") -> Path:
    """Write an archive of zeros, which shrink a thousandfold."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/archive_format", b"pt2")
        archive.writestr(member, bytes(declared))
    return path


@pytest.mark.parametrize("name", ["weights.pt", "program.pt2"])
def test_an_archive_that_declares_more_than_weights_can_be_is_not_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HARMLESS_BYTES", 1_000_000)
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    path = bomb(tmp_path / name, 20_000_000)
    with pytest.raises((CheckpointError, ArtifactError)) as error:
        check_source_file(str(path))
    assert str(error.value) == (
        f"{path} cannot be loaded: its 0.0 MB declare 20 MB, which is not plausible."
    )


def test_a_list_of_weights_that_nobody_has_is_not_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_file, "_LARGEST_PICKLE", 1_000_000)
    path = bomb(tmp_path / "weights.pt", 2_000_000, "archive/data.pkl")
    with pytest.raises(CheckpointError, match="its list of weights alone has 2 MB"):
        check_weight_file(path)


def test_what_does_not_fit_into_memory_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HARMLESS_BYTES", 0)
    path = tmp_path / "weights.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 42)  # a hole
    with pytest.raises(CheckpointError, match=r"cannot be loaded: it holds 4398\.0 GB, and "):
        check_weight_file(path)


@pytest.mark.parametrize(
    "header",
    [
        b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, '
        b'"v": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}',
        b'{"w": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}',
        b'{"w": {"dtype": "F32", "shape": [99999999999999999999], "data_offsets": [0, 8]}}',
        b"[" * 5000,
    ],
    ids=["overlapping", "unknown type", "absurd shape", "deep"],
)
@pytest.mark.parametrize("length", [None, (1 << 63).to_bytes(8, "little")])
def test_a_safetensors_header_that_lies_is_refused(
    header: bytes, length: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes((length or len(header).to_bytes(8, "little")) + header + bytes(12))
    with pytest.raises(CheckpointError, match=r"is damaged or no safetensors file \("):
        check_weight_file(path)


def test_what_is_no_checkpoint_is_found_without_torch(tmp_path: Path) -> None:
    files = {
        "empty.pt": b"",
        "text.pt": b"hello",
        "cut.pt": b"PK\x03\x04",
        "cut.pt2": b"PK\x03\x04",
    }
    for name, content in {**files, "none.safetensors": b"x"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    code = """
import sys
from affnet.errors import UsageError
from affnet.model.source_file import check_source_file
for name in sys.argv[1:]:
    try:
        check_source_file(name)
        raise AssertionError(name)
    except UsageError:
        pass
check_source_file("affnet_et")
check_source_file("timm:hub/net.x")
check_source_file("my.nets:build")
assert "torch" not in sys.modules
"""
    names = [*(str(path) for path in tmp_path.iterdir()), "gone.pt", "gone/x", "gone.pt2"]
    subprocess.run([sys.executable, "-c", code, *names], env=module_environment(), check=True)
