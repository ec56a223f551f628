"""Tensors of more axes than a format holds, written with fewer."""

from affnet.export.operators.wide_tensors.program import without_wide_tensors

__all__ = ["without_wide_tensors"]
