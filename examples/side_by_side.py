"""Prove files and measure them side by side: the Python interface in one page.

::

    affnet export affnet_et --format onnx
    affnet export mobilevit_xxs --format onnx
    python examples/side_by_side.py affnet_et.onnx mobilevit_xxs.onnx
"""

from __future__ import annotations

import argparse
import sys

import affnet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--device", default="host")
    parser.add_argument("--preset", default="quick")
    arguments = parser.parse_args()
    try:
        for file in arguments.files:
            parity = affnet.verify_artifact(file)
            verdict = "agrees" if parity.passed else "DISAGREES"
            print(f"{file}: {verdict}, error {parity.max_rel_error:.1e}")
        results = affnet.measure_artifacts(
            arguments.files, device=arguments.device, preset=arguments.preset
        )
    except affnet.errors.AffnetError as error:
        sys.exit(f"{error.problem}. {error.remedy or ''}")
    for result in results:
        print(f"{result.model}: median {result.summary().median / 1e6:.2f} ms")


if __name__ == "__main__":
    main()
