"""Reading results that were written before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from affnet.bench.results import jsonl
from affnet.bench.results.result import Result
from affnet.console import SCHEMA
from affnet.errors import ResultsError, first_line
from affnet.reading import LARGEST_RESULTS, existing_file, parse_json, read_text


def read_results(path: Path) -> list[Result]:
    """Read the results of a file that ``--output`` wrote.

    Raises:
        UsageError: there is no such file.
        ResultsError: it holds no results, or they are not whole.
    """
    if path.suffix == jsonl.SUFFIX:
        return list(each_result(path))
    try:
        existing_file(path, "results that affnet bench wrote")
        content = parse_json(read_text(path, LARGEST_RESULTS))
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path} is not JSON, or not all of it: {first_line(error)}.") from error
    schema = content.get("schema", SCHEMA) if isinstance(content, dict) else SCHEMA
    if schema != SCHEMA:
        raise ResultsError(
            f"{path} is of schema {schema}, this version of affnet reads {SCHEMA}", "update affnet."
        )
    records = content.get("results") if isinstance(content, dict) else None
    if not isinstance(records, list) or not records:
        raise ResultsError(
            f"{path} holds no results", f"make them with: affnet bench --output {path}"
        )
    return [_result(record, f"{path}, result {index}") for index, record in enumerate(records, 1)]


def each_result(path: Path) -> Iterator[Result]:
    """Yield the results of a file, which need not all fit into memory where they stand in lines.

    Raises:
        UsageError, ResultsError: as `read_results`.
    """
    if path.suffix != jsonl.SUFFIX:
        yield from read_results(path)
        return
    existing_file(path, "results that affnet bench wrote")
    try:
        for number, record in jsonl.read(path):
            yield _result(record, f"{path}, line {number}")
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}.") from error


def _result(record: object, where: str) -> Result:
    try:
        return Result.from_json(record)
    except ValueError as error:
        raise ResultsError(f"{where}: {error}.") from error
