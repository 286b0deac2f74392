"""Each mutation still names one line of the package, and a test file that is there."""

import re

import pytest
from mutants import MUTATIONS, ROOT, places

MUST_BE_CAUGHT = {
    "scale's rounding",
    "zero point off by one",
    "narrow range dropped",
    "interval of the wrong percentile",
    "McNemar one-sided",
    "Wilson without its centre",
    "front keeps dominated points",
    "deflate level",
    "promise check skips biases",
    "cache key without the loss",
}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.what)
def test_mutation_changes_one_line_and_names_its_test(mutation):
    found = places(mutation, ROOT / "qkit")
    assert sum(found.values()) == 1 or (mutation.everywhere and found), found
    for path in found:  # what it is turned into is Python, and something else
        text = path.read_text(encoding="utf-8")
        changed = re.sub(mutation.line, mutation.into, text, flags=re.MULTILINE)
        compile(changed, path, "exec")
        assert changed != text
    files = [part for part in mutation.test.split() if part.endswith(".py")]
    assert files
    assert all((ROOT / name).is_file() for name in files)


def test_each_has_its_own_name_and_what_must_be_caught_is_there():
    names = [mutation.what for mutation in MUTATIONS]
    assert len(set(names)) == len(names)
    assert set(names) >= MUST_BE_CAUGHT
