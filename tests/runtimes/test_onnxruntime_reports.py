"""ONNX Runtime reports to its makers from 1.29 on; here it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from affnet.templates.render import TEMPLATES

#: Where one of these stands, it reports nothing anyway.
CONTINUOUS_INTEGRATION = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "ORT_DISABLE_TELEMETRY")


def left_by(program: str, folder: Path) -> list[str]:
    """Return what ``program`` leaves in its home and among temporary files."""
    kept = {name: at for name, at in os.environ.items() if name not in CONTINUOUS_INTEGRATION}
    homes = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME"), str(folder))
    environment = kept | homes | {"PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=100)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "first",
    ["import affnet", "from affnet.devices.worker import serve"],
    ids=["here", "on a board"],
)
def test_it_leaves_no_number_of_the_machine(first: str, tmp_path: Path) -> None:
    assert left_by(f"{first}\nimport onnxruntime", tmp_path) == []


def test_neither_does_a_package_for_python(tmp_path: Path) -> None:
    module = TEMPLATES / "python" / "onnxruntime" / "runtime.py.tmpl"
    assert left_by(f"exec(open({str(module)!r}).read())", tmp_path) == []


def test_a_value_that_stands_wins() -> None:
    program = "import affnet, os\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"ORT_DISABLE_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert done.stdout == "0\n"
