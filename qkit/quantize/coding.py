"""What stored weights cost: zeros, shared values and entropy, and the bytes that these allow."""

import zlib
from dataclasses import astuple, dataclass

import numpy as np
from scipy.special import betaln

from qkit.quantize.magnitude import KEPT_OF_FOUR, fours
from qkit.result import Result, kb

_LEVEL = 6  # of zlib, gzip and zip; 9, which `qk.size` takes, saves little in ten times the time


@dataclass(frozen=True, eq=False, repr=False)
class StoredBytes(Result):
    """Bytes of weights, without biases, scales and the file around them."""

    raw_bytes: int  # as they lie in a .tflite file
    deflated_bytes: int
    entropy_bytes: float  # each array by itself; a code that sees patterns can need less

    @property
    def by_way(self):
        """The bytes by way of storing, in words."""
        return dict(zip(("raw", "deflated", "entropy floor"), astuple(self), strict=True))

    def summary(self):
        """Say in one line what they take."""
        return ", ".join(f"{way} {kb(count)}" for way, count in self.by_way.items())


def stored_bytes(arrays):
    """Measure what arrays take, each in its stored dtype, deflated one after the other."""
    arrays = list(arrays)
    content = b"".join(array.tobytes() for array in arrays)
    deflated = zlib.compress(content, _LEVEL)
    return StoredBytes(len(content), len(deflated), sum(map(entropy_coded_bytes, arrays)))


def sparsity(x):
    """Return the share of values that are exactly zero; −0.0 is one."""
    x = np.asarray(x)
    return float(1 - np.count_nonzero(x) / x.size)


def distinct_values(x):
    """Return how many different values there are; 0.0 and −0.0 are one."""
    return _counts(np.asarray(x)).size


def entropy_bits(x):
    """Return the Shannon entropy of the values, in bits a value; 0.0 and −0.0 are one."""
    x = np.asarray(x)
    return float(_spent_bits(_counts(x)) / x.size)


def two_of_four_share(x):
    """Return the share of groups of four neighbours along the last axis that have two zeros."""
    left = np.count_nonzero(fours(np.asarray(x) != 0), axis=-1)
    return float(np.mean(left <= KEPT_OF_FOUR))


def entropy_coded_bytes(stored):
    """Return the bytes of numbers under an ideal code that takes them one after the other.

    First comes which are zero, and of which sign, then the others in the cheapest of three ways: as
    they are, as symbols, or each of their bytes by itself, as exponents repeat where numbers do
    not. What has the frequency p costs −log2(p) bits (Shannon, 1948), its table what
    counting gives (Cover, 1973). Of other codes, deflate can be shorter, as it sees patterns.
    """
    bits = np.ascontiguousarray(stored).ravel()
    bits = bits.view(f"u{bits.itemsize}")
    # the sign alone, −0.0: a product with a mask leaves one for each negative weight
    minus = np.iinfo(bits.dtype).max // 2 + 1 if bits.itemsize > 1 else 0
    others = bits[(bits != 0) & (bits != minus)]
    zeros = [np.count_nonzero(bits == zero) for zero in sorted({0, minus})]
    how_many = _log2_choose(bits.size + len(zeros), len(zeros))
    places = how_many + _spent_bits([*zeros, others.size])
    if others.size == 0:
        return float(places) / 8
    planes = others.view(np.uint8).reshape(others.size, -1).T
    ways = (8 * others.nbytes, _coded_bits(others), sum(_coded_bits(plane) for plane in planes))
    return float(places + min(ways)) / 8


def _coded_bits(symbols):
    """Return the bits of the symbols under the code of their frequencies, and of its table."""
    # counting bytes takes a tenth of the time of sorting them
    counts = np.bincount(symbols) if symbols.itemsize == 1 else _counts(symbols)
    kinds = np.count_nonzero(counts)
    which = _log2_choose(256**symbols.itemsize, kinds)
    how_often = _log2_choose(symbols.size - 1, kinds - 1)  # ways to share a sum out to as many
    return _spent_bits(counts) + which + how_often


def _spent_bits(counts):
    """Return Shannon's bits for symbols that occur so often, −log2 of its share for each."""
    counts = np.float64(counts)
    counts = counts[counts > 0]
    return counts @ np.log2(counts.sum() / counts)


def _log2_choose(n, k):
    # by gammaln, whose terms cancel, none of the digits would be left for the 2⁶⁴ kinds of int64
    n = float(n)
    return -(betaln(n - k + 1, k + 1) + np.log(n + 1)) / np.log(2)


def _counts(x):
    # NumPy 2.4 does not sort every float16 array on processors with AVX-512: equal values end up
    # apart, and would count twice
    x = x.astype(np.float32) if x.dtype == np.float16 else x
    return np.unique(x, return_counts=True)[1]
