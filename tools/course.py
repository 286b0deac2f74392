"""One list of the lessons, `notebooks/course.csv`: the map, the ways on, and the README's table.

``python -m tools.course`` writes them all anew, and two things more: docs/GLOSSARY.md from the
kit's own glossary, and, where pyproject.toml names a Repository on GitHub, a line of badges under
the title of each lesson. A test compares. Prose alone changes: no outputs.
"""

import csv
import re
from pathlib import Path

from qkit.cache import write_atomically
from qkit.course.glossary import glossary

ROOT = Path(__file__).resolve().parent.parent
README_LESSONS = re.compile(r"(\| \| \| you will be able to \|\n\|---\|---\|---\|\n)(?:\|.*\n)+")
MAP = re.compile(r"(\| notebook \| question \|\\n\",\n)(?: *\"\|.*\n)+")
REPOSITORY = re.compile(r'^Repository = "https://github\.com/([^/"]+/[^/"]+)"', re.MULTILINE)
# In a notebook's text: the title, and the line of badges between empty ones.
TITLE = re.compile(r'( *"# \d\d · .*\\n",\n)(?: *"\\n",\n *"\[!\[Colab\].*\n *"\\n",\n)?')
COLAB, BINDER = "https://colab.research.google.com", "https://mybinder.org"
WAYS = re.compile(r"(?<=\")\*\*(?:Before|Next)[:.].*(?=\\n\",\n)")


def lessons():
    """Return the lessons in order: dicts of notebook, title, question, able."""
    with open(ROOT / "notebooks" / "course.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written():
    """Return by path the text of each file that tells of lessons, as the list has it."""
    readme, listed = ROOT / "README.md", lessons()
    rows = "".join(
        f"| {x['notebook'][:2]} | [{x['title']}](notebooks/{x['notebook']}.ipynb) | {x['able']} |\n"
        for x in listed
    )
    found = {readme: README_LESSONS.sub(lambda m: m[1] + rows, readme.read_text(encoding="utf-8"))}
    found[ROOT / "docs" / "GLOSSARY.md"] = glossary_page(listed)
    github = REPOSITORY.search((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for number, lesson in enumerate(listed):
        path = ROOT / "notebooks" / f"{lesson['notebook']}.ipynb"
        text = WAYS.sub(lambda _, n=number: ways(listed, n), path.read_text(encoding="utf-8"))
        text = MAP.sub(lambda m: m[1] + table(listed), text)
        line = badges(github[1], lesson["notebook"]) if github else ""
        found[path] = TITLE.sub(lambda m, line=line: m[1] + line, text, count=1)
    return found


def badges(github, notebook):
    """Return the line that opens a lesson elsewhere, as lines of a notebook's cell.

    Binder installs from environment.yml. On Colab the reader does, in a cell that is no part of the
    notebook: who runs it on a machine of their own is to install nothing.
    """
    path = f"notebooks/{notebook}.ipynb"
    colab = f"[![Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/github/{github}/blob/main/{path})"
    binder = f"[![Binder]({BINDER}/badge_logo.svg)]({BINDER}/v2/gh/{github}/main?labpath={path})"
    install = f'`%pip install \\"qkit @ git+https://github.com/{github}\\"`'
    told = f"On Colab, first run this in a cell of its own: {install}"
    empty = '    "\\n",\n'
    return f'{empty}    "{colab} {binder} {told}\\n",\n{empty}'


def glossary_page(listed):
    """Return the glossary as a page: a table for each initial, an anchor for each term."""
    lines = [
        "# Glossary",
        "",
        'In a notebook: `qk.glossary("zero point")`, or the French or Portuguese word. '
        "Beside each stands the lesson that introduces it. "
        "Written by `python -m tools.course` from qkit/course/glossary.csv.",
    ]
    notebooks = {lesson["notebook"][:2]: lesson["notebook"] for lesson in listed}
    terms = glossary()
    for initial, group in terms.groupby(terms.index.str[0].str.upper()):
        lines += ["", f"## {initial}", "", "| term | meaning | lesson | français | português |"]
        lines += ["|---|---|---|---|---|", *(term_row(*row, notebooks) for row in group.iterrows())]
    return "\n".join(lines) + "\n"


def term_row(term, told, notebooks):
    """Return a row of the glossary; the symbol stands behind the term."""
    symbol = f", *{told.symbol}*" if told.symbol else ""
    link = f"[{told.notebook}](../notebooks/{notebooks[told.notebook]}.ipynb)"
    words = f"{told.meaning} | {link} | {told.french} | {told.portuguese}"
    return f'| <a id="{anchor(term)}"></a>**{term}**{symbol} | {words} |'


def anchor(term):
    """Return the anchor of a term: small letters and figures, with hyphens between the words.

    Examples
    --------
    >>> anchor("McNemar's test")
    'mcnemars-test'
    """
    return re.sub(r"\W+", "-", term.lower().replace("'", ""))


def ways(listed, number):
    """Return the line that leads from a lesson to the one before it, and to the next."""
    before = [f"**Before:** {link(listed[number - 1])}"] if number else []
    if number + 1 == len(listed):
        return " · ".join([*before, "[The map](00_start_here.ipynb#The-map)"])
    following = listed[number + 1]
    return " · ".join([*before, f"**Next:** {link(following)}: {following['question']}"])


def link(lesson):
    """Return a link to a lesson in the same folder."""
    return f"[{lesson['notebook'][:2]} · {lesson['title']}]({lesson['notebook']}.ipynb)"


def table(listed):
    """Return the rows of the map, as lines of a notebook's cell."""
    rows = [f"| {link(lesson)} | {lesson['question']} |\\n" for lesson in listed]
    rows[0] = f"| **00 · {listed[0]['title']}** | {listed[0]['question']} |\\n"
    return "".join(f'    "{row}",\n' for row in ["|---|---|\\n", *rows])


if __name__ == "__main__":
    for path, text in written().items():
        write_atomically(path, text.encode())
