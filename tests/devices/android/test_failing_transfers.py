"""What goes wrong with files and with the connection: one sentence, and nothing left there."""

from __future__ import annotations

import pytest

from affnet.artifact import Artifact
from affnet.errors import ConnectionLostError, DeviceSpaceError, MeasurementError, UsageError
from tests.devices.android.phones import Attached


@pytest.mark.converters
def test_a_phone_that_is_lost_during_a_push(attached: Attached) -> None:
    attached.attach(lost_during_push=True)
    error = attached.failing()
    assert isinstance(error, ConnectionLostError)
    assert error.exit_code == 1


@pytest.mark.converters
def test_a_phone_that_is_lost_before_its_outputs_are_fetched(
    attached: Attached, tiny_tflite: Artifact
) -> None:
    found = attached.attach()
    device = attached.device()
    with (
        pytest.raises(ConnectionLostError),
        device.session("litert"),
        device.start(tiny_tflite, "litert", 1) as process,
    ):
        found.lose()
        process.outputs()


def test_no_space_before_the_push(attached: Attached) -> None:
    found = attached.attach()
    found.script("df", "printf 'head\\n/dev/block 1000 900 10000 99%% /data\\n'")
    error = attached.failing()
    assert isinstance(error, DeviceSpaceError)
    assert "has 10 MB free, but benchmark_model needs 20 MB; free some." in str(error)


def test_no_space_and_no_rights_during_the_push(attached: Attached) -> None:
    found = attached.attach(push_error="No space left on device")
    error = attached.failing()
    assert isinstance(error, DeviceSpaceError)
    assert (
        str(error) == f"The phone {found.serial} has no space left for benchmark_model; free some."
    )
    found.push_error = "Permission denied"
    error = attached.failing()
    assert isinstance(error, MeasurementError)
    assert str(error) == (
        f"The phone {found.serial} did not take benchmark_model: Permission denied."
    )


@pytest.mark.converters
def test_no_space_for_the_reference_image(attached: Attached, tiny_tflite: Artifact) -> None:
    found = attached.attach()
    device = attached.device()
    with device.session("litert"), device.start(tiny_tflite, "litert", 1) as process:
        found.script("df", "printf 'head\\n/dev/block 1000 900 10000 99%% /data\\n'")
        with pytest.raises(DeviceSpaceError, match="has 10 MB free, but input_0 needs 20 MB"):
            process.outputs()


def test_a_folder_that_cannot_be_made(attached: Attached) -> None:
    attached.attach()
    error = attached.failing(folder="/data/local/tmp/none")
    assert str(error).startswith("No folder can be made in /data/local/tmp/none on the phone ")


def test_no_runner(attached: Attached, tmp_path: object) -> None:
    attached.attach()
    error = attached.failing(runner=str(tmp_path))
    assert isinstance(error, UsageError)
    assert "holds no benchmark_model; fetch https://storage.googleapis.com/litert/" in str(error)
