"""An evaluator of Core ML's ML programs for hosts without Core ML.

It reads an ``.mlpackage`` from disk as Core ML does, and computes it with numpy, and torch for
convolutions and pooling: the reference semantics of each operator, not a simulation of Apple's
hardware.  `load_program` reads one, `Program.predict` evaluates it.
"""

from affnet.runtimes.mlprogram.description import Feature, Metadata
from affnet.runtimes.mlprogram.program import Program, load_program, unsupported_operators

__all__ = ["Feature", "Metadata", "Program", "load_program", "unsupported_operators"]
