"""``affnet devices``, dry runs and sweeps from the command line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.runtimes import RUNTIMES
from tests.cli.conftest import contents
from tests.conftest import Finished

Run = Callable[..., Finished]
Refused = Callable[..., str]


@pytest.fixture
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two fakes, one of which fails, and a phone."""
    path = tmp_path_factory.mktemp("catalog") / "devices.toml"
    path.write_text(
        '[quick]\nkind = "fake"\nmacs_per_ns = 1000.0\n[bad]\nkind = "fake"\nfails = true\n'
    )
    return path


@pytest.fixture(autouse=True)
def _nothing_on_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The user's own catalog is empty, and boards of the shipped one stand nowhere."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))


def test_a_host_s_doctor_says_which_runtimes_there_are(run: Run) -> None:
    done = run("devices", "doctor", "host", "--json")
    assert done.code == 0
    steps = {step["step"]: step for step in done.json["steps"]}
    assert done.json["ok"] is True
    assert list(steps) == ["reachable", *RUNTIMES]
    assert steps["onnxruntime"]["passed"] is True
    assert steps["onnxruntime"]["detail"][0].isdigit()


def test_unknown_devices_and_bad_catalogs_are_refused(
    refused: Refused, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert refused("devices", "doctor", "toaster").startswith("Unknown device 'toaster'; valid: ")
    assert refused("bench", "digits", "--device", "toaster").startswith("Unknown device 'toaster'")
    broken = tmp_path_factory.mktemp("broken") / "devices.toml"
    broken.write_text('[x]\nkind = "fake"\nspeed = 1\n')
    for command in (("devices",), ("devices", "doctor", "x"), ("bench", "digits")):
        sentence = refused(*command, "--devices-file", broken)
        assert sentence.startswith(f"{broken}, [x]: unknown setting 'speed'; valid: kind, ")


def test_a_dry_run_names_each_step_and_does_nothing(
    run: Run, workspace: Path, digits_onnx: Artifact
) -> None:
    before = contents(workspace)
    done = run("bench", digits_onnx.path, "affnet_et", "--device", "host,fake", "--dry-run")
    assert done.code == 0, done.err
    assert done.out.splitlines()[:4] == [
        "On host, nothing of which is done now:",
        "  1. Export affnet_et to onnx and prove the file on this machine",
        "  2. Look at the load, the frequency governor and the temperature of this machine",
        "  3. Load digits.onnx in a process of its own, for its peak memory",
    ]
    assert "On fake, nothing of which is done now:" in done.out
    assert contents(workspace) == before
    planned = run("bench", digits_onnx.path, "--device", "fake", "--dry-run", "--json").json
    assert planned["dry_run"][0]["device"] == "fake"
    assert len(planned["dry_run"][0]["steps"]) == 3


def test_a_dry_run_refuses_what_the_run_would_refuse(refused: Refused) -> None:
    sentence = refused("bench", "digits", "--device", "fake", "--runtime", "trt", "--dry-run")
    assert sentence.startswith("Unknown runtime 'trt'")


@pytest.mark.parametrize(
    "arguments",
    [
        ("afnet",),
        ("digits", "--against", "mobilvit_xxs"),
        ("affnet_et+twin",),
        ("mobilevit_xxs+twins",),
        ("gone.onnx",),
        ("gone.pt",),
        ("gone.pt2",),
        ("nowhere:build",),
        ("digits", "--device", "toaster"),
        ("digits", "--device", "fake", "--devices-file", "gone.toml"),
        ("digits", "--weights", "gone.safetensors"),
        ("mobilevit_xxs", "--weights", "gone.safetensors"),
        ("digits", "--image-size", "abc"),
    ],
    ids=" ".join,
)
def test_a_dry_run_refuses_in_the_words_of_the_run(
    refused: Refused, arguments: tuple[str, ...]
) -> None:
    assert refused("bench", *arguments, "--dry-run") == refused("bench", *arguments)


def test_a_dry_run_refuses_a_file_that_the_runtime_does_not_run(
    refused: Refused, digits_onnx: Artifact
) -> None:
    given = ("bench", digits_onnx.path, "--runtime", "torch")
    assert refused(*given, "--dry-run") == refused(*given)
    assert refused(*given).startswith("torch does not run files of the format onnx")


def test_a_catalog_named_before_the_sub_command_counts(run: Run, catalog: Path) -> None:
    done = run("devices", "--devices-file", catalog, "--json", "doctor", "quick")
    assert (done.code, done.json["device"]) == (0, "quick")
    listed = run("devices", "--devices-file", catalog, "--json", "list").json["devices"]
    assert "quick" in [device["name"] for device in listed]


def test_a_sub_command_without_its_first_word_is_named_whole(refused: Refused) -> None:
    assert refused("list", "--all") == (
        "There is no command 'list'; run: affnet devices list --all"
    )
    assert refused("zoo", "--plot", "x.png") == (
        "There is no command 'zoo'; run: affnet bench zoo --plot x.png"
    )


def test_a_sweep_keeps_what_was_finished_when_one_device_fails(
    run: Run, digits_onnx: Artifact, catalog: Path, workspace: Path
) -> None:
    stored = workspace / "results.json"
    done = run(
        "bench", digits_onnx.path, "--device", "fake,bad,quick", "--devices-file", catalog,
        "--csv", "-o", stored,
    )  # fmt: skip
    assert done.code == 1
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["device"] for row in rows] == ["fake", "quick"]
    assert float(rows[0]["median ms"]) > 5 * float(rows[1]["median ms"])
    assert done.error == (
        "bad: Measuring digits.onnx on onnxruntime ended with exit code 1: bad is set to fail"
    )
    content = json.loads(stored.read_text())
    assert [result["device"] for result in content["results"]] == ["fake", "quick"]
    assert content["failures"] == [
        {"device": "bad", "error": done.error.removeprefix("bad: "), "exit_code": 1}
    ]
    assert "quick: Measuring the memory of digits" in done.err


def test_a_single_device_that_fails_is_the_command_s_own_failure(
    run: Run, digits_onnx: Artifact, catalog: Path
) -> None:
    done = run("bench", digits_onnx.path, "--device", "bad", "--devices-file", catalog, "--json")
    assert (done.code, done.out) == (1, "")
    assert done.error.startswith("Measuring digits.onnx on onnxruntime ended with exit code 1")


def test_a_fake_s_record_says_that_it_was_not_measured(run: Run, digits_onnx: Artifact) -> None:
    (record,) = run("bench", digits_onnx.path, "--device", "fake", "--json").json["results"]
    assert record["valid"] is False
    assert record["validity_reasons"] == ["not measured: the fake device computes its numbers"]
    assert record["environment"]["not_measured"] == "the fake device computes its numbers"


def test_failures_and_results_make_a_history(
    run: Run, refused: Refused, catalog: Path, digits_onnx: Artifact, tmp_path: Path
) -> None:
    store = tmp_path / "s.db"
    given = ("--devices-file", catalog, "--runtime", "onnxruntime", "--preset", "quick")
    done = run("bench", digits_onnx.path, "--device", "quick,bad", *given, "--store", store)
    assert done.code == 1
    bad, quick = run("devices", "history", "--store", store, "--json").json["devices"]
    assert (bad["device"], bad["results"], len(bad["failures"])) == ("bad", 0, 1)
    assert "bad is set to fail" in bad["failures"][0]["reason"]
    assert (quick["device"], quick["results"], quick["failures"]) == ("quick", 1, [])
    assert list(quick["days"]) == [quick["last_seen"][:10]]
    shown = run("devices", "history", "quick", "--store", store).out
    assert shown.startswith("quick\n")
    assert "quick, not valid once: not measured" in shown
    assert refused("devices", "history", "--store", tmp_path / "none.db").endswith(
        f"fill one with: affnet bench MODEL --store {tmp_path / 'none.db'}"
    )
    assert refused("devices", "history").startswith("No store is named")
