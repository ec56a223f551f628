"""Export networks of public packages, as their users build them, to each format.

    pip install --no-deps -r benchmarks/public_networks/requirements.txt
    python -m benchmarks.public_networks --formats onnx tflite coreml executorch --record zoo.jsonl

    python -m benchmarks.public_networks --zoo --timed --formats onnx tflite

Each network is exported and proven in a process of its own. Prints a row for each network and
format: the largest error of the proof, of the largest output, and its PSNR; what the file has
beyond the network's weights; with ``--timed``, its time over eager PyTorch's, the median of CPU
time in turns, on one thread, which Core ML has on Apple's systems alone; and how the network was
captured. At the end are the counts for each format, and the message of each that is not right.
``--record`` keeps what was tried, and a run that was stopped goes on. ``--zoo`` takes the six
networks whose packages the extra `zoo` has. The packages' versions are pinned without what they
require, as some exclude each other; torchaudio's release must be the one for torch's. With
``--precision int8`` the files are calibrated on the example, louder, softer and noisy.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.public_networks import NETWORKS, ZOO
from benchmarks.public_networks.attempt import (
    FAILED,
    NOT_BUILT,
    REFUSED,
    RIGHT,
    Attempt,
    in_own_process,
    read,
    write,
)

RESULTS = (RIGHT, REFUSED, FAILED, NOT_BUILT)


def row(attempt: Attempt) -> str:
    """Return a row of a Markdown table."""
    chosen = NETWORKS[attempt.network]
    cells = [chosen.title, chosen.package, attempt.format]
    if attempt.result != RIGHT:
        cells += [attempt.result, "", "", "", ""]
    else:
        ratio = "" if attempt.ratio is None else f"{attempt.ratio:.2f}"
        psnr = "" if attempt.psnr_db is None else f"{attempt.psnr_db:.0f}"
        cells += [f"{attempt.error:.1e}", psnr, f"{attempt.megabytes:.2f}", ratio, attempt.captured]
    return f"| {' | '.join(cells)} |"


def counts(attempts: Iterable[Attempt]) -> list[str]:
    """Return a Markdown table of how many are right in each format."""
    by_format: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_format.setdefault(attempt.format, []).append(attempt)
    in_onnx = {one.network for one in by_format.get("onnx", []) if one.result == RIGHT}
    lines = [
        f"| format | tried | {' | '.join(RESULTS)} | right, of those that ONNX holds |",
        f"| --- |{' ---: |' * (len(RESULTS) + 2)}",
    ]
    for format_, those in by_format.items():
        results = Counter(one.result for one in those)
        both = [one.result == RIGHT for one in those if one.network in in_onnx]
        cells = [format_, len(those), *(results[result] for result in RESULTS)]
        lines.append(f"| {' | '.join(map(str, cells))} | {sum(both)} of {len(both)} |")
    return lines


def main(given: list[str] | None = None) -> None:
    """Try what is asked for, and print tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--formats", nargs="+", default=["onnx"])
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--only", nargs="+", choices=NETWORKS, metavar="NETWORK")
    chosen.add_argument("--zoo", action="store_true", help="the six of docs/any-network.md")
    parser.add_argument("--timed", action="store_true", help="beside eager PyTorch")
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32")
    parser.add_argument("--record", type=Path, help="JSON lines of what was tried, to go on from")
    parser.add_argument("--again", action="store_true", help="try what is not right in it again")
    parser.add_argument("--limit", type=int, default=300, help="seconds of CPU time for one")
    arguments = parser.parse_args(given)
    known = read(arguments.record) if arguments.record else {}
    heads = ("largest error", "PSNR, dB", "MB beyond the weights", "file / eager")
    print(f"| network | package | format | {' | '.join(heads)} | captured by |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | --- |")
    done = []
    for format_ in arguments.formats:
        for name in ZOO if arguments.zoo else arguments.only or NETWORKS:
            attempt = known.get((name, format_))
            if attempt is None or (arguments.again and attempt.result != RIGHT):
                attempt = in_own_process(
                    name,
                    format_,
                    timed=arguments.timed,
                    limit=arguments.limit,
                    precision=arguments.precision,
                )
                if arguments.record:
                    write(arguments.record, attempt)
            print(row(attempt), flush=True)
            done.append(attempt)
    print("", *counts(done), sep="\n")
    for attempt in done:
        if attempt.result != RIGHT:
            print(f"\n{attempt.network}, {attempt.format}, {attempt.result}: {attempt.message}")


if __name__ == "__main__":
    main()
