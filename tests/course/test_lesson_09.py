"""Exercises of 09, with errors in steps in place of a network: the check plants and asks."""

HEALTHY = {"block1_pw": 0.25, "block2_pw": 0.25, "block3_pw": 0.26, "logits": 0.6}


def plant(layer):
    """Return a network's errors: of the layer of one weight, and a little of what follows."""
    grown = {"block1_pw": 0.55, "block3_pw": 0.38}
    return HEALTHY | {layer: grown[layer]} | {"logits": 1.0 if layer == "block1_pw" else 0.6}


def by_growth(model):
    return max(model, key=lambda layer: model[layer] / HEALTHY[layer])


def by_difference(model):
    return max(model, key=lambda layer: model[layer] - HEALTHY[layer])


CASES = {
    "09.1": (
        {},
        ["a"],
        [("b", "reaches the output"), ("c", "came in wrong"), ("d", "victim"), (1, "one of")],
    ),
    "09.2": (
        {"plant": plant},
        [by_growth],
        [
            (lambda model: max(model, key=model.get), "wherever the weight is"),
            (lambda model: "block2_pw", "wherever the weight is"),
            (by_difference, "by what factor"),
            (lambda model: max(model.values()), "the name of a layer"),
            (lambda: "block1_pw", "from a model to the name"),
        ],
    ),
}
