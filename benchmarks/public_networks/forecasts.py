"""Forecasts of series: networks of forecasting packages that look at spectra."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.public_networks.registry import Built, Calling, network

PYPOTS = "pypots 1.5"
NEURALFORECAST = "neuralforecast 3.3.0"


@network("FiLM", PYPOTS)
def film() -> Built:
    from pypots.nn.modules.film import BackboneFiLM

    return BackboneFiLM(24, 3, 12, [16], [1, 2], 8, 0.5, 0), torch.randn(1, 24, 3)


@network("FreTS, both axes", PYPOTS)
def frets() -> Built:
    from pypots.nn.modules.frets import BackboneFreTS

    return BackboneFreTS(24, 5, 8, 12, 16, channel_independence="0"), torch.randn(1, 24, 5)


@network("Koopa", PYPOTS)
def koopa() -> Built:
    from pypots.nn.modules.koopa import BackboneKoopa

    model = BackboneKoopa(24, 3, 12, 6, 16, 16, 1, 2, multistep=False)
    model.mask_spectrum = model.disentanglement.mask_spectrum = torch.tensor([0, 3, 5])
    return model, torch.randn(1, 24, 3)


@network("MixLinear, complex linear layers", PYPOTS)
def mix_linear() -> Built:
    from pypots.nn.modules.mixlinear import BackboneMixLinear

    return BackboneMixLinear(48, 3, 24, 6, 4, 0.5), torch.randn(1, 48, 3)


@network("StemGNN", PYPOTS)
def stem_gnn() -> Built:
    from pypots.nn.modules.stemgnn import BackboneStemGNN

    return BackboneStemGNN(5, 2, 12, 2, horizon=6), torch.randn(1, 12, 5)


@network("TSLANet's layer", PYPOTS)
def adaptive_layer() -> Built:
    from pypots.nn.modules.tslanet.layers import TSLANet_layer

    return TSLANet_layer(dim=16), torch.randn(1, 12, 16)


@network("decomposition by spectra, TimeMixer", PYPOTS)
def time_mixer() -> Built:
    from pypots.nn.modules.timemixer.layers import DFT_series_decomp

    return Calling(DFT_series_decomp(top_k=2)), torch.randn(2, 24, 8)


@network("encoder of Autoformer", PYPOTS)
def autoformer_encoder() -> Built:
    from pypots.nn.modules.autoformer import AutoformerEncoder

    return AutoformerEncoder(2, 16, 2, 32, 3, 5, 0.0), torch.randn(1, 24, 16)


@network("Fourier layer of ETSformer", "ETSformer-pytorch 0.1.1")
def exponential_smoothing() -> Built:
    from etsformer_pytorch import ETSFormer

    model = ETSFormer(time_features=3, model_dim=16, layers=1, heads=2, K=2, dropout=0.0)
    return Calling(lambda x: model(x, num_steps_forecast=8), model), torch.randn(1, 24, 3)


@network("iTransformer with tokens of spectra", "iTransformer 0.8.1")
def inverted_transformer() -> Built:
    from iTransformer import iTransformerFFT

    model = iTransformerFFT(
        num_variates=4,
        lookback_len=24,
        depth=1,
        dim=16,
        pred_length=(6, 12),
        dim_head=8,
        heads=2,
        use_reversible_instance_norm=True,
        flash_attn=False,
    )
    return model, torch.randn(1, 24, 4)


def _forecaster(kind: str, **options: int) -> Built:
    from neuralforecast import models

    model = getattr(models, kind)(h=6, input_size=24, max_steps=1, **options)

    def forecast(x: Tensor) -> Tensor:
        return model({"insample_y": x, "insample_mask": None, "futr_exog": None})

    return Calling(forecast, model), torch.randn(1, 24, 1)


@network("Autoformer", NEURALFORECAST)
def forecasting_autoformer() -> Built:
    return _forecaster("Autoformer", hidden_size=16, n_head=2, conv_hidden_size=16)


@network("FEDformer", NEURALFORECAST)
def forecasting_fedformer() -> Built:
    return _forecaster("FEDformer", hidden_size=16, n_head=8, modes=8, conv_hidden_size=16)


@network("TimesNet", NEURALFORECAST)
def forecasting_timesnet() -> Built:
    return _forecaster("TimesNet", hidden_size=8, conv_hidden_size=8, top_k=2)
