"""How often ``affnet check`` is wrong: real checks of an unchanged and of a slowed network.

Each check compares an AFFNet-ET file with another under a budget of +5 %, in rounds, as the command
does: in A/A checks both are the same, in planted ones the new file's ``--module`` does work that
changes nothing and adds a tenth to the network's time.  ``--load`` keeps one core busy by another
process.

Each check is a line of ``--append`` as soon as it is done, so that hours may be interrupted:
started again with the same file, it goes on where it ended.

    python benchmarks/checks.py --kind A/A --checks 100 --load --append checks.jsonl
    python benchmarks/checks.py --kind planted --checks 20 --append checks.jsonl
    python benchmarks/checks.py --count checks.jsonl
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import helper, numpy_helper

from affnet.artifact import Artifact, manifest_path
from affnet.bench.budgets.budget_file import read_budgets
from affnet.bench.budgets.check import measure_and_evaluate
from affnet.bench.budgets.devices import AttachedDevice
from affnet.bench.budgets.verdicts import Verdict
from affnet.bench.measurement.profiling import take_profile
from affnet.devices.catalog import get_device
from affnet.devices.host import HostDevice
from affnet.export.open_or_export import open_or_export
from affnet.files import content_sha256

_BUDGET = '[models]\nnet = "{path}"\n\n[[budget]]\nmodel = "net"\nat_most = "+5 %"\n'
_BUSY = "while True: pass"


def plant(artifact: Artifact, module: str, share: float, target: Path) -> float:
    """Write a slower copy: convolutions of ``module`` are computed twice, the second with zeros.

    Returns what that adds to the operators' time, as the profiler of the original has it.
    """
    profile = take_profile(artifact, "onnxruntime", HostDevice(), 1)
    assert not isinstance(profile, str)
    cost = {time.name.removesuffix("_nchwc"): time.mean_ns for time in profile}
    total = sum(time.mean_ns for time in profile)
    model = onnx.load(artifact.path)
    graph, added = model.graph, 0.0
    weights = {value.name: value for value in graph.initializer}
    for index in range(len(graph.node) - 1, -1, -1):
        node = graph.node[index]
        if node.op_type != "Conv" or not node.input[1].startswith(module) or added >= share:
            continue
        zeros = numpy_helper.to_array(weights[node.input[1]]) * 0
        name = f"{node.input[1].rpartition('.')[0]}.planted{index}"
        graph.initializer.append(numpy_helper.from_array(zeros, name))
        output = node.output[0]
        node_cost = cost.get(node.name, 0) or cost.get(output, 0)
        again = helper.make_node("Conv", [node.input[0], name], [f"{output}_again"], f"n{index}")
        again.attribute.extend(node.attribute)
        node.output[0] = f"{output}_first"
        both = [node.output[0], again.output[0]]
        graph.node.insert(index + 1, again)
        graph.node.insert(index + 2, helper.make_node("Add", both, [output], f"a{index}"))
        added += node_cost / total
    onnx.save(model, target)
    slower = artifact.with_manifest(sha256=content_sha256(target))
    manifest_path(target).write_text(slower.manifest.to_json(), encoding="utf-8")
    return added


def check(new: Path, baseline: Path, folder: Path, max_rounds: int) -> Verdict:
    """Return the verdict of one whole check."""
    budgets = folder / "budgets.toml"
    budgets.write_text(_BUDGET.format(path=new), encoding="utf-8")
    outcome = measure_and_evaluate(
        read_budgets(budgets),
        baseline,
        lambda name: AttachedDevice(get_device(name)),
        lambda source, *_: Artifact.open(Path(source)),
        max_rounds=max_rounds,
    )
    return outcome.verdicts[0]


@contextlib.contextmanager
def load(wanted: bool) -> Iterator[None]:
    """Keep a core busy by another process."""
    process = subprocess.Popen([sys.executable, "-c", _BUSY]) if wanted else None
    try:
        yield
    finally:
        if process:
            process.kill()
            process.wait()


def done_before(path: Path | None, what: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the checks of the same kind that the file holds; a torn last line is no check."""
    if path is None or not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if what.items() <= record.items():
                found.append(record)
    return found


def run(asked: argparse.Namespace, what: dict[str, Any]) -> None:
    """Make the checks that are missing, a line each."""
    missing = asked.checks - len(done_before(asked.append, what))
    with tempfile.TemporaryDirectory() as scratch, load(asked.load):
        folder = Path(scratch)
        original = open_or_export(asked.source, "onnx", None, "auto", folder)
        new = original.path
        if asked.kind == "planted":
            (folder / "slow").mkdir()
            new = folder / "slow" / original.path.name
            added = plant(original, asked.module, asked.share, new)
            print(f"planted: {added:.1%} of the operators' time, in {asked.module}", flush=True)
        for _ in range(missing):
            began = time.monotonic()
            verdict = check(new, original.path.parent, folder, asked.max_rounds)
            interval = verdict.interval
            assert interval is not None
            record = {
                **what,
                "verdict": verdict.verdict,
                "rounds": verdict.rounds,
                "interval": [round(v, 4) for v in (interval.low, interval.value, interval.high)],
                "modules": [regression.module for regression in verdict.slower_modules],
                "doubts": list(verdict.warnings),
                "load_average": round(os.getloadavg()[0], 1),
                "seconds": round(time.monotonic() - began),
            }
            line = json.dumps(record)
            print(line, flush=True)
            if asked.append:
                with asked.append.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")


def count(records: Sequence[dict[str, Any]]) -> None:
    """Print how many verdicts of each there are, and how often the right module is named."""
    kinds = dict.fromkeys((r["kind"], r["load"], r["source"], r["module"]) for r in records)
    for kind, loaded, source, module in kinds:
        same = [
            r for r in records
            if (r["kind"], r["load"], r["source"], r["module"]) == (kind, loaded, source, module)
        ]  # fmt: skip
        verdicts = Counter(r["verdict"] for r in same)
        right = sum(bool(r["modules"]) and r["modules"][0].startswith(module) for r in same)
        attributed = {
            "kind": kind,
            "load": loaded,
            "source": source,
            "checks": len(same),
            **verdicts,
        }
        if kind == "planted":
            attributed |= {"module": module, "named first": right}
        print(json.dumps(attributed))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=("A/A", "planted"), default="A/A")
    parser.add_argument("--checks", type=int, default=20, help="in the file, when it is done")
    parser.add_argument("--source", default="affnet_et")
    parser.add_argument("--module", default="layer_4")
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--max-rounds", type=int, default=12)
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--append", type=Path)
    parser.add_argument("--count", type=Path, help="only count what this file holds")
    asked = parser.parse_args()
    if asked.count:
        count(done_before(asked.count, {}))
        return
    names = ("kind", "load", "source", "module", "share", "max_rounds")
    what = {name: getattr(asked, name) for name in names}
    run(asked, what)
    count(done_before(asked.append, what))


if __name__ == "__main__":
    main()
