"""Profiles: which module a node belongs to, and the tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement import profiling
from affnet.bench.measurement.interleaved import Job, measure
from affnet.bench.measurement.profiling import (
    assign_modules,
    by_module,
    by_operator,
    informative_depth,
    modules_of,
    parts_of,
    take_profile,
)
from affnet.bench.measurement.protocol import get_protocol
from affnet.bench.reporting.profile_table import tables
from affnet.bench.results.result import Result
from affnet.devices.base import OperatorTime
from affnet.devices.host import HostDevice
from tests.bench.fakes import MS, FakeDevice, a_result, an_artifact
from tests.conftest import Finished

Run = Callable[..., Finished]


def a_graph(path: Path) -> None:
    """Write ``relu(conv(relu(image))) + image``."""
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("Relu", ["image"], ["early"], "before"),
        helper.make_node("Conv", ["early", "stage.0.conv.weight", "stage.0.conv.weight_bias"],
                         ["getitem"], "node_Conv_1"),
        helper.make_node("Relu", ["getitem"], ["relu"], "node_relu"),
        helper.make_node("MatMul", ["relu", "head.fc.weight"], ["fc"], "node_fc"),
        helper.make_node("Add", ["relu", "fc"], ["out"], "node_add"),
    ]  # fmt: skip
    weights = [helper.make_tensor(name, number, shape, [0.0] * size) for name, shape, size in (
        ("stage.0.conv.weight", [1, 1, 1, 1], 1), ("stage.0.conv.weight_bias", [1], 1),
        ("head.fc.weight", [2, 2], 4))]  # fmt: skip
    image = helper.make_tensor_value_info("image", number, [1, 1, 2, 2])
    out = helper.make_tensor_value_info("out", number, [1, 1, 2, 2])
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [image], [out], weights)), path)


def test_weights_tell_the_module_and_what_has_none_follows_what_feeds_it(tmp_path: Path) -> None:
    a_graph(tmp_path / "m.onnx")
    assert modules_of(tmp_path / "m.onnx") == {
        "node_Conv_1": "stage.0.conv", "getitem": "stage.0.conv",
        "node_relu": "stage.0.conv", "relu": "stage.0.conv",
        "node_fc": "head.fc", "fc": "head.fc", "node_add": "head.fc", "out": "head.fc",
    }  # fmt: skip


def test_what_takes_long_is_divided_into_its_modules() -> None:
    names = {"m.stem.conv": 5, "m.body.0.a": 30, "m.body.0.b": 25, "m.body.1.a": 4, "m.head": 6}
    times = [
        OperatorTime("early", "Op", 2),
        *(OperatorTime(name, "Op", ns, name) for name, ns in names.items()),
        OperatorTime("again", "Op", 1, "m.body.0.a"),
        OperatorTime("own", "Op", 20, "m.body.0"),
    ]

    def told(**most: int) -> dict[str, int]:
        return {name: sum(time.mean_ns for time in part) for name, part in parts_of(times, **most)}

    assert told() == {
        "": 2, "m.stem": 5, "m.body.0.a": 31, "m.body.0.b": 25, "m.body.1": 4, "m.head": 6,
        "m.body.0": 20,
    }  # fmt: skip
    assert list(told()) == [
        "", "m.stem", "m.body.0.a", "m.body.0.b", "m.body.1", "m.head", "m.body.0",
    ]  # fmt: skip
    assert told(most=4) == {"": 2, "m.stem": 5, "m.body.0": 76, "m.body.1": 4, "m.head": 6}
    assert parts_of([]) == []


def test_what_the_optimiser_made_of_a_node_keeps_its_module() -> None:
    names = ("before", "getitem_nchwc", "node_silu/QuickGeluFusion/", "ReorderOutput_token_3", "fc")
    times = [OperatorTime(name, "Op", 1) for name in names]
    modules = {"getitem": "a", "node_silu": "b", "fc": "c"}
    assert [time.module for time in assign_modules(times, modules)] == [None, "a", "b", "b", "c"]


def test_each_operator_of_a_real_network_finds_its_module(digits_onnx: Artifact) -> None:
    found = take_profile(digits_onnx, "onnxruntime", HostDevice(), 1)
    assert not isinstance(found, str)
    assert all(time.module for time in found)
    modules = by_module(found, informative_depth(found))
    assert next(iter(modules)) == "conv_1.block"
    assert {"layer_3.1", "layer_4.1", "layer_5.1", "classifier.fc"} <= set(modules)
    mixing = [time for time in found if "filter.mixer" in str(time.module)]
    assert "MatMul" in {time.operator for time in mixing}
    assert sum(modules.values()) == sum(by_operator(found).values())


def test_modules_are_told_as_deep_as_it_takes_to_tell_them_apart() -> None:
    stages = {"a.b.layer.0.conv": 40, "a.b.layer.1.conv": 40, "a.b.layer.1.norm": 10, "a.head": 10}
    times = [OperatorTime(name, "Conv", time, name) for name, time in stages.items()]
    assert by_module(times, informative_depth(times)) == {
        "a.b.layer.0": 40, "a.b.layer.1": 50, "a.head": 10,
    }  # fmt: skip
    assert informative_depth(times[:1]) == 5  # no deeper than its name
    assert informative_depth([OperatorTime("n", "Conv", 1)]) == 2


def test_a_device_without_a_profiler_says_so_and_is_not_asked_unless_wanted(
    tmp_path: Path,
) -> None:
    job = Job("one", an_artifact("one", tmp_path), "onnxruntime")
    device = FakeDevice({"one": lambda _: 5 * MS})
    (plain,) = measure([job], device, get_protocol("quick"), threads=1)
    started = device.started
    (watched,) = measure([job], device, get_protocol("quick"), threads=1, profile=True)
    assert device.started - started == started + 1
    assert plain.limits == ()
    assert watched.limits == ("fake does not report the times of operators",)


def test_a_runtime_without_a_profiler_is_a_limit(tiny_pt2: Artifact) -> None:
    found = take_profile(tiny_pt2, "torch", HostDevice(), 1)
    assert isinstance(found, str)
    assert found.startswith("the times of operators are not known: torch has no profiler here")


def test_tables_hold_shares_and_sum_up_what_is_small() -> None:
    times = tuple(
        OperatorTime(f"n{i}", f"Op{i}", (20 - i) * MS, "a.b.c" if i else None) for i in range(15)
    )
    text = "\n".join(table.markdown() for table in tables([a_result(operators=times)]))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[2] == "| Op0 | 20.00 | 10.3 |"
    assert rows[13] == "| 4 others | 30.00 | 15.4 |"
    assert rows[-1] == "| a.b.c | 175 | 100 |"
    assert text.startswith("one, watched by the profiler of onnxruntime:\n")
    assert not list(tables([a_result()]))


def test_a_profile_is_read_again_from_a_record() -> None:
    result = a_result(operators=(OperatorTime("n", "Conv", 7, "a.b"), OperatorTime("m", "Add", 1)))
    record = json.loads(json.dumps(result.to_json()))
    assert Result.from_json(record).operators == result.operators


def test_a_profile_from_the_command_line(
    run: Run, digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiling, "RUNS", 3)
    done = run("bench", digits_onnx.path, "--preset", "quick", "--profile")
    assert done.code == 0, done.err
    assert "digits, watched by the profiler of onnxruntime:" in done.out
    assert "layer_5.1" in done.out
    done = run("bench", digits_onnx.path, "--preset", "quick", "--profile", "--json")
    (result,) = json.loads(done.out)["results"]
    assert set(result["operators"][0]) == {"name", "operator", "mean_ns", "module"}
    planned = run("bench", digits_onnx.path, "--profile", "--dry-run").out
    assert "Run digits.onnx under the profiler, for the time of each operator" in planned
