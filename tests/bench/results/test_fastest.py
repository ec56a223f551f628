"""The fastest of a file's results: settings that an app should take."""

from __future__ import annotations

from typing import Any

from affnet.bench.results.fastest import fastest
from affnet.bench.results.result import Result
from tests.bench.fakes import a_result

SHA = "0" * 64


def a_run(ms: float, threads: int = 1, kind: str = "adb", **changes: Any) -> Result:
    environment = {"kind": kind, **changes.pop("environment", {})}
    blocks = ((round(ms * 1e6),) * 5,)
    given = {"artifact_sha256": SHA, "device": "pixel", "environment": environment}
    return a_result(**{**given, "blocks_ns": blocks, "threads": threads, **changes})


def test_the_lowest_median_decides_threads_and_accelerator() -> None:
    runs = [a_run(9, 1), a_run(5, 4), a_run(7, 2)]
    found = fastest(runs, SHA, ("adb",))
    assert found is not None
    assert (found.threads, found.accelerator) == (4, "")
    assert found.sentence == "the fastest of 3 settings on pixel, 5.00 ms"
    found = fastest([*runs, a_run(3, environment={"accelerator": "gpu"})], SHA, ("adb",))
    assert found is not None
    assert found.accelerator == "gpu"
    found = fastest([a_run(3, kind="ios", environment={"compute_units": "all"})], SHA, ("ios",))
    assert found is not None
    assert found.accelerator == "all"
    assert found.sentence == "the fastest of this setting alone on pixel, 3.00 ms"


def test_what_says_nothing_of_it_does_not_count() -> None:
    others = [
        a_run(1, artifact_sha256="1" * 64),
        a_run(1, kind="host"),
        a_run(1, validity_reasons=("disturbed",)),
        a_run(1, stages_ns={"preprocessing": (1,)}),
        a_run(1, environment={"accelerator": "webgpu"}),
    ]
    assert fastest(others, SHA, ("adb",)) is None
    found = fastest([a_run(9, 2), *others, a_run(1, 8, device="another")], SHA, ("adb",))
    assert found is not None
    assert found.threads == 2
