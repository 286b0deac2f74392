"""How many bytes an ideal entropy coder needs for stored numbers, its tables included."""

import numpy as np
from scipy.special import gammaln


def entropy_coded_bytes(stored):
    """Return the bytes of numbers under an ideal code that takes them one after the other.

    First comes which of them are zero, and of which sign, then the others, in the cheapest of three
    ways: as they are, as symbols, or each of their bytes with a code of its own (floating-point
    numbers seldom repeat, but their exponents do). Each code spends −log2(p) bits on what has the
    frequency p, and the table that the decoder needs is paid for: which symbols occur, and how
    often.

    Parameters
    ----------
    stored : ndarray of integers or floating point
        As it lies in the file. 0.0 and −0.0 are told apart, as a file does.

    Returns
    -------
    float
        No fewer than 0, no more than ``stored.nbytes`` and some bytes for the number of zeros.

    Notes
    -----
    For int8 this is the entropy of the values, and a table. It bounds every code that knows of a
    value no more than the table, such as Huffman's, and arithmetic coding comes within a byte or
    two of it. It bounds no code that looks at several values together: deflate and zstd also name
    earlier strings, and go below where the weights repeat in patterns. A table that is learned on
    the way, or fixed beforehand, can cost less than ours.

    References
    ----------
    C. E. Shannon, "A mathematical theory of communication", Bell System Technical Journal 27
    (1948). The table by counting, as T. Cover, "Enumerative source encoding", IEEE Transactions on
    Information Theory 19 (1973).

    Examples
    --------
    >>> round(entropy_coded_bytes(np.zeros(1000, np.int8)), 1)
    1.2
    >>> entropy_coded_bytes(np.float32([0, 0, 0, 0.5])) < 7
    True
    """
    bits = np.ascontiguousarray(stored).ravel()
    bits = bits.view(f"u{bits.itemsize}")
    # the sign alone, −0.0: a product with a mask leaves one for each negative weight
    minus = np.iinfo(bits.dtype).max // 2 + 1 if bits.itemsize > 1 else 0
    others = bits[(bits != 0) & (bits != minus)]
    zeros = [np.count_nonzero(bits == 0), np.count_nonzero(bits == minus)][: 1 + (minus > 0)]
    places = _log2_choose(bits.size + len(zeros), len(zeros))  # how many of each there are
    places += _spent_bits([*zeros, others.size])
    if others.size == 0:
        return float(places) / 8
    planes = others.view(np.uint8).reshape(others.size, -1).T
    ways = (8 * others.nbytes, _coded_bits(others), sum(_coded_bits(plane) for plane in planes))
    return float(places + min(ways)) / 8


def _coded_bits(symbols):
    """Return the bits of the symbols under the code of their frequencies, and of its table."""
    # counting bytes takes a tenth of the time of sorting them
    bytewise = symbols.itemsize == 1
    counts = np.bincount(symbols) if bytewise else np.unique(symbols, return_counts=True)[1]
    kinds = np.count_nonzero(counts)
    which = _log2_choose(256**symbols.itemsize, kinds)
    how_often = _log2_choose(symbols.size - 1, kinds - 1)  # ways to share a sum out to as many
    return _spent_bits(counts) + which + how_often


def _spent_bits(counts):
    """Return Shannon's bits for symbols that occur so often, −log2 of its share for each."""
    counts = np.asarray(counts, float)
    counts = counts[counts > 0]
    return counts @ np.log2(counts.sum() / counts)


def _log2_choose(n, k):
    n = float(n)
    return (gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)) / np.log(2)
