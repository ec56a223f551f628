"""Networks of braindecode that look at the spectra of brain signals and muscles."""

from __future__ import annotations

import torch

from benchmarks.public_networks.registry import Built, Calling, network

BRAINDECODE = "braindecode 1.8.1"


@network("BIOT", BRAINDECODE)
def biot() -> Built:
    from braindecode.models import BIOT

    model = BIOT(
        n_outputs=3, n_chans=4, n_times=200, sfreq=100, embed_dim=16, num_heads=2, num_layers=1
    )
    return model, torch.randn(1, 4, 200)


@network("ContraWR", BRAINDECODE)
def contrawr() -> Built:
    from braindecode.models import ContraWR

    model = ContraWR(n_outputs=3, n_chans=4, n_times=600, sfreq=100, emb_size=16)
    return model, torch.randn(1, 4, 600)


@network("CBraMod", BRAINDECODE)
def cbramod() -> Built:
    from braindecode.models import CBraMod

    model = CBraMod(n_outputs=3, n_chans=4, n_times=800, n_layer=1)
    return model, torch.randn(1, 4, 800)


@network("LUNA", BRAINDECODE)
def luna() -> Built:
    from braindecode.models import LUNA
    from mne import create_info

    names = ["Fz", "Cz", "Pz", "Oz"]
    info = create_info(names, 100, "eeg")
    info.set_montage("standard_1020")
    model = LUNA(n_outputs=3, chs_info=info["chs"], n_times=320, embed_dim=16, depth=1, num_heads=2)
    return model, torch.randn(1, 4, 320)


@network("CodeBrain", BRAINDECODE)
def codebrain() -> Built:
    from braindecode.models import CodeBrain

    model = CodeBrain(n_outputs=3, n_chans=4, n_times=800, sfreq=200)
    return model, torch.randn(1, 4, 800)


@network("SensingDynamics", BRAINDECODE)
def sensing_dynamics() -> Built:
    from braindecode.models import SensingDynamics

    return SensingDynamics(n_outputs=3, n_chans=16, n_times=400, sfreq=100), torch.randn(1, 16, 400)


@network("EMG2Qwerty", BRAINDECODE)
def keyboard() -> Built:
    from braindecode.models import EMG2QwertyNet

    return EMG2QwertyNet(n_outputs=5, n_chans=32, n_times=4000, sfreq=1000), torch.randn(
        1, 32, 4000
    )


@network("envelope by Hilbert's transform", BRAINDECODE)
def hilbert_envelope() -> Built:
    from braindecode.functional import hilbert_freq

    return Calling(lambda x: hilbert_freq(x).abs()), torch.randn(1, 4, 101)


@network("bank of filters", BRAINDECODE)
def filtered_bands() -> Built:
    from braindecode.modules import FilterBankLayer

    layer = FilterBankLayer(n_chans=4, sfreq=100, band_filters=[(4, 8), (8, 12)], verbose=False)
    return layer, torch.randn(1, 4, 500)


@network("generalized Gaussian filters", BRAINDECODE)
def gaussian_filters() -> Built:
    from braindecode.modules import GeneralizedGaussianFilter

    return GeneralizedGaussianFilter(4, 4, 200, sample_rate=100), torch.randn(1, 4, 200)
