"""Which operators each target runs, and who says so."""

import functools
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_EDGETPU = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EDGETPU-CUSTOM-OP EXPAND_DIMS
FULLY_CONNECTED L2_NORMALIZATION LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU
QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR
RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQUARED_DIFFERENCE SQUEEZE
STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM
"""
_GPU = """
ABS ADD ADD_N ATAN2 AVERAGE_POOL_2D BATCH_MATMUL CAST CEIL CONCATENATION CONV_2D COS CUMSUM
DENSIFY DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU
EMBEDDING_LOOKUP EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER
GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC LSTM MAXIMUM
MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU
QUANTIZE REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR
RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT
SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE STABLEHLO_CLAMP STRIDED_SLICE SUB SUM TANH TILE
TRANSPOSE TRANSPOSE_CONV
"""
_MICRO = """
ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CIRCULAR_BUFFER CONCATENATION CONV_2D COS CUMSUM
DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP
EQUAL ETHOS-U EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND
GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL
LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM
MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL
REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2
ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V
SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
TFLITE_DETECTION_POSTPROCESS TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE
ZEROS_LIKE
"""
_ETHOS_U = """
ABS ADD ARG_MAX AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D DEPTHWISE_CONV_2D ELU ETHOS-U
EXP EXPAND_DIMS FULLY_CONNECTED GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN
MINIMUM MIRROR_PAD MUL NEG PACK PAD PADV2 PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6
RELU_0_TO_1 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RSQRT
SLICE SOFTMAX SPLIT SPLIT_V SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TILE
TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK
"""
# By target: the list, by whose word, and where that stands.
_LISTS = {
    "edgetpu": (_EDGETPU, "Coral's documentation, runtime 14",
                "https://coral.ai/docs/edgetpu/models-intro/#supported-operations"),
    "gpu": (_GPU, "the GPU delegate's own checks, TensorFlow 2.21",
            "https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/tools/versioning/gpu_compatibility.cc"),
    "microcontroller": (_MICRO, "what tflite-micro of October 2026 registers",
                        "https://github.com/tensorflow/tflite-micro"),
    "ethos-u": (_ETHOS_U, "ethos-u-vela 5.2, for Ethos-U55 and U65",
                "https://gitlab.arm.com/artificial-intelligence/ethos-u/ethos-u-vela/-/blob/main/SUPPORTED_OPS.md"),
    "cpu": ("", "the built-in operators of LiteRT 2.3",
            "https://ai.google.dev/edge/litert/models/ops_compatibility"),
}  # fmt: skip
TARGETS = ("cpu", "gpu", "edgetpu", "microcontroller", "ethos-u")
SOURCES = {target: source for target, (_, _, source) in _LISTS.items()}
# Those of the schema that LiteRT 2.3 has no kernel for, and those beyond it that it has.
_WITHOUT_KERNEL = {"CALL", "CONCAT_EMBEDDINGS", "CUSTOM", "DELEGATE",
                   "PLACEHOLDER_FOR_GREATER_OP_CODES"}  # fmt: skip
_STABLEHLO = """ADD AND CASE COMPOSITE GATHER MAXIMUM MINIMUM MULTIPLY PAD REDUCE_WINDOW
RNG_BIT_GENERATOR SCATTER SHIFT_LEFT"""
_CUSTOM = {"AUDIOSPECTROGRAM", "MFCC", "NUMERICVERIFY", "TFLITE_DETECTION_POSTPROCESS"}
# With int16 activations LiteRT 2.3 refuses to prepare or to run them.
WITHOUT_INT16 = {"ADD_N", "ARG_MAX", "ARG_MIN", "CEIL", "COS", "CUMSUM", "DEPTH_TO_SPACE", "ELU",
                 "FLOOR", "HARD_SWISH", "L2_NORMALIZATION", "LOG_SOFTMAX", "POW", "RELU_0_TO_1",
                 "RELU_N1_TO_1", "ROUND", "SCATTER_ND", "SIGN", "SIN", "SPACE_TO_DEPTH", "SQUARE",
                 "SQUARED_DIFFERENCE", "WHERE", "ZEROS_LIKE"}  # fmt: skip


@functools.cache
def operators(target):
    """Return the names of the operators that a target runs, and by whose word."""
    text, word, _ = _LISTS[target]
    names = _registered() if target == "cpu" else frozenset(text.split())
    if target == "ethos-u" and importlib.util.find_spec("ethosu") and (reported := _reported()):
        return names & {"ETHOS-U"} | reported, "ethos-u-vela as installed, for Ethos-U55 and U65"
    return names, word


def _registered():
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    known = {name for name in vars(BuiltinOperator) if name.isupper()} - _WITHOUT_KERNEL
    hlo = {f"STABLEHLO_{name}" for name in _STABLEHLO.split()}
    return frozenset({n for n in known if not n.startswith("STABLEHLO_")} | hlo | _CUSTOM)


def _reported():
    """Return the operators that the compiler installed here writes into its report, if it does."""
    command = [sys.executable, "-m", "ethosu.vela", "--supported-ops-report"]
    try:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
            text = (Path(folder) / "SUPPORTED_OPS.md").read_text(encoding="utf-8")
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    table = text.partition("Ethos-U55 and Ethos-U65 TFLite Summary Table\n")[2].partition("\n## ")[
        0
    ]
    return frozenset(re.findall(r"^\| ([A-Z0-9_]+) \|", table, re.MULTILINE))
