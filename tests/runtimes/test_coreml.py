"""The Core ML runtime: the evaluator here, Core ML itself through a double of its model."""

from __future__ import annotations

import inspect
import logging
import platform
import subprocess
import sys
import warnings

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.errors import ArtifactError, MissingError
from affnet.runtimes import RUNTIMES, check_measurable, get_runtime, is_artifact
from affnet.runtimes.coreml import CoreMLRuntime, CoreMLSession, EvaluatorSession, quiet_coremltools
from affnet.runtimes.mlprogram import load_program
from tests.tiny import CLASSES

pytest.importorskip("coremltools")
pytestmark = pytest.mark.converters


class Model:
    """Takes and gives what ``coremltools.models.MLModel`` does on a Mac."""

    def __init__(self, model, **options):
        self.path = model

    def predict(self, data, state=None):
        self.data = data
        return {"logits": np.arange(CLASSES, dtype=np.float32)[None]}


@pytest.fixture(
    scope="module",
    params=[{}, {"image_input": True}],
    ids=["floats", "image"],
)
def artifact(request, shared_artifact) -> Artifact:
    return shared_artifact("tiny", "coreml", precision="fp32", **request.param)


@pytest.fixture
def mac(monkeypatch):
    """A host that says it is a Mac, and has a double of Core ML."""
    with quiet_coremltools() as coremltools:
        monkeypatch.setattr(coremltools.models, "MLModel", Model)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("15.1", ("", "", ""), "arm64"))


def feed(artifact):
    spec = artifact.manifest.inputs[0]
    return np.full(spec.static_shape(), spec.range[1] / 2).astype(spec.dtype)


def test_evaluator(artifact):
    session = CoreMLRuntime.load(artifact.path, threads=1)
    assert isinstance(session, EvaluatorSession)
    (logits,) = session.run(feed(artifact))
    assert logits.shape == (1, CLASSES)
    assert np.isfinite(logits).all()
    assert CoreMLRuntime.version().endswith("(evaluator)")


@pytest.mark.usefixtures("mac")
def test_core_ml(artifact):
    session = CoreMLRuntime.load(artifact.path, threads=1)
    assert isinstance(session, CoreMLSession)
    image = feed(artifact)
    (logits,) = session.run(image)
    np.testing.assert_array_equal(logits, np.arange(CLASSES)[None])
    given = session._model.data["image"]
    if artifact.manifest.inputs[0].dtype == "uint8":
        assert (given.mode, given.size) == ("RGB", (32, 32))
        np.testing.assert_array_equal(np.asarray(given), image[0])
    else:
        assert given is image
    assert CoreMLRuntime.version().endswith("(Core ML of macOS 15.1)")
    check_measurable(CoreMLRuntime)


@pytest.mark.usefixtures("mac")
def test_core_ml_rejects_a_file(artifact, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("compiler error\ndetails")

    monkeypatch.setattr(Model, "__init__", broken)
    with pytest.raises(ArtifactError, match=r"Core ML rejects .*: compiler error$"):
        CoreMLRuntime.load(artifact.path, threads=1)


def test_the_double_has_the_signature_of_the_real_model():
    with quiet_coremltools() as coremltools:
        real = coremltools.models.MLModel
    assert [*inspect.signature(real.predict).parameters] == [
        *inspect.signature(Model.predict).parameters
    ]
    assert next(iter(inspect.signature(real).parameters)) == "model"


def test_operators_need_neither_coremltools_nor_torch(artifact):
    code = (
        "import sys; from pathlib import Path\n"
        "from affnet.runtimes.coreml import CoreMLRuntime\n"
        "print(CoreMLRuntime.operators(Path(sys.argv[1]))['layer_norm'])\n"
        "assert not {'coremltools', 'torch'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, artifact.path], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == load_program(artifact.path).operator_counts()["layer_norm"] > 0


def test_packages_are_artifacts(artifact):
    assert is_artifact(artifact.path)


def test_the_evaluator_is_not_timed(run, artifact):
    with pytest.raises(MissingError):
        check_measurable(CoreMLRuntime)
    done = run("bench", artifact.path, "--runtime", "coreml")
    assert (done.code, done.out) == (3, "")
    assert "Core ML is timed on a Mac only" in done.error
    for name in set(RUNTIMES) - {"coreml", "coreai"}:
        check_measurable(get_runtime(name))


def test_silence(capfd):
    with quiet_coremltools() as coremltools:
        logging.getLogger("coremltools").warning("noise")
        warnings.warn("noise", stacklevel=1)
        from tqdm import tqdm

        for _ in tqdm([1, 2]):
            pass
        assert coremltools.__name__ == "coremltools"
    assert capfd.readouterr() == ("", "")
    assert None not in (sys.modules.get(name, 0) for name in ("sklearn", "transformers"))
    assert logging.getLogger("coremltools").level < logging.CRITICAL
    list(tqdm([1]))
    assert "1/1" in capfd.readouterr().err
