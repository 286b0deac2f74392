"""Learn and analyse neural-network quantization on the real TensorFlow Lite tool chain.

``import qkit as qk`` is all that a notebook needs. Names load when they are first used (PEP 562),
so that the import costs next to nothing and TensorFlow is loaded only by what needs it.
"""

import importlib

from qkit._tensorflow import prefer_keras_2

__version__ = "0.1.0"

_HOME = {
    "Accuracy": "evaluate.accuracy",
    "BitSweep": "quantize.bit_sweep",
    "BitsEffect": "evaluate.bits_effect",
    "CalibrationEffect": "evaluate.calibration_effect",
    "ClustersEffect": "evaluate.clusters_effect",
    "Comparison": "evaluate.comparison",
    "Dataset": "data",
    "Decision": "evaluate.decision_tree",
    "DigitAnswers": "evaluate.digit",
    "Footprint": "evaluate.footprint",
    "GridFit": "quantize.grid_fit",
    "History": "training",
    "Int16Effect": "published.relatives",
    "Latency": "evaluate.latency",
    "Numbers": "quantize.formats",
    "Paired": "evaluate.significance",
    "QParams": "quantize.grid",
    "QuantizationError": "quantize.errors",
    "RELATIVES": "published.relatives",
    "RangeSweep": "quantize.range_sweep",
    "Relative": "published.relatives",
    "SCHEMES": "toolchain.schemes",
    "Scheme": "toolchain.schemes",
    "Shortlist": "evaluate.recommend",
    "Size": "evaluate.size",
    "SparsityEffect": "evaluate.sparsity_effect",
    "TaskScores": "evaluate.task_scores",
    "Tradeoff": "evaluate.tradeoff",
    "WeightCensus": "evaluate.census",
    "WeightHistory": "toolchain.history",
    "accuracy": "evaluate.accuracy",
    "activation_ranges": "toolchain.ranges",
    "bit_sweep": "quantize.bit_sweep",
    "bits_effect": "evaluate.bits_effect",
    "calibration_effect": "evaluate.calibration_effect",
    "check": "notebook",
    "cluster": "toolchain.clustering",
    "clusters_effect": "evaluate.clusters_effect",
    "compare": "evaluate.comparison",
    "convert": "toolchain.convert",
    "digit_answers": "evaluate.digit",
    "disagreements": "evaluate.disagreements",
    "environment": "machine",
    "explore_bits": "widgets.bits",
    "explore_calibration": "widgets.calibration",
    "explore_clusters": "widgets.clusters",
    "explore_decision_tree": "widgets.decision_tree",
    "explore_digit": "widgets.digit",
    "explore_grid": "widgets.grid",
    "explore_mistakes": "widgets.mistakes",
    "explore_number": "widgets.number",
    "explore_schemes": "widgets.schemes",
    "explore_sparsity": "widgets.sparsity",
    "fine_tune_with_control": "toolchain.aware",
    "fit": "training",
    "footprint": "evaluate.footprint",
    "grid_fit": "quantize.grid_fit",
    "int16_effect": "published.relatives",
    "int16_table": "published.relatives",
    "latency": "evaluate.latency",
    "load_data": "data",
    "load_image_folder": "image_folder",
    "magnitude_mask": "quantize.magnitude",
    "nearest_numbers": "quantize.formats",
    "paired": "evaluate.significance",
    "plot_accuracies": "plots.accuracies",
    "plot_architectures": "plots.architectures",
    "plot_bit_sweep": "plots.bit_sweep",
    "plot_bits_effect": "plots.bits_effect",
    "plot_bytes_by_stage": "plots.bytes_by_stage",
    "plot_calibration_effect": "plots.calibration",
    "plot_clusters_effect": "plots.clusters",
    "plot_decision_tree": "plots.decision_tree",
    "plot_detections": "plots.detections",
    "plot_digit_answers": "plots.digit",
    "plot_flips": "plots.flips",
    "plot_grid_fit": "plots.grid_fit",
    "plot_int16_effects": "plots.int16_effects",
    "plot_latencies": "plots.latencies",
    "plot_mask": "plots.mask",
    "plot_mistake": "plots.mistakes",
    "plot_numbers": "plots.number",
    "plot_range_history": "plots.range_history",
    "plot_range_sweep": "plots.range_sweep",
    "plot_scheme_rows": "plots.scheme_rows",
    "plot_schemes": "plots.schemes",
    "plot_sizes": "plots.sizes",
    "plot_sparsity_accuracy": "plots.sparsity_accuracy",
    "plot_sparsity_effect": "plots.sparsity",
    "plot_tradeoff": "plots.tradeoff",
    "plot_values_on_grids": "plots.values_on_grids",
    "plot_weight_histogram": "plots.weight_histogram",
    "plot_weight_history": "plots.weight_history",
    "prune": "toolchain.pruning",
    "quantization_aware": "toolchain.aware",
    "quantization_error": "quantize.errors",
    "quiet": "_tensorflow",
    "range_history": "toolchain.ranges",
    "range_sweep": "quantize.range_sweep",
    "round_to_float": "quantize.floats",
    "setup_notebook": "notebook",
    "shortlist": "evaluate.recommend",
    "size": "evaluate.size",
    "sparsity_effect": "evaluate.sparsity_effect",
    "sqnr_db": "quantize.errors",
    "streamed_accuracy": "evaluate.accuracy",
    "task_scores": "evaluate.task_scores",
    "tensors": "tflite.file",
    "tradeoff": "evaluate.tradeoff",
    "weight_census": "evaluate.census",
    "weight_history": "toolchain.history",
    "with_weights": "tflite.edit",
}
_MODULES = {
    "calibration": "quantize.calibration",
    "centroids": "quantize.centroids",
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
