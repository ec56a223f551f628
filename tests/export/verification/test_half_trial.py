"""Candidates of a float16 file tried on devices, whose sessions are doubles here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from affnet.artifact import logits_spec
from affnet.export.verification import half_trial
from affnet.export.verification.half_trial import DeviceTrial
from affnet.export.verification.reference import Reference, reference_outputs
from tests.tiny import CLASSES, tiny_source

SOURCE = tiny_source()


@dataclasses.dataclass
class Place:
    """A device by its name and the noise that it adds to each logit, of the largest."""

    name: str
    noise: float
    images: int = 0

    def run(self, image: NDArray[np.float32]) -> list[NDArray[Any]]:
        self.images += 1
        (logits,) = reference_outputs(SOURCE, (image,))
        noise = np.random.default_rng(self.images).choice([-1.0, 1.0], logits.shape)
        return [(logits + self.noise * np.abs(logits).max() * noise).astype(np.float32)]


@pytest.fixture
def _doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened(device: Place, _: object) -> Iterator[Place]:
        yield device

    monkeypatch.setattr(half_trial, "open_session", opened)
    monkeypatch.setattr(half_trial, "describe_file", lambda path: path)


def trial(*places: Place) -> DeviceTrial:
    taken, given = SOURCE.inputs, (logits_spec(CLASSES),)
    return DeviceTrial(Reference(SOURCE), taken, (taken, given), places)  # type: ignore[arg-type]


@pytest.mark.usefixtures("_doubles")
def test_the_error_is_a_multiple_of_the_bound_and_not_finite_where_a_value_is_lost() -> None:
    bound = 10 ** (-42 / 20)  # RMS over the peak: 42 dB
    assert trial(Place("a", 3 * bound)).excess(Path("x")) == pytest.approx(3, rel=1e-3)
    assert trial(Place("a", bound / 4)).excess(Path("x")) == pytest.approx(0.25, rel=1e-2)
    assert trial(Place("a", float("nan"))).excess(Path("x")) == float("inf")


@pytest.mark.usefixtures("_doubles")
def test_after_the_first_candidate_only_the_worst_device_and_inputs_are_run() -> None:
    exact, rough = Place("arm64:cortex-a53", 1e-7), Place("arm64:cortex-a76", 1e-2)
    both = trial(exact, rough)
    assert both.place == "arm64:cortex-a53, arm64:cortex-a76"
    both.excess(Path("x"))
    assert both.place == "arm64:cortex-a76"
    seen = exact.images, rough.images
    assert seen[0] == seen[1] > 2
    both.excess(Path("x"))
    assert (exact.images, rough.images) == (seen[0], seen[1] + 2)


def test_classes_likely_to_change_are_estimated_from_errors_and_margins() -> None:
    tried = trial(Place("a", 0.0))
    tried._margins = np.full(1000, 2.0)
    images, generator = np.zeros((4000, 10), np.float32), np.random.default_rng(0)
    error = generator.normal(0, 1.0, images.shape).astype(np.float32)
    # the difference of two logits errs by 1.41: beyond 2 in 7.9 % of the cases, on one side
    assert tried._changed([images], [images + error]) == pytest.approx(0.079, abs=0.004)
    assert tried._changed([images], [images + 5]) == 0  # all logits alike move no class
    assert tried._changed([images], [np.full_like(images, np.nan)]) == float("inf")
