"""Fixtures that build small ML programs with coremltools, save them and evaluate the files."""

from __future__ import annotations

import gc
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affnet.runtimes.mlprogram import load_program

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # coremltools and what it imports warn of their own code
    logging.disable(logging.WARNING)
    ct = pytest.importorskip("coremltools")
    from coremltools.converters.mil.mil import Builder as mb  # noqa: N813 - its usual name
    from coremltools.converters.mil.mil import types

    logging.disable(logging.NOTSET)

_TYPES = {
    "float16": types.fp16,
    "float32": types.fp32,
    "int32": types.int32,
    "bool": types.bool,
}


@pytest.fixture(autouse=True, scope="module")
def _cheap_collection() -> Iterator[None]:
    """Exempt what is imported from collection: each conversion collects garbage in full."""
    gc.freeze()
    yield
    gc.unfreeze()


def build(function: Callable[..., Any], arrays: list[np.ndarray], target: Any = None) -> Any:
    """Return the MIL program of ``function`` on inputs like ``arrays``, named a, b, .."""
    specs = [mb.TensorSpec(shape=a.shape, dtype=_TYPES[a.dtype.name]) for a in arrays]
    names = "abcdef"[: len(arrays)]
    source = f"def named({', '.join(names)}): return function({', '.join(names)})"
    scope: dict[str, Any] = {"function": function}
    exec(source, scope)  # noqa: S102 - the builder takes the inputs' names from the signature
    decorate = mb.program(input_specs=specs, opset_version=target or ct.target.iOS17)
    return decorate(scope["named"])


def save(program: Any, path: Path, target: Any = None, **options: Any) -> Path:
    """Convert ``program``, untouched by any pass, and save it at ``path``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ct.convert(
            program,
            convert_to="mlprogram",
            pass_pipeline=ct.PassPipeline.EMPTY,
            compute_precision=ct.precision.FLOAT32,
            minimum_deployment_target=target or ct.target.iOS17,
            **options,
        )
        model.save(str(path))
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Return a function from a builder's function and example inputs to a saved package."""

    def make(
        function: Callable[..., Any], arrays: list[np.ndarray], target: Any = None, **options: Any
    ) -> Path:
        return save(build(function, arrays, target), tmp_path / "m.mlpackage", target, **options)

    return make


@pytest.fixture
def evaluate(saved: Callable[..., Path]) -> Callable[..., list[Any]]:
    """Return a function that saves a program, evaluates the file and lists the outputs."""

    def run(function: Callable[..., Any], arrays: list[np.ndarray], target: Any = None) -> list:
        program = load_program(saved(function, arrays, target))
        values = program.predict(dict(zip("abcdef", arrays, strict=False)))
        return [values[output.name] for output in program.outputs]

    return run


def inferred(function: Callable[..., Any], arrays: list[np.ndarray]) -> list[np.ndarray] | None:
    """Return what coremltools itself computes for constant inputs, None if it does not."""
    found: list[Any] = []

    def fold(a: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = function(*(mb.const(val=array) for array in arrays))
        results = results if isinstance(results, (list, tuple)) else [results]
        found.extend(result.val for result in results)
        return a

    build(fold, [np.zeros(1, np.float32)])
    return None if any(value is None for value in found) else found


@pytest.fixture
def assert_agrees(evaluate: Callable[..., list[Any]]) -> Callable[..., None]:
    """Return a function that compares an operator with torch, and with coremltools if it can.

    It takes the builder's function, the inputs, and a function from the inputs as tensors to
    what is expected.
    """
    import torch

    def run(
        function: Callable[..., Any],
        arrays: list[np.ndarray],
        expected: Callable[..., Any],
        *,
        target: Any = None,
        folds: bool = True,
        rtol: float = 1e-5,
    ) -> None:
        wanted = expected(*map(torch.from_numpy, arrays))
        wanted = wanted if isinstance(wanted, (list, tuple)) else [wanted]
        results = evaluate(function, arrays, target)
        other = inferred(function, arrays) if folds else None
        for index, (result, value) in enumerate(zip(results, wanted, strict=True)):
            value = np.asarray(value)
            assert result.shape == value.shape
            np.testing.assert_allclose(result, value, rtol, 1e-6)
            if other is not None:
                np.testing.assert_allclose(result, other[index], rtol, 1e-6)

    return run
