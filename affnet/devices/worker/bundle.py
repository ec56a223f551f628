"""Packing the runner, the same measuring code that the host uses, into one file for a board.

The file is a zip that Python executes.  It holds what measuring needs and nothing else, so that the
board needs a runtime and numpy, but neither affnet nor torch, pydantic or psutil.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

#: The modules that are sent, each with the packages it stands in.
MODULES = (
    "affnet",
    "affnet.artifact",
    "affnet.detections",
    "affnet.devices",
    "affnet.devices.worker",
    "affnet.devices.worker.board_main",
    "affnet.devices.worker.energy",
    "affnet.devices.worker.host_probes",
    "affnet.devices.worker.linux_probes",
    "affnet.devices.worker.older_python",
    "affnet.devices.worker.pipeline",
    "affnet.devices.worker.serve",
    "affnet.dynamic_axes",
    "affnet.errors",
    "affnet.evidence",
    "affnet.files",
    "affnet.layouts",
    "affnet.parity",
    "affnet.placement",
    "affnet.preprocessing",
    "affnet.reading",
    "affnet.runtimes",
    "affnet.runtimes.executorch",
    "affnet.runtimes.litert",
    "affnet.runtimes.mnn",
    "affnet.runtimes.ncnn",
    "affnet.runtimes.onnxruntime",
    "affnet.runtimes.onnxruntime_profile",
    "affnet.runtimes.openvino",
    "affnet.runtimes.tract",
    "affnet.silence",
    "affnet.tensor_spec",
)
#: What is sent in the place of a module, under its name: without the packages that that one needs.
STAND_INS = {"affnet.runtimes.executorch": "affnet.runtimes.executorch_native"}
_MAIN = "from affnet.devices.worker.board_main import main\n\nmain()\n"
_DATE = (2020, 1, 1, 0, 0, 0)  # the same code is the same file


def runner_file() -> bytes:
    """Return the content of the file that ``python FILE measure`` executes."""
    root = Path(__file__).parents[3]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", _DATE), _MAIN)
        for module in MODULES:
            name, source = _file(module), _file(STAND_INS.get(module, module))
            archive.writestr(zipfile.ZipInfo(name, _DATE), (root / source).read_bytes())
    return content.getvalue()


def _file(module: str) -> str:
    """Return a module's file, from the folder that holds the package on."""
    name = module.replace(".", "/")
    is_package = (Path(__file__).parents[3] / name).is_dir()
    return f"{name}/__init__.py" if is_package else f"{name}.py"
