"""Which image sizes networks take."""

from __future__ import annotations

import pytest

from affnet.errors import ImageSizeError
from affnet.model.sizes import SizeRule
from tests.conftest import complaint


@pytest.mark.parametrize("size", [(32, 32), (256, 256), (224, 224), (192, 320), (64, 1024)])
def test_multiples_of_the_stride_are_image_sizes(size: tuple[int, int]) -> None:
    assert complaint(SizeRule().check, "affnet", *size) is None


@pytest.mark.parametrize("size", [(0, 256), (256, 0), (-32, 256), (31, 32), (256, 250), (100, 256)])
def test_other_image_sizes_are_refused_with_the_rule(size: tuple[int, int]) -> None:
    with pytest.raises(ImageSizeError) as error:
        SizeRule().check("affnet_t", *size)
    assert str(error.value) == (
        f"affnet_t cannot take {size[0]}x{size[1]} images: each side must be a multiple of 32, "
        "the smallest is 32x32."
    )


def test_position_embeddings_bind_a_network_to_one_size() -> None:
    rule = SizeRule(only=(224, 192))
    rule.check("vit", 224, 192)
    with pytest.raises(ImageSizeError, match="its position embeddings are bound to 224x192"):
        rule.check("vit", 192, 224)
