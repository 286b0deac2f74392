"""The words of the field: a sentence for each, its symbol, and what French and Portuguese say."""

import difflib
from pathlib import Path

_TERMS = Path(__file__).with_name("glossary.csv")


def glossary(term=None):
    """Return what a word means, or the whole glossary.

    Parameters
    ----------
    term : str, optional
        A term or a part of one, in English, French or Portuguese; all without it.

    Returns
    -------
    pandas.DataFrame
        By term: ``meaning``, ``symbol``, ``notebook`` that introduces it, ``french``,
        ``portuguese``.

    Raises
    ------
    ValueError
        Where no term is like it.

    Examples
    --------
    >>> glossary("zero point").loc["zero point", "french"]
    'point zéro'
    """
    import pandas as pd

    table = pd.read_csv(_TERMS, dtype=str, keep_default_na=False).set_index("term")
    if term is None:
        return table
    words = [table.index, table["french"], table["portuguese"]]
    word = str(term).strip().lower()
    found = sum(column.str.contains(word, case=False, regex=False) for column in words) > 0
    if not found.any():
        near = difflib.get_close_matches(word, [*table.index], n=3, cutoff=0.5)
        like = f" Like it: {', '.join(near)}." if near else ""
        raise ValueError(
            f"glossary: no term holds {term!r}.{like} qk.glossary() lists all {len(table)}."
        )
    return table[found]
