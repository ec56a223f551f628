"""Phones and adb clients that write without end: one sentence, and nothing left there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.errors import MeasurementError
from tests.conftest import Finished
from tests.devices.android.phones import Attached

Run = Callable[..., Finished]


@pytest.mark.converters
@pytest.mark.parametrize("body", ["exec yes", "exec yes >&2", "exec tr '\\0' x </dev/zero"])
def test_runners_that_flood_are_stopped(
    attached: Attached, tiny_tflite: Artifact, body: str
) -> None:
    phone = attached.attach()
    device = attached.device()
    attached.runner(body)
    with (
        pytest.raises(MeasurementError) as info,
        device.session("litert"),
        device.start(tiny_tflite, "litert", 1),
    ):
        pass
    assert str(info.value) == (
        f"The phone {phone.serial} sent over 16 MB in answer to one command; it was stopped."
    )
    assert info.value.exit_code == 1
    assert attached.left_behind() == []


@pytest.mark.parametrize("pipe", ["", " >&2"])
def test_an_adb_that_floods_is_stopped(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pipe: str
) -> None:
    (tmp_path / "adb").write_text(f"#!/bin/sh\nexec yes{pipe}\n")
    (tmp_path / "adb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    done = run("devices", "doctor", "pixel")
    assert done.code == 3
    assert "adb lists phones without end (over 16 MB)" in done.out
    assert "fix: adb kill-server" in done.out
