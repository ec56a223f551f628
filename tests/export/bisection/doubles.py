"""A device in this process, whose operators can be made wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from affnet.artifact import Artifact
from affnet.devices.base import Progress, Startup
from affnet.devices.fake import FakeDevice, FakeSettings
from affnet.export.converters.onnx.float16_trial import exposing
from affnet.runtimes.onnx_rounded import unoptimised_session

Fault = Callable[[NDArray[Any]], NDArray[Any]]


class WrongDevice(FakeDevice):
    """Runs ONNX files node by node; what a node of a name gives goes through its fault."""

    def __init__(self, faults: Mapping[str, Fault], *, noise: float = 0.0) -> None:
        super().__init__("wrong", FakeSettings())
        self.faults, self.noise, self.started = dict(faults), noise, 0

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`."""
        yield

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[Any]:
        """See `Device.start`."""
        self.started += 1
        self.check(artifact)
        yield WrongProcess(onnx.load(artifact.path), self)

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`."""
        return {**super().fingerprint(), "architecture": "none"}

    def check(self, artifact: Artifact) -> None:
        """Raise what a device raises that does not run a file."""


class WrongProcess:
    """Runs up to each wrong node, and on from what its fault makes of what it gives."""

    startup = Startup(1, 1, "0.0")

    def __init__(self, model: onnx.ModelProto, device: WrongDevice) -> None:
        self._device, self._random = device, np.random.default_rng(device.started)
        weights = {tensor.name for tensor in model.graph.initializer}
        self._inputs = [value.name for value in model.graph.input if value.name not in weights]
        self._outputs = [value.name for value in model.graph.output]
        self._wrong = [node for node in model.graph.node if node.name in device.faults]
        self._sessions = list(self._opened(model))

    def run(self, iterations: int, discard: int = 0) -> list[int]:
        """See `MeasuringProcess.run`."""
        return [1] * iterations

    def memory(self) -> Any:
        """See `MeasuringProcess.memory`."""
        raise NotImplementedError

    def infer(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `InferringProcess.infer`."""
        feed = dict(zip(self._inputs, inputs, strict=True))
        for node, session in zip(self._wrong, self._sessions[:-1], strict=True):
            (value,) = session.run(None, feed)
            feed[node.output[0]] = self._device.faults[node.name](value)
        given = [name for name in self._outputs if name in feed]  # by a node that is wrong
        computed = [name for name in self._outputs if name not in given]
        found = self._sessions[-1].run(computed, feed) if computed else []
        values = {**feed, **dict(zip(computed, found, strict=True))}
        scale = np.float32(1 + self._device.noise * self._random.random())
        outputs = [values[name] for name in self._outputs]
        return [one * scale if one.dtype == np.float32 else one for one in outputs]

    def _opened(self, model: onnx.ModelProto) -> Iterator[Any]:
        """Yield a session that gives what each wrong node gives, and one that gives the outputs."""
        typed = onnx.shape_inference.infer_shapes(model)
        graph = typed.graph
        known = {value.name: value for value in (*graph.value_info, *graph.output)}
        outputs = list(graph.output)
        for node in self._wrong:
            yield unoptimised_session(exposing(typed, [node.output[0]]), 1)
            graph.input.append(known[node.output[0]])
            (found,) = (index for index, each in enumerate(graph.node) if each.name == node.name)
            del graph.node[found]
        del graph.output[:]
        fed = {node.output[0] for node in self._wrong}
        graph.output.extend(value for value in outputs if value.name not in fed)
        yield unoptimised_session(typed, 1) if graph.output else None
