"""Project files: where they are found, what they say, and how each mistake is answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from affnet.errors import ProjectError
from affnet.export.converters import CONVERTERS, get_converter
from affnet.files import is_path
from affnet.project.default_source import choose_source
from affnet.project.project_file import find_project
from affnet.project.schema import Format, Precision, Runtime, schema_file, schema_text
from affnet.runtimes import RUNTIMES

WHOLE = """\
#:schema affnet.schema.json
budgets = "limits.toml"

[source]
model = "best.pt"
config = "config.yaml"
image_size = "64x96"
labels = "labels.txt"
ema = true

[export]
formats = ["onnx", "coreml"]
precisions = ["fp32", "int8"]
output = "build"
calibration_data = "bundled"

[bench]
peers = ["mobilevit_s"]
devices = ["pixel"]
runtimes = ["litert"]
store = "results.db"

[models]
mine = "build/best.onnx"

[[budget]]
model = "mine"
at_most = "12 ms"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("best.pt", "config.yaml", "labels.txt", "limits.toml"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_whole_file_is_read_and_its_paths_start_at_its_folder(folder: Path) -> None:
    (folder / "affnet.toml").write_text(WHOLE)
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    project = find_project(below)
    assert project is not None
    choice = choose_source(project, below)
    assert choice.source == str(folder / "best.pt")
    assert choice.settings == {
        "config": folder / "config.yaml",
        "labels": folder / "labels.txt",
        "ema": True,
        "image_size": "64x96",
    }
    assert choice.reason == f"the model of {folder / 'affnet.toml'}"
    assert project.settings.export.precisions == ["fp32", "int8"]
    assert project.budgets_file() == (folder / "affnet.toml", ())


def test_a_table_of_pyproject_is_a_project_and_lines_are_its_own(folder: Path) -> None:
    path = folder / "pyproject.toml"
    path.write_text('[project]\nname = "x"\n\n[tool.affnet.source]\nmodel = "best.pt"\n')
    project = find_project(folder)
    assert project is not None
    assert project.model() == str(folder / "best.pt")
    path.write_text(
        '[tool.affnet.source]\nmodel = "affnet_et"\n\n[tool.affnet.bench]\npeer = "x"\n'
    )
    with pytest.raises(ProjectError, match=r"line 5: bench.peer is unknown; did you mean 'peers'"):
        find_project(folder)


def test_other_pyprojects_are_none_of_ours_and_the_repository_is_the_border(tmp_path: Path) -> None:
    (tmp_path / "affnet.toml").write_text("")
    inside = tmp_path / "repository"
    (inside / ".git").mkdir(parents=True)
    (inside / "pyproject.toml").write_text("this is = = no TOML")
    assert find_project(inside) is None


def test_budgets_are_inline_or_in_a_file_or_beside(folder: Path) -> None:
    path = folder / "affnet.toml"
    path.write_text('budgets = "limits.toml"')
    project = find_project(folder)
    assert project is not None
    assert project.budgets_file() == (folder / "limits.toml", None)
    path.write_text("")
    project = find_project(folder)
    assert project is not None
    assert project.budgets_file() is None
    (folder / "budgets.toml").touch()
    assert project.budgets_file() == (folder / "budgets.toml", None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[source\n", "is not TOML: "),
        ("[exports]\n", "line 1: exports is unknown; did you mean 'export'?"),
        ('[source]\nmodle = "x.pt"', "line 2: source.modle is unknown; did you mean 'model'?"),
        ('[source]\nconfig = "config.yaml"', "line 1: source.model is missing; add it."),
        ('[source]\nmodel = "x.pt"', "line 2: source.model 'x.pt' does not exist; correct"),
        ('source = "x"', "line 1: source must be a table, not 'x'."),
        (
            '[source]\nmodel = "affnet"\nconfig = "no.yaml"',
            "line 3: source.config 'no.yaml' does not exist; correct the path or remove the key.",
        ),
        ('[source]\nmodel = "affnet"\nema = 1', "line 3: source.ema must be true or false, not 1."),
        (
            '[source]\nmodel = "affnet"\nimage_size = "wide"',
            "line 3: source.image_size must be a number such as 256, or height x width",
        ),
        (
            '[export]\nformats = ["onnx", "onxn"]',
            "line 2: export.formats 'onxn' is unknown; did you mean 'onnx'?",
        ),
        ('[export]\nformats = "onnx"', "line 2: export.formats must be a list in brackets, not"),
        ('[bench]\npeers = [""]', "line 2: bench.peers must not be empty."),
        ("[models]\na = 3", "line 2: models.a must be a text in quotes, not 3."),
    ],
)
def test_what_is_wrong_is_named_with_line_and_key(folder: Path, text: str, sentence: str) -> None:
    (folder / "affnet.toml").write_text(text)
    with pytest.raises(ProjectError) as caught:
        find_project(folder)
    assert str(caught.value).startswith(f"{folder / 'affnet.toml'}")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("best.pt", True), ("a/b", True), ("affnet_et", False), ("nets:build", False),
     ("timm:vit.augreg", False), ("affnet_et+twins", False)],
)  # fmt: skip
def test_paths_are_told_from_names(text: str, is_one: bool) -> None:
    assert is_path(text) is is_one


def test_the_choices_are_those_of_the_registries() -> None:
    assert set(Format.__args__) == set(CONVERTERS)
    assert set(Runtime.__args__) == set(RUNTIMES)
    assert set(Precision.__args__) == {p for n in CONVERTERS for p in get_converter(n).precisions}


def meaning(schema: Any) -> Any:
    """Return a schema without what some releases of pydantic add that says nothing."""
    if isinstance(schema, list):
        return [meaning(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    content = {key: meaning(part) for key, part in schema.items()}
    if len(content.get("allOf", ())) == 1:  # older ones, around a reference with a default
        (only,) = content.pop("allOf")
        content |= only
    if content.get("additionalProperties") is True:  # newer ones, though it is the default
        del content["additionalProperties"]
    return content


def test_the_shipped_schema_is_current() -> None:
    shipped, current = (
        meaning(json.loads(text)) for text in (schema_file().read_text(), schema_text())
    )
    assert shipped == current, "run: python -m affnet.project.schema"
    assert json.loads(schema_text())["additionalProperties"] is False
