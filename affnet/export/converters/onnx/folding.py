"""Constant folding of the graphs that ``torch.onnx`` writes, without its optimizer's tolerances.

The optimizer that ``torch.onnx.export(optimize=True)`` runs takes a constant within 1e-8 of 0, or
within 1e-5 of 1, for 0 or 1, and drops the operator: ``x / (norm + 1e-8)`` becomes ``x / norm``,
which is NaN at zero.  The passes here compare no constants; onnxsim, which comes afterwards, drops
operators only where the constant is exactly neutral.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx_ir


def fold_constants(model: onnx_ir.Model) -> None:
    """Inline the functions of ``model`` and compute what depends on constants only, in place.

    Before, as ``torch.onnx.export(optimize=False)`` leaves a group normalization without weights::

        GroupNorm(x):  Expand(CastLike(1, x), [C]) -> Mul ;  Expand(CastLike(0, x), [C]) -> Add

    After, with the shapes and types of all values inferred::

        Mul(.., ones) -> Add(.., zeros)
    """
    from onnx_ir.passes import common
    from onnxscript.optimizer import fold_constants_ir
    from onnxscript.rewriter import RewriteRuleSet
    from onnxscript.rewriter.rules import common as rules

    common.InlinePass()(model)
    fold_constants_ir(model, onnx_shape_inference=True)  # CastLike needs its operand's type
    fusions = [rules.fuse_batchnorm_into_conv_rule, rules.fuse_batchnorm_into_gemm_rule]
    RewriteRuleSet(fusions).apply_to_model(model)  # onnxsim would too, and rename the weights
    common.RemoveUnusedNodesPass()(model)
    common.RemoveUnusedOpsetsPass()(model)
