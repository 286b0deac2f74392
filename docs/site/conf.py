"""How Sphinx makes the site; `make site` calls it on what tools/build_site.py laid out."""

import re

import qkit

project, author, release = "qkit", "the authors of qkit", qkit.__version__
copyright = f"{author}, Apache-2.0"
extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["qkit", "tools"]  # there to be linked, not to be read as pages

# What the notebooks show is what they have stored.
nb_execution_mode = "off"
# A link to a heading of a notebook is Jupyter's: blanks become hyphens, capitals stay.
myst_heading_anchors = 3
myst_heading_slug_func = "tools.build_site.slug"
# An `<a id>` is an anchor that MyST does not know; tests/test_links.py looks at every link.
suppress_warnings = ["myst.xref_missing"]

numpydoc_show_class_members = False
autodoc_typehints = "none"  # docstrings say what comes in, with shapes and units
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "qkit"
html_static_path = ["static"]
html_css_files = ["wide.css"]
html_extra_path = ["extra"]
html_show_sourcelink = False
html_copy_source = False
html_show_search_summary = False  # it is fetched, and a page opened as a file may not


def setup(app):
    """Let a shape such as (n, *input shape) in a docstring be itself, and no emphasis."""
    app.connect("autodoc-process-docstring", as_written, priority=400)  # numpydoc comes at 500


def as_written(app, what, name, value, options, lines):
    """Escape the stars of shapes."""
    lines[:] = [re.sub(r"(?<=, )\*(?=\w)", r"\\*", line) for line in lines]
