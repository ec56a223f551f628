"""What is said of packages that are missing or old, and of what libraries raise."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest

from affnet import errors
from affnet.errors import (
    AffnetError,
    ConversionError,
    MissingError,
    UnknownNameError,
    UnreachableError,
    UsageError,
    from_wire,
    reason_of,
    require,
    to_wire,
)
from tests.conftest import complaint


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    errors._outdated.cache_clear()
    yield
    errors._outdated.cache_clear()


def test_an_error_is_one_sentence_of_its_problem_and_its_remedy() -> None:
    error = UsageError("There is nothing to measure.", "name a model.")
    assert str(error) == "There is nothing to measure; name a model."
    assert (error.problem, error.remedy) == ("There is nothing to measure", "name a model.")


def test_an_error_stays_one_line_whatever_it_quotes() -> None:
    error = AffnetError("It has no function ma\nn.\x1b[31m", "rename\r it.")
    assert str(error) == "It has no function ma n. [31m; rename  it."
    assert (error.problem, error.remedy) == ("It has no function ma n. [31m", "rename  it.")


def test_an_error_may_have_no_remedy() -> None:
    error = UsageError("The folder is empty.")
    assert str(error) == "The folder is empty."
    assert (error.problem, error.remedy) == ("The folder is empty", None)


def kinds() -> list[type[AffnetError]]:
    return list(errors._descendants(AffnetError))


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_keeps_its_class_on_the_wire(kind: type[AffnetError]) -> None:
    sent = (
        UnknownNameError("preset", "slow", ["quick"]) if kind is UnknownNameError else kind("No.")
    )
    error = from_wire(json.loads(json.dumps(to_wire(sent))))
    assert type(error) is kind
    assert (str(error), error.problem, error.remedy) == (str(sent), sent.problem, sent.remedy)
    assert error.exit_code == sent.exit_code


def test_a_remedy_is_kept_on_the_wire() -> None:
    error = from_wire(to_wire(UnreachableError("It does not answer", "run: adb kill-server")))
    assert error.remedy == "run: adb kill-server"
    assert str(error) == "It does not answer; run: adb kill-server"


def test_a_class_that_is_unknown_here_becomes_its_nearest_known_base() -> None:
    record = {**to_wire(MissingError("No phone.")), "kinds": ["NoPhoneError", "MissingError"]}
    assert type(from_wire(record)) is MissingError
    assert type(from_wire({**record, "kinds": []})) is AffnetError


@pytest.mark.parametrize("record", ["No.", {}, {"message": 1, "fields": {}, "kinds": []}])
def test_what_is_no_error_is_refused(record: Any) -> None:
    with pytest.raises((KeyError, TypeError)):
        from_wire(record)


def test_a_missing_package_is_named_with_the_command_that_brings_it() -> None:
    with pytest.raises(MissingError) as caught:
        require("no_such_converter", extra="tflite", purpose="Exporting to tflite")
    assert str(caught.value) == (
        "Exporting to tflite needs the package 'no_such_converter', which is not installed; "
        "run: pip install 'affnet[tflite]'"
    )


@pytest.mark.parametrize(
    ("package", "extra", "installed", "sentence"),
    [
        (
            "onnxruntime",
            None,
            "1.4.0",
            "onnxruntime >=1.26, but 1.4.0 is installed; run: pip install --upgrade 'affnet'",
        ),
        pytest.param(
            "litert_torch",
            "tflite",
            "0.2.1",
            "litert-torch >=0.10, but 0.2.1 is installed; "
            "run: pip install --upgrade 'affnet[tflite]'",
            marks=pytest.mark.converters,
        ),
    ],
)
def test_an_old_package_is_refused_with_what_is_needed(
    package: str,
    extra: str | None,
    installed: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: installed)
    with pytest.raises(MissingError) as caught:
        require(package, extra=extra, purpose="Running files")
    assert str(caught.value) == f"Running files needs {sentence}"


def test_newer_local_and_preliminary_versions_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for installed in ("2.13.0+cpu", "99.0", "3.0.0.dev20261101"):
        monkeypatch.setattr(metadata, "version", lambda _, found=installed: found)
        errors._outdated.cache_clear()
        assert complaint(require, "torch", extra=None, purpose="Running programs") is None


def test_a_checkout_without_metadata_checks_no_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: str) -> str:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", unknown)
    assert complaint(require, "onnx", extra=None, purpose="Reading files") is None


def raised_from(*errors: BaseException) -> BaseException:
    """Return the first error, each raised from the next."""
    for outer, inner in itertools.pairwise(errors):
        outer.__cause__ = inner
    return errors[0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            raised_from(
                RuntimeError(
                    "Failed to convert. \x1b[96mThis is step 3/3\x1b[0m. Next steps:\n- .."
                ),
                ValueError("Error when translating node %median"),
                RuntimeError("No function found for aten.median"),
            ),
            "No function found for aten.median",
        ),
        (raised_from(ValueError("no such operator"), KeyError("Foo")), "no such operator"),
        (
            raised_from(ConversionError("Ours says it."), OSError("a detail of no interest")),
            "Ours says it",
        ),
        (RuntimeError("\n---\n\x1b[91mred\x1b[0m\x07 and \tblue: \nmore"), "red and blue"),
        (RuntimeError("planted"), "planted"),
        (KeyError("input_1"), "KeyError: 'input_1'"),
        (AssertionError(), "AssertionError"),
    ],
    ids=["causes", "a key", "ours", "colours", "one word", "only a key", "nothing"],
)
def test_the_innermost_reason_is_taken_and_made_plain(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason


def test_an_error_that_says_nothing_leaves_the_word_to_the_one_it_interrupted() -> None:
    try:
        try:
            raise ValueError("the true reason")
        except ValueError:
            raise RuntimeError  # noqa: B904
    except RuntimeError as error:
        assert reason_of(error) == "the true reason"


def test_a_long_reason_is_cut() -> None:
    reason = reason_of(RuntimeError("word " * 100))
    assert len(reason) == 300
    assert reason.endswith(" …")
