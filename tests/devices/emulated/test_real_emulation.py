"""Real emulation: what a file gives on processors with and without float16 arithmetic."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.devices.emulated import packages
from affnet.devices.emulated.device import EmulatedDevice, EmulatedSettings
from affnet.devices.emulated.root import find_root
from affnet.devices.inference import open_session
from affnet.errors import MissingError
from affnet.parity import reference_inputs
from affnet.runtimes import get_runtime
from tests.devices.emulated.stub_root import image, square_file
from tests.shared_artifacts import SharedArtifacts


@pytest.fixture(scope="module", autouse=True)
def _system() -> None:
    """Skip where no system can be had: one that cannot be made although it should is a failure."""
    if platform.machine() != "x86_64":
        pytest.skip("it emulates Arm on x86")
    if find_root() is None:
        try:
            packages.check_tools()
            packages.debian_mirror()
        except MissingError as missing:
            pytest.skip(str(missing))


@pytest.mark.slow
def test_real_emulation_shows_what_x86_does_not(tmp_path: Path) -> None:
    """A processor with float16 arithmetic overflows, one without does not; bits are the same twice.

    The system is made in this user's cache unless it is there, which takes about a minute.
    """
    file, found = square_file(tmp_path), {}
    for cpu in ("cortex-a53", "cortex-a76"):
        device = EmulatedDevice(f"arm64:{cpu}", EmulatedSettings(cpu=cpu))
        with open_session(device, file) as session:
            runs = [session.run(image(1.0))[0] for _ in range(2)]
        np.testing.assert_array_equal(runs[0], runs[1])
        found[cpu] = runs[0]
    (here,) = get_runtime("onnxruntime").load(file.path, threads=1).run(image(1.0))
    assert np.isfinite(here).all()
    np.testing.assert_allclose(found["cortex-a53"], here, rtol=1e-2)
    assert np.isinf(found["cortex-a76"]).any()


@pytest.mark.exhaustive
@pytest.mark.converters
@pytest.mark.parametrize("runtime", ["openvino", "mnn", "ncnn"])
def test_files_with_weights_beside_run_for_arm_too(
    shared_artifact: SharedArtifacts, runtime: str
) -> None:
    engine = get_runtime(runtime)
    try:
        engine.version()
    except MissingError as missing:
        pytest.skip(str(missing))
    tiny = shared_artifact("tiny", engine.format)
    given = reference_inputs(tiny.manifest.described_inputs())
    with open_session(EmulatedDevice(), tiny) as session:
        (found,) = session.run(*given)
    (expected,) = engine.load(tiny.path, threads=1).run(*given)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.exhaustive
@pytest.mark.converters
@pytest.mark.skipif(
    shutil.which("aarch64-linux-gnu-g++") is None, reason="needs g++-aarch64-linux-gnu"
)
def test_executorch_runs_for_arm_without_torch() -> None:
    artifact = Artifact.open(Path(__file__).parents[2] / "data/of_12eeb20/build.pte")
    given = np.random.default_rng(0).random((1, 3, 16, 16), np.float32)
    with open_session(EmulatedDevice(), artifact) as session:
        (found,) = session.run(given)
    (expected,) = get_runtime("executorch").load(artifact.path, threads=1).run(given)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
