"""CPU seconds of verifying a file: by an older checkout and by this one, in turns.

    git worktree add ../before 12eeb20
    python -m benchmarks.verification ../before --sources affnet_et digits --formats onnx tflite

This checkout exports each file; both then run and compare it, in a process of its own each time,
once to warm up and three times measured.  Loading of packages, network and file is not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from affnet.artifact import Artifact
from benchmarks.refactoring import artifact_in, export

_MEASURED = """
import statistics, sys, time
from pathlib import Path
import torch
from affnet.artifact import Artifact
from affnet.model.source import reload_source

torch.set_num_threads(1)
artifact = Artifact.open(Path(sys.argv[1]))
source = reload_source(artifact.manifest.provenance)
try:
    from affnet.export.verification.compare import verify_against
    from affnet.export.verification.open import inputs_for
    from affnet.export.verification.reference import Reference
    from affnet.export.verification.subject import Subject

    def verify():
        subject = Subject.of(artifact)
        reference = Reference(source)
        verify_against(subject, source, inputs_for(subject, reference), reference)
except ImportError:  # up to 12eeb20
    from affnet.export.verification import Subject, verify_against

    def verify():
        verify_against(Subject.of(artifact), source)
verify()
seconds = []
for _ in range(3):
    started = time.process_time()
    verify()
    seconds.append(time.process_time() - started)
print(statistics.median(seconds))
"""


def seconds(checkout: Path, artifact: Artifact) -> float:
    """Return the CPU seconds of one verification by the code of ``checkout``."""
    folders = os.pathsep.join(
        (str(checkout), str(Path.cwd()))
    )  # where a network of one's own may be
    environment = os.environ | {"PYTHONPATH": folders, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _MEASURED, str(artifact.path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="another checkout of this repository")
    parser.add_argument("--sources", nargs="+", default=["affnet_et", "digits"])
    parser.add_argument("--formats", nargs="+", default=["onnx", "tflite", "coreml", "executorch"])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    before, after = arguments.before.resolve(), Path(__file__).parents[1]
    print("| source | format | before s | after s | ratio |\n| --- | --- | ---: | ---: | ---: |")
    for source in arguments.sources:
        for format_ in arguments.formats:
            with tempfile.TemporaryDirectory() as scratch:
                export(after, source, format_, Path(scratch))
                (path,) = artifact_in(Path(scratch)).values()
                artifact = Artifact.open(path)
                pairs = [
                    (seconds(before, artifact), seconds(after, artifact))
                    for _ in range(arguments.rounds)
                ]
            old, new = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratios = sorted(mine / theirs for theirs, mine in pairs)
            ratio = f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]"
            print(f"| {source} | {format_} | {old:.3f} | {new:.3f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
