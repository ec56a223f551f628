"""Weights compressed by coremltools.optimize, against what coremltools itself decompresses."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from affnet.runtimes.mlprogram import load_program

ct = pytest.importorskip("coremltools")
mb = pytest.importorskip("coremltools.converters.mil.mil").Builder
cto = pytest.importorskip("coremltools.optimize.coreml")
types = pytest.importorskip("coremltools.converters.mil.mil").types

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((16, 64)).astype(np.float32)
X = RNG.standard_normal((3, 64)).astype(np.float32)

SETTINGS = {
    "linear_int8": (
        "iOS16",
        lambda: cto.linear_quantize_weights,
        lambda: cto.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0),
        "constexpr_affine_dequantize",
    ),
    "linear_uint8": (
        "iOS16",
        lambda: cto.linear_quantize_weights,
        lambda: cto.OpLinearQuantizerConfig(mode="linear", dtype="uint8", weight_threshold=0),
        "constexpr_affine_dequantize",
    ),
    "linear_int4_by_block": (
        "iOS18",
        lambda: cto.linear_quantize_weights,
        lambda: cto.OpLinearQuantizerConfig(
            mode="linear", dtype="int4", granularity="per_block", block_size=16, weight_threshold=0
        ),
        "constexpr_blockwise_shift_scale",
    ),
    **{
        f"palette_{bits}_{target}": (
            target,
            lambda: cto.palettize_weights,
            lambda bits=bits: cto.OpPalettizerConfig(
                mode="uniform", nbits=bits, weight_threshold=0
            ),
            "constexpr_lut_to_dense",
        )
        for bits, target in ((1, "iOS16"), (4, "iOS16"), (6, "iOS16"), (2, "iOS18"), (6, "iOS18"))
    },
    "palette_by_group": (
        "iOS18",
        lambda: cto.palettize_weights,
        lambda: cto.OpPalettizerConfig(
            mode="uniform",
            nbits=3,
            granularity="per_grouped_channel",
            group_size=4,
            weight_threshold=0,
        ),
        "constexpr_lut_to_dense",
    ),
    "sparse_iOS16": (
        "iOS16",
        lambda: cto.prune_weights,
        lambda: cto.OpMagnitudePrunerConfig(target_sparsity=0.6, weight_threshold=0),
        "constexpr_sparse_to_dense",
    ),
    "sparse_iOS18": (
        "iOS18",
        lambda: cto.prune_weights,
        lambda: cto.OpMagnitudePrunerConfig(target_sparsity=0.6, weight_threshold=0),
        "constexpr_sparse_to_dense",
    ),
}


@pytest.mark.parametrize("precision", ["FLOAT32", "FLOAT16"])
@pytest.mark.parametrize("name", SETTINGS)
def test_compressed_weights(saved, tmp_path, name, precision):
    target, compress, config, operator = SETTINGS[name]
    target = getattr(ct.target, target)
    dtype = np.float16 if precision == "FLOAT16" else np.float32

    def function(a):
        return mb.linear(x=a, weight=WEIGHT.astype(dtype), bias=np.zeros(16, dtype))

    path = saved(function, [X.astype(dtype)], target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ct.models.MLModel(str(path), skip_model_load=True)
        small = compress()(model, cto.OptimizationConfig(global_config=config()))
        small.save(str(tmp_path / "small.mlpackage"))
        dense = cto.decompress_weights(small)  # coremltools' own reading of what it wrote
        dense.save(str(tmp_path / "dense.mlpackage"))
    read, reference = (load_program(tmp_path / f"{kind}.mlpackage") for kind in ("small", "dense"))
    assert operator in read.operator_counts()
    assert not any(kind.startswith("constexpr") for kind in reference.operator_counts())
    (result,) = read.predict({"a": X.astype(dtype)}).values()
    (expected,) = reference.predict({"a": X.astype(dtype)}).values()
    np.testing.assert_array_equal(result, expected)
    (original,) = load_program(path).predict({"a": X.astype(dtype)}).values()
    assert np.abs(result - original).max() > 0  # the weights did change


def test_vector_palette_and_sparse_chains(evaluate):
    mask = (np.arange(48).reshape(6, 8) % 3 == 0).astype(np.uint8)
    lut = np.arange(8, dtype=np.float32).reshape(1, 1, 4, 2)
    indices = (np.arange(24).reshape(3, 8) % 4).astype(np.uint8)
    scale = np.arange(1, 9, dtype=np.float32).reshape(1, 8)
    data = np.arange(16, dtype=np.int8)

    def function(a):
        narrow = types.np_uint2_dtype if hasattr(types, "np_uint2_dtype") else np.uint8
        table = mb.constexpr_lut_to_dense(
            indices=indices.astype(narrow), lut=lut, vector_axis=np.int32(0)
        )
        places, values = mb.constexpr_sparse_blockwise_shift_scale(
            data_mask=mask.astype(types.np_uint1_dtype), nonzero_data=data, scale=scale
        )
        dense = mb.constexpr_sparse_to_dense(nonzero_data=values, mask=places)
        places, values = mb.constexpr_lut_to_sparse(
            indices_mask=mask[:3].astype(types.np_uint1_dtype),
            indices_nonzero_data=indices[mask[:3] != 0].astype(narrow),
            lut=lut,
            vector_axis=np.int32(0),
        )
        thinned = mb.constexpr_sparse_to_dense(nonzero_data=values, mask=places)
        widened = mb.constexpr_cast(source_val=data.astype(np.float16), output_dtype="fp32")
        return (
            mb.add(x=a, y=table),
            mb.add(x=a, y=dense),
            mb.add(x=a, y=thinned),
            mb.add(x=mb.reduce_max(x=a), y=widened),
        )

    zeros = np.zeros((6, 8), np.float32)
    table, dense, thinned, widened = evaluate(function, [zeros], ct.target.iOS18)
    entries = lut[0, 0][indices]  # 3 x 8 x 2, the numbers of an entry along axis 0
    np.testing.assert_array_equal(table, entries.transpose(0, 2, 1).reshape(6, 8))
    expected = np.zeros((6, 8), np.float32)
    expected[mask != 0] = data
    np.testing.assert_array_equal(dense, expected * scale)
    kept = np.repeat(mask[:3], 2, axis=0)
    np.testing.assert_array_equal(thinned, table * kept)
    np.testing.assert_array_equal(widened, data)
