"""Learn and analyse neural-network quantization on the real TensorFlow Lite tool chain.

``import qkit as qk`` is all that a notebook needs. Names load when they are first used (PEP 562),
so that the import costs next to nothing and TensorFlow is loaded only by what needs it.
"""

import importlib

from qkit._tensorflow import prefer_keras_2

__version__ = "0.1.0"

_HOME = {
    "Accuracy": "evaluate.accuracy",
    "CalibrationEffect": "evaluate.calibration_effect",
    "Comparison": "evaluate.comparison",
    "Dataset": "data",
    "Decision": "evaluate.decision_tree",
    "DigitAnswers": "evaluate.digit",
    "History": "training",
    "Latency": "evaluate.latency",
    "Metric": "evaluate.accuracy",
    "Paired": "evaluate.significance",
    "SCHEMES": "toolchain.schemes",
    "Scheme": "toolchain.schemes",
    "Shortlist": "evaluate.recommend",
    "Size": "evaluate.size",
    "Tradeoff": "evaluate.tradeoff",
    "WeightCensus": "evaluate.census",
    "WeightHistory": "toolchain.history",
    "accuracy": "evaluate.accuracy",
    "accuracy_of": "evaluate.accuracy",
    "activation_ranges": "toolchain.aware",
    "calibration_effect": "evaluate.calibration_effect",
    "check": "notebook",
    "cluster": "toolchain.compress",
    "cluster_once": "interpreter.one_shot",
    "compare": "evaluate.comparison",
    "convert": "toolchain.convert",
    "digit_answers": "evaluate.digit",
    "disagreements": "evaluate.decision_tree",
    "effect": "evaluate.effect",
    "environment": "machine",
    "explore_bits": "widgets.bits",
    "explore_calibration": "widgets.calibration",
    "explore_clusters": "widgets.compress",
    "explore_decision_tree": "widgets.decision_tree",
    "explore_digit": "widgets.digit",
    "explore_grid": "widgets.grid",
    "explore_mistakes": "widgets.mistakes",
    "explore_number": "widgets.number",
    "explore_schemes": "widgets.schemes",
    "explore_sparsity": "widgets.compress",
    "fine_tune_with_control": "toolchain.aware",
    "fit": "training",
    "grid_fit": "quantize.errors",
    "inspect": "tflite.file",
    "intermediate": "interpreter.run",
    "latency": "evaluate.latency",
    "load_data": "data",
    "load_image_folder": "image_folder",
    "magnitude_mask": "quantize.magnitude",
    "nearest_numbers": "quantize.formats",
    "network": "networks",
    "outputs": "interpreter.run",
    "paired": "evaluate.significance",
    "plot_accuracies": "plots.rows",
    "plot_architectures": "plots.published",
    "plot_bytes_by_stage": "plots.rows",
    "plot_calibration_effect": "plots.calibration",
    "plot_digit_answers": "plots.digit",
    "plot_effect": "plots.effects",
    "plot_flips": "plots.flips",
    "plot_grid_fit": "plots.grid_fit",
    "plot_int16_effects": "plots.published",
    "plot_latencies": "plots.rows",
    "plot_mask": "plots.weights",
    "plot_mistake": "plots.mistakes",
    "plot_range_history": "plots.history",
    "plot_scheme_rows": "plots.rows",
    "plot_sizes": "plots.rows",
    "plot_tradeoff": "plots.tradeoffs",
    "plot_weight_histogram": "plots.weights",
    "plot_weight_history": "plots.history",
    "prune": "toolchain.compress",
    "prune_once": "interpreter.one_shot",
    "quantization_aware": "toolchain.aware",
    "quantization_error": "quantize.errors",
    "quiet": "_tensorflow",
    "range_history": "toolchain.aware",
    "setup_notebook": "notebook",
    "shortlist": "evaluate.recommend",
    "size": "evaluate.size",
    "sqnr_db": "quantize.errors",
    "tradeoff": "evaluate.tradeoff",
    "weight_census": "evaluate.census",
    "weight_history": "toolchain.history",
}
_MODULES = {
    "calibration": "quantize.calibration",
    "decision_tree": "evaluate.decision_tree",
    "grid": "quantize.grid",
    "mistakes": "evaluate.mistakes",
    "models": "models",
    "published": "published",
    "simulation": "interpreter.simulation",
}

__all__ = sorted([*_HOME, *_MODULES])

prefer_keras_2()


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"qkit.{_MODULES[name]}")
    if name in _HOME:
        value = getattr(importlib.import_module(f"qkit.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'qkit' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__():
    return [*__all__, "__version__"]
