"""A comparison as a page with its pictures, for those who have no notebook."""

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt

from qkit import validate
from qkit.evaluate.accuracy import Accuracy
from qkit.evaluate.comparison import Comparison
from qkit.evaluate.tradeoff import tradeoff
from qkit.plots.rows import plot_accuracies, plot_latencies
from qkit.plots.tradeoffs import plot_tradeoff


def report(comparison, path, *, also=()):
    """Write a comparison to one HTML file that loads nothing, with pictures and further results.

    The pictures are size against accuracy, or where there is none against latency, and latencies.

    Parameters
    ----------
    comparison : Comparison
    path : str or Path
    also : iterable, or dict by heading, of results, DataFrames and matplotlib figures
        What else the page shows, such as a `qk.tradeoff`, a `qk.memory` or what `against` returns.

    Returns
    -------
    Path

    Examples
    --------
    >>> import tempfile
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> compared = qk.compare(model, digits, ["float16"])
    >>> report(compared, f"{tempfile.mkdtemp()}/page.html", also=[qk.memory(b) for b in
    ...        compared.models.values()]).name
    'page.html'
    """
    validate.instance(comparison, Comparison, name="report: comparison")
    validate.instance(also, Iterable, name="report: also")
    before = {*plt.get_fignums()}
    try:
        own = [*_pictures(comparison)]
        further = also.items() if isinstance(also, Mapping) else also
        return comparison.to_html(path, also=[*own, *further])
    finally:
        for number in {*plt.get_fignums()} - before:
            plt.close(number)


def _pictures(comparison):
    """Yield headings and figures, which bear as labels what they show, in a line."""
    judged = comparison.accuracies.get(comparison.reference)
    if isinstance(judged, Accuracy) and comparison.labels:
        yield _labelled("Size and accuracy", plot_tradeoff, tradeoff(comparison))
    else:
        weighed = tradeoff(comparison, "file size, kB", "latency, µs")
        yield _labelled("Size and latency", plot_tradeoff, weighed)
        if judged:
            yield "Scores", plot_accuracies(comparison).figure
    yield _labelled("Latency", plot_latencies, comparison.latency)


def _labelled(heading, plot, result):
    figure = plot(result).figure
    figure.set_label(f"{result}.")
    return heading, figure
