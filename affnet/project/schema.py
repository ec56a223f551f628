"""What a project file may say: its tables and keys, checked by pydantic.

``affnet/data/affnet.schema.json`` is made from it: ``python -m affnet.project.schema``.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from affnet.runtimes import RUNTIMES, formats

Text = Annotated[str, Field(min_length=1)]
if TYPE_CHECKING:
    Format = str
    Runtime = str
else:  # what is exported is what some runtime runs
    Format = Literal[tuple(formats())]
    Runtime = Literal[tuple(RUNTIMES)]
Precision = Literal["fp32", "fp16", "int8", "int8-weights", "palette4"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SourceTable(_Table):
    """The network that commands take where none is named."""

    model: Text = Field(
        description="A checkpoint, a .pt2 program, module:function, or a name such as affnet_et."
    )
    config: Text | None = Field(
        default=None, description="Training config (YAML) of the checkpoint."
    )
    weights: Text | None = Field(
        default=None, description="Weights of a peer: a file or its folder."
    )
    ema: bool = Field(default=False, description="Take the EMA weights of a training checkpoint.")
    image_size: (
        Annotated[int, Field(gt=0)]
        | Annotated[str, Field(pattern=r"^[1-9]\d*[xX][1-9]\d*$")]
        | None
    ) = Field(
        default=None, description='Height x width, such as "256x320", or one number for both.'
    )
    labels: Text | None = Field(default=None, description="Class names: a text file, one a line.")


class ExportTable(_Table):
    """Which files `affnet export` writes of the project's model."""

    formats: list[Format] = Field(default=[], description="Formats to export; default: onnx.")
    precisions: list[Precision] = Field(
        default=[], description="Precisions; default: the format's own."
    )
    output: Text | None = Field(
        default=None, description="Folder for artifacts; default: this one."
    )
    calibration_data: Text | None = Field(
        default=None, description='Calibration images: one folder per class, or "bundled".'
    )
    prove_on: list[Text] = Field(
        default=[], description="Devices that files are run on too, such as arm64:cortex-a76."
    )


class BenchTable(_Table):
    """What `affnet bench` measures, and where."""

    peers: list[Text] = Field(
        default=[], description="Models to compare with; ratios are relative to the first one."
    )
    devices: list[Text] = Field(default=[], description="Devices; default: host.")
    devices_file: Text | None = Field(default=None, description="A catalog of devices (TOML).")
    runtimes: list[Runtime] = Field(default=[], description="Runtimes; default: each device's own.")
    store: Text | None = Field(default=None, description="A SQLite file or URL that keeps results.")


class ClusterTable(_Table):
    """The machines that work for commands; see docs/clusters.md."""

    scheduler: Text = Field(description="Address of a Dask scheduler, such as tls://lab:8786.")


class Settings(_Table):
    """A project: its model, what to export, where to measure, and its latency budgets."""

    source: SourceTable | None = None
    export: ExportTable = ExportTable()
    bench: BenchTable = BenchTable()
    cluster: ClusterTable | None = None
    budgets: Text | None = Field(
        default=None, description="File of budgets; default: budgets.toml, if it is there."
    )
    models: dict[str, Text] | None = Field(
        default=None,
        description="Names that [[budget]] uses, and the files or sources they stand for.",
    )
    # checked by `affnet.bench.budgets.budget_file`, as those of budgets.toml are
    budget: list[dict[str, Any]] = Field(
        default=[], description="Latency, memory, size and placement budgets, as in budgets.toml."
    )


def schema_file() -> Path:
    """Return the JSON Schema that is shipped for editors."""
    return Path(str(files("affnet"))) / "data" / "affnet.schema.json"


def schema_text() -> str:
    """Return the JSON Schema of ``affnet.toml``."""
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **Settings.model_json_schema()}
    return json.dumps(schema | {"title": "affnet.toml"}, indent=2) + "\n"


if __name__ == "__main__":
    schema_file().write_text(schema_text(), encoding="utf-8")
