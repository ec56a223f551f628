"""What processes write is read in bounds of bytes and time, whatever they do."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from affnet.processes import LineReader, Tail, TooMuchOutputError, collect, run_bounded

LIMIT = 1_000_000
ENDLESS = "import os\nwhile True: os.write({pipe}, b'{text}' * 8192)"


@contextmanager
def started(code: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def in_bounds() -> Iterator[None]:
    """The peak of what is held is a few times the limit, not what was written."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * LIMIT


@pytest.mark.usefixtures("in_bounds")
@pytest.mark.parametrize("pipe", [1, 2])
def test_a_flood_is_not_collected(pipe: int) -> None:
    with (
        started(ENDLESS.format(pipe=pipe, text="flood ")) as process,
        pytest.raises(TooMuchOutputError, match="over 1 MB"),
    ):
        collect(process, 60, LIMIT)


def test_what_ends_is_collected_whole() -> None:
    code = "import sys; sys.stdout.write('o' * 200000); sys.stderr.write('e' * 200000)"
    with started(code) as process:
        assert collect(process, 60) == ("o" * 200000, "e" * 200000)
    assert process.returncode == 0


def test_what_does_not_end_is_waited_for_in_bounds() -> None:
    with pytest.raises(TimeoutError):
        run_bounded([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"], 1)


def test_a_program_that_closes_its_pipes_and_stays_is_waited_for_in_bounds() -> None:
    code = "import os, time; os.close(1); os.close(2); time.sleep(60)"
    with pytest.raises(TimeoutError):
        run_bounded([sys.executable, "-c", code], 1)


@pytest.mark.usefixtures("in_bounds")
def test_a_line_without_end_is_given_up() -> None:
    with started(ENDLESS.format(pipe=1, text="x")) as process:
        assert process.stdout is not None
        with pytest.raises(TooMuchOutputError):
            LineReader(process.stdout).line(60, LIMIT)


@pytest.mark.usefixtures("in_bounds")
def test_lines_that_nobody_asked_for_wait_in_their_pipe() -> None:
    with started(ENDLESS.format(pipe=1, text="again\\n")) as process:
        assert process.stdout is not None
        reader = LineReader(process.stdout)
        assert [reader.line(60, LIMIT) for _ in range(3)] == ["again\n"] * 3


def test_lines_come_one_by_one_and_the_last_without_its_end() -> None:
    with started("import sys; sys.stdout.write('one\\n\\ntwo')") as process:
        assert process.stdout is not None
        reader = LineReader(process.stdout)
        assert [reader.line(60, LIMIT) for _ in range(4)] == ["one\n", "\n", "two", ""]


def test_a_line_that_does_not_come_is_waited_for_in_bounds() -> None:
    with started("import time; print('half', end='', flush=True); time.sleep(60)") as process:
        assert process.stdout is not None
        with pytest.raises(TimeoutError):
            LineReader(process.stdout).line(0.5, LIMIT)


@pytest.mark.usefixtures("in_bounds")
def test_of_a_flood_of_errors_the_last_is_kept() -> None:
    code = "import sys\nfor _ in range(2000): sys.stderr.write('x' * 5000)\nsys.stderr.write('end')"
    with started(code) as process:
        assert process.stderr is not None
        tail = Tail(process.stderr)
        process.wait(60)
        assert tail.text().endswith("xend")
        assert len(tail.text()) <= 4000
