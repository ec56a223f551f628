"""Whether published rules predict where operators run: predicted beside observed, by file.

Rules for XNNPACK are compared with LiteRT here, those for WebGPU with onnxruntime-web in a headless
Chromium whose WebGPU is a GPU in software (SwiftShader).  ExecuTorch decides when it exports, and
OpenVINO has one unit: of these the table shows what ran where.

    python -m benchmarks.placement FOLDER            # of files that affnet exported
    python -m benchmarks.placement FOLDER --export   # after exporting the field into it, for hours

An operator that the runtime merged with another, or computed when it loaded the file, has no unit
of its own and is counted apart.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from affnet.devices.browser.npm_packages import Installer
from affnet.devices.browser.page_server import serving
from affnet.devices.browser.worker import open_page
from affnet.errors import AffnetError
from affnet.export.converters import get_converter
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.mixers import MIXERS
from affnet.model.mixers.alone import mixer_source
from affnet.model.peers.registry import PEERS
from affnet.model.source import Source, load_source
from affnet.model.variants import VARIANTS
from affnet.parity import reference_inputs
from affnet.placement import Placement
from affnet.runtimes import get_runtime
from affnet.runtimes.foreign import describe_file
from affnet.runtimes.operator_rules.graph import read_graph
from affnet.runtimes.operator_rules.rules import get_target
from affnet.table import Table, numbers, texts

FORMATS = {".onnx": "onnx", ".tflite": "tflite", ".pte": "executorch", ".xml": "openvino"}
OWN = {"tflite": "litert", "executorch": "executorch", "openvino": "openvino"}
TARGETS = {"onnx": "webgpu", "tflite": "xnnpack"}
MAPS = (64, (16, 16))  # channels and size of the maps of mixers alone
FLAGS = "--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader --enable-features=Vulkan"


def observed(path: Path, form: str) -> Placement:
    artifact = describe_file(path)
    inputs = artifact.manifest.described_inputs()
    if form != "onnx":
        runtime = get_runtime(OWN[form])
        found = runtime.placement(path, threads=1, inputs=reference_inputs(inputs))  # type: ignore[attr-defined]
    else:
        found = asyncio.run(_in_browser(path, inputs))
    if not isinstance(found, Placement):
        raise AffnetError(f"{path}: {found}.")
    return found


async def _in_browser(path: Path, inputs: list[dict[str, object]]) -> Placement | str:
    """Ask a page to load the file, but not to run it, which takes a GPU in software minutes."""
    job = {"executable": None, "flags": FLAGS, "runtime": "onnxruntime", "accelerator": "webgpu"}
    with serving({"model": path}, Installer().install(print)) as url:
        async with open_page(job, url, path.name) as (_, page):
            return await page.placement(path, {**job, "threads": 1, "inputs": inputs})


def compared(predicted: Placement, seen: Placement) -> tuple[int, int, int]:
    """Return how many operators agree, differ, and have no unit of their own when run."""
    units = {(one.name, one.operator): one.unit for one in seen.operators}
    counts: Counter[str] = Counter()
    for one in predicted.operators:
        unit = units.get((one.name, one.operator))
        counts["merged" if unit is None else "agree" if unit == one.unit else "differ"] += 1
    return counts["agree"], counts["differ"], counts["merged"]


def rows(folder: Path) -> Iterator[list[str]]:
    for path in sorted(folder.iterdir(), key=lambda one: (one.suffix, one.name)):
        form = FORMATS.get(path.suffix)
        if form is None:
            continue
        print(path.name, file=sys.stderr, flush=True)
        seen = observed(path, form)
        if form not in TARGETS:
            yield [form, path.stem, seen.text(), str(len(seen.operators)), "-", "-", "-"]
            continue
        predicted = get_target(TARGETS[form]).place(read_graph(path, form))
        agree, differ, merged = compared(predicted, seen)
        counts = [len(predicted.operators), agree, differ, merged]
        yield [TARGETS[form], path.stem, seen.text(), *map(str, counts)]


def sources(channels_last: bool) -> Iterator[tuple[str, Callable[[], Source]]]:
    """Yield AFFNet's variants, all peers, and each mixer alone and in AFFNet-ET."""
    for name in (*VARIANTS, *PEERS):
        yield name, partial(load_source, name)
    for name in MIXERS:
        alone = partial(mixer_source, name, *MAPS, channels_last=channels_last)
        yield f"{name}-{MAPS[0]}x{MAPS[1][0]}x{MAPS[1][1]}", alone
    for name in MIXERS.keys() - {"aff"}:
        yield f"affnet_et+{name}", partial(load_source, f"affnet_et+{name}")


def export(folder: Path, form: str) -> None:
    """Export what is not there yet; nothing is verified, which a placement does not depend on."""
    suffix = next(suffix for suffix, known in FORMATS.items() if known == form)
    for name, load in sources("NHWC" in get_converter(form).layouts):
        if (folder / f"{name}{suffix}").exists():
            continue
        print(f"exporting {name} to {form}", file=sys.stderr, flush=True)
        try:
            export_artifact(load(), ExportOptions(form, precision="fp32", verify=False), folder)
        except AffnetError as error:
            print(f"{name} to {form}: {error}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--export", action="store_true", help="Export what is not there yet.")
    parser.add_argument("--formats", default=",".join(FORMATS.values()))
    options = parser.parse_args()
    for form in options.formats.split(",") if options.export else ():
        export(options.folder, form)
    found = list(rows(options.folder))
    heads = [
        *texts("rules for", "model", "ran"),
        *numbers("operators", "agree", "differ", "merged"),
    ]
    print(Table(heads, found).markdown())
    for target in TARGETS.values():
        mine = [row for row in found if row[0] == target]
        agree, differ = (sum(int(row[column]) for row in mine) for column in (4, 5))
        if agree + differ:
            print(f"{target}: {agree} of {agree + differ} operators of {len(mine)} files agree")


if __name__ == "__main__":
    main()
