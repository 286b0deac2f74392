"""Images of a folder come out as one cuts them by hand, a batch at a time."""

import contextlib
import os
import struct
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


def test_rectangles_are_the_largest_in_the_middle(tmp_path):
    (tmp_path / "one").mkdir()
    ramp = np.arange(200, dtype=np.uint8)  # brighter from left to right
    pixels = np.stack([np.tile(ramp, (100, 1))] * 3, axis=2)
    Image.fromarray(pixels).save(tmp_path / "one" / "0.png")
    images = qk.load_image_folder(tmp_path, (32, 48), unchanged)
    assert str(images) == "1 images in 1 classes, read as 32×48 pixels"
    ((x, _),) = images.batches()
    assert x.shape == (1, 32, 48, 3)
    width = 150 * 7 / 8  # of 100 pixels' height, in the proportions 48 to 32
    step = width / 48
    np.testing.assert_allclose(
        x[0, 16, :, 0], 100 - width / 2 + step * (np.arange(48) + 0.5), atol=1
    )
    assert images.sample(1).shape == (1, 32, 48, 3)
    for wrong in ((32, 0), (32,), "big", (32, 48, 3)):
        with pytest.raises((TypeError, ValueError), match="load_image_folder: size"):
            qk.load_image_folder(tmp_path, wrong, unchanged)


def test_nothing_is_read_before_it_is_asked_for(folder, monkeypatch):
    opened, open_image = [], Image.open
    monkeypatch.setattr(
        Image, "open", lambda path, **how: opened.append(path) or open_image(path, **how)
    )
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


@pytest.mark.parametrize(
    "content", [b"", b"no image", None, b"P6 0 0 255\n", b"P6 9 0 255\n", b"GIF89a\0\0\0\0\0\0\0;"]
)
def test_file_that_cannot_be_read_is_named(folder, content):
    broken = folder / "green" / "2.JPEG"
    broken.write_bytes(broken.read_bytes()[:400] if content is None else content)
    images = qk.load_image_folder(folder, 16, unchanged)
    with pytest.raises(DataError, match=r"green.2.JPEG: cannot be read as an image"):
        list(images.batches())


@pytest.fixture
def only(tmp_path):
    """Return the folder of the one class, and a function that reads its images."""
    (tmp_path / "only").mkdir()
    return tmp_path / "only", lambda: qk.load_image_folder(tmp_path, 8, unchanged).sample(9)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_damaged_images_are_read_or_named_whatever_the_decoder_makes_of_them(only, kind):
    folder, read = only
    path = folder / "a.png"
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    Image.fromarray(pixels).save(path, format=kind)
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    assert read().shape == (1, 8, 8, 3), "by what it holds, not by its suffix"
    for _ in range(60):
        spoilt = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            spoilt[rng.integers(min(len(whole), 200))] = rng.integers(256)
        path.write_bytes(spoilt[: rng.integers(8, len(whole)) if rng.random() < 0.3 else None])
        with contextlib.suppress(DataError):
            assert np.isfinite(read()).all()


def test_what_a_decoder_raises_of_its_own_is_told(only, monkeypatch):
    folder, read = only
    Image.new("L", (9, 9)).save(folder / "a.png")
    for raised in (struct.error("unpack"), EOFError(), KeyError(7), MemoryError("no room")):
        monkeypatch.setattr(
            Image.Image, "convert", lambda *a, raised=raised: (_ for _ in [0]).throw(raised)
        )
        with pytest.raises(DataError, match=r"a.png: cannot be read as an image"):
            read()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="room is limited as Linux does")
def test_long_images_take_no_more_room_than_they_have_pixels(run_python):
    """Scaled to a shorter side of 256 before they are cut, they would take gigabytes."""
    code = """
import resource
from pathlib import Path
from PIL import Image
from qkit.data import load_image_folder

Path("images", "only").mkdir(parents=True)
Image.new("1", (9, 9)).save("images/only/a.png")
images = load_image_folder("images", 224, lambda pixels: pixels)
images.sample(1)  # what is loaded once is there
room = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + 2**26
resource.setrlimit(resource.RLIMIT_AS, (room, room))
for size in ((1, 20_000), (20_000, 1)):
    Image.new("1", size).save("images/only/a.png")
    assert Path("images/only/a.png").stat().st_size < 200
    print(images.sample(1).shape)
"""
    assert run_python(code).splitlines() == ["(1, 224, 224, 3)"] * 2


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_more_pixels_than_pillow_trusts_are_refused_by_their_number(only, monkeypatch):
    folder, read = only
    Image.new("1", (20, 10)).save(folder / "a.png")
    for most, told in (
        (150, "20×10 pixels, and PIL.Image.MAX_IMAGE_PIXELS is 150"),
        (99, "exceeds limit of 198 pixels"),
    ):  # which Pillow warns of, and which it raises
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with pytest.raises(DataError, match=rf"a\.png: .*{told}"):
            read()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert read().shape == (1, 8, 8, 3)


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n",
        b"/* XPM */\n",
        b"#define im_width 9\n#define im_height 9\nstatic char im_bits[] = {0};",
    ],
)
def test_other_formats_do_not_come_in_by_another_name(only, monkeypatch, content):
    from PIL import EpsImagePlugin

    monkeypatch.setattr(
        EpsImagePlugin, "Ghostscript", lambda *a, **k: pytest.fail("it was started")
    )
    folder, read = only
    (folder / "a.png").write_bytes(content)
    with pytest.raises(
        DataError, match=r"a\.png: cannot be read as an image of BMP, GIF, JPEG, PNG"
    ):
        read()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_what_is_no_file_is_not_waited_for(only):
    folder, read = only
    (folder / "a folder.png").mkdir()
    Image.new("L", (9, 9)).save(folder / "a.png")
    assert read().shape == (1, 8, 8, 3)
    for make in (os.mkfifo, lambda path: os.symlink(path.with_name("gone"), path)):
        path = folder / "b.png"
        make(path)
        with pytest.raises(DataError, match=r"b\.png: .*there is no file, or a broken link"):
            read()
        path.unlink()


def test_folder_that_may_not_be_read_is_not_left_out(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("green"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"Permission denied: .*green.*permissions, or take it out"):
        qk.load_image_folder(folder, 8, unchanged)


def test_error_about_a_name_that_is_no_text_can_be_printed(only):
    folder, read = only
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(b"no image")
    except OSError:
        pytest.skip("this file system takes text alone")
    with pytest.raises(DataError) as error:
        read()
    assert "caf" in str(error.value).encode().decode()


def test_animations_give_their_first_image_and_photographs_lie_as_stored(only):
    folder, read = only
    frames = [Image.new("RGB", (9, 9), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:])
    assert read()[0, 4, 4].tolist() == [255, 0, 0]
    (folder / "a.gif").unlink()
    half = np.zeros((16, 16, 3), np.uint8)
    half[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright, which viewers turn
    Image.fromarray(half).save(folder / "a.png", exif=exif)
    x = read()[0]
    assert x[0].min() > 250 > 5 > x[-1].max()


def test_transparent_pixels_count_by_their_colour(only):
    folder, read = only
    Image.new("RGBA", (9, 9), (10, 200, 30, 0)).save(folder / "a.png")
    assert read()[0, 4, 4].tolist() == [10, 200, 30]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"path": None}, "load_image_folder: path must be a str or PathLike, got NoneType"),
        ({"path": 3}, "path must be a str or PathLike, got int"),
        ({"preprocess": "scale"}, "preprocess must be a Callable, got str"),
        ({"class_names": 3}, "is not among the 1 class_names"),
        ({"class_names": [["a"], ["b", "c"]]}, "is not among the 2 class_names"),
        ({"size": 2.5}, "size must be a whole number of 1 or more, got 2.5"),
        ({"path": "a\0b"}, "there is no folder"),
    ],
)
def test_arguments_of_other_kinds_are_told(folder, wrong, told):
    given = {"path": folder, "size": 8, "preprocess": unchanged, **wrong}
    with pytest.raises((TypeError, ValueError, DataNotFoundError), match=told):
        qk.load_image_folder(**given)
    images = qk.load_image_folder(folder, 8, unchanged)
    for ask in (images.sample, lambda n: next(images.batches(n))):
        with pytest.raises(ValueError, match="must be a whole number of 1 or more, got 0"):
            ask(0)


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
