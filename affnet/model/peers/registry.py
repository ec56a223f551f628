"""The peers: their configurations as published, and what their authors report of them.

Accuracy is that of ImageNet-1K at the peer's own image size, without distillation from a teacher
unless a comment says so.  `difference` says why counted parameters are not the published ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from affnet.model.published import Published
from affnet.model.sizes import SizeRule

PEER_CLASSES = 1000  # ImageNet-1K, as published


@dataclass(frozen=True)
class Peer:
    """A peer: the family's classes in transformers, and the config that they are built from."""

    name: str
    family: str  # what transformers' class names begin with
    published: Published
    config: dict[str, Any] = field(default_factory=dict)  # what differs from the family's defaults
    size: tuple[int, int] = (224, 224)  # height and width of the published accuracy
    rule: SizeRule = field(default_factory=SizeRule)
    head: str = "ForImageClassification"  # what the model's class name ends with
    output: str = "logits"  # which field of its record holds them
    zero_at_start: tuple[str, ...] = ()  # ends of names of parameters that training starts at zero
    gain: float = 1.0  # of random normalisations, where hard-swish and gates halve small signals
    difference: str = ""  # of the published parameters from those of transformers' network

    @property
    def config_class(self) -> str:
        """Name of the configuration's class."""
        return f"{self.family}Config"

    @property
    def model_class(self) -> str:
        """Name of the network's class."""
        return f"{self.family}{self.head}"


def _mobilevits() -> Iterable[Peer]:
    source = "arXiv 2110.02178, ImageNet-1K, 256 px; counts quoted by arXiv 2307.14008"
    for name, hidden, neck, expansion, numbers in (
        ("xxs", [64, 80, 96], [16, 16, 24, 48, 64, 80, 320], 2.0, (69.0, 1.3, 0.4)),
        ("xs", [96, 120, 144], [16, 32, 48, 64, 80, 96, 384], 4.0, (74.8, 2.3, 1.0)),
        ("s", [144, 192, 240], [16, 32, 64, 96, 128, 160, 640], 4.0, (78.4, 5.6, 2.0)),
    ):
        yield Peer(
            f"mobilevit_{name}",
            "MobileViT",
            Published(*numbers, source),
            {"hidden_sizes": hidden, "neck_hidden_sizes": neck, "expand_ratio": expansion},
            (256, 256),
        )


def _mobilevitv2s() -> Iterable[Peer]:
    source = "arXiv 2206.02680, ImageNet-1K, 256 px"
    for width, numbers in (
        (0.5, (70.2, 1.4, 0.5)),
        (0.75, (75.6, 2.9, 1.0)),
        (1.0, (78.1, 4.9, 1.8)),
    ):
        yield Peer(
            f"mobilevitv2_{round(100 * width):03}",
            "MobileViTV2",
            Published(*numbers, source),
            {"width_multiplier": width},
            (256, 256),
            SizeRule(multiple=64, least=64),  # the last map is cut into patches of 2 x 2
        )


def _levits() -> Iterable[Peer]:
    """LeViT was trained with a teacher; its logits are the mean of two heads."""
    for name, depths, heads, numbers in (
        ("128s", [2, 3, 4], [4, 6, 8], (76.6, 7.8, 0.305)),
        ("128", [4, 4, 4], [4, 8, 12], (78.6, 9.2, 0.406)),
    ):
        yield Peer(
            f"levit_{name}",
            "Levit",
            Published(*numbers, "arXiv 2104.01136, ImageNet-1K, 224 px, distilled"),
            {"depths": depths, "num_attention_heads": heads},
            rule=SizeRule(only=(224, 224)),
            head="ForImageClassificationWithTeacher",
            zero_at_start=("projection.batch_norm.weight", "linear_down.batch_norm.weight"),
        )


def _swiftformers() -> Iterable[Peer]:
    for name, depths, widths, numbers in (
        ("xs", [3, 3, 6, 4], [48, 56, 112, 220], (75.7, 3.5, 0.6)),
        ("s", [3, 3, 9, 6], [48, 64, 168, 224], (78.5, 6.1, 1.0)),
    ):
        yield Peer(
            f"swiftformer_{name}",
            "SwiftFormer",
            Published(*numbers, "arXiv 2303.15446, ImageNet-1K, 224 px, distilled"),
            {"depths": depths, "embed_dims": widths},
        )


def _convnexts() -> Iterable[Peer]:
    source = "arXiv 2301.00808, ImageNet-1K, 224 px, pre-trained without labels"
    for name, widths, numbers in (
        ("atto", [40, 80, 160, 320], (76.7, 3.7, 0.55)),
        ("femto", [48, 96, 192, 384], (78.5, 5.2, 0.78)),
    ):
        yield Peer(
            f"convnextv2_{name}",
            "ConvNextV2",
            Published(*numbers, source),
            {"depths": [2, 2, 6, 2], "hidden_sizes": widths},
        )


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        *_mobilevits(),
        *_mobilevitv2s(),
        Peer(
            "mobilenet_v1",
            "MobileNetV1",
            Published(70.6, 4.2, 0.569, "arXiv 1704.04861, ImageNet-1K, 224 px"),
        ),
        Peer(
            "mobilenet_v2",
            "MobileNetV2",
            Published(72.0, 3.4, 0.3, "arXiv 1801.04381, ImageNet-1K, 224 px"),
            difference="3.47 M are weights of convolutions and of the classifier.",
        ),
        Peer(
            "efficientnet_b0",
            "EfficientNet",
            Published(77.1, 5.3, 0.39, "arXiv 1905.11946, ImageNet-1K, 224 px"),
            {
                "width_coefficient": 1.0,
                "depth_coefficient": 1.0,
                "hidden_dim": 1280,
                "image_size": 224,
            },
        ),
        Peer(
            "regnet_y_400mf",
            "RegNet",
            Published(74.1, 4.3, 0.4, "arXiv 2003.13678, ImageNet-1K, 224 px"),
            {"depths": [1, 3, 6, 6], "hidden_sizes": [48, 104, 208, 440], "groups_width": 8},
        ),
        Peer(
            "resnet_18",
            "ResNet",
            Published(69.8, 11.7, 1.81, "torchvision's table of weights, ImageNet-1K, 224 px"),
            {
                "depths": [2, 2, 2, 2],
                "hidden_sizes": [64, 128, 256, 512],
                "layer_type": "basic",
                "embedding_size": 64,
            },
        ),
        Peer(
            "pp_lcnet_100",
            "PPLCNet",
            Published(71.3, 3.0, 0.161, "arXiv 2109.15099, ImageNet-1K, 224 px"),
            output="last_hidden_state",
            gain=1.2,
        ),
        *_convnexts(),
        Peer(
            "deit_tiny",
            "ViT",
            Published(
                72.2,
                5.7,
                1.3,
                "arXiv 2012.12877, ImageNet-1K, 224 px; counts quoted by arXiv 2102.12122",
            ),
            {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768},
            rule=SizeRule(only=(224, 224)),
        ),
        Peer(
            "pvt_v2_b0",
            "PvtV2",
            Published(70.5, 3.4, 0.6, "arXiv 2106.13797, ImageNet-1K, 224 px"),
            difference="The published count leaves the classifier out, 0.26 M.",
        ),
        Peer(
            "poolformer_s12",
            "PoolFormer",
            Published(77.2, 11.9, 1.8, "arXiv 2111.11418, ImageNet-1K, 224 px"),
        ),
        *_levits(),
        *_swiftformers(),
    )
}
