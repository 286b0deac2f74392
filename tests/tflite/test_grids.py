"""The grids of a simulation are those of the real converter: tensor by tensor, in both sizes."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.tflite.edit import opened
from qkit.tflite.grids import fixed_ends

FILES = Path(__file__).parent.parent / "files"
NAMES = sorted(path.name[5:-15] for path in FILES.glob("ties_*_float32.tflite"))
SCHEMES = {"full_integer": 8, "int16_activations": 16}
# What LiteRT has no kernel of 16 bits for.
NOT_RUN = {("around", 16), ("chosen", 16)}


@pytest.fixture(scope="module")
def tied():
    """Return a function that gives the file of a network under a scheme."""
    return lambda name, scheme: (FILES / f"ties_{name}_{scheme}.tflite").read_bytes()


@pytest.fixture(scope="module")
def calibration_of():
    with np.load(FILES / "ties.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def real_grids(tflite):
    """Yield for each operator its name, and the grids on which it reads and gives activations.

    Between integers and an operator in float stand QUANTIZE and DEQUANTIZE.
    """
    file = qk.inspect(tflite)
    between = [op for op in file.operators if op.name in ("QUANTIZE", "DEQUANTIZE")]
    from_grid = {op.outputs[0].index: op.inputs[0] for op in between if op.name == "DEQUANTIZE"}
    to_grid = {op.inputs[0].index: op.outputs[0] for op in between if op.name == "QUANTIZE"}

    def grids(tensors, other):
        found = [t if t.scale.size else other.get(t.index, t) for t in tensors]
        return [(t.scale, t.zero_point) for t in found if t.holds_values and not t.constant]

    for op in file.operators:
        if op not in between:
            yield op.name, grids(op.inputs, from_grid), grids(op.outputs, to_grid)


def simulated_grids(tflite, x, bits):
    """Yield the same of a float file."""
    file = opened(tflite)
    ranges = qk.simulation.calibrated_ranges(file, x)
    chosen = qk.simulation.bits(file, ranges, activation_bits=bits).grids(file)

    def of(place):
        return [(q.scale, q.zero_point) for q in chosen[place]]

    for number, op in enumerate(file.operators):
        read, given = (
            [t.index for t in ends if t.dtype == "float32" and not t.constant]
            for ends in (op.inputs, op.outputs)
        )
        places = ((number, i) if (number, i) in chosen else i for i in read)
        yield op.name, [of(place)[-1] for place in places], [of(i)[0] for i in given]


@pytest.mark.parametrize(("scheme", "bits"), SCHEMES.items())
@pytest.mark.parametrize("name", NAMES)
def test_each_tensor_is_on_the_grid_of_the_converter(name, scheme, bits, tied, calibration_of):
    real = list(real_grids(tied(name, scheme)))
    ours = list(simulated_grids(tied(name, "float32"), calibration_of[name], bits))
    assert [op for op, *_ in real] == [op for op, *_ in ours]
    for number, ((op, *theirs), (_, *mine)) in enumerate(zip(real, ours, strict=True)):
        # sums may be added in another order, here and where the files were made
        for a, b in zip(itertools.chain(*theirs), itertools.chain(*mine), strict=True):
            np.testing.assert_allclose(b[0], a[0], rtol=2e-5, err_msg=f"{number} {op}")
            np.testing.assert_array_equal(b[1], a[1], f"{number} {op}")


def test_the_networks_meet_each_rule(tied):
    met = Counter(op.name for name in NAMES for op in qk.inspect(tied(name, "float32")).operators)
    assert met.keys() >= {
        *("CONCATENATION", "MAXIMUM", "MINIMUM", "PACK", "SELECT_V2", "AVERAGE_POOL_2D"),
        *("MAX_POOL_2D", "PAD", "PADV2", "MIRROR_PAD", "RESIZE_BILINEAR", "SUM"),
        *("RESIZE_NEAREST_NEIGHBOR", "GATHER", "SLICE", "STRIDED_SLICE", "TRANSPOSE"),
        *("SPLIT_V", "UNPACK", "TILE", "REVERSE_V2", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE"),
        *("REDUCE_MAX", "REDUCE_MIN", "RESHAPE", "SOFTMAX", "LOGISTIC", "TANH", "LOG_SOFTMAX"),
        *("L2_NORMALIZATION", "ADD", "MEAN"),
    }


@pytest.mark.parametrize(("scheme", "bits"), SCHEMES.items())
@pytest.mark.parametrize("name", NAMES)
def test_it_errs_as_the_converter(name, scheme, bits, tied, calibration_of):
    if (name, bits) in NOT_RUN:
        pytest.skip("LiteRT has no kernel for 16 bits for one of its operators")
    file, x = tied(name, "float32"), calibration_of[name]
    ranges = qk.simulation.calibrated_ranges(file, x)
    simulated = qk.simulation.at_bits(file, ranges, activation_bits=bits)
    exact, *answers = (qk.outputs(f, x) for f in (file, simulated, tied(name, scheme)))
    ours, theirs = (np.sqrt(np.mean((y - exact) ** 2)) for y in answers)
    assert 0.5 * theirs < ours < 2 * theirs


def test_by_hand_a_branch_goes_by_the_larger_one_that_it_is_joined_to(tied, calibration_of):
    file, x = opened(tied("joined", "float32")), calibration_of["joined"]
    found = qk.simulation.calibrated_ranges(file, x)
    spans = {}
    for op in file.operators:
        if op.name == "CONCATENATION":
            inputs = np.array([found.observed[_name(file, t)] for t in op.inputs])
            spans[op] = inputs[:, 0].min(), inputs[:, 1].max()
            assert found[_name(file, op.outputs[0])] == spans[op]
    assert len(spans) == 3
    for op in spans:  # what is joined twice goes by one of the two, and so does the input
        assert {found[_name(file, tensor)] for tensor in op.inputs} <= set(spans.values())
    first = file.own_grids[0]
    assert found[first] in spans.values()
    assert found.observed[first] == (x.min(), x.max())


def _name(file, tensor):
    return next(name for name, other in file.names.items() if other is tensor)


def test_only_what_gives_new_values_is_rounded(tied, calibration_of):
    file, x = tied("around", "float32"), calibration_of["around"]
    ranges = qk.simulation.calibrated_ranges(file, x)
    simulated = qk.inspect(qk.simulation.at_bits(file, ranges)).operators
    rounded = {op.inputs[0].index for op in simulated if op.name == "FAKE_QUANT"}
    given = {True: set(), False: set()}
    for op in simulated:
        given[op.outputs[0].index in rounded].add(op.name)
    assert given[True] >= {"AVERAGE_POOL_2D", "RESIZE_BILINEAR", "MEAN", "PADV2", "ADD", "CONV_2D"}
    assert given[False] >= {"MAX_POOL_2D", "RESHAPE", "PAD", "MIRROR_PAD"}
    assert not given[True] & given[False]


@pytest.mark.parametrize(
    ("fixed", "bits", "scale", "zero_point"),
    [
        ((0, 1), 8, 1 / 256, -128),
        ((-1, 1), 8, 1 / 128, 0),
        ((-16, 0), 8, 16 / 256, 127),
        ((-1, 1), 16, 1 / 32768, 0),
        ((0, 1), 4, 1 / 16, -8),
        ((-1, 1), 3, 1 / 4, 0),
        ((-16, 0), 5, 16 / 32, 15),
        ((0, 1), 12, 1 / 4096, -2048),
    ],
)
def test_fixed_ranges_have_a_power_of_two_of_steps(fixed, bits, scale, zero_point):
    ends = np.float32(fixed_ends(fixed, bits))
    found = qk.grid.choose_qparams(ends, bits=bits, symmetric=bits == 16)
    assert (found.scale[0], found.zero_point[0]) == (np.float32(scale), zero_point)


def test_at_few_bits_softmax_keeps_its_range(tied, calibration_of):
    file, x = tied("inception", "float32"), calibration_of["inception"]
    ranges = qk.simulation.calibrated_ranges(file, x)
    coarse = qk.simulation.at_bits(file, ranges, activation_bits=4)
    assert set(np.unique(16 * qk.outputs(coarse, x))) <= set(range(16))
    none = qk.simulation.at_bits(file, {}, weight_bits=None)
    np.testing.assert_array_equal(qk.outputs(none, x), qk.outputs(file, x))
