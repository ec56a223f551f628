"""Speech signal processing: cepstra, pitch, harmonics, synthesis filters, lapped transforms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.public_networks.registry import Built, Calling, network

SPTK = "diffsptk 4.0.1"


@network("mel-cepstrum of speech, by Newton's steps", SPTK)
def mel_cepstrum() -> Built:
    import diffsptk

    spectra = diffsptk.STFT(200, 80, 256)
    cepstra = diffsptk.MelCepstralAnalysis(fft_length=256, cep_order=12, alpha=0.35, n_iter=2)
    return nn.Sequential(spectra, cepstra), torch.randn(1, 1600)


@network("mel-generalized cepstrum", SPTK)
def generalized_cepstrum() -> Built:
    import diffsptk

    cepstra = diffsptk.MelGeneralizedCepstralAnalysis(
        fft_length=256, cep_order=10, alpha=0.35, c=3, n_iter=1
    )
    return nn.Sequential(diffsptk.STFT(200, 80, 256), cepstra), torch.randn(1, 1600)


@network("spectrum of a mel-cepstrum", SPTK)
def cepstrum_spectrum() -> Built:
    import diffsptk

    layer = diffsptk.MelGeneralizedCepstrumToSpectrum(12, 256, alpha=0.35, gamma=-0.5)
    return layer, torch.randn(2, 7, 13) * 0.1


@network("speech from its mel-cepstrum and an excitation", SPTK)
def cepstral_synthesis() -> Built:
    import diffsptk

    layer = diffsptk.PseudoMGLSADigitalFilter(12, 80, alpha=0.35, mode="freq-domain")
    return layer, (torch.randn(1, 800), torch.randn(1, 10, 13) * 0.1)


@network("speech from its mel-cepstrum, one filter of many taps", SPTK)
def single_stage_synthesis() -> Built:
    import diffsptk

    layer = diffsptk.PseudoMGLSADigitalFilter(12, 80, alpha=0.35, mode="single-stage")
    return layer, (torch.randn(1, 800), torch.randn(1, 10, 13) * 0.1)


@network("constant-Q transform and back", SPTK)
def constant_q_and_back() -> Built:
    import diffsptk

    there = diffsptk.CQT(128, 8000, f_min=200, n_bin=24, res_type=None)
    back = diffsptk.ICQT(128, 8000, f_min=200, n_bin=24, res_type=None)
    return Calling(lambda x: back(there(x)), there, back), torch.randn(1, 2048)


@network("analytic signal by a matrix of signs", SPTK)
def analytic_of_signs() -> Built:
    import diffsptk

    layer = diffsptk.HilbertTransform(200)
    return Calling(lambda x: torch.view_as_real(layer(x)), layer), torch.randn(2, 200)


@network("lapped transforms and back", SPTK)
def sine_lapped() -> Built:
    import diffsptk

    there, back = diffsptk.MDCT(64, "kbd"), diffsptk.IMDCT(64, "kbd")
    return Calling(lambda x: back(torch.tanh(there(x))), there, back), torch.randn(1, 1000)


@network("group delay of a filter", SPTK)
def group_delay() -> Built:
    import diffsptk

    return diffsptk.GroupDelay(128), (torch.randn(3, 9), torch.randn(3, 5) * 0.1)


@network("Yingram: differences of lags, by pitch", SPTK)
def lag_differences() -> Built:
    import diffsptk

    layer = diffsptk.Yingram(512, sample_rate=8000, lag_min=22)
    return nn.Sequential(diffsptk.Frame(512, 128), layer), torch.randn(1, 1600)


@network("Griffin-Lim with momentum", SPTK)
def fast_griffin_lim() -> Built:
    import diffsptk

    layer = diffsptk.GriffinLim(200, 80, 256, n_iter=4, init_phase="zeros")
    return Calling(lambda x: layer(x, out_length=800), layer), torch.rand(1, 10, 129)


@network("linear prediction, line spectra, spectrum", SPTK)
def line_spectra() -> Built:
    import diffsptk

    frames = diffsptk.Frame(200, 80)
    predictor = diffsptk.LPC(200, 8)
    spectrum = diffsptk.Spectrum(256)

    def envelope(x: Tensor) -> Tensor:
        gain, a = torch.split(predictor(frames(x)), [1, 8], dim=-1)
        return spectrum(a=torch.cat((gain, a), dim=-1))

    return Calling(envelope, frames, predictor, spectrum), torch.randn(1, 1600)


@network("aperiodicity of bands", SPTK)
def aperiodicity() -> Built:
    import diffsptk

    layer = diffsptk.Aperiodicity(80, 16000, 1024, algorithm="tandem")
    return layer, (torch.randn(1, 1600), torch.rand(1, 20) * 100 + 100)


@network("perceptual linear prediction", SPTK)
def perceptual_prediction() -> Built:
    import diffsptk

    layer = diffsptk.PLP(fft_length=256, plp_order=8, n_channel=16, sample_rate=8000)
    return nn.Sequential(diffsptk.STFT(200, 80, 256), layer), torch.randn(1, 1600)


@network("polyphase bank of filters and back", SPTK)
def polyphase_bank() -> Built:
    import diffsptk

    there, back = diffsptk.PQMF(4, 31), diffsptk.IPQMF(4, 31)

    def shaped(x: Tensor) -> Tensor:
        bands = torch.fft.rfft(there(x))
        return back(torch.fft.irfft(bands * torch.sigmoid(bands.abs()), n=x.size(-1)))

    return Calling(shaped, there, back), torch.randn(1, 400)


@network("cepstrum of a minimum-phase filter, from its phase", SPTK)
def phase_cepstrum() -> Built:
    import diffsptk

    there = diffsptk.CepstrumToNegativeDerivativeOfPhaseSpectrum(12, 64)
    back = diffsptk.NegativeDerivativeOfPhaseSpectrumToCepstrum(64, 12)
    return Calling(lambda x: back(there(x).relu()), there, back), torch.randn(3, 13)


@network("impulse response of a cepstrum, and back", SPTK)
def minimum_phase_response() -> Built:
    import diffsptk

    there = diffsptk.CepstrumToMinimumPhaseImpulseResponse(12, 32, n_fft=128)
    back = diffsptk.MinimumPhaseImpulseResponseToCepstrum(32, 12, n_fft=128)
    return Calling(lambda x: (there(x), back(there(x))), there, back), torch.randn(3, 13) * 0.05
