"""A comparison for reading: as a table of text, as Markdown, and as a page of HTML."""

import html

from qkit.machine import environment

_WITH_INTERVAL = "(95 %)"
_NEEDS = "needs beside the model"
NEEDED = {
    "nothing": "needs no data",
    "unlabelled sample": "needs an unlabelled sample",
    "labelled training data": "needs labelled training data",
}
# What the narrow page of a README leaves out; the frame and HTML have it.
_WIDE_ONLY = ["deflated, bytes", "float ops"]
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.3rem .7rem;text-align:right;"
    "border-bottom:1px solid #ccc}td:first-child,th:first-child{text-align:left}"
)


def display_table(comparison):
    """Return a comparison's rows as text, rounded, with intervals.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    pandas.DataFrame
        All of it str; a dash where there is nothing to say.
    """
    import pandas as pd

    reference = comparison.reference
    rows = {}
    for name, row in comparison.to_frame().iterrows():
        if name in comparison.not_measured:
            rows[name] = {_NEEDS: row["needs"]}
            continue
        rows[name] = {
            f"accuracy, % {_WITH_INTERVAL}": _percent(row),
            f"against {reference}, points {_WITH_INTERVAL}": _difference(row, name == reference),
            "p": _p_value(row["p_value"], name == reference),
            "file, bytes": f"{row['size_bytes']:,.0f}",
            "times smaller": f"{row['size_ratio']:.2f}",
            "deflated, bytes": f"{row['deflated_bytes']:,.0f}",
            f"invoke, µs {_WITH_INTERVAL}": f"{row['latency_us']:.1f} "
            f"({row['latency_low_us']:.1f} to {row['latency_high_us']:.1f})",
            f"time, × {reference}": f"{row['latency_ratio']:.2f}",
            "float ops": f"{row['float_operators']:.0f}",
            _NEEDS: row["needs"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").fillna("–").rename_axis("scheme")


def notes(comparison):
    """Return what a comparison was measured with and what it does not show, a sentence each.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    list of str
    """
    reference, times = comparison.reference, comparison.latency
    found = [
        f"{comparison.accuracies[reference].n:,} test images of {comparison.data_name}; p from "
        f"McNemar's exact test against {reference}, not corrected for the number of rows.",
        f"Latency of invoke() alone, {times.threads} thread(s) of {times.cpu}; "
        f"kernels: {_delegates(times.delegates)}.",
    ]
    return found + [f"{name}: {reason}." for name, reason in comparison.not_measured.items()]


def markdown_table(comparison):
    """Return a comparison as a Markdown table that fits a page.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    table = display_table(comparison).drop(columns=_WIDE_ONLY).reset_index()
    rows = [[text.replace("|", r"\|") for text in row] for row in table.to_numpy().tolist()]
    lines = [list(table.columns), ["---"] * len(table.columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def html_table(comparison):
    """Return a comparison as an HTML table with its notes.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    table = display_table(comparison).reset_index()
    for column in table:
        table[column] = table[column].map(html.escape)
        if column.endswith(_WITH_INTERVAL):
            table[column] = table[column].map(_two_lines)
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes(comparison))
    body = f"{table.to_html(index=False, escape=False)}<ul>{items}</ul>"
    return f"<div style='font-size:0.88em'>{body}</div>"  # as wide as a notebook's cell


def html_page(comparison):
    """Return a comparison as a whole page, with what it was measured on; it loads nothing.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    title = f"Quantization schemes on {html.escape(comparison.data_name)}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{html.escape(comparison.summary())}</p>"
        f"{html_table(comparison)}<h2>Measured with</h2>{environment()._repr_html_()}</html>"
    )


def sentence(comparison, name):
    """Say what was measured of one scheme.

    Parameters
    ----------
    comparison : Comparison
    name : str
        A row that was measured.

    Returns
    -------
    str
    """
    row = comparison.to_frame().loc[name]
    against = ""
    if name != comparison.reference:
        p_value = _p_value(row["p_value"], False)
        against = (
            f"{row['difference_pp']:+.2f} points against {comparison.reference} "
            f"(p {p_value if p_value.startswith('<') else f'= {p_value}'}: "
            f"{comparison.paired[name].verdict}), "
        )
    count = int(row["float_operators"])
    return (
        f"{name}: {_percent(row).replace(' (', ' % right (95 % interval ')}, {against}"
        f"{row['size_bytes'] / 1024:.1f} KiB ({row['size_ratio']:.2f} times smaller; deflated "
        f"{row['deflated_bytes'] / 1024:.1f}), {row['latency_us']:.1f} µs an inference "
        f"({row['latency_ratio']:.2f} times the time), {count or 'no'} float "
        f"operator{'s'[: count != 1]}; {NEEDED.get(row['needs'], 'made elsewhere')}."
    )


def _two_lines(text):
    """Put a value's interval below it."""
    value, bracket, interval = text.partition(" (")
    return f"{value}<br><small style='white-space:nowrap'>({interval}</small>" if bracket else value


def _percent(row):
    low, high = row["accuracy_low"], row["accuracy_high"]
    return f"{row['accuracy']:.2%} ({low:.2%} to {high:.2%})".replace("%", "")


def _difference(row, is_reference):
    if is_reference:
        return "–"
    low, high = row["difference_low_pp"], row["difference_high_pp"]
    return f"{row['difference_pp']:+.2f} ({low:+.2f} to {high:+.2f})"


def _p_value(p, is_reference):
    if is_reference:
        return "–"
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _delegates(delegates):
    kinds = sorted(set(delegates.values()), reverse=True)
    if len(kinds) == 1:
        return f"{kinds[0]} throughout"
    users = {kind: [name for name, d in delegates.items() if d == kind] for kind in kinds}
    return "; ".join(f"{kind} for {', '.join(names)}" for kind, names in users.items())
