"""OpenVINO's intermediate representation: ``.xml`` for the graph, ``.bin`` for the weights.

What it cannot hold: ``--fft native``.  OpenVINO 2026.4 reads ONNX's DFT of opset 20 along the wrong
axis, and pads real transforms with whatever stands in memory; neither says so.
"""

from __future__ import annotations

from pathlib import Path

from affnet.errors import ConversionError
from affnet.export.converters import ConversionRequest
from affnet.export.converters.from_onnx import FromOnnx
from affnet.export.converters.openvino_norms import normalize_maps
from affnet.runtimes.openvino import CONFIGURATION, model_of, reason_in
from affnet.silence import silenced


class OpenVinoConverter(FromOnnx):
    """Reads the ONNX file with OpenVINO and saves it."""

    format = "openvino"
    precisions = ("fp32", "fp16", "int8")
    # the others' products want the plain layout: two more copies of each map and spectrum
    plans = ("channels_last", "mixed_radix_channels_last")
    computes_in_half = ()  # float16 is how weights are stored
    keeps_float = ("int8",)
    packages = ("openvino", "onnx", "onnxscript", "onnxsim")
    extra = "openvino"
    tools = ("torch", "onnx", "onnxscript", "onnxsim", "openvino")
    settings = CONFIGURATION

    def translate(self, model: Path, request: ConversionRequest, folder: Path) -> Path:
        """See `FromOnnx.translate`.

        Float32 is asked for: by default `save_model` halves the weights, for an error of 2e-3.
        What is quantised is read as ranges and weights of 8 bits, which the plugin multiplies;
        left as they are read, the layers that prepare the weights take more than 8 bits save.
        """
        path = folder / f"{request.name}.xml"
        half = request.precision == "fp16"
        try:
            with silenced():
                network = model_of(model)  # which imports OpenVINO
                from openvino import convert_model, save_model
                from openvino.passes import ConstantFolding, Manager

                if request.precision == "int8":
                    network = convert_model(model)  # which folds all but weights of 8 bits
                else:  # normalisations are read with sizes that are computed at every start
                    passes = Manager()
                    passes.register_pass(ConstantFolding())
                    passes.run_passes(network)
                normalize_maps(network)
                save_model(network, path, compress_to_fp16=half)
        except RuntimeError as error:
            raise ConversionError(
                f"OpenVINO cannot convert {request.name}: {reason_in(error)}."
            ) from error
        return path
