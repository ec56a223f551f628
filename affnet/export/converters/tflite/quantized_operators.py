"""Which operators of a TFLite file are quantised, by the modules that they compute for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn
from torch.fx import GraphModule

from affnet.export.passes.normalization import ChannelsLastNorm
from affnet.export.quantization.layers import Kept

# Written operator by operator: a variance in 8 bits would be none.
_NORM = ChannelsLastNorm.__name__
_DOT = ":"  # in the paths of graphs' modules
_WEIGHTED = ("conv", "linear", "embedding")  # what `part_of` calls operators with weights


def staying(content: bytes, kinds: Mapping[str, str], kept: Kept) -> Iterator[bool | None]:
    """Yield of each operator whether it stays in float; None of one that is not of ``kinds``.

    ``kinds`` has what `part_of` calls each.
    """
    for kind, graph, operator in operators(content):
        called = kinds.get(kind)
        yield _stays(graph, operator, called, kept) if called else None


def with_whole_paths(network: nn.Module) -> None:
    """Let litert-torch name the tensors of graphs by the whole paths of their modules, in place.

    It takes the last part of each, which is not enough where a module is called whose parent is
    not, as those of a list are.
    """
    for graph in network.modules():
        for node in graph.graph.nodes if isinstance(graph, GraphModule) else ():
            stack = node.meta.get("nn_module_stack") or {}
            node.meta["nn_module_stack"] = {
                key: (path and _DOT + path.replace(".", _DOT), kind)
                for key, (path, kind) in stack.items()
            }


def _stays(graph: Any, operator: Any, called: str, kept: Kept) -> bool:
    """Return whether an operator of the kind ``called`` by `part_of` stays in float.

    Several are fused into one, and the graph's outputs have other names: weights tell then.
    """
    weights = operator.inputs[1:] if called in _WEIGHTED else ()
    tensors = [operator.outputs[0], *(index for index in weights if index >= 0)]
    names = [graph.tensors[index].name.decode() for index in tensors]
    scopes = [_scope(fused) for name in names for fused in name.split(";;")]
    classes, _ = scopes[0]
    return kept.keeps([module for _, module in scopes], called) or classes[-1:] == [_NORM]


def operators(content: bytes) -> Iterator[tuple[str, Any, Any]]:
    """Yield the kind of each operator, its graph and itself, in the order of computation."""
    from ai_edge_litert import schema_py_generated as schema

    kinds = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    model = schema.ModelT.InitFromPackedBuf(content)
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            yield kinds[max(code.builtinCode, code.deprecatedBuiltinCode)], graph, operator


def _scope(tensor: str) -> tuple[list[str], str]:
    """Return the classes, and the path, of the module that litert-torch names a tensor by.

    ``affnet.model.network.AFFNet/torch.nn.Sequential_layer_1/affnet.model.layers.ConvLayer_0;3``
    is of the module ``layer_1.0``; of graphs the last has its whole path, ``ConvLayer_:layer_1:0``.
    """
    _, *modules = tensor.partition(";")[0].split("/")
    pairs = [module.rpartition(".")[2].partition("_") for module in modules]
    _, whole, path = tensor.partition(";")[0].rpartition(f"_{_DOT}")
    path = path.replace(_DOT, ".") if whole else ".".join(name for _, _, name in pairs)
    return [kind for kind, _, _ in pairs], path
