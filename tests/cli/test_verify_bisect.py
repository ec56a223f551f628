"""``affnet verify --bisect``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.devices import catalog
from tests.conftest import Finished
from tests.export.bisection.doubles import WrongDevice

Run = Callable[..., Finished]
Refused = Callable[..., str]


def test_names_the_wrong_operator_its_module_and_a_file_of_it(
    run: Run, onnx_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = WrongDevice({"node_Sigmoid_1": np.zeros_like})
    monkeypatch.setattr(catalog, "devices_to_prove_on", lambda *_, **__: [device])
    done = run("verify", onnx_copy, "--device", "wrong", "--bisect", "--json", "-q")
    assert done.code == 1
    (found,) = done.json["bisections"]
    (wrong,) = found["wrong"]
    assert (wrong["operators"], wrong["kinds"]) == (["node_Sigmoid_1"], ["Sigmoid"])
    assert wrong["module"] == "layer_1.0.block.exp_1x1.block.conv"
    assert Path(wrong["reproducer"]) == onnx_copy.with_name(f"{onnx_copy.name}.bisect") / (
        "5-Sigmoid.onnx"
    )
    assert Path(wrong["reproducer"]).with_suffix(".npz").is_file()


def test_nothing_is_wrong_on_this_machine(run: Run, digits_onnx: Artifact) -> None:
    done = run("verify", digits_onnx.path, "--device", "host", "--bisect")
    assert done.code == 0
    assert "all 449 agree with onnxruntime with its optimisations off" in done.out
    assert not digits_onnx.path.with_name(f"{digits_onnx.path.name}.bisect").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--bisect"], "--bisect needs a device to run on; add --device."),
        (["--accelerator", "webgpu"], "host: accelerator must be cpu, gpu or npu."),
        (["--reproduce", "x"], "--reproduce is where --bisect writes; add --bisect."),
        (
            ["--device", "fake", "--accelerator", "webgpu"],
            "fake has no accelerator to choose; omit --accelerator.",
        ),
        (
            ["--accelerator", "gpu"],
            "onnxruntime computes on the CPU here, not on the GPU; "
            "choose the runtime openvino, or omit --accelerator.",
        ),
    ],
)
def test_options_that_need_others_are_refused(
    refused: Refused, digits_onnx: Artifact, options: list[str], sentence: str
) -> None:
    assert refused("verify", digits_onnx.path, *options) == sentence
