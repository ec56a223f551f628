#!/bin/sh
# executorch==1.5.1 (XNNPACKQuantizer; torch==2.13.0, torchao==0.18.0)
#
# Guess:   scales for each output channel follow its largest weight, so that a layer loses as much whether its weights
#          are of 0.1 or of 0.00001.
# Instead: the config that XNNPACK's quantizer comes with has no scale below 2 ** -12: weights below 0.03 lose bits,
#          those below 0.00012 all become 0.  Values inside likewise, below 0.06.  Nothing is said.
# Seen:    PSNR by the largest weight: 0.1: 49 dB, 0.01: 47 dB, 0.001: 30 dB, 0.0001: 11 dB
# Matters: layers that take samples of 16 bits, and quiet signals.
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


@torch.no_grad()
def decibels(weight):
    """A layer of weights of ``weight``, and inputs so large that its outputs are the same."""
    torch.manual_seed(0)
    network = torch.nn.Linear(64, 16, bias=False).eval()
    network.weight *= weight / network.weight.abs().max()
    generator = torch.Generator().manual_seed(1)
    samples = [torch.randn(8, 64, generator=generator) / weight for _ in range(24)]
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(torch.export.export(network, (samples[0],)).module(), quantizer)
    for x in samples:
        prepared(x)
    graph = convert_pt2e(prepared)
    expected = torch.cat([network(x) for x in samples])
    error = torch.cat([graph(x) for x in samples]) - expected
    return float(20 * torch.log10(expected.abs().max() / error.pow(2).mean().sqrt()))


print("executorch", version("executorch"), "torchao", version("torchao"))
found = {weight: decibels(weight) for weight in (0.1, 0.01, 0.001, 0.0001)}
print("PSNR by the largest weight:", ", ".join(f"{weight:g}: {psnr:.0f} dB" for weight, psnr in found.items()))
assert found[0.1] > 40 > found[0.001] > found[0.0001]
assert found[0.0001] < 20
PYTHON
