from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import Artifact, Manifest, Provenance, TensorSpec
from affnet.errors import ArtifactError, MissingError
from affnet.runtimes.litert import LiteRtRuntime

pytestmark = pytest.mark.converters


@pytest.fixture(scope="module")
def doubling(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A file with one ADD of its input to itself, built without a converter."""
    path = tmp_path_factory.mktemp("litert") / "doubling.tflite"
    path.write_bytes(build_model("ADD"))
    spec = TensorSpec("image", (1, 2, 2, 3), "float32", "NHWC", (0.0, 1.0))
    manifest = Manifest(
        model="doubling",
        format="tflite",
        precision="fp32",
        sha256="",
        inputs=(spec,),
        outputs=(spec,),
        labels=None,
        fft_plan={},
        route="by hand",
        fallbacks=(),
        details={},
        provenance=Provenance("variant", "doubling", "none", None, {}),
        parameters=0,
        macs=0,
        published=None,
        tools={},
        parity=None,
    )
    return Artifact(path, manifest)


def build_model(operator: str, custom: str | None = None, *, graphs: int = 1) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, operator)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version, code.customCode = 1, custom
    tensors = []
    for name in ("image", "logits"):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, [1, 2, 2, 3], 0
        tensors.append(tensor)
    step = schema.OperatorT()
    step.opcodeIndex, step.inputs, step.outputs = 0, [0, 0], [1]
    if operator == "ADD":
        step.builtinOptionsType = schema.BuiltinOptions.AddOptions
        step.builtinOptions = schema.AddOptionsT()
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, [step], [0], [1]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph] * graphs
    model.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_content(artifact: Artifact, path: Path, content: bytes) -> Artifact:
    path.write_bytes(content)
    return dataclasses.replace(artifact, path=path)


def test_it_runs_and_returns_copies(doubling: Artifact) -> None:
    session = LiteRtRuntime.load(doubling.path, threads=1)
    image = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
    (first,) = session.run(image)
    (second,) = session.run(image + 1)
    np.testing.assert_array_equal(first, 2 * image)
    np.testing.assert_array_equal(second, 2 * image + 2)


def test_it_prints_nothing(doubling: Artifact, capfd: pytest.CaptureFixture[str]) -> None:
    LiteRtRuntime.version()
    LiteRtRuntime.operators(doubling.path)
    session = LiteRtRuntime.load(doubling.path, threads=1)
    session.run(np.zeros((1, 2, 2, 3), np.float32))
    assert capfd.readouterr() == ("", "")


def test_operators_are_counted_as_they_are_in_the_file(doubling: Artifact, tmp_path: Path) -> None:
    assert LiteRtRuntime.operators(doubling.path) == {"ADD": 1}
    flex = tmp_path / "flex.tflite"
    flex.write_bytes(build_model("CUSTOM", "FlexRFFT2D"))
    assert LiteRtRuntime.operators(flex) == {"custom::FlexRFFT2D": 1}


def test_an_operator_it_does_not_have_is_one_sentence(doubling: Artifact, tmp_path: Path) -> None:
    flex = with_content(doubling, tmp_path / "flex.tflite", build_model("CUSTOM", "FlexRFFT2D"))
    with pytest.raises(ArtifactError, match="FlexRFFT2D") as caught:
        LiteRtRuntime.load(flex.path, threads=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"PK\x03\x04" * 9, bytes(4) + b"TFL3"])
def test_foreign_files_are_rejected(doubling: Artifact, tmp_path: Path, content: bytes) -> None:
    foreign = with_content(doubling, tmp_path / "foreign.tflite", content)
    for act in (
        lambda: LiteRtRuntime.load(foreign.path, threads=1),
        lambda: LiteRtRuntime.operators(foreign.path),
    ):
        with pytest.raises(ArtifactError, match=r"foreign\.tflite") as caught:
            act()
        assert "\n" not in str(caught.value)


def test_a_file_without_a_graph_is_rejected(doubling: Artifact, tmp_path: Path) -> None:
    # LiteRT's verifier lets it pass, and its reader ends the process
    empty = with_content(doubling, tmp_path / "empty.tflite", build_model("ADD", graphs=0))
    with pytest.raises(ArtifactError, match="is damaged or no TFLite file"):
        LiteRtRuntime.load(empty.path, threads=1)


def test_files_cut_at_any_length_are_rejected(doubling: Artifact, tmp_path: Path) -> None:
    content = doubling.path.read_bytes()
    # the last bytes are the tables written first, the padding before them may go unnoticed
    for length in range(0, len(content) - 8, 3):
        cut = with_content(doubling, tmp_path / "cut.tflite", content[:length])
        with pytest.raises(ArtifactError):
            LiteRtRuntime.load(cut.path, threads=1)


_SURVIVE = """
import sys
from pathlib import Path
from affnet.errors import ArtifactError
from affnet.runtimes.litert import LiteRtRuntime, _interpreter
for path in sorted(Path(sys.argv[1]).iterdir()):
    for act in (LiteRtRuntime.operators, lambda path: _interpreter(path, 1, delegate=True)):
        try:
            act(path)
        except ArtifactError:
            pass
"""


def test_flipped_bits_never_end_the_process(doubling: Artifact, tmp_path: Path) -> None:
    content, generator = doubling.path.read_bytes(), np.random.default_rng(3)
    for index in range(300):
        damaged = bytearray(content)
        for _ in range(int(generator.choice((1, 2, 8)))):
            damaged[generator.integers(8, len(content))] ^= 1 << int(generator.integers(8))
        (tmp_path / f"{index}.tflite").write_bytes(damaged)
    command = [sys.executable, "-c", _SURVIVE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(MissingError, match=r"affnet\[tflite\]"):
        LiteRtRuntime.version()
