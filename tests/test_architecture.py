"""The package's shape: how long files are, and what a start costs; imports: `make lint`."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import affnet

ROOT = Path(affnet.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
MAX_FILE_LINES = 320
MAX_FUNCTION_LINES = 50


def dotted(path: Path) -> str:
    relative = path.relative_to(ROOT.parent).with_suffix("")
    return ".".join(relative.parts).removesuffix(".__init__")


def test_strings_that_name_modules_name_existing_ones() -> None:
    modules = {dotted(path) for path in MODULES}
    unknown = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                continue
            name = node.value.partition(":")[0]
            is_file = name.endswith((".toml", ".json"))
            is_whole = re.fullmatch(r"affnet(\.\w*[a-z])+", name) and not is_file
            if is_whole and name not in modules:
                unknown.add(f"{dotted(path)} names {name}")
    assert not unknown, "\n".join(sorted(unknown))


def test_files_are_short() -> None:
    lengths = {dotted(path): len(path.read_text().splitlines()) for path in MODULES}
    long = {name: length for name, length in lengths.items() if length > MAX_FILE_LINES}
    assert not long


def test_functions_are_short() -> None:
    long = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                start = node.body[0]
                documented = ast.get_docstring(node) is not None
                first = start.end_lineno if documented else start.lineno - 1
                assert first is not None
                if (lines := node.end_lineno - first) > MAX_FUNCTION_LINES:
                    long[f"{dotted(path)}.{node.name}"] = lines
    assert not long


def test_all_is_what_can_be_got() -> None:
    assert len(set(affnet.__all__)) == len(affnet.__all__)
    for name in affnet.__all__:
        assert getattr(affnet, name) is not None
    assert set(affnet.__all__) <= set(dir(affnet))
    assert "create_model" in affnet.__all__


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'affnet' has no attribute 'load_model'"):
        affnet.load_model  # noqa: B018


HEAVY = {
    "altair",
    "jinja2",
    "vl_convert",
    "torch",
    "torchvision",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "onnxsim",
    "safetensors",
    "transformers",
    "coremltools",
    "litert_torch",
    "ai_edge_litert",
    "executorch",
    "numpy",
    "PIL",
    "scipy",
}


@pytest.mark.parametrize("module", ["affnet", "affnet.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert not set(finished.stdout.split()) & HEAVY


def test_help_exits_with_success() -> None:
    command = [sys.executable, "-m", "affnet.cli", "--help"]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0
    assert finished.stderr == ""
    for name in ("export", "verify", "inspect", "bench", "devices"):
        assert name in finished.stdout
