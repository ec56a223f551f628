"""Count the ways of a plain export through the files of this package.

    git worktree add ../before 12eeb20
    python -m benchmarks.walk . ../before
    python -m benchmarks.walk . --list

A stay is a call from one file of affnet into another, each pair of functions counted once, from the
command's function until the artifact is published.  Libraries between two files are passed through;
imports, and what a network calls while it runs, are none.  A climb is a stay in a room above the
caller's by the layers of this checkout's import-linter contracts; of those, another checkout has
the folders that it has.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

_ARGUMENTS = ("export", "digits", "--format", "onnx", "--quiet")
_START, _END = ("commands.export", "export"), ("files", "publish")
_PASSED = ("forward", "_find_and_load")  # a network at work, an import

Place = tuple[str, str]  # a module, without "affnet.", and a function in it


def trace(package: Path) -> list[tuple[Place, Place]]:
    """Export in this process; return the calls between files of ``package``, in their order."""
    calls: dict[tuple[Place, Place], None] = {}
    walking: list[bool] = []  # of the start, then of the end

    @functools.cache
    def place(code: CodeType) -> Place | None:
        file = Path(code.co_filename)
        if not file.is_relative_to(package) or code.co_name == "<module>":
            return None
        module = ".".join(file.relative_to(package).with_suffix("").parts)
        return module, code.co_qualname.split(".<locals>")[0]

    def note(frame: Any, event: str, _: object) -> None:
        here = place(frame.f_code) if event in ("call", "return") else None
        if here is None or len(walking) == 2:
            return
        if (here, event) in ((_START, "call"), (_END, "return")):
            walking.append(True)
        callers = [*_above(frame)] if walking and event == "call" else []
        there = next(filter(None, map(place, callers)), None)
        if there and there[0] != here[0] and not any(code.co_name in _PASSED for code in callers):
            calls.setdefault((there, here))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        from affnet import cli

        with tempfile.TemporaryDirectory() as folder:
            sys.argv = ["affnet", *_ARGUMENTS, "--output", folder]
            cli.main()
    except SystemExit as ending:
        if ending.code:
            raise
    finally:
        sys.setprofile(None)
    return [*calls]


def _above(frame: Any) -> Iterator[CodeType]:
    while frame := frame.f_back:
        yield frame.f_code


def rooms() -> dict[str, tuple[str, int]]:
    """Return for each module of a contract by layers who contains it, and its height there."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    found = {}
    for contract in project["tool"]["importlinter"]["contracts"]:
        container = contract.get("containers", ["affnet"])[0]
        layers = contract.get("layers", ())
        for height, layer in enumerate(reversed(layers)):
            for name in map(str.strip, re.split("[|:]", layer)):
                whole = name if name.startswith("affnet.") else f"{container}.{name}"
                found[whole.removeprefix("affnet.")] = (container, height)
    return found


def is_climb(stay: tuple[Place, Place], known: dict[str, tuple[str, int]]) -> bool:
    """Return whether a stay leads up, in the innermost contract that has both rooms."""
    heights = []
    for module, _ in stay:
        parts = module.split(".")
        names = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
        heights.append(dict(known[name] for name in names if name in known))
    common = [container for container in heights[0] if container in heights[1]]
    return bool(common) and heights[1][common[-1]] > heights[0][common[-1]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkouts", nargs="+", type=Path, help="this one, and others of it")
    parser.add_argument("--list", action="store_true", help="print the stays, climbs marked")
    parser.add_argument("--trace", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.trace:
        json.dump(trace(arguments.checkouts[0] / "affnet"), sys.stdout)
        return
    known = rooms()
    for checkout in map(Path.resolve, arguments.checkouts):
        command = [sys.executable, __file__, "--trace", str(checkout)]
        paths = {"PYTHONPATH": str(checkout)}
        traced = subprocess.run(command, cwd=checkout, env=paths, check=True, capture_output=True)
        stays = [tuple(map(tuple, stay)) for stay in json.loads(traced.stdout.splitlines()[-1])]
        climbs = [stay for stay in stays if is_climb(stay, known)]
        files = {module for stay in stays for module, _ in stay}
        print(f"{checkout}: {len(stays)} stays in {len(files)} files, {len(climbs)} climbs")
        for number, (there, here) in enumerate(stays, 1):
            if arguments.list:
                mark = "^" if (there, here) in climbs else " "
                print(f"{number:4} {mark} {'.'.join(there)} -> {'.'.join(here)}")


if __name__ == "__main__":
    main()
