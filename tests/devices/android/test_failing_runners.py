"""Runners that fail or answer with nonsense: one sentence, and the right exit code."""

from __future__ import annotations

import pytest

from affnet.artifact import Artifact
from affnet.errors import MeasurementError, MissingError
from tests.devices.android.phones import Attached

_FINE = "printf 'Initialized session in 1ms\\ncount=1 curr=9\\ncount=1 curr=9\\n'"


@pytest.mark.converters
@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        ("exit 126", MissingError, "cannot be run on the phone"),
        ("kill -SEGV $$", MeasurementError, "ended with signal 11: "),
        ("echo 'ERROR: no such op'; echo 'ERROR: failed'; exit 1", MeasurementError,
         "ended with exit code 1: no such op"),
        ("echo hello; echo '<html>'", MeasurementError,
         "answered with nonsense (it reports no initialization, warm-up and measurement): "
         "'<html>'."),
    ],
)  # fmt: skip
def test_runners_that_fail(
    attached: Attached,
    tiny_tflite: Artifact,
    body: str,
    kind: type[Exception],
    sentence: str,
) -> None:
    attached.attach()
    device = attached.device()
    attached.runner(body)
    with (
        pytest.raises(kind) as info,
        device.session("litert"),
        device.start(tiny_tflite, "litert", 1),
    ):
        pass
    assert sentence in str(info.value)
    assert "\n" not in str(info.value)
    assert getattr(info.value, "exit_code", 0) == (3 if kind is MissingError else 1)


@pytest.mark.converters
@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        (_FINE, MeasurementError, "answered with nonsense (it wrote no outputs): 'count=1 curr=9'"),
        (
            'for a in "$@"; do case "$a" in --output_filepath=*) printf 123 >"${a#*=}";; esac; '
            f"done; {_FINE}",
            MeasurementError,
            "answered with nonsense (its outputs are of another size): '3 bytes'.",
        ),
        (
            f'case "$*" in *--output_filepath*) kill -SEGV $$;; esac; {_FINE}',
            MeasurementError,
            "signal 11",
        ),
        (f'rm "$0"; {_FINE}', MissingError, "cannot be run on"),
    ],
)
def test_outputs_that_cannot_be_had(
    attached: Attached, tiny_tflite: Artifact, body: str, kind: type[Exception], sentence: str
) -> None:
    attached.attach()
    device = attached.device()
    attached.runner(body)
    with (
        device.session("litert"),
        device.start(tiny_tflite, "litert", 1) as process,
        pytest.raises(kind) as info,
    ):
        process.outputs()
    assert sentence in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.converters
@pytest.mark.parametrize(
    ("rows", "kind", "sentence"),
    [
        ("", MissingError, "reports no times of operators: it was built without its profiler."),
        ("=== Run Order ===\\n[Name]\\nCONV lots\\n", MeasurementError,
         "answered with nonsense (a row of its profile is 'CONV lots')"),
    ],
)  # fmt: skip
def test_profiles_that_are_none(
    attached: Attached, tiny_tflite: Artifact, rows: str, kind: type[Exception], sentence: str
) -> None:
    attached.attach()
    device = attached.device()
    attached.runner(f"{_FINE}; printf '{rows}'")
    with (
        device.session("litert"),
        device.start(tiny_tflite, "litert", 1) as process,
        pytest.raises(kind) as info,
    ):
        process.profile(3)
    assert sentence in str(info.value)


@pytest.mark.converters
def test_a_runner_of_another_machine_is_not_executable(
    attached: Attached, tiny_tflite: Artifact
) -> None:
    attached.attach()
    device = attached.device()
    (attached.runner() / "benchmark_model").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    with (
        pytest.raises(MissingError, match=r"cannot be run on the phone .*--runner-dir\.$"),
        device.session("litert"),
        device.start(tiny_tflite, "litert", 1),
    ):
        pass
