"""Effects of a studio, enhancement and separation, front ends and critics of audio networks."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.public_networks.registry import Built, Calling, network

FLAMO = "flamo 0.2.20"
GRAFX = "grafx 0.6.0"
IVA = "torchiva 0.1.1"
ESPNET = "espnet 202511"
AUDIOTOOLS = "descript-audiotools 0.7.2"


@network("feedback delay network by frequency sampling", FLAMO)
def delay_network() -> Built:
    from collections import OrderedDict

    from flamo.processor import dsp, system

    size, points = 4, 512
    options = {"nfft": points, "device": "cpu"}
    delays = dsp.parallelDelay((size,), max_len=60, isint=True, **options)
    delays.assign_value(delays.sample2s(torch.tensor([13, 19, 31, 43])))
    gains = dsp.parallelGain((size,), **options)
    gains.assign_value(torch.full((size,), 0.8))
    loop = system.Recursion(
        fF=system.Series(OrderedDict(delays=delays, gains=gains)),
        fB=dsp.Matrix((size, size), matrix_type="orthogonal", **options),
    )
    core = system.Series(dsp.Gain((size, 1), **options), loop, dsp.Gain((1, size), **options))
    return system.Shell(core, dsp.FFT(points), dsp.iFFT(points)), torch.randn(1, 512, 1)


@network("graphic equalizer by frequency sampling", FLAMO)
def equalizer() -> Built:
    from flamo.processor import dsp, system

    core = system.Series(dsp.parallelGEQ((2,), nfft=512, fs=16000, device="cpu"))
    return system.Shell(core, dsp.FFT(512), dsp.iFFT(512)), torch.randn(1, 512, 2)


@network("reverberation by shaped noise", GRAFX)
def shaped_noise() -> Built:
    from grafx.processors import STFTMaskedNoiseReverb

    layer = STFTMaskedNoiseReverb(ir_len=768, n_fft=64, hop_length=32, flashfftconv=False)
    shape = 1, 2, 33
    return layer, (torch.randn(1, 2, 1024), torch.randn(shape), torch.randn(shape) * 0.1)


@network("equalizer of zero phase", GRAFX)
def zero_phase() -> Built:
    from grafx.processors import ZeroPhaseFIREqualizer

    layer = ZeroPhaseFIREqualizer(num_magnitude_bins=64)
    return layer, (torch.randn(1, 2, 512), torch.randn(1, 1, 64) * 0.3)


@network("parametric equalizer", GRAFX)
def parametric_equalizer() -> Built:
    from grafx.processors import ParametricEqualizer

    layer = ParametricEqualizer(num_filters=4, backend="fsm", fsm_fir_len=512, flashfftconv=False)
    gains = [torch.randn(1, 1, 4) * scale for scale in (1.0, 0.3, 0.3)]
    return layer, (torch.randn(1, 1, 512), *gains)


@network("independent vector analysis, three steps", IVA)
def vector_analysis() -> Built:
    import torchiva

    there = torchiva.STFT(n_fft=128, hop_length=64)
    separate = torchiva.T_ISS(n_iter=3, model=torchiva.LaplaceModel(), proj_back_mic=0)
    return Calling(lambda x: there.inv(separate(there(x))), there, separate), torch.randn(2, 1024)


@network("auxiliary-function IVA by iterative projection", IVA)
def projection_analysis() -> Built:
    import torchiva

    there = torchiva.STFT(n_fft=128, hop_length=64)
    separate = torchiva.AuxIVA_IP(n_iter=2, n_src=2, model=torchiva.LaplaceModel(), proj_back_mic=0)
    return Calling(lambda x: there.inv(separate(there(x))), there, separate), torch.randn(2, 1024)


@network("dereverberation by weighted prediction", IVA)
def weighted_prediction() -> Built:
    import torchiva

    there = torchiva.STFT(n_fft=128, hop_length=64)
    predict = torchiva.WPE(n_iter=2, n_delay=1, n_taps=2)
    return Calling(lambda x: there.inv(predict(there(x))), there, predict), torch.randn(2, 2048)


@network("TF-GridNet", ESPNET)
def grid_network() -> Built:
    from espnet2.enh.separator.tfgridnet_separator import TFGridNet

    model = TFGridNet(
        None,
        n_fft=64,
        stride=32,
        n_layers=1,
        lstm_hidden_units=8,
        attn_n_head=2,
        attn_approx_qk_dim=32,
        emb_dim=8,
    )
    lengths = torch.tensor([800])
    return Calling(lambda x: model(x, lengths)[0], model), torch.randn(1, 800)


@network("log-mel of speech recognition", ESPNET)
def recognition_front_end() -> Built:
    from espnet2.asr.frontend.default import DefaultFrontend

    layer = DefaultFrontend(fs=8000, n_fft=128, hop_length=64, n_mels=20)
    lengths = torch.tensor([1600])
    return Calling(lambda x: layer(x, lengths)[0], layer), torch.randn(1, 1600)


@network("critic of spectra at one resolution", "descript-audio-codec 1.0.0")
def resolution_critic() -> Built:
    from dac.model.discriminator import MRD

    return MRD(64, bands=[(0.0, 0.5), (0.5, 1.0)]), torch.randn(1, 1, 1024)


@network("gate of a noise's spectrum", AUDIOTOOLS)
def noise_gate() -> Built:
    from audiotools import AudioSignal
    from audiotools.ml.layers import SpectralGate

    layer = SpectralGate()

    def gated(x: Tensor, noise: Tensor) -> Tensor:
        signals = AudioSignal(x, 16000), AudioSignal(noise, 16000)
        return layer(*signals, win_length=128, hop_length=32).audio_data

    return Calling(gated, layer), (torch.randn(1, 1, 1024), torch.randn(1, 1, 1024) * 0.1)


@network("mel-scaled and spectral losses", AUDIOTOOLS)
def codec_losses() -> Built:
    from audiotools import AudioSignal
    from dac.nn.loss import MelSpectrogramLoss, MultiScaleSTFTLoss

    spectra = MultiScaleSTFTLoss([128, 64])
    mels = MelSpectrogramLoss([20, 10], [256, 128], mel_fmin=[0, 0], mel_fmax=[None, None])

    def losses(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = AudioSignal(x, 16000), AudioSignal(y, 16000)
        return spectra(a, b), mels(a, b)

    return Calling(losses, spectra, mels), (torch.randn(1, 1, 1024), torch.randn(1, 1, 1024))


@network("watermark's transform and back", "silentcipher 1.0.5")
def watermark_transform() -> Built:
    from silentcipher.stft import STFT

    layer = STFT(128, 64)
    layer.num_samples = 1000

    def there(x: Tensor) -> Tensor:
        magnitude, phase = layer.transform(x)
        return layer.inverse(magnitude * 0.9, phase)

    return Calling(there, layer), torch.randn(1, 1000)


@network("mel of BigVGAN", "bigvgan 2.4.1")
def vocoder_mel() -> Built:
    from bigvgan.meldataset import mel_spectrogram

    return Calling(lambda x: mel_spectrogram(x, 256, 20, 8000, 64, 256, 0)), torch.randn(1, 1024)


@network("mel of a pitch estimator", "torchfcpe 0.0.4")
def pitch_mel() -> Built:
    from torchfcpe.mel_extractor import MelModule

    layer = MelModule(16000, 32, 256, 256, 80, 0, 8000)
    return Calling(lambda x: layer(x, 0, 1), layer), torch.randn(1, 1600, 1) * 0.1


@network("pitch by YIN", "torch-yin 0.1.3")
def yin() -> Built:
    import torchyin

    return Calling(lambda x: torchyin.estimate(x, 8000, 60, 500)), torch.randn(1, 1600)


@network("mel front end of PaSST", "hear21passt 0.0.26")
def transformer_mel() -> Built:
    from hear21passt.models.preprocess import AugmentMelSTFT

    layer = AugmentMelSTFT(
        32, 16000, 256, 128, 256, freqm=0, timem=0, fmin_aug_range=1, fmax_aug_range=1
    )
    return layer, torch.randn(1, 2048)


@network("STFT and back by convolutions", "torchlibrosa 0.1.0")
def convolution_transform() -> Built:
    from torchlibrosa.stft import ISTFT, STFT

    there, back = STFT(256, 64), ISTFT(256, 64)

    def restored(x: Tensor) -> Tensor:
        real, imaginary = there(x)
        return back(real.relu(), imaginary, x.shape[-1])

    return Calling(restored, there, back), torch.randn(1, 1024)


@network("time stretched by a phase vocoder", "torch-time-stretch 1.0.3")
def stretched() -> Built:
    from fractions import Fraction

    from torch_time_stretch import time_stretch

    def stretch(x: Tensor) -> Tensor:
        return time_stretch(x, Fraction(3, 2), 8000, n_fft=256, hop_length=64)

    return Calling(stretch), torch.randn(1, 1, 1024)
