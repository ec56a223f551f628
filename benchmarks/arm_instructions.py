r"""How many instructions an inference takes on Arm: an estimate of ratios, never a time.

    python -m benchmarks.arm_instructions --folder arm_instructions

Debian's QEMU for programs is linked statically and so takes no plugins, the usual way to count.
Its log serves as well: ``-d in_asm`` writes down each block of instructions when it is translated,
``-d exec,nochain`` each time one runs, and ``-d strace`` the system calls by which the program says
where an inference begins and ends.  What lies between these is counted: one inference on one
thread, after one that warms up.  The log of all that comes before takes minutes, and is dropped.

"Cycles" is a bound for a Cortex-A76, of which each core takes four instructions a cycle, two of
them vector or floating-point arithmetic, two of them loads or stores.  A block takes the largest of
the three numbers.  Caches, latencies and mispredicted branches are left out.

Each count is kept in the folder, so that the run may be interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from affnet.artifact import Artifact
from affnet.devices.emulated.root import Root, ready_root
from affnet.devices.worker.bundle import runner_file
from affnet.errors import MeasurementError
from affnet.export.open_or_export import open_or_export
from affnet.files import write_whole
from affnet.runtimes import runtime_for

CPU = "cortex-a76"
BEGIN, END = "/affnet-begins", "/affnet-ends"
KINDS = ("vector", "memory", "other")
#: What is logged: the libraries.  The interpreter itself lies below.
LOGGED = "0x10000000+0xffffffffffff"
MARK = f"""
import os
def mark(text):
    try:
        os.chdir(text)
    except FileNotFoundError:
        pass
def count(run):
    mark({BEGIN!r}); run(); mark({END!r})
"""
INFERENCE = """
import sys
from pathlib import Path
import numpy
from affnet.runtimes import get_runtime
runtime, path, shape = sys.argv[1:]
session = get_runtime(runtime).load(Path(path), threads=1)
image = numpy.random.default_rng(0).random([*map(int, shape.split("x"))], numpy.float32)
session.run(image)
count(lambda: session.run(image))
"""


@dataclass
class Mix:
    """Instructions by their kind, and the cycles that they take at least."""

    vector: float = 0
    memory: float = 0
    other: float = 0
    cycles: float = 0

    @classmethod
    def of(cls, words: Iterable[int]) -> Mix:
        """Return what one run of a block takes."""
        kinds = Counter(map(_kind, words))
        vector, memory = kinds["vector"], kinds["memory"]
        cycles = max(kinds.total() / 4, vector / 2, memory / 2)
        return cls(vector, memory, kinds["other"], cycles)

    def add(self, block: Mix, runs: int) -> None:
        """Add the runs of a block."""
        self.vector += block.vector * runs
        self.memory += block.memory * runs
        self.other += block.other * runs
        self.cycles += block.cycles * runs


def _kind(word: int) -> str:
    """Return an instruction's group, by bits 28 to 25 of its encoding."""
    group = word >> 25 & 0xF
    if group & 0b0101 == 0b0100:
        return "memory"
    return "vector" if group & 0b0111 == 0b0111 else "other"


def counted(log: Iterable[bytes]) -> Mix:
    """Add up what ran between the two marks in QEMU's log.

    Raises:
        MeasurementError: it ends before, or lacks what ran.
    """
    blocks: dict[int, list[int]] = {}  # by address
    runs: Counter[bytes] = Counter()
    begun = ended = False
    words: list[int] = []
    for line in log:
        if line.startswith(b"Trace "):
            if begun and not ended:
                runs[line] += 1
        elif line.startswith(b"0x"):
            address, word, *_ = line.split()
            if not words:
                blocks[int(address.rstrip(b":"), 16)] = words
            words.append(int(word, 16))
        else:
            words = []  # a block ends with an empty line
            begun = begun or BEGIN.encode() in line
            ended = ended or END.encode() in line
    if not ended:
        raise MeasurementError("QEMU's log ends before the inference does.")
    total = Mix()
    for line, times in runs.items():
        block = blocks.get(int(line.split(b"/")[1], 16))
        if block is None:
            raise MeasurementError("QEMU's log lacks the instructions of a block that ran.")
        total.add(Mix.of(block), times)
    return total


def count(root: Root, program: str, words: Sequence[str] = (), packages: str = "") -> Mix:
    """Run a program of Python's on the processor, and count what its ``count(run)`` runs."""
    qemu, *rest = root.command(CPU)
    read, write = os.pipe()  # not stderr, which the program silences while it loads a runtime
    logging = ["-d", "in_asm,exec,nochain,strace", "-dfilter", LOGGED, "-D", f"/dev/fd/{write}"]
    environment = root.environment()
    environment["PYTHONPATH"] += os.pathsep + packages
    command = [qemu, *logging, *rest, "-c", MARK + program, *words]
    with os.fdopen(read, "rb") as log:
        process = subprocess.Popen(command, env=environment, pass_fds=[write])
        os.close(write)
        with process:
            return counted(log)


def count_inference(artifact: Artifact, root: Root, folder: Path) -> Mix:
    """Count one inference of a file in its runtime for Arm."""
    (runner := folder / "runner.pyz").write_bytes(runner_file())
    shape = "x".join(map(str, artifact.manifest.inputs[0].static_shape()))
    words = [runtime_for(artifact.manifest.format).name, str(artifact.path), shape]
    return count(root, INFERENCE, words, str(runner))


def record_of(network: str, format_: str, folder: Path) -> dict[str, float]:
    """Return what a network's inference takes, counting it unless that is kept."""
    answer = folder / f"{network}.{format_}.json"
    if not answer.exists():
        print(f"counting {network} in {format_}", file=sys.stderr, flush=True)
        artifact = open_or_export(network, format_, None, "auto", folder)
        mix = count_inference(artifact, ready_root(), folder)
        write_whole(answer, json.dumps(dataclasses.asdict(mix)) + "\n")
    found: dict[str, float] = json.loads(answer.read_text("utf-8"))
    return found


def table(networks: Sequence[str], formats: Sequence[str], folder: Path) -> Iterator[str]:
    """Yield the lines of a Markdown table; ratios are to the last network."""
    headings = ("M instructions", "/ last", *KINDS, "M cycles at least", "/ last")
    yield f"| format | network | {' | '.join(headings)} |"
    yield "| --- | --- |" + " ---: |" * len(headings)
    for format_ in formats:
        records = {name: record_of(name, format_, folder) for name in networks}
        totals = {name: sum(one[kind] for kind in KINDS) for name, one in records.items()}
        last = networks[-1]
        for name, one in records.items():
            cells = [
                f"{totals[name] / 1e6:.1f}",
                f"{totals[name] / totals[last]:.2f}",
                *(f"{one[kind] / totals[name]:.0%}" for kind in KINDS),
                f"{one['cycles'] / 1e6:.1f}",
                f"{one['cycles'] / records[last]['cycles']:.2f}",
            ]
            yield f"| {format_} | {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="keeps files and counts")
    parser.add_argument("--networks", nargs="+", default=["affnet_et", "mobilevit_xxs"])
    parser.add_argument("--formats", nargs="+", default=["onnx", "tflite"])
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print("\n".join(table(given.networks, given.formats, given.folder)))


if __name__ == "__main__":
    main()
