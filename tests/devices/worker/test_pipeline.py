"""A picture's way through a worker: answers are those of ``affnet run``, stages are timed."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affnet.devices.host import HostDevice
from affnet.devices.worker.pipeline import STAGES, Pipeline, describe_pipeline
from affnet.errors import MissingError
from affnet.evaluation.pictures import look_at
from affnet.runtimes import runtime_for
from tests.package import networks


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (37, 53, 3), np.uint8)
    Image.fromarray(noise).save(path, quality=90)
    return path


def pipeline_of(folder: Path, task: str, picture: Path) -> Pipeline:
    artifact = networks.write(folder, task)
    session = runtime_for("onnx").load(artifact.path, threads=1)
    return Pipeline(session, describe_pipeline(artifact, picture.read_bytes()))


@pytest.mark.parametrize("task", ["classification", "segmentation", "detection"])
def test_its_answers_are_those_of_affnet_run(task: str, tmp_path: Path, picture: Path) -> None:
    pipeline = pipeline_of(tmp_path, task, picture)
    size, feed = pipeline._feed()
    answer = pipeline._answer(pipeline._session.run(feed), size)
    (shown,) = look_at(networks.write(tmp_path, task), [picture], threshold=0.0)
    if task == "classification":
        scores = [score for _, score in answer]
        assert scores == pytest.approx([one["score"] for one in shown.classes])
    elif task == "segmentation":
        assert answer.shape == (37, 53)
        shares = {one["label"]: one["share"] for one in shown.classes}
        largest = np.bincount(answer.ravel()).max() / answer.size
        assert largest == pytest.approx(max(shares.values()), abs=0.05)
    else:
        found = np.array([one["box"] for one in shown.objects])
        assert len(found) == len(answer) > 0
        np.testing.assert_allclose(answer, found, atol=0.06)


def test_stages_are_the_parts_of_each_sample(tmp_path: Path, picture: Path) -> None:
    artifact = networks.write(tmp_path)
    with HostDevice().start(artifact, "onnxruntime", 1) as process:
        inference = process.run(3, discard=1)
        process.begin_pipeline(artifact, picture.read_bytes())
        samples = process.run(4, discard=1)
        stages = process.last_stages()
        assert tuple(stages) == STAGES
        assert [sum(parts) for parts in zip(*stages.values(), strict=True)] == samples
        assert min(map(min, stages.values())) > 0
        assert process.infer(np.zeros((1, 3, *networks.SIZE), np.float32))[0].shape == (1, 3)
    assert len(inference) == 3


def test_it_needs_pillow(tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = describe_pipeline(networks.write(tmp_path), picture.read_bytes())
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingError, match="run there: pip install pillow"):
        Pipeline(None, described)  # type: ignore[arg-type]


def test_a_bundled_picture_is_always_the_same() -> None:
    from affnet.bench.measurement.pictures import SIZE, picture_of

    first = picture_of(None)
    assert picture_of(None) == first
    assert Image.open(io.BytesIO(first)).size == SIZE
