"""What a notebook's first cell sets up, and the check of its exercises."""

import os
import warnings

import numpy as np

from qkit._tensorflow import tensorflow

# Okabe and Ito, "Color universal design" (2008), without the yellow that is lost on white.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7")


def setup_notebook():
    """Load TensorFlow with Keras 2 and without its chatter, and make figures and tables legible.

    Call it in the first cell. Colours of lines follow one another as in qkit's own pictures.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read once, when TensorFlow loads
    tensorflow().get_logger().setLevel("ERROR")
    warnings.filterwarnings("ignore", module="tensorflow|tf_keras")

    import matplotlib as mpl
    import pandas as pd

    mpl.rc("figure", dpi=110)
    mpl.rc("figure.constrained_layout", use=True)
    mpl.rc("font", size=10)
    mpl.rc("axes", prop_cycle=mpl.cycler(color=COLOURS))
    pd.set_option("display.max_columns", 20, "display.max_colwidth", 60, "display.precision", 4)


def check(answer, is_right, hint=""):
    """Say whether an exercise's answer is right.

    Parameters
    ----------
    answer : object, ``...`` if there is none yet
    is_right : object or callable, the right answer, or a function from an answer to a truth value
    hint : str, shown with a wrong answer

    Examples
    --------
    >>> check(..., 3)
    not answered yet
    >>> check(4, 3, "count the bytes of one int8")
    not yet: count the bytes of one int8
    """
    if answer is ...:
        print("not answered yet")
    elif _agrees(answer, is_right):
        print("right")
    else:
        print(f"not yet: {hint}" if hint else "not yet")


def _agrees(answer, is_right):
    if not callable(is_right):
        return np.array_equal(answer, is_right)
    try:
        return bool(is_right(answer))
    except Exception:  # an answer may be anything: what the question cannot be asked of is wrong
        return False
