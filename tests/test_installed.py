"""What pip's metadata says of an installation: here of packages that hold nothing but it."""

from __future__ import annotations

import shutil
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from affnet import installed
from affnet.errors import MissingError, require

CACHED = (installed.core, installed.extras, installed._declared, installed._metadata)
AFFNET = (
    "Requires-Python: >=3.11",
    "Classifier: Programming Language :: Python :: 3",
    "Classifier: Programming Language :: Python :: 3.11",
    "Provides-Extra: phone",
    "Provides-Extra: all",
    "Provides-Extra: elsewhere",
    "Requires-Dist: torchlike>=2",
    'Requires-Dist: affnet[phone]; extra == "all"',
    'Requires-Dist: phone-tools>=1; extra == "phone"',
    'Requires-Dist: phone_runtime[fast]; extra == "phone"',
    'Requires-Dist: other; sys_platform == "elsewhere" and extra == "elsewhere"',
)


class Site:
    """A folder of installed packages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def install(self, name: str, version: str, *lines: str) -> None:
        """Leave the metadata of a package; what was there of it goes."""
        for old in self._folder.glob(f"{name}-*.dist-info"):
            shutil.rmtree(old)
        info = self._folder / f"{name}-{version}.dist-info"
        info.mkdir()
        head = ("Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}")
        (info / "METADATA").write_text("\n".join([*head, *lines]) + "\n")
        (info / "top_level.txt").write_text(f"{name}\n")
        forget()


def forget() -> None:
    for function in CACHED:
        function.cache_clear()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The only packages there are: affnet of another kind, and what it needs."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    found = Site(tmp_path)
    found.install("affnet", "0.1.0", *AFFNET)
    found.install("torchlike", "2.13.0+cpu")
    yield found
    forget()


def states() -> dict[str, str]:
    return {extra.name: extra.state for extra in installed.extras()}


def test_an_extra_is_missing_half_installed_outdated_or_complete(site: Site) -> None:
    assert states() == {"phone": "missing", "elsewhere": "complete"}  # which needs nothing here
    site.install("phone_tools", "1.2")
    assert states()["phone"] == "half installed"
    (phone, _) = installed.extras()
    assert [package.problem() for package in phone.lacking] == ["phone_runtime is not installed"]
    assert phone.command == "pip install 'affnet[phone]'"
    site.install("phone_runtime", "3")
    assert states()["phone"] == "complete"
    site.install("phone_tools", "0.9")
    (phone, _) = installed.extras()
    assert (phone.state, phone.command) == ("outdated", "pip install --upgrade 'affnet[phone]'")
    (old,) = phone.lacking
    assert old.problem() == "phone-tools >=1 is needed, but 0.9 is installed"


def test_what_an_extra_asks_of_a_package_s_own_extra_counts(site: Site) -> None:
    site.install("phone_tools", "1.2")
    fast = ("Provides-Extra: fast", 'Requires-Dist: phone-binary; extra == "fast"')
    site.install("phone_runtime", "3", *fast)
    (phone, _) = installed.extras()
    assert phone.state == "half installed"
    assert [package.name for package in phone.lacking] == ["phone-binary"]


def test_extras_that_list_those_of_two_others_are_not_shown(site: Site) -> None:
    lines = [f"Provides-Extra: {name}" for name in ("a", "b", "both", "more")]
    brought = {"a": "one", "b": "two", "both": "one two", "more": "one three"}
    for extra, names in brought.items():
        lines += [f'Requires-Dist: {name}; extra == "{extra}"' for name in names.split()]
    site.install("affnet", "0.1.0", *lines)
    assert states().keys() == {"a", "b", "more"}


def test_what_others_bring_makes_no_extra_half_installed(site: Site) -> None:
    site.install("torchlike", "2.13", "Requires-Dist: phone-tools")
    site.install("phone_tools", "1.2")
    assert states()["phone"] == "missing"


def test_the_core_is_what_affnet_requires(site: Site) -> None:
    (torchlike,) = installed.core()
    assert torchlike.fits
    site.install("torchlike", "1.13")
    (torchlike,) = installed.core()
    assert torchlike.problem() == "torchlike >=2 is needed, but 1.13 is installed"


def test_packages_that_require_other_versions_of_each_other_are_named(site: Site) -> None:
    site.install("phone_runtime", "3", "Requires-Dist: torchlike==2.14", "Requires-Dist: absent")
    assert [(one.problem(), one.command) for one in installed.mismatches()] == [
        (
            "phone-runtime 3 requires torchlike ==2.14, but 2.13.0+cpu is installed",
            "pip install --upgrade phone-runtime 'torchlike==2.14'",
        ),
        (
            "phone-runtime 3 requires absent, but that is not installed",
            "pip install --upgrade phone-runtime 'absent'",
        ),
    ]
    site.install("phone_runtime", "3", "Requires-Dist: torchlike<2.14")
    assert installed.mismatches() == ()


def failing(module: str) -> Exception:
    """Return an error that the code of a module has raised."""
    code = types.ModuleType(module)
    source = "def fail():\n    raise RuntimeError('operator does not exist')"
    exec(source, vars(code))  # noqa: S102
    try:
        code.fail()
    except RuntimeError as error:
        return error
    raise AssertionError


def test_an_error_of_mismatched_packages_is_explained_by_them(site: Site) -> None:
    site.install("phone_runtime", "3", "Requires-Dist: torchlike==2.14")
    reason = installed.mismatch_behind(failing("phone_runtime.loader"))
    assert isinstance(reason, MissingError)
    assert reason.problem.startswith("phone-runtime 3 requires torchlike ==2.14, but ")
    outer = ValueError("it failed")
    outer.__cause__ = failing("phone_runtime")
    assert installed.mismatch_behind(outer)
    assert installed.mismatch_behind(failing("torchlike")) is None  # nothing of the other's ran
    site.install("phone_runtime", "3")
    assert installed.mismatch_behind(failing("phone_runtime.loader")) is None


def test_a_package_of_the_core_that_is_gone_explains_its_import(site: Site) -> None:
    gone = ModuleNotFoundError("No module named 'torchlike'", name="torchlike.nn")
    assert installed.mismatch_behind(gone) is None
    site.install("affnet", "0.1.0", "Requires-Dist: torchlike>=2", "Requires-Dist: gone")
    reason = installed.mismatch_behind(ModuleNotFoundError("No module named 'gone'", name="gone"))
    assert str(reason) == (
        "affnet 0.1.0 requires gone, but that is not installed; "
        "run: pip install --upgrade affnet 'gone'"
    )


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ((3, 11, 7), None),
        ((3, 10, 1), "affnet needs Python >=3.11, and this is 3.10"),
        ((3, 15, 0), "affnet was tested on Python 3.11 only, and this is 3.15"),
    ],
)
@pytest.mark.usefixtures("site")
def test_a_python_too_old_or_too_new_is_named(
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int, int],
    problem: str | None,
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    assert installed.python_problem() == problem


def test_a_folder_that_was_never_installed_has_nothing_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    forget()
    assert (installed.core(), installed.extras(), installed.mismatches()) == ((), (), ())
    assert installed.python_problem() is None
    forget()


def test_a_package_of_which_only_folders_are_left_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_removed" / "data").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingError, match="'half_removed', which is not installed; run: pip"):
        require("half_removed", extra="phone", purpose="Trying")
    (tmp_path / "half_removed" / "data" / "part.py").touch()
    require("half_removed", extra="phone", purpose="Trying")
