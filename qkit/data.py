"""Labelled images: MNIST and its like, checked before use, and folders of image files."""

import gzip
import hashlib
import math
import os
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qkit import validate
from qkit._tensorflow import first_line, impatient, quiet, tensorflow
from qkit.samples import count, rows

_REMEDY = "Delete it, so that it is downloaded again, or replace it."
# Published MD5 sums. MNIST's are of the unpacked idx files, so that the same pixels are recognised
# in an .npz; Fashion-MNIST's are of the .gz files (https://github.com/zalandoresearch/fashion-mnist).
_MNIST_MD5 = {
    "x_train": "6bbc9ace898e44ae57da46a324031adb",
    "y_train": "a25bea736e30d166cdddb491f175f624",
    "x_test": "2646ac647ad5339dbf082846283269ea",
    "y_test": "27ae3e4e09519cfbb04c329615203637",
}
_FASHION_MD5 = {
    "x_train": ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    "y_train": ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
    "x_test": ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
    "y_test": ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
}
_MOST_VALUES = 60_000 * 28 * 28  # of one of their arrays
_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
# What they may hold, whatever the suffix: for others, Pillow may start a program.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")


class DataError(ValueError):
    """A data file is damaged, or is not the data set whose name it bears."""


class DataNotFoundError(FileNotFoundError):
    """A data set is neither on this machine nor to be downloaded."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels for training and for testing."""

    x_train: np.ndarray  # of shape (n, 28, 28), float32, in [0, 1]
    y_train: np.ndarray  # of shape (n,), int64
    x_test: np.ndarray
    y_test: np.ndarray
    name: str
    source: str  # where they came from, in words

    def __repr__(self):
        return (
            f"{self.name}: {len(self.x_train):,} training and {len(self.x_test):,} test images "
            f"of {'×'.join(map(str, self.x_train.shape[1:]))} ({self.source})"
        )


@dataclass(frozen=True, eq=False, repr=False)
class ImageFolder:
    """Paths and labels of images; the pixels are read when they are asked for."""

    paths: tuple[Path, ...]
    labels: np.ndarray  # of shape (n,), int64: positions in `class_names`
    class_names: tuple[str, ...]
    image_size: tuple[int, int]  # height and width of what comes out, in pixels
    preprocess: Callable  # from pixels of 0 to 255 to what the model takes

    def __len__(self):
        return len(self.paths)

    def __repr__(self):
        present, known, size = len(set(self.labels)), len(self.class_names), self.image_size
        classes = f"{present:,}" if present == known else f"{present:,} of {known:,}"
        return f"{len(self):,} images in {classes} classes, read as {size[0]}×{size[1]} pixels"

    def batches(self, size=100):
        """Yield (images, labels) in order, `size` at a time; the last batch may hold fewer."""
        for start in range(0, len(self), validate.whole(size, name="batches: size")):
            chosen = slice(start, start + size)
            yield self._read(self.paths[chosen]), self.labels[chosen]

    def sample(self, n):
        """Return at most `n` images at random, always the same ones, for the choice of ranges."""
        return self._read(drawn(np.array(self.paths), validate.whole(n, name="sample: n")))

    def _read(self, paths):
        pixels = np.stack([_pixels(path, self.image_size) for path in paths])
        return np.asarray(self.preprocess(pixels), np.float32)


def load_data(name="mnist", *, fallback=None):
    """Load a data set, held against its published MD5 sums.

    It is looked for in the folder that the environment variable ``QKIT_DATA`` names and in Keras's
    own cache, and is then downloaded by Keras.

    Parameters
    ----------
    name : {"mnist", "fashion_mnist", "digits"}
        "digits" ships with scikit-learn: 1,797 images of 8×8, enlarged here to 28×28.
    fallback : {None, "digits"}, loaded with a warning if `name` cannot be had; not if it is damaged

    Returns
    -------
    Dataset

    Examples
    --------
    >>> load_data("digits").x_train.shape
    (1297, 28, 28)
    """
    loaders = {"mnist": _mnist, "fashion_mnist": _fashion_mnist, "digits": _digits}
    validate.choice(name, loaders, name="load_data: name")
    validate.choice(fallback, (None, "digits"), name="load_data: fallback")
    try:
        return loaders[name]()
    except DataNotFoundError as error:
        if fallback is None:
            raise
        warnings.warn(
            f"{name.upper()} COULD NOT BE HAD: EVERYTHING BELOW RUNS ON SCIKIT-LEARN'S DIGITS "
            f"INSTEAD, which are easier and fewer. {error}",
            stacklevel=2,
        )
        return _digits()
    except OSError as error:
        raise DataError(f"load_data: {error}. {_REMEDY}") from error


def load_image_folder(path, size, preprocess, *, class_names=None):
    """List the images of a folder that has a sub-folder for each class, as ImageNet's do.

    Each image is made RGB, cut to the largest square in its middle, or rectangle of the size's
    proportions, less 1/16 at each edge, and scaled:
    Krizhevsky et al., "ImageNet classification with deep convolutional neural networks" (2012).
    Of an animation it is the first; as stored, whatever EXIF says of how it was held; and without
    transparency: a pixel that is not seen counts by its colour. Of 16 bits, colours are cut to 8,
    and grey is refused.

    Parameters
    ----------
    path : str or Path
    size : int, or (height, width), that the model takes, in pixels
    preprocess : callable
        From pixels of 0 to 255, float32 of shape (n, height, width, 3), to what the model takes;
        for a published network ``qk.published.ARCHITECTURES[name].preprocess``.
    class_names : sequence of str, optional
        In the order of the model's outputs, which may be more; by default the sub-folders, sorted.

    Returns
    -------
    ImageFolder

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> cats = Path(tempfile.mkdtemp(), "cats")
    >>> cats.mkdir()
    >>> Image.new("L", (30, 20)).save(cats / "0.png")
    >>> load_image_folder(cats.parent, 16, lambda pixels: pixels / 255)
    1 images in 1 classes, read as 16×16 pixels
    """
    validate.instance(preprocess, Callable, name="load_image_folder: preprocess")
    path = Path(validate.instance(path, (str, os.PathLike), name="load_image_folder: path"))
    size = size if isinstance(size, (tuple, list)) and len(size) == 2 else (size, size)
    size = tuple(validate.whole(side, name="load_image_folder: size") for side in size)
    if not os.path.isdir(path):
        raise DataNotFoundError(f"load_image_folder: there is no folder {path}.")
    folders = sorted(name for name in next(_walk(path))[1] if not name.startswith("."))
    names = _checked_names(path, folders, class_names)
    number = {name: i for i, name in enumerate(names)}
    found = sorted(
        (Path(at, file), number[folder])
        for folder in folders
        for at, _, files in _walk(path / folder)
        for file in files
        if file.lower().endswith(_SUFFIXES) and not file.startswith(".")
    )
    if not found:
        raise DataNotFoundError(
            f"load_image_folder: the {len(folders)} sub-folders of {path} hold no images "
            f"({', '.join(_SUFFIXES)}); it needs one for each class, with the images in it."
        )
    paths, labels = zip(*found, strict=True)
    return ImageFolder(paths, np.array(labels, np.int64), names, size, preprocess)


def drawn(x, most):
    """Return at most `most` items at random, always the same ones, for the choice of ranges."""
    return rows(x, np.random.default_rng(0).permutation(count(x))[:most])


def _mnist():
    path = _located("mnist.npz")
    arrays = {key: _npz_member(path, key) for key in _MNIST_MD5}
    for key, array in arrays.items():
        idx = np.array([0x800 + array.ndim, *array.shape], ">i4").tobytes() + array.tobytes()
        _verify(f"{path}: {key} is not MNIST's", idx, _MNIST_MD5[key])
    return _dataset("mnist", arrays, f"MD5 verified, from {path.name}")


def _fashion_mnist():
    arrays = {}
    for key, (filename, published) in _FASHION_MD5.items():
        path = _located(filename, "fashion-mnist")
        with path.open("rb") as file:
            packed = file.read(2 * _MOST_VALUES)  # of a larger one, the sum is another in any case
        _verify(f"{path} is not Fashion-MNIST's", packed, published)
        idx = np.frombuffer(gzip.decompress(packed), np.uint8)  # a header, then the values
        arrays[key] = idx[16:].reshape(-1, 28, 28) if key.startswith("x") else idx[8:]
    return _dataset("fashion_mnist", arrays, "MD5 verified, from four .gz files")


def _digits():
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, y = load_digits(return_X_y=True)
    # 16 is the largest value of these images; linear interpolation stays inside [0, 1]
    x = zoom(images.reshape(-1, 8, 8) / 16, (1, 3.5, 3.5), order=1).astype(np.float32)
    x_train, x_test, y_train, y_test = train_test_split(
        x, y.astype(np.int64), test_size=500, random_state=0, stratify=y
    )
    source = "scikit-learn's load_digits, 8×8 enlarged to 28×28"
    return Dataset(x_train, y_train, x_test, y_test, "digits", source)


def _dataset(name, arrays, source):
    x = {key: arrays[key].astype(np.float32) / np.float32(255) for key in ("x_train", "x_test")}
    y = {key: arrays[key].astype(np.int64) for key in ("y_train", "y_test")}
    return Dataset(**x, **y, name=name, source=source)


def _located(filename, folder=""):
    """Return the path of a file in QKIT_DATA or in Keras's cache, downloaded if in neither."""
    # by os.path, which takes a user without a home and a folder that may not be read for none
    keras_home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    places = [Path(keras_home, "datasets", folder)]
    if os.environ.get("QKIT_DATA"):
        own = Path(os.path.expanduser(os.environ["QKIT_DATA"]))
        places = [own, own / folder, *places]
    for place in places:
        if os.path.isfile(place / filename):
            return place / filename
    return _downloaded(filename, folder)


def _downloaded(filename, folder):
    url = f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{filename}"
    try:
        with quiet(), impatient():
            get_file = tensorflow().keras.utils.get_file
            return Path(get_file(filename, url, cache_subdir=f"datasets/{folder}"))
    except Exception as error:
        raise DataNotFoundError(
            f"{filename} is neither in $QKIT_DATA ({os.environ.get('QKIT_DATA') or 'not set'}) nor "
            f"in Keras's cache, and the download from {url} failed ({first_line(error)}). Put "
            f"{filename} into a folder and set QKIT_DATA to it, or use fallback='digits'."
        ) from error


def _verify(otherwise, content, published):
    if hashlib.md5(content).hexdigest() != published:
        raise DataError(
            f"{otherwise}: the MD5 sum differs from the published one; the file is damaged, "
            f"half-written or another one. {_REMEDY}"
        )


def _npz_member(path, key):
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as member:
            np.lib.format.read_magic(member)
            shape, by_column, dtype = np.lib.format.read_array_header_1_0(member)
            count = math.prod(shape)
            if dtype.kind not in "iuf" or count > _MOST_VALUES:  # a few packed bytes may hold any
                raise ValueError(f"{dtype} of shape {shape}, not {_MOST_VALUES:,} numbers at most")
            values = np.frombuffer(member.read(count * dtype.itemsize), dtype)
            return values.reshape(shape, order="CF"[by_column]).astype(np.uint8, "C")
    except Exception as error:  # archive, header and values each fail in ways of their own
        raise DataError(
            f"{path}: cannot read {key} ({first_line(error)}); the file is damaged, half-written "
            f"or no MNIST archive. {_REMEDY}"
        ) from error


def _walk(folder):
    """Walk through a folder; what may not be read is refused, and not left out."""

    def refuse(error):
        raise DataError(f"load_image_folder: {error}. Change its permissions, or take it out.")

    return os.walk(folder, onerror=refuse)


def _checked_names(path, present, class_names):
    """Return the names of the classes in the order of their numbers."""
    # whatever it is: what holds no names does not hold those of the sub-folders
    names = tuple(present if class_names is None else np.array(class_names, object).ravel())
    unknown = [name for name in present if name not in names]
    if unknown:
        raise DataError(
            f"load_image_folder: the sub-folder {unknown[0]!r} of {path} is not among the "
            f"{len(names):,} class_names. Pass the names of the sub-folders in the model's order."
        )
    if len(set(names)) != len(names):
        raise DataError("load_image_folder: class_names holds a name twice.")
    if class_names is None and all(map(str.isdigit, names)) and present != sorted(names, key=int):
        raise DataError(
            f"load_image_folder: the sub-folders of {path} are numbers, and sorted as text "
            f"{names[1]!r} follows {names[0]!r}. Pass class_names in the model's order."
        )
    return names


def _pixels(path, size):
    """Return one image as pixels of 0 to 255, float32 of shape (*size, 3)."""
    from PIL import Image, ImageOps

    try:
        if not os.path.isfile(path):  # a pipe would be waited for
            raise ValueError("there is no file, or a broken link")
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
                most = f"PIL.Image.MAX_IMAGE_PIXELS is {Image.MAX_IMAGE_PIXELS:,}"
                raise ValueError(f"it has {image.width:,}×{image.height:,} pixels, and {most}")
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"more than 8 bits a channel, mode {image.mode}")
            image = image.convert("RGB")
        # the central 224 of 256, as tf-slim and AlexNet evaluate
        cut = ImageOps.fit(image, size[::-1], Image.Resampling.BILINEAR, bleed=1 / 16)
    except Exception as error:  # each format's decoder fails in ways of its own
        raise DataError(
            f"{os.fsencode(path).decode(errors='replace')}: cannot be read as an image of "
            f"{', '.join(_FORMATS)} ({first_line(error)}). Replace the file or take it out."
        ) from error
    return np.asarray(cut, np.float32)
