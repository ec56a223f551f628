#!/bin/sh
# executorch==1.5.1 (XNNPACKQuantizer, XnnpackPartitioner; torch==2.13.0, torchao==0.18.0)
#
# Guess:   the quantized graph of a network that calls one nn.Linear twice loses as much in the .pte file as in
#          PyTorch, as that of the same network with two nn.Linear does.
# Instead: the file loses more, without a word; with a layer for each call it loses nothing.
# Seen:    two layers: PSNR of the graph 51.7 dB, of the file 51.7 dB
#          one layer, twice: PSNR of the graph 51.7 dB, of the file 44.4 dB
# Matters: tied layers, recurrent refinement, the same head on several scales.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 executorch==1.5.1 torchao==0.18.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { tail -n 40 "$work/log" >&2; exit 1; }
from importlib.metadata import version

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e


class Twice(torch.nn.Module):
    def __init__(self, shared):
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(65, 65)
        self.second = self.first if shared else torch.nn.Linear(65, 65)
        self.second.load_state_dict(self.first.state_dict())

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


generator = torch.Generator().manual_seed(1)
samples = [20 * torch.rand(1, 32, 65, generator=generator) ** 8 for _ in range(24)]


def decibels(compute, network):
    expected = torch.cat([network(x).flatten() for x in samples])
    error = torch.cat([compute(x).flatten() for x in samples]) - expected
    return float(20 * torch.log10(expected.abs().max() / error.pow(2).mean().sqrt()))


@torch.no_grad()
def tried(shared):
    network = Twice(shared).eval()
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(torch.export.export(network, (samples[0],)).module(), quantizer)
    for x in samples:
        prepared(x)
    graph = convert_pt2e(prepared)
    lowered = to_edge_transform_and_lower(
        torch.export.export(graph, (samples[0],)), partitioner=[XnnpackPartitioner()]
    )
    buffer = lowered.to_executorch().buffer
    program = Runtime.get().load_program(buffer)
    method = program.load_method("forward")
    return decibels(graph, network), decibels(lambda x: method.execute((x,))[0].clone(), network)


print("executorch", version("executorch"), "torchao", version("torchao"))
for shared in (False, True):
    in_torch, in_file = tried(shared)
    print(f"{'one layer, twice' if shared else 'two layers'}: PSNR of the graph {in_torch:.1f} dB, of the file {in_file:.1f} dB")
    assert (in_torch - in_file > 2) is shared
PYTHON
