"""What runs on a board: it describes the board, or measures as on any host.

It is shipped as one file, see `affnet.devices.worker.bundle`.  Measuring needs a runtime and numpy;
the rest needs only Python.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Callable
from typing import Any

from affnet.devices.worker import linux_probes, older_python

#: The modules that a runtime needs on a board, and what pip calls them.
NEEDED: dict[str, dict[str, str]] = {
    "onnxruntime": {"onnxruntime": "onnxruntime", "numpy": "numpy"},
    "litert": {"ai_edge_litert": "ai-edge-litert", "numpy": "numpy", "flatbuffers": "flatbuffers"},
    "executorch": {"executorch": "executorch", "numpy": "numpy"},
    "openvino": {"openvino": "openvino", "numpy": "numpy"},
    "mnn": {"_mnncengine": "MNN", "numpy": "numpy"},
    "ncnn": {"ncnn": "ncnn", "numpy": "numpy"},
    "tract": {"tract": "tract", "numpy": "numpy"},
}
#: Whose packages are installed without what these depend on: of ExecuTorch, torch.
ALONE = ("executorch",)


def look(folder: str) -> dict[str, Any]:
    """Return the free space of ``folder``, the system, and which packages each runtime lacks."""
    missing = {
        runtime: [name for module, name in modules.items() if not _is_installed(module)]
        for runtime, modules in NEEDED.items()
    }
    free = linux_probes.free_bytes(folder)
    return {"free_bytes": free, "missing": missing, "userland": linux_probes.userland()}


def fingerprint() -> dict[str, Any]:
    """Describe the board, and the versions of the packages that runtimes need."""
    packages = sorted({name for modules in NEEDED.values() for name in modules.values()})
    versions = {name: version for name in packages if (version := _version(name))}
    return {**linux_probes.fingerprint(), "packages": versions}


def features() -> dict[str, Any]:
    """Return the flags of the processor."""
    return {"features": linux_probes.cpu_flags()}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def main() -> None:
    """Do what the first argument says."""
    older_python.supply()
    command, *arguments = sys.argv[1:]
    if command == "measure":
        from affnet.devices.worker.serve import main as measure

        measure()
        return
    answers: dict[str, Callable[..., dict[str, Any]]] = {
        "look": look,
        "fingerprint": fingerprint,
        "features": features,
        "conditions": linux_probes.conditions,
    }
    print(json.dumps(answers[command](*arguments)))
