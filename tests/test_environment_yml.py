"""environment.yml works: what it lists for pip gives a qkit that can be imported."""

import subprocess
import sys
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent

# What is to be absent is not found, as though it had never been installed.
WITHOUT = """
import re, sys
from importlib.machinery import PathFinder

distributions, modules = (set(argument.split()) for argument in sys.argv[1:])

class Others(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in modules:
            return super().find_spec(name, path, target)

    @classmethod
    def find_distributions(cls, *context):
        for each in super().find_distributions(*context):
            if re.sub("[-_.]+", "-", each.name).lower() not in distributions:
                yield each

sys.meta_path[sys.meta_path.index(PathFinder)] = Others
"""


def needed(name):
    """Return the distributions that pip installs with one, without its extras."""
    found, left = set(), [(name, "")]
    while left:
        name, extra = left.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        for line in distribution(name).requires or ():
            asked = Requirement(line)
            if asked.marker is None or asked.marker.evaluate({"extra": extra}):
                left += [(canonicalize_name(asked.name), e) for e in {"", *asked.extras}]
    return {name for name, _ in found}


def modules(names):
    """Return the importable names that distributions hold, by what each lists as its files."""
    # importlib.metadata.packages_distributions finds few of them on Python 3.10
    found = set()
    for each in distributions():
        if canonicalize_name(each.name) in names:
            found |= {path.parts[0].partition(".")[0] for path in each.files or ()}
    return {name for name in found if name.isidentifier()}


def test_it_names_python_pip_and_this_folder():
    python, pip, packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert python.startswith("python>=3.10")
    assert pip == "pip"
    assert packages == {"pip": ["-e ."]}


@pytest.mark.slow
def test_what_its_pip_section_installs_is_all_that_is_needed(tmp_path):
    kept = needed("qkit")
    others = {canonicalize_name(each.name) for each in distributions()} - kept
    absent = modules(others) - modules(kept)
    assert {"pytest", "hypothesis", "ruff"} <= absent
    code = f"""{WITHOUT}
import qkit as qk
for name in qk.__all__:
    getattr(qk, name)
model = qk.models.walkthrough_cnn()
print(qk.environment().missing, qk.quantization_aware(model).name)
"""
    run = [sys.executable, "-c", code, " ".join(others), " ".join(absent)]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "() walkthrough_cnn", done.stderr
