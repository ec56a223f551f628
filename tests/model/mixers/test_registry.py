"""What all token mixers have in common."""

from __future__ import annotations

import pytest
import torch

from affnet.errors import ImageSizeError, UnknownNameError
from affnet.model.mixers import MIXERS, create_mixer, get_mixer, in_residual
from tests.tiny import noise


@pytest.mark.parametrize("size", [(8, 8), (7, 7), (16, 24)])
@pytest.mark.parametrize("name", MIXERS)
def test_maps_keep_their_shape_and_gradients_reach_every_parameter(
    name: str, size: tuple[int, int]
) -> None:
    mixer = create_mixer(name, 16, size)
    x = noise(2, 16, *size).requires_grad_()
    y = mixer(x)
    assert (y.shape, y.dtype) == (x.shape, torch.float32)
    gradients = torch.autograd.grad(y.square().sum(), [x, *mixer.parameters()])
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", MIXERS)
def test_each_pixel_reaches_all_others_where_a_mixer_says_that_it_is_global(name: str) -> None:
    """By what one pixel changes; MobileViT's mixes within its patches only beside a convolution."""
    torch.manual_seed(0)
    mixer = create_mixer(name, 16, (32, 32)).eval()
    with torch.no_grad():
        for parameter in mixer.parameters():  # soft shrinkage would zero small masks
            parameter.mul_(10 if name in ("aff", "afno") else 1)
        x = noise(1, 16, 32, 32)
        moved = x.clone()
        moved[..., 0, 0] += 3
        changed = (mixer(moved) - mixer(x)).abs().amax(dim=(0, 1)) > 0
    if name in ("mobilevit", "mobilevitv2"):
        changed = changed[::2, ::2]
    if name == "reformer":  # who attends to whom is for the hashes to say
        assert changed.sum() > 2 * 64
    else:
        assert bool(changed.all()) is get_mixer(name).is_global


def test_every_mixer_names_its_paper_and_what_it_costs() -> None:
    for name in MIXERS:
        kind = get_mixer(name)
        assert "arXiv " in kind.source
        assert kind.complexity.startswith("N")
        assert isinstance(kind.adapts, bool)


def test_a_residual_connection_is_added_where_there_is_none() -> None:
    x = noise(1, 8, 4, 4)
    pool, aff = create_mixer("pool", 8, (4, 4)), create_mixer("aff", 8, (4, 4))
    torch.testing.assert_close(in_residual(pool)(x), x + pool(x), rtol=0, atol=0)
    assert in_residual(aff) is aff


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown token mixer 'mamba'; valid: aff, gfnet"):
        create_mixer("mamba", 16, (8, 8))


@pytest.mark.parametrize(("channels", "size"), [(12, (8, 8)), (0, (8, 8)), (16, (0, 8))])
def test_maps_that_no_mixer_takes_are_refused(channels: int, size: tuple[int, int]) -> None:
    with pytest.raises(ImageSizeError, match="multiple of 8"):
        create_mixer("pool", channels, size)


@pytest.mark.parametrize("size", [(12, 16), (9, 9), (3, 5), (1, 1)])
@pytest.mark.parametrize("name", MIXERS)
def test_a_mixer_takes_maps_that_it_was_not_made_for(name: str, size: tuple[int, int]) -> None:
    with torch.no_grad():
        x = noise(1, 16, *size)
        assert create_mixer(name, 16, (32, 32)).eval()(x).shape == x.shape
