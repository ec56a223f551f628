"""Measuring on a board over a real ssh connection."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.interleaved import label_jobs, measure
from affnet.bench.measurement.pictures import picture_of
from affnet.bench.measurement.protocol import from_picture, get_protocol
from affnet.devices.catalog import Entry, open_device
from affnet.devices.doctor import diagnose
from affnet.devices.worker.board_main import NEEDED
from affnet.devices.worker.pipeline import STAGES
from affnet.errors import ConnectionLostError, MissingError
from affnet.parity import reference_inputs
from affnet.runtimes import get_runtime
from tests.cli.conftest import copy_artifact
from tests.conftest import Finished
from tests.devices.ssh.sshd import Board, device_of, entry_of
from tests.packages import need_openvino
from tests.shared_artifacts import SharedArtifacts

Run = Callable[..., Finished]


def ends(process: psutil.Process) -> bool:
    """Whether a process ends within seconds; one that nobody has waited for yet has ended."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_a_board_measures_like_a_host(board: Board, digits_onnx: Artifact) -> None:
    device = device_of(board)
    steps: list[str] = []
    with device.session("onnxruntime", steps.append):
        jobs = label_jobs([digits_onnx], "onnxruntime")
        (result,) = measure(jobs, device, get_protocol("quick"), threads=1, progress=steps.append)
    assert (result.device, result.runtime_version) == ("board", version("onnxruntime"))
    assert len(result.samples_ns) >= 30
    assert all(1e5 < sample < 1e9 for sample in result.samples_ns)
    assert 3e7 < result.peak_rss_bytes < 3e8
    assert result.parity is not None  # a real login, but the same machine and runtime
    assert result.parity.passed
    assert result.parity.max_rel_error < 1e-6
    found = result.environment
    assert (found["kind"], found["host"]) == ("ssh", board.address)
    assert found["memory_bytes"] > 1e8
    assert found["hardware_threads"] == os.cpu_count()
    assert 0 <= found["before"]["busy_cores"] <= found["hardware_threads"]
    assert steps[:3] == [
        f"Logging in to {board.address}",
        "Measuring the memory of digits",
        "Pushing digits.onnx",
    ]
    assert steps.count("Pushing digits.onnx") == 1  # for two processes


def test_a_board_takes_a_picture_to_its_answer(board: Board, digits_onnx: Artifact) -> None:
    device, protocol = device_of(board), from_picture(get_protocol("quick"), picture_of(None))
    with device.session("onnxruntime"):
        jobs = label_jobs([digits_onnx], "onnxruntime")
        (result,) = measure(jobs, device, protocol, threads=1)
    assert tuple(result.stages_ns) == STAGES
    assert result.samples_ns == tuple(map(sum, zip(*result.stages_ns.values(), strict=True)))
    assert min(map(min, result.stages_ns.values())) > 0


def test_a_picture_needs_pillow_on_the_board(
    board: Board, digits_onnx: Artifact, tmp_path: Path
) -> None:
    hiding = tmp_path / "sitecustomize.py"
    hiding.write_text("import sys\nsys.modules['PIL'] = None\n")
    board.python(f'PYTHONPATH={tmp_path} exec "$REAL" "$@"')
    device = device_of(board)
    with (
        device.session("onnxruntime"),
        device.start(digits_onnx, "onnxruntime", 1) as process,
        pytest.raises(MissingError, match=r"run there: pip install pillow$"),
    ):
        process.begin_pipeline(digits_onnx, picture_of(None))


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.converters
def test_a_board_runs_executorch_without_torch(board: Board) -> None:
    hiding = board.remote_home / "sitecustomize.py"
    hiding.write_text("import sys\nsys.modules['torch'] = None\n")
    board.python(f'PYTHONPATH="{hiding.parent}" exec "$REAL" "$@"')
    program = Path(__file__).parents[2] / "data/of_12eeb20/build.pte"
    device = device_of(board)
    with device.session("executorch"):
        (result,) = measure(
            label_jobs([Artifact.open(program)], "executorch"),
            device,
            get_protocol("quick"),
            threads=1,
        )
    assert result.runtime_version == version("executorch")
    assert result.parity is not None
    assert result.parity.passed


@pytest.mark.slow
def test_a_network_against_another_to_the_table(
    board: Board, run: Run, tmp_path: Path, shared_artifact: SharedArtifacts
) -> None:
    one, two = (shared_artifact(name, "onnx").path for name in ("digits", "tiny"))
    catalog = tmp_path / "devices.toml"
    catalog.write_text(
        f'[pi]\nkind = "ssh"\nhost = "127.0.0.1"\nport = {board.port}\n'
        f'folder = "{board.temporary}"\n'
    )
    done = run(
        "bench", one, "--against", two, "--device", "pi", "--devices-file", catalog,
        "--preset", "quick", "--markdown", "--runtime", "onnxruntime",
    )  # fmt: skip
    assert done.code == 0, done.err
    header, _, digits, tiny = (line.strip("| ").split(" | ") for line in done.out.splitlines()[:4])
    cells = dict(zip(header, digits, strict=True))
    assert (cells["model"], tiny[0]) == ("digits", "tiny")
    assert float(cells["x tiny [95 %]"].split()[0]) > 0
    assert "- Measured on pi (" in done.out


@pytest.mark.converters
def test_tflite_files_run_there_too(board: Board, tiny_tflite: Artifact) -> None:
    device = device_of(board)
    with device.session("litert"), device.start(tiny_tflite, "litert", 1) as process:
        assert process.startup.runtime_version == version("ai-edge-litert")
        assert len(process.run(5)) == 5


@pytest.mark.converters
@pytest.mark.parametrize("runtime", ["openvino", "mnn", "ncnn", "tract"])
def test_the_other_runtimes_run_there_with_the_weights_beside(
    board: Board, shared_artifact: SharedArtifacts, runtime: str
) -> None:
    engine = get_runtime(runtime)
    try:
        here = engine.version()
    except MissingError as missing:
        pytest.skip(str(missing))
    artifact = shared_artifact("tiny", engine.format)
    device = device_of(board)
    with device.session(runtime), device.start(artifact, runtime, 1) as process:
        assert process.startup.runtime_version == here
        assert len(process.run(3)) == 3
        (there,) = process.outputs()
    (expected,) = engine.load(artifact.path, threads=1).run(
        *reference_inputs(artifact.manifest.described_inputs())
    )
    np.testing.assert_allclose(there, expected, rtol=1e-5, atol=1e-6)
    assert not board.left_behind()


@pytest.mark.converters
def test_openvino_tells_there_how_long_each_operator_takes(
    board: Board, shared_artifact: SharedArtifacts
) -> None:
    need_openvino()
    device, artifact = device_of(board), shared_artifact("tiny", "openvino")
    with device.session("openvino"), device.start(artifact, "openvino", 1) as process:
        assert "Convolution" in {one.operator for one in process.profile(2)}


def test_a_table_of_a_board_and_a_fake_from_the_command_line(
    board: Board, run: Run, digits_onnx: Artifact, tmp_path: Path
) -> None:
    """From artifacts to the table, with ratios that stay on each device."""
    catalog = tmp_path / "devices.toml"
    catalog.write_text(
        f'[pi]\nkind = "ssh"\nhost = "127.0.0.1"\nport = {board.port}\n'
        f'folder = "{board.temporary}"\n'
    )
    twin = copy_artifact(digits_onnx, tmp_path / "twin.onnx")
    done = run(
        "bench", digits_onnx.path, "--against", twin, "--device", "pi,fake",
        "--devices-file", catalog, "--preset", "quick", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    records = done.json["results"]
    assert [record["device"] for record in records] == ["pi", "pi", "fake", "fake"]
    assert [record["ratio_to_peer"] == 1.0 for record in records[1::2]] == [True, True]
    assert 0.5 < records[0]["ratio_to_peer"] < 2
    assert records[0]["environment"]["kind"] == "ssh"
    assert records[2]["valid"] is False
    assert "pi: Pushing digits.onnx" in done.err


@pytest.mark.skipif(not shutil.which("busybox"), reason="needs sudo apt-get install busybox")
def test_a_board_with_busybox_only(board: Board, digits_onnx: Artifact) -> None:
    """Also a process that hangs is found and ended by what such a board has."""
    for name in ("sh", "mktemp", "cat", "tr", "grep", "rm", "mkdir", "df", "printf"):
        (board.binaries / name).symlink_to(str(shutil.which("busybox")))
    device = device_of(board)
    with device.session("onnxruntime"), device.start(digits_onnx, "onnxruntime", 1) as process:
        assert len(process.run(3)) == 3
        (folder,) = board.temporary.iterdir()
        (pid,) = folder.glob("*.pid")
        worker = psutil.Process(int(pid.read_text()))
        worker.suspend()  # it reads nothing any more
    assert ends(worker)


def test_a_process_that_hangs_when_the_connection_is_lost_is_ended_too(
    board: Board, digits_onnx: Artifact
) -> None:
    device = device_of(board)
    with (
        pytest.raises(ConnectionLostError),
        device.session("onnxruntime"),
        device.start(digits_onnx, "onnxruntime", 1) as process,
    ):
        (pid,) = board.temporary.glob("affnet-*/*.pid")
        worker = psutil.Process(int(pid.read_text()))
        worker.suspend()
        board.drop()
        process.run(1)
    assert board.left_behind() == []
    assert ends(worker)


@pytest.mark.parametrize(
    "name",
    [
        'it\'s "quoted"; touch pwned $(touch pwned) `touch pwned` & 100 %.onnx',
        " -rf \\ * ? [a] ~ {b} | > x\ty.onnx",
        "Grüße 🙂\nnew line.onnx",
    ],
)
def test_any_file_name_arrives_unharmed(
    board: Board, digits_onnx: Artifact, tmp_path: Path, name: str
) -> None:
    """The board compares the content's hash, and the name is looked up in the session's folder."""
    artifact = Artifact.open(copy_artifact(digits_onnx, tmp_path / name))
    device = device_of(board)
    with device.session("onnxruntime"), device.start(artifact, "onnxruntime", 1) as process:
        assert len(process.run(2)) == 2
        (there,) = board.temporary.glob("affnet-*/model0/*")
        assert there.name == name
    assert not list(Path(board.temporary).rglob("pwned*"))
    assert not Path("pwned").exists()
    assert not (board.remote_home / "pwned").exists()


def test_two_models_of_one_name_are_kept_apart(
    board: Board, digits_onnx: Artifact, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    one = Artifact.open(copy_artifact(digits_onnx, tmp_path / "same.onnx"))
    two = Artifact.open(copy_artifact(digits_onnx, tmp_path / "sub" / "same.onnx"))
    device = device_of(board)
    with (
        device.session("onnxruntime"),
        device.start(one, "onnxruntime", 1) as first,
        device.start(two, "onnxruntime", 1) as second,
        device.start(one, "onnxruntime", 1) as third,
    ):
        assert [len(process.run(2)) for process in (first, second, third)] == [2] * 3
        assert len(list(board.temporary.glob("affnet-*/model*"))) == 2  # once for each


def test_what_login_scripts_print_does_no_harm(board: Board, digits_onnx: Artifact) -> None:
    for name in (".bashrc", ".profile", ".zshenv"):
        (board.remote_home / name).write_text("echo Welcome; echo '{\"load_ns\": 1}'\n")
    device = device_of(board)
    with device.session("onnxruntime"), device.start(digits_onnx, "onnxruntime", 1) as process:
        assert process.startup.load_ns > 1000
        assert device.fingerprint()["kind"] == "ssh"


def test_the_user_s_ssh_configuration_is_honoured(board: Board, digits_onnx: Artifact) -> None:
    """Name, port, user, key and known hosts come from ~/.ssh/config; the usual files are gone."""
    known = (board.home / ".ssh" / "known_hosts").rename(board.home / ".ssh" / "known boards")
    key = board.home / ".ssh" / "id_ed25519"
    other = key.rename(key.with_name("special key"))
    (board.home / ".ssh" / "config").write_text(
        f"Host bench-pi\n  HostName 127.0.0.1\n  Port {board.port}\n  User {board.user}\n"
        f'  IdentityFile "{other}"\n  UserKnownHostsFile "{known}"\n'
    )
    settings = {"host": "bench-pi", "folder": str(board.temporary)}
    device = open_device(Entry("pi", "ssh", settings))
    with device.session("onnxruntime"), device.start(digits_onnx, "onnxruntime", 1) as process:
        assert len(process.run(2)) == 2


def test_a_key_that_only_the_agent_holds_will_do(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = str(tmp_path / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        while not Path(socket).exists():
            assert agent.poll() is None
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        key = board.home / ".ssh" / "id_ed25519"
        subprocess.run(["ssh-add", "-q", str(key)], check=True)
        key.unlink()
        with device_of(board).session("onnxruntime"):
            pass
    finally:
        agent.kill()
        agent.wait()


def test_a_doctor_finds_nothing_to_mend(board: Board) -> None:
    checks = list(diagnose(entry_of(board)))
    assert [check.step for check in checks] == [
        "reachable", "folder", "Python", "push", *NEEDED, "board", "governor",
    ]  # fmt: skip
    assert all(check.passed for check in checks[:5])


def test_the_list_of_devices_shows_it_as_reachable(
    board: Board, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setattr("affnet.devices.android.selection.list_phones", lambda _: [])  # no server
    catalog = tmp_path / "devices.toml"
    catalog.write_text(
        f'[rpi]\nhost = "127.0.0.1"\nport = {board.port}\nuser = "{board.user}"\n'
        '[jetson]\nhost = "127.0.0.1"\nport = 1\n'
    )
    done = run("devices", "--devices-file", catalog, "--json")
    assert done.code == 0
    seen = {device["name"]: device for device in done.json["devices"]}
    assert seen["rpi"]["reachable"] is True
    assert seen["rpi"]["runtimes"] == list(NEEDED)
    assert seen["jetson"]["reachable"] is False
    assert seen["jetson"]["detail"].startswith("127.0.0.1:1 cannot be reached: connection refused")
    table = run("devices", "list", "--devices-file", catalog)
    assert table.code == 0
    (row,) = (line for line in table.out.splitlines() if line.startswith("rpi "))
    assert row.split()[:3] == ["rpi", "ssh", "yes"]
