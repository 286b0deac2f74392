"""Labelled images in folders, one sub-folder a class, read a batch at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qkit import validate
from qkit.data import DataError, DataNotFoundError, drawn

_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm", ".tif", ".tiff"))
_BORDER = 1 / 16  # cut off on each side: the central 224 of 256, as tf-slim and AlexNet evaluate


@dataclass(frozen=True, eq=False, repr=False)
class ImageFolder:
    """Paths and labels of images; the pixels are read when they are asked for."""

    paths: tuple[Path, ...]
    labels: np.ndarray  # of shape (n,), int64: positions in `class_names`
    class_names: tuple[str, ...]
    image_size: int  # height and width of what comes out, in pixels
    preprocess: Callable  # from pixels of 0 to 255 to what the model takes

    def __len__(self):
        return len(self.paths)

    def __repr__(self):
        present, size = len(np.unique(self.labels)), self.image_size
        of = "" if present == len(self.class_names) else f" of {len(self.class_names):,}"
        return f"{len(self):,} images in {present:,}{of} classes, read as {size}×{size} pixels"

    def batches(self, size=100):
        """Yield (images, labels) in order, `size` at a time; the last batch may hold fewer."""
        for start in range(0, len(self), size):
            chosen = np.arange(len(self))[start : start + size]
            yield self._read(chosen), self.labels[chosen]

    def sample(self, n):
        """Return at most `n` images at random, always the same ones, for the choice of ranges."""
        return self._read(drawn(np.arange(len(self)), n))

    def _read(self, chosen):
        pixels = np.stack([_pixels(self.paths[i], self.image_size) for i in chosen])
        return np.asarray(self.preprocess(pixels), np.float32)


def load_image_folder(path, size, preprocess, *, class_names=None):
    """List the images of a folder that has a sub-folder for each class, as ImageNet's do.

    Each image is made RGB, cut to the square in its middle, of 7/8 of its shorter side, and scaled:
    the usual way to evaluate on ImageNet, after A. Krizhevsky et al., "ImageNet classification with
    deep convolutional neural networks" (2012).

    Parameters
    ----------
    path : str or Path
    size : int
        Height and width that the model takes, in pixels.
    preprocess : callable
        From pixels of 0 to 255, float32 of shape (n, size, size, 3), to what the model takes; for a
        published network ``qk.published.ARCHITECTURES[name].preprocess``.
    class_names : sequence of str, optional
        Names of sub-folders in the order of the model's outputs; it may name more than there are.
        By default the sub-folders' names, sorted, which is right where all classes are there.

    Returns
    -------
    ImageFolder
        With ``batches(size)``, all images and labels, some at a time, and ``sample(n)``.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "cat").mkdir()
    >>> Image.new("L", (30, 20)).save(folder / "cat" / "0.png")
    >>> load_image_folder(folder, 16, lambda pixels: pixels / 255)
    1 images in 1 classes, read as 16×16 pixels
    """
    path, size = Path(path), validate.whole(size, name="load_image_folder: size")
    if not path.is_dir():
        raise DataNotFoundError(f"load_image_folder: there is no folder {path}.")
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    names = _checked_names(path, [folder.name for folder in folders], class_names)
    found = [
        (file, label)
        for folder in folders
        for label in [names.index(folder.name)]
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in _SUFFIXES and not file.name.startswith(".")
    ]
    if not found:
        raise DataNotFoundError(
            f"load_image_folder: the {len(folders)} sub-folders of {path} hold no images "
            f"({', '.join(sorted(_SUFFIXES))}); it needs one for each class, with the images in it."
        )
    paths, labels = zip(*found, strict=True)
    return ImageFolder(paths, np.array(labels, np.int64), names, size, preprocess)


def _checked_names(path, present, class_names):
    """Return the names of the classes in the order of their numbers."""
    names = tuple(present if class_names is None else class_names)
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
    """Return one image as pixels of 0 to 255, float32 of shape (size, size, 3)."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"more than 8 bits a channel, mode {image.mode}")
            image = image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: cannot be read as an image ({error}). Replace the file or take it out."
        ) from error
    square = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR, bleed=_BORDER)
    return np.asarray(square, np.float32)
