"""Which module of the PyTorch network each node of an ONNX file belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def modules_by_weights(graph: onnx.GraphProto) -> dict[str, str]:
    """Return the module of each node, by the node's name and by its outputs'.

    A parameter ``layer_3.1.fusion.block.conv.weight`` belongs to ``layer_3.1.fusion.block.conv``,
    and so does what was folded into it.  A node without parameters belongs to the last of those
    that feed it; before the first parameter there is no module.
    """
    parameters = {value.name for value in graph.initializer if "." in value.name}
    modules: dict[str, str] = {}
    made_at: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        own = [name for name in node.input if name in parameters]
        fed = [name for name in node.input if name in modules]
        if own:
            module = own[0].rpartition(".")[0]
        elif fed:
            module = modules[max(fed, key=lambda name: made_at[name])]
        else:
            continue
        for name in (node.name, *node.output):
            modules[name], made_at[name] = module, index
    return modules
