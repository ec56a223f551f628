"""The page of the Python interface: every public name, its signature and its docstring."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import affnet

_SECTION = re.compile(r"^(Args|Returns|Raises):\n((?:    .*\n?|\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^([\w, ]+): (.*(?:\n {4}.*)*)", re.MULTILINE)
_INTRODUCTION = """# Python

```python
import affnet

source = affnet.load_source("affnet_et")
options = affnet.ExportOptions("onnx", image_size=(256, 256))
artifact = affnet.export_artifact(source, options, output="build")
print(artifact.manifest.parity)

results = affnet.measure_artifacts([artifact.path], preset="quick")
print(results[0].summary().median / 1e6, "ms")
```

These names, and the classes of `affnet.errors` ([errors](errors.md)), are public and kept as
[versions](../versions.md) says. All else is private by its path, `affnet.export.passes` for
instance, and changes without notice. Importing `affnet` loads no PyTorch."""


def page() -> str:
    """Return the page."""
    return "\n\n".join(block.strip() for block in _blocks()) + "\n"


def _blocks() -> Iterator[str]:
    yield _INTRODUCTION
    named = {name: getattr(affnet, name) for name in affnet.__all__ if name[0] != "_"}
    functions = {name: one for name, one in named.items() if inspect.isfunction(one)}
    records = {name: one for name, one in named.items() if inspect.isclass(one)}
    yield "## Functions"
    for name, function in functions.items():
        yield f"### affnet.{name}"
        yield _signature(name, function)
        yield from _docstring(function)
    yield "## Records"
    for name, kind in records.items():
        yield f"### affnet.{name}"
        yield from _docstring(kind)
        yield _members(kind)


def _signature(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    parameters, keywords = [], False
    for one in signature.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not keywords:
            keywords = True
            parameters.append("*")
        default = "..." if callable(one.default) else repr(one.default)
        optional = "" if one.default is one.empty else f" = {default}"
        parameters.append(f"{one.name}: {one.annotation}{optional}")
    lines = "".join(f"    {one},\n" for one in parameters)
    return f"```python\n{name}(\n{lines}) -> {signature.return_annotation}\n```"


def _docstring(described: Any) -> Iterator[str]:
    text = (inspect.getdoc(described) or "") + "\n"
    yield _SECTION.sub("", text)
    for title, body in _SECTION.findall(text):
        entries = _ENTRY.findall(textwrap.dedent(body))
        if title == "Returns" or not entries:
            yield f"{title}: {' '.join(body.split())}"
        else:
            rows = [f"- `{name}`: {' '.join(said.split())}" for name, said in entries]
            yield f"{title}:\n\n" + "\n".join(rows)


def _members(kind: Any) -> str:
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    rows = [f"| `{one.name}` | `{_escaped(one.type)}` |" for one in fields]
    for name, member in vars(kind).items():
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        said = (inspect.getdoc(function) or "").partition("\n")[0]
        shown = name if isinstance(member, property) else f"{name}()"
        rows.append(f"| `{shown}` | {_escaped(said)} |")
    return "\n".join(["| member | |", "| --- | --- |", *rows])


def _escaped(text: Any) -> str:
    return str(text).replace("|", "\\|")
