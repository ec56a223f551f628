#!/bin/sh
# litert-torch==0.10.0 with ai-edge-litert==2.3.0
#
# Guess:   a network with torch.scatter_add converts to a file that LiteRT runs, or is refused by
#          the converter.
# Instead: the converter writes the file and says nothing, and LiteRT does not load it: the graph
#          that says how two numbers in one place are joined holds ADD, and the kernel of
#          STABLEHLO_SCATTER looks for STABLEHLO_ADD.  The same with index_add, index_put that
#          accumulates and scatter_reduce.  With the operator's number changed the file is right.
# Seen:    as converted: Only update, Add, Multiply, Maximum and Minimum operations are currently supported
#          with STABLEHLO_ADD: [[1.0, 5.0, 4.0]]
# Matters: constant-Q decoders, overlap-add and histograms reach the phone as files that fail there.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 litert-torch==0.10.0 ai-edge-litert==2.3.0
cd "$work"
cat >scattered.py <<'PYTHON'
import flatbuffers
import litert_torch
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter


class Scattered(torch.nn.Module):
    def forward(self, x):
        return torch.zeros(1, 3).scatter_add(1, torch.tensor([[0, 1, 1, 2]]), x)


def run(content):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, np.array([[1, 2, 3, 4]], np.float32))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).tolist()


converted = litert_torch.convert(Scattered().eval(), (torch.ones(1, 4),)).model_content()
try:
    run(converted)
    raise SystemExit("LiteRT loads it now")
except RuntimeError as error:
    reason = str(error).partition(" for ")[0]
print("as converted:", reason)
assert reason.startswith("Only update, Add"), reason

model = schema.ModelT.InitFromPackedBuf(converted)
(joining,) = model.subgraphs[1].operators
assert model.operatorCodes[joining.opcodeIndex].builtinCode == schema.BuiltinOperator.ADD
code = schema.OperatorCodeT()
code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.STABLEHLO_ADD, 127
joining.opcodeIndex = len(model.operatorCodes)
joining.builtinOptions, joining.builtinOptionsType = None, 0
model.operatorCodes.append(code)
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
found = run(bytes(builder.Output()))
print("with STABLEHLO_ADD:", found)
assert found == [[1.0, 5.0, 4.0]], found
PYTHON
"$work/venv/bin/python" scattered.py 2>/dev/null
