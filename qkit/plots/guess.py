"""What a reader predicted, drawn into the picture that answers."""

from qkit import validate
from qkit.plots.style import documented, new_axes


@documented("Prediction")
def plot_guess(guess, *, along="x", ax=None):
    """Draw a reader's guess as a dashed line across a picture; nothing where there is none.

    Parameters
    ----------
    guess : Prediction, of a number
    along : {"x", "y"}, the axis that the number is on, in the axis' unit
    """
    validate.choice(along, ("x", "y"), name="plot_guess: along")
    ax = ax or new_axes()
    if guess.given and guess.choices:
        raise ValueError(f"plot_guess: {guess.name} is a choice, {guess.guess!r}, and no number.")
    if guess.given:
        line = ax.axvline if along == "x" else ax.axhline
        line(guess.guess, color="#CC79A7", ls="--", lw=2, label="your guess", zorder=3)
        ax.legend(frameon=False, fontsize="small")
    return ax
