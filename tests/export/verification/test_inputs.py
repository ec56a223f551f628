"""What files are verified on, and what users add."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affnet.artifact import TensorSpec, image_spec
from affnet.errors import DatasetError, UsageError
from affnet.export.verification.inputs import image_inputs, tensor_inputs
from affnet.export.verification.user_inputs import read_inputs

SIGNAL = TensorSpec("input", (1, 64), "float32")


def test_images_of_every_kind_have_multiples_of_1_255() -> None:
    images = {one.name: one.arrays[0] for one in image_inputs((64, 96))}
    assert {array.shape for array in images.values()} == {(1, 3, 64, 96)}
    assert (images["black"].max(), images["white"].min()) == (0, 1)
    assert len(np.unique(images["one colour"])) == 3
    assert images["a checkerboard"].mean() == pytest.approx(0.5, abs=0.05)
    assert images["noise"].std() == pytest.approx(12**-0.5, rel=0.02)  # uniform
    for name in ("the photograph portrait", "the photograph temple"):
        assert 0.15 < images[name].std() < 0.4
    for array in images.values():
        assert np.allclose(array * 255, np.round(array * 255), atol=1e-4)


def test_an_example_is_also_taken_louder_and_quieter() -> None:
    example = np.linspace(-1, 1, 64, dtype=np.float32)[None]
    inputs = {one.name: one.arrays[0] for one in tensor_inputs([SIGNAL], (example,))}
    assert np.array_equal(inputs["the example"], example)
    for name, scale in {"/ 1000": 1e-3, "/ 30": 1 / 30, "x 30": 30, "x 255": 255}.items():
        assert np.allclose(inputs[f"the example {name}"], example * scale)
    assert not inputs["zeros"].any()
    assert (inputs["ones"] == 1).all()
    assert (inputs["an impulse"].sum(), inputs["an impulse"].max()) == (1, 1)
    spectrum = np.abs(np.fft.rfft(inputs["a sine"][0]))
    assert spectrum.argmax() in (5, 6)
    assert {array.dtype for array in inputs.values()} == {np.dtype(np.float32)}


def test_what_has_the_shape_of_a_picture_sees_pictures_of_both_ranges() -> None:
    spec = TensorSpec("input", (1, 3, 24, 32), "float32")
    inputs = {one.name: one.arrays[0] for one in tensor_inputs([spec])}
    assert inputs["the photograph temple, 0..1"].max() == 1
    assert inputs["the photograph temple, 0..255"].max() == 255
    assert "a sine" not in inputs
    assert "the example" not in inputs


def test_arrays_are_inputs_or_stacks_of_them(tmp_path: Path) -> None:
    one, three = np.ones((1, 64)), np.arange(192.0).reshape(3, 1, 64)
    np.savez(tmp_path / "mine.npz", quiet=one, loud=three)
    inputs = read_inputs(tmp_path / "mine.npz", [SIGNAL])
    names = ["mine.npz quiet", "mine.npz loud 0", "mine.npz loud 1", "mine.npz loud 2"]
    assert [each.name for each in inputs] == names
    assert np.array_equal(inputs[3].arrays[0], three[2])
    images = np.zeros((4, 3, 8, 8), np.uint8)
    np.save(tmp_path / "images.npy", images)
    assert len(read_inputs(tmp_path / "images.npy", [image_spec(8, 8)])) == 4


def test_pictures_of_a_folder_are_cut_to_size(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20), (255, 0, 0)).save(tmp_path / "red.png")
    (found,) = read_inputs(tmp_path, [image_spec(8, 8)])
    assert (found.name, found.arrays[0].shape) == ("red.png", (1, 3, 8, 8))
    assert (found.arrays[0][0, 0] == 1).all()
    with pytest.raises(UsageError, match=r"is a picture, but the network takes 1 x 64; give arr"):
        read_inputs(tmp_path, [SIGNAL])


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((2, 65)), r"bad.npy is 2 x 65; the network takes 1 x 64, or several"),
        (np.full((1, 64), np.nan), "has values that are no finite numbers"),
        (np.full((1, 64), 1e300), "has values that are no finite numbers"),
        (np.array(["a"]), "is of the type <U1; give real numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(array: np.ndarray, reason: str, tmp_path: Path) -> None:
    np.save(tmp_path / "bad.npy", array)
    with np.errstate(over="ignore"), pytest.raises(UsageError, match=reason):
        read_inputs(tmp_path, [SIGNAL])


def test_what_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds nothing that the network takes"):
        read_inputs(tmp_path, [SIGNAL])
    with pytest.raises(UsageError, match=r"absent\.npz does not exist"):
        read_inputs(tmp_path / "absent.npz", [SIGNAL])
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(UsageError, match=r"broken.npz cannot be read as arrays"):
        read_inputs(tmp_path / "broken.npz", [SIGNAL])
    np.save(tmp_path / "code.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UsageError, match=r"code.npy cannot be read as arrays"):
        read_inputs(tmp_path / "code.npy", [SIGNAL])
    (tmp_path / "broken.npz").unlink()
    (tmp_path / "code.npy").unlink()
    (tmp_path / "cut.png").write_bytes(b"\x89PNG")
    with pytest.raises(DatasetError, match=r"cut.png"):
        read_inputs(tmp_path, [image_spec(8, 8)])
