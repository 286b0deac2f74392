"""Images of a folder come out as one cuts them by hand, a batch at a time."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import qkit as qk
from qkit.data import DataError, DataNotFoundError

COLOURS = {"blue": (20, 40, 220), "green": (30, 200, 50), "red": (230, 10, 30)}


def unchanged(pixels):
    return pixels


@pytest.fixture
def folder(tmp_path):
    """Return a folder of three classes with four plain images each, of many kinds."""
    sizes = [(40, 30), (16, 16), (20, 90), (7, 9)]
    for name, colour in COLOURS.items():
        (tmp_path / name).mkdir()
        for i, (size, suffix) in enumerate(zip(sizes, ("png", "jpg", "JPEG", "bmp"), strict=True)):
            Image.new("RGB", size, colour).save(tmp_path / name / f"{i}.{suffix}")
        (tmp_path / name / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_classes_are_the_sorted_names(folder):
    images = qk.load_image_folder(folder, 16, unchanged)
    assert images.class_names == ("blue", "green", "red")
    assert images.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert len(images) == 12
    assert [path.parent.name for path in images.paths] == ["blue"] * 4 + ["green"] * 4 + ["red"] * 4
    assert str(images) == "12 images in 3 classes, read as 16×16 pixels"


def test_batches_hold_every_image_once_in_order(folder):
    images = qk.load_image_folder(folder, 16, lambda pixels: pixels / 255)
    batches = list(images.batches(5))
    assert [len(x) for x, _ in batches] == [5, 5, 2]
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert (x.dtype, x.shape) == (np.float32, (12, 16, 16, 3))
    np.testing.assert_array_equal(y, images.labels)
    for image, label in zip(x, y, strict=True):
        expected = np.array(list(COLOURS.values())[label]) / 255
        np.testing.assert_allclose(image, np.broadcast_to(expected, (16, 16, 3)), atol=0.02)


def test_nothing_is_read_before_it_is_asked_for(folder, monkeypatch):
    opened, open_image = [], Image.open
    monkeypatch.setattr(Image, "open", lambda path: opened.append(path) or open_image(path))
    batches = qk.load_image_folder(folder, 16, unchanged).batches(4)
    assert opened == []
    next(batches)
    assert len(opened) == 4


@pytest.mark.parametrize(("width", "height"), [(256, 128), (128, 256), (128, 96)])
def test_cut_is_the_middle_seven_eighths_of_the_shorter_side(tmp_path, width, height):
    # a ramp along each axis tells where the cut was made
    ramp = np.zeros((height, width, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 255, height)[:, None]
    ramp[..., 1] = np.linspace(0, 255, width)
    (tmp_path / "only").mkdir()
    Image.fromarray(ramp).save(tmp_path / "only" / "ramp.png")
    ((x, _),) = qk.load_image_folder(tmp_path, 28, unchanged).batches()
    side = min(width, height) * 28 / 32
    for axis, length in ((0, height), (1, width)):
        lines = x[0, ..., axis].mean(axis=1 - axis)
        first, last = (length - side) / 2, (length + side) / 2
        step = 255 / (length - 1)
        # pixel centres lie half a step inside the cut
        half = side / 28 / 2
        assert lines[0] == pytest.approx((first + half - 0.5) * step, abs=side / 28 * step)
        assert lines[-1] == pytest.approx((last - half - 0.5) * step, abs=side / 28 * step)


def test_a_picture_of_the_right_size_is_cut_and_not_scaled(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    (tmp_path / "only").mkdir()
    Image.fromarray(pixels).save(tmp_path / "only" / "noise.png")
    ((x, _),) = qk.load_image_folder(tmp_path, 28, unchanged).batches()
    np.testing.assert_array_equal(x[0], pixels[2:30, 2:30])


@pytest.mark.parametrize("mode", ["L", "1", "LA", "P", "RGBA", "CMYK"])
def test_whatever_its_colours_it_comes_out_as_rgb(tmp_path, mode):
    (tmp_path / "only").mkdir()
    suffix = "tif" if mode == "CMYK" else "png"
    Image.new("RGB", (20, 20), (255, 255, 255)).convert(mode).save(tmp_path / f"only/a.{suffix}")
    ((x, _),) = qk.load_image_folder(tmp_path, 8, unchanged).batches()
    np.testing.assert_allclose(x, np.full((1, 8, 8, 3), 255), atol=1)


def test_sample_is_drawn_the_same_each_time_and_from_all_classes(folder):
    images = qk.load_image_folder(folder, 16, unchanged)
    sample = images.sample(9)
    assert sample.shape == (9, 16, 16, 3)
    np.testing.assert_array_equal(sample, images.sample(9))
    assert {int(image.mean(axis=(0, 1)).argmax()) for image in sample} == {0, 1, 2}
    assert len(images.sample(100)) == 12


def test_names_in_the_models_order(folder):
    names = ["red", "yellow", "blue", "green"]
    images = qk.load_image_folder(folder, 16, unchanged, class_names=names)
    assert set(images.labels[:4]) == {2}  # blue
    assert set(images.labels[-4:]) == {0}  # red
    assert str(images) == "12 images in 3 of 4 classes, read as 16×16 pixels"


def test_what_is_wrong_with_a_folder_is_told(folder, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(DataNotFoundError, match=r"there is no folder .*nowhere"):
        qk.load_image_folder(folder / "nowhere", 16, unchanged)
    with pytest.raises(DataNotFoundError, match=r"0 sub-folders .* it needs one for each class"):
        qk.load_image_folder(empty, 16, unchanged)
    (empty / "cat").mkdir()
    with pytest.raises(DataNotFoundError, match=r"the 1 sub-folders of .* hold no images \(.bmp"):
        qk.load_image_folder(empty, 16, unchanged)
    with pytest.raises(DataError, match=r"'green' of .* is not among the 2 class_names"):
        qk.load_image_folder(folder, 16, unchanged, class_names=["red", "blue"])
    with pytest.raises(DataError, match="a name twice"):
        qk.load_image_folder(folder, 16, unchanged, class_names=["red", "blue", "green", "red"])
    with pytest.raises(ValueError, match="size must be a whole number of 1 or more, got 0"):
        qk.load_image_folder(folder, 0, unchanged)


def test_numbers_that_sort_as_text_are_not_taken_for_an_order(tmp_path):
    for number in (1, 2, 10):
        (tmp_path / str(number)).mkdir()
        Image.new("L", (9, 9)).save(tmp_path / str(number) / "a.png")
    with pytest.raises(DataError, match=r"sorted as text '10' follows '1'. Pass class_names"):
        qk.load_image_folder(tmp_path, 8, unchanged)
    names = ["1", "2", "10"]
    assert qk.load_image_folder(tmp_path, 8, unchanged, class_names=names).labels.max() == 2


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_file_that_cannot_be_read_is_named(folder, content):
    broken = folder / "green" / "2.JPEG"
    broken.write_bytes(broken.read_bytes()[:400] if content is None else content)
    images = qk.load_image_folder(folder, 16, unchanged)
    with pytest.raises(DataError, match=r"green.2.JPEG: cannot be read as an image"):
        list(images.batches())


def test_more_than_eight_bits_is_refused(tmp_path):
    (tmp_path / "only").mkdir()
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(tmp_path / "only" / "deep.png")
    with pytest.raises(DataError, match=r"deep.png: .*more than 8 bits"):
        qk.load_image_folder(tmp_path, 8, unchanged).sample(1)


def test_accuracy_of_a_folder_is_that_of_its_images(folder, tf, monkeypatch):
    images = qk.load_image_folder(folder, 8, lambda pixels: pixels / 255)
    keras = tf.keras
    model = keras.Sequential(
        [
            keras.layers.InputLayer((8, 8, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, kernel_initializer=keras.initializers.Constant(np.eye(3)[::-1])),
        ]
    )  # blue is the third channel and the first class
    done = []
    monkeypatch.setattr("qkit.evaluate.accuracy._BATCH_IMAGES", 5)
    found = qk.accuracy(qk.convert(model, "float32"), images, follow=done.append)
    assert (found.accuracy, found.n) == (1.0, 12)
    assert done == [5, 10, 12]
    assert qk.accuracy(model, images).predictions.tolist() == found.predictions.tolist()
    names = ["red", "green", "blue"]
    other = qk.load_image_folder(folder, 8, lambda pixels: pixels / 255, class_names=names)
    assert qk.accuracy(model, other).accuracy == pytest.approx(1 / 3)


def test_folder_with_fewer_classes_than_outputs_is_refused(folder, toy_model, toy_tflite):
    names = ["red", "green", "blue", "x"]
    images = qk.load_image_folder(folder, 4, lambda pixels: pixels[..., 0], class_names=names)
    for model in (toy_model(), toy_tflite):
        with pytest.raises(ValueError, match=r"the model has 3 outputs, and the folder 4 classes"):
            qk.accuracy(model, images)
    with pytest.raises(ValueError, match=r"Pass class_names=… to load_image_folder"):
        qk.accuracy(toy_model(classes=1000), images)


def test_path_may_be_text(folder):
    images = qk.load_image_folder(str(folder), 8, unchanged)
    assert all(isinstance(path, Path) for path in images.paths)
