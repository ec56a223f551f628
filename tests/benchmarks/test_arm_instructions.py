"""Counting instructions in a log of QEMU's."""

from __future__ import annotations

import pytest

from affnet.errors import MeasurementError
from benchmarks.arm_instructions import BEGIN, END, Mix, counted

# fmla v0.4s, v1.4s, v2.4s; ldr q3, [sp]; subs x0, x0, #1; b.ne; ret; as QEMU 10 writes them
BLOCKS = """\
----------------
IN: loop
0x7fcd27bcb280:  4e22cc20  fmla     v0.4s, v1.4s, v2.4s
0x7fcd27bcb284:  3dc003e3  ldr      q3, [sp]
0x7fcd27bcb288:  f1000400  subs     x0, x0, #1
0x7fcd27bcb28c:  54ffffa1  b.ne     #0x7fcd27bcb280

----------------
IN: end
0x7fcd27bcb290:  d65f03c0  ret

"""
LOOP = "Trace 0: 0x7fcd1fa00100 [00001001/00007fcd27bcb280/00000001/00000200] loop\n"
RET = "Trace 0: 0x7fcd1fa00240 [00001001/00007fcd27bcb290/00000001/00000200] \n"


def _call(path: str) -> str:
    return f'4711 chdir("{path}") = -1 errno=2 (No such file or directory)\n'


def test_what_runs_between_the_marks_is_counted_by_kind() -> None:
    log = BLOCKS + LOOP + RET + _call(BEGIN) + 10 * LOOP + RET + _call(END) + LOOP
    found = counted(log.encode().splitlines(keepends=True))
    assert found == Mix(vector=10, memory=10, other=21, cycles=10.25)


def test_two_arithmetic_instructions_a_cycle_bound_a_block() -> None:
    assert Mix.of([0x4E22CC20] * 6 + [0x3DC003E3]).cycles == 3


def test_a_log_that_ends_too_early_is_no_count() -> None:
    log = BLOCKS + _call(BEGIN) + LOOP
    with pytest.raises(MeasurementError, match="ends before the inference does"):
        counted(log.encode().splitlines(keepends=True))


def test_a_log_without_the_instructions_of_what_ran_is_no_count() -> None:
    log = LOOP.join([BLOCKS.partition("IN: end")[0] + _call(BEGIN), RET + _call(END)])
    with pytest.raises(MeasurementError, match="lacks the instructions of a block that ran"):
        counted(log.encode().splitlines(keepends=True))
