"""Put the demo's table into README: ``make demo``, then ``python -m benchmarks.readme``.

The table stands between two marks, as ``demo/comparison.md`` has it.  ``--static`` changes only the
columns that do not depend on the machine, where it is too busy to measure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- demo: python -m benchmarks.readme -->\n", "<!-- demo ends -->\n"
#: The columns that every machine gives alike.
STATIC = ("file MB", "params M", "MACs M")


def block(readme: str) -> str:
    """Return what stands between the marks."""
    return readme.partition(BEGIN)[2].partition(END)[0]


def replaced(readme: str, table: str) -> str:
    """Return the text of README with another table between the marks."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit("README.md lacks the marks of the demo's table.")
    return f"{before}{BEGIN}\n{table.strip()}\n\n{END}{after}"


def rows(markdown: str) -> list[dict[str, str]]:
    """Return the rows of a table, by column."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    header, _, *body = ([cell.strip() for cell in line.strip("| ").split("|")] for line in lines)
    return [dict(zip(header, cells, strict=True)) for cells in body]


def with_static(old: str, new: str) -> str:
    """Return the table ``old`` with the static columns of ``new``."""
    found = {row["model"]: row for row in rows(new)}
    lines = old.strip().splitlines()
    for number, line in enumerate(lines):
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if line.startswith("|") and cells[0] in found:
            known = dict(zip(rows(old)[0], cells, strict=True))
            known |= {name: found[cells[0]][name] for name in STATIC}
            lines[number] = f"| {' | '.join(known.values())} |"
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--table", type=Path, default=ROOT / "demo" / "comparison.md")
    parser.add_argument("--static", action="store_true")
    arguments = parser.parse_args()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = arguments.table.read_text(encoding="utf-8")
    if arguments.static:
        table = with_static(block(readme), table)
    (ROOT / "README.md").write_text(replaced(readme, table), encoding="utf-8")


if __name__ == "__main__":
    main()
