"""Filters of some channel blocks side by side are the filter of all."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from affnet import create_model
from affnet.artifact import image_spec, logits_spec
from affnet.errors import ConversionError
from affnet.export.autotuning.plan_timing import block
from affnet.export.converters import ConversionRequest
from affnet.export.converters.onnx import converter as onnx
from affnet.export.converters.tflite import converter as tflite
from affnet.export.fourier.costs import PredictedCosts
from affnet.export.fourier.planner import replace_transforms
from affnet.export.fourier.plans.base import MapSize
from affnet.export.passes.chunked_filter import ChunkedFilter, chunk_filters
from affnet.export.passes.folding import fold_linear_maps
from affnet.export.passes.skip_in_mask import SkipInMask, merge_skips
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.mixer import AdaptiveFrequencyFilter
from affnet.model.random_weights import randomise
from affnet.runtimes.litert import LiteRtRuntime
from tests.reference import fill, relative_error
from tests.tiny import noise


@pytest.mark.parametrize("count", [2, 4, 8])
def test_the_same_function(count: int) -> None:
    mixer = fill(AdaptiveFrequencyFilter(24, "swish"))
    mixer.freeze()
    x = noise(2, 24, 6, 5)
    with torch.inference_mode():
        assert relative_error(ChunkedFilter(mixer, count)(x), mixer(x)) < 1e-6


def test_the_large_maps_of_a_network_are_chunked_and_it_stays_the_same() -> None:
    model = create_model("affnet_et", num_classes=20).eval()
    randomise(model)
    size = (640, 512)
    chunked = copy.deepcopy(model)
    replace_transforms(chunked, (1, 3, *size), "separable", (), PredictedCosts("onnxruntime"))
    fold_linear_maps(chunked)
    chunk_filters(chunked, 1 << 20)
    merge_skips(chunked)
    counts = [len(m.chunks) for m in chunked.modules() if isinstance(m, ChunkedFilter)]
    assert counts == [2, 2]  # 64 x 80 x 64 values are 1.3 MB; the other stages' maps fit
    assert sum(isinstance(m, SkipInMask) for m in chunked.modules()) == 2 * 2 + 4 + 3
    image = noise(1, 3, *size)
    with torch.inference_mode():
        assert relative_error(chunked(image), model(image)) < 1e-5


def test_what_becomes_an_onnx_file_has_its_filters_chunked_and_skips_merged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = create_model("affnet_et").eval()
    size = (640, 512)
    replace_transforms(model, (1, 3, *size), "separable", (), PredictedCosts("onnxruntime"))
    fold_linear_maps(model)
    given = []

    def stop(network: nn.Module, *_: object) -> None:
        given.append(network)
        raise ConversionError("seen enough")

    monkeypatch.setattr(onnx, "_export", stop)
    specs = (image_spec(*size),), (logits_spec(1000),)
    request = ConversionRequest("x", *specs, "fp32", "torch.export", native_fft=False)
    with pytest.raises(ConversionError, match="seen enough"):
        onnx.OnnxConverter().convert(model, request, tmp_path)
    kinds = [type(module) for module in given[0].modules()]
    assert kinds.count(ChunkedFilter) == 2
    assert kinds.count(SkipInMask) == 2 * 2 + 4 + 3


def test_chunks_of_a_tflite_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tflite, "_CHUNK_BYTES", 4096)
    size = MapSize(16, 10, 12)  # 7.7 kB
    artifact = export_artifact(block(size), ExportOptions("tflite", fft="channels_last"), tmp_path)
    operators = LiteRtRuntime.operators(artifact.path)
    assert operators["BATCH_MATMUL"] == 2 * 4  # two for a transform, two for its inverse
