"""What a notebook's first cell sets up."""

import gc
import os
import warnings

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
    # each conversion looks for garbage among all that there is, and what is loaded is none; once
    # alone, for when the cell runs again the notebook's models are there, which will be garbage
    if not gc.get_freeze_count():
        gc.freeze()
