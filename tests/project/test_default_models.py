"""Which model is compared with which."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.errors import UsageError
from affnet.project.default_models import pair_with_peers

VARIANTS = ["affnet_et", "affnet_t"]


@pytest.mark.parametrize(
    ("models", "against", "names", "peers"),
    [
        (["a"], [], ["a"], {}),
        (["a"], ["p", "q"], ["a", "p", "q"], {"a": "p", "p": "p", "q": "p"}),
        (["a"], ["p, q"], ["a", "p", "q"], {"a": "p", "p": "p", "q": "p"}),
        (["a", "b"], ["a:p", "b:q"], ["a", "b", "p", "q"], {"a": "p", "b": "q"}),
        (["a", "b"], ["p", "b:q"], ["a", "b", "p", "q"], {"a": "p", "b": "q"}),
        (["a", "b"], ["b:q"], ["a", "b", "q"], {"b": "q"}),
        (["net:build"], ["net:build:timm:x"], ["net:build", "timm:x"], {"net:build": "timm:x"}),
        (["a"], ["timm:x"], ["a", "timm:x"], {"a": "timm:x", "timm:x": "timm:x"}),
        (  # each beside its published rival
            VARIANTS,
            ["mobilevit_xxs,mobilevit_xs"],
            [*VARIANTS, "mobilevit_xxs", "mobilevit_xs"],
            {"affnet_et": "mobilevit_xxs", "affnet_t": "mobilevit_xs"},
        ),
        (["affnet_t"], ["p"], ["affnet_t", "p"], {"affnet_t": "p", "p": "p"}),
    ],
)
def test_pairs(
    models: list[str], against: list[str], names: list[str], peers: dict[str, str]
) -> None:
    chosen = pair_with_peers(models, against)
    assert (chosen.names, chosen.peers) == (names, peers)


def test_two_peers_of_one_model_are_refused() -> None:
    with pytest.raises(UsageError, match=r"^--against gives a two peers; name one\.$"):
        pair_with_peers(["a"], ["a:p", "a:q"])


def test_a_comma_may_stand_in_the_name_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old,new.onnx").touch()
    assert pair_with_peers(["a"], ["old,new.onnx"]).names == ["a", "old,new.onnx"]
