"""What pruning and clustering leave in a tensor: zeros, shared values, and their entropy."""

import numpy as np

_ZEROS, _GROUP = 2, 4


def sparsity(x):
    """Return the share of values that are exactly zero.

    Parameters
    ----------
    x : array_like, not empty
        −0.0 is a zero.

    Returns
    -------
    float
        In 0–1.

    Raises
    ------
    ValueError
        If there are no values.

    Examples
    --------
    >>> sparsity([0.0, -0.0, 0.5, 1e-30])
    0.5
    """
    x = _filled(x, what="sparsity")
    return float(1 - np.count_nonzero(x) / x.size)


def distinct_values(x):
    """Return how many different values there are.

    Parameters
    ----------
    x : array_like, not empty
        0.0 and −0.0 are one value.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If there are no values.

    Examples
    --------
    >>> distinct_values([0.5, 0.0, 0.5, -0.0])
    2
    """
    return np.unique(_sortable(_filled(x, what="distinct_values"))).size


def entropy_bits(x):
    """Return the Shannon entropy of the values, each taken as a symbol by itself.

    A code that spends its bits on one value after the other, and knows no more of them than how
    often each occurs, needs at least as many bits a value. A code that sees values together can
    need fewer, where they repeat in patterns.

    Parameters
    ----------
    x : array_like, not empty
        0.0 and −0.0 are one value; pass bit patterns, such as ``x.view(np.uint32)``, to tell them
        apart.

    Returns
    -------
    float
        In bits a value: 0 for a constant, log2(x.size) where no value occurs twice.

    Raises
    ------
    ValueError
        If there are no values.

    References
    ----------
    C. E. Shannon, "A mathematical theory of communication", Bell System Technical Journal 27
    (1948), sections 6 and 9.

    Examples
    --------
    >>> entropy_bits([0, 0, 1, 2]), entropy_bits([7, 7])
    (1.5, 0.0)
    """
    x = _filled(x, what="entropy_bits")
    counts = np.unique(_sortable(x), return_counts=True)[1]
    # Σ p·log2(1/p) with p = count / n; a constant gives 0.0, and not −0.0
    return float(counts @ np.log2(x.size / counts) / x.size)


def two_of_four_share(x):
    """Return the share of groups of four neighbours with two zeros or more.

    Parameters
    ----------
    x : array_like of one axis or more, not empty
        Grouped along the last axis, which in the layout of a .tflite file counts the input channels
        of a convolution and the inputs of a dense layer. What is left over at its end counts as a
        group of four with zeros.

    Returns
    -------
    float
        In 0–1; it is 1 where `is_pruned_m_by_n` of tensorflow-model-optimization, with
        ``last_channel="C_IN"``, calls the tensor pruned.

    Raises
    ------
    ValueError
        If there are no values, or no axis.

    References
    ----------
    A. Mishra et al., "Accelerating sparse deep neural networks", 2021.

    Examples
    --------
    >>> two_of_four_share([1, 0, 0, 2, 3, 4, 0, 5])
    0.5
    """
    x = _filled(x, what="two_of_four_share")
    if x.ndim == 0:
        raise ValueError("two_of_four_share: a single value has no neighbours; give an array.")
    starts = np.arange(0, x.shape[-1], _GROUP)
    left = np.add.reduceat(x != 0, starts, axis=-1, dtype=np.int64)
    return float(np.mean(left <= _GROUP - _ZEROS))


def _filled(x, *, what):
    x = np.asarray(x)
    if x.size == 0:
        raise ValueError(f"{what}: there are no values; the shape is {x.shape}.")
    return x


def _sortable(x):
    # NumPy 2.4 does not sort every float16 array on processors with AVX-512: equal values end up
    # apart, and would count twice. float32 holds the same values.
    return x.astype(np.float32) if x.dtype == np.float16 else x
