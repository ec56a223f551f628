"""Many models in groups beside one reference, and the chart of what came out."""

from __future__ import annotations

import functools
import itertools
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.batches import MeasureBatches, measure_batches
from affnet.bench.measurement.groups import GROUP, measure_in_groups
from affnet.bench.measurement.interleaved import Job
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.measurement.sweep import Keep
from affnet.bench.reporting.accuracy_chart import write_chart
from affnet.bench.reporting.notes import table_notes
from affnet.bench.reporting.output import check_picture
from affnet.bench.statistics.intervals import Interval
from affnet.devices.fake import FakeDevice
from affnet.errors import MeasurementError, MissingError, UnreachableError, UsageError
from tests.bench.fakes import a_result, an_artifact

PROTOCOL = Protocol("test", min_runs=20, min_seconds=0.0, block_seconds=0.01)


class Breaking(FakeDevice):
    """A fake on which one model cannot be started."""

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[Any]:
        if artifact.manifest.model == "bad":
            raise MeasurementError("bad crashed.")
        with super().start(artifact, runtime, threads) as process:
            yield process


def on(device: FakeDevice, keep: Keep = lambda _: None) -> MeasureBatches:
    return functools.partial(
        measure_batches, device=device, protocol=PROTOCOL, threads=1, keep=keep
    )


def jobs(folder: Path, *names: str) -> list[Job]:
    return [Job(name, an_artifact(name, folder), "onnxruntime") for name in names]


def test_each_group_has_the_reference_and_ratios_to_its_own(tmp_path: Path) -> None:
    names = ["reference", *(f"net{number}" for number in range(GROUP + 2))]
    kept: list[list[str]] = []
    (outcome,) = measure_in_groups(
        jobs(tmp_path, *names),
        on(FakeDevice(), lambda results: kept.append([result.model for result in results])),
    )
    assert kept == [names[: GROUP + 1], ["reference", *names[GROUP + 1 :]]]
    assert [result.model for result in outcome.results] == names
    assert {result.peer for result in outcome.results} == {"reference"}
    assert all(result.ratio_to_peer for result in outcome.results)
    sessions = [result.session for result in outcome.results]
    assert [sessions.count(session) for session in dict.fromkeys(sessions)] == [GROUP + 1, 2]
    assert any("ratios compare all" in note for note in table_notes(outcome.results))


def test_an_error_costs_its_group_alone(tmp_path: Path) -> None:
    first, last = ([f"{end}{number}" for number in range(GROUP)] for end in ("a", "b"))
    names = ["reference", *first, "bad", *first[1:], *last]
    done, failed = measure_in_groups(jobs(tmp_path, *names), on(Breaking()))
    assert [result.model for result in done.results] == ["reference", *first, *last]
    assert (str(failed.error), failed.results) == ("bad crashed.", [])


def test_a_device_that_is_not_there_is_not_tried_again(tmp_path: Path) -> None:
    tried: list[str] = []

    class Gone(FakeDevice):
        def session(self, runtime: str, progress: Any = None) -> Any:
            tried.append(runtime)
            raise UnreachableError("It has gone.")

    names = ["reference", *(f"net{number}" for number in range(3 * GROUP))]
    (failed,) = measure_in_groups(jobs(tmp_path, *names), on(Gone()))
    assert (str(failed.error), tried) == ("It has gone.", ["onnxruntime"])


def test_the_reference_alone_is_a_group(tmp_path: Path) -> None:
    (outcome,) = measure_in_groups(jobs(tmp_path, "reference"), on(FakeDevice()))
    assert [result.model for result in outcome.results] == ["reference"]


def charted() -> Any:
    return a_result(
        model="affnet_et",
        peer="mobilevit_xxs",
        ratio_to_peer=Interval(0.9, 0.8, 1.1),
        published={"top1_percent": 73.0, "source": "a paper"},
    )


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<svg")])
def test_a_chart_is_a_picture_that_tells_what_is_quoted(
    tmp_path: Path, suffix: str, start: bytes
) -> None:
    path = tmp_path / f"zoo{suffix}"
    write_chart([charted(), a_result(model="unpublished")], path)
    content = path.read_bytes()
    assert content.startswith(start)
    if suffix == ".svg":
        assert b"quoted from the papers" in content
        assert b"x mobilevit_xxs (measured: " in content
        assert b"affnet_et" in content
        assert b"unpublished" not in content


def test_a_chart_of_nothing_published_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to draw"):
        write_chart([a_result(published=None)], tmp_path / "zoo.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["altair", "vl_convert"])
def test_without_what_draws_the_command_that_brings_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingError, match=r"pip install 'affnet\[report\]'"):
        check_picture(tmp_path / "zoo.png")


def test_names_of_like_accuracies_do_not_cover_each_other(tmp_path: Path) -> None:
    path = tmp_path / "zoo.svg"
    results = [
        a_result(
            model=f"network_{index}",
            peer="network_0",
            ratio_to_peer=Interval(1.0 + index / 10, 1.0, 1.5),
            published={"top1_percent": top1, "source": "a paper"},
        )
        for index, top1 in enumerate((70.0, 75.0, 75.01, 75.02, 80.0))
    ]
    write_chart(results, path)
    names = re.findall(
        r'transform="translate\([-0-9.]+,([-0-9.]+)\)"[^>]*>network_\d<', path.read_text()
    )
    heights = sorted(float(height) for height in names)
    assert len(heights) == len(results)
    assert min(high - low for low, high in itertools.pairwise(heights)) >= 12
