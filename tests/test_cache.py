"""The user's cache: folders and JSON files that several processes use, and may be killed over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from affnet import cache
from affnet.cache import FolderCache, change_entries, code_hash, read_entries
from affnet.errors import OutputError, UsageError


@pytest.fixture
def kept(tmp_path: Path) -> FolderCache:
    return FolderCache(tmp_path / "cache", 1000)


def made(folder: Path, name: str = "a.onnx", size: int = 100) -> list[Path]:
    """A file, and a folder as Core ML's artifacts are."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x" * size)
    package = folder / f"{name}.package"
    package.mkdir(exist_ok=True)
    (package / "part").write_bytes(b"y" * size)
    return [folder / name, package]


def taken(kept: FolderCache, key: str, target: Path) -> list[str]:
    target.mkdir(exist_ok=True)
    assert kept.take(key, target) is bool(list(target.iterdir()))
    return sorted(str(p.relative_to(target)) for p in target.rglob("*") if p.is_file())


def test_what_is_kept_comes_back_whole(kept: FolderCache, tmp_path: Path) -> None:
    assert taken(kept, "k", tmp_path / "none") == []
    kept.keep("k", made(tmp_path / "new"))
    assert taken(kept, "k", tmp_path / "one") == ["a.onnx", "a.onnx.package/part"]
    assert taken(kept, "other", tmp_path / "two") == []


@pytest.mark.parametrize("damaged", ["a.onnx", "a.onnx.package/part", "entry.json"])
@pytest.mark.parametrize("content", [b"", b"x" * 99 + b"z", None])
def test_a_damaged_entry_is_noticed_and_dropped(
    kept: FolderCache, tmp_path: Path, damaged: str, content: bytes | None
) -> None:
    kept.keep("k", made(tmp_path / "new"))
    file = kept.path / "k" / damaged
    file.unlink() if content is None else file.write_bytes(content)
    assert taken(kept, "k", tmp_path / "one") == []
    kept.keep("k", made(tmp_path / "new"))
    assert taken(kept, "k", tmp_path / "two") == ["a.onnx", "a.onnx.package/part"]


def test_the_least_recently_used_goes(kept: FolderCache, tmp_path: Path) -> None:
    for key in ("one", "two", "three"):
        kept.keep(key, made(tmp_path / "new", size=130))  # 260 bytes and its list of files each
        os.utime(kept.path / key / "entry.json", (time.time() - 100, time.time() - 100))
        time.sleep(0.01)
    assert taken(kept, "one", tmp_path / "used")
    kept.keep("four", made(tmp_path / "new", size=300))
    left = {path.name for path in kept.path.iterdir() if path.is_dir()}
    assert left == {"four", "one"}


def test_what_is_larger_than_all_is_not_kept(kept: FolderCache, tmp_path: Path) -> None:
    kept.keep("k", made(tmp_path / "new", size=600))
    assert taken(kept, "k", tmp_path / "one") == []


def test_a_killed_process_leaves_no_half_entry_and_no_lock(
    kept: FolderCache, tmp_path: Path
) -> None:
    program = (
        "import sys, time, shutil, pathlib; from affnet import cache\n"
        "def slow(*a, **k): print(flush=True); time.sleep(60)\n"
        "cache.write_whole = slow\n"
        "k = cache.FolderCache(pathlib.Path(sys.argv[1]), 1000)\n"
        "with cache.locked(k.path): k.keep('k', [pathlib.Path(sys.argv[2])])\n"
    )
    file, _ = made(tmp_path / "new")
    arguments = [sys.executable, "-c", program, str(kept.path), str(file)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    (left,) = kept.path.glob(".new-*")
    assert taken(kept, "k", tmp_path / "one") == []
    os.utime(left, (0, 0))  # hours later
    kept.keep("k", [file])
    assert not left.exists()
    assert taken(kept, "k", tmp_path / "two") == ["a.onnx"]


def test_several_may_keep_and_take_the_same_at_once(kept: FolderCache, tmp_path: Path) -> None:
    def work(number: int) -> None:
        for step in range(5):
            kept.keep("k", files)
            target = tmp_path / f"{number}-{step}"
            target.mkdir()
            assert kept.take("k", target)

    files = made(tmp_path / "new")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert not list(kept.path.glob(".new-*"))


def test_whoever_takes_waits_for_nobody(kept: FolderCache, tmp_path: Path) -> None:
    """Hundreds of workers do at once, and a lock goes to one after the other."""
    kept.keep("k", made(tmp_path / "new"))
    with cache.locked(kept.path), ThreadPoolExecutor(1) as pool:
        (tmp_path / "target").mkdir()
        assert pool.submit(kept.take, "k", tmp_path / "target").result(timeout=30)


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be a folder"):
        FolderCache(tmp_path / "file" / "cache", 1000).keep("k", made(tmp_path / "new"))


def test_entries_of_a_json_file_are_changed_and_bounded(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.json"
    assert read_entries(path, 1, "all") == {}
    for name in ("a", "b", "c", "a"):
        change_entries(path, 1, "all", {name: 1}, limit=2)
    assert read_entries(path, 1, "all") == {"c": 1, "a": 1}
    assert read_entries(path, 2, "all") == {}
    for content in ("", "[]", "not JSON", '{"schema": 1, "all": []}', "[" * 100_000):
        path.write_text(content)
        assert read_entries(path, 1, "all") == {}


def test_a_lock_that_is_held_too_long_is_an_error(tmp_path: Path) -> None:
    with (
        cache.locked(tmp_path / "x.json"),
        pytest.raises(OutputError, match=r"Another process has kept \S+x\.json to itself"),
        cache.locked(tmp_path / "x.json", timeout=0.01),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("def f():\n    return 1\n", True),
        ("# why\n\ndef f():  # here\n    '''What.'''\n    return  1\n", True),
        ("def f():\n    return 2\n", False),
        ("def f():\n    return 1\n\nx = 1\n", False),
    ],
)
def test_a_comment_does_not_change_the_hash_of_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, same: bool
) -> None:
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "cache"))
    hashes = []
    for number, content in enumerate(("def f():\n    return 1\n", text)):
        root = tmp_path / str(number)
        root.mkdir()
        (root / "a.py").write_text(content)
        hashes.append(code_hash(root))
    assert (hashes[0] == hashes[1]) is same


def test_the_folder_is_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path))
    assert {kind.location().parent for kind in cache.KINDS.values()} == {tmp_path}
