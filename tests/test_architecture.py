"""The package's shape: who imports whom, how long files are, and what a start costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import affnet

ROOT = Path(affnet.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
MAX_FILE_LINES = 320
MAX_FUNCTION_LINES = 50

BASE = {
    "errors",
    "files",
    "units",
    "parity",
    "artifact",
    "console",
    "processes",
    "silence",
    "exported_program",
    "toml_file",
}
# what each part may import of the package, besides itself
ALLOWED = {
    **dict.fromkeys(BASE, BASE),
    "model": BASE,
    "runtimes": BASE,
    "evaluation": BASE | {"model", "runtimes"},
    "export": BASE | {"model", "runtimes", "evaluation"},  # runtimes: it proves what it converts
    "devices": BASE | {"runtimes"},
    "project": BASE | {"model", "runtimes"},
    "bench": BASE | {"runtimes", "evaluation", "devices"},
    "__init__": {"artifact", "export", "model"},  # lazily: see the test of what an import loads
    "commands": BASE | {"model", "runtimes", "evaluation", "export", "devices", "bench", "project"},
    "cli": BASE | {"commands"},
}


def dotted(path: Path) -> str:
    relative = path.relative_to(ROOT.parent).with_suffix("")
    return ".".join(relative.parts).removesuffix(".__init__")


def part_of(module: str) -> str:
    """Return the part of the package that ``affnet.part.module`` belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports_of(path: Path) -> Iterator[str]:
    """Yield the full name of all modules and names of the package that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports() -> Iterator[tuple[str, str]]:
    """Yield each module of the package with each part that it imports."""
    for path in MODULES:
        for name in imports_of(path):
            if name.split(".")[0] != "affnet":
                continue
            if (part := part_of(name)) != "__version__":
                yield dotted(path), part


def test_every_module_belongs_to_a_known_part() -> None:
    assert {part_of(dotted(path)) for path in MODULES} == set(ALLOWED)


def test_imports_go_in_one_direction() -> None:
    offenders = {
        f"{module} imports affnet.{part}"
        for module, part in own_imports()
        if part not in ALLOWED[part_of(module)] | {part_of(module)}
    }
    assert not offenders, "\n".join(sorted(offenders))


def test_the_base_has_no_cycles() -> None:
    graph: dict[str, set[str]] = {name: set() for name in BASE}
    for module, part in own_imports():
        if part_of(module) in BASE:
            graph[part_of(module)].add(part)
    while leaves := {name for name, needs in graph.items() if not needs & graph.keys()}:
        graph = {name: needs for name, needs in graph.items() if name not in leaves}
    assert not graph, f"a cycle among {sorted(graph)}"


def test_strings_that_name_modules_name_parts_that_may_be_imported() -> None:
    offenders = set()
    for path in MODULES:
        module = dotted(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                continue
            if not node.value.startswith("affnet.") or " " in node.value:
                continue
            if node.value.endswith((".toml", ".json")):
                continue  # the project file and its schema
            part = part_of(node.value.partition(":")[0])
            if part not in ALLOWED[part_of(module)] | {part_of(module)}:
                offenders.add(f"{module} names {node.value}")
    assert not offenders, "\n".join(sorted(offenders))


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
