"""An evaluator of Core ML's ML programs for hosts without Core ML.

It reads an ``.mlpackage`` from disk as Core ML does, and computes it with numpy, and torch for
convolutions and pooling: the reference semantics of each operator, not a simulation of Apple's
hardware.  A detector's pipeline is an ML program and a suppression of boxes, which is written anew
here (`suppression`).  `load_program` reads either, ``predict`` evaluates it.
"""

from affnet.runtimes.mlprogram.description import Feature, Metadata
from affnet.runtimes.mlprogram.pipeline import DetectionPipeline, load_program
from affnet.runtimes.mlprogram.program import Program, unsupported_operators

__all__ = [
    "DetectionPipeline",
    "Feature",
    "Metadata",
    "Program",
    "load_program",
    "unsupported_operators",
]
