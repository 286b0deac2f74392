"""Where measurement disagrees with the official decision tree."""

from qkit.evaluate.report import NEEDED
from qkit.evaluate.significance import paired
from qkit.toolchain.schemes import SCHEMES

_EFFORT = ("nothing", "unlabelled sample", "labelled training data")  # from little to much
_CONTROL = "control_full_integer"


def disagreements(decision, comparison):
    """Say where measurement disagrees with what the tree and the guide promise of its scheme.

    Differences in accuracy count where McNemar's test on the same images has p < 0.05.

    Parameters
    ----------
    decision : Decision
    comparison : Comparison
        Without a row for the scheme there is nothing to hold against the tree.

    Returns
    -------
    list of str
        A sentence each.

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> compared = qk.compare(model, digits, ["float16"])
    >>> float16 = qk.decision_tree.follow({"optimize": True, "smaller": False})
    >>> disagreements(float16, compared)[0].partition(",")[0]
    'Size: the guide says up to 50 % smaller'
    """
    if decision.scheme not in comparison.models:
        return []
    found = (
        _loss(decision.scheme, comparison),
        *_extra_training(decision.scheme, comparison),
        _higher_accuracy(decision.scheme, comparison),
        _size(decision, comparison),
        _speed(decision.scheme, comparison),
        _less_would_do(decision.scheme, comparison),
    )
    return [sentence for sentence in found if sentence]


def _loss(scheme, comparison):
    found = comparison.paired[scheme]
    if found.p_value >= 0.05 or found.difference_pp >= 0:
        return None
    promised = SCHEMES[scheme].published_accuracy
    words = f"the guide says {promised}, " if promised else ""
    return (
        f"Accuracy: {words}measured it is {-found.difference_pp:.2f} points below "
        f"{comparison.reference} ({_p(found)})."
    )


def _extra_training(scheme, comparison):
    """Hold QAT against training as long without it, and against not training at all."""
    if scheme != "qat":
        return
    if _CONTROL in comparison.models:
        found = _held(comparison, _CONTROL, "qat")
        if not _gains(found):
            control = 100 * comparison.accuracies[_CONTROL].accuracy
            yield (
                f"Training: its equal-epoch control, quantized without QAT, is at {control:.2f} %; "
                f"qat is {_apart(found)} from it ({_p(found)}): no gain from QAT that "
                f"{found.a.n:,} images could show."
            )
    else:
        yield "Training: no equal-epoch control was measured; what QAT changes may be its epochs."
    if "full_integer" in comparison.models:
        found = _held(comparison, "full_integer", "qat")
        if not _gains(found):
            yield (
                "Effort: the tree sends you to QAT for accuracy; against full_integer, which needs "
                f"no labels, it is {_apart(found)} ({_p(found)})."
            )


def _higher_accuracy(scheme, comparison):
    if scheme != "int16_activations" or "full_integer" not in comparison.models:
        return None
    found = _held(comparison, "full_integer", scheme)
    if _gains(found):
        return None
    times = comparison.latency.median_us
    return (
        f"Higher accuracy: against full_integer it is {_apart(found)} ({_p(found)}), not "
        f"measurably more accurate, and takes {_times(times[scheme] / times['full_integer'])} "
        "the time."
    )


def _size(decision, comparison):
    promised = SCHEMES[decision.scheme].published_size_cut
    cut = size_cut(comparison, decision.scheme)
    if decision.path.get("smaller") and cut <= 50:
        return f"Size: you asked for a cut by more than half, measured it is {cut:.1f} %."
    if promised is None or round(cut) >= int("".join(filter(str.isdigit, promised))):
        return None
    return f"Size: the guide says {promised} smaller, measured it is {cut:.1f} %."


def size_cut(comparison, scheme):
    """Return by how many percent of the reference's file a scheme's file is smaller.

    Parameters
    ----------
    comparison : Comparison
    scheme : str

    Returns
    -------
    float
        In percent; negative where it is larger.

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> size_cut(qk.compare(model, digits, []), "float32")
    0.0
    """
    sizes = comparison.sizes
    return 100 * (1 - sizes[scheme].size_bytes / sizes[comparison.reference].size_bytes)


def _speed(scheme, comparison):
    low, high = comparison.latency.ratio_interval[scheme]
    if scheme == comparison.reference or low <= 1:
        return None
    return (
        f"Speed: on this CPU it takes {_times(comparison.latency.ratio[scheme])} "
        f"({low:.2f} to {high:.2f}) the time of {comparison.reference}."
    )


def _less_would_do(scheme, comparison):
    """Name the smallest scheme that asks for no more and is not measurably less accurate."""
    sizes, times = comparison.sizes, comparison.latency.median_us
    asked = _EFFORT.index(SCHEMES[scheme].needs)
    rivals = [
        name
        for name in comparison.models
        if name in SCHEMES
        and _EFFORT.index(SCHEMES[name].needs) <= asked
        and sizes[name].size_bytes < sizes[scheme].size_bytes
        and not _gains(_held(comparison, name, scheme))
    ]
    if not rivals:
        return None
    rival = min(rivals, key=lambda name: sizes[name].size_bytes)
    found = _held(comparison, scheme, rival)
    return (
        f"Less would do: {rival}, which {NEEDED[SCHEMES[rival].needs]}, is "
        f"{100 * (1 - sizes[rival].size_bytes / sizes[scheme].size_bytes):.1f} % smaller still, "
        f"{_apart(found)} ({_p(found)}), and takes {_times(times[rival] / times[scheme])} the time."
    )


def _held(comparison, a, b):
    return paired(comparison.accuracies[a], comparison.accuracies[b])


def _gains(found):
    """Whether b is measurably more accurate than a."""
    return found.p_value < 0.05 and found.difference_pp > 0


def _apart(found):
    return f"{found.difference_pp:+.2f} points"


def _p(found):
    return f"p = {found.p_value:.2g}"


def _times(ratio):
    digits = ".2g" if ratio < 0.1 else ".2f" if ratio < 10 else ".0f"
    return f"{ratio:{digits}} times"
