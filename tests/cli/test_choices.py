"""Choices are listed by help and completion, and are those of the registries."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import get_args

import pytest

from affnet.bench.measurement.protocol import PRESETS
from affnet.cli import app
from affnet.commands import options
from affnet.export.converters import CONVERTERS, get_converter
from affnet.export.passes.heads import HEADS
from affnet.export.quantization import AUTO
from affnet.runtimes import RUNTIMES
from tests.conftest import Finished

Run = Callable[..., Finished]
Refused = Callable[..., str]
COMMANDS = [
    command.name for command in app.registered_commands if command.name is not None
]  # with the two-word ones


def test_the_choices_are_those_of_the_registries() -> None:
    converters = [get_converter(name) for name in CONVERTERS]
    assert get_args(options.Preset) == tuple(PRESETS)
    assert set(get_args(options.RuntimeName)) == set(RUNTIMES)
    assert set(get_args(options.Head)) == set(HEADS)
    assert set(get_args(options.Layout)) == {x for c in converters for x in c.layouts}
    assert set(options.PRECISIONS) == {AUTO} | {x for c in converters for x in c.precisions}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("bench digits --preset slow", "'slow' is not one of 'default', 'quick'"),
        ("bench zoo --runtime tvm", "'tvm' is not one of 'onnxruntime'"),
        ("plan --runtime tvm", "'tvm' is not one of 'onnxruntime'"),
        (
            "export digits --head nsm",
            "'nsm' is not one of 'logits', 'softmax', 'classifier', 'argmax', 'anchors', 'nms'",
        ),
        ("bench digits --compute-units npu", "'npu' is not one of 'all', 'cpu_only'"),
    ],
)
def test_another_choice_is_answered_with_the_valid_ones(
    refused: Refused, arguments: str, named: str
) -> None:
    assert named in refused(*arguments.split())


@pytest.mark.parametrize(
    ("begun", "completed"),
    [("co", ["coreml"]), ("onnx,co", ["onnx,coreml"]), ("onnx,", ["onnx,onnx", "onnx,coreml"])],
)
def test_the_last_of_a_list_is_completed(begun: str, completed: list[str]) -> None:
    assert options.completing("onnx", "coreml")(begun) == completed


def test_the_shell_completes_formats() -> None:
    words = "affnet export --format cor"
    done = subprocess.run(
        [sys.executable, "-m", "affnet.cli"],
        env={
            **os.environ,
            "_PYTHON _M AFFNET.CLI_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["coreai", "coreml"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_terminal_or_is_in_panels(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(*command.split(), "--help").out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 50 or len(headings) >= 5


def test_help_of_bench_lists_its_sub_commands(run: Run) -> None:
    _, _, commands = run("bench", "--help").out.partition("\nCommands:\n")
    assert [line.split()[:2] for line in commands.splitlines()] == [
        ["bench", "mixers"],
        ["bench", "zoo"],
    ]
