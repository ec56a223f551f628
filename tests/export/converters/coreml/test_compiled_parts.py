"""coremltools as pip leaves it for a Python that it has no build for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from affnet.errors import MissingError
from affnet.export.converters import check_installed, get_converter


def test_coremltools_without_its_compiled_parts_is_refused_before_it_converts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converter = get_converter("coreml")
    check_installed(converter)
    (tmp_path / "coremltools").mkdir()
    (tmp_path / "coremltools" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "coremltools", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingError, match="needs the compiled parts of coremltools") as caught:
        check_installed(converter)
    assert caught.value.remedy is not None and "older Python" in caught.value.remedy
