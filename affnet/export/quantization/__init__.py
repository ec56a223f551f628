"""Precisions below float32: calibration, sensitivity, and the bound on what accuracy they may cost.

How a format holds a precision is its converter's business; here is what all formats share.
"""

from __future__ import annotations

#: Precisions whose activations are of 8 bits too, so that their ranges must be known.
CALIBRATED = ("int8",)
#: What asks for the fastest precision that keeps the accuracy.
AUTO = "auto"
#: Precisions that lose more than rounding, so that they are judged on real images.
LOSSY = ("int8", "int8-weights", "palette4")
#: Processors that 8-bit weights are for: Arm, x86, or any, which is right on both.
ARM, X86, ANY = "arm", "x86", "any"
TARGETS = (ARM, X86, ANY)
