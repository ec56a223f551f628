"""Scattering that LiteRT loads.

How STABLEHLO_SCATTER joins two numbers that fall in one place stands in a graph of its own, of one
operator.  litert-torch 0.10 writes ADD there, and LiteRT 2.1 looks for STABLEHLO_ADD: it loads no
file of theirs that holds an ``index_add`` or ``scatter_add``.
"""

from __future__ import annotations

from typing import Any

from affnet.export.converters.tflite.flatbuffer import aligned_builder

#: What the kernel of STABLEHLO_SCATTER looks for, by what litert-torch writes.
_JOINING = {
    "ADD": "STABLEHLO_ADD",
    "MUL": "STABLEHLO_MULTIPLY",
    "MAXIMUM": "STABLEHLO_MAXIMUM",
    "MINIMUM": "STABLEHLO_MINIMUM",
}
_BY_EXTENDED_CODE = 127  # of the old field, where the new one holds the operator's number


def with_loadable_scattering(content: bytes) -> bytes:
    """Return a TFLite file whose scattering LiteRT loads; one that has none is left as it is."""
    from ai_edge_litert import schema_py_generated as schema

    kinds = schema.BuiltinOperator
    model = schema.ModelT.InitFromPackedBuf(content)
    joined = {kinds.__dict__[old]: kinds.__dict__[new] for old, new in _JOINING.items()}
    changed = False
    for graph in model.subgraphs:
        for operator in graph.operators:
            if _kind(model, operator) != kinds.STABLEHLO_SCATTER:
                continue
            for inner in model.subgraphs[
                operator.builtinOptions2.updateComputationSubgraphIndex
            ].operators:
                if (kind := joined.get(_kind(model, inner))) is not None:
                    inner.opcodeIndex = _code(schema, model, kind)
                    inner.builtinOptionsType, inner.builtinOptions = 0, None
                    changed = True
    if not changed:
        return content
    builder = aligned_builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _kind(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def _code(schema: Any, model: Any, kind: int) -> int:
    """Return the index of an operator's code, which is added if there is none."""
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == kind:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = kind, _BY_EXTENDED_CODE, 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
