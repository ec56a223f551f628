from __future__ import annotations

from typing import Any

import numpy as np

from coremltools import ComputeUnit
from coremltools.scenario import SCENARIO, log, play


class MLModelAsyncWrapper:
    def __init__(self, device) -> None:
        self._session = device.session if device else None

    @staticmethod
    def from_spec_or_path(
        spec_or_path,
        weights_dir,
        compute_units=ComputeUnit.ALL,
        function_name=None,
        optimization_hints=None,
        device=None,
    ) -> MLModelAsyncWrapper:
        return MLModelAsyncWrapper(device)

    async def load(self):
        play("load", self._session)
        log("load")

    async def unload(self):
        log("unload")

    async def predict(self, inputs, state) -> dict[str, Any]:
        play("predict", self._session)
        return {name: np.load(path) for name, path in SCENARIO["outputs"].items()}
