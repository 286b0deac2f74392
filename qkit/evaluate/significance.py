"""Whether two models differ, judged on the images on which they disagree."""

from dataclasses import dataclass

import numpy as np

from qkit.evaluate.accuracy import Accuracy, Score, percentile_interval
from qkit.result import Result, near_limit


@dataclass(frozen=True, eq=False, repr=False)
class Paired(Result):
    """Two models on the same images: the difference in accuracy, b minus a."""

    a: Accuracy
    b: Accuracy
    difference_pp: float  # in percentage points
    interval_pp: tuple  # its 95 % interval
    p_value: float  # McNemar's exact test: how often as large a difference arises where none is
    lost: np.ndarray  # indices of the images that a has right and b has wrong
    gained: np.ndarray  # and of those that a has wrong and b has right

    @property
    def disagreements(self):
        """Indices of the images that the two give different classes, right or wrong."""
        return np.flatnonzero(self.a.predictions != self.b.predictions)

    @property
    def verdict(self):
        """Whether the difference is more than noise, in words."""
        return "more than noise" if self.p_value < 0.05 else "within the noise"

    @property
    def better(self):
        """Whether b is measurably more accurate than a."""
        return self.p_value < 0.05 and self.difference_pp > 0

    @property
    def worse(self):
        """Whether b is measurably less accurate than a."""
        return self.p_value < 0.05 and self.difference_pp < 0

    @property
    def row(self):
        """The figures of the table."""
        low, high = self.interval_pp
        return {
            "difference_pp": self.difference_pp,
            "difference_low_pp": low,
            "difference_high_pp": high,
            "p_value": self.p_value,
            "lost": len(self.lost),
            "gained": len(self.gained),
        }

    def summary(self):
        """Say in one line how large the difference is, and whether it is more than noise."""
        low, high = self.interval_pp
        return (
            f"{self.difference_pp:+.2f} points (95 % interval {low:+.2f} to {high:+.2f}), "
            f"{len(self.gained)} images gained and {len(self.lost)} lost, "
            f"{p_said(self.p_value)}: {self.verdict}"
        )

    def against(self, name):
        """Say the accuracy of b, and its difference from a, which is called by a name."""
        figures = self.b.summary() if self.b.name != "accuracy" else f"accuracy {self.b.summary()}"
        return f"{figures[0].upper()}{figures[1:]}; against {name} {self.summary()}"


def p_said(p_value):
    """Say a p-value; one too small for a float is not zero, one close to 0.05 on its own side."""
    return f"p = {p_value:.{5 if near_limit(p_value) else 2}g}" if p_value else "p < 1e-300"


@dataclass(frozen=True, eq=False, repr=False)
class PairedScores(Result):
    """Two models by one metric on the same items: the difference in score, b minus a."""

    a: Score
    b: Score
    difference: float  # in the metric's unit
    interval: tuple  # its 95 % bootstrap interval: both are scored on the same items drawn

    @property
    def worse(self):
        """Whether b is measurably worse than a."""
        low, high = self.interval
        return high < 0 if self.a.metric.higher_is_better else low > 0

    @property
    def row(self):
        """The figures of the table."""
        low, high = self.interval
        return {"difference": self.difference, "difference_low": low, "difference_high": high}

    def summary(self):
        """Say in one line how large the difference is."""
        change, low, high = (
            self.a.metric.said(value, signed=True) for value in (self.difference, *self.interval)
        )
        return f"{change} (95 % interval {low} to {high}, n = {self.a.n:,})"


def paired(a, b):
    """Compare two models on the same images.

    What counts is the images on which only one of them is right: two models of 98 % agree on nearly
    all, and their own intervals overlap even where one is surely better. Of two scores, the
    interval is that of the difference on the same bootstrap samples.

    Parameters
    ----------
    a, b : Accuracy, or Score of one metric, of the same images in the same order

    Returns
    -------
    Paired or PairedScores, of b minus a

    References
    ----------
    Q. McNemar, Psychometrika 12 (1947): the exact p-value. D. G. Bonett and R. M. Price, J. Educ.
    Behav. Stat. 37 (2012): the adjusted Wald interval, which may disagree with it close to 0.05.

    Examples
    --------
    >>> from qkit.evaluate.accuracy import accuracy_of
    >>> y = np.zeros(8, int)
    >>> found = paired(accuracy_of(y, y), accuracy_of(np.array([1, 1, 0, 0, 0, 0, 0, 0]), y))
    >>> found.difference_pp, found.p_value
    (-25.0, 0.5)
    """
    if {type(a), type(b)} not in ({Accuracy}, {Score}):
        raise TypeError(
            "paired: two accuracies are wanted, or two scores of one metric; got "
            f"{type(a).__name__} and {type(b).__name__}."
        )
    if isinstance(a, Score):
        if (a.metric, a.n) != (b.metric, b.n):
            raise ValueError(
                f"paired: {a.metric.name} of {a.n:,} items and {b.metric.name} of {b.n:,} cannot "
                "be paired: score both files with one metric on the same items."
            )
        interval = percentile_interval(_difference(a.draws, b.draws))
        return PairedScores(a, b, float(_difference(a.value, b.value)), interval)
    from scipy.stats import binomtest, norm

    if a.labels.shape != b.labels.shape or (a.labels != b.labels).any():
        raise ValueError(
            f"paired: the two accuracies are of different images ({a.n:,} and {b.n:,}): only the "
            "same labels in the same order can be paired."
        )
    if a.name != b.name:
        raise ValueError(
            f"paired: one is the {a.name}, the other the {b.name}: outputs of another range have "
            "another threshold. Compare files by qk.compare, which has one for all."
        )
    was_right, is_right = a.predictions == a.labels, b.predictions == b.labels
    lost, gained = np.flatnonzero(was_right & ~is_right), np.flatnonzero(~was_right & is_right)
    discordant = len(lost) + len(gained)
    p_value = float(binomtest(len(gained), discordant).pvalue) if discordant else 1.0
    up, down = (len(gained) + 1) / (a.n + 2), (len(lost) + 1) / (a.n + 2)
    half = norm.ppf(0.975) * np.sqrt((up + down - (up - down) ** 2) / (a.n + 2))
    low, high = np.clip([up - down - half, up - down + half], -1, 1)  # of few, it goes beyond
    interval_pp = float(100 * low), float(100 * high)
    return Paired(a, b, 100 * (len(gained) - len(lost)) / a.n, interval_pp, p_value, lost, gained)


def _difference(a, b):
    """Return b minus a: nothing where they are the same, infinite ones too."""
    with np.errstate(invalid="ignore"):
        return np.where(np.equal(a, b), 0.0, np.subtract(b, a))
