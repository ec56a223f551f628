"""Measuring processes on this machine: what they report, and how their failures are told.

Processes that misbehave are real ones, started in the worker's place.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import pytest

from affnet.artifact import Artifact
from affnet.devices import host
from affnet.devices.host import HostDevice
from affnet.devices.worker import channel
from affnet.errors import MeasurementError, MissingError

Worker = Callable[[str], None]
ANSWERS = (
    "import json, os, sys, time\n"
    "def answer(**content): print(json.dumps(content), flush=True)\n"
    "sys.stdin.readline()\n"
)
STARTS = ANSWERS + "answer(load_ns=1, first_inference_ns=2, runtime_version='3')\n"


@pytest.fixture(autouse=True)
def no_child_is_left_behind() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) == before


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a script in the worker's place."""

    def replace(script: str) -> None:
        monkeypatch.setattr(host, "module_command", lambda _: [sys.executable, "-c", script])

    return replace


def the_child() -> psutil.Process:
    (child,) = psutil.Process().children()
    return child


def test_a_process_reports_its_start_and_as_many_samples_as_asked(digits_onnx: Artifact) -> None:
    with HostDevice().start(digits_onnx, "onnxruntime", 1) as process:
        startup = process.startup
        assert startup.runtime_version == version("onnxruntime")
        assert 1e6 < startup.load_ns < 60e9
        assert 1e5 < startup.first_inference_ns < 60e9
        assert len(process.run(10)) == 10
        samples = process.run(iterations=7, discard=3)
        assert len(samples) == 7
        assert all(1e5 < sample < 10e9 for sample in samples)


def test_peak_memory_is_the_child_s_own_and_not_inherited(digits_onnx: Artifact) -> None:
    """Across fork and exec, getrusage's peak is the parent's: here at least 600 MB."""
    large = np.ones(600_000_000, np.uint8)
    assert psutil.Process().memory_info().rss > large.nbytes
    with HostDevice().start(digits_onnx, "onnxruntime", 1) as process:
        process.run(5)
        now = the_child().memory_info().rss  # before the peak: it may grow in between
        peak = process.memory().peak_rss_bytes
    assert 30_000_000 < now <= peak < 300_000_000


@pytest.mark.parametrize("told", ["1", "[[1, 2]]", "[['a', 'b', 'c']]", "{'a': 1}"])
def test_profiles_that_are_nonsense_are_told(
    worker: Worker, digits_onnx: Artifact, told: str
) -> None:
    worker(STARTS + f"sys.stdin.readline()\nanswer(operators={told})")
    with (
        HostDevice().start(digits_onnx, "onnxruntime", 1) as process,
        pytest.raises(MeasurementError, match="answered with nonsense"),
    ):
        process.profile(1)


@pytest.mark.parametrize(
    "outputs", ["[{}]", "[{'shape': [3], 'data': 'AAAA'}]", "[{'shape': [1], 'data': '!'}]", "7"]
)
def test_outputs_that_are_nonsense_are_told(
    worker: Worker, digits_onnx: Artifact, outputs: str
) -> None:
    worker(STARTS + f"sys.stdin.readline()\nanswer(outputs={outputs})")
    with (
        HostDevice().start(digits_onnx, "onnxruntime", 1) as process,
        pytest.raises(MeasurementError, match="answered with nonsense"),
    ):
        process.outputs()


def test_a_process_that_was_killed_is_told_with_its_signal(digits_onnx: Artifact) -> None:
    with (
        pytest.raises(MeasurementError) as info,
        HostDevice().start(digits_onnx, "onnxruntime", 1) as process,
    ):
        os.kill(the_child().pid, signal.SIGKILL)
        process.run(10)
    assert str(info.value).startswith("Measuring digits.onnx on onnxruntime ended with signal 9: ")
    assert info.value.exit_code == 1


def test_a_crash_while_loading_is_told_with_the_last_line_it_wrote(
    worker: Worker, digits_onnx: Artifact
) -> None:
    worker("import os, sys; print('first\\nout of luck', file=sys.stderr, flush=True); os.abort()")
    with pytest.raises(MeasurementError) as info, HostDevice().start(digits_onnx, "torch", 1):
        pytest.fail("it started")
    assert str(info.value) == "Measuring digits.onnx on torch ended with signal 6: out of luck"


def test_a_crash_without_a_word_is_told_too(worker: Worker, digits_onnx: Artifact) -> None:
    worker(STARTS + "sys.stdin.readline(); sys.exit(7)")
    with (
        pytest.raises(MeasurementError, match=r"ended with exit code 7: it said nothing$"),
        HostDevice().start(digits_onnx, "torch", 1) as process,
    ):
        process.run(3)


@pytest.mark.parametrize("when", ["loading", "running"])
def test_a_process_that_hangs_is_stopped(
    worker: Worker, digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    worker((ANSWERS if when == "loading" else STARTS) + "time.sleep(600)")
    timeout = "ANSWER_TIMEOUT_S" if when == "loading" else "RUN_TIMEOUT_S"
    monkeypatch.setattr(channel, timeout, 1.0)
    with pytest.raises(MeasurementError) as info:  # noqa: SIM117
        with HostDevice().start(digits_onnx, "torch", 1) as process:
            process.run(3)
    assert str(info.value) == (
        "Measuring digits.onnx on torch gave no answer for 1 s; it was stopped."
    )


def test_garbage_for_an_answer_is_told(worker: Worker, digits_onnx: Artifact) -> None:
    worker(ANSWERS + "print('Segmentation hello', flush=True); sys.stdin.readline()")
    with pytest.raises(MeasurementError) as info, HostDevice().start(digits_onnx, "torch", 1):
        pytest.fail("it started")
    assert str(info.value) == (
        "Measuring digits.onnx on torch answered with nonsense: 'Segmentation hello'."
    )


@pytest.mark.parametrize("reply", ["{}", "[1]", "3", '{"load_ns": 1}'])
def test_json_that_is_no_answer_is_told(worker: Worker, digits_onnx: Artifact, reply: str) -> None:
    worker(ANSWERS + f"print('''{reply}''', flush=True); sys.stdin.readline()")
    with (
        pytest.raises(MeasurementError, match="on torch answered with nonsense: "),
        HostDevice().start(digits_onnx, "torch", 1),
    ):
        pytest.fail("it started")


def test_what_a_library_prints_does_not_mix_with_the_answers(
    worker: Worker, digits_onnx: Artifact
) -> None:
    worker(
        "import os, affnet.devices.worker.serve as worker, affnet.runtimes.onnxruntime as ort\n"
        "plain = ort.OnnxRuntime.load.__func__\n"
        "def load(cls, artifact, *, threads):\n"
        "    print('Hello from Python', flush=True)\n"
        "    os.write(1, b'{} from C\\n')\n"
        "    return plain(cls, artifact, threads=threads)\n"
        "ort.OnnxRuntime.load = classmethod(load)\n"
        "worker.main()\n"
    )
    with HostDevice().start(digits_onnx, "onnxruntime", 1) as process:
        assert len(process.run(4)) == 4


def test_a_runtime_that_the_worker_lacks_keeps_its_class_and_remedy(
    worker: Worker, digits_onnx: Artifact
) -> None:
    worker(
        "import sys; sys.modules['onnxruntime'] = None\n"
        "import affnet.devices.worker.serve as worker; worker.main()\n"
    )
    with pytest.raises(MissingError) as info, HostDevice().start(digits_onnx, "onnxruntime", 1):
        pytest.fail("it started")
    assert info.value.remedy == "run: pip install 'affnet'"


def test_an_exception_in_the_caller_ends_the_process(worker: Worker, digits_onnx: Artifact) -> None:
    worker(STARTS + "time.sleep(600)")
    with pytest.raises(ZeroDivisionError), HostDevice().start(digits_onnx, "torch", 1):
        child = the_child()
        raise ZeroDivisionError
    assert not child.is_running()


def test_the_worker_imports_this_package_from_anywhere(
    digits_onnx: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the working directory holds files called like modules."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with HostDevice().start(digits_onnx, "onnxruntime", 1) as process:
        assert len(process.run(2)) == 2
