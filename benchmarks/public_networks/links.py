"""Radio links, recommenders, knowledge graphs, adapters, state spaces and time series."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from benchmarks.public_networks.registry import Built, Calling, network

SIONNA = "sionna 2.2.0"
PEFT = "peft 0.21.2"
COMPLEX = "complextorch 2.1.1"
DIMENSIONS = "torch-dimensions 0.3.1"
TSB = "tsb-ad 1.5"


@network("OFDM, modulated and demodulated", SIONNA)
def ofdm() -> Built:
    from sionna.phy.ofdm import OFDMDemodulator, OFDMModulator

    send, receive = OFDMModulator(4, device="cpu"), OFDMDemodulator(16, -2, 4, device="cpu")

    def link(x: Tensor) -> Tensor:
        return receive(torch.tanh(send(x).real) + 0j)

    return Calling(link, send, receive), torch.randn(1, 1, 3, 16, dtype=torch.complex64)


@network("pulses shaped by a root-raised cosine", SIONNA)
def pulses() -> Built:
    from sionna.phy.signal import RootRaisedCosineFilter, Upsampling

    up, shape = Upsampling(4), RootRaisedCosineFilter(6, 4, 0.22, device="cpu")
    spectra = Calling(lambda x: torch.fft.fft(shape(up(x))), up, shape)
    return spectra, torch.randn(1, 32, dtype=torch.complex64)


@network("FEARec's attention, in frequency and time", "recbole 1.2.1")
def recommender_attention() -> Built:
    from recbole.model.sequential_recommender.fearec import HybridAttention

    config = {
        "topk_factor": 1,
        "global_ratio": 0.6,
        "n_layers": 2,
        "MAX_ITEM_LIST_LENGTH": 20,
        "dual_domain": True,
        "std": True,
        "spatial_ratio": 0.1,
        "use_filter": False,
    }
    layer = HybridAttention(2, 16, 0.1, 0.1, 1e-12, 0, config)
    return layer, (torch.randn(1, 20, 16), torch.zeros(1, 1, 20, 20))


@network("scores of holographic embeddings", "pykeen 1.11.1")
def holographic_scores() -> Built:
    from pykeen.nn.modules import HolEInteraction

    return HolEInteraction(), (torch.randn(5, 16), torch.randn(5, 16), torch.randn(5, 16))


def _adapted(name: str, **options: object) -> Built:
    import peft

    network = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
    config = getattr(peft, name)(target_modules=["0", "2"], **options)
    model = peft.get_peft_model(network, config)
    return model.base_model.model, torch.randn(3, 16)


@network("adapters of sparse spectra, FourierFT", PEFT)
def sparse_adapters() -> Built:
    return _adapted("FourierFTConfig", n_frequency=20, init_weights=False)


@network("adapters of circular convolutions, C3A", PEFT)
def circular_adapters() -> Built:
    return _adapted("C3AConfig", block_size=8, init_weights="gaussian")


@network("pooling of spectra", COMPLEX)
def spectral_pooling() -> Built:
    import complextorch.nn as cn

    layers = cn.Conv2d(2, 4, 3, padding=1), cn.SpectralPool2d((8, 8))
    return Calling(lambda x: layers[1](layers[0](x)).abs(), *layers), torch.randn(
        1, 2, 16, 16, dtype=torch.complex64
    )


@network("diagonal state space of complex signals", COMPLEX)
def complex_state_space() -> Built:
    import complextorch.nn as cn

    layer = cn.S4D(4, state_size=8)
    return Calling(lambda x: layer(x).abs(), layer), torch.randn(1, 50, 4, dtype=torch.complex64)


@network("DSS", COMPLEX)
def softmax_state_space() -> Built:
    import complextorch.nn as cn

    layer = cn.DSS(4, state_size=8)
    return Calling(lambda x: layer(x).abs(), layer), torch.randn(1, 50, 4, dtype=torch.complex64)


@network("learned STFT and back", COMPLEX)
def learned_transform() -> Built:
    from complextorch.nn.modules.frontend import STFT, InverseSTFT

    there, back = STFT(64, 16), InverseSTFT(64, 16)
    return Calling(lambda x: back(there(x)), there, back), torch.randn(1, 512)


@network("S4, low rank", DIMENSIONS)
def low_rank_state_space() -> Built:
    from torch_dimensions import S4

    return S4(8, n_layers=2, d_state=8), torch.randn(1, 40, 8)


@network("S4D of several axes", DIMENSIONS)
def state_space_of_axes() -> Built:
    from torch_dimensions import S4D

    return S4D(8, n_layers=1, d_state=8), torch.randn(1, 40, 8)


@network("TimesNet, of anomalies", TSB)
def anomaly_timesnet() -> Built:
    from TSB_AD.models.TimesNet import Model

    model = Model(seq_len=24, pred_len=0, enc_in=2, c_out=2, d_model=8)
    return model, torch.randn(1, 24, 2)


@network("FITS, of anomalies", TSB)
def anomaly_fits() -> Built:
    from TSB_AD.models.FITS import Model

    return Model(24, 0, 0, 2, 8), torch.randn(1, 24, 2)


@network("ETSformer's frequency attention", "salesforce-merlion 2.0.4")
def seasonal_attention() -> Built:
    from merlion.models.utils.nn_modules.enc_dec_etsformer import FourierLayer

    return FourierLayer(8, 6, k=2), torch.randn(1, 24, 8)


@network("spectral transforms of limited-area weather", "anemoi-models 0.19.0")
def area_spectra() -> Built:
    from anemoi.models.layers.spectral_transforms import FFT2D

    layer = FFT2D(x_dim=12, y_dim=8)
    return Calling(lambda x: layer(x).abs(), layer), torch.randn(1, 2, 96, 3)


@network("ZipEnhancer's transform", "zipenhancer 0.3.2")
def compressed_spectra() -> Built:
    from zipenhancer.models.zipenhancer import mag_pha_istft, mag_pha_stft

    def there(x: Tensor) -> Tensor:
        magnitude, phase, _ = mag_pha_stft(x, 64, 16, 64, compress_factor=0.3)
        return mag_pha_istft(magnitude, phase, 64, 16, 64, compress_factor=0.3)

    return Calling(there), torch.randn(1, 512)


@network("MDX's separation", "audio-separator 0.47.1")
def separator() -> Built:
    from audio_separator.separator.uvr_lib_v5.tfc_tdf_v3 import TFC_TDF_net

    config = SimpleNamespace(
        audio=SimpleNamespace(n_fft=128, hop_length=32, dim_f=64, num_channels=2),
        model=SimpleNamespace(
            norm="InstanceNorm",
            act="gelu",
            num_subbands=2,
            num_scales=2,
            scale=[2, 2],
            num_blocks_per_scale=1,
            num_channels=8,
            growth=4,
            bottleneck_factor=2,
        ),
        training=SimpleNamespace(target_instrument="vocals", instruments=["vocals"]),
    )
    return TFC_TDF_net(config, torch.device("cpu")), torch.randn(1, 2, 1120)


@network("phase-amplitude coupling by Hilbert's transform", "scitex-nn 0.1.16")
def hilbert_phases() -> Built:
    from scitex_nn import Hilbert

    return Hilbert(256), torch.randn(1, 2, 256)
