"""coremltools' checks of a program in the making."""

from __future__ import annotations

from typing import Any

import pytest

from affnet.export.converters.coreml.validation import validated_now_and_then

pytestmark = [pytest.mark.converters, pytest.mark.filterwarnings("ignore")]


def test_only_thorough_checks_are_made_and_all_of_them_afterwards() -> None:
    from coremltools.converters.mil.mil.program import Program

    asked: list[bool] = []

    class Function:
        def validate(self, *, check_essential_scope: bool, **_: Any) -> None:
            asked.append(check_essential_scope)

    program = Program()
    program.functions = {"main": Function()}
    before = Program.validate
    with validated_now_and_then():
        program.validate()
        program.validate(check_essential_scope=False)
        program.validate(check_essential_scope=True)
    assert asked == [True]
    program.validate()
    assert asked == [True, False]
    assert Program.validate is before
