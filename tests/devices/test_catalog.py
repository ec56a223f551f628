"""Which device a name stands for, and catalogs that are refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from affnet.devices import catalog
from affnet.devices.android.device import AdbSettings
from affnet.devices.catalog import Entry, find, load_catalog, open_device, open_devices, user_file
from affnet.devices.fake import FakeSettings
from affnet.devices.labgrid.device import LabgridSettings
from affnet.devices.ssh.device import SshSettings
from affnet.errors import CatalogError, UnknownNameError, UsageError


@pytest.fixture(autouse=True)
def config_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration, empty at first."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "affnet").mkdir(parents=True)
    return tmp_path / "config" / "affnet"


def written(folder: Path, text: str) -> Path:
    path = folder / "devices.toml"
    path.write_text(text)
    return path


def test_the_shipped_names_stand_for_kinds() -> None:
    assert {name: entry.kind for name, entry in load_catalog().items()} == {
        "host": "host",
        "fake": "fake",
        "arm64": "emulated",
        "rpi": "ssh",
        "jetson": "ssh",
        "pixel": "adb",
        "pixel-8": "adb",
        "galaxy": "adb",
        "iphone": "ios",
        "ipad": "ios",
        "mac": "ios",
        "browser": "browser",
    }


def test_the_user_s_file_adds_changes_and_replaces(config_folder: Path) -> None:
    written(
        config_folder,
        '[rpi]\nhost = "10.0.0.7"\n[slow]\nkind = "fake"\nmacs_per_ns = 0.5\n'
        '[browser]\nkind = "fake"\n',
    )
    found = load_catalog()
    assert found["rpi"].kind == "ssh"
    assert (found["rpi"].settings["host"], found["rpi"].settings["user"]) == ("10.0.0.7", "pi")
    assert found["slow"] == Entry("slow", "fake", {"macs_per_ns": 0.5})
    assert found["browser"] == Entry("browser", "fake", {})
    assert "jetson" in found


def test_a_named_file_stands_in_for_the_user_s(config_folder: Path, tmp_path: Path) -> None:
    written(config_folder, '[mine]\nkind = "fake"\n')
    other = written(tmp_path, '[other]\nkind = "fake"\n')
    assert "other" in load_catalog(other)
    assert "mine" not in load_catalog(other)
    with pytest.raises(UsageError, match=r"gone\.toml does not exist; give the path of a catalog"):
        load_catalog(tmp_path / "gone.toml")


def test_without_xdg_the_file_stands_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ada"))
    assert user_file() == Path("/home/ada/.config/affnet/devices.toml")


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("ada@board", "ssh", {"user": "ada", "host": "board"}),
        ("ada@10.0.0.7:2222", "ssh", {"user": "ada", "host": "10.0.0.7", "port": 2222}),
        ("ada@[fe80::1]:22", "ssh", {"user": "ada", "host": "fe80::1", "port": 22}),
        ("8A1X0ABCD", "adb", {"serial": "8A1X0ABCD"}),
        ("emulator-5554", "adb", {"serial": "emulator-5554"}),
        ("192.168.1.5:5555", "adb", {"serial": "192.168.1.5:5555"}),
    ],
)
def test_an_address_needs_no_entry(name: str, kind: str, settings: dict[str, object]) -> None:
    assert find(name, load_catalog()) == Entry(name, kind, settings)


@pytest.mark.parametrize("name", ["toaster", "", "a@", "@b", "a@b:99999", "a@b:", "pixel 8", "rp5"])
def test_what_is_neither_is_refused_with_the_valid_names(name: str) -> None:
    with pytest.raises(UnknownNameError) as info:
        find(name, load_catalog())
    assert str(info.value).startswith(f"Unknown device {name!r}; valid: host, fake, arm64, rpi, ")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[x\n", "is not valid TOML: "),
        ("x = 3\n", ": 'x' must be a table, [x], with its kind."),
        ("[x]\n", ", [x]: it needs a kind: adb, aihub, browser, emulated, fake, host, "),
        (
            '[x]\nkind = "toaster"\n',
            ", [x]: unknown kind 'toaster'; valid: adb, aihub, browser, emulated, fake, host, ",
        ),
        (
            "[x]\nkind = [1]\n",
            ", [x]: unknown kind [1]; valid: adb, aihub, browser, emulated, fake, host, ",
        ),
        ('[x]\nkind = "fake"\nspeed = 3\n', ", [x]: unknown setting 'speed'; valid: kind, cool"),
        (
            '[x]\nkind = "fake"\noverhead_ns = true\n',
            ", [x]: overhead_ns must be a whole number, not True.",
        ),
        ('[x]\nkind = "fake"\nfails = "no"\n', ", [x]: fails must be true or false, not 'no'."),
        ("[host]\nmax_temperature = nan\n", ", [host]: max_temperature must be a number, not nan."),
        ("[host]\ncool_down_s = -1\n", ", [host]: cool_down_s must be a number from 0 on, not -1."),
        (
            '[x]\nkind = "adb"\npause_seconds = inf\n',
            ", [x]: pause_seconds must be a number from 0 on, not inf.",
        ),
        ("[host]\ndescription = 3\n", ", [host]: description must be a text, not 3."),
    ],
)
def test_a_catalog_that_cannot_be_is_refused_with_its_place(
    config_folder: Path, text: str, complaint: str
) -> None:
    path = written(config_folder, text)
    with pytest.raises(CatalogError) as info:
        load_catalog()
    assert str(info.value).startswith(f"{path}{' ' if complaint[0] == 'i' else ''}{complaint}")
    assert info.value.exit_code == 2


def test_a_whole_number_is_a_number(config_folder: Path) -> None:
    written(config_folder, '[x]\nkind = "adb"\npause_seconds = 2\n')
    assert load_catalog()["x"].settings == {"pause_seconds": 2}


def test_a_file_that_is_no_text_is_refused(config_folder: Path) -> None:
    (config_folder / "devices.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match=r"devices\.toml is not valid TOML: "):
        load_catalog()


def test_settings_reach_the_device_and_overrides_only_where_they_mean_something() -> None:
    entry = Entry("slow", "fake", {"macs_per_ns": 0.5})
    device = open_device(entry, overhead_ns=7, install=True)
    assert device.settings == FakeSettings(macs_per_ns=0.5, overhead_ns=7)
    assert device.name == "slow"


def test_a_list_of_devices_names_each_once() -> None:
    assert [d.name for d in open_devices(" fake, host,fake,")] == ["fake", "host"]
    with pytest.raises(UsageError, match=r"^--device names no device; see: affnet devices$"):
        open_devices(" , ")


def test_the_documentation_s_catalog_can_be_read(config_folder: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")
    written(config_folder, text.partition("```toml\n")[2].partition("```")[0])
    found = load_catalog()
    assert found["rpi"].settings["host"] == "10.0.0.7"
    assert found["lab-orin"].settings["folder"] == "/mnt/nvme"
    for name, default in (("python", "python3"), ("folder", "/tmp"), ("install", False)):  # noqa: S108
        assert getattr(SshSettings(host="x"), name) == default
        assert f"| `{name}` | `{str(default).lower() if default is False else default}` |" in text
    for field in (*dataclasses.fields(AdbSettings), *dataclasses.fields(LabgridSettings)):
        assert f"`{field.name}`" in text
    for name in ("runner_version", "folder", "accelerator", "warmup_seconds", "pause_seconds"):
        assert f"| `{name}` | `{getattr(AdbSettings(), name)}` |" in text


def test_the_shipped_catalog_is_package_data() -> None:
    assert catalog._SHIPPED.is_file()
