"""How fast the explorers redraw, beside the same picture through `interact` with a new figure.

``python tests/benchmarks/redraws.py`` prints the kernel's time from a control's change to the
picture, median and 95th percentile, and how many times as long the plain way takes. Misses of the
aims are marked. It ends with an error where an explorer shows nothing new.
"""

import sys
import time
from itertools import cycle, islice

import ipywidgets as ipw
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from IPython.core.pylabtools import print_figure

import qkit as qk
from qkit.interpreter.kernels import KERNELS
from qkit.plots.number import plot_numbers
from qkit.quantize.pixel import convolutions

REDRAWS = 60
SLOWEST_MS, LEAST_RATIO = 40, 8  # for the explorers of a number, a grid and a calibration
SLOWEST_ACCURACY_MS = 250


def main():
    """Print the table; return 1 if a picture stayed as it was, else 0."""
    mpl.use("agg")
    qk.setup_notebook()
    data = qk.load_data("mnist", fallback="digits")
    model = qk.models.walkthrough_cnn()
    qk.fit(model, data, epochs=2)
    tflite = qk.convert(model, "float32")
    comparison = qk.compare(model, data, ["dynamic_range", "full_integer"])
    print(f"{qk.environment().summary()}\n{data}\n")
    print(f"{'ms, median (95th percentile)':40}{'interact':>18}{'qkit':>18}{'ratio':>8}   aim")
    moved = [
        explorer_of_numbers(),
        explorer_of_grids(tflite),
        explorer_of_calibration(tflite, data),
        explorer_of_bits(tflite, data),
        explorer_of_layers(tflite, data),
        explorer_of_pixels(tflite, data),
        explorer_of_sparsity(tflite, data),
        explorer_of_clusters(tflite, data),
        explorer_of_schemes(comparison),
        explorer_of_trees(comparison),
    ]
    return 0 if all(moved) else 1


def explorer_of_numbers():
    """Drag a value along."""

    def plain(value):
        return plot_numbers(qk.nearest_numbers(value, -1, 1))

    explorer = qk.explore_number()
    slider = next(c for c in explorer.controls.values() if isinstance(c, ipw.FloatSlider))
    return row("explore_number", explorer, slider, np.linspace(-0.9, 0.9, 25), plain, aim=True)


def explorer_of_grids(tflite):
    """Drag the bits of a layer of 20,280 weights."""
    weights = qk.simulation.layers(tflite)[1].weights

    def plain(bits):
        return qk.plot_grid_fit(
            qk.grid_fit(weights, qk.grid.choose_qparams(weights, bits=bits, symmetric=True))
        )

    explorer = qk.explore_grid(weights)
    return row("explore_grid", explorer, explorer.controls["bits"], range(2, 17), plain, aim=True)


def explorer_of_calibration(tflite, data):
    """Drag the sample's size through what was measured before: new settings are measured beside."""
    explorer = qk.explore_calibration(tflite, data)
    control = explorer.controls["sample_size"]
    sizes = options_of(control)
    effects = {n: qk.calibration_effect(tflite, data, sample_size=n) for n in sizes}

    def plain(size):
        return qk.plot_calibration_effect(effects[size])

    return row("explore_calibration", explorer, control, sizes, plain, aim=True)


def explorer_of_bits(tflite, data):
    """Drag the bits of all layers: first to accuracies met before, then to new ones."""
    explorer = qk.explore_bits(tflite, data)
    control = explorer.controls["weight bits, all"]
    seconds = []
    for activation_bits in (7, 6, 5):
        explorer.controls["activation bits, all"].value = activation_bits
        explorer.wait()
        seconds += to_new_accuracies(explorer, control, options_of(control))
    changed = row("explore_bits", explorer, control, options_of(control))
    accuracy_row(seconds)
    return changed


def explorer_of_layers(tflite, data):
    """Pick one operator after the other; then new bits for the layer of each."""
    explorer = qk.explore_layers(tflite, data)
    control = explorer.controls["layer"]
    operators = options_of(control)
    changed = row("explore_layers", explorer, control, operators)
    seconds = []
    for operator in operators:
        control.value = operator
        explorer.wait()
        seconds += to_new_accuracies(explorer, explorer.controls["becomes"], ["int16", "float32"])
    accuracy_row(seconds)
    return changed


def explorer_of_pixels(tflite, data):
    """Drag the row of the integer that is taken apart."""
    x = data.x_test[:20]
    in_int8 = qk.convert(tflite, "litert_full_integer", data.x_train[:100])
    trace = qk.run_integer(in_int8, x)
    (number,) = convolutions(trace.file)
    explorer = qk.explore_pixel(in_int8, x)
    names = "item", "column", "filter"
    place = {name: explorer.controls[name].value for name in names}
    theirs = dict.fromkeys(KERNELS, 0)

    def plain(row):
        return qk.plot_pixel(qk.pixel(trace, number, row=row, **place), theirs)

    return row("explore_pixel", explorer, explorer.controls["row"], range(26), plain, aim=True)


def explorer_of_sparsity(tflite, data):
    """Drag the sparsity: first to new accuracies, then to those met before."""
    explorer = qk.explore_sparsity(tflite, data)
    control = explorer.controls["sparsity"]
    values = range(2, 99, 4)
    x, y = data.x_test[:1000], data.y_test[:1000]
    effects = {n: qk.effect(tflite, qk.prune_once(tflite, n / 100), x, y) for n in [*values, 50]}

    def plain(sparsity):
        return qk.plot_effect(effects[sparsity])

    seconds = to_new_accuracies(explorer, control, values)
    changed = row("explore_sparsity", explorer, control, values, plain, aim=True)
    accuracy_row(seconds)
    return changed


def explorer_of_clusters(tflite, data):
    """Drag the number of clusters: first to new accuracies, then to those met before."""
    explorer = qk.explore_clusters(tflite, data)
    control = explorer.controls["clusters"]
    values = range(3, 65, 3)
    x, y = data.x_test[:1000], data.y_test[:1000]
    effects = {
        n: qk.effect(tflite, qk.cluster_once(tflite, n, steps=5), x, y)
        for n in [*values, control.value]
    }

    def plain(clusters):
        return qk.plot_effect(effects[clusters])

    explorer.controls["init"].value = "kmeans++"
    explorer.controls["steps"].value = 5
    explorer.wait()
    seconds = to_new_accuracies(explorer, control, values)
    changed = row("explore_clusters", explorer, control, values, plain, aim=True)
    accuracy_row(seconds)
    return changed


def to_new_accuracies(explorer, control, values):
    """Return the seconds from each change until the accuracy is there."""
    seconds = []
    for value in values:
        started = time.perf_counter()
        control.value = value
        explorer.wait()
        seconds.append(time.perf_counter() - started)
    return seconds


def accuracy_row(seconds):
    """Print the line of the times to a new accuracy."""
    slow = 1e3 * np.percentile(seconds, 95)
    text = f"{1e3 * np.median(seconds):.0f} ({slow:.0f})"
    missed = "  missed" * bool(slow > SLOWEST_ACCURACY_MS)
    print(
        f"{'    to a new accuracy':40}{'':18}{text:>18}{'':8}   ≤ {SLOWEST_ACCURACY_MS} ms{missed}"
    )


def explorer_of_schemes(comparison):
    """Pick one scheme after the other."""

    def plain(scheme):
        return qk.plot_tradeoff(qk.tradeoff(comparison), picked=scheme, against="float32")

    explorer = qk.explore_schemes(comparison)
    control = explorer.controls["scheme"]
    return row("explore_schemes", explorer, control, options_of(control), plain)


def explorer_of_trees(comparison):
    """Answer a question yes and no."""
    explorer = qk.explore_decision_tree(comparison)
    control = list(explorer.controls.values())[1]
    return row("explore_decision_tree", explorer, control, options_of(control))


def options_of(control):
    """Return the values that a choice can take."""
    return [o[1] if isinstance(o, tuple) else o for o in control.options]


def row(name, explorer, control, values, plain=None, *, aim=False):
    """Time redraws by a control, beside a function that makes a new figure; print a line.

    Parameters
    ----------
    name : str
    explorer : Explorer
    control : ipywidgets.Widget
    values : iterable
        What the control is set to in turn.
    plain : callable, optional
        From a value to a new figure of the same picture.
    aim : bool
        Whether the aims for a frame are held against it.

    Returns
    -------
    bool
        Whether every move changed the picture.
    """
    values = [value for value in values if value != control.value] + [control.value]
    for value in values:  # once without the clock: what is slow is computed and kept
        control.value = value
        explorer.wait()
    ours, changed = [], True
    for value in islice(cycle(values), REDRAWS):
        before = explorer.children[2].value
        started = time.perf_counter()
        control.value = value
        ours.append(1e3 * (time.perf_counter() - started))
        changed &= explorer.children[2].value != before
    columns = ["", spread(ours), ""]
    ratio = np.inf
    if plain is not None:
        theirs = through_interact(plain, values)
        ratio = np.median(theirs) / np.median(ours)
        columns = [spread(theirs), spread(ours), f"{ratio:.1f}"]
    remarks = []
    if aim:
        missed = np.percentile(ours, 95) > SLOWEST_MS or ratio < LEAST_RATIO
        remarks = [f"≤ {SLOWEST_MS} ms, ≥ {LEAST_RATIO}"] + ["missed"] * bool(missed)
    remarks += ["NOTHING CHANGED"] * (not changed)
    print(f"{name:40}{columns[0]:>18}{columns[1]:>18}{columns[2]:>8}   {'  '.join(remarks)}")
    return changed


def through_interact(plain, values):
    """Return the milliseconds that `interact` takes with a new figure, as Jupyter shows it."""

    def show(value):
        figure = plain(value)
        figure = getattr(figure, "figure", figure)
        print_figure(figure)  # what the inline backend does with a figure at the end of a cell
        plt.close(figure)

    widget = ipw.interactive(show, value=ipw.Dropdown(options=list(values)))
    control = widget.children[0]
    milliseconds = []
    for value in islice(cycle(values), 1, 1 + REDRAWS // 3):
        started = time.perf_counter()
        control.value = value
        milliseconds.append(1e3 * (time.perf_counter() - started))
    return milliseconds


def spread(values):
    """Return the median of some values and their 95th percentile, as text."""
    return f"{np.median(values):.0f} ({np.percentile(values, 95):.0f})"


if __name__ == "__main__":
    sys.exit(main())
