"""Numbers that fall in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from affnet.export.converters.tflite.scattering import with_loadable_scattering
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.export.operators.test_rules import in_file

pytestmark = [*THIRD_PARTY_WARNINGS, pytest.mark.converters]

PLACES = torch.tensor([[[2, 0, 2, 1], [3, 3, 3, 0], [0, 1, 2, 3]]] * 2)  # 2 x 3 x 4


def onto(kind: str) -> Callable[[Tensor], Tensor]:
    """Return what joins a 2 x 3 x 4 tensor into halves, by the name of torch's reduction."""
    return lambda x: torch.full((2, 3, 4), 0.5).scatter_reduce(2, PLACES, x, kind)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    **{kind: onto(kind) for kind in ("sum", "prod", "amax", "amin", "mean")},
    "columns": lambda x: torch.ones(2, 5, 4).index_add(1, torch.tensor([4, 0, 4]), x, alpha=2),
    "pairs": lambda x: torch.zeros(3, 4).index_put(
        (torch.tensor([0, 2, 2]), torch.tensor([1, 3, 3])), x[0, :, 0], accumulate=True
    ),
    "part": lambda x: torch.zeros(2, 5, 6).scatter_add(1, PLACES[:, :2, :3], x),
    "by values": lambda x: torch.zeros(2, 3, 4).scatter_add(2, x.argsort(-1), x),
    "large": lambda x: torch.zeros(24, 2000).scatter_add(
        1, (torch.arange(2000) // 3).expand(24, 2000), x.reshape(24, 1) * torch.ones(2000)
    ),
}


def whole(x: Tensor) -> Tensor:
    return (x * 5).round().long()


WHOLE: dict[str, Callable[[Tensor], Tensor]] = {
    "added": lambda x: torch.ones(2, 3, 4).long().scatter_add(2, PLACES, whole(x)),
    "largest": lambda x: torch.zeros(2, 3, 4).long().scatter_reduce(2, PLACES, whole(x), "amax"),
    "columns": lambda x: torch.ones(2, 5, 4).long().index_add(1, PLACES[0, :, 0], whole(x)),
    "pairs": lambda x: (
        torch.zeros(4, 4)
        .long()
        .index_put((PLACES[0, :, 0], PLACES[0, :, 1]), whole(x)[0, :, 0], accumulate=True)
    ),
    "written": lambda x: whole(x).scatter(2, x.argsort(-1)[..., :2], whole(x)),
    "a number": lambda x: whole(x).scatter(2, PLACES, 7),
    "copied": lambda x: torch.zeros(2, 5, 4).long().index_copy(1, torch.arange(3), whole(x)),
    "filled": lambda x: whole(x).index_fill(1, torch.tensor([1]), 3),
    "put": lambda x: whole(x)[0].index_put((torch.arange(3), torch.arange(3)), whole(x)[0, :, 0]),
    "a slice": lambda x: whole(x).slice_scatter(whole(x)[..., :2] * 2, -1, 1, 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_files_hold_it_of_whole_numbers(name: str, tmp_path: Path) -> None:
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    found = in_file(lambda x: WHOLE[name](x) * 1.0, x, "tflite", tmp_path)
    assert torch.equal(found, WHOLE[name](x) * 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_files_hold_it(name: str, tmp_path: Path) -> None:
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    found = in_file(FUNCTIONS[name], x, "tflite", tmp_path)
    torch.testing.assert_close(found, FUNCTIONS[name](x), rtol=1e-5, atol=1e-5)


def test_a_file_without_it_is_left_as_it_is(tmp_path: Path) -> None:
    in_file(torch.relu, torch.ones(1, 2), "tflite", tmp_path)
    (path,) = tmp_path.glob("*.tflite")
    content = path.read_bytes()
    assert with_loadable_scattering(content) is content
