#!/bin/sh
# openvino==2026.4.1 (torch==2.13.0)
#
# Guess:   torch.fft.rfft(x, n=24) of 16 points pads them with zeros, or is refused.
# Instead: converted from PyTorch and run on one thread of the CPU, the padding is whatever stands in
#          memory; nothing is said.  The result differs from run to run.  Padded before it is right.
# Seen:    padded by rfft: above 1e-3 of the largest number, up to 1e+31   by hand: 1e-07
# Source:  with the default settings the same file is refused, "Signal size greater than input size is
#          not supported yet" (intel_cpu/src/nodes/rdft.cpp)
# Matters: convolutions by rfft(u, n=2 * L), of Hyena and S4, come out wrong.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 openvino==2026.4.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
import numpy as np
import openvino
import torch

POINTS, PADDED = 16, 24
SETTINGS = {
    "INFERENCE_PRECISION_HINT": "f32",
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_NUM_THREADS": 1,
    "NUM_STREAMS": 1,
}


class Network(torch.nn.Module):
    def __init__(self, by_hand):
        super().__init__()
        self.by_hand = by_hand

    def forward(self, x):
        if self.by_hand:
            x = torch.nn.functional.pad(x, (0, PADDED - POINTS))
        return torch.view_as_real(torch.fft.rfft(x, n=PADDED))


def compiled(by_hand):
    example = torch.randn(2, POINTS)
    network = Network(by_hand).eval()
    model = openvino.convert_model(network, example_input=example, input=[2, POINTS])
    openvino.save_model(model, "net.xml", compress_to_fp16=False)
    return openvino.Core().compile_model("net.xml", "CPU", SETTINGS)


def largest_error(model):
    worst = 0.0
    for seed in range(8):
        x = np.random.default_rng(seed).standard_normal((2, POINTS)).astype(np.float32)
        expected = np.fft.rfft(x.astype(np.float64), n=PADDED)
        found = next(iter(model([x]).values()))
        error = abs(found[..., 0] + 1j * found[..., 1] - expected).max() / abs(expected).max()
        worst = max(worst, np.inf if np.isnan(error) else error)
    return worst


asked, by_hand = largest_error(compiled(False)), largest_error(compiled(True))
print(f"padded by rfft: {asked:.1e}   by hand: {by_hand:.1e}")
assert asked > 1e-3
assert by_hand < 1e-5
PYTHON
