"""``affnet bench mixers`` from end to end on small maps, and requests that it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Finished

Refused = Callable[..., str]


def test_two_mixers_are_exported_measured_and_compared(
    run: Callable[..., Finished], workspace: Path
) -> None:
    table = workspace / "mixers.md"
    done = run(
        "bench", "mixers", "--mixers", "pool", "--sizes", "4,6x8", "--channels", "8",
        "--preset", "check", "--json", "--quiet", "-o", table,
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    content = done.json
    assert [(r["mixer"], r["tokens"]) for r in content["results"]] == [
        ("aff", 16), ("pool", 16), ("aff", 48), ("pool", 48),
    ]  # fmt: skip
    assert {r["model"] for r in content["results"][:2]} == {"aff-8x4x4", "pool-8x4x4"}
    assert [entry["mixer"] for entry in content["growth"]] == ["aff", "pool"]
    assert all(f["holds"] and f["max_rel_error"] < 1e-5 for f in content["formats"])
    assert content["missing"] == []
    assert "| onnxruntime | 8x6x8 | pool | local, fixed |" in table.read_text()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--mixers", "mamba"), "Unknown token mixer 'mamba'; valid: aff, gfnet"),
        (("--sizes", "8,x"), "--sizes 'x' is not HxW"),
        (("--sizes", "0"), "--sizes 0x0 is empty; each side must be at least 1."),
        (("--channels", "12"), "--channels 12 is no multiple of 8, AFF's blocks."),
        (("--channels", ","), "--channels names nothing."),
        (("--runtime", "tvm"), "Unknown runtime 'tvm'"),
        (("--formats", "gguf"), "Unknown format 'gguf'"),
        (("--plot", "mixers.jpg"), "Unknown suffix of --plot '.jpg'; valid: .png, .svg."),
        (("-o", "mixers.jsonl"), "Unknown suffix of --output '.jsonl'; valid: .json, .md, .csv."),
        (("--json", "--csv"), "--json and --csv exclude each other"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(
    refused: Refused, options: tuple[str, ...], sentence: str
) -> None:
    assert refused("bench", "mixers", *options).startswith(sentence)
