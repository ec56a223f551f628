"""What all tests rely on, however pytest was started."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from affnet.processes import module_environment

#: What a test of interruption does: start a process, interrupt it, and look how it ended.
INTERRUPTS = """
import signal, subprocess
from tests import conftest
child = subprocess.Popen(["sleep", "5"])
child.send_signal(signal.SIGINT)
raise SystemExit(-child.wait())
"""


def test_what_tests_start_can_be_interrupted_where_the_shell_ignores_interruption() -> None:
    done = subprocess.run(
        ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-c", INTERRUPTS],
        env=module_environment(),
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == signal.SIGINT


def test_code_of_others_with_odd_escapes_can_be_compiled_by_its_first_import() -> None:
    """Nothing is compiled when it is installed, and torchao's strings are not all raw."""
    assert eval(compile(r"'\.'", "others.py", "eval")) == r"\."  # noqa: S307
