"""How often ``affnet check`` is wrong: real checks of an unchanged and of a slowed network.

Each check compares an AFFNet-ET file with another under a budget of +5 %, in rounds, as the command
does: in A/A checks both are the same, in planted ones the new file's ``--module`` does work that
changes nothing and adds a tenth to the network's time.  ``--busy`` keeps the other cores busy.

    python benchmarks/checks.py --checks 20 --source affnet_et --module layer_4
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import helper, numpy_helper

from affnet.artifact import Artifact, manifest_path
from affnet.bench.budgets import read_budgets
from affnet.bench.check import measure_and_judge
from affnet.bench.profile import take_profile
from affnet.bench.verdicts import Verdict
from affnet.devices import get_device
from affnet.devices.host import HostDevice
from affnet.export.prepare import open_or_export
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


def check(new: Path, baseline: Path, folder: Path) -> Verdict:
    """Return the verdict of one whole check."""
    budgets = folder / "budgets.toml"
    budgets.write_text(_BUDGET.format(path=new), encoding="utf-8")
    outcome = measure_and_judge(
        read_budgets(budgets),
        baseline,
        get_device,
        lambda source, _: Artifact.open(Path(source)),
        max_rounds=12,
    )
    return outcome.verdicts[0]


@contextlib.contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """Keep a core busy by another process."""
    process = subprocess.Popen([sys.executable, "-c", _BUSY]) if wanted else None
    try:
        yield
    finally:
        if process:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checks", type=int, default=20)
    parser.add_argument("--source", default="affnet_et")
    parser.add_argument("--module", default="layer_4")
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--kinds", nargs="+", default=["A/A", "planted"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, busy(asked.busy):
        folder = Path(scratch)
        original = open_or_export(asked.source, "onnx", None, "auto", folder)
        (folder / "slow").mkdir()
        slow = folder / "slow" / original.path.name
        added = plant(original, asked.module, asked.share, slow)
        print(f"planted: {added:.1%} of the operators' time, in {asked.module}", flush=True)
        for kind in asked.kinds:
            new = original.path if kind == "A/A" else slow
            found, right = Counter[str](), 0
            for number in range(asked.checks):
                verdict = check(new, original.path.parent, folder)
                found[verdict.verdict] += 1
                modules = [growth.module for growth in verdict.slower_modules]
                right += bool(modules) and modules[0].startswith(asked.module)
                interval = verdict.interval
                assert interval is not None
                told = [round(v, 3) for v in (interval.value, interval.low, interval.high)]
                print(kind, number, verdict.verdict, verdict.rounds, told, modules, flush=True)
            print(json.dumps({"kind": kind, **found, "attributed to the module": right}))


if __name__ == "__main__":
    main()
