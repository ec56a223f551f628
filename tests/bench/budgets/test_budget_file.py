"""Files of budgets: what they may say, and the line and key of what they may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.bench.budgets.budget_file import Place, read_budgets
from affnet.errors import BudgetError

GOOD = '[[budget]]\nmodel = "one"\nat_most = "12 ms"\n'


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "budgets.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def entry(*lines: str) -> str:
    return "\n".join(["# why", "", "[[budget]]", 'model = "one"', *lines, ""])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (entry('at_mots = "12 ms"'), "line 5: at_mots is unknown; did you mean 'at_most'?"),
        (entry('at_most = "1 ms"', 'runtime = "onnx"'), "line 6: runtime 'onnx' is unknown"),
        (entry("at_most = true"), "line 5: at_most must be a number or a quantity in quotes"),
        (entry('at_most = "1 ms"', 'threads = "4"'), "line 6: threads must be a whole number"),
        (entry('at_most = "1 ms"', "threads = true"), "line 6: threads must be a whole number"),
        (entry('at_most = "1 ms"', "threads = 0"), "line 6: threads must be at least 1"),
        (entry('at_most = "1 ms"', 'name = ""'), "line 6: name must not be empty"),
        (entry("at_most = 0.8", 'peer = ""'), "line 6: peer must not be empty"),
        (entry("at_most = 0.8", 'peer = "one"'), "line 6: peer must be another model"),
        (entry('at_most = "1 ms"', 'device = "host,pi"'), "line 6: device must be one"),
        ('[[budget]]\nat_most = "12 ms"\n', "line 1: model is missing"),
        (entry(), "line 3: at_most is missing"),
        (entry('at_most = "12 parsecs"'), "line 5: at_most must be like '12 ms'"),
        (entry('at_most = "12 MB"'), "line 5: at_most must be like '12 ms'"),
        (entry("at_most = 12"), "line 5: at_most must be like '12 ms'"),
        (entry('at_most = "+1.2.3 %"'), "line 5: at_most must be like '12 ms'"),
        (entry('at_most = "12 ms"', 'metric = "file_size"'), "must be like '25 MB'"),
        (entry('at_most = "1e-4"', 'metric = "parity"'), "must be like 1e-4"),
        (entry('at_most = "12 ms"', 'peer = "two"'), "beside a peer is a factor, such as 0.8"),
        (entry('at_most = "9 %"', 'metric = "placement"'), "line 5: at_most is not for the metric"),
        (entry('at_least = "9 ms"'), "line 5: at_least is not for the metric median; write at_mo"),
        (entry('metric = "placement"'), "line 3: at_least is missing"),
        (entry("at_least = 101", 'metric = "placement"'), "line 5: at_least must be a percentage"),
        (entry("at_least = 0", 'metric = "placement"'), "line 5: at_least must be a percentage"),
        (
            entry("at_least = 90", 'metric = "placement"', 'peer = "two"'),
            "line 5: at_least is a percentage, and a peer means nothing to placement; omit peer",
        ),
        (entry('at_most = "0 ms"'), "line 5: at_most must be above 0, not '0 ms'"),
        (entry("at_most = -1", 'peer = "two"'), "line 5: at_most must be above 0, not -1"),
        (entry("at_most = nan", 'peer = "two"'), "line 5: at_most must be above 0, not nan"),
        (entry('at_most = "1 ms"', 'metric = "medain"'), "'medain' is unknown; did you mean 'med"),
        (GOOD + GOOD, "line 5: name 'median of one <= 12 ms (onnxruntime on host)' is taken"),
        (GOOD + "[buget]\n", "line 4: buget is unknown; did you mean 'budget'?"),
        ("[models]\none = 1\n" + GOOD, "line 1: models must give a file or source to each name"),
        ("models = 1\n" + GOOD, "line 1: models must give"),
        ("budget = [1]\n", "line 1: budget must hold tables, not 1"),
        ('budget = [{model = "one"}]\n', "line 1: at_most is missing"),
        ("", "holds no [[budget]]"),
        ('[budget]\nmodel = "one"\n', "holds no [[budget]]"),
        ("[[budget]\n", "is not TOML: "),
        (b"\xff\xfe", "is not TOML: 'utf-8' codec can't decode"),
    ],
)
def test_what_is_wrong_is_named_with_line_and_key(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BudgetError) as caught:
        read_budgets(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith((".", "?"))
    assert ".." not in str(caught.value).removeprefix(str(path))


def test_a_folder_and_no_file_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="cannot be read: Is a directory"):
        read_budgets(tmp_path)
    with pytest.raises(BudgetError, match=r"does not exist; docs/budgets\.md shows"):
        read_budgets(tmp_path / "none.toml")


def test_the_line_is_that_of_the_right_budget(tmp_path: Path) -> None:
    text = GOOD + entry('at_most = "5 ms"') + entry("at_most = 0.8", "peer = 3")
    with pytest.raises(BudgetError, match="line 14: peer must be a text in quotes, not 3"):
        read_budgets(written(tmp_path, text))


def test_each_kind_of_limit_is_read_in_base_units(tmp_path: Path) -> None:
    text = (
        entry('at_most = "12 ms"')
        + entry('at_most = "1.5 MB"', 'metric = "file_size"')
        + entry("at_most = 0.8", 'peer = "two"', 'metric = "p90"')
        + entry('at_most = "+5 %"', 'device = "pi"', 'runtime = "litert"', "threads = 4")
        + entry("at_most = 1e-4", 'metric = "parity"', 'name = "exact"')
    )
    absolute, size, peer, relative, parity = read_budgets(written(tmp_path, text)).budgets
    assert (absolute.limit, absolute.place, absolute.line) == (12e6, Place(), 4)
    assert size.limit == 1.5e6
    assert (peer.limit, peer.peer, peer.relative_to_baseline) == (0.8, "two", False)
    assert (relative.limit, relative.relative_to_baseline) == (1.05, True)
    assert relative.place == Place("pi", "litert", 4)
    assert relative.name == "median of one <= +5 % (litert on pi, 4 threads)"
    assert (parity.limit, parity.name) == (1e-4, "exact")


def test_a_share_is_the_least_that_is_allowed(tmp_path: Path) -> None:
    text = entry('at_least = "99.5 %"', 'metric = "placement"', 'name = "a"')
    text += entry("at_least = 100", 'metric = "placement"', 'runtime = "litert"')
    first, second = read_budgets(written(tmp_path, text)).budgets
    assert (first.limit, first.text) == (0.995, "99.5 %")
    assert (second.limit, second.name) == (1.0, "placement of one >= 100 (litert on host)")


def test_inline_tables_are_budgets_too(tmp_path: Path) -> None:
    text = 'budget = [{model = "one", at_most = "1 s"}, {model = "two", at_most = "1 us"}]\n'
    assert [b.limit for b in read_budgets(written(tmp_path, text)).budgets] == [1e9, 1e3]


def test_paths_start_at_the_file_of_budgets_and_names_stay_names(tmp_path: Path) -> None:
    models = '[models]\nmine = "build/mine.onnx"\nfar = "/far/x.onnx"\nfunction = "nets.my:f"\n'
    budgets = read_budgets(written(tmp_path, models + GOOD))
    assert budgets.source("mine") == str(tmp_path / "build/mine.onnx")
    assert budgets.source("far") == "/far/x.onnx"
    assert budgets.source("function") == "nets.my:f"
    assert budgets.source("affnet_et") == "affnet_et"
    assert budgets.source("other.onnx") == str(tmp_path / "other.onnx")


@pytest.mark.parametrize(
    ("lines", "runtime"),
    [
        ([], "onnxruntime"),
        (['device = "phone"'], "litert"),
        (['device = "nobody"'], "onnxruntime"),  # results of another machine are judged
        (['model = "a.tflite"'], "litert"),
        (['model = "a.pte"', 'device = "nobody"'], "executorch"),
        (['model = "net.pt2"'], "onnxruntime"),  # a source
        (['model = "named"'], "executorch"),
        (['peer = "a.onnx"'], "onnxruntime"),
        (['model = "a.mlpackage"', 'device = "mac"'], "coreml"),
        (['device = "phone"', 'runtime = "onnxruntime"'], "onnxruntime"),
    ],
)
def test_the_runtime_follows_from_the_file_else_from_the_device(
    tmp_path: Path, lines: list[str], runtime: str
) -> None:
    devices = tmp_path / "devices.toml"
    devices.write_text('[phone]\nkind = "adb"\n[mac]\nkind = "fake"\n')
    limit = "at_most = 2" if any("peer" in line for line in lines) else 'at_most = "1 ms"'
    model = [] if any("model" in line for line in lines) else ['model = "one"']
    text = "\n".join(['[models]\nnamed = "build/x.pte"', "[[budget]]", limit, *model, *lines, ""])
    (budget,) = read_budgets(written(tmp_path, text), devices_file=devices).budgets
    assert budget.place.runtime == runtime


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['model = "a.pte"', 'device = "phone"'], "line 5: model has no runtime: phone does not"),
        (['model = "a.pte"', 'peer = "b.onnx"'], "model has no runtime: One runtime measures all"),
    ],
)
def test_a_file_that_nothing_runs_is_named_with_its_line(
    tmp_path: Path, lines: list[str], said: str
) -> None:
    devices = tmp_path / "devices.toml"
    devices.write_text('[phone]\nkind = "browser"\n')
    text = "\n".join(["", "[[budget]]", "threads = 1", "at_most = 1", *lines, ""])
    if "peer" not in lines[1]:
        text = text.replace("at_most = 1", 'at_most = "1 ms"')
    with pytest.raises(BudgetError) as caught:
        read_budgets(written(tmp_path, text), devices_file=devices)
    assert said in str(caught.value)
