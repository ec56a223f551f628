"""The device that computes its numbers: always the same, and never taken for measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.bench.measurement.interleaved import label_jobs, measure
from affnet.bench.measurement.protocol import get_protocol
from affnet.bench.reporting.latency_table import table
from affnet.bench.reporting.notes import table_notes
from affnet.bench.results.result import Result
from affnet.devices.fake import FakeDevice, FakeSettings
from affnet.errors import MeasurementError
from tests.bench.fakes import an_artifact


def measured(folder: Path, threads: int = 1, **settings: object) -> Result:
    device = FakeDevice("imagined", FakeSettings(**settings))  # type: ignore[arg-type]
    jobs = label_jobs([an_artifact("a", folder)], "onnxruntime")
    (result,) = measure(jobs, device, get_protocol("quick"), threads=threads)
    return result


def test_latency_follows_the_size_of_the_model(tmp_path: Path) -> None:
    """400 MMAC at 100 MAC/ns are 4 ms, and half of that on two threads."""
    settings = {"macs_per_ns": 100.0, "overhead_ns": 1000}
    assert measured(tmp_path, **settings).summary().median == pytest.approx(4_001_000, rel=0.03)
    two = measured(tmp_path, threads=2, **settings)
    assert two.summary().minimum >= 2_001_000
    assert two.summary().median == pytest.approx(2_001_000, rel=0.03)


def test_every_run_gives_the_same_samples(tmp_path: Path) -> None:
    assert measured(tmp_path).samples_ns == measured(tmp_path).samples_ns
    assert len(set(measured(tmp_path).samples_ns)) > 10  # with noise


def test_no_one_takes_the_numbers_for_measured(tmp_path: Path) -> None:
    result = measured(tmp_path)
    assert not result.valid
    assert result.validity_reasons == ("not measured: the fake device computes its numbers",)
    assert table_notes([result])[0] == (
        "Not measured: imagined computes its numbers from the size of each model."
    )
    assert table_notes([result])[-1] == (
        "Not valid for publication: not measured: the fake device computes its numbers."
    )
    assert table([result]).csv().splitlines()[0].startswith("device,model,")
    assert table([result]).csv().splitlines()[1].startswith("imagined,a,")


def test_it_fails_on_request(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match=r"^Measuring a\.onnx on onnxruntime ended with"):
        measured(tmp_path, fails=True)
