"""RepLKNet's large-kernel depthwise convolution."""

from __future__ import annotations

from torch import Tensor, nn

from affnet.model.mixers.base import TokenMixer


class LargeKernelConvolution(TokenMixer):
    """A depthwise convolution with a kernel nearly as large as the map, and batch norm.

    Published for 224 px: kernels of 31, 29, 27 and 13 on maps of 56, 28, 14 and 7; here the kernel
    follows from the map's sides in the same way.  In training RepLKNet adds a parallel 5 x 5
    kernel, which is merged into the large one for inference: this is the merged form.
    """

    source = "RepLKNet, arXiv 2203.06717, section 4.1"
    complexity = "N k^2 C"
    is_global = False
    adapts = False
    _KERNELS = ((56, 31), (28, 29), (14, 27), (0, 13))  # from this side on

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False
        )
        self.norm = nn.BatchNorm2d(channels)

    @classmethod
    def create(
        cls, channels: int, size: tuple[int, int], activation: str
    ) -> LargeKernelConvolution:
        """See `TokenMixer.create`; it takes maps of any size."""
        return cls(channels, next(k for side, k in cls._KERNELS if min(size) >= side))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        y: Tensor = self.norm(self.conv(x))
        return y
