"""The names of qkit, by the notebook that first uses them; ``__init__`` reads it."""
# ruff: noqa: I001 - the order is the course's

__version__: str

# 00 Start here
from qkit.course.exercises import check as check
from qkit.evaluate.compare import compare as compare
from qkit.machine import environment as environment
from qkit.training import fit as fit
from qkit.course.glossary import glossary as glossary
from qkit.course.ledger import ledger as ledger
from qkit.data import load_data as load_data
from qkit import models as models
from qkit.plots.panels import plot_guess as plot_guess
from qkit.plots.rows import plot_sizes as plot_sizes
from qkit.plots.tradeoffs import plot_tradeoff as plot_tradeoff
from qkit.course.predict import predict as predict
from qkit.notebook import setup_notebook as setup_notebook

# 01 Numbers on a grid
from qkit.evaluate.accuracy import accuracy as accuracy
from qkit.quantize import calibration as calibration
from qkit.toolchain.convert import convert as convert
from qkit.widgets.effects import explore_bits as explore_bits
from qkit.widgets.grid import explore_grid as explore_grid
from qkit.widgets.number import explore_number as explore_number
from qkit.quantize import grid as grid
from qkit.quantize.errors import grid_fit as grid_fit
from qkit.tflite.file import inspect as inspect
from qkit.interpreter.run import intermediate as intermediate
from qkit.quantize.formats import nearest_numbers as nearest_numbers
from qkit.evaluate.significance import paired as paired
from qkit.plots.grid_fit import plot_grid_fit as plot_grid_fit
from qkit.quantize.errors import quantization_error as quantization_error
from qkit.interpreter import simulation as simulation
from qkit.quantize.errors import sqnr_db as sqnr_db

# 02 Post-training quantization
from qkit.toolchain.schemes import SCHEMES as SCHEMES
from qkit.evaluate.accuracy import accuracy_of as accuracy_of
from qkit.tflite.memory import memory as memory
from qkit.plots.rows import plot_accuracies as plot_accuracies
from qkit.plots.flips import plot_flips as plot_flips
from qkit.plots.rows import plot_latencies as plot_latencies
from qkit import published as published
from qkit._tensorflow import quiet as quiet
from qkit.evaluate.size import size as size

# 03 Quantization-aware training
from qkit.toolchain.aware import activation_ranges as activation_ranges
from qkit.toolchain.aware import fine_tune_with_control as fine_tune_with_control
from qkit.evaluate.latency import latency as latency
from qkit.plots.history import plot_range_history as plot_range_history
from qkit.toolchain.aware import quantization_aware as quantization_aware
from qkit.toolchain.aware import range_history as range_history

# 04 Int16 activations
from qkit.evaluate.digit import digit_answers as digit_answers
from qkit.widgets.digit import explore_digit as explore_digit
from qkit.interpreter.run import outputs as outputs
from qkit.plots.digit import plot_digit_answers as plot_digit_answers

# 05 Pruning
from qkit.evaluate.effect import effect as effect
from qkit.widgets.effects import explore_sparsity as explore_sparsity
from qkit.quantize.magnitude import magnitude_mask as magnitude_mask
from qkit.plots.rows import plot_bytes_by_stage as plot_bytes_by_stage
from qkit.plots.effects import plot_effect as plot_effect
from qkit.plots.panels import plot_mask as plot_mask
from qkit.plots.panels import plot_weight_histogram as plot_weight_histogram
from qkit.plots.history import plot_weight_history as plot_weight_history
from qkit.toolchain.compress import prune as prune
from qkit.interpreter.one_shot import prune_once as prune_once
from qkit.evaluate.census import weight_census as weight_census

# 06 Clustering
from qkit.toolchain.compress import cluster as cluster
from qkit.interpreter.one_shot import cluster_once as cluster_once
from qkit.widgets.effects import explore_clusters as explore_clusters

# 07 Combining
from qkit.widgets.comparison import explore_schemes as explore_schemes
from qkit.networks import network as network
from qkit.plots.rows import plot_scheme_rows as plot_scheme_rows
from qkit.evaluate.shortlist import shortlist as shortlist
from qkit.evaluate.tradeoff import tradeoff as tradeoff
from qkit.toolchain.history import weight_history as weight_history

# 08 Choosing a scheme
from qkit.evaluate.calibration_effect import calibration_effect as calibration_effect
from qkit.evaluate import decision_tree as decision_tree
from qkit.evaluate.decision_tree import disagreements as disagreements
from qkit.widgets.calibration import explore_calibration as explore_calibration
from qkit.widgets.comparison import explore_decision_tree as explore_decision_tree
from qkit.widgets.mistakes import explore_mistakes as explore_mistakes
from qkit.evaluate.lint import lint as lint
from qkit.evaluate import mistakes as mistakes
from qkit.plots.calibration import plot_calibration_effect as plot_calibration_effect
from qkit.plots.mistakes import plot_mistake as plot_mistake
from qkit.evaluate.recommend import recommend as recommend

# 09 Finding the layer that hurts
from qkit.evaluate.layers import layer_errors as layer_errors
from qkit.evaluate.mixed_precision import mixed_precision as mixed_precision
from qkit.evaluate.sensitivity import sensitivity as sensitivity
from qkit.plots.layers import plot_layer_errors as plot_layer_errors
from qkit.plots.layers import plot_mixed_precision as plot_mixed_precision
from qkit.plots.layers import plot_sensitivity as plot_sensitivity
from qkit.widgets.layers import explore_layers as explore_layers

# 10 Inside the integer kernel
from qkit.widgets.pixel import explore_pixel as explore_pixel
from qkit.quantize import integer as integer
from qkit.interpreter.kernels import kernel_differences as kernel_differences
from qkit.quantize.pixel import pixel as pixel
from qkit.plots.pixel import plot_pixel as plot_pixel
from qkit.quantize.integer import run_integer as run_integer

# 11 Published results
from qkit.data import load_image_folder as load_image_folder
from qkit.plots.rows import plot_architectures as plot_architectures
from qkit.plots.rows import plot_int16_effects as plot_int16_effects

# 12 Your own model
from qkit.evaluate.device import device_latency as device_latency
from qkit.evaluate.comparison import load_comparison as load_comparison
from qkit.plots.page import report as report
from qkit.plots.graph import plot_graph as plot_graph
from qkit.plots.memory_plan import plot_memory_plan as plot_memory_plan
from qkit.toolchain.twins import to_keras_2 as to_keras_2

# Beside the course
from qkit.data import Dataset as Dataset
from qkit.evaluate.tasks import Metric as Metric
from qkit.toolchain.schemes import Scheme as Scheme
