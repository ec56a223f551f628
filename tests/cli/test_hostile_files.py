"""Files that are not what they are named as: one sentence from every command that takes a file.

All are harmless in themselves.  No command may show a traceback or a control character, wait for
a pipe, or take more than a moment and a bounded share of the memory.
"""

from __future__ import annotations

import io
import os
import pickle
import shutil
import signal
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from affnet import reading
from affnet.artifact import Artifact
from affnet.model.bundled import bundled_folder
from tests.cli.conftest import copy_artifact
from tests.conftest import Finished

Run = Callable[..., Finished]

WEIGHTS = "weights.safetensors"
SECONDS = 120  # nothing takes one, but a busy machine is slow
GROWTH_BYTES = 1_500_000_000
SIGNALS = signal.signal  # the fixture `run` replaces it


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("executed",)


def archive(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as opened:
        for name, data in entries.items():
            opened.writestr(name, data)
    return content.getvalue()


def png(width: int, height: int) -> bytes:
    """The beginning of a picture that declares its size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1000))
    chunks = b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, data, b"IEND")
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as opened:
        entry = tarfile.TarInfo("../outside")
        opened.addfile(entry)
    return content.getvalue()


def npy(shape: str) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


YAML_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} {{p: *{chr(97 + i)}, q: *{chr(97 + i)}}}\n" for i in range(24)
)

CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "one byte": b"\x00",
    "another program": b"\x7fELF\x02\x01\x01" + bytes(200),
    "noise": bytes(range(256)) * 20,
    "control characters": b"\x1b[2J\x1b]0;owned\x07\r\n\x00\x9b31m = [\n",
    "utf-16": "model = 'x'".encode("utf-16"),
    "html": b"<html><body>404 Not Found</body></html>\n",
    "deep JSON": b'{"results": ' + b"[" * 200_000,
    "deep TOML": b"a = " + b"[" * 200_000,
    "a number of many digits": b'{"schema": 1' + b"0" * 100_000 + b"}",
    "numbers that are none": b'{"schema": 1, "results": [NaN, Infinity, -Infinity, 1e999]}',
    "a long line": b"x" * 5_000_000,
    "a million lines": b"line\n" * 1_000_000,
    "aliases upon aliases": YAML_BOMB.encode(),
    "a cut archive": b"PK\x03\x04" + bytes(300),
    "an archive that declares much": archive({"a/data.pkl": bytes(3_000_000), "a/0": b""}),
    "an archive with ways out": archive({"../../outside": b"x", "/etc/outside": b"x"}),
    "a pickle with code": pickle.dumps(Evil()),
    "an archive with code": archive({"a/data.pkl": pickle.dumps(Evil(), 2), "a/version": b"3"}, 0),
    "a tape archive": tar(),
    "a picture of absurd size": png(60_000, 60_000),
    "a cut picture": png(4_000, 4_000),
    "an array of absurd size": npy("(1, 3, 1000000, 1000000)"),
    "weights with an absurd header": (1 << 60).to_bytes(8, "little") + b"{}",
    "a message of absurd length": b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(20),
    "a table with wild offsets": b"\xff\xff\xff\x7fTFL3" + b"\xff" * 64,
    "a program with wild offsets": b"\xff\xff\xff\x7fET12" + b"\xff" * 64,
    "a database that is none": b"SQLite format 3\x00" + b"\xa5" * 5000,
}


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def unreadable(path: Path) -> None:
    path.write_bytes(b"x")
    path.chmod(0)
    if os.access(path, os.R_OK):
        path.unlink()
        pytest.skip("root reads everything")


def hole(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


def folder_of_itself(path: Path) -> None:
    path.mkdir()
    (path / "again").symlink_to("..")
    os.mkfifo(path / "pipe")


SPECIAL: dict[str, Callable[[Path], None]] = {
    "a pipe": os.mkfifo,
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "a loop of links": loop,
    "a link to nothing": lambda path: path.symlink_to("gone"),
    "a folder": folder_of_itself,
    "unreadable": unreadable,
    "a hole of 3 GB": hole,
}


@pytest.fixture(autouse=True)
def _low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "HARMLESS_BYTES", 1_000_000)


@pytest.fixture
def digits(digits_onnx: Artifact, workspace: Path) -> Path:
    return copy_artifact(digits_onnx, workspace / "digits.onnx")


@contextmanager
def bounded(what: object) -> Iterator[None]:
    """Fail where something waits for ever, or takes more than `GROWTH_BYTES` of memory."""

    def stop(*_: object) -> None:
        raise AssertionError(f"{what} took more than {SECONDS} s")

    before, former = resident("VmRSS"), SIGNALS(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    try:
        yield
    finally:
        signal.alarm(0)
        SIGNALS(signal.SIGALRM, former)
    assert resident("VmHWM") - before < GROWTH_BYTES, what


def resident(field: str) -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if field in line)
    return int(line.split()[1]) * 1024


def readers(name: str, digits: Path) -> Iterator[tuple[str, list[object]]]:
    """Yield a file's name, and a command that reads it: one for each way of reading."""
    for suffix in (".pt", ".safetensors", ".pt2"):
        yield name + suffix, ["export", name + suffix, "-o", "new"]
    yield name + ".mlpackage", ["inspect", name + ".mlpackage"]
    yield name + ".png", ["run", digits, name + ".png"]
    yield name + ".json", ["compare", name + ".json"]
    yield name + ".jsonl", ["compare", name + ".jsonl", "--record", "--store", "new.db"]
    yield name + ".db", ["compare", "--store", name + ".db"]
    yield name + ".toml", ["check", "--budgets", name + ".toml"]
    yield name + ".toml", ["bench", "--device", "nowhere", "--devices-file", name + ".toml"]
    # of another variant, so that a config that says nothing ends there
    other = ["--variant", "affnet_t", "-o", "new"]
    yield name + ".yaml", ["export", WEIGHTS, "--config", name + ".yaml", *other]
    yield "affnet.toml", ["export", "gone.pt", "-o", "new"]


def takers(name: str, digits: Path) -> Iterator[tuple[str, list[object]]]:
    """Yield a file's name, and a command that takes it: every one that takes a file."""
    for suffix in (".pt", ".safetensors", ".pt2"):
        source = name + suffix
        yield source, ["bench", source, "--device", "fake"]
        yield source, ["bench", source, "--device", "fake", "--dry-run"]
        yield source, ["eval", source, "--data", "emoji"]
        yield source, ["plan", source]
        yield source, ["verify", digits, "--against", source]
    for suffix in (".onnx", ".tflite", ".pte", ".mlpackage"):
        for command in ("inspect", "verify", "bench"):
            yield name + suffix, [command, name + suffix]
        yield name + suffix, ["eval", name + suffix, "--data", "emoji"]
        yield name + suffix, ["run", name + suffix, "picture.png"]
    yield name + ".txt", ["export", "digits", "--labels", name + ".txt", "-o", "new"]
    yield name + ".npz", ["verify", digits, "--verify-on", name + ".npz"]
    yield name + ".safetensors", ["export", "mobilevit_xxs", "--weights", name + ".safetensors"]


@pytest.mark.parametrize("kind", [*CONTENTS, *SPECIAL])
def test_a_hostile_file_is_one_sentence_however_it_is_read(
    run: Run, workspace: Path, digits: Path, kind: str
) -> None:
    (workspace / WEIGHTS).symlink_to(bundled_folder("digits") / WEIGHTS)
    assert faults(run, workspace, kind, readers("hostile", digits)) == []


@pytest.mark.parametrize("kind", ["empty", "a pipe", "a folder", "an array of absurd size"])
def test_every_command_that_takes_a_file_refuses_it_in_a_sentence(
    run: Run, workspace: Path, digits: Path, kind: str
) -> None:
    assert faults(run, workspace, kind, takers("hostile", digits)) == []


def faults(
    run: Run, workspace: Path, kind: str, commands: Iterator[tuple[str, list[object]]]
) -> list[str]:
    """Give a file of a kind to each command; return what is wrong with how it took it."""
    found = []
    for file, command in commands:
        path = workspace / file
        if kind in CONTENTS:
            path.write_bytes(CONTENTS[kind])
        else:
            SPECIAL[kind](path)
        try:
            with bounded(command):
                found += judged(command, run(*command))
        except BaseException as error:
            found.append(f"{command} ended with {type(error).__name__}: {str(error)[:300]}")
        finally:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    found += [f"{name} was made" for name in ("executed", "new") if (workspace / name).exists()]
    return found


def judged(command: list[object], done: Finished) -> list[str]:
    """Return what is wrong with how a command ended."""
    said = done.out + done.err
    wrong = []
    if done.code not in (2, 3):
        wrong.append(f"exit code {done.code}")
    if said.count("Error: ") != 1:
        wrong.append("not one sentence")
    if "Traceback" in said or not said.replace("\n", "").isprintable():
        wrong.append("a traceback, or what does not print")
    return [f"{command}: {', '.join(wrong)}: {said[:300]!r}"] if wrong else []
