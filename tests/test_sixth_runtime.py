"""A further format with its runtime is one file each and one line each, for the whole product."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from affnet.processes import module_environment

_RUNTIME = """
import torch
from affnet.runtimes import Interface
from affnet.runtimes.torch import TorchRuntime


class SixthRuntime(TorchRuntime):
    name, format, suffix = "sixth_runtime", "sixth", ".sixth"


class SecondRuntime(TorchRuntime):
    name, format, suffix = "second_runtime", "sixth", ".sixth"
"""
_CONVERTER = """
import dataclasses
from affnet.export.converters.torch import TorchConverter


class SixthConverter(TorchConverter):
    format, auto_fft, plans = "sixth", "auto", ("separable",)

    def convert(self, network, request, folder):
        made = super().convert(network, request, folder)
        return dataclasses.replace(made, path=made.path.rename(made.path.with_suffix(".sixth")))
"""
# The two lines, in every process that starts.
_LINES = """
from affnet.export.converters import CONVERTERS
from affnet.runtimes import RUNTIMES

CONVERTERS["sixth"] = "sixth_converter:SixthConverter"
RUNTIMES["sixth_runtime"] = "sixth_runtime:SixthRuntime"
RUNTIMES["second_runtime"] = "sixth_runtime:SecondRuntime"
"""
_NETWORK = """
import torch
from torch import nn


class LowPass(nn.Module):
    def forward(self, x):
        return torch.fft.irfft2(torch.fft.rfft2(x), s=(6, 6)).mean((2, 3))


def build():
    return LowPass(), torch.rand(1, 3, 6, 6)
"""
_SESSION = """
import sys
from affnet.cli import main

for command in sys.argv[1:]:
    sys.argv[1:] = command.split()
    try:
        main()
    except SystemExit as end:
        print(f"EXIT {end.code or 0}")
    sys.stdout.flush()
"""


@pytest.mark.slow
def test_a_new_format_and_runtime_go_through_every_command(tmp_path: Path) -> None:
    extension, work = tmp_path / "extension", tmp_path / "work"
    extension.mkdir(), work.mkdir()
    (extension / "sixth_runtime.py").write_text(_RUNTIME)
    (extension / "sixth_converter.py").write_text(_CONVERTER)
    (extension / "sitecustomize.py").write_text(_LINES)
    (work / "nets.py").write_text(_NETWORK)
    (work / "affnet.toml").write_text(
        '[source]\nmodel = "nets:build"\n[export]\nformats = ["sixth"]\n'
        '[bench]\nruntimes = ["sixth_runtime"]\n'
    )
    environment = module_environment()
    environment["PYTHONPATH"] += f":{extension}"
    commands = [
        "export --help",
        "export --json -q",
        "inspect nets.sixth --json",
        "verify nets.sixth --json",
        "bench nets.sixth --preset quick --device fake --json",
        "bench nets.sixth --runtime second_runtime --device fake --json",
        "bench --preset quick --device fake --json",
    ]
    done = subprocess.run(
        [sys.executable, "-c", _SESSION, *commands],
        cwd=work, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.count("EXIT 0\n") == len(commands), done.stderr
    helped, *answers = (part for part in done.stdout.split("EXIT 0\n") if part)
    assert "sixth" in helped
    exported, inspected, verified, *benched = map(json.loads, answers)
    assert exported["format"] == inspected["format"] == "sixth"
    assert verified["runtime"] == "sixth_runtime"
    runtimes = [one["results"][0]["runtime"] for one in benched]
    assert runtimes == ["sixth_runtime", "second_runtime", "sixth_runtime"]
