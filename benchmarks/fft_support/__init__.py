"""What converters and runtimes make of Fourier transforms: ``docs/fft-support.md``.

    python -m benchmarks.fft_support [--columns NAME ...]

Each row is a small network (`rows`), each column a converter with its runtime (`columns`), as
installed here; affnet's rewrite is in the last columns only, which export the same networks with
affnet.  Every cell was run: its network was converted, loaded and run on random numbers, and
compared with PyTorch in float64.  A column runs in a process of its own, so that one which crashes
costs one cell.

Cells are kept in ``results.json``, with the versions that they belong to, and the page is written
from all that are there: a column that is new, or whose tools are, can be run alone.

A column whose tools are not installed is left out, and said to be.  IREE and onnx2tf are no tools
of affnet: `columns.iree` and `columns.onnx2tf` say how to install them.  onnxruntime-web needs node
and npm, and for WebGPU affnet's extra ``browser`` and a Chromium (``apt-get install chromium``).
"""
