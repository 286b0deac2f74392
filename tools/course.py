"""One list of the lessons, `notebooks/course.csv`: the map, the ways on, and the README's table.

``python -m tools.course`` writes them all anew; a test compares. Prose alone changes: no outputs.
"""

import csv
import re
from pathlib import Path

from qkit.cache import write_atomically

ROOT = Path(__file__).resolve().parent.parent
README_LESSONS = re.compile(r"(\| \| \| you will be able to \|\n\|---\|---\|---\|\n)(?:\|.*\n)+")
MAP = re.compile(r"(\| notebook \| question \|\\n\",\n)(?: *\"\|.*\n)+")
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
    for number, lesson in enumerate(listed):
        path = ROOT / "notebooks" / f"{lesson['notebook']}.ipynb"
        text = WAYS.sub(lambda _, n=number: ways(listed, n), path.read_text(encoding="utf-8"))
        found[path] = MAP.sub(lambda m: m[1] + table(listed), text)
    return found


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
