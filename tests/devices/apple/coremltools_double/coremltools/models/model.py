from __future__ import annotations

from pathlib import Path
from typing import Any

from coremltools.scenario import log


class MLModel:
    def __init__(
        self,
        model,
        is_temp_package=False,
        mil_program=None,
        skip_model_load=False,
        compute_units=None,
        weights_dir=None,
        function_name=None,
        optimization_hints=None,
    ) -> None:
        assert skip_model_load, "the benchmarker loads the model itself"
        log("model", path=str(model), units=compute_units.name)
        self.compute_unit = compute_units
        self.weights_dir = str(Path(model) / "weights")
        self._spec = str(model)

    def get_spec(self) -> Any:
        return self._spec
