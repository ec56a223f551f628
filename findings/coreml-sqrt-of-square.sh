#!/bin/sh
# coremltools==9.0 (torch==2.13.0)
#
# Guess:   sqrt(x ** 2) becomes a power and a square root, which give |x|, as in PyTorch.
# Instead: the whole expression becomes one "identity" operator: a negative x stays negative.
#          sqrt(x * x) is left alone. The pass runs for ML programs only, so that
#          convert_to="milinternal" does not show it.
# Seen:    sqrt(x ** 2) -> ['identity']   sqrt(x * x) -> ['mul', 'sqrt']
# Source:  the pass mil_backend::fuse_pow2_sqrt, converters/mil/backend/mil/passes/fuse_pow2_sqrt.py
# Matters: moduli, norms over an axis of one element and smooth absolute values lose their absolute
#          value on the device, without a warning. Write x * x, or drop the pass from the pipeline.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 coremltools==9.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import coremltools as ct
import torch


def operators(function):
    class Network(torch.nn.Module):
        def forward(self, x):
            return function(x)

    traced = torch.jit.trace(Network().eval(), torch.ones(2, 3))
    model = ct.convert(
        traced,
        inputs=[ct.TensorType(name="x", shape=(2, 3))],
        convert_to="mlprogram",
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS16,
        skip_model_load=True,
    )
    main = model.get_spec().mlProgram.functions["main"]
    block = main.block_specializations[main.opset]
    return [op.type for op in block.operations if op.type != "const"]


power, product = operators(lambda x: torch.sqrt(x**2)), operators(lambda x: torch.sqrt(x * x))
print("sqrt(x ** 2) ->", power, "  sqrt(x * x) ->", product)
assert power == ["identity"]
assert product == ["mul", "sqrt"]
PYTHON
