"""The emoji set: what stays on one side of the split, and where the packages come from."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from affnet.errors import AffnetError, MissingError
from training import emoji, packages
from training.packages import Package, fetch, members

PACKAGE = Package("@scope/name", "1.2.3")


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (("1F3C3", "1F3C3-200D-2640-FE0F", "1F3C3-200D-27A1-FE0F"), "person-sport"),
        (("1F468-200D-1F680", "1F469-200D-1F680", "1F9D1-200D-1F680"), "person-role"),
        (("2764-FE0F", "1F499"), "heart"),
        (("1F550", "1F567"), "time"),
    ],
)
def test_variants_are_one_family(codes: tuple[str, ...], kind: str) -> None:
    assert len({emoji.family(emoji.normalised(code), kind) for code in codes}) == 1


def test_other_emoji_are_other_families() -> None:
    codes = ("1F680", "1F9D1-200D-1F680", "1F3C3", "1F552", "231A")
    assert len({emoji.family(emoji.normalised(code), "any") for code in codes}) == len(codes)


def test_records_become_classes_in_unicodes_order() -> None:
    def record(code: str, category: str, kind: str, order: int) -> dict[str, object]:
        return {"unified": code, "category": category, "subcategory": kind, "sort_order": order}

    found = emoji.read_emoji(
        [
            record("1F44D", "People & Body", "hand-fingers-closed", 2),
            record("1F600", "Smileys & Emotion", "face-smiling", 1),
            record("1F3FB", "Component", "skin-tone", 3),
            record("1F3C3", "People & Body", "person-sport", 4),
        ]
    )
    assert [(one.code, one.label) for one in found.values()] == [
        ("1f600", "smileys"), ("1f44d", "hands_body"), ("1f3c3", "people"),
    ]  # fmt: skip


def drawing(shape: str, family: str = "f", colour: str = "red") -> emoji.Drawing:
    square = Image.new("RGB", (72, 72), "white")
    getattr(ImageDraw.Draw(square), shape)((10, 20, 60, 50), fill=colour)
    return emoji.Drawing("twemoji", emoji.Emoji(shape, "objects", family), np.asarray(square))


def test_what_resembles_a_training_image_is_left_out() -> None:
    line, rectangle, blue = (
        drawing("line"), drawing("rectangle"), drawing("rectangle", colour="blue"),
    )  # fmt: skip
    kept = emoji.without_duplicates([line, rectangle, blue], [drawing("rectangle")])
    assert kept == [line, blue]
    assert emoji.one_per_family([line, rectangle, blue]) == [line]


def test_a_tiny_set_is_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every artist draws the same six emoji; a fifth of emoji is unseen, here those chosen."""
    codes = [f"1f60{index}" for index in range(6)]
    records = [
        {"unified": code.upper(), "category": "Objects", "subcategory": "tool", "sort_order": index}
        for index, code in enumerate(codes)
    ]
    artists = (*emoji.TRAINED_ON, emoji.HELD_OUT)
    for number, artist in enumerate(artists):
        with tarfile.open(tmp_path / artist.package.archive, "w:gz") as tar:
            for index, code in enumerate(codes):
                noise = np.random.default_rng(10 * number + index).integers(0, 255, (64, 64, 4))
                picture = io.BytesIO()
                Image.fromarray(noise.astype(np.uint8)).save(picture, "PNG")
                add(tar, f"{artist.folder}/{code}.png", picture.getvalue())
                add(tar, f"{artist.folder}/{code}-1f3fb.png", b"a skin tone, never read")
            if artist.package == emoji.GOOGLE:
                add(tar, "emoji_pretty.json", json.dumps(records).encode())
    unseen = {codes[0], codes[3]}
    monkeypatch.setattr(emoji.Emoji, "is_unseen", property(lambda one: one.code in unseen))
    folder = emoji.make_dataset(tmp_path / "set", tmp_path)
    found = {
        split: sorted(path.stem for path in (folder / split / "objects").iterdir())
        for split in ("train", "calibration", "heldout")
    }
    assert found["heldout"] == [f"twemoji-{code}" for code in codes]
    assert found["calibration"] == [f"noto-{code}" for code in codes if code not in unseen]
    assert len(found["train"]) == 4 * 4
    assert not [name for name in found["train"] if "twemoji" in name or name[-5:] in unseen]
    assert emoji.make_dataset(folder, tmp_path / "nowhere") == folder  # it is there already


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(f"package/{name}")
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def test_only_files_of_the_folder_itself_are_read(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as tar:
        for name in ("img/a.png", "img/deep/b.png", "other/c.png"):
            add(tar, name, name.encode())
    assert list(members(tmp_path / "a.tgz", "img")) == [("a.png", b"img/a.png")]
    assert list(members(tmp_path / "a.tgz", "other/c.png")) == [("c.png", b"other/c.png")]


def test_without_npm_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="needs npm, which is not installed"):
        fetch(PACKAGE, tmp_path)


def test_a_package_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text('#!/bin/sh\n[ "$2" = "@scope/name@1.2.3" ] && echo it > scope-name-1.2.3.tgz\n')
    npm.chmod(0o755)
    monkeypatch.setattr(packages.shutil, "which", lambda _: str(npm))
    cache = tmp_path / "cache"
    assert fetch(PACKAGE, cache).read_text() == "it\n"
    npm.write_text("#!/bin/sh\necho 'npm error code E404' >&2\nexit 1\n")
    assert fetch(PACKAGE, cache).name == "scope-name-1.2.3.tgz"  # it is not fetched again
    with pytest.raises(AffnetError, match=r"npm could not fetch other@1: npm error code E404"):
        fetch(Package("other", "1"), cache)
    assert [path.name for path in cache.glob("*.tgz")] == ["scope-name-1.2.3.tgz"]
