"""How a result shows itself: a line in print, a table in a notebook."""


class Result:
    """Base of the frozen values that measurements return.

    A subclass has `to_frame()`, the numbers with their units, and `summary()`, one line with the
    uncertainty.
    """

    def __str__(self):
        return self.summary()

    def __repr__(self):
        return f"{type(self).__name__}({self.summary()})"

    def _repr_html_(self):
        return self.to_frame().to_html()
