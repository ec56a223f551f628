"""Faults planted where files are sealed: the faulty operator is compiled into them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.fx import GraphModule

from affnet.artifact import Artifact
from affnet.export.bisection.graph import Part, whole
from affnet.export.bisection.program import ProgramGraph
from benchmarks.bisection.faults import Step

_OPERATORS = {
    "Add": torch.ops.aten.add.Tensor,
    "Max": torch.ops.aten.maximum.default,
    "Min": torch.ops.aten.minimum.default,
    "Mul": torch.ops.aten.mul.Tensor,
    "Reshape": torch.ops.aten.reshape.default,
    "Transpose": torch.ops.aten.permute.default,
}


class PlantedProgram(ProgramGraph):
    """Spoils the value ``output`` wherever a part computes it; None: nothing."""

    output: str | None = None
    steps: tuple[Step, ...] = ()

    def planted(self, output: str, steps: list[Step], path: Path) -> Artifact | None:
        """Plant a fault, and return the whole file with it; None if the converter refuses that."""
        self.output, self.steps = output, tuple(steps)
        return self.write(whole(self), path)

    def module(self, part: Part) -> GraphModule:
        """See `ProgramGraph.module`."""
        module = super().module(part)
        nodes = {node.name: node for node in module.graph.nodes if node.op != "placeholder"}
        given = nodes.get(self.output or "")
        if given is None:
            return module
        readers, value = list(given.users), given
        for number, step in enumerate(self.steps):
            with module.graph.inserting_after(value):
                second = step.constant.tolist()
                if step.constant.dtype.kind == "f":  # of the type of what it is computed with
                    constant = torch.from_numpy(step.constant).to(given.meta["val"].dtype)
                    module.register_buffer(f"planted_{number}", constant)
                    second = module.graph.get_attr(f"planted_{number}")
            with module.graph.inserting_after(value if isinstance(second, list) else second):
                value = module.graph.call_function(_OPERATORS[step.onnx], (value, second))
        for reader in readers:
            reader.replace_input_with(given, value)
        module.recompile()
        return module
