"""Scenarios of the doubles: what the hosted phone is said to measure and to compute."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from affnet.artifact import Artifact
from affnet.parity import reference_inputs
from affnet.runtimes import runtime_for

PHONE = "Samsung Galaxy S24"
DEVICES = [
    {
        "name": PHONE,
        "os": "14",
        "attributes": [
            "framework:tflite",
            "framework:onnx",
            "chipset:qualcomm-snapdragon-8gen3",
        ],
    },
    {"name": "Google Pixel 8", "os": "14", "attributes": ["framework:tflite"]},
]
TIMES_US = [450 + index % 17 for index in range(100)]
LAYERS = [("conv", "Conv", "NPU", 100), ("fft", "MatMul", "NPU", 60), ("end", "Softmax", "CPU", 7)]
LOAD_US, PEAK_BYTES = 120_000, 45_000_000


def profile() -> dict[str, Any]:
    """Return a profile as the client makes one of a message of version 1.2."""
    return {
        "execution_summary": {
            "estimated_inference_time": min(TIMES_US),
            "estimated_inference_peak_memory": 0,
            "first_load_time": LOAD_US,
            "inference_memory_peak_range": [PEAK_BYTES // 2, PEAK_BYTES],
            "all_inference_times": TIMES_US,
        },
        "execution_detail": [
            {"name": name, "type": kind, "compute_unit": unit, "execution_time": time}
            for name, kind, unit, time in LAYERS
        ],
    }


def outputs_of(artifact: Artifact, path: Path) -> Path:
    """Write what this machine computes for the reference inputs."""
    session = runtime_for(artifact.manifest.format).load(artifact.path, threads=1)
    arrays = session.run(*reference_inputs(artifact.manifest.described_inputs()))
    named: dict[str, Any] = {str(index): array for index, array in enumerate(arrays)}
    np.savez(path, **named)
    return path


class Scenario:
    """The file that a double reads anew each time."""

    def __init__(self, folder: Path, **content: Any) -> None:
        self.path = folder / "scenario.json"
        self._content = {
            "devices": DEVICES,
            "states": ["CREATED", "MEASURING_PERFORMANCE", "SUCCESS"],
            "reason": "an operator is not supported",
            **content,
        }
        self.change()

    def change(self, **content: Any) -> None:
        """Change some of it."""
        self._content |= content
        self.path.write_text(json.dumps(self._content))

    def log(self) -> list[str]:
        """Return the lines that the double wrote."""
        path = self.path.with_suffix(".log")
        return path.read_text().splitlines() if path.exists() else []


def python_with_double(folder: Path, scenario: Scenario) -> Path:
    """Return a Python whose ``qai_hub`` is the double."""
    double = Path(__file__).with_name("qai_hub_double")
    path = folder / "python"
    path.write_text(
        f"#!/bin/sh\nexport QAI_HUB_DOUBLE='{scenario.path}' PYTHONPATH='{double}'\n"
        f"exec '{sys.executable}' \"$@\"\n"
    )
    path.chmod(0o755)
    return path
