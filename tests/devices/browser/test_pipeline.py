"""From a picture's file to an answer in a real page, by the code of packages for the web."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.pictures import picture_of
from affnet.devices.base import PipelineProcess
from affnet.devices.browser import pipeline
from affnet.devices.browser.pipeline import code_of
from affnet.devices.worker.pipeline import STAGES
from affnet.errors import MeasurementError, MissingError, UsageError
from affnet.evaluation.pictures import look_at
from tests.conftest import Finished
from tests.devices.browser.browsers import device
from tests.package import networks, pictures
from tests.shared_artifacts import SharedArtifacts

pytestmark = pytest.mark.usefixtures("web_runtimes")


@pytest.mark.usefixtures("chromium")
@pytest.mark.parametrize("task", ["classification", "segmentation", "detection"])
def test_stages_are_the_parts_of_each_sample(task: str, tmp_path: Path) -> None:
    artifact = networks.write(tmp_path, task)
    with device().start(artifact, "onnxruntime", 1) as process:
        assert isinstance(process, PipelineProcess)
        assert len(process.run(3)) == 3
        process.begin_pipeline(artifact, picture_of(None))
        samples = process.run(4, discard=1)
        stages = process.last_stages()
        with pytest.raises(MeasurementError, match="failed: The picture is not an image, or is"):
            process.begin_pipeline(artifact, b"no picture")
    assert tuple(stages) == STAGES
    assert [sum(parts) for parts in zip(*stages.values(), strict=True)] == samples
    assert min(stages["preprocessing"]) > 1e5 < min(stages["inference"])


@pytest.mark.usefixtures("chromium")
@pytest.mark.converters
def test_litert_answers_as_affnet_run(
    shared_artifact: SharedArtifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = shared_artifact("digits", "tflite")
    path = pictures.synthetic(tmp_path / "pictures", 1)[0]
    (shown,) = look_at(artifact, [path], threshold=0.0)
    best = {"name": shown.classes[0]["label"], "score": shown.classes[0]["score"]}
    monkeypatch.setattr(pipeline, "code_of", lambda *of: code_of(*of) + _checked(best))
    with device().start(artifact, "litert", 1) as process:
        process.begin_pipeline(artifact, path.read_bytes())
        assert len(process.run(2)) == 2
        monkeypatch.setattr(pipeline, "code_of", lambda *of: code_of(*of) + _checked({"name": 7}))
        with pytest.raises(MeasurementError, match="failed: the answer is "):
            process.begin_pipeline(artifact, path.read_bytes())


def _checked(best: dict[str, object]) -> str:
    """Return code of the page that fails unless this is the first label of each answer."""
    return f"""
const classify = Classifier.prototype.classify, wanted = {json.dumps(best)};
Classifier.prototype.classify = async function (picture) {{
  const found = await classify.call(this, picture);
  if (found[0].name !== wanted.name || !(Math.abs(found[0].score - wanted.score) < 1e-3))
    throw new Error("the answer is " + JSON.stringify(found[0]));
  return found;
}};
"""


@pytest.mark.exhaustive  # the page's samples are tested above, the command's rows on the host
@pytest.mark.usefixtures("chromium")
@pytest.mark.slow
def test_bench_shows_the_three_rows(run: Callable[..., Finished], digits_onnx: Artifact) -> None:
    done = run(
        "bench",
        digits_onnx.path,
        "--pipeline",
        "--device",
        "browser",
        "--preset",
        "quick",
        "--json",
    )
    assert done.code == 0, done.err
    (result,) = done.json["results"]
    assert [len(row) for row in result["stages_ns"].values()] == [result["runs"]] * 3


def test_what_packages_refuse_is_refused(tmp_path: Path) -> None:
    artifact = networks.write(tmp_path)
    networks.rewrite(artifact, task="other")
    with pytest.raises(UsageError, match="was not exported from a network of affnet"):
        code_of(Artifact.open(artifact.path), "onnxruntime")


def test_without_node_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match=r"cannot be built: .*node.*; install Node\.js"):
        code_of(networks.write(tmp_path), "onnxruntime")
