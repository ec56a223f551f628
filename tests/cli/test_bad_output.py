"""Places that cannot be written to: what stood there before stays, and no debris is left."""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Finished

Refused = Callable[..., str]
MEGABYTE = 1_000_000


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be nobody for a while where the tests run as root, whom no permission stops."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def files_limited_to(limit_bytes: int) -> Iterator[None]:
    """Let the kernel refuse to write any file beyond a size, with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_without_write_permission_is_refused_by_the_kernel(
    refused: Refused, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call that makes the staging folder is real, made by a user whom the mode binds."""
    make_folder = tempfile.mkdtemp

    def as_nobody(*args: Any, **options: Any) -> str:
        with without_privileges():
            return make_folder(*args, **options)

    locked = workspace / "locked"
    locked.mkdir(mode=0o500)
    monkeypatch.setattr(tempfile, "mkdtemp", as_nobody)
    assert refused("export", "digits", "-o", locked) == (
        f"{locked} is not writable; change its rights or choose another place."
    )


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_every_way_to_lack_rights_gets_the_same_sentence(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """This proves the sentence alone: such as a read-only file system's, which needs a mount."""

    def refuse(*_: object, **__: object) -> str:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert refused("export", "digits", "-o", ".").startswith(". is not writable; ")


@pytest.mark.parametrize("output", ["taken", "taken/below"])
def test_a_file_in_the_place_of_the_folder_is_refused(
    refused: Refused, workspace: Path, output: str
) -> None:
    """This one stops root too, and no call is replaced."""
    (workspace / "taken").write_text("mine")
    assert refused("export", "digits", "-o", output) == (
        f"{output} cannot be a folder, because a file stands in its path; choose another place."
    )


def test_a_file_that_does_not_fit_is_refused_by_the_kernel_and_leaves_nothing(
    refused: Refused, workspace: Path
) -> None:
    """A real write fails midway, after 1 of 5 MB.

    The limit is on a file's size and not on the disk's, because a full disk needs a mount, that
    is root; the next test has the error number of a full disk.
    """
    (workspace / "digits.pt2").write_text("what stood before")
    (workspace / "digits.pt2.manifest.json").write_text("its manifest")
    with files_limited_to(MEGABYTE):
        sentence = refused("export", "digits", "--format", "torch", "--no-verify", code=1)
    assert sentence == (
        "No space is left for .; free some or choose another place. "
        "What stood there before is untouched."
    )


@pytest.mark.usefixtures("instant_conversion")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_when_the_manifest_is_written_leaves_the_old_pair(
    refused: Refused, workspace: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    (workspace / "digits.onnx").write_text("what stood before")
    (workspace / "digits.onnx.manifest.json").write_text("its manifest")
    monkeypatch.setattr(os, "fsync", full)
    assert refused("export", "digits", code=1).startswith("No space is left for .;")


def test_another_failure_of_the_disk_is_told_in_its_own_words(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(tempfile, "mkdtemp", fail)
    assert refused("export", "digits", code=1) == "Writing to . failed: Input/output error."


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("table.txt", "Unknown suffix of --output '.txt'; valid: .json, .jsonl, .md, .csv."),
        ("table", "Unknown suffix of --output ''; valid: .json, .jsonl, .md, .csv."),
        ("gone/t.csv", "The folder of --output gone/t.csv does not exist; make it first."),
        ("folder.md", "--output folder.md is a folder; name a file."),
    ],
)
def test_bench_refuses_a_bad_output_before_it_measures(
    refused: Refused, workspace: Path, monkeypatch: pytest.MonkeyPatch, output: str, sentence: str
) -> None:
    def measure(*_: object, **__: object) -> None:
        pytest.fail("it measured")

    (workspace / "folder.md").mkdir()
    monkeypatch.setattr("affnet.bench.measurement.sweep.measure", measure)
    monkeypatch.setattr("affnet.export.open_or_export.open_or_export", measure)
    assert refused("bench", "digits", "--output", output) == sentence


def test_a_table_that_cannot_be_written_is_shown_all_the_same(
    run: Callable[..., Finished], onnx_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.bench.fakes import a_result

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("affnet.bench.measurement.sweep.measure", lambda *_, **__: [a_result()])
    monkeypatch.setattr(os, "fsync", full)
    before = sorted(onnx_copy.parent.iterdir())
    done = run("bench", onnx_copy, "--csv", "--output", "table.csv")
    assert done.code == 1
    assert done.error.startswith("No space is left for table.csv;")
    assert done.out.splitlines()[1].startswith("one,onnxruntime,")
    assert sorted(onnx_copy.parent.iterdir()) == before
