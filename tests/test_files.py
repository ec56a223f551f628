"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from affnet import files
from affnet.errors import AffnetError, OutputError, UsageError
from affnet.processes import module_environment


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_staging_folder_is_hidden_beside_its_target_and_removed(tmp_path: Path) -> None:
    output = tmp_path / "new" / "folder"
    with files.staging_folder(output) as staging:
        assert staging.parent.parent == output
        assert staging.parent.name.startswith(".affnet-")
        (staging / "half").write_text("x")
    assert not output.exists()  # it was made for nothing


def test_a_staging_folder_is_removed_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), files.staging_folder(tmp_path) as staging:
        (staging / "half").write_text("x")
        raise KeyError
    assert names(tmp_path) == []


def test_publishing_replaces_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("old")
    (tmp_path / "b.package").mkdir()
    (tmp_path / "b.package" / "stale").write_text("old")
    (tmp_path / "other").write_text("kept")
    with files.staging_folder(tmp_path) as staging:
        (staging / "a.onnx").write_text("new")
        (staging / "b.package").mkdir()
        (staging / "b.package" / "part").write_text("new")
        targets = files.publish([staging / "a.onnx", staging / "b.package"], tmp_path)
    assert targets == [tmp_path / "a.onnx", tmp_path / "b.package"]
    assert names(tmp_path) == ["a.onnx", "b.package", "other"]
    assert names(tmp_path / "b.package") == ["part"]
    assert (tmp_path / "a.onnx").read_text() == "new"


def test_files_are_published_into_a_folder_of_one_s_own(tmp_path: Path) -> None:
    def publish() -> None:
        with files.scratch_folder() as scratch, files.staging_folder(tmp_path) as staging:
            for folder in (scratch, staging):
                (folder / "new").mkdir()
                (folder / "new" / "file").write_text("x")
                done.append(files.publish([folder / "new" / "file"], folder)[0].read_text())

    done = list[str]()
    thread = threading.Thread(target=publish, daemon=True)  # which would wait for itself forever
    thread.start()
    thread.join(60)
    assert done == ["x", "x"]


def test_concurrent_writers_leave_files_of_one_of_them(tmp_path: Path) -> None:
    def write(author: str) -> None:
        for _ in range(10):
            with files.staging_folder(tmp_path) as staging:
                for name in ("model", "manifest"):
                    (staging / name).write_text(author)
                files.publish([staging / "model", staging / "manifest"], tmp_path)

    threads = [threading.Thread(target=write, args=(author,)) for author in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path) == ["manifest", "model"]
    assert (tmp_path / "model").read_text() == (tmp_path / "manifest").read_text()


HOLD = """
import sys, time
from pathlib import Path
from affnet import files
with files.staging_folder(Path(sys.argv[1])) as one, files.scratch_folder() as other:
    (one / "half").write_text("x")
    (other / "half").write_text("x")
    print(one, other, sep="\\n", flush=True)
    time.sleep(600)
"""


def test_what_killed_processes_left_is_swept_and_nothing_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, temporary = tmp_path / "output", tmp_path / "temporary"
    output.mkdir()
    temporary.mkdir()
    (output / ".affnet-notes of mine").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    environment = {**module_environment(), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", HOLD, str(output)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    folders = []
    for process in started:
        assert process.stdout is not None
        folders.append([Path(process.stdout.readline().strip()) for _ in range(2)])
    dead, alive = started
    dead.kill()
    dead.wait()
    assert all(folder.is_dir() for pair in folders for folder in pair)
    with files.staging_folder(output) as staging, files.scratch_folder():
        files.publish([], output)
        assert [folder.exists() for folder in folders[0]] == [False, False]
        assert [folder.is_dir() for folder in folders[1]] == [True, True]
    alive.kill()
    for process in started:
        process.communicate()
    with files.staging_folder(output), files.scratch_folder():
        pass
    assert names(output) == [".affnet-notes of mine"]
    assert names(temporary) == []
    assert not staging.exists()


@pytest.mark.parametrize("data", ["text\n", b"\x00bytes", ""])
def test_a_file_is_written_in_one_step(data: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    files.write_whole(path, "before")
    files.write_whole(path, data)
    assert path.read_bytes() == (data.encode() if isinstance(data, str) else data)
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (
            errno.ENOSPC,
            OutputError,
            "No space is left for {}; free some or choose another place. "
            "What stood there before is untouched.",
        ),
        (
            errno.EACCES,
            UsageError,
            "{} is not writable; change its rights or choose another place.",
        ),
        (
            errno.EROFS,
            UsageError,
            "{} is not writable; change its rights or choose another place.",
        ),
        (errno.EIO, OutputError, "Writing to {} failed: Input/output error."),
    ],
)
def test_errors_of_the_system_become_sentences_and_the_old_file_stays(
    number: int,
    kind: type[AffnetError],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(AffnetError) as error:
        files.write_whole(path, "after")
    assert type(error.value) is kind
    assert str(error.value) == message.format(path)
    assert path.read_text() == "before"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_the_folders_path_is_named(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    output = tmp_path / "file" / below
    with pytest.raises(UsageError) as error, files.staging_folder(output):
        pass
    assert str(error.value) == (
        f"{output} cannot be a folder, because a file stands in its path; choose another place."
    )


def test_the_hash_of_a_file_is_its_contents(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = bytes(range(256)) * 5000  # longer than a block
    path.write_bytes(content)
    assert files.content_sha256(path) == hashlib.sha256(content).hexdigest()
    assert files.content_bytes(path) == 1_280_000


def test_the_hash_of_a_folder_covers_names_and_contents_at_any_place(tmp_path: Path) -> None:
    def build(name: str, entries: dict[str, str]) -> Path:
        for relative, text in entries.items():
            path = tmp_path / name / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / name

    one = build("one", {"b/c": "1", "a": "22"})
    same = build("same", {"a": "22", "b/c": "1"})
    renamed = build("renamed", {"a": "22", "b/d": "1"})
    changed = build("changed", {"a": "22", "b/c": "3"})
    assert files.content_sha256(one) == files.content_sha256(same)
    assert len({files.content_sha256(path) for path in (one, renamed, changed)}) == 3
    assert files.content_bytes(one) == 3


def test_arrays_of_any_name_are_written_as_numpy_reads_them(tmp_path: Path) -> None:
    arrays = {
        "file": np.arange(3),
        "allow_pickle": np.zeros((2, 0), np.float16),
        "a/b": np.array(7, ">i4"),
        "f": np.asfortranarray(np.arange(6).reshape(2, 3)),
    }
    files.write_arrays(tmp_path / "all.npz", arrays)
    with np.load(tmp_path / "all.npz", allow_pickle=False) as stored:
        assert set(stored) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(stored[name], array, strict=True)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        files.write_arrays(tmp_path / "objects.npz", {"x": np.array([{}], dtype=object)})
