"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from affnet import console
from affnet.errors import UsageError
from affnet.runtimes import RUNTIMES


def _reserve_stdout(context: typer.Context, asked: bool) -> bool:
    """Let nothing but the JSON object reach stdout, from now until the command has ended."""
    if asked:
        context.with_resource(console.stdout_reserved())
    return asked


def _switch_cache_off(context: typer.Context, asked: bool) -> bool:
    """Export anew, from now until the command has ended."""
    if asked:
        from affnet.export.artifact_cache import switched_off

        context.with_resource(switched_off())
    return asked


#: Choices, listed by ``--help`` and by completion.
Preset = Literal["default", "quick", "check", "benchmark_model", "mlperf"]
Head = Literal["logits", "softmax", "classifier", "argmax", "anchors", "nms", "detector"]
Layout = Literal["NCHW", "NHWC"]
Preprocess = Literal["spec", "graph"]
Target = Literal["arm", "x86", "any"]
IoType = Literal["float32", "uint8", "int8"]
ComputeUnits = Literal["all", "cpu_only", "cpu_and_gpu", "cpu_and_ne"]
if TYPE_CHECKING:
    RuntimeName = str
else:
    RuntimeName = Literal[tuple(RUNTIMES)]
#: For help: brackets around so many would be wider than a terminal.
RUNTIME_NAMES = ", ".join(RUNTIMES)
PRECISIONS = ("fp32", "fp16", "int8", "int8-weights", "palette4", "auto")


def completing(*names: str) -> Callable[[str], list[str]]:
    """Return a function that completes the last of a list such as ``onnx,coreml``."""

    def complete(incomplete: str) -> list[str]:
        before, comma, begun = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in names if name.startswith(begun)]

    return complete


JsonOption = Annotated[
    bool,
    typer.Option("--json", callback=_reserve_stdout, help="Print one JSON object on stdout."),
]
NoCacheOption = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        callback=_switch_cache_off,
        help="Export sources anew, as with AFFNET_NO_CACHE=1.",
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]
RuntimesOption = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        autocompletion=completing(*RUNTIMES, "all"),
        help=f"{RUNTIME_NAMES}, several of them, or all; default: those that the device is "
        "at home in.  Core ML is measured on a Mac only.",
        rich_help_panel="Device",
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        "--image-size", metavar="HxW", help="Default: the source's own.", rich_help_panel="Model"
    ),
]
AcceleratorOption = Annotated[
    str | None,
    typer.Option(
        help="Of the device, default host, instead of that of its entry: gpu (an Android phone's "
        "LiteRT, OpenVINO), npu (OpenVINO), webgpu (a browser).",
        rich_help_panel="Device",
    ),
]
DevicesFileOption = Annotated[
    Path | None,
    typer.Option(
        "--devices-file", help="Instead of ~/.config/affnet/devices.toml.", rich_help_panel="Device"
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", envvar="AFFNET_STORE", help="A SQLite file or URL that keeps results."),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        envvar="AFFNET_CLUSTER",
        metavar="ADDRESS",
        help="Work on the machines of a Dask scheduler: tls://host:8786.",
        rich_help_panel="Cluster",
    ),
]
InsecureOption = Annotated[
    bool,
    typer.Option(
        "--insecure",
        help="Use a scheduler without TLS: whoever reaches it runs code as you.",
        rich_help_panel="Cluster",
    ),
]
ComplexOption = Annotated[
    Literal["pair", "parts"],
    typer.Option(
        "--complex",
        help="Complex inputs and outputs of own networks: pair, a last axis of 2; parts, two "
        "tensors, x_real and x_imag.",
        rich_help_panel="File",
    ),
]
DynamicOption = Annotated[
    str | None,
    typer.Option(
        metavar="AXES",
        help="Open axes: batch; of own networks also time or x:2=time, with :MIN..MAX.",
        rich_help_panel="File",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Training config (YAML) of a checkpoint.", rich_help_panel="Model"
    ),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels", help="Class names, one a line, instead of its own.", rich_help_panel="Model"
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="PATH",
        help="Of a peer: a file of weights, or its folder, as save_pretrained writes it.",
        rich_help_panel="Model",
    ),
]
VerifyOnOption = Annotated[
    Path | None,
    typer.Option(
        "--verify-on",
        metavar="PATH",
        help="Verify also on these inputs: a folder of pictures or .npy files, or an .npz file.",
        rich_help_panel="Verification",
    ),
]


def is_on_command_line(context: typer.Context, name: str) -> bool:
    """Return whether a parameter was given there, not by the environment or the project file."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def parse_size(text: str | None, option: str = "--image-size") -> tuple[int, int] | None:
    """Parse ``HxW``, or one number for both sides."""
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise UsageError(f"{option} {text!r} is not HxW, such as 256x256 or 192x320.")
    return int(sides[0]), int(sides[-1])


def assumed_of(path: Path) -> str:
    """Return what is assumed of a classifier that another tool made."""
    return (
        f"{path} is unproven: affnet did not export it.  It is taken to want RGB images in 0..1, "
        "or in the whole range of a type of 8 bits, and to give the logit of each class, in the "
        "order of the classes; if it wants other pixels, what it gives here means nothing."
    )
