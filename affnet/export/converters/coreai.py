"""Core AI's ``.aimodel``: Macs and iPhones of OS 27, by coreai-torch.

What it cannot hold: FFT operators; 64-bit numbers, which coreai-torch narrows without a word;
single numbers as inputs, at which the interpreter crashes.

**Labels** stand as a list under ``labels`` in the metadata that its author may define, in the order
of the logits.
"""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.fx import Node

from affnet import __version__
from affnet.errors import ConversionError, UnknownNameError, UsageError, reason_of
from affnet.export.converters import Conversion, ConversionRequest
from affnet.export.converters.executorch.float16 import in_float16
from affnet.export.converters.tracing import Table, decomposed, exported
from affnet.runtimes.coreai import load_coreai
from affnet.silence import silenced
from affnet.units import image_size

_SYSTEMS = ("iOS", "macOS")


class CoreAiConverter:
    """Exports through ``torch.export`` and converts with coreai-torch."""

    format = "coreai"
    precisions = ("fp32", "fp16")
    computes_in_half = ("fp16",)
    keeps_float = ()
    layouts = ("NCHW",)
    routes = ("torch.export",)
    auto_fft = "auto"
    plans = ("separable", "dense")
    operators = "coreai"
    packages = ("coreai_torch", "coreai")
    extra = "coreai"
    options = ("deployment_target",)
    heads = ("softmax", "argmax")
    usual_heads = ()
    border_types: ClassVar = {"int64": "int32", "float64": None}
    scalar_inputs = False
    fixed_shapes = "only the batch of images has been tried"
    tools = ("torch", "coreai-torch", "coreai-core")

    def convert(self, network: nn.Module, request: ConversionRequest, folder: Path) -> Conversion:
        """See `Converter.convert`."""
        if request.input.dynamic_batch and request.precision != "fp32":
            raise UsageError(
                f"Core AI programs in {request.precision} have a static shape here",
                "drop --dynamic, or add --precision fp32.",
            )
        authoring = load_coreai()
        target = _deployment_target(authoring, request.deployment_target)
        path = folder / f"{request.name}.aimodel"
        details: dict[str, Any] = {"deployment_target": f"OS {target.name.removeprefix('v')}"}
        with silenced():
            try:
                logging.getLogger("torch.export").setLevel(logging.ERROR)
                network, found = self.in_precision(network, request)
                details |= found
                asset = _converted(network, request).save_asset(path, minimum_os=target)
                asset.update_metadata(lambda metadata: _describe(metadata, request))
            except OSError:
                raise
            except Exception as error:  # torch.export and Core AI raise nearly every kind
                raise ConversionError(
                    f"coreai-torch cannot convert {request.name}: {reason_of(error)}."
                ) from error
        return Conversion(path, details)

    @staticmethod
    def in_precision(
        network: nn.Module, request: ConversionRequest
    ) -> tuple[nn.Module, dict[str, Any]]:
        """See `CompilingConverter.in_precision`."""
        if request.precision == "fp32":
            return network, {}
        graph, choice = in_float16(network, request.example(), request.samples)
        found = choice.details()
        return graph, {"float16": found} if found else {}


def _converted(network: nn.Module, request: ConversionRequest) -> Any:
    """Return Core AI's program of a network."""
    coreai_torch = import_module("coreai_torch")
    program = _traced(network, request, coreai_torch.get_decomp_table())
    _give_each_once(program)
    converter = coreai_torch.TorchConverter(mode=coreai_torch.TorchConverter.Mode.RELEASE)
    converter.add_exported_program(
        program, input_names=request.input_names, output_names=request.output_names
    )
    return converter.to_coreai()


def _traced(network: nn.Module, request: ConversionRequest, table: Table) -> ExportedProgram:
    if not request.dynamic:
        return decomposed(network, request.example(), table)
    decomposed_program: ExportedProgram = exported(network, request).run_decompositions(dict(table))
    return decomposed_program


def _give_each_once(program: ExportedProgram) -> None:
    """Copy what a program gives a second time, which coreai-torch would leave out."""
    (output,) = program.graph.find_nodes(op="output")
    given: list[Any] = []
    for value, spec in zip(output.args[0], program.graph_signature.output_specs, strict=True):
        if isinstance(value, Node) and value in given:
            with program.graph.inserting_before(output):
                copy = program.graph.call_function(torch.ops.aten.clone.default, (value,))
            copy.meta = dict(value.meta)
            spec.arg.name = copy.name
            given.append(copy)
        else:
            given.append(value)
    output.args = (tuple(given),)


def _deployment_target(authoring: Any, name: str | None) -> Any:
    """Return Core AI's constant for a system's name, such as ``iOS27``; None is the oldest."""
    versions = list(authoring.OSVersion)
    targets = {
        f"{system}{version.name.removeprefix('v')}": version
        for system in _SYSTEMS
        for version in versions
    }
    if name is None:
        return versions[0]
    if name not in targets:
        raise UnknownNameError("deployment target", name, targets)
    return targets[name]


def _describe(metadata: Any, request: ConversionRequest) -> None:
    """Fill in what Xcode shows of a model, and the labels."""
    metadata.author = f"affnet {__version__}"
    metadata.model_description = request.name
    if request.input.is_image:
        size = image_size(*request.input.image_size())
        metadata.model_description = (
            f"{request.name}: image {request.task} at {size}. RGB, values in 0..1."
        )
        metadata.license = "Network: MIT. Weights: as the checkpoint they come from."
    if request.labels:
        metadata.set_custom("labels", list(request.labels))
