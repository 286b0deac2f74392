"""Figures that others have published, read from the files beside this one, to stand beside ours."""

import io
from importlib import resources

import numpy as np

from qkit.published.architectures import ARCHITECTURES
from qkit.toolchain.schemes import PUBLISHED_SOURCE, SCHEMES

# The published column that a scheme of ours stands beside; dynamic range is what the guide's
# post-training column was, and "optimized" is one size for all that stores int8 weights.
_COUNTERPARTS = {
    ("top-1", "float32"): "top1_original",
    ("top-1", "dynamic_range"): "top1_ptq",
    ("top-1", "full_integer"): "top1_8_bit",
    ("top-1", "qat"): "top1_qat",
    ("latency, × float32", "float32"): "latency_original_ms",
    ("latency, × float32", "dynamic_range"): "latency_ptq_ms",
    ("latency, × float32", "qat"): "latency_qat_ms",
    ("size, MB", "float32"): "size_original_mb",
    ("size, MB", "dynamic_range"): "size_optimized_mb",
    ("size, MB", "full_integer"): "size_optimized_mb",
    ("size, MB", "qat"): "size_optimized_mb",
}
_MEASURED_COLUMNS = {
    "top-1": ("accuracy", "accuracy_low", "accuracy_high", "accuracy_status"),
    "latency, × float32": ("latency_ratio", "latency_ratio_low", "latency_ratio_high", "status"),
    "size, MB": ("size_mb", "size_mb", "size_mb", "status"),
}


def techniques():
    """Return the official guide's table of techniques: needs, size_cut, accuracy, hardware.

    Returns
    -------
    pandas.DataFrame
        One row per technique; its source stands in ``.attrs["source"]``, as for all tables here.

    Examples
    --------
    >>> techniques().loc["float16 weights", "size_cut"]
    'up to 50 %'
    """
    import pandas as pd

    schemes = [SCHEMES[name] for name in ("float16", "dynamic_range", "full_integer", "qat")]
    rows = {
        "needs": [scheme.needs for scheme in schemes],
        "size_cut": [scheme.published_size_cut for scheme in schemes],
        "accuracy": [scheme.published_accuracy for scheme in schemes],
        "hardware": [scheme.published_hardware for scheme in schemes],
    }
    frame = pd.DataFrame(rows, pd.Index([s.title for s in schemes], name="technique"))
    frame.attrs["source"] = PUBLISHED_SOURCE
    return frame


def architectures():
    """Return the official guide's table of networks before and after 8-bit quantization.

    Returns
    -------
    pandas.DataFrame
        One row per network: top-1 in [0, 1] (8_bit where it is not said how), latencies in ms,
        sizes in MB (1,000,000 bytes); NaN where nothing is published.

    Examples
    --------
    >>> float(architectures().loc["Mobilenet-v2-1-224", "latency_ptq_ms"])
    98.0
    """
    return _read("architectures", "model")


def int16_activations():
    """Return the official guide's table of int8 against int16 activations, int8 weights in both.

    Returns
    -------
    pandas.DataFrame
        One row per model and metric: float32, int8, int16; error rates are better when small.

    Examples
    --------
    >>> float(int16_activations().loc[("MobileBert", "F1"), "int8"])
    0.0208
    """
    return _read("int16_activations", ["model", "metric"])


def compression():
    """Return what the official tutorials claim for pruning and clustering, on MNIST.

    Returns
    -------
    pandas.DataFrame
        One row per technique: times_smaller, and the kinds of file, before and after, whose bytes
        are divided.

    Examples
    --------
    >>> compression().loc["pruned 80 %, dynamic range", ["before", "after"]].to_list()
    ['zipped .h5', 'zipped .tflite, int8 weights']
    """
    return _read("compression", "technique")


def beside_walkthrough(ours):
    """Return the published figures of the MNIST walkthrough beside ours.

    Parameters
    ----------
    ours : dict of str to float
        By the name of the published figure, such as "float accuracy".

    Returns
    -------
    pandas.DataFrame
        Columns published, here.

    Examples
    --------
    >>> float(beside_walkthrough({"float accuracy": 0.9805}).loc["float accuracy", "published"])
    0.9821
    """
    published = _read("walkthrough", "figure")
    unknown = set(ours) - set(published.index)
    if unknown:
        raise KeyError(
            f"{min(unknown)!r} is no figure of the walkthrough; there are: "
            f"{', '.join(published.index)}"
        )
    return published.loc[list(ours)].rename_axis(None).assign(here=list(ours.values()))


def beside_architectures(measured):
    """Return the published figures of networks beside ours.

    Latencies are ratios to float32, as no two machines have the same milliseconds.

    Parameters
    ----------
    measured : pandas.DataFrame
        Rows of `Comparison.to_frame`, with the scheme as a column or the index, and a column
        `architecture` with a name in ``qk.published.ARCHITECTURES``.

    Returns
    -------
    pandas.DataFrame
        One row per architecture, quantity and scheme: `published`, `measured`, `low` and `high`
        (its 95 % interval), `status`, which is "measured", or "not possible" or "not measured"
        with the reason, and `text` with all of it, for reading.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"architecture": "MobileNet", "scheme": "float32", "size_bytes": 16.9e6}
    >>> row |= {"latency_ratio": 1.0, "latency_ratio_low": 1.0, "latency_ratio_high": 1.0}
    >>> row |= {"status": "measured", "accuracy_status": "not measured: no images"}
    >>> row |= dict.fromkeys(["accuracy", "accuracy_low", "accuracy_high"])
    >>> beside_architectures(pd.DataFrame([row]))["text"].to_list()[-1]
    '16.90; published 16.9'
    """
    import pandas as pd

    ours = measured.reset_index() if "scheme" not in measured else measured
    unknown = set(ours["architecture"]) - set(ARCHITECTURES)
    if unknown:
        raise ValueError(
            f"beside_architectures: {min(unknown)!r} is no published network; there are: "
            f"{', '.join(ARCHITECTURES)}"
        )
    ours, theirs = ours.assign(size_mb=ours["size_bytes"] / 1e6), architectures()
    rows = []
    for quantity, columns in _MEASURED_COLUMNS.items():
        for row in ours.to_dict("records"):
            name, scheme = row["architecture"], row["scheme"]
            published = theirs.loc[ARCHITECTURES[name].published_name]
            figure = _counterpart(published, quantity, scheme)
            rows.append((name, quantity, scheme, figure, *(row[column] for column in columns)))
    names = ["architecture", "quantity", "scheme", "published", "measured", "low", "high", "status"]
    frame = pd.DataFrame(rows, columns=names)
    frame["text"] = [_said(row) for row in frame.to_dict("records")]
    frame.attrs |= theirs.attrs
    return frame


def _counterpart(published, quantity, scheme):
    """Return the figure of a published row that one of ours stands beside, or NaN."""
    column = _COUNTERPARTS.get((quantity, scheme))
    if column is None or (scheme == "qat" and np.isnan(published["latency_qat_ms"])):
        return np.nan  # without QAT the published file is the post-training one
    ratio = quantity.startswith("latency")
    return published[column] / (published["latency_original_ms"] if ratio else 1)


def _said(row):
    """Return a cell in words: what we measured or why not, and what is published."""
    text = row["status"]
    if text == "measured":
        digits = 3 if row["quantity"] == "top-1" else 2
        text = f"{row['measured']:.{digits}f}"
        if row["high"] > row["low"]:
            text += f" ({row['low']:.{digits}f} to {row['high']:.{digits}f})"
    if not np.isnan(row["published"]):
        text += f"; published {row['published']:.4g}"
    return text


def _read(name, index):
    """Return the table of a file; its first line is a comment with the source."""
    import pandas as pd

    text = (resources.files("qkit.published") / f"{name}.csv").read_text(encoding="utf-8")
    source, _, rows = text.partition("\n")
    frame = pd.read_csv(io.StringIO(rows), index_col=index, float_precision="round_trip")
    frame.attrs["source"] = source.removeprefix("# ")
    return frame
