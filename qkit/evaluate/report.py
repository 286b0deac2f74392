"""A comparison for reading: sentences, a table of text, Markdown, and a page of HTML."""

import html
from functools import partial

from qkit.evaluate.accuracy import Score
from qkit.evaluate.candidates import CONTROLS
from qkit.evaluate.significance import paired
from qkit.machine import environment

CONTROL_ROW = CONTROLS["full_integer"]  # the row that shows what QAT's epochs alone give
NEEDED = {
    "nothing": "needs no data",
    "unlabelled sample": "needs an unlabelled sample",
    "labelled training data": "needs labelled training data",
}
EFFORT = tuple(NEEDED)  # from little to much, each with what is before it
_WITH_INTERVAL = "(95 %)"
_NEEDS = "needs beside the model"
# What the narrow page of a README leaves out; the frame and HTML have it.
_WIDE_ONLY = ["deflated, bytes", "float ops"]
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.3rem .7rem;text-align:right;"
    "border-bottom:1px solid #ccc}td:first-child,th:first-child{text-align:left}"
)


def display_table(comparison):
    """Return a comparison's rows as text, rounded, with intervals; a dash for what is not there."""
    import pandas as pd

    rows = {}
    for name, row in comparison.to_frame().iterrows():
        if name not in comparison.models:
            rows[name] = {_NEEDS: row["status"]}
            continue
        ends = row["latency_low_us"], row["latency_high_us"]
        rows[name] = {
            **_judged(comparison, name),
            "file, bytes": f"{row['size_bytes']:,.0f}",
            "times smaller": f"{row['size_ratio']:.2f}",
            "deflated, bytes": f"{row['deflated_bytes']:,.0f}",
            f"invoke, µs {_WITH_INTERVAL}": _between("{:.1f}".format, row["latency_us"], *ends),
            f"time, × {comparison.reference}": f"{row['latency_ratio']:.2f}",
            "float ops": f"{row['float_operators']:.0f}",
            _NEEDS: row["needs"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").fillna("–").rename_axis("scheme")


def _judged(comparison, name):
    """Return the cells on accuracy, or on the metric in its place; none without labels."""
    if name not in comparison.accuracies:
        return {}
    found, against = comparison.accuracies[name], comparison.paired[name]
    to = f"against {comparison.reference}"
    if isinstance(found, Score):
        said, change = found.metric.said, partial(found.metric.said, signed=True)
        cells = {
            f"{found.metric.name} {_WITH_INTERVAL}": _between(said, found.value, *found.interval),
            f"{to} {_WITH_INTERVAL}": _between(change, against.difference, *against.interval),
        }
    else:
        difference = _between("{:+.2f}".format, against.difference_pp, *against.interval_pp)
        cells = {
            f"accuracy, % {_WITH_INTERVAL}": _between("{:.2f}".format, *found.percent),
            f"{to}, points {_WITH_INTERVAL}": difference,
            "p": _p_value(against.p_value),
        }
    if name == comparison.reference:  # against itself
        cells |= dict.fromkeys(list(cells)[1:], "–")
    return cells


def notes(comparison):
    """Return what a comparison was measured with and what it does not show, a sentence each."""
    reference, times, missing = comparison.reference, comparison.latency, comparison.not_measured
    if not comparison.accuracies:
        first = f"Accuracy {missing[reference]}."
        missing = {name: said for name, said in missing.items() if name not in comparison.models}
    else:
        found = comparison.accuracies[reference]
        how = (
            f"intervals from a bootstrap over them, of differences from {reference} on the same "
            "samples."
            if isinstance(found, Score)
            else f"p from McNemar's exact test against {reference}, not corrected for the number "
            "of rows."
        )
        first = f"{found.n:,} test images of {comparison.data_name}; {how}"
    return [
        first,
        f"Latency of invoke() alone, {times.threads} thread(s) of {times.cpu}; "
        f"kernels: {_delegates(times.delegates)}.",
        *(f"{name}: {reason}." for name, reason in missing.items()),
    ]


def summary(comparison):
    """Say in a few sentences what the schemes save, at what price, and what QAT adds."""
    text = _qualities(comparison) if comparison.accuracies else _savings(comparison)
    refused = [k for k, why in comparison.not_measured.items() if why.startswith("not possible")]
    if refused:
        text += f" Not possible: {', '.join(refused)}."
    return text


def _savings(comparison):
    """Say size and time of each file, where there are no labels to judge them by."""
    times, (first, *others) = comparison.latency, comparison.models
    kib = comparison.sizes[first].size_kib
    parts = [f"{first} {kib:,.1f} KiB, {times.median_us[first]:,.1f} µs"]
    for name in others:
        ratio = _between("{:.2f}".format, times.ratio[name], *times.ratio_interval[name])
        parts.append(
            f"{name} {comparison.size_ratio(name):.2f} times smaller, "
            f"{ratio.replace(' (', ' times the time (')}"
        )
    return f"{'; '.join(parts)}."


def _qualities(comparison):
    reference, accuracies = comparison.reference, comparison.accuracies
    others = [k for k in accuracies if k not in (reference, *CONTROLS.values())]
    worse = [name for name in others if comparison.paired[name].worse]
    kept = [name for name in others if name not in worse]
    first = accuracies[reference]
    lose = f"nothing in {first.metric.name}" if isinstance(first, Score) else "no accuracy"
    text = (
        f"{len(kept)} of {len(others)} schemes lose {lose} against {reference} that {first.n:,} "
        "images could show"
    )
    if worse:
        text += f" ({', '.join(worse)} do)"
    if kept:
        text += f"; of these {_best(comparison, kept)}"
    return f"{text}.{_on_training(accuracies)}"


def _best(comparison, names):
    """Say which is the smallest, also deflated, and which the fastest."""
    sizes, ratios = comparison.sizes, comparison.latency.ratio
    small = min(names, key=lambda name: sizes[name].size_bytes)
    packed = min(names, key=lambda name: sizes[name].deflated_bytes)
    fast = min(names, key=comparison.latency.median_us.get)
    deflated = sizes[comparison.reference].deflated_bytes / sizes[packed].deflated_bytes
    return (
        f"{small} is the smallest file ({comparison.size_ratio(small):.2f} times smaller), "
        f"{packed} the smallest deflated ({deflated:.2f} times) and {fast} the fastest "
        f"({ratios[fast]:.2f} times the time)"
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
    table = display_table(comparison).drop(columns=_WIDE_ONLY).reset_index()
    rows = [[text.replace("|", r"\|") for text in row] for row in table.to_numpy().tolist()]
    lines = [list(table.columns), ["---"] * len(table.columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def html_table(comparison):
    """Return a comparison as an HTML table with its notes."""
    table = display_table(comparison).reset_index()
    for column in table:
        table[column] = table[column].map(html.escape)
        if column.endswith(_WITH_INTERVAL):
            table[column] = table[column].map(_two_lines)
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes(comparison))
    body = f"{table.to_html(index=False, escape=False)}<ul>{items}</ul>"
    return f"<div style='font-size:0.88em'>{body}</div>"  # as wide as a notebook's cell


def html_page(comparison):
    """Return a comparison as a whole page, with what it was measured on; it loads nothing."""
    title = f"Quantization schemes on {html.escape(comparison.data_name or 'one model')}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{html.escape(comparison.summary())}</p>"
        f"{html_table(comparison)}<h2>Measured with</h2>{environment()._repr_html_()}</html>"
    )


def sentence(comparison, name):
    """Say what was measured of one scheme."""
    size, times = comparison.sizes[name], comparison.latency
    count = comparison.float_operators[name]
    return (
        f"{name}: {_quality(comparison, name)}, {size.size_kib:.1f} KiB "
        f"({comparison.size_ratio(name):.2f} times smaller; deflated "
        f"{size.deflated_bytes / 1024:.1f}), "
        f"{times.median_us[name]:.1f} µs an inference ({times.ratio[name]:.2f} times the time), "
        f"{count or 'no'} float operator{'s'[: count != 1]}; "
        f"{NEEDED.get(comparison.needs[name], 'made elsewhere')}."
    )


def _quality(comparison, name):
    found, against = comparison.accuracies[name], comparison.paired[name]
    right = _between("{:.2f}".format, *found.percent).replace(" (", " % right (95 % interval ")
    if name == comparison.reference:
        return right
    p_value = _p_value(against.p_value)
    return (
        f"{right}, {against.difference_pp:+.2f} points against {comparison.reference} "
        f"(p {p_value if p_value.startswith('<') else f'= {p_value}'}: {against.verdict})"
    )


def _two_lines(text):
    """Put a value's interval below it."""
    value, bracket, interval = text.partition(" (")
    return f"{value}<br><small style='white-space:nowrap'>({interval}</small>" if bracket else value


def _between(text, value, low, high):
    """Return a value and its interval, each number as the function `text` has it."""
    return f"{text(value)} ({text(low)} to {text(high)})"


def _p_value(p):
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _delegates(delegates):
    kinds = sorted(set(delegates.values()), reverse=True)
    if len(kinds) == 1:
        return f"{kinds[0]} throughout"
    users = {kind: [name for name in delegates if delegates[name] == kind] for kind in kinds}
    return "; ".join(f"{kind} for {', '.join(names)}" for kind, names in users.items())
