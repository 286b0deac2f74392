"""Tests of the tool chain look at files that are converted anew, and not at stored ones."""

import functools

import pytest

import qkit as qk
from qkit.toolchain.schemes import find_scheme


@pytest.fixture(scope="session")
def tflite(request, trained, calibration):
    """Return a function from a scheme's name to the file of `trained` under it."""

    @functools.cache
    def file(name):
        technique = find_scheme(name).technique
        source = request.getfixturevalue("techniques")[technique] if technique else trained
        return qk.convert(source, name, calibration)

    return file
