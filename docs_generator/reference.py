"""Pages of reference, made from the code that they describe."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from affnet import errors
from affnet.artifact import Manifest
from affnet.bench.results.result import Result
from affnet.errors import AffnetError
from affnet.project.schema import schema_text
from docs_generator import python
from docs_generator.commands import commands
from docs_generator.exit_codes import ENVIRONMENT, EXIT_CODES, FILES, VERDICTS

_COMMENT = re.compile(r"^    (?P<name>\w+):.*?  # (?P<text>.+)$", re.MULTILINE)


def pages() -> dict[str, str]:
    """Return the text of each page and schema, by its name in the folder of the reference."""
    return {
        "commands.md": _joined(_commands()),
        "python.md": python.page(),
        "errors.md": _joined(_errors()),
        "manifest.md": _record(Manifest, "The manifest", "manifest.schema.json", _MANIFEST),
        "manifest.schema.json": _schema(Manifest),
        "result.md": _record(Result, "Results", "result.schema.json", _RESULT),
        "result.schema.json": _schema(Result),
        "project-file.md": _joined(_project_file()),
        "project-file.schema.json": schema_text(),
    }


_MANIFEST = (
    "`FILE.manifest.json` stands beside each exported file and says what it is; "
    "`affnet inspect FILE --json` prints it. A file of another tool has none. Fields may be added "
    "without a new number of the schema, 1."
)
_RESULT = (
    "`affnet bench --json`, `--output FILE.json` and `.jsonl`, and the store hold these fields, "
    "times in ns, and beside them statistics that follow from the samples (`samples_ns` in turns "
    "of `block_lengths`, `median_ns`, `p90_ns`, ..): [results](../results.md). Fields may be added "
    "without a new number of the schema, `result_schema`, 1."
)


def _joined(blocks: Iterator[str]) -> str:
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def _commands() -> Iterator[str]:
    yield "# Commands"
    yield (
        "Every command with every argument and option. `affnet --version` shows the version, "
        "`affnet --debug COMMAND` tracebacks."
    )
    for one in commands():
        yield f"## affnet {one.name}"
        yield f"```\n{one.usage}\n```"
        for paragraph in one.paragraphs:
            label, _, command = paragraph.partition(": affnet ")
            is_example = command and ". " not in command  # and no sentences
            yield f"{label}: `affnet {command}`" if is_example else _cell(paragraph)
        for panel, parameters in one.panels().items():
            rows = [(_code(p.names), _cell(p.help)) for p in parameters]
            yield _table((panel, ""), rows)


def _errors() -> Iterator[str]:
    yield "# Errors and exit codes"
    yield _table(("exit code", "means"), [(str(code), text) for code, text in EXIT_CODES.items()])
    yield _table(
        ("command", "0", "1"),
        [(f"`affnet {name}`", *said) for name, said in VERDICTS.items()],
    )
    yield (
        "Others end with 0 once they have shown what they were asked for: `affnet eval` whatever "
        "the accuracy is. `affnet doctor` ends with 3 where the installation, or the device that "
        "it is asked about, cannot work."
    )
    yield (
        "An error is one sentence: the problem, which names the thing and the value, and the "
        "remedy, the exact command or option."
    )
    yield "## In Python"
    yield (
        "Every error that affnet raises on purpose is an `affnet.errors.AffnetError` with "
        "`problem`, `remedy` and `exit_code`."
    )
    kinds = sorted(_kinds(), key=lambda kind: (kind.exit_code, kind.__name__))
    rows = [
        (
            f"`{kind.__name__}`",
            f"`{kind.__base__.__name__}`" if kind.__base__ else "",
            str(kind.exit_code),
            inspect.cleandoc(kind.__doc__ or "").partition("\n")[0],
        )
        for kind in kinds
    ]
    yield _table(("class", "is a", "exit code", "means"), rows)
    yield "## What is read"
    yield _table(("variable", ""), [(f"`{name}`", text) for name, text in ENVIRONMENT.items()])
    yield _table(("file", ""), [(f"`{name}`", text) for name, text in FILES.items()])


def _kinds() -> list[type[AffnetError]]:
    found = [one for one in vars(errors).values() if inspect.isclass(one)]
    return [one for one in found if issubclass(one, AffnetError)]


def _record(kind: type[Any], title: str, schema: str, text: str) -> str:
    """Return the page of a record, with the comments that stand beside its fields."""
    comments = {
        found["name"]: found["text"] for found in _COMMENT.finditer(inspect.getsource(kind))
    }
    rows = [
        (
            f"`{one.name}`",
            _code(str(one.type)),
            _cell(comments.get(one.name, "")),
        )
        for one in dataclasses.fields(kind)
    ]
    link = f"As JSON Schema: [{schema}]({schema})."
    return _joined(iter((f"# {title}", text, _table(("field", "type", ""), rows), link)))


def _schema(kind: type[Any]) -> str:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(head | TypeAdapter(kind).json_schema(), indent=2) + "\n"


def _project_file() -> Iterator[str]:
    yield "# The project file"
    yield "Every key of `affnet.toml`; [how it is found and what it changes](../project.md)."
    schema = json.loads(schema_text())
    yield _keys(schema, "at the top")
    for name, table in schema["$defs"].items():
        yield f"## {name.removesuffix('Table').lower()}"
        yield table["description"]
        yield _keys(table, "key")
    yield "As JSON Schema: [project-file.schema.json](project-file.schema.json)."


def _keys(table: dict[str, Any], title: str) -> str:
    properties: dict[str, dict[str, Any]] = table["properties"]
    rows = [(f"`{key}`", _cell(one.get("description", ""))) for key, one in properties.items()]
    return _table((title, ""), rows)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Return a text of our own as a cell of a table, or a line: code in it stays code."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


def _code(text: str) -> str:
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`"
