"""Sphinx configuration."""

import re
from importlib.metadata import version as _version

from sphinx.application import Sphinx

import wheelhouse_resolver

project = "wheelhouse-resolver"
author = "the wheelhouse-resolver authors"
copyright = author
release = version = _version("wheelhouse-resolver")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinx_argparse_cli",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

# Every command has --root, --config, ...: the command must be part of a link's name.
sphinx_argparse_cli_prefix_document = True

html_theme = "alabaster"
html_theme_options = {
    "description": "The right wheel from an HPC site's wheelhouse, with stock pip",
    "fixed_sidebar": True,
    "page_width": "1180px",
    "sidebar_width": "240px",
}
html_static_path = ["_static"]
html_css_files = ["site.css"]

# The package imports its public names on first use; autodoc lists only those that are there.
for _name in wheelhouse_resolver.__all__:
    setattr(wheelhouse_resolver, _name, getattr(wheelhouse_resolver, _name))

#: How our docstrings list parameters and fields: `name:  what it is`, continued on indented lines.
_ENTRY = re.compile(r"([A-Za-z][\w.]*(?:, [A-Za-z][\w.]*)*): +(\S.*)")


def _lists_of_names(
    _app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Turn each such paragraph into a definition list."""
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    found: list[str] = []
    for paragraph in paragraphs:
        if all(_ENTRY.match(line) or line.startswith(" ") for line in paragraph) and _ENTRY.match(
            "".join(paragraph[:1])
        ):
            for line in paragraph:
                if entry := _ENTRY.match(line):
                    found += [f"**{entry[1]}**", f"    {entry[2]}"]
                else:
                    found.append(f"    {line.strip()}")
        else:
            found += paragraph
        found.append("")
    lines[:] = found


def _is_noise(
    _app: Sphinx, _what: str, _name: str, obj: object, _skip: bool, _options: object
) -> bool | None:
    """Leave out the fields of named tuples, which their class explains."""
    return True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _lists_of_names)
    app.connect("autodoc-skip-member", _is_noise)
