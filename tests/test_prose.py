"""Every figure in the prose of a lesson comes from a cell of it, or says where it is from.

What remains is listed, each with its reason; the list is at most ten long.
"""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

LESSONS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
NEAR = 8  # cells, at most, to where a figure with decimals comes from; others may be anywhere
SMALL = 31  # whole numbers up to here count what the text itself names
NUMBER = re.compile(r"(?<![\w.,/^-])[−-]?\d[\d,]*(?:\.\d+)?(?![\w/])")
# No figures: code, headings, tables, references, places in the course, years
NO_PROSE = re.compile(
    r"`[^`]*`|^#.*$|^\|.*$|\*\*References(?s:.*)"
    r"|(?:sections?|notebooks?|AVX-|seeds?) [\d, and]*\d|\b(?:19|20)\d\d\b",
    re.MULTILINE,
)
EXERCISE = re.compile(r"(?:\*\*|Exercise |Quiz |Lab )\d\d\.\d")  # what is given there, is given
SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n")
SOURCE = re.compile(r"\]\(|ublished|in print")  # a sentence with a link, or of others' figures
# Integers of the formats, an even error's RMS in steps, the decibels of a bit: known beforehand
KNOWN = {32, 64, 127, 128, 255, 256, 512, 1024, 32767, 65535, 0.289, 6.02}
# By lesson and figure as it is written: where it is from.
EXCEPTIONS = {("00", "20,410"): "weights and biases: a quarter of the bytes of the numbers"}


def numbers(text):
    """Yield each number of a text as it is written, its value, and its decimals."""
    for found in NUMBER.finditer(text):
        plain = found[0].replace(",", "").replace("−", "-")
        yield found[0].rstrip(","), abs(float(plain)), len(plain.partition(".")[2])


def told(cell):
    """Return the numbers that a cell of code sets and prints, shares as per cent, too."""
    texts = [cell.source] if cell.cell_type == "code" else []
    for output in cell.get("outputs", ()):
        shown = {**output.get("data", {}), "text/plain": output.get("text", "")}
        shown |= {k: v for k, v in output.get("data", {}).items() if k == "text/plain"}
        texts += [text for kind, text in shown.items() if kind.startswith("text/")]
    plain = [value for text in texts for _, value, _ in numbers(text)]
    return plain + [100 * value for value in plain if value <= 1]


def unfounded(notebook):
    """Return the figures in prose that no cell gives to as many digits."""
    sources = [told(cell) for cell in notebook.cells]
    anywhere = [value for found in sources for value in found]
    missing = []
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type != "markdown" or place == 0 or EXERCISE.search(cell.source):
            continue
        near = [v for found in sources[max(place - NEAR, 0) : place + NEAR + 1] for v in found]
        own = " ".join(s for s in SENTENCE.split(cell.source) if not SOURCE.search(s))
        for written, value, decimals in numbers(NO_PROSE.sub(" ", own)):
            if value in KNOWN or (decimals == 0 and value <= SMALL):
                continue
            among, half = (near if decimals else anywhere), 0.5 * 10**-decimals
            if not any(abs(other - value) <= half * 1.001 for other in among):
                missing.append(written)
    return missing


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem[:2])
def test_figures_in_prose_come_from_a_cell(path):
    missing = set(unfounded(nbformat.read(path, as_version=4)))
    allowed = {written for lesson, written in EXCEPTIONS if lesson == path.stem[:2]}
    assert missing == allowed


def test_there_are_few_exceptions():
    assert len(EXCEPTIONS) <= 10


@pytest.mark.parametrize(
    ("prose", "found"),
    [
        ("It takes 24,904 bytes.", ["24,904"]),
        ("It takes 84,904 bytes, 3.4 times more.", []),
        ("A loss of 0.27 points, or −0.28.", ["−0.28"]),
        ("98.2 % are right, 98.3 % wrong.", ["98.3"]),
        ("`41` in [1234](x), 2021, section 99, 12 images", []),
        ("**07.1** How many of 999?", []),
        ("They say 555 ([source](x)). It is 666.", ["666"]),
    ],
)
def test_figure_without_a_cell_is_found(prose, found):
    printed = v4.new_output("stream", text="84,904 bytes, 3.41 times; -0.27; accuracy 0.982")
    cells = [v4.new_markdown_cell(text) for text in ("# 07 · A title", prose)]
    cells.append(v4.new_code_cell("print(1)", outputs=[printed]))
    assert unfounded(v4.new_notebook(cells=cells)) == found
