"""A double of the parts of coremltools that measure on Apple's devices.

It stands before the real one on PYTHONPATH; `test_coremltools_double.py` compares their signatures.
What it plays is in the JSON file that COREMLTOOLS_DOUBLE names; what it was asked to do it writes
beside that file.
"""

from __future__ import annotations

import enum

from coremltools import models  # noqa: F401


class ComputeUnit(enum.Enum):
    ALL = 1
    CPU_AND_GPU = 2
    CPU_ONLY = 3
    CPU_AND_NE = 4
