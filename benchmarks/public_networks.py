r"""Export networks of public packages, as their users build them, to each format.

    pip install neuraloperator==2.0.0 torch-harmonics==0.9.3 fft-conv-pytorch==1.2.0 \
        torchlibrosa==0.1.0 nnAudio==0.3.4 vocos==0.1.0 demucs==4.1.0
    python -m benchmarks.public_networks --formats onnx,tflite,coreml,executorch

    python -m benchmarks.public_networks --zoo --formats onnx,tflite,coreml

``--zoo`` takes six of them, whose packages the extra `zoo` has.  Prints a row for each network and
format: the largest error of the proof, of the largest output; what the file has beyond the
network's weights; its time over eager PyTorch's, the median of CPU time in turns, on one thread,
which Core ML has on Apple's systems alone; and how the network was captured.  Where a package
is not installed, or the format cannot hold the network, the row has the message.  Vocos and Demucs
import torchaudio, whose release must be the one for torch's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from affnet.artifact import Artifact
from affnet.errors import AffnetError
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.export.verification.subject import Subject
from affnet.layouts import as_input
from affnet.model.source import load_source

Built = tuple[nn.Module, Any]


def build_fno() -> Built:
    from neuralop.models import FNO

    network = FNO(n_modes=(16, 16), in_channels=3, out_channels=1, hidden_channels=32)
    return network, torch.randn(1, 3, 64, 64)


def build_codano() -> Built:
    """Its norms keep no statistics, and torch.export stops at it."""
    from neuralop.models import CODANO

    network = CODANO(
        output_variable_codimension=1,
        hidden_variable_codimension=2,
        lifting_channels=4,
        use_positional_encoding=False,
        n_layers=2,
        n_heads=[1, 1],
        n_modes=[[8, 8], [8, 8]],
        attention_scaling_factors=[1, 1],
        per_layer_scaling_factors=[[1, 1], [1, 1]],
        enable_cls_token=False,
        static_channel_dim=0,
        variable_ids=["a"],
    )
    return network, torch.randn(1, 1, 32, 32)


def build_sfno() -> Built:
    from torch_harmonics.examples.models import SphericalFourierNeuralOperator

    network = SphericalFourierNeuralOperator(
        img_size=(32, 64), num_layers=2, scale_factor=2, in_chans=3, out_chans=3, embed_dim=16
    )
    return network, torch.randn(1, 3, 32, 64)


def build_convolution() -> Built:
    from fft_conv_pytorch import FFTConv1d

    return FFTConv1d(3, 2, 1025, bias=True), torch.randn(1, 3, 4096)


def build_fnet() -> Built:
    from transformers import FNetConfig, FNetModel

    config = FNetConfig(hidden_size=96, num_hidden_layers=2, intermediate_size=128, vocab_size=200)
    return FNetModel(config), torch.randint(0, 200, (1, 64))


def build_log_mel() -> Built:
    from torchlibrosa.stft import LogmelFilterBank, Spectrogram

    network = nn.Sequential(
        Spectrogram(n_fft=512, hop_length=160), LogmelFilterBank(sr=16000, n_fft=512, n_mels=40)
    )
    return network, torch.randn(1, 8000)


def build_constant_q() -> Built:
    """Short octaves are padded with zeros, as reflection is refused there."""
    from nnAudio.features import VQT

    return VQT(sr=16000, n_bins=36, verbose=False), torch.randn(1, 16000)


def build_vocos() -> Built:
    from vocos.heads import ISTFTHead

    head = ISTFTHead(dim=64, n_fft=1024, hop_length=256, padding="same")
    return head, torch.randn(1, 20, 64)


def build_demucs() -> Built:
    from demucs.hdemucs import HDemucs

    network = HDemucs(["a", "b"], channels=8, depth=4, nfft=1024, hybrid=True, dconv_mode=0)
    return network, torch.randn(1, 2, 16384)


class FourierUnit(nn.Module):
    """A 1 x 1 convolution of spectra, real and imaginary parts as channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.mixed = nn.Sequential(
            nn.Conv2d(wide, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the size of ``x``."""
        batch, channels, height, width = x.shape
        z = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
        parts = torch.stack((z.real, z.imag), dim=2).flatten(1, 2)
        parts = self.mixed(parts).reshape(batch, channels, 2, *z.shape[2:])
        z = torch.complex(parts[:, :, 0], parts[:, :, 1])
        return torch.fft.irfftn(z, s=(height, width), dim=(-2, -1), norm="ortho")


class SpectralTransform(nn.Module):
    """The global branch of a fast Fourier convolution: of the map, and of its four quarters."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.before = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU()
        )
        self.whole, self.quarters = FourierUnit(inner), FourierUnit(inner)
        self.after = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the size of ``x``."""
        x = self.before(x)
        channels, height, width = x.shape[1:]
        rows = torch.cat(x[:, : channels // 4].split(height // 2, dim=-2), 1)
        quarters = self.quarters(torch.cat(rows.split(width // 2, dim=-1), 1)).repeat(1, 1, 2, 2)
        return self.after(x + self.whole(x) + quarters)


def build_ffc() -> Built:
    """Fast Fourier convolution (Chi, Jiang, Mu 2020) as LaMa has it; no package holds it alone."""
    return SpectralTransform(32), torch.randn(1, 32, 32, 32)


NETWORKS: dict[str, tuple[str, Callable[[], Built]]] = {
    "FNO, 64 x 64": ("neuraloperator 2.0.0", build_fno),
    "CODANO, 32 x 32": ("neuraloperator 2.0.0", build_codano),
    "SFNO, 32 x 64": ("torch-harmonics 0.9.3", build_sfno),
    "convolution by FFT, 1,025 taps": ("fft-conv-pytorch 1.2.0", build_convolution),
    "FNet, 64 tokens": ("transformers", build_fnet),
    "log-mel of 512": ("torchlibrosa 0.1.0", build_log_mel),
    "VQT": ("nnAudio 0.3.4", build_constant_q),
    "Vocos' head, same padding": ("vocos 0.1.0", build_vocos),
    "HDemucs": ("demucs 4.1.0", build_demucs),
    "LaMa's FFC, 32 x 32": ("after its paper", build_ffc),
}


#: An FNO, Vocos, a convolution by FFT, LaMa's FFC, FNet and a log-mel front end.
ZOO = (
    "FNO, 64 x 64",
    "Vocos' head, same padding",
    "convolution by FFT, 1,025 taps",
    "LaMa's FFC, 32 x 32",
    "FNet, 64 tokens",
    "log-mel of 512",
)


def stored_bytes(network: nn.Module) -> int:
    """Return what the network's parameters and buffers take."""
    tensors: list[Tensor] = [*network.parameters(), *network.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def over_eager(artifact: Artifact, built: Built, turns: int = 15) -> str:
    """Return the file's time over eager PyTorch's, nothing for a format without a runtime here."""
    if artifact.manifest.format == "coreml":
        return ""
    network, x = built[0].eval(), built[1]
    subject = Subject.of(artifact)
    session, feed = subject.load(), as_input(x.numpy(), subject.input)
    calls = (lambda: network(x)), (lambda: session.run(feed))
    ratios = []
    with torch.inference_mode():
        for _ in range(turns + 2):
            began = [time.process_time()]
            for call in calls:
                call()
                began.append(time.process_time())
            ratios.append((began[2] - began[1]) / max(began[1] - began[0], 1e-9))
    return f"{statistics.median(ratios[2:]):.2f}"


def row(name: str, format_: str) -> str:
    package, build = NETWORKS[name]
    with tempfile.TemporaryDirectory() as folder:
        try:
            source = load_source(f"benchmarks.public_networks:{build.__name__}")
            artifact = export_artifact(source, ExportOptions(format_, precision="fp32"), folder)
        except AffnetError as error:
            return f"| {name} | {package} | {format_} | refused: {error} | | | |"
        ratio = over_eager(artifact, build())
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) - stored_bytes(build()[0])
    parity = artifact.manifest.parity
    assert parity is not None
    captured = artifact.manifest.details.get("capture", {}).get("by", "torch.export")
    cells = [name, package, format_, f"{parity.max_rel_error:.1e}", f"{size / 1e6:.2f}"]
    return f"| {' | '.join([*cells, ratio, captured])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formats", default="onnx")
    parser.add_argument("--only", action="append", choices=NETWORKS)
    parser.add_argument("--zoo", action="store_true", help="the six of docs/any-network.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    heads = ("largest error", "MB beyond the weights", "file / eager")
    print(f"| network | package | format | {' | '.join(heads)} | captured by |")
    print("| --- | --- | --- | ---: | ---: | ---: | --- |")
    for name in arguments.only or (ZOO if arguments.zoo else NETWORKS):
        for format_ in arguments.formats.split(","):
            print(row(name, format_), flush=True)


if __name__ == "__main__":
    main()
