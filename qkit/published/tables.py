"""Figures that others have published, read from the files beside this one, to stand beside ours."""

from importlib import resources

import numpy as np

from qkit.published.architectures import ARCHITECTURES
from qkit.toolchain.schemes import PUBLISHED_SOURCE, SCHEMES

# By quantity: our column, our status, and the published column of a kind of file.
_QUANTITIES = {
    "top-1": ("accuracy", "accuracy_status", "top1_{}"),
    "latency, × float32": ("latency_ratio", "status", "latency_{}_ms"),
    "size, MB": ("size_mb", "status", "size_{}_mb"),
}
# The guide's post-training column was dynamic range.
_PUBLISHED_AS = {"float32": "original", "dynamic_range": "ptq", "full_integer": "8_bit"}


def techniques():
    """Return the official guide's table of techniques: needs, size_cut, accuracy, hardware.

    Returns
    -------
    pandas.DataFrame, whose source stands in ``.attrs["source"]``, as for all tables here

    Examples
    --------
    >>> techniques().loc["float16 weights", "size_cut"]
    'up to 50 %'
    """
    import pandas as pd

    schemes = [SCHEMES[name] for name in ("float16", "dynamic_range", "full_integer", "qat")]
    frame = pd.DataFrame(schemes).set_index("title").rename_axis("technique")
    frame = frame.filter(regex="^(needs|published)")
    frame.columns = frame.columns.str.removeprefix("published_")
    frame.attrs["source"] = PUBLISHED_SOURCE
    return frame


def architectures():
    """Return the official guide's table of networks before and after 8-bit quantization.

    Returns
    -------
    pandas.DataFrame, one row per network; 8_bit where it is not said how, MB are 1,000,000 bytes

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
    pandas.DataFrame, one row per model and metric; error rates are better when small

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
    pandas.DataFrame, times_smaller and the kinds of file, before and after, whose bytes are divided

    Examples
    --------
    >>> int(compression().loc["16 clusters", "times_smaller"])
    6
    """
    return _read("compression", "technique")


def beside_walkthrough(ours):
    """Return the published figures of the MNIST walkthrough beside ours.

    Parameters
    ----------
    ours : dict of str to float, by the name of the published figure, such as "float accuracy"

    Returns
    -------
    pandas.DataFrame, columns published and here

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
        ``Comparison.to_frame().reset_index()``, and a column `architecture`, keys of ARCHITECTURES.

    Returns
    -------
    pandas.DataFrame, one row per architecture, quantity and scheme; `text` says all of a row

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"architecture": "MobileNet", "scheme": "float32", "status": "measured"}
    >>> row |= {"size_bytes": 16.9e6, "latency_ratio": 1, "accuracy": 0.7, "accuracy_status": ""}
    >>> beside_architectures(pd.DataFrame([row])).loc[2, "text"]
    '16.90; published 16.9'
    """
    import pandas as pd

    ours, theirs = measured.assign(size_mb=measured["size_bytes"] / 1e6), _comparable()
    rows = []
    for quantity, (column, status, published) in _QUANTITIES.items():
        for row in ours.to_dict("records"):
            name, kind = row["architecture"], _PUBLISHED_AS.get(row["scheme"], row["scheme"])
            figures = theirs.loc[ARCHITECTURES[name].published_name]
            figure = figures.get(published.format(kind), np.nan)
            value = [row.get(column + end, row[column]) for end in ("", "_low", "_high")]
            rows.append((name, quantity, row["scheme"], figure, *value, row[status]))
    names = ["architecture", "quantity", "scheme", "published", "measured", "low", "high", "status"]
    frame = pd.DataFrame(rows, columns=names)
    frame["text"] = [_said(row) for row in frame.to_dict("records")]
    frame.attrs = theirs.attrs
    return frame


def _comparable():
    """Return the published figures of networks as ours are: by file, latencies as ratios."""
    theirs = architectures()
    small, of_float32 = theirs["size_optimized_mb"], theirs["latency_original_ms"]
    return theirs.assign(
        size_ptq_mb=small,
        size_8_bit_mb=small,
        size_qat_mb=small.where(theirs["latency_qat_ms"].notna()),  # else of post-training alone
        **theirs.filter(like="latency").div(of_float32, axis=0),
    )


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

    with (resources.files("qkit.published") / f"{name}.csv").open(encoding="utf-8") as file:
        source = file.readline().removeprefix("# ").rstrip()
        frame = pd.read_csv(file, index_col=index, float_precision="round_trip")
    frame.attrs["source"] = source
    return frame
