"""The double that stands for coremltools on a Mac has the signatures of the installed one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from affnet.processes import module_command, module_environment

pytestmark = pytest.mark.converters

DOUBLE = Path(__file__).with_name("coremltools_double")


def signatures(scenario: Path | None) -> dict[str, Any]:
    environment = module_environment()
    if scenario is not None:
        environment["COREMLTOOLS_DOUBLE"] = str(scenario)
        paths = [environment["PYTHONPATH"].split(os.pathsep)[0], str(DOUBLE)]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    done = subprocess.run(
        module_command("tests.devices.apple.coremltools_signatures"),
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_double_has_the_signatures_of_the_installed_coremltools(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_text("{}")
    double, real = signatures(scenario), signatures(None)
    assert double.pop("from").startswith(str(DOUBLE))
    assert not real.pop("from").startswith(str(DOUBLE))
    assert len(real) > 25
    # a default of the real ones that the double cannot have: MLModel's is a compute unit
    for told in (double, real):
        model = told["coremltools.models:MLModel.__init__"]["parameters"]
        assert [p[0] for p in model][5] == "compute_units"
        model[5][2] = None
    for place in real:
        assert double[place] == real[place], place
