"""coremltools' upkeep of a program in the making."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from affnet.export.converters.coreml.upkeep import little_upkeep

pytestmark = [pytest.mark.converters, pytest.mark.filterwarnings("ignore")]


def test_a_program_is_checked_once_a_pipeline_and_elsewhere_as_before() -> None:
    from coremltools.converters.mil.mil.passes.pass_pipeline import PassPipelineManager
    from coremltools.converters.mil.mil.program import Program

    asked: list[bool] = []

    class Function:
        def validate(self, *, check_essential_scope: bool, **_: Any) -> None:
            asked.append(check_essential_scope)

        def to_str(self, *_: Any, **__: Any) -> str:
            return ""

    def pipeline(*passes: str) -> Any:
        return SimpleNamespace(passes=[*passes], validate=lambda: None, get_options=lambda _: None)

    program = Program()
    program.functions = {"main": Function()}
    program.skip_all_passes = True
    before = Program.validate
    with little_upkeep():
        program.validate()
        PassPipelineManager.apply_pipeline(
            program, pipeline("common::const_elimination", "common::dead_code_elimination")
        )
        PassPipelineManager.apply_pipeline(
            program, pipeline("common::dead_code_elimination", "common::const_elimination")
        )
    assert asked == [False, True, False]
    PassPipelineManager.apply_pipeline(program, pipeline("common::const_elimination"))
    assert asked == [False, True, False, False, False]
    assert Program.validate is before


def test_a_program_that_a_pass_left_wrong_is_refused_all_the_same() -> None:
    from coremltools.converters.mil import Builder
    from coremltools.converters.mil.mil.passes.pass_pipeline import (
        PassPipeline,
        PassPipelineManager,
    )

    @Builder.program(input_specs=[Builder.TensorSpec(shape=(2,))])
    def program(x: Any) -> Any:
        return Builder.relu(x=x)

    operator = program.functions["main"].find_ops(op_type="relu")[0]
    operator.x.child_ops.clear()  # the table that says who reads it
    with little_upkeep(), pytest.raises(Exception, match="should be consumed"):
        PassPipelineManager.apply_pipeline(program, PassPipeline.EMPTY)


def test_marks_are_kept_up_from_the_first_compressed_constant_on() -> None:
    from coremltools.converters.mil.mil.block import Block

    propagated: list[Any] = []
    own = Block._propagate_nonreplaceable_vars
    Block._propagate_nonreplaceable_vars = propagated.append
    try:
        with little_upkeep():
            inner = SimpleNamespace(operations=[_operator("constexpr_lut_to_dense")])
            for operators in ([_operator("relu")], [_operator("while_loop", inner)], []):
                Block._propagate_nonreplaceable_vars(SimpleNamespace(operations=operators))
    finally:
        Block._propagate_nonreplaceable_vars = own
    assert [[each.op_type for each in block.operations] for block in propagated] == [
        ["while_loop"],
        [],
    ]


def _operator(kind: str, *blocks: Any) -> Any:
    return SimpleNamespace(op_type=kind, blocks=blocks)
