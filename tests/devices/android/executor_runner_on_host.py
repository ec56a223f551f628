"""A stand-in for ``executor_runner``: runs ExecuTorch here, prints and writes as the tool.

Lines and files are those of examples/portable/executor_runner/executor_runner.cpp.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path

import torch

# The runtime takes a decorator from the package of the compiler, whose import takes ten times as
# long as all else here, at every start: it gets that package without its content.
_compiler = importlib.util.find_spec("executorch.exir")
assert _compiler is not None
sys.modules[_compiler.name] = importlib.util.module_from_spec(_compiler)

from executorch.runtime import Runtime  # noqa: E402


def log(line: int, message: str) -> None:
    print(f"I 00:00:00.004429 executorch:executor_runner.cpp:{line}] {message}", file=sys.stderr)


def main() -> int:
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
    begun = time.perf_counter()
    method = Runtime.get().load_program(flags["model_path"]).load_method("forward")
    assert method is not None
    log(251, f"Model loaded in {(time.perf_counter() - begun) * 1e3:f} ms.")
    shape = list(method.metadata.input_tensor_meta(0).sizes())
    image = torch.ones(shape)  # what the tool takes without a file
    if file := flags.get("inputs"):
        content = bytearray(Path(file).read_bytes())
        image = torch.frombuffer(content, dtype=torch.float32).reshape(shape)
    runs, total = int(flags["num_executions"]), 0.0
    for number in range(1, runs + 1):
        begun = time.perf_counter()
        outputs = method.execute([image])
        spent = (time.perf_counter() - begun) * 1e3
        total += spent
        log(284, f"Iteration {number} of {runs}: {spent:f} ms")
    log(290, f"Model executed successfully {runs} time(s) in {total:f} ms.")
    log(293, f"{len(outputs)} outputs: ")
    if base := flags.get("output_file"):
        for index, output in enumerate(outputs):
            Path(f"{base}-{index}.bin").write_bytes(output.numpy().tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
