"""A judge of verification: files with planted faults have to be refused, right ones to pass.

    python -m benchmarks.proof --formats onnx coreml tflite executorch --count 100 --jobs 2
    python -m benchmarks.proof --formats onnx:fp16 --count 10 --keep files --json proof.json

A planted fault is a small network with one thing wrong in it, as a converter might get it wrong
(`faults`): its file is written without verification, then judged by the right network.  It counts
only if the file, run on inputs as users feed them (`held_out`), is visibly wrong: by more than ten
tolerances.  A clean network is one that is hard to judge (`hard`), or the right one of a pair; it
counts only if its file is right on all those inputs.  Networks are drawn until as many count as
were asked for, or twice as many were drawn.

Verification fails, and so does this program with exit code 1, for each wrong file that passes and
each right one that is refused.  `networks` says how to export and verify any of them alone.
"""
