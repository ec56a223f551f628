"""From a network that PyTorch runs to a program of fixed operators.

`capture` makes one attempt after the other until one gives a program of what the network computes:

1. ``torch.export``, which runs the network on tensors without values;
2. the same without the assertions that stop it;
3. `recording`, which runs it on its example and keeps the operators that were called.  What was
   called for other reasons than the input's shape is found by comparing on several inputs.
"""

from affnet.model.capture.attempts import Captured, capture
from affnet.model.capture.behavior import check_program, check_runs

__all__ = ["Captured", "capture", "check_program", "check_runs"]
