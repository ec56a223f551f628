"""Every network of the proof by its name, so that the command line takes it as SOURCE too.

``clean_0_7`` is number 7 of seed 0, ``fault_0_7`` the right network of a pair and
``fault_0_7_twin`` the wrong one::

    affnet export benchmarks.proof.networks:fault_0_7_twin --format onnx --no-verify -o out
    affnet verify out/networks_fault_0_7_twin.onnx --against benchmarks.proof.networks:fault_0_7
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from affnet.parity import TOLERANCES
from benchmarks.proof.draw import Draw
from benchmarks.proof.faults import fault_number
from benchmarks.proof.faults.base import Apply
from benchmarks.proof.hard import hard_number
from benchmarks.proof.held_out import held_out_inputs, references, run, visible_on
from benchmarks.proof.hosts import Network, after, before

_NAME = re.compile(r"(clean|fault)_(\d+)_(\d+)(_twin)?")
_ATTEMPTS = 60


@dataclass(frozen=True)
class Planted:
    """A right network and its faulty twin."""

    kind: str
    fault: str
    domain: str
    network: nn.Module
    twin: nn.Module
    example: Tensor
    seen_on: str  # the held-out input that shows the fault best


@dataclass(frozen=True)
class Clean:
    """A network that every file of it must pass with."""

    what: str
    domain: str
    network: nn.Module
    example: Tensor


@functools.lru_cache(maxsize=8)
def planted(seed: int, number: int) -> Planted:
    """Return a pair of which every input of the network's domain is right and one is visibly wrong.

    Drawn again until the fault shows on an input that users feed: a right network before and after
    may hide it.
    """
    kind, fault = fault_number(number)
    for attempt in range(_ATTEMPTS):
        draw = Draw.of(f"fault {seed} {number} {attempt}", fault.domains, fault.square)
        first = before(draw)
        right, wrong = (_module(function) for function in fault.make(draw))
        example = draw.example()
        with torch.inference_mode():
            shape = tuple(right(first(example)).shape)
        last = after(draw, shape)
        network, twin = (Network(first, site, last).eval() for site in (right, wrong))
        inputs = held_out_inputs(draw.domain, draw.shape)
        expected = references(network, inputs, TOLERANCES["fp32"])
        outputs = {name: run(twin, x) for name, x in inputs.items()}
        if seen_on := visible_on(expected, outputs):
            return Planted(kind, fault.name, draw.domain, network, twin, example, seen_on)
    raise RuntimeError(f"{kind}: {fault.name} shows on no input, drawn {_ATTEMPTS} times")


@functools.lru_cache(maxsize=8)
def clean(seed: int, number: int) -> Clean:
    """Return a right network: two that are hard to judge, then one of a planted pair."""
    rounds, place = divmod(number, 3)
    if place == 2:
        pair = planted(seed, rounds)
        return Clean(f"right one of: {pair.fault}", pair.domain, pair.network, pair.example)
    hard = hard_number(2 * rounds + place)
    draw = Draw.of(f"clean {seed} {number}", hard.domains)
    network, example = hard.make(draw)
    return Clean(hard.name, draw.domain, network.eval(), example)


def _module(function: Callable[[Tensor], Tensor]) -> nn.Module:
    return function if isinstance(function, nn.Module) else Apply(function)


def __getattr__(name: str) -> Callable[[], tuple[nn.Module, Tensor]]:
    match = _NAME.fullmatch(name)
    if match is None or (match[1] == "clean" and match[4]):
        raise AttributeError(name)
    seed, number = int(match[2]), int(match[3])

    def build() -> tuple[nn.Module, Tensor]:
        if match[1] == "clean":
            drawn = clean(seed, number)
            return drawn.network, drawn.example
        pair = planted(seed, number)
        return (pair.twin if match[4] else pair.network), pair.example

    return build
