"""What an operator must have, or LiteRT reads and writes beyond its own memory."""

# How many inputs are read in any case, and an output: by this package, or by XNNPACK, which reads
# beyond the end of fewer (seen with Valgrind, LiteRT 2.3, in each operator with none to three).
_READ = {"CONV_2D": 2, "CONV_3D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2,
         "BATCH_MATMUL": 2, "SLICE": 3, "STRIDED_SLICE": 4, "SPLIT": 2, "ASSIGN_VARIABLE": 2,
         "READ_VARIABLE": 1, "VAR_HANDLE": 0}  # fmt: skip
# The first input that may be left out by −1, where one may: of any other XNNPACK reads what lies
# before the first tensor.
_OPTIONAL = {"CONV_2D": 2, "CONV_3D": 2, "CONV_3D_TRANSPOSE": 3, "DEPTHWISE_CONV_2D": 2,
             "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3, "SVDF": 3, "LSTM": 1,
             "UNIDIRECTIONAL_SEQUENCE_LSTM": 1, "BIDIRECTIONAL_SEQUENCE_LSTM": 1,
             "BIDIRECTIONAL_SEQUENCE_RNN": 1, "CUSTOM": 0, "WHILE": 0}  # fmt: skip
_BIASED = ("CONV_2D", "FULLY_CONNECTED")


def require_ends(name, reads, writes):
    """Refuse an operator without a tensor that is read or written in any case, by its numbers."""
    least, gives = _READ.get(name, 0), name in _READ and name != "ASSIGN_VARIABLE"
    if -1 in reads[:least] or len(reads) < least or (gives and not writes):
        raise ValueError(f"a {name} has no output, or lacks one of its first {least} inputs")
    if -1 in (*reads[: _OPTIONAL.get(name, len(reads))], *writes):
        raise ValueError(f"a {name} leaves out a tensor that it needs")


def require_fit(name, reads, writes, options):
    """Refuse tensors that LiteRT reads or writes beyond; what lies there decides whether it ends.

    Each was seen with Valgrind (LiteRT 2.3).
    """
    if name == "BATCH_MATMUL" and any(len(tensor.shape) < 2 for tensor in reads):
        raise ValueError("a BATCH_MATMUL has an input of fewer than two axes")
    if name == "VAR_HANDLE" and writes[0].dtype != "resource":  # read as values by whoever asks
        raise ValueError(f"a VAR_HANDLE makes {writes[0].dtype}")
    if not (reads and writes):
        return
    (given, *_), (made, *_) = reads, writes
    # it reads 64 bits of each, where the options do not say how many they have
    short = made.dtype == "int16" and reads[-1].dtype == "int32"
    if short and name in _BIASED and not getattr(options, "quantizedBiasType", 0):
        raise ValueError(
            f"a {name} on int16 has biases of int32, and options "
            "that do not say so; convert with those of int64"
        )
    # XNNPACK reads as many of the stored values as the output has, beyond the file's end
    if name == "DEQUANTIZE" and given.constant and given.shape != made.shape:
        raise ValueError(f"a DEQUANTIZE makes {made.form} of {given.form}")
    # RESHAPE writes all that it reads; the others compute in float32 wherever they read it
    floats = name.endswith(("SOFTMAX", "LSTM", "RNN")) and "float32" in {t.dtype for t in reads}
    wanted = "float32" if floats else given.dtype if name == "RESHAPE" else None
    if wanted and {given.dtype, made.dtype} != {wanted}:
        raise ValueError(f"a {name} makes {made.dtype} of {given.dtype}")
