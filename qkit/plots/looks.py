"""The colour and the marker of a scheme: the same in every picture, whatever stands beside it."""

import re
from functools import cache
from itertools import cycle

from qkit.notebook import COLOURS
from qkit.plots.style import mark
from qkit.toolchain.schemes import SCHEMES, find_scheme

# A colour for what is computed with: by the dtypes of weights and activations, the last for others
_DTYPES = {
    ("float32", "float32"): 0, ("float16", "float32"): 1, ("int8", "float32"): 2,
    ("int8", "int16"): 3, ("int8", "int8"): 4,
}  # fmt: skip
_BACK_TO_FLOAT, _THROUGH_GRID, _OTHERS = 1, 5, 6
# A kind of marker for what training left in the weights: zeros, few values, or both
_SHAPES = {
    "": ("o", "s", "D", "P", "X", "*", "d", "p", "h", "8"),
    "pruned": ("v", "^", "<", ">"),
    "clustered": ((4, 1, 0), (4, 1, 45), (6, 1, 0), (8, 1, 0)),
    "pruned_clustered": ((3, 1, 0), (3, 1, 180), (3, 1, 90), (3, 1, 270)),
}
_PRESERVED = {"pqat": "pruned", "cqat": "clustered", "pcqat": "pruned_clustered"}
_CALLED = {"int8": "full_integer", "int16": "int16_activations"}  # where there is little room


def looks(names):
    """Return by name a colour and a marker: a scheme's own, and for others what these leave."""
    found = {name: look(name) for name in names}
    taken = {*found.values()}
    colours = {own[0] for own in taken if own}
    # 84 is where colours and markers begin to repeat as pairs
    free = [other for other in map(mark, range(84)) if other not in taken]
    others = cycle(sorted(free, key=lambda other: other[0] in colours))
    return {name: own or next(others) for name, own in found.items()}


@cache
def look(name):
    """Return the colour and the marker of a scheme, None of what is called otherwise."""
    words = (_CALLED.get(word, word) for word in re.split(r"\s*[+,]\s*", f"{name}"))
    try:
        scheme = find_scheme("+".join(words))
    except ValueError:
        return None
    family = _family(scheme)
    shapes = _SHAPES.get(_PRESERVED.get(scheme.technique, scheme.technique), _SHAPES[""])
    return COLOURS[family], shapes[(family + _rank(scheme)) % len(shapes)]


def _family(scheme):
    """Return which colour is a scheme's."""
    if scheme.through_grid:
        return _THROUGH_GRID
    if scheme.weight_only:
        return _BACK_TO_FLOAT
    return _DTYPES.get((scheme.weights, scheme.activations), _OTHERS)


def _rank(scheme):
    """Return the place, among schemes of one colour, of what the model is converted under."""
    if scheme.through_grid:
        return int(scheme.io != "float32")
    family = [s.name for s in SCHEMES.values() if not s.technique and _family(s) == _family(scheme)]
    base = scheme.name.rpartition("+")[2]
    return family.index(base) if base in family else 0
