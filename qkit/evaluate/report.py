"""A comparison for reading: sentences, a table of text, Markdown, and a page of HTML."""

import base64
import html
import io
import math
import re
from collections.abc import Iterable, Mapping
from functools import partial

from qkit import validate
from qkit.evaluate.accuracy import Score
from qkit.evaluate.significance import paired
from qkit.machine import environment
from qkit.result import kb, near_limit

# By scheme, the row of the float model that was trained as long as QAT, converted under it.
CONTROLS = {"float32": "control_float32", "full_integer": "control_full_integer"}
CONTROL_ROW = CONTROLS["full_integer"]  # the row that shows what QAT's epochs alone give
NEEDED = {
    "nothing": "needs no data",
    "unlabelled sample": "needs an unlabelled sample",
    "labelled training data": "needs labelled training data",
}
EFFORT = tuple(NEEDED)  # from little to much, each with what is before it
_NEEDS = "needs beside the model"
_CELLS = {  # by column, of the columns of `Comparison.to_frame`
    "file, bytes": "{size_bytes:,.0f}",
    "times smaller": "{size_ratio:.2f}",
    "deflated, bytes": "{deflated_bytes:,.0f}",
    "activations, bytes": "{activations_bytes:,.0f}",
    "arena, bytes": "{arena_bytes:,.0f}",
    "invoke, µs (95 %)": "{latency_us:.1f} ({latency_low_us:.1f} to {latency_high_us:.1f})",
    "time, × {reference}": "{latency_ratio:.2f}",
    "on the device, µs": "{device_latency_us:,.10g}",
    "float ops": "{float_operators:.0f}",
    _NEEDS: "{needs}",
}
# which the frame and HTML have, and a page of Markdown has no room for
_WIDE_ONLY = ["deflated, bytes", "activations, bytes", "arena, bytes", "float ops"]
# columns that are there with tflite-micro alone, or with what was measured on a device
_OPTIONAL = dict.fromkeys(("arena_bytes", "device_latency_us"), float("nan"))
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": r"\|"}
_MARKUP = str.maketrans(_MARKUP | {c: f"&#{ord(c)};" for c in "$`*[\\"})
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.3rem .7rem;text-align:right;"
    "border-bottom:1px solid #ccc}td:first-child,th:first-child{text-align:left}"
)


def display_table(comparison):
    """Return a comparison's rows as text, rounded, with intervals; a dash for what is not there."""
    import pandas as pd

    rows = {}
    for name, figures in comparison.to_frame().to_dict("index").items():
        rows[name] = {_NEEDS: figures["status"]}
        if name in comparison.models:
            measured = {
                head.format(reference=comparison.reference): text.format(**_OPTIONAL | figures)
                for head, text in _CELLS.items()
            }
            measured = {head: text for head, text in measured.items() if text != "nan"}
            rows[name] = _judged(comparison, name) | measured
    return pd.DataFrame.from_dict(rows, orient="index").fillna("–").rename_axis("scheme")


def _judged(comparison, name):
    """Return the cells on accuracy, or on the metric in its place; none without labels."""
    if name not in comparison.accuracies:
        return {}
    found, against = comparison.accuracies[name], comparison.paired.get(name)
    to = f"against {comparison.reference}"
    if isinstance(found, Score):
        said, change = found.metric.said, partial(found.metric.said, signed=True)
        cells = {f"{found.metric.name} (95 %)": _between(said, found.value, *found.interval)}
        if against:
            differences = against.difference, *against.interval
            cells[f"{to} (95 %)"] = _between(change, *differences)
    else:
        cells = {f"{found.name}, % (95 %)": _between("{:.2f}".format, *found.percent)}
        if against:
            difference = _between("{:+.2f}".format, against.difference_pp, *against.interval_pp)
            cells |= {f"{to}, points (95 %)": difference, "p": _p_value(against.p_value)}
    if name == comparison.reference:  # against itself
        cells |= dict.fromkeys(list(cells)[1 if against else 0 :], "–")
    return cells


def notes(comparison):
    """Return what a comparison was measured with and what it does not show, a sentence each."""
    reference, times, missing = comparison.reference, comparison.latency, comparison.not_measured
    if comparison.accuracies and not comparison.labels:
        found = comparison.accuracies[reference]
        first = (
            f"{found.n:,} {comparison.items} of {comparison.data_name}, without labels: what is "
            f"counted is how true each file is to {reference}, not how right."
        )
    elif comparison.accuracies:
        found = comparison.accuracies[reference]
        how = "p from McNemar's exact test against {}, not corrected for the number of rows"
        if isinstance(found, Score):
            how = "intervals from a bootstrap over them, of differences from {} on the same samples"
        told = f"{found.n:,} test {comparison.items} of {comparison.data_name}"
        first = f"{told}; {how.format(reference)}."
    else:
        first = f"Accuracy {missing[reference]}."
        missing = {name: said for name, said in missing.items() if name not in comparison.models}
    return [
        first,
        f"Latency of invoke() alone, {times.threads} thread(s) of {times.cpu}; "
        f"kernels: {_delegates(times.delegates)}.",
        *(f"{name} on the device: {found.summary()}." for name, found in comparison.device.items()),
        *(f"{name}: {reason}." for name, reason in missing.items()),
    ]


def summary(comparison):
    """Say in a few sentences what the schemes save, at what price, and what QAT adds."""
    judged = comparison.accuracies and comparison.labels
    text = _qualities(comparison) if judged else _truth(comparison) + _savings(comparison)
    refused = [k for k, why in comparison.not_measured.items() if why.startswith("not possible")]
    return f"{text} Not possible: {', '.join(refused)}." if refused else text


def _truth(comparison):
    """Say how true each file is to the first, where that was measured in place of what is right."""
    others = {k: v for k, v in comparison.accuracies.items() if k != comparison.reference}
    return "".join(f"{name}: {found.summary()}. " for name, found in others.items())


def _savings(comparison):
    """Say size and time of each file, where there are no labels to judge them by."""
    frame = comparison.to_frame().loc[list(comparison.models)]
    (first, figures), *others = frame.to_dict("index").items()
    parts = [f"{first} {kb(figures['size_bytes'])}, {figures['latency_us']:,.1f} µs"]
    saved = (
        "{} {size_ratio:.2f} times smaller, {latency_ratio:.2f} times the time "
        "({latency_ratio_low:.2f} to {latency_ratio_high:.2f})"
    )
    parts += [saved.format(name, **figures) for name, figures in others]
    return f"{'; '.join(parts)}."


def _qualities(comparison):
    reference, accuracies = comparison.reference, comparison.accuracies
    others = [k for k in accuracies if k not in (reference, *CONTROLS.values())]
    worse = [name for name in others if comparison.paired[name].worse]
    untold = [k for k in others if math.isnan(getattr(comparison.paired[k], "interval", [0])[0])]
    kept = [name for name in others if name not in (*worse, *untold)]
    first = accuracies[reference]
    lose = f"nothing in {first.metric.name}" if isinstance(first, Score) else "no accuracy"
    text = (
        f"{len(kept)} of {len(others)} schemes lose {lose} against {reference} that {first.n:,} "
        f"{comparison.items} could show"
    )
    if worse:
        text += f" ({', '.join(worse)} do)"
    if untold:
        text += f" (of {', '.join(untold)} it cannot be told)"
    if kept:
        text += f"; of these {_best(comparison, kept)}"
    return f"{text}.{_on_training(accuracies)}"


def _best(comparison, names):
    """Say which is the smallest, also deflated, and which the fastest."""
    times, deflated = comparison.latency, {k: s.deflated_bytes for k, s in comparison.sizes.items()}
    small = max(names, key=comparison.size_ratio)
    packed = min(names, key=deflated.get)
    fast = min(names, key=times.median_us.get)
    return (
        f"{small} is the smallest file ({comparison.size_ratio(small):.2f} times smaller), "
        f"{packed} the smallest deflated ({deflated[comparison.reference] / deflated[packed]:.2f} "
        f"times) and {fast} the fastest ({times.ratio[fast]:.2f} times the time)"
    )


def _on_training(accuracies):
    """Hold QAT against the float model of equal epochs, both in int8."""
    if "qat" not in accuracies:
        return ""
    if CONTROL_ROW not in accuracies:
        return " qat has no control here: what it gains may be its extra training."
    against = paired(accuracies[CONTROL_ROW], accuracies["qat"]).summary()
    return f" qat against {CONTROL_ROW}, which had the same epochs: {against}."


def markdown_table(comparison):
    """Return a comparison as a Markdown table that fits a page."""
    table = display_table(comparison).drop(columns=_WIDE_ONLY, errors="ignore").reset_index()
    lines = [table.columns, ["---"] * len(table.columns), *table.to_numpy()]
    return "\n".join(f"| {' | '.join(map(_in_markdown, line))} |" for line in lines)


def _in_markdown(text):
    """Return a text that Markdown shows as it is: no tag, no cell's end, no formula."""
    return " ".join(text.translate(_MARKUP).split()).replace("&lt; ", "< ")  # no tag


def html_table(comparison):
    """Return a comparison as an HTML table with its notes."""
    table = display_table(comparison).reset_index().map(html.escape).rename(columns=html.escape)
    ranged = [column for column in table if column.endswith("(95 %)")]
    below = r"<br><small style='white-space:nowrap'>\1</small>"
    table[ranged] = table[ranged].replace(r" (\(.*)", below, regex=True)
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes(comparison))
    body = f"{table.to_html(index=False, escape=False)}<ul>{items}</ul>"
    return f"<div style='font-size:0.88em'>{body}</div>"  # as wide as a notebook's cell


def html_page(comparison, also=()):
    """Return a comparison as a whole page, with what it was measured on; it loads nothing.

    What it takes along, figures or what has a summary or a table, comes in sections.
    """
    title = f"Quantization schemes on {html.escape(comparison.data_name or 'one model')}"
    validate.instance(also, Iterable, name="to_html: also")
    further = also.items() if isinstance(also, Mapping) else also
    pairs = (e if isinstance(e, tuple) and len(e) == 2 else (_heading(e), e) for e in further)
    sections = "".join(_section(*pair) for pair in pairs)
    measured = comparison.provenance or environment()
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{html.escape(comparison.summary())}</p>"
        f"{html_table(comparison)}{sections}<h2>Measured with</h2>{measured._repr_html_()}</html>"
    )


def _heading(thing):
    """Return the words of a class's name: "Layer errors"."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", type(thing).__name__).capitalize()


def _section(heading, thing):
    """Return a figure, or a result's line and table, under its heading."""
    figure = getattr(thing, "figure", thing)  # of Axes
    if hasattr(figure, "savefig"):
        shown = _image(figure, heading)
    elif hasattr(thing, "_repr_html_"):
        said = html.escape(thing.summary()) if hasattr(thing, "summary") else ""
        table = thing._repr_html_() or ""  # a wide one scrolls by itself
        shown = f"<p>{said}</p><div style='overflow-x:auto'>{table}</div>"
    else:
        raise TypeError(
            f"to_html: also holds a {type(thing).__name__}, which has no table and is no "
            "figure. Pass results of qkit, DataFrames, or matplotlib's figures."
        )
    return f"<h2>{html.escape(str(heading))}</h2>{shown}"


def _image(figure, heading):
    """Return a figure as an image that is in the page itself, sharp at any size; its label below.

    As an image it keeps its parts' names to itself, which others on the page may have too.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    source = f"data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()}"
    alt, said = html.escape(f"picture: {heading}"), html.escape(figure.get_label())
    image = f"<img style='max-width:100%' alt='{alt}' src='{source}'>"
    return f"<figure style='margin:0'>{image}<figcaption>{said}</figcaption></figure>"


def sentence(comparison, name):
    """Say what was measured of one scheme."""
    size, times, found = comparison.sizes[name], comparison.latency, comparison.paired[name]
    value, low, high = comparison.accuracies[name].percent
    said = [f"{value:.2f} % right (95 % interval {low:.2f} to {high:.2f})"]
    if name != comparison.reference:
        p = f"p = {_p_value(found.p_value)}".replace("= <", "<")
        difference = f"{found.difference_pp:+.2f} points against {comparison.reference}"
        said.append(f"{difference} ({p}: {found.verdict})")
    count = comparison.float_operators[name]
    said += [
        f"{kb(size.size_bytes)} ({comparison.size_ratio(name):.2f} times smaller; "
        f"deflated {kb(size.deflated_bytes)})",
        f"{times.median_us[name]:.1f} µs an inference ({times.ratio[name]:.2f} times the time)",
        f"{count or 'no'} float operator{'s'[: count != 1]}",
    ]
    return f"{name}: {', '.join(said)}; {NEEDED.get(comparison.needs[name], 'made elsewhere')}."


def _between(text, value, low, high):
    """Return a value and its interval, each number as the function `text` has it."""
    return f"{text(value)} ({text(low)} to {text(high)})"


def _p_value(p):
    return f"{p:.{6 if near_limit(p) else 3}f}" if p >= 0.001 else "< 0.001"


def _delegates(delegates):
    kinds = sorted(set(delegates.values()), reverse=True)
    if len(kinds) == 1:
        return f"{kinds[0]} throughout"
    users = {kind: [name for name in delegates if delegates[name] == kind] for kind in kinds}
    return "; ".join(f"{kind} for {', '.join(names)}" for kind, names in users.items())
