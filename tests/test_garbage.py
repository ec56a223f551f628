"""Tests of how often Python looks for garbage, and of ends that leave it to the system."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from affnet.garbage import collected_rarely


@pytest.fixture(autouse=True)
def thresholds_kept() -> object:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("before", "within"),
    [
        ((700, 10, 10), (50_000, 10, 10)),
        ((100_000, 5, 7), (100_000, 5, 7)),  # the caller looks less often still
        ((0, 10, 10), (0, 10, 10)),  # never
    ],
)
def test_searches_are_rare_for_a_while(
    before: tuple[int, int, int], within: tuple[int, int, int]
) -> None:
    gc.set_threshold(*before)
    with pytest.raises(ZeroDivisionError), collected_rarely():
        assert gc.get_threshold() == within
        raise ZeroDivisionError
    assert gc.get_threshold() == before


def test_a_caller_who_wants_no_searches_gets_none() -> None:
    before = gc.get_threshold()
    gc.disable()
    try:
        with collected_rarely():
            assert not gc.isenabled()
        assert gc.get_threshold() == before
    finally:
        gc.enable()


_PROCESS = """
import atexit, sys, tempfile, threading, time
from affnet.garbage import exit_without_teardown

class Held:
    def __del__(self):
        print("taken apart")

def work():
    print("working")
    {work}

held, folder = Held(), tempfile.TemporaryDirectory()
atexit.register(lambda: print("at exit"))
{before}
exit_without_teardown(work)
"""


def _end(work: str, before: str = "") -> tuple[int, list[str], str]:
    """Return the exit code of such a process, what it printed, and what it complained of."""
    command = [sys.executable, "-c", _PROCESS.format(work=work, before=before)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout.split("\n")[:-1], ended.stderr


@pytest.mark.parametrize(
    ("work", "code"), [("pass", 0), ("sys.exit()", 0), ("sys.exit(3)", 3), ("sys.exit(130)", 130)]
)
def test_an_end_without_teardown_has_its_exit_code_and_does_what_is_registered(
    work: str, code: int
) -> None:
    assert _end(work) == (code, ["working", "at exit"], "")


def test_an_end_without_teardown_removes_temporary_folders() -> None:
    code, printed, _ = _end("print(folder.name)")
    folder = printed[1]
    assert code == 0
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("work", "before", "code", "complaint"),
    [
        ("sys.exit('Not so.')", "", 1, "Not so."),
        ("raise ValueError('of a kind')", "", 1, "ValueError: of a kind"),
        ("pass", "sys.setprofile(slice)", 0, ""),
        ("threading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()", "", 0, ""),
    ],
    ids=["a sentence", "an error", "a profiler", "a thread"],
)
def test_errors_profilers_and_threads_get_the_usual_end(
    work: str, before: str, code: int, complaint: str
) -> None:
    status, printed, complaints = _end(work, before)
    assert status == code
    assert complaint in complaints
    assert printed[-1] == "taken apart"
    assert ("late" in printed) == ("late" in work)


def test_output_that_nobody_reads_is_an_error_as_by_default() -> None:
    command = [sys.executable, "-c", _PROCESS.format(work="pass", before="")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 120
    assert "BrokenPipeError" in complaints
