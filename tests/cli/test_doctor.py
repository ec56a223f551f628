"""``affnet doctor``: the state of this installation."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet import installed
from affnet.installed import Mismatch, Package
from affnet.runtimes import RUNTIMES
from tests.conftest import Finished
from tests.test_architecture import HEAVY

Run = Callable[..., Finished]


@pytest.fixture(autouse=True)
def _no_catalog_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))


def test_it_says_what_is_installed_and_what_brings_the_rest(run: Run) -> None:
    done = run("doctor", "--json")
    assert done.code == 0, done.out
    record = done.json
    steps = {step["step"]: step for step in record["steps"]}
    assert record["ok"] is True
    assert record["packages"]["onnxruntime"][0].isdigit()
    assert {f"runtime {name}" for name in RUNTIMES} <= set(steps)
    assert steps["runtime onnxruntime"]["detail"].endswith("runs *.onnx")
    signing = map(str.lower, record["extras"]["signing"]["packages"])
    assert set(signing) == {"model-signing", "pyopenssl"}
    assert not {"all", "dev"} & set(record["extras"])
    for name, extra in record["extras"].items():
        step = steps[f"extra {name}"]
        assert step["passed"] is (extra["state"] == "complete")
        assert step["passed"] or step["remedy"] == f"pip install 'affnet[{name}]'"
    mnn = installed.extra_of("MNN")
    assert mnn is not None
    assert mnn.command.endswith("'affnet[mnn]'")
    for step in ("Python", "core", "devices", "cache", "disk"):
        assert steps[step]["passed"] in (True, False)


def test_the_same_stands_in_lines_with_what_fixes_each(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Mismatch("torchvision", "0.29.1", Package("torch", "==2.14.1", "2.13.0"))
    monkeypatch.setattr(installed, "mismatches", lambda: (other,))
    done = run("doctor")
    lines = done.out.splitlines()
    place = lines.index(
        "MISSING  versions: torchvision 0.29.1 requires torch ==2.14.1, but 2.13.0 is installed"
    )
    fix = "pip install --upgrade torchvision 'torch==2.14.1'"
    assert lines[place + 1] == f"         fix: {fix}"
    assert done.code == 3


def test_a_core_that_lacks_a_package_is_said_before_anything_is_imported(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "core", lambda: (Package("numpy", ">=1.26", None),))
    done = run("doctor", "--json")
    steps = {step["step"]: step for step in done.json["steps"]}
    assert done.code == 3
    assert steps["core"]["detail"] == "numpy is not installed"
    assert not any(step.startswith("runtime ") for step in steps)
    assert "disk" in steps


@pytest.mark.parametrize("may_keep", [True, False])
def test_an_installation_that_compiles_anew_each_time_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, may_keep: bool
) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))  # where nothing is compiled yet
    monkeypatch.setattr(sys, "dont_write_bytecode", not may_keep)
    done = run("doctor", "--json")
    steps = {step["step"]: step for step in done.json["steps"]}
    assert done.code == 0
    assert ("bytecode" in steps) is not may_keep
    assert may_keep or " -m compileall -q " in steps["bytecode"]["remedy"]


def test_with_a_name_it_asks_a_device(run: Run) -> None:
    done = run("doctor", "fake", "--json")
    assert (done.code, done.json["device"]) == (0, "fake")
    assert run("doctor", "toaster").error.startswith("Unknown device 'toaster'")


def test_it_imports_no_runtime() -> None:
    code = (
        "import sys\nfrom affnet.cli import main\nsys.argv[1:] = ['doctor']\n"
        "try:\n    main()\nfinally:\n"
        "    print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert not set(finished.stderr.split()) & (HEAVY - {"numpy"})


def test_an_error_that_mismatched_packages_raised_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Mismatch("typer", "0.1", Package("click", ">=99", "8.1"))

    def fail() -> dict[str, object]:
        raise RuntimeError("of a kind that nobody expects")

    monkeypatch.setattr(installed, "record", fail)
    with pytest.raises(RuntimeError, match="nobody expects"):
        run("doctor", "--json")
    monkeypatch.setattr(installed, "mismatches", lambda: (other,))
    done = run("doctor", "--json")
    assert (done.code, done.error) == (
        3,
        "typer 0.1 requires click >=99, but 8.1 is installed; "
        "run: pip install --upgrade typer 'click>=99'",
    )


def test_a_python_too_old_is_refused_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("affnet")
    assert ended.value.code == 3
    error = capsys.readouterr().err
    assert error.startswith("Error: affnet needs Python 3.11 or later, and this is ")
