"""Names that mean something to a terminal, to a spreadsheet or to a page, through every command.

Nothing in them is read as markup, no control character reaches a stream, no cell is a formula, and
no file is lost.  `tests.test_escaping` has what each sink makes of each of them.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from affnet.artifact import manifest_path
from affnet.bench.html_report import page
from affnet.bench.reporting.output import write
from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import ratio_interval
from affnet.bench.store.database import Store
from affnet.devices import catalog
from affnet.devices.base import OperatorTime
from affnet.errors import printable
from affnet.evidence import MeasuredAccuracy
from affnet.placement import PlacedOperator
from tests.bench.html_report.pages import samples
from tests.bench.store.test_database import run_of
from tests.cli.conftest import edit_manifest
from tests.conftest import Finished
from tests.hostile import NAMES, is_clean, of_files

Run = Callable[..., Finished]


@pytest.fixture(autouse=True)
def _own_surroundings(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AFFNET_STORE", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(workspace / "none"))
    (workspace / "catalog.toml").write_text("")
    monkeypatch.setattr(catalog, "_SHIPPED", workspace / "catalog.toml")  # with no boards to reach


@pytest.fixture
def safe(run: Run) -> Run:
    """Run a command; whatever it says holds neither a traceback nor a control character."""

    def checked(*arguments: object, code: int | None = 0) -> Finished:
        done = run(*arguments)
        assert is_clean(done.out) and is_clean(done.err), done
        assert "Traceback" not in done.err
        assert code is None or done.code == code, done
        return done

    return checked


def toml(text: str) -> str:
    """A text as TOML writes it, escaped."""
    escaped = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in text)
    return '"' + "".join(escaped) + '"'


def no_formulas(text: str) -> list[list[str]]:
    rows = list(csv.reader(io.StringIO(text)))
    for cell in (cell for row in rows for cell in row):
        assert not cell.lstrip().startswith(("=", "+", "@")), cell
        assert not cell.lstrip().startswith("-") or cell in {"-", "-3.2"}, cell
    return rows


@pytest.fixture(scope="module")
def results() -> list[Result]:
    """A result of each name, which is that of its device and of all else, too, beside a peer."""
    pairs = (a_pair(number, name, name) for number, name in enumerate(NAMES))
    return [result for pair in pairs for result in pair]


def a_pair(number: int, name: str, device: str) -> list[Result]:
    operators = (OperatorTime("n", name, 7, f"{name}.0.a"), OperatorTime(name, "Conv", 5, name))
    fields = {
        "device": device,
        "runtime_version": name,
        "precision": name,
        "git_commit": name,
        "environment": {"cpu": device, "model": device, "before": {}},
        "validity_reasons": (name,),
        "limits": (name,),
        "weights": "random",
        "published": {"top1_percent": 73.0, "source": name},
        "operators": operators,
        "placed": (PlacedOperator(name, name, name, name, (name,), 3),),
        "asked_units": (f"{name} unit",),
        "accuracy": (MeasuredAccuracy(name, name, 10, 0.5, (0.4, 0.6), None, name),),
        "session": f"s{number}",
    }
    peer = f"peer of {name}"
    one, other = (
        run_of(1, model=model, blocks_ns=samples(middle), peer=peer, **fields)
        for model, middle in ((name, 8.0), (peer, 10.0))
    )
    ratio = ratio_interval(one.blocks_ns, other.blocks_ns)
    return [dataclasses.replace(one, ratio_to_peer=ratio), other]


def test_compare_in_all_forms(safe: Run, results: list[Result]) -> None:
    write(results, Path("r.jsonl"))
    done = safe("compare", "r.jsonl", "-o", "r.json")
    for name in NAMES:
        assert printable(name).strip() in done.out
    assert len(json.loads(Path("r.json").read_text())["results"]) == len(results)
    done = safe("compare", "r.jsonl", "--csv", "-o", "r.md")
    assert len(no_formulas(done.out)) == 1 + len(results)
    text = Path("r.md").read_text()
    assert is_clean(text) and "<script>alert" not in text.replace("\\<", "")
    assert len([line for line in text.splitlines() if line.startswith("| 2026-")]) == len(results)
    assert safe("compare", "r.jsonl", "--markdown", "-o", "r.csv").out == text
    assert Path("r.csv").read_text() == done.out
    assert len(safe("compare", "r.jsonl", "--json").json["results"]) == len(results)


def test_a_page(safe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("altair", reason="not installed: pip install 'affnet[report]'")
    monkeypatch.setattr(page, "libraries", lambda: "")
    names = [name for name in NAMES if set("<>&'\x1b\0\u202e\n") & set(name)]
    places = ["<b>html</b>\x1b[31m", *["fake"] * len(names)]  # each has charts, which take long
    pairs = [a_pair(n, name, places[n]) for n, name in enumerate(names)]
    write([result for pair in pairs for result in pair], Path("r.jsonl"))
    safe("compare", "r.jsonl", "--html", "r.html")
    html = Path("r.html").read_text(encoding="utf-8")
    assert is_clean(html)
    ends = re.findall("</?script[^>]*>|<b>|<!--", html)  # of the page's own
    assert (
        ends
        == ['<script type="application/json" id="content">', "</script>"]
        + [
            "<script>",
            "</script>",
        ]
        * 2
    )


def test_compare_of_a_store_and_its_histories(safe: Run, results: list[Result]) -> None:
    with Store("s.db") as store:
        store.add(results)
    for name in NAMES[::3]:
        if name.startswith("-"):  # it is taken for an option
            continue
        done = safe("compare", "--store", "s.db", "--history", name, "--against", f"peer of {name}")
        assert f"x peer of {printable(name)}" in done.out
    names = [argument for name in NAMES for argument in ("--model", name) if name[:1] != "-"]
    assert safe("compare", "--store", "s.db", "--last", 0, *names).out
    assert "it has: " in safe("compare", "--store", "s.db", "--model", "gone", code=2).err


def test_check_on_files_and_what_a_pull_request_shows(
    safe: Run, results: list[Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(results, Path("r.json"))
    Path("b.toml").write_text(
        "".join(
            f"[[budget]]\nname = {toml(name)}\nmodel = {toml(name)}\ndevice = {toml(name)}\n"
            'at_most = "1 ms"\n'
            for name in NAMES
        )
    )
    files = ("--junit", "j.xml", "--summary", "s.md")
    done = safe("check", "r.json", "--budgets", "b.toml", *files, code=None)
    for name in NAMES:
        assert f"median of {printable(name)} is 8." in done.out
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "step.md")
    done = safe("check", "r.json", "--budgets", "b.toml", code=None)
    commands = [line for line in done.out.splitlines() if line.lstrip().startswith("::")]
    assert len(commands) == len(NAMES)
    assert all(line.startswith("::error file=b.toml,") for line in commands)
    assert "##[" not in done.out.partition("::error file")[0]
    assert Path("s.md").read_text() == Path("step.md").read_text()
    assert is_clean(Path("s.md").read_text())
    cases = ET.parse("j.xml").getroot().iter("testcase")  # noqa: S314  # our own
    assert [case.get("name") for case in cases] == [printable(name) for name in NAMES]


def test_bench_on_devices_of_such_names(safe: Run, onnx_copy: Path, workspace: Path) -> None:
    files = [copy_of(onnx_copy, workspace / f"{name}.onnx") for name in of_files()[::2]]
    names = [name for name in NAMES if "," not in name and name == name.strip() != ""]
    tables = (f'[{toml(name)}]\nkind = "fake"\n' for name in names)
    Path("d.toml").write_text("".join(tables))
    done = safe("devices", "--devices-file", "d.toml")
    for name in names:
        assert printable(name).strip() in done.out
    on_one = ("--device", "fake", "--devices-file", "d.toml")
    Path("d.toml").write_text('[fake]\nkind = "fake"\n' + Path("d.toml").read_text())
    models = [path for path in files if not path.name.startswith("-")]
    done = safe("bench", *models, *on_one, "--csv", "-o", "r.md", "--store", "s.db")
    assert len(no_formulas(done.out)) == 1 + len(models)
    assert Path("r.md").read_text().count("\n| ") == 1 + len(models)
    some = names[::3]
    everywhere = ("--device", ",".join(some), "--devices-file", "d.toml")
    done = safe("bench", onnx_copy, *everywhere, "-o", "r.csv")
    assert len(no_formulas(Path("r.csv").read_text())) == 1 + len(some)
    assert safe("bench", onnx_copy, *everywhere, "--dry-run").out.count("\nOn ") == len(some) - 1


def copy_of(artifact: Path, target: Path) -> Path:
    """Copy an artifact with its manifest, by a link each."""
    for source, path in ((artifact, target), (manifest_path(artifact), manifest_path(target))):
        path.hardlink_to(source)
    return target


def test_an_artifact_of_such_names(safe: Run, onnx_copy: Path, workspace: Path) -> None:
    Image.new("RGB", (32, 32)).save("image.png")
    manifest = json.loads(manifest_path(onnx_copy).read_text())
    for first in range(0, len(NAMES), 10):
        names = [*NAMES, *NAMES][first : first + 10]
        edit_manifest(
            onnx_copy,
            labels=names,
            model=names[0],
            tools=dict.fromkeys(names, names[0]),
            details={**manifest["details"], **dict.fromkeys(names, names[1])},
            fft_plan={"8x8": names[2]},
            published={"top1_percent": 1.0, "source": names[3]},
        )
        done = safe("inspect", onnx_copy)
        assert all(printable(name).strip() in done.out for name in names)
        done = safe("run", onnx_copy, "image.png", "-o", "seen")
        assert sum(printable(name).strip() in done.out for name in names) >= 5
    edit_manifest(onnx_copy, labels=["image"] * 10)
    assert safe("run", onnx_copy, "image.png").out.count("image  ") == 1 + 5
    images = [workspace / f"{name}.png" for name in of_files()[::3]]
    for image in images:
        Image.new("RGB", (32, 32)).save(image, "PNG")
    done = safe("run", onnx_copy, *(image for image in images if image.name[0] != "-"))
    assert done.out.count("\nimage ") > 10


def test_eval_names_images_and_classes(safe: Run, onnx_copy: Path, workspace: Path) -> None:
    for index, name in enumerate(of_files()):
        folder = workspace / "images" / str(index % 10)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(b"no picture")
        Image.new("L", (32, 32)).save(folder / "whole.png")
    done = safe("eval", onnx_copy, "--data", "images")
    assert done.err.count("Note: Skipped: ") == len(of_files())
    for name in of_files():
        (workspace / "classes" / name.replace(".", "_")).mkdir(parents=True, exist_ok=True)
    safe("eval", onnx_copy, "--data", "classes", code=2)


@pytest.mark.usefixtures("instant_conversion")
def test_export_with_labels(safe: Run, workspace: Path) -> None:
    kept = [name for name in NAMES if name.strip() and len(name.splitlines()) == 1]
    for names in (kept[::6][:10], kept[1::6][:10]):
        Path("labels.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
        safe("export", "digits", "--labels", "labels.txt", "-o", workspace / "[out]")


def test_errors_quote_names_in_one_line(safe: Run, onnx_copy: Path) -> None:
    commands = (
        ("inspect", "--", "{}"),
        ("bench", "--device", "not {}", "--", onnx_copy),
        ("compare", "--", "{}.json"),
        ("devices", "doctor", "--", "not {}"),
        ("bench", "--no{}"),
        ("bench", "--preset={}"),
        ("no{}",),
    )
    terminals = [name for name in NAMES if not is_clean(name) or "[" in name or "\n" in name]
    names = [name for name in terminals if "\0" not in name]  # which no argument can hold
    for name, command in zip(names, itertools.cycle(commands), strict=False):
        arguments = [str(part).replace("{}", name) for part in command]
        assert safe(*arguments, code=None).code in (2, 3), arguments


@contextmanager
def stdout_is(descriptor: int) -> Iterator[None]:
    """Let stdout be another file, as a shell would."""
    saved, original = os.dup(1), sys.stdout
    os.dup2(descriptor, 1)
    os.close(descriptor)
    sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    try:
        yield
    finally:
        sys.stdout = original
        os.dup2(saved, 1)
        os.close(saved)


FULL = "Error: Writing to stdout failed: No space left on device; send it elsewhere.\n"
COMMANDS = (
    ("compare", "r.json", "-o", "kept"),
    ("compare", "r.json", "--csv", "-o", "kept"),
    ("compare", "r.json", "--json", "-o", "kept"),
    ("check", "r.json", "--budgets", "b.toml", "--junit", "kept"),
    ("check", "r.json", "--budgets", "b.toml", "--junit", "kept", "--json"),
    ("bench", "copy.onnx", "--device", "fake", "-o", "kept", "--quiet"),
)


@pytest.fixture
def two_results(results: list[Result], onnx_copy: Path) -> None:
    write(results[:2], Path("r.json"))
    Path("b.toml").write_text(
        f"[[budget]]\nmodel = {toml(NAMES[0])}\ndevice = {toml(NAMES[0])}\nat_most = '1 s'\n"
    )
    (onnx_copy.parent / "catalog.toml").write_text('[fake]\nkind = "fake"\n')


@pytest.mark.usefixtures("two_results")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "command", [*COMMANDS, ("--help",), ("--version",), ("inspect", "copy.onnx")]
)
def test_a_full_stdout_is_one_sentence_and_costs_no_file(
    run: Run, command: tuple[str, ...]
) -> None:
    command = tuple(part.replace("kept", "kept.jsonl") for part in command)
    with stdout_is(os.open("/dev/full", os.O_WRONLY)):
        done = run(*command)
    assert done.code == 1
    assert (
        done.err == "Error: Writing to stdout failed: No space left on device; send it elsewhere.\n"
    )
    assert Path("kept.jsonl").exists() == ("kept.jsonl" in command)


@pytest.mark.usefixtures("two_results")
@pytest.mark.parametrize("command", COMMANDS[:3])
def test_a_reader_that_has_left_ends_the_run_quietly(run: Run, command: tuple[str, ...]) -> None:
    command = tuple(part.replace("kept", "kept.jsonl") for part in command)
    reader, writer = os.pipe()
    os.close(reader)
    with stdout_is(writer):
        done = run(*command)
    assert (done.code, done.err) == (141, "")
    assert Path("kept.jsonl").exists()


@pytest.mark.usefixtures("two_results")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_costs_nothing_that_is_printed(
    run: Run, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    command = tuple(part.replace("kept", "kept.json") for part in command)
    expected = run(*(part for part in command if part not in ("-o", "--junit", "kept.json")))
    monkeypatch.setattr(os, "fsync", full)
    done = run(*command)
    assert done.code == 1 and done.error.startswith("No space is left for kept.json; ")
    assert without_times(done.out) == without_times(expected.out) != ""
    assert not Path("kept.json").exists()


def without_times(text: str) -> str:
    """What a command printed, without what differs from run to run."""
    return re.sub(r'"(session|recorded_at|date)": ".*?"', "", text)
