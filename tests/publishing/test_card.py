"""The model card: what it states, and that nothing from a manifest is read as markup."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from affnet.artifact import Artifact
from affnet.evidence import DeviceProof, MeasuredAccuracy
from affnet.parity import InputParity, Parity
from affnet.publishing.card import model_card
from tests.package import networks

PARITY = Parity(
    1e-6, 2e-7, 130.0, 1.0, 3, 1e-4, True, (InputParity("| black |", 1e-6, 2e-7, 130.0, True),)
)
ACCURACY = MeasuredAccuracy("emoji", "f", 1216, 0.875, (0.86, 0.89), 0.97, "onnxruntime 1.32.0")
PROOF = DeviceProof("arm64", "cortex-a53", "aarch64", (), "onnxruntime", PARITY, "host", 1e-7, 0.9)


def metadata(card: str) -> dict[str, object]:
    """Return what a hub reads: its pattern of the block is this one."""
    found = re.search(r"^(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\n|$))", card)
    assert found
    return yaml.safe_load(found[2])


def tokens_of(card: str) -> list[Token]:
    """Return what a reader of Markdown makes of a card without its metadata."""
    body = card.split("\n---\n", 1)[1]
    found = MarkdownIt("commonmark").enable("table").parse(body)
    return [inner for token in found for inner in (token, *(token.children or ()))]


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return networks.write(tmp_path).with_manifest(
        parity=PARITY, accuracy=(ACCURACY,), proofs=(PROOF,), fft_plan={"8x8": "separable"}
    )


def test_it_states_what_was_measured(artifact: Artifact) -> None:
    card = model_card(artifact, "me/net", "apache-2.0", "| median |\n| --- |\n| 1 |\n")
    read = metadata(card)
    assert read["license"] == "apache-2.0"
    assert read["pipeline_tag"] == "image-classification"
    result = read["model-index"][0]["results"][0]
    assert result["metrics"] == [{"type": "accuracy", "name": "top-1", "value": 0.875}]
    for text in (
        "the largest error is 2.0e-07 of the largest output (1e-04 allowed)",
        "| emoji | 1216 | 87.5 % [86.0, 89.0] | 97.0 % | onnxruntime 1.32.0 |",
        "| arm64 | cortex-a53 |",
        "| 8x8 | separable |",
        "## Latency\n\n| median |",
        "affnet run net/net.onnx photo.jpg",
        artifact.manifest.sha256,
    ):
        assert text in card


def test_a_hub_library_reads_it(artifact: Artifact) -> None:
    hub = pytest.importorskip("huggingface_hub")
    data = hub.ModelCard(model_card(artifact, "me/net", "mit")).data
    assert data.eval_results[0].metric_value == 0.875


def test_of_bundled_weights_the_licence_is_known(artifact: Artifact) -> None:
    provenance = dataclasses.replace(artifact.manifest.provenance, kind="bundled", location="emoji")
    bundled = artifact.with_manifest(provenance=provenance)
    assert metadata(model_card(bundled, "me/net"))["license"] == "mit"
    assert "license" not in metadata(model_card(artifact, "me/net"))
    assert "licence of the weights is not stated" in model_card(artifact, "me/net")


@pytest.mark.parametrize(
    "name", ["a\n---\nlicense: x", "<script>", "``` `x` ```", "![](//x)", "| a"]
)
def test_names_are_data(name: str, artifact: Artifact) -> None:
    hostile = artifact.with_manifest(
        model=name,
        labels=(name, *networks.HOSTILE),
        tools={name: name},
        accuracy=(dataclasses.replace(ACCURACY, dataset=name),),
        provenance=dataclasses.replace(artifact.manifest.provenance, location=name),
    )
    card = model_card(hostile, "me/net")
    read = metadata(card)
    assert set(read) == {"pipeline_tag", "tags", "model-index"}
    tokens = tokens_of(card)
    assert not {token.type for token in tokens} & {"image", "link_open", "html_block", "hr"}
    assert {token.content for token in tokens if token.type == "html_inline"} <= {"<!-- -->"}
    assert sum(token.type == "fence" for token in tokens) == 1
    headings = [token.tag for token in tokens if token.type == "heading_open"]
    assert headings == ["h1", *["h2"] * (len(headings) - 1)]
    text = "".join(token.content for token in tokens if token.type == "text")
    assert " ".join(name.split()).partition("//")[0] in text


def test_file_names_cannot_end_the_fence(tmp_path: Path) -> None:
    odd = networks.write(tmp_path, name="a ```` b").with_manifest(parity=None)
    card = model_card(odd, "me/net")
    assert "\n`````sh\n" in card
    assert "affnet inspect 'net/a ```` b.onnx'" in card
    assert "was not compared with PyTorch" in card
