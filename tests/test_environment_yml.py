"""environment.yml works: what it lists for pip gives a qkit that can be imported."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent


def test_it_names_python_pip_and_this_folder():
    python, pip, packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert python.startswith("python>=3.10")
    assert pip == "pip"
    assert packages == {"pip": ["-e ."]}


@pytest.mark.slow
def test_its_pip_section_makes_an_environment_that_works(tmp_path):
    folder = tmp_path / "an environment"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    *_, packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    for line in packages["pip"]:
        install = [python, "-m", "pip", "install", "--quiet", *line.split()]
        subprocess.run(install, check=True, cwd=ROOT)
    code = "import qkit as qk; print(qk.environment().missing, qk.models.walkthrough_cnn().name)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "() walkthrough_cnn", done.stderr
