"""The network that a converter gets: real-valued, with what can be folded beforehand folded."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.export import ExportedProgram

from affnet.errors import AffnetError, ConversionError
from affnet.export.borders import Borders, held_inputs, held_outputs
from affnet.export.converters import Converter
from affnet.export.converters.tracing import run_once
from affnet.export.fourier.costs import PlanCosts
from affnet.export.fourier.planner import replace_transforms
from affnet.export.fourier.rewrite import rewrite_program
from affnet.export.operators import replace_operators
from affnet.export.passes.folding import fold_linear_maps, freeze_anchors
from affnet.export.passes.known_numbers import with_known_numbers
from affnet.model.export_failures import OF_VALUES
from affnet.model.program_interface import with_real_borders
from affnet.model.source import Source
from affnet.model.stack_traces import source_line
from affnet.runtimes import runtime_for

aten = torch.ops.aten


@dataclass(frozen=True)
class PreparedNetwork:
    """A network to convert, and how its Fourier transforms are computed."""

    module: nn.Module
    fft_plan: dict[str, str]  # map size, or "graph", to the plan; empty where there is no FFT


def prepare_network(
    source: Source,
    shape: tuple[int, ...],
    fft: str,
    converter: type[Converter],
    precision: str,
    costs: PlanCosts,
) -> PreparedNetwork:
    """Return ``source``'s network for inputs of ``shape``, its transforms computed as ``fft`` says.

    A network of this package gets a DFT plan in each of its filters; a program of the user's own
    is rewritten operator by operator, for float16 where ``precision`` computes in it.

    Raises:
        ConversionError: the program has an operator that the rewrite cannot express.
    """
    if source.program is None:
        network = copy.deepcopy(source.model).eval()
        fft_plan = replace_transforms(network, shape, fft, converter.plans, costs)
        freeze_anchors(network, shape)
        fold_linear_maps(network)
        return PreparedNetwork(network, fft_plan)
    with warnings.catch_warnings():  # torch's, about its own deprecated parts
        warnings.simplefilter("ignore")
        half = precision in converter.computes_in_half
        runtime = runtime_for(converter.format).name
        with _numbers_without_bounds(source.program, converter.format):
            rewritten = rewrite_program(source.program, half=half, runtime=runtime).program
            has_transforms = rewritten is not source.program
            program = source.program if fft == "native" else rewritten
            with run_once():
                program = replace_operators(with_known_numbers(program), converter.operators)
        plan = {"graph": "native" if fft == "native" else "rewritten"} if has_transforms else {}
        # a copy: converters change what they are given, and the user's tensors are the reference's
        # torch's guards on open axes call inputs by names from before they were laid out flat
        guards = {"check_guards": False} if source.dynamic else {}
        module = with_real_borders(copy.deepcopy(program.module(**guards)), program)
        outputs = held_outputs(source.outputs, converter)
        if (held_inputs(source.inputs, converter), outputs) != (source.inputs, source.outputs):
            module = Borders(module, source.inputs, outputs)
        return PreparedNetwork(module, plan)


@contextmanager
def _numbers_without_bounds(program: ExportedProgram, format_: str) -> Iterator[None]:
    """Raise `ConversionError` where torch fails on numbers that ``program`` takes of its input.

    Any other failure is a fault of ours, and stays as it is.
    """
    try:
        yield
    except AffnetError:
        raise
    except Exception as error:  # of no common class
        for node in program.graph.find_nodes(op="call_function", target=aten.item.default):
            if isinstance(node.meta.get("val"), torch.SymInt):
                raise ConversionError(
                    f"The values of the input decide places or sizes at {source_line(node)}, which "
                    f"cannot be written with operators of {format_} files",
                    OF_VALUES,
                ) from error
        raise
