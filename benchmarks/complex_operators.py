"""Which of PyTorch's operators on complex tensors the rewrite covers.

    python -m benchmarks.complex_operators docs/complex-operators.md    writes the page of docs
    python -m benchmarks.complex_operators --try                        tries all that torch tests

Tried is each operator that PyTorch's own tests know to take complex64 (`torch.testing`'s table): it
is exported on one of their samples, rewritten in real arithmetic and compared with eager PyTorch in
float32.  One line each is printed as it is done, which takes some minutes.
"""

from __future__ import annotations

import argparse
import re
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils import _pytree as pytree

from affnet.errors import ConversionError
from affnet.export.fourier.rewrite import rewrite_program
from affnet.export.fourier.rewrite.elimination import LARGEST_SYSTEM
from affnet.export.fourier.rewrite.formulas import FORMULAS
from affnet.export.fourier.rewrite.registry import COMPLEX_RULES
from affnet.silence import silenced

TOLERANCE = 1e-4  # of the largest output

#: What is no function of its inputs alone, or none that a network of fixed shapes can hold.
NO_CASE = re.compile(
    r"rand|normal|uniform|empty|dropout|jiterator|allclose|item|sparse|resize|nonzero|argwhere"
    r"|equal$|masked_select|chalf|half|bfloat16|lowrank|combinations|isreal"
)


@dataclass(frozen=True)
class Outcome:
    """Whether an operator is covered, else the reason."""

    name: str
    reason: str | None


class Operator(nn.Module):
    """An operator with the floating-point tensors of a sample as its inputs."""

    def __init__(self, operator: Any, leaves: list[Any], structure: Any) -> None:
        super().__init__()
        self.operator, self.leaves, self.structure = operator, leaves, structure

    def forward(self, *inputs: Tensor) -> Any:
        """Apply the operator; only its tensors count."""
        waiting = iter(inputs)
        leaves = [next(waiting) if is_data(leaf) else leaf for leaf in self.leaves]
        first, args, kwargs = pytree.tree_unflatten(leaves, self.structure)
        result = self.operator(first, *args, **kwargs)
        return tuple(leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, Tensor))


def is_data(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and (leaf.is_floating_point() or leaf.is_complex())


def outcomes() -> Iterator[Outcome]:
    """Try every operator of PyTorch's table that takes complex64."""
    return (Outcome(name, reason_against(info)) for name, info in candidates())


def candidates() -> Iterator[tuple[str, Any]]:
    """Yield what is tried, by name."""
    from torch.testing._internal.common_methods_invocations import op_db

    for info in op_db:
        variant = info.variant_test_name
        name = f"{info.name}.{variant}" if variant else info.name
        if torch.complex64 in info.supported_dtypes("cpu") and not NO_CASE.search(name):
            yield name, info


def reason_against(info: Any) -> str | None:
    """Return why an operator is not covered, None if it is."""
    torch.manual_seed(0)
    try:
        sample = chosen(list(info.sample_inputs("cpu", torch.complex64, requires_grad=False)))
        leaves, structure = pytree.tree_flatten((sample.input, sample.args, sample.kwargs))
        module = Operator(info.op, leaves, structure).eval()
        inputs = tuple(leaf.detach() for leaf in leaves if is_data(leaf))
        with warnings.catch_warnings(), silenced(), torch.no_grad():
            warnings.simplefilter("ignore")
            expected = module(*inputs)
            program = torch.export.export(module, inputs)
            rewritten = rewrite_program(program).program
        actual = rewritten.module()(*map(as_real, inputs))
    except ConversionError as error:
        found = re.search(r"\((aten\.\w+|\w+)[.\w]*\)", str(error))
        reason = str(error).rpartition("cannot be rewritten in real arithmetic: ")[2]
        return f"`{found[1] if found else '?'}`: {reason.removesuffix('.')}"
    except Exception as error:  # torch.export raises nearly every kind
        return f"torch.export: {type(error).__name__}"
    error = max((off(a, as_real(e)) for a, e in zip(actual, expected, strict=True)), default=0.0)
    return None if error <= TOLERANCE else f"off by {error:.0e} of the largest output"


def chosen(samples: list[Any]) -> Any:
    """Return a sample of a matrix if there is one, else of anything that is not empty."""

    def rank(sample: Any) -> int:
        first = pytree.tree_leaves(sample.input)[0]
        if not isinstance(first, Tensor) or not first.numel():
            return 2
        return 0 if first.dim() >= 2 else 1

    return min(samples, key=rank)


def as_real(value: Tensor) -> Tensor:
    return torch.view_as_real(value.resolve_conj()) if value.is_complex() else value


def off(actual: Tensor, expected: Tensor) -> float:
    if actual.shape != expected.shape:
        return float("inf")
    actual, expected = actual.double(), expected.double()
    finite = expected.isfinite()
    if not torch.equal(finite, actual.isfinite()):
        return float("inf")
    if not finite.any():
        return 0.0
    scale = float(expected[finite].abs().max()) or 1.0
    return float((actual - expected)[finite].abs().max()) / scale


def page() -> str:
    """Return the page as Markdown: the operators that have a rule or a formula."""
    rules, formulas = _names(COMPLEX_RULES), _names(FORMULAS)
    return f"""# Complex operators

Generated by `python -m benchmarks.complex_operators docs/complex-operators.md`. A program is first
brought to functional form, in which nothing is written in place, and its composite operators
(`torch.stft`, `torch.fft.hfft`, `torch.fft.fftshift`, `torch.linalg.solve`, `torch.tensordot`, ..)
are taken apart as PyTorch takes them apart. Of what is left, these {len({*rules, *formulas})}
operators of ATen take complex tensors. Any other is refused by name, with the line of your code.

## With a rule in real arithmetic

{_listed(rules)}

## Written with those

{_listed(formulas)}

Inverse, solution, determinant and Cholesky factor are those of matrices of up to {LARGEST_SYSTEM}
rows: a larger one would take thousands of operators. Other decompositions (`eig`, `svd`, `qr`) have
no form of fixed steps here.
"""


def _names(table: Mapping[Any, Any]) -> list[str]:
    operators = {each for each in table if isinstance(each, OpOverload)}
    return sorted({each._schema.name.removeprefix("aten::") for each in operators})


def _listed(names: list[str]) -> str:
    text = ", ".join(f"`{name}`" for name in names) + "."
    return textwrap.fill(text, 120, break_on_hyphens=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path, nargs="?")
    parser.add_argument("--try", dest="tried", action="store_true")
    arguments = parser.parse_args()
    if arguments.page:
        arguments.page.write_text(page(), encoding="utf-8")
    for outcome in outcomes() if arguments.tried else ():
        print(outcome.name, outcome.reason or "covered", sep=": ", flush=True)


if __name__ == "__main__":
    main()
