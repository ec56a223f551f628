"""Networks of the user's own, exported to every format, run and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from affnet.artifact import Artifact
from affnet.errors import ConversionError, UsageError
from affnet.export.converters.onnx import converter
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.export.verification.compare import verify_against
from affnet.export.verification.subject import Subject
from affnet.model.source import Source, load_source
from affnet.runtimes import runtime_for
from tests.conftest import Finished
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.networks.fourier_networks import NETWORKS, make

pytestmark = [
    *THIRD_PARTY_WARNINGS,
    pytest.mark.filterwarnings("ignore:No complete tensor found in the group:UserWarning"),
]

#: Those that have all operators: the rewrite is the same for all formats, FNet's layers are
#: GFNet's, and LaMa's convolutions and normalisations those of AFFNet.
RICHEST = ("gfnet", "afno", "stft")


def program(name: str, folder: Path) -> Source:
    """Return one of the networks, saved and loaded as a program."""
    model, x = make(name)
    path = folder / f"{name}.pt2"
    torch.export.save(torch.export.export(model, (x,)), path)
    return load_source(str(path))


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        *((name, "onnx") for name in NETWORKS),
        *(
            pytest.param(
                name,
                format_,
                marks=[
                    pytest.mark.converters,
                    *([] if name in RICHEST else [pytest.mark.exhaustive]),
                ],
            )
            for name in NETWORKS
            for format_ in ("coreml", "tflite", "executorch")
        ),
    ],
)
def test_it_agrees_and_has_no_fft(name: str, format_: str, tmp_path: Path) -> None:
    options = ExportOptions(format_, precision="fp32")
    artifact = export_artifact(program(name, tmp_path), options, tmp_path / "out")
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error <= 1e-4
    assert artifact.manifest.fft_plan == {"graph": "rewritten"}
    assert artifact.manifest.fallbacks == ()
    operators = " ".join(runtime_for(format_).operators(artifact.path)).lower()
    assert not [word for word in ("fft", "dft", "complex", "custom", "flex") if word in operators]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("format_", ["onnx", pytest.param("coreml", marks=pytest.mark.converters)])
def test_an_input_may_be_given_back(format_: str, precision: str, tmp_path: Path) -> None:
    class GivesBack(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return x, x.relu()

    for network in (GivesBack(), torch.nn.Identity()):
        path = tmp_path / "net.pt2"
        torch.export.save(torch.export.export(network, (torch.randn(1, 3, 8),)), path)
        options = ExportOptions(format_, precision=precision)
        artifact = export_artifact(load_source(str(path)), options, tmp_path)
        assert artifact.manifest.fallbacks == ()
        assert len(artifact.manifest.outputs) == 1 + isinstance(network, GivesBack)


def test_the_commands_take_it(run: Callable[..., Finished], tmp_path: Path) -> None:
    program("gfnet", tmp_path)
    done = run("export", tmp_path / "gfnet.pt2", "-o", tmp_path, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert "graph rewritten" in done.out
    assert "agrees with PyTorch in onnxruntime, 10 inputs" in done.out
    file = tmp_path / "gfnet.onnx"
    assert run("verify", file).code == 0
    assert "2x8x6x12 float32" in run("inspect", file).out
    measured = run("bench", file, "--preset", "quick", "--json", "--quiet")
    assert measured.code == 0, measured


def test_bench_exports_a_program_first(run: Callable[..., Finished], tmp_path: Path) -> None:
    program("gfnet", tmp_path)
    options = ("--preset", "quick", "--json", "--quiet")
    for runtime in ("onnxruntime", "torch"):
        done = run("bench", tmp_path / "gfnet.pt2", "--runtime", runtime, *options)
        assert done.code == 0, done.err
        (result,) = done.json["results"]
        assert (result["model"], result["runtime"]) == ("gfnet", runtime)


def test_native_keeps_the_transforms_of_the_program(tmp_path: Path) -> None:
    options = ExportOptions("torch", fft="native")
    artifact = export_artifact(program("gfnet", tmp_path), options, tmp_path / "out")
    assert artifact.manifest.fft_plan == {"graph": "native"}
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.passed


@pytest.mark.parametrize("name", ["gfnet", "fnet"])
def test_a_program_takes_the_other_route_to_onnx(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(converter, "_by_torch_export", fail)
    artifact = export_artifact(program(name, tmp_path), ExportOptions("onnx"), tmp_path / "out")
    assert artifact.manifest.route == "TorchScript"
    assert [failure["fft"] for failure in artifact.manifest.fallbacks] == ["auto"]
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error <= 1e-4


@pytest.mark.parametrize(
    "option",
    [{"image_size": (32, 32)}, {"layout": "NCHW"}, {"dynamic_batch": True}, {"fft": "dense"}],
)
def test_options_for_images_and_filters_are_refused(option: dict, tmp_path: Path) -> None:
    source = program("gfnet", tmp_path)
    with pytest.raises(UsageError, match=r"program says what it takes|takes auto or native"):
        export_artifact(source, ExportOptions("onnx", **option), tmp_path / "out")


def test_another_network_is_refused_before_it_runs(tmp_path: Path, digits_onnx: Artifact) -> None:
    source = program("gfnet", tmp_path)
    with pytest.raises(UsageError, match="takes 1 x 3 x 64 x 64 and gfnet 2 x 8 x 6 x 12; compare"):
        verify_against(Subject.of(digits_onnx), source, [])


class WindowsAtPlaces(torch.nn.Module):
    """Diffraction patterns of a sample, of the windows that begin at places of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.probe = torch.nn.Parameter(torch.randn(8, 8, dtype=torch.complex64))

    def forward(self, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        sample = torch.view_as_complex(x)
        windows = [sample[c[0] : c[0] + 8, c[1] : c[1] + 8] for c in places]
        return torch.fft.fft2(torch.stack(windows) * self.probe).abs()


@pytest.mark.parametrize(
    "format_", ["onnx", pytest.param("tflite", marks=[pytest.mark.converters, pytest.mark.slow])]
)
def test_windows_of_complex_values_at_places_of_the_input(format_: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    places = torch.tensor([[0, 3], [8, 8], [7, 5]])
    exported = torch.export.export(WindowsAtPlaces(), (torch.randn(16, 16, 2), places))
    torch.export.save(exported, tmp_path / "windows.pt2")
    source = load_source(str(tmp_path / "windows.pt2"))
    if format_ == "onnx":
        artifact = export_artifact(source, ExportOptions("onnx"), tmp_path / "out")
        assert artifact.manifest.parity is not None
        assert artifact.manifest.parity.max_rel_error <= 1e-5
        return
    with pytest.raises(ConversionError) as caught:
        export_artifact(source, ExportOptions(format_), tmp_path / "out")
    assert "`windows = [sample[c[0] : c[0] + 8, c[1] : c[1] + 8] for c in places]`" in str(
        caught.value
    )
    assert "x[start + torch.arange(8)]" in str(caught.value)
