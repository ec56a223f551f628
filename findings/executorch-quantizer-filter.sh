#!/bin/sh
# executorch==1.5.1 (XNNPACKQuantizer; torch==2.13.0, torchao==0.18.0)
#
# Guess:   set_filter_function(lambda node: False) leaves a network in float, "We only quantize nodes that return True".
# Instead: every concatenation is quantized, with what goes into it; the filter is never asked for one.
# Seen:    cat: 6 operators of quantization, largest error 1.2e-02; the filter was asked for aten.linear.default
#          pad and add instead: 0 operators, largest error 0.0e+00; asked for aten.add.Tensor, aten.linear.default
# Matters: the usual way to keep a spectrum, coordinates or anchors out of 8 bits.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 executorch==1.5.1 torchao==0.18.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
from importlib.metadata import version

import torch
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e


class Both(torch.nn.Module):
    def __init__(self, joined):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.joined = torch.nn.Linear(16, 16), joined

    def forward(self, x):
        y = self.layer(x)
        if self.joined:
            return torch.cat([x, y], -1)
        pad = torch.nn.functional.pad
        return pad(x, (0, 16)) + pad(y, (16, 0))


x = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))


def quantized(joined):
    asked = set()

    def refused(node):
        asked.add(str(node.target))
        return False

    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True))
    quantizer.set_filter_function(refused)
    network = Both(joined).eval()
    prepared = prepare_pt2e(torch.export.export(network, (x,)).module(), quantizer)
    prepared(x)
    graph = convert_pt2e(prepared)
    operators = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
    error = float((graph(x) - network(x)).abs().max())
    return sum("quantize_per_tensor" in name for name in operators), error, asked


print("executorch", version("executorch"), "torchao", version("torchao"))
for joined in (True, False):
    count, error, asked = quantized(joined)
    print(f"{'cat' if joined else 'pad and add'}: {count} operators of quantization, largest error {error:.1e}; "
          f"the filter was asked for {', '.join(sorted(asked))}")
    assert (count > 0) is joined
    assert (error > 1e-3) is joined
    assert "aten.cat.default" not in asked
PYTHON
