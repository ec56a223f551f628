"""Programs without tensors of more axes than a format holds."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node
from torch.utils._pytree import tree_leaves

from affnet.errors import RewriteError
from affnet.export.operators.views import decomposed
from affnet.export.operators.wide_tensors.rules import rule_of
from affnet.model.stack_traces import source_line

aten = torch.ops.aten

_MAX_ROUNDS = 6  # of composite operators in composite operators
_VIEWS = (aten.view.default, aten._unsafe_view.default, aten.reshape.default)
_COPIES = (aten.clone.default, aten.alias.default, aten.contiguous.default)
_ONLY_SHAPES = {*_VIEWS, *_COPIES}
_REMEDY = (
    "merge axes that stay neighbors there, as x.flatten(0, 1) does, give complex tensors by "
    "--complex parts, or choose --format onnx."
)


def without_wide_tensors(
    program: ExportedProgram, most: int, format_: str, *, some_may_stay: bool = False
) -> ExportedProgram:
    """Return ``program`` by tensors of at most ``most`` axes.

    ``some_may_stay`` says that the format holds more for some operators; those that cannot be
    written with fewer are left to its converter.

    Raises:
        RewriteError: an operator needs more; the message names its line.
    """
    if not _wide_nodes(program, most):
        return program
    known = torch.export.default_decompositions()
    for _ in range(_MAX_ROUNDS):
        targets = {node.target for node in _wide_nodes(program, most)} - _ONLY_SHAPES
        rules = {target: rule for target in targets if (rule := rule_of(target, most))}
        rules |= {target: known[target] for target in targets - {*rules} if target in known}
        if not rules:
            break
        program = decomposed(program, rules)
        _store_flat(program, most)
        _join_views(program, most)
    if not some_may_stay:
        _check(program, most, format_)
    return program


def _rank(node: Node) -> int:
    values = [value for value in tree_leaves(node.meta.get("val")) if isinstance(value, Tensor)]
    return max((value.dim() for value in values), default=0)


def _wide_nodes(program: ExportedProgram, most: int) -> list[Node]:
    """Return the operators that take or give a tensor of more than ``most`` axes."""
    return [
        node
        for node in program.graph.nodes
        if node.op == "call_function" and max(map(_rank, (node, *node.all_input_nodes))) > most
    ]


def _store_flat(program: ExportedProgram, most: int) -> None:
    """Store weights of more than ``most`` axes with the first ones merged, and view them."""
    nodes = program.graph.find_nodes(op="placeholder")
    changed = program.graph_signature.buffers_to_mutate.values()
    for node, spec in zip(nodes, program.graph_signature.input_specs, strict=True):
        if _rank(node) <= most or spec.kind is InputKind.USER_INPUT or spec.target in changed:
            continue
        value = node.meta["val"]
        shape, flat = list(value.shape), (-1, *value.shape[value.dim() - most + 1 :])
        for stored in (program.state_dict, program.constants):
            if isinstance(tensor := stored.get(spec.target), Tensor):
                few = tensor.detach().reshape(flat)
                trained = isinstance(tensor, nn.Parameter)
                stored[spec.target] = nn.Parameter(few, tensor.requires_grad) if trained else few
        with program.graph.inserting_after(nodes[-1]):
            view = program.graph.call_function(aten.view.default, (node, shape))
        view.meta = dict(node.meta)
        node.replace_all_uses_with(view, lambda user, view=view: user is not view)
        node.meta["val"] = value.reshape(flat)


def _join_views(program: ExportedProgram, most: int) -> None:
    """Take views of views at once, so that nothing is left of wide ones between."""
    checked = aten._assert_tensor_metadata.default  # of what the trace has found already
    for node in program.graph.find_nodes(op="call_function", target=checked):
        program.graph.erase_node(node)
    for node in program.graph.nodes:
        source = node.args[0] if node.args else None
        if node.target not in _VIEWS or _rank(node) > most:
            continue
        copied = False
        while isinstance(source, Node) and _rank(source) > most:
            if source.target not in _ONLY_SHAPES:
                break
            copied |= source.target in _COPIES
            source = source.args[0]
        if not isinstance(source, Node) or _rank(source) > most or source is node.args[0]:
            continue
        if copied:  # for what has no view of this shape otherwise
            with program.graph.inserting_before(node):
                options = {"memory_format": torch.contiguous_format}
                copy = program.graph.call_function(aten.clone.default, (source,), options)
            copy.meta = node.meta | {"val": source.meta["val"].contiguous()}
            source = copy
        node.args = (source, *node.args[1:])
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()


def _check(program: ExportedProgram, most: int, format_: str) -> None:
    computing = [n for n in _wide_nodes(program, most) if n.target not in _ONLY_SHAPES]
    for node in (*computing, *program.graph.nodes):
        rank = max(map(_rank, (node, *node.all_input_nodes)))
        if node.op == "output" or rank <= most:
            continue
        if node.op == "placeholder":
            what = f"The input {node.name!r} has {rank} axes"
        elif not source_line(node) and any(user.op == "output" for user in node.users):
            what = f"An output has {rank} axes"
        else:
            line = f", from {source_line(node)}," if source_line(node) else ""
            what = f"{node.target}{line} takes or gives a tensor of {rank} axes"
        raise RewriteError(f"{what}, and {format_} files hold {most} at most", _REMEDY)
