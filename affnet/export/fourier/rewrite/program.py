"""Rewriting a whole exported program, its inputs, weights, outputs and signature included."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch._guards import detect_fake_mode
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import ExportedProgram
from torch.export.exported_program import ModuleCallEntry
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.fx import Node
from torch.fx.node import map_aggregate
from torch.utils import _pytree as pytree

from affnet.export.fourier.rewrite.cancellation import cancel
from affnet.export.fourier.rewrite.check import check_real
from affnet.export.fourier.rewrite.decompose import (
    decompose,
    graph_modules,
    is_complex,
    needs_rewriting,
)
from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.liveness import live_boxes
from affnet.export.fourier.rewrite.nodes import NodeRewriter
from affnet.export.fourier.rewrite.values import Complex
from affnet.export.fourier.rewrite.weights_alone import fold_known

aten = torch.ops.aten

#: Operators by which the sign of a zero decides between the angles pi and -pi.
_READ_ANGLES = {
    aten.angle.default,
    aten.atan2.default,
    aten.log.default,
    aten.pow.Tensor_Scalar,
    aten.sqrt.default,
}


@dataclass(frozen=True)
class RewrittenProgram:
    """A program in real arithmetic, and what differs at its borders, one sentence each."""

    program: ExportedProgram
    notes: tuple[str, ...] = ()


def rewrite_program(
    program: ExportedProgram, *, half: bool = False, runtime: str = "onnxruntime"
) -> RewrittenProgram:
    """Return ``program`` without Fourier transforms and complex numbers.

    The result computes the same up to rounding.  A complex input, output, parameter or buffer of
    shape S becomes a real one of shape S x 2, (real, imaginary) last, as `torch.view_as_real` has
    it; each is named in the notes.  A program that needs no rewriting is returned as it is; else
    the given program is left unchanged and the result is in functional ATen form.

    The transforms become products with matrices computed in float64 and stored in the type of the
    data, in the forms that cost least on ``runtime``, one of `affnet.runtimes.RUNTIMES`.
    Moduli are computed as sqrt(re^2 + im^2), so a float32 value beyond about 1e19 overflows.

    ``half`` asks for forms whose intermediate values fit in float16, where they differ.

    Raises:
        ConversionError: a node has no exact real form here; the message names the node, its
            operator, the reason and the line of the user's code.
    """
    nodes = (node for module in graph_modules(program) for node in module.graph.nodes)
    if not any(map(needs_rewriting, nodes)):
        return RewrittenProgram(program)
    decomposed = decompose(program, runtime)
    rewritten = _ProgramRewriter(decomposed, half, runtime).run()
    check_real(rewritten.program)
    return rewritten


class _ProgramRewriter:
    """One rewriting: the old program, the new graph, and what is noted on the way."""

    def __init__(self, program: ExportedProgram, half: bool, runtime: str) -> None:
        self.program, self.signature = program, program.graph_signature
        values = [node.meta.get("val") for node in program.graph.nodes]
        self.fake_mode = detect_fake_mode(values) or FakeTensorMode()
        self.emitter = Emitter(self.fake_mode, half, runtime)
        cancel(program.graph)
        self.emitter.live = live_boxes(program.graph)
        self.emitter.signed_zeros = any(map(_reads_angles, program.graph.nodes))
        self.emitter.taken = {*program.state_dict, *program.constants}
        self.nodes = NodeRewriter(self.emitter)
        self.state = dict(program.state_dict)
        self.constants: dict[str, Any] = dict(program.constants)
        self.notes: list[str] = []
        self.specs: dict[str, InputSpec] = {}  # of the new placeholders, by their names
        self.renamed: dict[str, str] = {}  # old placeholders' names to those of the new ones

    def run(self) -> RewrittenProgram:
        """Rewrite the inputs, the nodes between, the outputs, and then the signature."""
        placeholders, inner, output = self._sections()
        for node, spec in zip(placeholders, self.signature.input_specs, strict=True):
            self._input(node, spec)
        for node in inner:
            self.nodes.rewrite(node)
        outputs = self._outputs(output)
        self.emitter.graph.eliminate_dead_code()
        fold_known(self.emitter)
        return RewrittenProgram(self._assemble(outputs), tuple(self.notes))

    def _sections(self) -> tuple[list[Node], list[Node], Node]:
        nodes = list(self.program.graph.nodes)
        placeholders = [node for node in nodes if node.op == "placeholder"]
        inner = [node for node in nodes if node.op not in ("placeholder", "output")]
        return placeholders, inner, nodes[-1]

    def _input(self, node: Node, spec: InputSpec) -> None:
        """Copy a placeholder; a complex one gains the trailing axis, and so does its tensor."""
        new = self.emitter.placeholder(node.name)
        new.meta = dict(node.meta)
        self.specs[new.name] = dataclasses.replace(spec, arg=_renamed(spec.arg, new.name))
        self.renamed[node.name] = new.name
        if self.emitter.first_input is None and spec.kind is InputKind.USER_INPUT:
            self.emitter.first_input = new
        self.emitter.known_before[node] = fixed = self._fixed(spec)
        if not is_complex(node):
            self.nodes.values[node] = new
            self.emitter.known[new] = fixed
            return
        self.emitter.known[new] = None if fixed is None else _as_real(fixed).detach()
        new.meta.pop("tensor_meta", None)
        with self.fake_mode:
            new.meta["val"] = torch.view_as_real(node.meta["val"].resolve_conj())
        self.nodes.values[node] = Complex(self.emitter, whole=new)
        if spec.kind is InputKind.USER_INPUT:
            self._note("Input", node.name)
            return
        target = str(spec.target)
        for store in (self.state, self.constants):
            if target in store:
                store[target] = _as_real(store[target])
        self._note(spec.kind.name.capitalize().replace("_", " "), target)

    def _fixed(self, spec: InputSpec) -> torch.Tensor | None:
        """Return the tensor of a weight that the program does not change."""
        changed = {*self.signature.buffers_to_mutate.values()}
        tensor = self.state.get(str(spec.target), self.constants.get(str(spec.target)))
        is_fixed = isinstance(tensor, torch.Tensor) and spec.target not in changed
        return tensor if is_fixed else None

    def _note(self, kind: str, name: str) -> None:
        self.notes.append(
            f"{kind} {name!r} is complex: it becomes real with a trailing axis of 2, "
            "the real and the imaginary part."
        )

    def _outputs(self, output: Node) -> list[OutputSpec]:
        """Make the output node, and return the specifications with the new names."""
        self.emitter.source = None
        specs, results = [], []
        values: Any = output.args[0]
        user_outputs = 0
        for value, spec in zip(values, self.signature.output_specs, strict=True):
            new: Any = value
            if spec.kind is OutputKind.USER_OUTPUT:
                user_outputs += 1
            if isinstance(value, Node):
                if is_complex(value) and spec.kind is OutputKind.USER_OUTPUT:
                    self._note("Output", str(user_outputs - 1))
                new = self.nodes.real(value)
                spec = dataclasses.replace(spec, arg=_renamed(spec.arg, new.name))
            if spec.kind is OutputKind.USER_INPUT_MUTATION:
                spec = dataclasses.replace(spec, target=self.renamed[str(spec.target)])
            results.append(new)
            specs.append(spec)
        node = self.emitter.graph.output(tuple(results))
        node.meta["val"] = map_aggregate(
            tuple(results), lambda value: value.meta["val"] if isinstance(value, Node) else value
        )
        return specs

    def _assemble(self, outputs: list[OutputSpec]) -> ExportedProgram:
        constants = self.emitter.constant_specs()
        inputs = []
        for node in self.emitter.graph.nodes:
            if node.op != "placeholder":
                continue
            if node.name in constants:
                spec, tensor = constants[node.name]
                self.constants[str(spec.target)] = tensor
            else:
                spec = self.specs[node.name]
            inputs.append(spec)
        self.emitter.graph.lint()
        return ExportedProgram(
            root=self.program.graph_module,
            graph=self.emitter.graph,
            graph_signature=ExportGraphSignature(inputs, outputs),
            state_dict=self.state,
            range_constraints=dict(self.program.range_constraints),
            module_call_graph=_call_graph(self.program),
            example_inputs=_real_examples(self.program.example_inputs),
            constants=self.constants,
            verifiers=self.program.verifiers,
        )


def _reads_angles(node: Node) -> bool:
    """Return whether ``node`` takes an angle, of a complex value or of two real parts."""
    return node.target in _READ_ANGLES and (
        node.target is aten.atan2.default or any(map(is_complex, node.all_input_nodes))
    )


def _renamed(argument: Any, name: str) -> Any:
    if isinstance(argument, TensorArgument):
        return TensorArgument(name)
    return dataclasses.replace(argument, name=name)


def _as_real(tensor: torch.Tensor) -> torch.Tensor:
    """Return a stored complex tensor with its parts last; a parameter remains one."""
    real = torch.view_as_real(tensor.detach().resolve_conj()).clone()
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(real, requires_grad=tensor.requires_grad)
    return real


def _real_examples(examples: Any) -> Any:
    def real(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.is_complex():
            return _as_real(value)
        return value

    return pytree.tree_map(real, examples)


def _call_graph(program: ExportedProgram) -> list[ModuleCallEntry]:
    """Return the program's own entry in full; submodules' signatures name nodes that are gone."""
    return [
        entry if entry.fqn == "" else ModuleCallEntry(entry.fqn)
        for entry in program.module_call_graph
    ]
