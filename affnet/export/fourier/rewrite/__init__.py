"""Freeing an exported graph of Fourier transforms and complex numbers.

::

    before                                  after
    x        f32[B, C, H, W]                x        f32[B, C, H, W]
    _fft_r2c c64[B, C, H, F]                matmul   f32[B, C, H, F]   x @ cos
    mul      c64[B, C, H, F]  by a weight   matmul   f32[B, C, H, F]   x @ -sin
    _fft_c2r f32[B, C, H, W]                mul, sub f32[B, C, H, F]   real part of the product
                                            ...                        and so on

Every complex value is kept as two real ones of the same shape, so that no tensor gains an axis
on the way; only at the program's borders, where one value must stand for it, do the real and the
imaginary part share a trailing axis of 2.
"""

from affnet.export.fourier.rewrite.program import RewrittenProgram, rewrite_program

__all__ = ["RewrittenProgram", "rewrite_program"]
