"""Figures that others have published, read from the files beside this one, to stand beside ours."""

import io
from importlib import resources

import numpy as np

from qkit.published.architectures import ARCHITECTURES
from qkit.toolchain.schemes import PUBLISHED_SOURCE, SCHEMES

# By quantity: our columns (with _low and _high the ends of the interval), our status, and the
# published column that a scheme of ours stands beside. Dynamic range is what the guide's
# post-training column was, and "optimized" is one size for all that stores int8 weights.
_QUANTITIES = {
    "top-1": (
        "accuracy{}",
        "accuracy_status",
        {
            "float32": "top1_original",
            "dynamic_range": "top1_ptq",
            "full_integer": "top1_8_bit",
            "qat": "top1_qat",
        },
    ),
    "latency, × float32": (
        "latency_ratio{}",
        "status",
        {
            "float32": "latency_original_ms",
            "dynamic_range": "latency_ptq_ms",
            "qat": "latency_qat_ms",
        },
    ),
    "size, MB": (
        "size_mb",
        "status",
        {"float32": "size_original_mb"}
        | dict.fromkeys(("dynamic_range", "full_integer", "qat"), "size_optimized_mb"),
    ),
}


def techniques():
    """Return the official guide's table of techniques: needs, size_cut, accuracy, hardware.

    Returns
    -------
    pandas.DataFrame
        Its source stands in ``.attrs["source"]``, as for all tables here.

    Examples
    --------
    >>> techniques().loc["float16 weights", "size_cut"]
    'up to 50 %'
    """
    import pandas as pd

    schemes = [SCHEMES[name] for name in ("float16", "dynamic_range", "full_integer", "qat")]
    rows = [
        (s.title, s.needs, s.published_size_cut, s.published_accuracy, s.published_hardware)
        for s in schemes
    ]
    columns = ["technique", "needs", "size_cut", "accuracy", "hardware"]
    frame = pd.DataFrame(rows, columns=columns).set_index("technique")
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
        One row per model and metric; error rates are better when small.

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
        times_smaller, and the kinds of file, before and after, whose bytes are divided.

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
        (its 95 % interval), `status` ("measured", or why not), and `text` with all of it.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"architecture": "MobileNet", "scheme": "float32", "status": "measured"}
    >>> row |= {"size_bytes": 16.9e6, "accuracy_status": "not measured: no images"}
    >>> table = pd.DataFrame([row]).reindex(columns=[*row, "accuracy", "latency_ratio"])
    >>> for name in ("accuracy", "latency_ratio"):
    ...     table[[f"{name}_low", f"{name}_high"]] = float("nan")
    >>> beside_architectures(table)["text"].to_list()[-1]
    '16.90; published 16.9'
    """
    import pandas as pd

    ours = measured.reset_index() if "scheme" not in measured else measured
    ours, theirs = ours.assign(size_mb=ours["size_bytes"] / 1e6), architectures()
    rows = []
    for quantity, (column, status, _) in _QUANTITIES.items():
        columns = [*(column.format(end) for end in ("", "_low", "_high")), status]
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
    column = _QUANTITIES[quantity][2].get(scheme)
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
