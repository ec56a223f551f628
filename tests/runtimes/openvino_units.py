"""A double of OpenVINO's ``Core`` on a machine with GPUs and an NPU, for which the CPU computes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Properties that the plugins of openvino 2026.4 refuse are not among these.
_CPU_AND_GPU = {"INFERENCE_PRECISION_HINT", "PERFORMANCE_HINT", "NUM_STREAMS", "PERF_COUNT"}
_PROPERTIES = {
    "CPU": _CPU_AND_GPU | {"INFERENCE_NUM_THREADS"},
    "GPU": _CPU_AND_GPU,
    "NPU": {"PERFORMANCE_HINT", "PERF_COUNT"},
}


class Core:
    """Compiles for the CPU what is asked for any unit, and keeps what was asked."""

    seen: tuple[str, ...] = ("CPU", "GPU.0", "GPU.1", "NPU")
    executed: Mapping[str, tuple[str, ...]] = {"CPU": ("CPU",), "GPU": ("GPU.0",), "NPU": ("NPU",)}
    asked: tuple[str, Mapping[str, Any]] = ("", {})

    def __init__(self) -> None:
        from affnet.runtimes.openvino import library

        self._core = library().Core()

    @property
    def available_devices(self) -> list[str]:
        return list(self.seen)

    def read_model(self, model: str | Path, weights: Any = None, config: Any = None) -> Any:
        return self._core.read_model(model)

    def compile_model(
        self,
        model: Any,
        device_name: str | None = None,
        config: dict[str, Any] | None = None,
        *,
        weights: bytes | None = None,
    ) -> Any:
        assert device_name is not None
        assert config is not None
        type(self).asked = (device_name, config)
        if unknown := config.keys() - _PROPERTIES[device_name]:
            raise RuntimeError(f"Unsupported property {unknown}")
        compiled = self._core.compile_model(model, "CPU", config)
        return _Compiled(compiled, self.executed[device_name], has_layers=device_name != "NPU")


class _Compiled:
    def __init__(self, compiled: Any, executed: tuple[str, ...], *, has_layers: bool) -> None:
        self._compiled, self._executed, self._has_layers = compiled, executed, has_layers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)

    def get_property(self, name: str) -> Any:
        executed = list(self._executed)
        return executed if name == "EXECUTION_DEVICES" else self._compiled.get_property(name)

    def get_runtime_model(self) -> Any:
        """Of an NPU: the borders only, which have no layers."""
        model = self._compiled.get_runtime_model()
        border = SimpleNamespace(get_friendly_name=lambda: "x", get_rt_info=dict)
        without = SimpleNamespace(get_ordered_ops=lambda: [border])
        return model if self._has_layers else without
