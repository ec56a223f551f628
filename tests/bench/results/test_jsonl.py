"""JSON Lines: many writers, a killed writer, and lines that are no results."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from affnet.bench.reporting.output import write
from affnet.bench.results import jsonl
from affnet.bench.results.reading import read_results
from affnet.bench.statistics.intervals import Interval
from affnet.errors import ResultsError
from tests.bench.fakes import a_result

RESULTS = [
    a_result(git_commit="abc", recorded_at="2026-01-02T03:04:05+00:00", session="s"),
    a_result(model="two", peer="one", ratio_to_peer=Interval(1.5, 1.25, 1.75)),
]
ROOT = Path(__file__).parents[3]


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write(RESULTS, path)
    assert read_results(path) == RESULTS
    assert len(path.read_text().splitlines()) == 2


def test_writing_again_adds(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write(RESULTS, path)
    write(RESULTS[:1], path)
    assert read_results(path) == [*RESULTS, RESULTS[0]]


@pytest.mark.parametrize("kept", [1, 10, 500, -2])
def test_a_torn_last_line_is_named_and_left_out_then_taken_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kept: int
) -> None:
    path = tmp_path / "r.jsonl"
    write(RESULTS, path)
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:kept])
    assert read_results(path) == RESULTS[:1]
    assert capsys.readouterr().err == (
        f"Note: {path} was not written to its end: its last line, 2, is left out.\n"
    )
    write(RESULTS[1:], path)
    assert read_results(path) == RESULTS
    assert capsys.readouterr().err == (
        f"Note: {path} was not written to its end: its last line was taken off.\n"
    )


def test_a_last_line_that_only_lacks_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write(RESULTS[:1], path)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert read_results(path) == RESULTS[:1]
    write(RESULTS[1:], path)
    assert read_results(path) == RESULTS


def test_a_file_of_something_else_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text("my notes\nwithout an end")
    with pytest.raises(ResultsError, match=r"a line that affnet did not write; name another file"):
        write(RESULTS, path)
    assert path.read_text() == "my notes\nwithout an end"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("{", "is not JSON: Expecting property name"),
        ("[1]", "it is no result of affnet bench"),
        ('{"samples_ns": [1], "result_schema": 2}', "its schema is 2, this version of affnet"),
        ('{"samples_ns": [1], "block_lengths": [2]}', "its 1 samples are not those of 1 turns"),
        ('{"samples_ns": [1]}', "it is no whole result"),
    ],
)
def test_any_other_bad_line_is_an_error_with_its_number(tmp_path: Path, bad: str, why: str) -> None:
    path = tmp_path / "r.jsonl"
    whole = json.dumps(RESULTS[0].to_json())
    path.write_text(f"{whole}\n\n{bad}\n{whole}\n")
    with pytest.raises(ResultsError, match=f"line 3:? {why}"):
        read_results(path)


def start(path: Path, code: str) -> subprocess.Popen[bytes]:
    """Run code in a process of its own, with ``path`` and ``results`` at hand."""
    preamble = f"""
    from pathlib import Path
    from affnet.bench.results import jsonl
    from tests.bench.results.test_jsonl import RESULTS
    path = Path({str(path)!r})
    """
    program = textwrap.dedent(preamble) + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_writers_in_several_processes_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    code = "for _ in range(50): jsonl.append(RESULTS, path)"
    writers = [start(path, code) for _ in range(3)]
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    results = read_results(path)
    assert len(results) == 300
    assert results[0::2] == RESULTS[:1] * 150
    assert results[1::2] == RESULTS[1:] * 150


def test_a_writer_waits_for_one_that_is_in_the_middle_of_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.jsonl"
    code = """
    import os, sys
    real = os.fsync
    def half(file):
        size = os.fstat(file).st_size
        os.truncate(file, size - 100)
        print("half", flush=True)
        sys.stdin.readline()
        os.truncate(file, 0)
    os.fsync = half
    jsonl.append(RESULTS, path)
    """
    writer = start(path, code)
    assert writer.stdout is not None
    assert writer.stdout.readline().strip() == b"half"
    content = path.read_bytes()
    monkeypatch.setattr(jsonl, "_PATIENCE_S", 0.2)
    with pytest.raises(ResultsError, match="Another process has been writing to"):
        jsonl.append(RESULTS, path)
    assert path.read_bytes() == content
    writer.communicate(b"go on\n", timeout=60)
    jsonl.append(RESULTS, path)
    assert read_results(path) == RESULTS


def test_a_killed_writer_costs_its_own_run_only(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write(RESULTS, path)
    code = """
    import os
    real = os.fsync
    def half(file):  # the disk has half a line when the process dies, the lock still held
        os.truncate(file, os.fstat(file).st_size - 100)
        print("half", flush=True)
        while True: pass
    os.fsync = half
    jsonl.append(RESULTS, path)
    """
    writer = start(path, code)
    assert writer.stdout is not None
    assert writer.stdout.readline().strip() == b"half"
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=60)
    assert read_results(path) == [*RESULTS, RESULTS[0]]
    jsonl.append(RESULTS[1:], path)
    assert read_results(path) == [*RESULTS, *RESULTS]
