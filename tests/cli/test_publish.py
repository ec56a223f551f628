"""``affnet publish``: what reaches a hub, and what is refused before anything does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Finished
from tests.package import networks
from tests.publishing.hub_server import TOKEN, Hub, running

Run = Callable[..., Finished]
constants = pytest.importorskip("huggingface_hub.constants")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> Iterator[Hub]:
    """A hub, of which this machine has a token, beside ``net.onnx``."""
    networks.write(workspace)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    kept = workspace.parent / "token"
    kept.write_text(TOKEN)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(kept))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(kept.with_name("none")))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the library waits between its attempts
    with running() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        yield server


def test_it_uploads_nothing_unless_asked(run: Run, hub: Hub) -> None:
    finished = run("publish", "net.onnx", "--to", "hf://me/net")
    assert finished.code == 0, finished.err
    assert "net.onnx.manifest.json (" in finished.out
    assert "# net\n" in finished.out
    assert "Nothing was uploaded; add --upload" in finished.err
    assert hub.requests == []
    record = run("publish", "net.onnx", "--to", "hf://me/net", "--json").json
    assert record["url"] is None
    assert [one["name"] for one in record["files"]] == [
        "net.onnx",
        "net.onnx.manifest.json",
        "README.md",
    ]


def test_all_files_arrive_in_one_commit_and_nothing_else_is_sent(
    run: Run, hub: Hub, workspace: Path
) -> None:
    arguments = ("publish", "net.onnx", "--to", "hf://me/net", "--upload", "--json")
    finished = run(*arguments, "--private", "--license", "apache-2.0")
    assert finished.code == 0, finished.err
    assert finished.json["url"] == f"{hub.url}/me/net"
    assert hub.repositories["me/net"] == {
        "net.onnx": (workspace / "net.onnx").read_bytes(),
        "net.onnx.manifest.json": (workspace / "net.onnx.manifest.json").read_bytes(),
        "README.md": finished.json["card"].encode(),
    }
    assert hub.private["me/net"]
    assert "license: apache-2.0\n" in finished.json["card"]
    oid = next(iter(hub.objects))
    assert hub.paths() == [
        "/api/repos/create",
        "/api/validate-yaml",
        "/api/models/me/net/preupload/main",
        "/me/net.git/info/lfs/objects/batch",
        f"/storage/{oid}",
        "/verify",
        "/api/models/me/net/commit/main",
    ]
    agents = {headers["user-agent"] for _, path, headers in hub.requests if "storage" not in path}
    assert all("affnet" in one and "torch" not in one and "agent/" not in one for one in agents)


def test_a_repository_that_exists_is_changed_only_if_asked(run: Run, hub: Hub) -> None:
    hub.repositories["me/net"] = {"README.md": b"by hand", "other.txt": b"kept"}
    arguments = ("publish", "net.onnx", "--to", "hf://me/net", "--upload")
    finished = run(*arguments)
    assert finished.code == 2
    assert finished.error.startswith("hf://me/net exists; name a new one, or")
    assert hub.repositories["me/net"]["README.md"] == b"by hand"
    assert run(*arguments, "--update").code == 0
    assert hub.repositories["me/net"]["README.md"] != b"by hand"
    assert hub.repositories["me/net"]["other.txt"] == b"kept"


def test_an_upload_that_breaks_off_publishes_nothing(run: Run, hub: Hub) -> None:
    hub.cut_uploads = True
    finished = run("publish", "net.onnx", "--to", "hf://me/net", "--upload")
    assert finished.code == 1
    assert finished.error.startswith("Uploading to hf://me/net failed: ")
    assert "nothing was published; run the same command again with --update" in finished.error
    assert hub.repositories["me/net"] == {}
    assert "/storage/" not in finished.err  # such an address is signed: it lets anybody write
    hub.cut_uploads = False
    assert run("publish", "net.onnx", "--to", "hf://me/net", "--upload", "--update").code == 0
    assert set(hub.repositories["me/net"]) == {"net.onnx", "net.onnx.manifest.json", "README.md"}


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/repos/create", 500, "Uploading to hf://me/net failed: "),
        ("/api/validate-yaml", 400, "is bad; nothing was published"),
        ("/api/models/me/net/preupload/main", 403, "The token may not write to hf://me/net"),
        ("/api/models/me/net/commit/main", 413, "nothing was published"),
    ],
)
def test_what_a_hub_refuses_is_one_sentence(
    path: str, status: int, said: str, run: Run, hub: Hub
) -> None:
    hub.answer[path] = (status, {"error": f"no, {TOKEN}", "errors": [{"message": "is bad"}]})
    finished = run("publish", "net.onnx", "--to", "hf://me/net", "--upload")
    assert finished.code in (1, 2)
    assert said in finished.error
    assert TOKEN not in finished.err + finished.out
    assert not hub.repositories.get("me/net")


@pytest.mark.usefixtures("hub")
def test_tokens_that_are_missing_or_refused_are_not_shown(
    run: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("publish", "net.onnx", "--upload", "--to")
    finished = run(*arguments, "hf://somebody/net")
    assert (finished.code, "may not write to hf://somebody/net" in finished.error) == (2, True)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_secret")
    finished = run(*arguments, "hf://me/net")
    assert finished.code == 3
    assert "refuses the token; make one that may write" in finished.error
    assert "secret" not in finished.err + finished.out
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(workspace / "no token"))
    finished = run(*arguments, "hf://me/net")
    assert finished.code == 2
    assert "No token of the hub is stored" in finished.error


@pytest.mark.usefixtures("hub")
def test_a_hub_that_cannot_be_reached(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    finished = run("publish", "net.onnx", "--to", "hf://me/net", "--upload")
    assert finished.code == 3
    assert finished.error.startswith("http://127.0.0.1:9 cannot be reached: ")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert run("publish", "net.onnx", "--to", "hf://me/net", "--upload").code == 3


@pytest.mark.parametrize(
    "to", ["me/net", "hf://net", "hf://me/net/file", "hf://me/../x", "hf://me/a b", "https://me/n"]
)
def test_what_names_no_repository(to: str, refused: Callable[..., str], workspace: Path) -> None:
    networks.write(workspace)
    assert "names no repository; name it as hf://USER/NAME" in refused(
        "publish", "net.onnx", "--to", to
    )


def test_what_cannot_be_published(refused: Callable[..., str], workspace: Path) -> None:
    networks.write(workspace)
    (workspace / "other.onnx").write_bytes(b"0")
    to = ("--to", "hf://me/net")
    assert "has no manifest" in refused("publish", "other.onnx", *to)
    assert "does not exist" in refused("publish", "none.onnx", *to)
    assert "is no identifier of a licence" in refused(
        "publish", "net.onnx", *to, "--license", "a\nb"
    )
    (workspace / "results.json").write_text("[]")
    assert refused("publish", "net.onnx", *to, "--results", "results.json")
