"""Explorer of one integer that a convolution writes, and that the interpreter's kernels write."""

import ipywidgets as ipw
import numpy as np

from qkit.interpreter.kernels import KERNELS, written
from qkit.plots.pixel import plot_pixel
from qkit.quantize.integer import run_integer
from qkit.quantize.pixel import convolutions, pixel
from qkit.widgets.controls import choice
from qkit.widgets.explorer import Explorer

_CONTROLS = "item", "row", "column", "filter", "channel"


def explore_pixel(tflite, x):
    """Explore how an integer kernel makes each integer that a convolution writes.

    It begins where the interpreter's kernels disagree, if they do on one of the images.

    Parameters
    ----------
    tflite : bytes, of a fully quantized file with a CONV_2D or DEPTHWISE_CONV_2D
    x : ndarray of shape (n, *input), as for `run_integer`; a few images, as all is kept

    Returns
    -------
    Explorer
    """
    trace = run_integer(tflite, x)
    numbers = convolutions(trace.file)
    if not numbers:
        raise ValueError(
            "explore_pixel: the file has no CONV_2D and no DEPTHWISE_CONV_2D to look into. "
            "qk.run_integer(tflite, x).table has what its operators write."
        )
    theirs = _theirs(trace, numbers)
    first = {number: pixel(trace, number) for number in numbers}
    places = {number: _place(trace, number, theirs[number], first[number]) for number in numbers}
    last = {
        number: [n - 1 for n in (*theirs[number]["reference"].shape, len(found.channels))]
        for number, found in first.items()
    }
    most = np.max([*last.values()], 0).tolist()
    controls = {
        name: ipw.IntSlider(places[numbers[0]][name], 0, end, description=name)
        for name, end in zip(_CONTROLS, most, strict=True)
        if end
    }
    if len(numbers) > 1:
        named = [(f"{n} {trace.file.operators[n].name}", n) for n in numbers]
        controls = {"operator": choice(named)} | controls
    figure, update = plot_pixel.live(kernels=[*KERNELS])

    def answer(operator=numbers[0], *, channel=0, **place):
        for name, end in zip(_CONTROLS, last[operator], strict=True):
            if name in controls:
                controls[name].max = end
                controls[name].disabled = not end
        place = dict.fromkeys(_CONTROLS[:4], 0) | place
        at = tuple(place.values())
        found = pixel(trace, operator, **place)
        values = {name: int(images[at]) for name, images in theirs[operator].items()}
        update(found, values, channel)
        return f"{found.summary()}. {_said(found.value, values)}"

    def begin(operator):
        for name in controls.keys() & {*_CONTROLS}:  # wide enough, until it is known what is there
            controls[name].max = max(most)
        return {name: value for name, value in places[operator].items() if name in controls}

    alt = "The input and what is read of it; inputs, weights and products; the way to the integer."
    return Explorer(controls, figure, answer, alt=alt, leads={"operator": begin})


def _theirs(trace, numbers):
    """Return what each operator writes by each kind of kernels: images, by number and name."""
    outputs = [trace.file.operators[number].outputs[0].index for number in numbers]
    found = {number: {} for number in numbers}
    for kernels in KERNELS:
        runs = [[theirs[index] for index in outputs] for _, theirs in written(trace, kernels)]
        for number, arrays in zip(numbers, zip(*runs, strict=True), strict=True):
            images = np.concatenate(arrays)
            found[number][kernels] = images.reshape(-1, *images.shape[-3:])[: trace.items]
    return found


def _place(trace, number, theirs, found):
    """Return what is worth a look: near the middle, not clamped, and if it can be, in dispute."""
    ours = trace.tensors[trace.file.operators[number].outputs[0].index]
    ours = ours.reshape(-1, *ours.shape[-3:])
    low, high = found.ends
    inside = (ours > low) & (ours < high)
    disputed = np.any([images != ours for images in theirs.values()], axis=0)
    wanted = next(
        mask for mask in (inside & disputed, inside, np.full(ours.shape, True)) if mask.any()
    )
    places = np.argwhere(wanted)
    off_middle = np.abs(places[:, 1:3] - np.array(ours.shape[1:3]) / 2).max(1)
    best = places[np.lexsort((off_middle, places[:, 0]))[0]].tolist()
    place = dict(zip(_CONTROLS, best, strict=False))
    products = pixel(trace, number, **place).products
    return place | {"channel": int(np.abs(products).sum((0, 1)).argmax())}


def _said(value, theirs):
    """Say which kernels write the same integer, and what the others write."""
    same = [name for name, integer in theirs.items() if integer == value]
    others = [f", but {name} {integer}" for name, integer in theirs.items() if integer != value]
    return f"The interpreter's {', '.join(same)} kernels write the same{''.join(others)}."
