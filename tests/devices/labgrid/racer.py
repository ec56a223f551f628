"""Measures again and again at a place: ``racer CATALOG TAKEN TIMES``.

The file TAKEN is there while it measures; where it is there already, another one measures.
"""

from __future__ import annotations

import sys
from pathlib import Path

from affnet.devices.catalog import open_devices
from affnet.devices.device_lock import measuring


def main() -> None:
    catalog, taken, times = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    for _ in range(times):
        (device,) = open_devices("orin", catalog)
        with measuring(device, "onnxruntime"):
            taken.touch(exist_ok=False)  # raises where another is at it
            device.conditions()
            taken.unlink()
    print(f"{times} measured")


if __name__ == "__main__":
    main()
