"""What an ExecuTorch program's instructions run on: kernels of its own, or delegates.

XNNPACK's part of a program is a header, ``XH00`` at offset 4 and the place of a flatbuffer in four
bytes from 10 on, and that flatbuffer, a graph whose second field is its list of nodes; a node's
first two fields are a union, the number of its kind in `XNodeUnion` and what is of that kind
(executorch/backends/xnnpack/serialization/runtime_schema.fbs).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from importlib import resources
from typing import Any

from affnet.placement import CPU, PlacedOperator

_XNNPACK = "XnnpackBackend"
_MAGIC, _OFFSET = slice(4, 8), 10
_NODES, _KIND = 6, 4  # where a graph's and a node's table of fields has them
_UNION = re.compile(r"union XNodeUnion \{(.*?)\}", re.DOTALL)
#: The units of delegates other than XNNPACK's; others are "other".
_UNITS = {"CoreMLBackend": "ane", "QnnBackend": "npu", "VulkanBackend": "gpu"}


def placed_operators(program: Any, schema: Any) -> tuple[PlacedOperator, ...]:
    """Return the operators of a program in their order; it has the classes of ``schema``.

    Raises:
        struct.error, LookupError, AttributeError, TypeError, ValueError: it is damaged.
    """
    found: list[PlacedOperator] = []
    for plan in program.execution_plan:
        calls = [step.instr_args for chain in plan.chains for step in chain.instructions]
        for position, call in enumerate(calls):
            if isinstance(call, schema.KernelCall):
                kind = plan.operators[call.op_index].name.removeprefix("aten::")
                found.append(PlacedOperator(str(position), kind, CPU, "it is not delegated"))
            elif isinstance(call, schema.DelegateCall):
                delegate = plan.delegates[call.delegate_index]
                found += _delegated(program, delegate, str(position))
    return tuple(found)


def _delegated(program: Any, delegate: Any, position: str) -> Iterator[PlacedOperator]:
    """Yield what a delegate runs: its nodes if it is XNNPACK's, else the call as one."""
    if delegate.id != _XNNPACK:
        yield PlacedOperator(position, delegate.id, _UNITS.get(delegate.id, "other"))
        return
    content = bytes(program.backend_delegate_data[delegate.processed.index].data)
    for number, kind in enumerate(_xnnpack_nodes(content)):
        yield PlacedOperator(f"{position}.{number}", kind, "xnnpack")


def _xnnpack_nodes(content: bytes) -> list[str]:
    """Return the kinds of the nodes of XNNPACK's part of a program."""
    from flatbuffers.table import Table

    if content[_MAGIC] != b"XH00":
        raise ValueError("it is no graph of XNNPACK's")
    (begin,) = struct.unpack_from("<I", content, _OFFSET)
    graph = Table(content[begin:], struct.unpack_from("<I", content, begin)[0])
    nodes, kinds, found = graph.Offset(_NODES), _node_kinds(), []
    for index in range(graph.VectorLen(nodes)):
        node = Table(graph.Bytes, graph.Indirect(graph.Vector(nodes) + 4 * index))
        found.append(kinds[graph.Bytes[node.Pos + node.Offset(_KIND)] - 1])  # 0 is none of them
    return found


def _node_kinds() -> list[str]:
    """Return the names of the kinds of nodes, as the installed schema numbers them."""
    # by way of the package above: the one that has it imports the compiler
    folder = resources.files("executorch.backends").joinpath("xnnpack", "serialization")
    union = _UNION.search(folder.joinpath("runtime_schema.fbs").read_text(encoding="utf-8"))
    if union is None:
        raise ValueError("the installed executorch has no kinds of nodes for XNNPACK")
    entries = [entry.split(":")[0].strip() for entry in union[1].split(",")]
    return [entry.removeprefix("XNN") for entry in entries if entry]
